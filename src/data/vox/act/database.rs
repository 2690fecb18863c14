//! Actions on a Vox database: guard, write, op-log entry and reading back in one exchange.

use libsql::Value;
use serde_json::{Value as Json, json};

use super::audit::{self, Next};
use super::error::{SqlCode, WriteError};
use super::file::OpenError;
use super::sql::{Script, script};
use super::target::{Committed, Session, WriteTarget};
use crate::action::executor::{ActionRequest, Executor, Resolution, Working, WriteAccess};
use crate::data::vox::backend::Rows;
use crate::data::vox::schema::Schema;
use crate::model::action::{Action, LockGuard, Mode, OPERATOR_NODE, fence};
use crate::model::outcome::Outcome;
use crate::model::text::Text;
use crate::model::time::{Millis, utc};

/// How often a number that another console took is replaced by the next.
const NUMBERS: u64 = 5;
/// Where the op-log's entry stands in the transaction: look, write, count, entry, count.
const ENTRY: usize = 3;

/// Writes to one database.
pub struct DatabaseExecutor {
    target: WriteTarget,
    clock: fn() -> Millis,
}

impl DatabaseExecutor {
    /// Writes to `target`.
    #[must_use]
    pub fn new(target: WriteTarget, clock: fn() -> Millis, _: WriteAccess) -> Self {
        Self { target, clock }
    }

    async fn execute_now(&mut self, request: &ActionRequest) -> Outcome {
        let clock = self.clock;
        let mut session = match self.target.open().await {
            Ok(session) => session,
            Err(OpenError::InUse(why)) => return Outcome::refused(why),
            Err(OpenError::Failed(why)) => return Outcome::failed(why),
        };
        // Nothing was written yet: whatever fails here changed nothing.
        let (schema, auditable) = match prepare(&mut session).await {
            Ok(found) => found,
            Err(error) => return error.before_any_write(),
        };
        let script = match script(&request.action, &schema, &operator_node(&request.operator), &request.id) {
            Ok(script) => script,
            Err(why) => return Outcome::refused(why),
        };
        let mut attempt = Attempt { session, request, schema, script, audit: None };
        if auditable {
            let is_there = audit::is_there_sql(request);
            match attempt.session.read(&[&is_there, &audit::last_sql(), &attempt.script.select]).await {
                Ok(answers) if first_number(answers.first()) == Some(1) => {
                    let after = describe(&request.action, answers.get(2));
                    let mut outcome = Outcome::done("it was done before this attempt").with(None, after);
                    outcome.audited = true;
                    return outcome;
                }
                Ok(answers) => attempt.audit = Some(Next::after(answers.get(1).and_then(|r| r.first()), clock())),
                Err(error) => return error.before_any_write(),
            }
        }
        attempt.run().await
    }

    /// The entry and the action stand in one transaction, so the entry proves the action. Without an entry the action
    /// was not done, if things are still as they were before it.
    async fn was_applied_now(&mut self, request: &ActionRequest) -> Resolution {
        let unreachable = |why: &str| Resolution::Unreachable(why.to_owned());
        let mut session = match self.target.open().await {
            Ok(session) => session,
            Err(OpenError::InUse(why) | OpenError::Failed(why)) => return Resolution::Unreachable(why),
        };
        let (schema, auditable) = match prepare(&mut session).await {
            Ok(found) => found,
            Err(error) => return unreachable(error.what()),
        };
        let script = match script(&request.action, &schema, &operator_node(&request.operator), &request.id) {
            Ok(script) => script,
            Err(why) => return Resolution::Undecidable(why),
        };
        let is_there = audit::is_there_sql(request);
        let statements = [script.select.as_str(), &script.stands, &is_there];
        let answers = match session.read(if auditable { &statements } else { &statements[..2] }).await {
            Ok(answers) => answers,
            Err(error) => return unreachable(error.what()),
        };
        let now = sentence(&request.action, describe(&request.action, answers.first()).as_ref());
        if first_number(answers.get(2)).is_some_and(|n| n > 0) {
            return Resolution::Applied { audited: true, now };
        }
        match first_number(answers.get(1)) {
            // A message is identified by its own key.
            Some(n) if matches!(request.action, Action::Send { .. }) => {
                if n > 0 {
                    Resolution::Applied { audited: false, now }
                } else {
                    Resolution::NotApplied(now)
                }
            }
            Some(n) if n > 0 => Resolution::NotApplied(now),
            _ => Resolution::Undecidable(now),
        }
    }

    async fn record_now(&mut self, request: &ActionRequest) -> Result<(), String> {
        let clock = self.clock;
        let mut session = match self.target.open().await {
            Ok(session) => session,
            Err(OpenError::InUse(why) | OpenError::Failed(why)) => return Err(why),
        };
        let plain = |error: WriteError| error.what().to_owned();
        let (schema, auditable) = prepare(&mut session).await.map_err(plain)?;
        if !auditable {
            return Err("it has no op-log that entries can be added to".into());
        }
        let is_there = audit::is_there_sql(request);
        let answers = session.read(&[&is_there, &audit::last_sql()]).await.map_err(plain)?;
        if first_number(answers.first()) == Some(1) {
            return Ok(());
        }
        let next = Next::after(answers.get(1).and_then(|r| r.first()), clock());
        for by in 0..NUMBERS {
            let insert = next.another(by).insert(request, &schema, false);
            match session.commit(&[&insert], &[&is_there]).await {
                // Committed: an entry that cannot be read again is written all the same.
                Ok(Committed { reread, .. }) => {
                    let there = reread.as_deref().map_or(Some(1), |answers| first_number(answers.first()));
                    let closed = session.close(&[&is_there]).await;
                    let lost = closed.is_some_and(|answers| {
                        answers.map_or(true, |answers| first_number(answers.first()) != Some(1))
                    });
                    return if there == Some(1) && !lost {
                        Ok(())
                    } else {
                        Err("the entry is not there after it was written".into())
                    };
                }
                Err(WriteError::Sql { step: Some(0), code: SqlCode::Constraint, .. }) => {}
                Err(error) => return Err(plain(error)),
            }
        }
        Err("every number tried was taken by another console".into())
    }
}

impl Executor for DatabaseExecutor {
    fn execute<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Outcome> {
        Box::pin(self.execute_now(request))
    }
    fn record<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Result<(), String>> {
        Box::pin(self.record_now(request))
    }
    fn was_applied<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Resolution> {
        Box::pin(self.was_applied_now(request))
    }
}

/// The node that an operator's hold is written under.
#[must_use]
pub fn operator_node(operator: &str) -> String {
    let plain: String = operator.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(40).collect();
    if plain.is_empty() { OPERATOR_NODE.to_owned() } else { format!("{OPERATOR_NODE}/{plain}") }
}

/// What the database has, and whether its op-log takes entries.
async fn prepare(session: &mut Session<'_>) -> Result<(Schema, bool), WriteError> {
    let answers = session.read(&[&Schema::probe_sql()]).await?;
    let schema = Schema::from_rows(answers.first().map_or(&[], Vec::as_slice));
    let auditable = audit::possible(&schema);
    Ok((schema, auditable))
}

struct Attempt<'a> {
    session: Session<'a>,
    request: &'a ActionRequest,
    schema: Schema,
    script: Script,
    /// Nothing where the op-log takes no entries.
    audit: Option<Next>,
}

impl Attempt<'_> {
    async fn run(mut self) -> Outcome {
        let mut by = 0;
        loop {
            let entry = self.audit.as_ref().map(|next| next.another(by).insert(self.request, &self.schema, true));
            let nothing = "SELECT 0";
            let statements = [
                self.script.select.as_str(),
                &self.script.write,
                "SELECT changes()",
                entry.as_deref().unwrap_or(nothing),
                if entry.is_some() { "SELECT changes()" } else { nothing },
            ];
            match self.session.commit(&statements, &[&self.script.select]).await {
                Ok(committed) => return self.conclude(committed).await,
                Err(WriteError::Sql { step: Some(ENTRY), code: SqlCode::Constraint, .. }) if by < NUMBERS => by += 1,
                // The op-log takes no entry: the action does not wait for that. The journal has it.
                Err(WriteError::Sql { step: Some(ENTRY | 4), code, what })
                    if self.audit.is_some() && code != SqlCode::Busy =>
                {
                    tracing::warn!(%what, "tried again without an op-log entry");
                    self.audit = None;
                }
                Err(WriteError::Unknown(why)) => return self.read_back(&why).await,
                Err(error) => return error.before_any_write(),
            }
        }
    }

    /// It was committed. What is read afterwards can only say how things stand now, or that this is not known.
    async fn conclude(self, committed: Committed) -> Outcome {
        let action = &self.request.action;
        let before = describe(action, committed.results.first());
        let changed = first_number(committed.results.get(2)).unwrap_or(0);
        let audited = first_number(committed.results.get(4)).is_some_and(|n| n > 0);
        let is_there = audit::is_there_sql(self.request);
        let reread = [self.script.select.as_str(), if self.audit.is_some() { &is_there } else { "SELECT 0" }];
        let closed = self.session.close(&reread).await;
        if changed < 1 {
            let now =
                committed.reread.ok().as_ref().and_then(|answers| describe(action, answers.first())).or(before.clone());
            let summary = sentence(action, now.as_ref());
            let outcome = if matches!(action, Action::Send { .. }) && now.is_some() {
                Outcome::already("it was sent before")
            } else if now.as_ref().is_some_and(|row| has_run_out(action, row)) {
                Outcome::already(format!("it has run out, nothing was changed: {summary}"))
            } else {
                Outcome::refused(format!("changed since you looked, nothing was done: {summary}"))
            };
            return outcome.with(before, now);
        }
        // Of a file that others use without SQLite's locks only what is there after closing counts.
        let found = match closed {
            Some(Err(why)) => {
                let summary = format!("it was committed, but {why}: it may be gone");
                return Outcome::unknown(summary).with(before, None);
            }
            Some(Ok(answers)) if audited && first_number(answers.get(1)) != Some(1) => {
                let summary = "it was committed, but is not in the file any more: another process wrote over it";
                return Outcome::unknown(summary).with(before, describe(action, answers.first()));
            }
            Some(Ok(answers)) => Ok(answers),
            None => committed.reread,
        };
        let several = if changed > 1 {
            format!("{changed} rows were changed, which are not told apart there: ")
        } else {
            String::new()
        };
        let outcome = match found {
            Ok(answers) => {
                let after = describe(action, answers.first());
                let now = sentence(action, after.as_ref());
                let held = holds_after(action, after.as_ref());
                let summary = if held { now } else { format!("done, but it was changed again at once: {now}") };
                Outcome::done(several + &summary).with(before, after)
            }
            Err(why) => Outcome::done(format!("{several}done; not read again: {why}")).with(before, None).not_reread(),
        };
        Outcome { audited, ..outcome }
    }

    /// After a lost answer: the op-log's entry proves that it was done. That it is not there proves nothing yet, because
    /// the request may still be on its way.
    async fn read_back(&mut self, why: &str) -> Outcome {
        let is_there = audit::is_there_sql(self.request);
        let mut statements = vec![self.script.select.as_str()];
        if self.audit.is_some() {
            statements.push(&is_there);
        }
        let Ok(answers) = self.session.read(&statements).await else {
            return Outcome::unknown(format!("{why}, and it could not be read back: it may have been done"));
        };
        let after = describe(&self.request.action, answers.first());
        let now = sentence(&self.request.action, after.as_ref());
        let outcome = if first_number(answers.get(1)) == Some(1) {
            Outcome { audited: true, ..Outcome::done(format!("{now} (read back after: {why})")) }
        } else if self.audit.is_some() {
            Outcome::unknown(format!("{why}; read back, it is not done so far: {now}"))
        } else {
            Outcome::unknown(format!("{why}; now: {now}"))
        };
        outcome.with(None, after)
    }
}

/// Whether what was read back is what the action leaves behind.
fn holds_after(action: &Action, row: Option<&Json>) -> bool {
    let Some(row) = row else { return matches!(action, Action::Release { mode: Mode::Delete, .. }) };
    match action {
        Action::Release { lock, mode: Mode::FenceOff, .. } => {
            row["holder_node"].as_str().is_some_and(|node| node.starts_with(OPERATOR_NODE))
                && row["fence_token"].as_i64() == next_fence(lock)
        }
        Action::Release { lock, mode: Mode::Expire, .. } => {
            row["fence_token"].as_i64() == lock.fence_token && row["is_over"] == 1
        }
        Action::Release { mode: Mode::Delete, .. } => false,
        Action::Restore { former, .. } => row["holder_node"] == *former.holder_node,
        Action::Reroute { to, .. } => row["receiver_agent"] == **to,
        Action::Unclaim { .. } => row["claim_owner"].is_null(),
        Action::Acknowledge { .. } => row["acknowledged"] == 1,
        _ => true,
    }
}

/// Whether the very hold that was to expire has run out by itself, or by another operator.
fn has_run_out(action: &Action, row: &Json) -> bool {
    let Action::Release { lock, mode: Mode::Expire, .. } = action else { return false };
    let same = |name: &str, value: &str| row[name].as_str().is_none_or(|now| now == value);
    same("holder_node", &lock.holder_node) && same("holder_agent", &lock.holder_agent) && holds_after(action, Some(row))
}

/// The fence token that fencing off gives a lock.
fn next_fence(lock: &LockGuard) -> Option<i64> {
    lock.fence_token.and_then(|fence| fence.checked_add(1))
}

fn first_number(rows: Option<&Rows>) -> Option<i64> {
    match rows?.first()?.first()? {
        Value::Integer(n) => Some(*n),
        _ => None,
    }
}

/// The row that a look answered, by the names of its columns.
fn describe(action: &Action, rows: Option<&Rows>) -> Option<Json> {
    let names: &[&str] = match action {
        Action::Release { .. } | Action::Restore { .. } => {
            &["holder_node", "holder_agent", "fence_token", "expires_at_ms", "acquired_at_ms", "is_over"]
        }
        Action::Send { .. } => &["id", "receiver_agent", "acknowledged"],
        _ => &["receiver_agent", "acknowledged", "claim_owner", "claim_until_ms", "delivery_attempts"],
    };
    let row = rows?.first()?;
    let value = |value: &Value| match value {
        Value::Integer(n) => json!(n),
        Value::Real(x) => json!(x),
        Value::Text(text) => json!(text),
        Value::Null | Value::Blob(_) => Json::Null,
    };
    Some(
        names.iter().zip(row).map(|(name, v)| ((*name).to_owned(), value(v))).collect::<serde_json::Map<_, _>>().into(),
    )
}

/// What is true of the thing, for people.
fn sentence(action: &Action, row: Option<&Json>) -> String {
    let Some(row) = row else { return format!("{} is not there", action.subject()) };
    let word = |name: &str| row[name].as_str().map(Text::new).unwrap_or_default();
    match action {
        Action::Release { .. } | Action::Restore { .. } => {
            let until = row["expires_at_ms"].as_i64().map_or_else(|| "unknown".into(), utc);
            format!(
                "held by {}, agent {}, {}, until {until}",
                word("holder_node"),
                word("holder_agent"),
                fence(row["fence_token"].as_i64())
            )
        }
        Action::Send { .. } => format!("message {} waits for agent {}", row["id"], word("receiver_agent")),
        _ if row["acknowledged"] != 0 => format!("acknowledged; it was for agent {}", word("receiver_agent")),
        _ => {
            let claim = match row["claim_owner"].as_str() {
                Some(owner) => format!("claimed by {}", Text::new(owner)),
                None => "unclaimed".into(),
            };
            format!("it waits for agent {}, {claim}", word("receiver_agent"))
        }
    }
}
