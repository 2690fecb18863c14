//! Actions on a Vox database: guard, write, op-log entry and reading back in one exchange.

use libsql::Value;
use serde_json::{Value as Json, json};

use super::audit::{self, Next};
use super::reach::{Open, Reach, WriteError};
use super::script::{Script, script};
use crate::data::action::hand::{Hand, Order, Working, WriteAccess};
use crate::data::action::outcome::Outcome;
use crate::data::action::{Action, Mode, OPERATOR_NODE, fence};
use crate::data::vox::backend::Rows;
use crate::data::vox::schema::Schema;
use crate::text::Text;
use crate::time::{Millis, utc};

/// How often a number that another console took is replaced by the next.
const NUMBERS: u64 = 5;

/// Writes to one database.
pub struct DatabaseHand {
    reach: Reach,
    clock: fn() -> Millis,
}

impl DatabaseHand {
    /// A hand on what `reach` reaches.
    #[must_use]
    pub fn new(reach: Reach, clock: fn() -> Millis, _: WriteAccess) -> Self {
        Self { reach, clock }
    }

    async fn execute_now(&mut self, order: &Order) -> Outcome {
        let clock = self.clock;
        let mut open = match self.reach.open().await {
            Ok(open) => open,
            Err(why) => return Outcome::refused(why),
        };
        let (schema, auditable) = match prepare(&mut open).await {
            Ok(found) => found,
            Err(error) => return not_done(error),
        };
        let script = match script(&order.action, &schema, &operator_node(&order.operator), &order.id) {
            Ok(script) => script,
            Err(why) => return Outcome::refused(why),
        };
        let mut attempt = Attempt { open, order, schema, script, audit: None };
        if auditable {
            let is_there = audit::is_there_sql(order);
            match attempt.open.run(&[&is_there, &audit::last_sql(), &attempt.script.look.clone()]).await {
                Ok(answers) if first_number(answers.first()) == Some(1) => {
                    let after = describe(&order.action, answers.get(2));
                    let mut outcome = Outcome::done("it was done before this attempt").with(None, after);
                    outcome.audited = true;
                    return outcome;
                }
                Ok(answers) => attempt.audit = Some(Next::after(answers.get(1).and_then(|r| r.first()), clock())),
                Err(error) => return not_done(error),
            }
        }
        attempt.run().await
    }

    /// The entry and the action stand in one transaction, so one tells of the other.
    async fn recall_now(&mut self, order: &Order) -> Option<bool> {
        let mut open = self.reach.open().await.ok()?;
        let (_, auditable) = prepare(&mut open).await.ok()?;
        if !auditable {
            return None;
        }
        let answers = open.run(&[&audit::is_there_sql(order)]).await.ok()?;
        Some(first_number(answers.first())? > 0)
    }

    async fn record_now(&mut self, order: &Order) -> Result<(), String> {
        let clock = self.clock;
        let mut open = self.reach.open().await?;
        let plain = |error: WriteError| match error {
            WriteError::Answered(what) | WriteError::ReadOnly(what) | WriteError::Unclear(what) => what,
        };
        let (schema, auditable) = prepare(&mut open).await.map_err(plain)?;
        if !auditable {
            return Err("it has no op-log that entries can be added to".into());
        }
        let is_there = audit::is_there_sql(order);
        let answers = open.run(&[&is_there, &audit::last_sql()]).await.map_err(plain)?;
        if first_number(answers.first()) == Some(1) {
            return Ok(());
        }
        let next = Next::after(answers.get(1).and_then(|r| r.first()), clock());
        for by in 0..NUMBERS {
            let insert = next.another(by).insert(order, &schema, false);
            match open.run(&["BEGIN IMMEDIATE", &insert, "COMMIT", &is_there]).await {
                Ok(answers) if first_number(answers.last()) == Some(1) => return Ok(()),
                Ok(_) => return Err("the entry is not there after it was written".into()),
                Err(WriteError::Answered(what)) if is_taken(&what) => {}
                Err(error) => return Err(plain(error)),
            }
        }
        Err("every number tried was taken by another console".into())
    }
}

impl Hand for DatabaseHand {
    fn execute<'a>(&'a mut self, order: &'a Order) -> Working<'a, Outcome> {
        Box::pin(self.execute_now(order))
    }
    fn record<'a>(&'a mut self, order: &'a Order) -> Working<'a, Result<(), String>> {
        Box::pin(self.record_now(order))
    }
    fn recall<'a>(&'a mut self, order: &'a Order) -> Working<'a, Option<bool>> {
        Box::pin(self.recall_now(order))
    }
}

/// The node that an operator's hold is written under.
fn operator_node(operator: &str) -> String {
    let plain: String = operator.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(40).collect();
    if plain.is_empty() { OPERATOR_NODE.to_owned() } else { format!("{OPERATOR_NODE}/{plain}") }
}

/// What the database has, and whether its op-log takes entries.
async fn prepare(open: &mut Open<'_>) -> Result<(Schema, bool), WriteError> {
    let answers = open.run(&[&Schema::probe_sql()]).await?;
    let schema = Schema::from_rows(answers.first().map_or(&[], Vec::as_slice));
    let auditable = audit::possible(&schema);
    Ok((schema, auditable))
}

struct Attempt<'a> {
    open: Open<'a>,
    order: &'a Order,
    schema: Schema,
    script: Script,
    /// Nothing where the op-log takes no entries.
    audit: Option<Next>,
}

impl Attempt<'_> {
    async fn run(mut self) -> Outcome {
        let mut by = 0;
        loop {
            let entry = self.audit.as_ref().map(|next| next.another(by).insert(self.order, &self.schema, true));
            let mut statements = vec!["BEGIN IMMEDIATE", &self.script.look, &self.script.write, "SELECT changes()"];
            match &entry {
                Some(insert) => statements.extend([insert.as_str(), "SELECT changes()"]),
                None => statements.push("SELECT 0"),
            }
            statements.extend(["COMMIT", &self.script.look]);
            if entry.is_none() {
                // Both forms answer at the same places.
                statements.insert(4, "SELECT 0");
            }
            match self.open.run(&statements).await {
                Ok(answers) => return self.judge(&answers),
                Err(WriteError::Answered(what)) if is_taken(&what) && by < NUMBERS => by += 1,
                // The op-log takes no entry: the action does not wait for that. The journal has it.
                Err(WriteError::Answered(what)) if self.audit.is_some() && !is_busy(&what) => {
                    tracing::warn!(%what, "tried again without an op-log entry");
                    self.audit = None;
                }
                Err(WriteError::Unclear(why)) => return self.read_back(&why).await,
                Err(error) => return not_done(error),
            }
        }
    }

    /// begin, look, write, changes, entry, changes, commit, look
    fn judge(&self, answers: &[Rows]) -> Outcome {
        let before = describe(&self.order.action, answers.get(1));
        let after = describe(&self.order.action, answers.get(7));
        let now = sentence(&self.order.action, after.as_ref());
        let outcome = if first_number(answers.get(3)) == Some(1) {
            let holds = holds_after(&self.order.action, after.as_ref());
            Outcome::done(if holds { now } else { format!("done, but it was changed again at once: {now}") })
        } else if matches!(self.order.action, Action::Tell { .. }) && after.is_some() {
            Outcome::done("it was told before")
        } else {
            Outcome::refused(format!("it is not as it was seen, so nothing was changed: {now}"))
        };
        let audited = first_number(answers.get(5)) == Some(1);
        Outcome { audited, ..outcome.with(before, after) }
    }

    /// After a lost answer: what is true now decides, if it can be read.
    async fn read_back(&mut self, why: &str) -> Outcome {
        let is_there = audit::is_there_sql(self.order);
        let mut statements = vec![self.script.look.as_str()];
        if self.audit.is_some() {
            statements.push(&is_there);
        }
        let Ok(answers) = self.open.run(&statements).await else {
            return Outcome::unknown(format!("{why}, and it could not be read back: it may have been done"));
        };
        let after = describe(&self.order.action, answers.first());
        let now = sentence(&self.order.action, after.as_ref());
        let outcome = match (self.audit.is_some(), first_number(answers.get(1))) {
            (true, Some(1)) => Outcome { audited: true, ..Outcome::done(format!("{now} (read back after: {why})")) },
            (true, _) => Outcome::failed(format!("{why}; read back, it was not done: {now}")),
            (false, _) => Outcome::unknown(format!("{why}; now: {now}")),
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
                && row["fence_token"].as_i64() == lock.fence_token.map(|n| n + 1)
        }
        Action::Release { lock, mode: Mode::Expire, .. } => row["fence_token"].as_i64() == lock.fence_token,
        Action::Release { mode: Mode::Delete, .. } => false,
        Action::Restore { former, .. } => row["holder_node"] == *former.holder_node,
        Action::Reroute { to, .. } => row["receiver_agent"] == **to,
        Action::Unclaim { .. } => row["claim_owner"].is_null(),
        Action::Acknowledge { .. } => row["acknowledged"] == 1,
        _ => true,
    }
}

fn not_done(error: WriteError) -> Outcome {
    match error {
        WriteError::Answered(what) => Outcome::failed(what),
        WriteError::ReadOnly(what) => Outcome::read_only(what),
        // Nothing was sent yet that could change anything.
        WriteError::Unclear(what) => Outcome::failed(what),
    }
}

fn is_taken(what: &str) -> bool {
    what.contains("UNIQUE") && what.contains("operation_id")
}

fn is_busy(what: &str) -> bool {
    what.contains("locked") || what.contains("busy")
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
            &["holder_node", "holder_agent", "fence_token", "expires_at_ms", "acquired_at_ms"]
        }
        Action::Tell { .. } => &["id", "receiver_agent", "acknowledged"],
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
        Action::Tell { .. } => format!("message {} waits for agent {}", row["id"], word("receiver_agent")),
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
