//! The console's action path against a database and agents that do anything at any time, and a line that fails at any
//! exchange: before it, after it was carried out, with the answer lost, or with the console killed. Each schedule follows
//! from a number; a failure names it, and `SIMULATE=<number>` repeats that one alone. `SIMULATE_RUNS` says how many run.

mod support;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use libsql::{Connection, Value};
use lockkeeper::data::action::hand::{Hand, Purpose, Working, WriteAccess};
use lockkeeper::data::action::outcome::Verdict;
use lockkeeper::data::action::{Action, LockGuard, MessageGuard, Mode};
use lockkeeper::data::model::{LockTable, MessageTable};
use lockkeeper::data::source::Identity;
use lockkeeper::data::vox::act;
use lockkeeper::data::vox::act::database::DatabaseHand;
use lockkeeper::data::vox::act::error::{SqlCode, WriteError};
use lockkeeper::data::vox::act::target::{Committed, Exchange, WriteTarget, commit_local, run_local};
use lockkeeper::data::vox::backend::Rows;
use lockkeeper::operate::journal::JournalFile;
use lockkeeper::operate::{Operator, Stop};
use tokio::sync::Notify;

/// Schedules of one run of the tests.
const RUNS: u64 = 100_000;
/// The instant at which each schedule begins.
const BEGIN: i64 = 1_795_237_725_000;

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(BEGIN) };
}

fn clock() -> i64 {
    NOW.get()
}

const SCHEMA: &str = include_str!("../src/demo/schema.sql");

const LOCK: &str =
    "SELECT holder_node, holder_agent, fence_token, expires_at FROM distributed_locks WHERE lock_key = 'k'";
const MESSAGE: &str = "SELECT receiver_agent, acknowledged, claim_owner, claim_until_ms FROM a2a_messages WHERE id = 1";

/// What both things look like.
#[derive(Debug, Clone, PartialEq)]
struct World {
    lock: Option<Vec<Value>>,
    message: Option<Vec<Value>>,
}

/// What a line does to one exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Well,
    /// Refused before anything ran.
    Before,
    Busy,
    /// Lost on its way: nothing ran, and nobody knows.
    LostBefore,
    /// The answer was lost, and it is carried out later, when nobody waits any more.
    Late,
    /// Carried out, and the answer was lost.
    LostAfter,
    /// Carried out, and what was read after it was lost.
    RereadLost,
    KilledBefore,
    KilledAfter,
}

/// What is shared by the consoles of one schedule.
struct Shared {
    random: fastrand::Rng,
    /// How likely an exchange goes wrong, in percent.
    trouble: u8,
    connection: Connection,
    /// Changes that consoles made: the world before and after.
    changes: Vec<(World, World)>,
    /// A transaction that is still on its way.
    late: Option<Vec<String>>,
    killed: Arc<Notify>,
}

struct Line(Arc<Mutex<Shared>>);

impl Shared {
    fn fate(&mut self) -> Fate {
        if self.random.u8(..100) >= self.trouble {
            return Fate::Well;
        }
        let fates = [
            Fate::Before,
            Fate::Busy,
            Fate::LostBefore,
            Fate::Late,
            Fate::LostAfter,
            Fate::RereadLost,
            Fate::KilledBefore,
            Fate::KilledAfter,
        ];
        fates[self.random.usize(..fates.len())]
    }
}

async fn world(connection: &Connection) -> World {
    let mut rows = run_local(connection, &[LOCK, MESSAGE]).await.expect("the world").into_iter();
    let mut first = || rows.next().and_then(|rows: Rows| rows.into_iter().next());
    World { lock: first(), message: first() }
}

/// Never comes back: its process ended.
async fn die(killed: &Notify) -> ! {
    killed.notify_one();
    std::future::pending().await
}

impl Line {
    fn next(&self) -> (Fate, Connection, Arc<Notify>) {
        let mut shared = self.0.lock().unwrap();
        (shared.fate(), shared.connection.clone(), shared.killed.clone())
    }
}

fn refused(fate: Fate) -> Option<WriteError> {
    match fate {
        Fate::Before => Some(WriteError::Rejected { read_only: false, what: "refused".into() }),
        Fate::Busy => Some(WriteError::Sql { step: None, code: SqlCode::Busy, what: "busy".into() }),
        Fate::LostBefore => Some(WriteError::Unknown("lost".into())),
        _ => None,
    }
}

impl Exchange for Line {
    fn read<'a>(&'a mut self, statements: &'a [&'a str]) -> Working<'a, Result<Vec<Rows>, WriteError>> {
        Box::pin(async move {
            agents(&self.0).await;
            let (fate, connection, killed) = self.next();
            if let Some(error) = refused(fate) {
                return Err(error);
            }
            match fate {
                Fate::KilledBefore | Fate::KilledAfter => die(&killed).await,
                Fate::Late | Fate::LostAfter | Fate::RereadLost => Err(WriteError::Unknown("lost".into())),
                _ => run_local(&connection, statements)
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
            agents(&self.0).await;
            let (fate, _, killed) = self.next();
            if let Some(error) = refused(fate) {
                return Err(error);
            }
            if fate == Fate::KilledBefore {
                die(&killed).await;
            }
            if fate == Fate::Late {
                let late = statements.iter().map(|sql| (*sql).to_owned()).collect();
                self.0.lock().unwrap().late = Some(late);
                return Err(WriteError::Unknown("no answer".into()));
            }
            let committed = carry_out(&self.0, statements, reread).await;
            match fate {
                Fate::KilledAfter => die(&killed).await,
                Fate::LostAfter => Err(WriteError::Unknown("lost".into())),
                Fate::RereadLost => committed.map(|committed| Committed { reread: Err("lost".into()), ..committed }),
                _ => committed,
            }
        })
    }
}

/// Carries a transaction out, and notes what changed.
async fn carry_out(shared: &Arc<Mutex<Shared>>, statements: &[&str], reread: &[&str]) -> Result<Committed, WriteError> {
    let connection = shared.lock().unwrap().connection.clone();
    let before = world(&connection).await;
    let committed = commit_local(&connection, statements, reread).await;
    let after = world(&connection).await;
    if before != after {
        shared.lock().unwrap().changes.push((before, after));
    }
    committed
}

/// What was still on its way arrives.
async fn arrive(shared: &Arc<Mutex<Shared>>) {
    let late = shared.lock().unwrap().late.take();
    if let Some(statements) = late {
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        // Nobody waits for what it answers.
        let _ = carry_out(shared, &statements, &[]).await;
    }
}

/// Agents go on whatever the console does.
async fn agents(shared: &Arc<Mutex<Shared>>) {
    let (connection, does) = {
        let mut shared = shared.lock().unwrap();
        (shared.connection.clone(), shared.random.u8(..24))
    };
    let sql = match does {
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
        _ => return,
    };
    connection.execute(sql, ()).await.expect("an agent's statement");
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

/// What an operator decides on what is there now.
fn decide(world: &World, random: &mut fastrand::Rng) -> Option<Action> {
    if random.bool() {
        let row = world.lock.as_ref()?;
        let expires_at_ms = lockkeeper::time::parse_sqlite(&text(&row[3]));
        // What has run out runs out anew without a change to be seen.
        let over = expires_at_ms.is_none_or(|at| at <= lockkeeper::clock::wall_clock());
        let mode = match random.u8(..3) {
            0 if !over => Mode::Expire,
            1 => Mode::Delete,
            _ => Mode::FenceOff,
        };
        let lock = LockGuard {
            table: LockTable::Distributed,
            lock_key: "k".into(),
            repository_id: "r".into(),
            holder_node: text(&row[0]),
            holder_agent: text(&row[1]),
            fence_token: number(&row[2]),
            acquired_at_ms: None,
            expires_at_ms,
            expires_at: None,
            token: None,
        };
        return Some(Action::Release { lock, mode, hold_ms: 5_000 });
    }
    let row = world.message.as_ref()?;
    let message = MessageGuard {
        table: MessageTable::A2a,
        id: 1,
        sender: "9".into(),
        receiver: text(&row[0]),
        msg_type: "plan_handoff".into(),
        created_at_ms: None,
        claim_owner: (row[2] != Value::Null).then(|| text(&row[2])),
        claim_until_ms: number(&row[3]),
    };
    Some(match random.u8(..3) {
        0 => {
            let to = if message.receiver == "4" { "5" } else { "4" };
            Action::Reroute { message, to: to.into() }
        }
        1 => Action::Unclaim { message },
        _ => Action::Acknowledge { message },
    })
}

fn operator(shared: &Arc<Mutex<Shared>>, journal: PathBuf) -> Operator {
    let access = WriteAccess::decide(Purpose::Act, false).unwrap();
    let hand = DatabaseHand::new(WriteTarget::Through(Box::new(Line(shared.clone()))), clock, access);
    let identity = Identity {
        system: "Vox",
        name: "db".into(),
        kind: "database",
        place: "here".into(),
        how: "simulated",
        provides: &[],
        why_empty: &[],
        can: act::DATABASE,
        cannot: None,
    };
    let hands: Vec<(lockkeeper::text::Text, Box<dyn Hand>)> = vec![("db".into(), Box::new(hand))];
    Operator::new(hands, &[identity], JournalFile::new(journal), access, "ada".into(), "m".into(), clock)
}

/// Whether an action may be what led from one world to the next.
fn explains(action: &Action, before: &World, after: &World) -> bool {
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
        _ => false,
    }
}

/// One schedule: a few decisions, whatever befalls them, restarts, and recovery once the line is well.
async fn schedule(seed: u64, connection: &Connection, journal: &std::path::Path) -> Result<(), String> {
    NOW.set(BEGIN);
    let reset = "DELETE FROM distributed_locks; DELETE FROM a2a_messages; DELETE FROM agent_oplog;
        INSERT INTO distributed_locks VALUES ('k', 'n', '1', 7, datetime('now'), datetime('now', '+1 hour'), 'r');
        INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id)
            VALUES (1, 'u', '9', '3', 'plan_handoff', '{}', 'r');";
    connection.execute_batch(reset).await.expect("a fresh world");
    let _ = std::fs::remove_file(journal);
    let mut random = fastrand::Rng::with_seed(seed);
    let trouble = [0, 20, 45][random.usize(..3)];
    let killed = Arc::new(Notify::new());
    let shared = Arc::new(Mutex::new(Shared {
        random: random.fork(),
        trouble,
        connection: connection.clone(),
        changes: Vec::new(),
        late: None,
        killed: killed.clone(),
    }));
    let mut console = operator(&shared, journal.to_owned());
    let mut decided: Vec<(Action, Option<Verdict>)> = Vec::new();
    for _ in 0..random.usize(1..3) {
        let seen = world(connection).await;
        agents(&shared).await;
        let Some(action) = decide(&seen, &mut random) else { continue };
        let changed = shared.lock().unwrap().changes.len();
        let plan = support::one_step(action.clone());
        let stop = Stop::default();
        let ended = tokio::select! {
            outcomes = console.run(&plan, "", &stop, |_| {}) => Some(outcomes[0].verdict),
            () = killed.notified() => None,
        };
        arrive(&shared).await;
        let made: Vec<(World, World)> = shared.lock().unwrap().changes[changed..].to_vec();
        if made.len() > 1 || made.iter().any(|(before, after)| !explains(&action, before, after)) {
            return Err(format!("{action:?} led to {made:?}"));
        }
        let applied = !made.is_empty();
        match ended {
            Some(Verdict::Done) if !applied => return Err(format!("{action:?} is called done and was not")),
            Some(verdict @ (Verdict::Failed | Verdict::Refused | Verdict::ReadOnly | Verdict::Skipped)) if applied => {
                return Err(format!("{action:?} is called {verdict} and was done"));
            }
            Some(_) => {}
            None => {
                NOW.set(NOW.get() + 3_600_000);
                console = operator(&shared, journal.to_owned());
            }
        }
        decided.push((action, ended));
        NOW.set(NOW.get() + 1_000);
    }
    // The line is well again: whoever asks now learns what can be known.
    shared.lock().unwrap().trouble = 0;
    NOW.set(NOW.get() + 3_600_000);
    let mut later = operator(&shared, journal.to_owned());
    later.recover().await;
    let (entries, torn) = JournalFile::new(journal.to_owned()).entries().map_err(|e| e.to_string())?;
    if torn > 0 || entries.len() < shared.lock().unwrap().changes.len() {
        return Err(format!(
            "{} changes, and {} attempts in the journal",
            shared.lock().unwrap().changes.len(),
            entries.len()
        ));
    }
    let log = "SELECT count(*), count(DISTINCT operation_id) FROM agent_oplog";
    let rows = run_local(connection, &[log]).await.expect("the op-log");
    let logged = number(&rows[0][0][0]).unwrap_or(-1);
    let changes = i64::try_from(shared.lock().unwrap().changes.len()).unwrap();
    if logged != changes {
        return Err(format!("{changes} changes, and {logged} entries in the op-log; {decided:?}"));
    }
    let done = entries.iter().filter(|entry| entry.verdict == Some(Verdict::Done)).count();
    if i64::try_from(done).unwrap() > changes {
        return Err(format!("{done} attempts are called done, and {changes} things changed; {decided:?}"));
    }
    Ok(())
}

fn simulate(from: u64, to: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = libsql::Builder::new_local(":memory:").build().await.unwrap();
        let connection = database.connect().unwrap();
        connection.execute_batch(SCHEMA).await.unwrap();
        // Flushing to memory costs nothing.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let journal = folder.path().join("journal.jsonl");
        for seed in from..to {
            if let Err(why) = schedule(seed, &connection, &journal).await {
                panic!("schedule {seed}: {why}; repeat it with SIMULATE={seed}");
            }
        }
    });
}

/// A1, A2, B2, B3: no word that is not so, and no entry without proof.
#[test]
fn whatever_fails_what_is_said_is_so() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("SIMULATE") {
        return simulate(seed, seed + 1);
    }
    let (runs, threads) = (number("SIMULATE_RUNS").unwrap_or(RUNS), 2);
    let share = runs.div_ceil(threads);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|n| scope.spawn(move || simulate(n * share, (n + 1) * share))).collect();
        for one in all {
            one.join().expect("a schedule held");
        }
    });
}
