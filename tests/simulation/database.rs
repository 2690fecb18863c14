//! Consoles that act on a database.

use std::path::Path;
use std::sync::{Arc, Mutex};

use libsql::{Connection, Value};
use lockkeeper::action::executor::{Executor, Purpose, Working, WriteAccess};
use lockkeeper::action::plan::{Intent, Plan, Policy, plan};
use lockkeeper::action::run::journal::JournalFile;
use lockkeeper::action::run::{Operator, Stop};
use lockkeeper::data::vox::act;
use lockkeeper::data::vox::act::database::DatabaseExecutor;
use lockkeeper::data::vox::act::error::{SqlCode, WriteError};
use lockkeeper::data::vox::act::target::{Committed, Exchange, WriteTarget, commit_local, run_local};
use lockkeeper::data::vox::backend::Rows;
use lockkeeper::mesh::derive::locks::LockState;
use lockkeeper::mesh::derive::{Snapshot, Thresholds, derive};
use lockkeeper::mesh::{MeshState, facts};
use lockkeeper::model::action::{Action, Mode};
use lockkeeper::model::journal::Entry;
use lockkeeper::model::observation::{Change, Observation};
use lockkeeper::model::outcome::{Outcome, OutcomeKind};
use lockkeeper::model::report::Report;
use lockkeeper::model::source::Identity;
use lockkeeper::model::text::Text;
use lockkeeper::model::{Lock, LockTable, Message, MessageTable};

use crate::course::{Course, Fate};
use crate::{clock, pass};

const SCHEMA: &str = include_str!("../../src/demo/vox/schema.sql");

const LOCK: &str =
    "SELECT holder_node, holder_agent, fence_token, expires_at FROM distributed_locks WHERE lock_key = 'k'";
const MESSAGE: &str = "SELECT receiver_agent, acknowledged, claim_owner, claim_until_ms FROM a2a_messages WHERE id = 1";

/// What both things look like.
#[derive(Debug, Clone, PartialEq)]
struct World {
    lock: Option<Vec<Value>>,
    message: Option<Vec<Value>>,
}

/// A change that a console made.
#[derive(Debug, Clone)]
struct Made {
    console: usize,
    before: World,
    after: World,
}

/// What the consoles of one schedule share.
struct Place {
    course: Course,
    connection: Connection,
    made: Mutex<Vec<Made>>,
    /// Transactions that are still on their way.
    late: Mutex<Vec<(usize, Vec<String>)>>,
}

/// One console's line to it.
struct Line {
    console: usize,
    place: Arc<Place>,
}

/// An empty database.
pub async fn open() -> Connection {
    let database = libsql::Builder::new_local(":memory:").build().await.unwrap();
    let connection = database.connect().unwrap();
    connection.execute_batch(SCHEMA).await.unwrap();
    connection
}

async fn world(connection: &Connection) -> World {
    let mut rows = run_local(connection, &[LOCK, MESSAGE]).await.expect("the world").into_iter();
    let mut first = || rows.next().and_then(|rows: Rows| rows.into_iter().next());
    World { lock: first(), message: first() }
}

fn refused(fate: Fate) -> Option<WriteError> {
    match fate {
        Fate::Before => Some(WriteError::Rejected { read_only: false, what: "refused".into() }),
        Fate::Busy => Some(WriteError::Sql { step: None, code: SqlCode::Busy, what: "busy".into() }),
        Fate::LostBefore => Some(WriteError::Unknown("lost".into())),
        _ => None,
    }
}

impl Line {
    /// Waits for its turn, while agents go on.
    async fn turn(&self) -> Fate {
        let fate = self.place.course.turn(self.console).await;
        self.place.agents().await;
        fate
    }
}

impl Exchange for Line {
    fn read<'a>(&'a mut self, statements: &'a [&'a str]) -> Working<'a, Result<Vec<Rows>, WriteError>> {
        Box::pin(async move {
            let fate = self.turn().await;
            if let Some(error) = refused(fate) {
                return Err(error);
            }
            match fate {
                Fate::KilledBefore | Fate::KilledAfter => self.place.course.die(self.console).await,
                Fate::Late | Fate::LostAfter | Fate::RereadLost => Err(WriteError::Unknown("lost".into())),
                _ => run_local(&self.place.connection, statements)
                    .await
                    .map_err(|(_, error)| WriteError::Unknown(error.to_string())),
            }
        })
    }

    fn commit<'a>(
        &'a mut self,
        statements: &'a [&'a str],
        reread: &'a [&'a str],
    ) -> Working<'a, Result<Committed, WriteError>> {
        Box::pin(async move {
            let fate = self.turn().await;
            if let Some(error) = refused(fate) {
                return Err(error);
            }
            if fate == Fate::KilledBefore {
                self.place.course.die(self.console).await;
            }
            if fate == Fate::Late {
                let late = statements.iter().map(|sql| (*sql).to_owned()).collect();
                self.place.late.lock().unwrap().push((self.console, late));
                return Err(WriteError::Unknown("no answer".into()));
            }
            let committed = self.place.carry_out(self.console, statements, reread).await;
            match fate {
                Fate::KilledAfter => self.place.course.die(self.console).await,
                Fate::LostAfter => Err(WriteError::Unknown("lost".into())),
                Fate::RereadLost => committed.map(|committed| Committed { reread: Err("lost".into()), ..committed }),
                _ => committed,
            }
        })
    }
}

impl Place {
    /// Carries a transaction out, and notes what changed.
    async fn carry_out(&self, console: usize, statements: &[&str], reread: &[&str]) -> Result<Committed, WriteError> {
        let before = world(&self.connection).await;
        let committed = commit_local(&self.connection, statements, reread).await;
        let after = world(&self.connection).await;
        if before != after {
            self.made.lock().unwrap().push(Made { console, before, after });
        }
        committed
    }

    /// What was still on its way arrives.
    async fn arrive(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        for (console, statements) in late {
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            // Nobody waits for what it answers.
            let _ = self.carry_out(console, &statements, &[]).await;
        }
    }

    /// Agents go on whatever the consoles do.
    async fn agents(&self) {
        let sql = match self.course.draw(24) {
            0 => {
                "UPDATE distributed_locks SET fence_token = fence_token + 1, expires_at = datetime('now', '+2 hours') WHERE lock_key = 'k' AND holder_node = 'n'"
            }
            1 => "DELETE FROM distributed_locks WHERE lock_key = 'k'",
            2 => {
                "UPDATE distributed_locks SET fence_token = fence_token + 1, holder_node = 'other', holder_agent = '8' WHERE lock_key = 'k' AND holder_node = 'n'"
            }
            3 => {
                "INSERT OR IGNORE INTO distributed_locks VALUES ('k', 'n', '1', 1, datetime('now'), datetime('now', '+1 hour'), 'r')"
            }
            4 => "UPDATE a2a_messages SET acknowledged = 1 WHERE id = 1",
            5 => {
                "UPDATE a2a_messages SET claim_owner = 'n:1', claim_until_ms = coalesce(claim_until_ms, 0) + 7 WHERE id = 1"
            }
            6 => return self.arrive().await,
            _ => return,
        };
        self.connection.execute(sql, ()).await.expect("an agent's statement");
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(n) => n.to_string(),
        other => format!("{other:?}"),
    }
}

fn number(value: &Value) -> Option<i64> {
    if let Value::Integer(n) = value { Some(*n) } else { None }
}

fn maybe(value: &Value) -> Option<Text> {
    (*value != Value::Null).then(|| text(value).as_str().into())
}

/// What a console sees, with its own journal.
fn snapshot(world: &World, journal: &[Entry]) -> Snapshot {
    let locks = world.lock.iter().map(|row| Lock {
        table: LockTable::Distributed,
        lock_key: "k".into(),
        repository_id: "r".into(),
        holder_node: text(&row[0]).as_str().into(),
        holder_agent: text(&row[1]).as_str().into(),
        fence_token: number(&row[2]),
        expires_at_ms: lockkeeper::model::time::parse_sqlite(&text(&row[3])),
        ..Lock::default()
    });
    let message = |id: i64, to: &str, row: Option<&Vec<Value>>| Message {
        table: MessageTable::A2a,
        id,
        sender_agent: "9".into(),
        receiver_agent: to.into(),
        msg_type: "plan_handoff".into(),
        acknowledged: row.is_some_and(|row| number(&row[1]) != Some(0)),
        repository_id: "r".into(),
        claim_owner: row.and_then(|row| maybe(&row[2])),
        claim_until_ms: row.and_then(|row| number(&row[3])),
        ..Default::default()
    };
    let of_row = |row: &Vec<Value>| message(1, &text(&row[0]), Some(row));
    // The others are how the agents are known that it may be given to.
    let messages = world.message.iter().map(of_row).chain([message(2, "4", None), message(3, "5", None)]);
    let changes = vec![
        Change::Locks(LockTable::Distributed, locks.collect()),
        Change::LiveMessages(MessageTable::A2a, messages.collect()),
    ];
    let now = lockkeeper::clock::wall_clock();
    let observation = Box::new(Observation { changes, ..Observation::default() });
    let mut watch = MeshState::new("m".into(), vec![identity()], facts::WINDOW);
    watch.apply(Report::Observed { source: 0, at_ms: now, observation });
    watch.mesh.journal = journal.to_vec().into();
    derive(&watch, now, &Thresholds::default(), 1_000)
}

/// What an operator decides on what is there now, as the planner makes it.
fn decide(world: &World, journal: &[Entry], random: &mut fastrand::Rng) -> Option<Plan> {
    let snapshot = snapshot(world, journal);
    let locks: Vec<String> = snapshot.holds().map(|lock| lock.key()).collect();
    let expired = snapshot.holds().any(|lock| lock.state == LockState::Expired);
    let messages: Vec<String> =
        snapshot.messages.iter().filter(|view| view.message.id == 1).map(|view| view.key()).collect();
    let intent = match random.u8(..8) {
        0..3 => {
            // What has run out runs out anew without a change to be seen.
            let mode = match random.u8(..3) {
                0 if !expired => Mode::Expire,
                1 => Mode::Delete,
                _ => Mode::FenceOff,
            };
            Intent::Release { locks, mode: Some(mode), notify_holder: random.bool(), notify_next: false }
        }
        3 => Intent::Restore { locks },
        4 => Intent::Unclaim { messages },
        5 => Intent::Acknowledge { messages },
        _ => Intent::Reroute { messages, to: Some(["4", "5"][random.usize(..2)].into()) },
    };
    plan(&intent, &snapshot, &Policy::default()).ok()
}

fn identity() -> Identity {
    Identity {
        system: "Vox",
        name: "db".into(),
        kind: "database",
        place: "here".into(),
        how: "simulated",
        provides: &[],
        rules: &[],
        why_empty: &[],
        can: act::DATABASE,
        cannot: None,
    }
}

fn operator(console: usize, place: &Arc<Place>, journal: &Path) -> Operator {
    let access = WriteAccess::decide(Purpose::Act, false).unwrap();
    let line = Line { console, place: place.clone() };
    let executor = DatabaseExecutor::new(WriteTarget::Through(Box::new(line)), clock, access);
    let executors: Vec<(Text, Box<dyn Executor>)> = vec![("db".into(), Box::new(executor))];
    let journal = JournalFile::new(journal.to_owned());
    Operator::new(executors, &[identity()], journal, access, "ada".into(), "m".into(), clock)
}

/// Whether an action may be what led from one world to the next.
fn explains(action: &Action, Made { before, after, .. }: &Made) -> bool {
    match action {
        Action::Release { lock, .. } => before.lock.as_ref().is_some_and(|row| {
            text(&row[0]) == lock.holder_node
                && text(&row[1]) == lock.holder_agent
                && number(&row[2]) == lock.fence_token
                && before.message == after.message
        }),
        Action::Reroute { message, .. } | Action::Unclaim { message } | Action::Acknowledge { message } => {
            before.message.as_ref().is_some_and(|row| {
                text(&row[0]) == message.receiver
                    && number(&row[1]) == Some(0)
                    && (row[2] != Value::Null).then(|| text(&row[2])) == message.claim_owner
                    && number(&row[3]) == message.claim_until_ms
                    && before.lock == after.lock
            })
        }
        Action::Restore { lock, former } => {
            before.lock.as_ref().zip(after.lock.as_ref()).is_some_and(|(held, given)| {
                text(&held[0]) == lock.holder_node
                    && number(&held[2]) == lock.fence_token
                    && text(&given[0]) == former.holder_node
                    && text(&given[1]) == former.holder_agent
                    && number(&given[2]) > number(&held[2])
            })
        }
        _ => false,
    }
}

/// Whether what was printed of each step is what became of it. Letters change nothing else, and are counted at the end.
fn holds(plan: &Plan, made: &[Made], printed: Option<&Vec<Outcome>>) -> Result<(), String> {
    let acts = plan.steps.iter().zip(0..).filter(|(step, _)| !matches!(step.action, Action::Send { .. }));
    let mut unexplained = made.len();
    for (step, at) in acts {
        let mine = made.iter().filter(|made| explains(&step.action, made)).count();
        unexplained = unexplained.saturating_sub(mine);
        let (applied, kind) = (mine > 0, printed.and_then(|all| all.get(at)).map(|outcome| outcome.kind));
        match kind {
            _ if mine > 1 => return Err(format!("{:?} was done {mine} times: {made:?}", step.action)),
            Some(OutcomeKind::Done) if !applied => return Err(format!("{:?} is called done and was not", step.action)),
            Some(
                kind @ (OutcomeKind::Failed | OutcomeKind::Refused | OutcomeKind::ReadOnly | OutcomeKind::Skipped),
            ) if applied => {
                return Err(format!("{:?} is called {kind} and was done", step.action));
            }
            _ => {}
        }
    }
    if unexplained > 0 { Err(format!("{plan:?} led to {made:?}")) } else { Ok(()) }
}

/// One schedule: a few decisions of one or two consoles, whatever befalls them, restarts, and recovery once the line is
/// well.
pub async fn schedule(seed: u64, connection: &Connection, folder: &Path) -> Result<(), String> {
    let reset = "DELETE FROM distributed_locks; DELETE FROM a2a_messages; DELETE FROM agent_oplog;
        INSERT INTO distributed_locks VALUES ('k', 'n', '1', 7, datetime('now'), datetime('now', '+1 hour'), 'r');
        INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id)
            VALUES (1, 'u', '9', '3', 'plan_handoff', '{}', 'r');";
    connection.execute_batch(reset).await.expect("a fresh world");
    let mut random = fastrand::Rng::with_seed(seed);
    let consoles = 1 + usize::from(random.bool());
    // Two of one machine share a journal; two of different machines do not.
    let journals = if random.bool() { 1 } else { consoles };
    let journals: Vec<_> = (0..journals).map(|n| folder.join(format!("journal-{n}.jsonl"))).collect();
    for journal in &journals {
        let _ = std::fs::remove_file(journal);
    }
    let journal_of = |console: usize| &journals[console % journals.len()];
    let course = Course::new(random.fork(), consoles);
    let (made, late) = (Mutex::default(), Mutex::default());
    let place = Arc::new(Place { course: course.clone(), connection: connection.clone(), made, late });
    let mut all: Vec<Operator> = (0..consoles).map(|console| operator(console, &place, journal_of(console))).collect();
    for _ in 0..random.usize(1..3) {
        let seen = world(connection).await;
        place.agents().await;
        let plans: Vec<Option<Plan>> = (0..consoles)
            .map(|console| {
                let journal = JournalFile::new(journal_of(console).clone());
                decide(&seen, &journal.entries().expect("the journal").0, &mut random)
            })
            .collect();
        let before = place.made.lock().unwrap().len();
        let stop = Stop::default();
        let acting = all.iter_mut().zip(&plans).enumerate().filter_map(|(console, (operator, plan))| {
            let (plan, stop) = (plan.as_ref()?, &stop);
            Some((console, async move { operator.run(plan, "", stop, |_| {}).await }))
        });
        let mut printed = course.run(acting).await.into_iter();
        place.arrive().await;
        let made: Vec<Made> = place.made.lock().unwrap()[before..].to_vec();
        for (console, plan) in plans.iter().enumerate() {
            let Some(plan) = plan else { continue };
            let printed = printed.next().expect("an answer of each");
            let mine: Vec<Made> = made.iter().filter(|made| made.console == console).cloned().collect();
            holds(plan, &mine, printed.as_ref())?;
            if printed.is_none() {
                all[console] = operator(console, &place, journal_of(console));
            }
        }
        pass(if random.u8(..4) == 0 { 3_600_000 } else { 1_000 });
    }
    // The line is well again: whoever asks now learns what can be known.
    course.calm();
    pass(3_600_000);
    for journal in &journals {
        let mut later = operator(0, &place, journal);
        course.run([(0, later.recover())]).await;
    }
    evaluate(&place, &journals).await
}

/// Everything that changed has an attempt in a journal and an entry in the op-log, and no entry is of what did not.
async fn evaluate(place: &Place, journals: &[std::path::PathBuf]) -> Result<(), String> {
    let changes = place.made.lock().unwrap().len();
    let mut attempts = Vec::new();
    for journal in journals {
        let (entries, torn) = JournalFile::new(journal.clone()).entries().map_err(|e| e.to_string())?;
        if torn > 0 {
            return Err(format!("{torn} lines of a journal are torn"));
        }
        attempts.extend(entries);
    }
    if attempts.len() < changes {
        return Err(format!("{changes} changes, and {} attempts in the journals", attempts.len()));
    }
    let log = "SELECT count(*), count(DISTINCT operation_id) FROM agent_oplog";
    let outbounds = "SELECT count(*), count(DISTINCT message_uuid) FROM a2a_messages WHERE sender_agent = '0'";
    let rows = run_local(&place.connection, &[log, outbounds]).await.expect("the op-log");
    let counted = |rows: &Rows| rows[0].iter().filter_map(number).filter_map(|n| usize::try_from(n).ok()).collect();
    let [logged, told]: [Vec<usize>; 2] = [counted(&rows[0]), counted(&rows[1])];
    let changes = changes + told[0];
    if logged != [changes, changes] {
        return Err(format!("{changes} changes, and {logged:?} entries in the op-log; {attempts:?}"));
    }
    let done = attempts.iter().filter(|entry| entry.kind == Some(OutcomeKind::Done)).count();
    if done > changes {
        return Err(format!("{done} attempts are called done, and {changes} things changed; {attempts:?}"));
    }
    Ok(())
}
