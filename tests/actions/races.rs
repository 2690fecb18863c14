//! The console against agents that renew, release, take over, claim and acknowledge all the time, in one real
//! database shared by processes: as a file, and through a Hrana server.

use crate::support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use libsql::{Connection, params};
use lockkeeper::action::executor::{Purpose, WriteAccess};
use lockkeeper::action::run::journal::JournalFile;
use lockkeeper::action::run::{Operator, Stop};
use lockkeeper::clock::wall_clock;
use lockkeeper::config::address::Address;
use lockkeeper::config::token::Token;
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::act;
use lockkeeper::data::vox::act::database::DatabaseExecutor;
use lockkeeper::data::vox::act::target::WriteTarget;
use lockkeeper::data::vox::hrana::Client;
use lockkeeper::model::action::{Action, LockGuard, MessageGuard, Mode};
use lockkeeper::model::outcome::{Outcome, OutcomeKind};
use lockkeeper::model::source::Identity;
use lockkeeper::model::{LockTable, MessageTable};
use support::{Deadline, Peer};

/// Every change of a lock or a message, and every op-log entry, in the order in which they were committed.
const TRACE: &str = "
    CREATE TABLE trace (n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT, thing TEXT, old_fence, new_fence, node TEXT, note TEXT);
    CREATE TRIGGER lock_changed AFTER UPDATE ON distributed_locks BEGIN
        INSERT INTO trace (what, thing, old_fence, new_fence, node) VALUES
        ('update', OLD.lock_key, OLD.fence_token, NEW.fence_token, OLD.holder_node); END;
    CREATE TRIGGER lock_gone AFTER DELETE ON distributed_locks BEGIN
        INSERT INTO trace (what, thing, old_fence, node) VALUES ('delete', OLD.lock_key, OLD.fence_token, OLD.holder_node); END;
    CREATE TRIGGER message_changed AFTER UPDATE ON a2a_messages BEGIN
        INSERT INTO trace (what, thing, old_fence, new_fence, node, note) VALUES
        (CASE WHEN NEW.acknowledged > OLD.acknowledged THEN 'ack' WHEN NEW.receiver_agent <> OLD.receiver_agent THEN 'move' ELSE 'claim' END,
         OLD.id, OLD.acknowledged, NEW.acknowledged, OLD.receiver_agent, NEW.receiver_agent); END;
    CREATE TRIGGER logged AFTER INSERT ON agent_oplog BEGIN
        INSERT INTO trace (what, thing, note) VALUES ('log', NEW.operation_id, NEW.description); END;";

struct Arena {
    folder: tempfile::TempDir,
    path: PathBuf,
    connection: Connection,
    operator: Operator,
    /// The Hrana server, where the console goes through one.
    _server: Option<Peer>,
}

impl Arena {
    async fn open(remote: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!("PRAGMA journal_mode = WAL; {}{TRACE}", lockkeeper::demo::vox::write::SCHEMA);
        let path = support::database(folder.path(), &sql).await;
        let connection = connect(&path).await;
        let (target, server) = if remote {
            std::fs::write(folder.path().join("token"), "t\n").unwrap();
            let mut server = Peer::start(&["hrana", path.to_str().unwrap(), "t"]);
            let url = server.line();
            let token = Some(Token::File(folder.path().join("token")));
            let address = Address::of_database(&url).unwrap();
            let client = Client::new(&address, Tls::default(), 4 << 20).for_writing();
            (WriteTarget::Remote { client, token, timeout: Duration::from_secs(20) }, Some(server))
        } else {
            (WriteTarget::File { path: path.clone(), direct: true, max_copy: 1 << 30 }, None)
        };
        let access = WriteAccess::decide(Purpose::Act, false).unwrap();
        let executor = DatabaseExecutor::new(target, wall_clock, access);
        let identity = Identity {
            system: "Vox",
            name: "db".into(),
            kind: "database",
            place: "here".into(),
            how: "direct",
            provides: &[],
            rules: &[],
            why_empty: &[],
            can: act::DATABASE,
            cannot: None,
        };
        let journal = JournalFile::new(folder.path().join("journal.jsonl"));
        let operator = Operator::new(
            vec![("db".into(), Box::new(executor))],
            &[identity],
            journal,
            access,
            "ada".into(),
            "m".into(),
            wall_clock,
        );
        Self { folder, path, connection, operator, _server: server }
    }

    fn peer(&self, arguments: &[&str]) -> Peer {
        let [part, rest @ ..] = arguments else { unreachable!() };
        let mut peer = Peer::start(&[&[*part, self.path.to_str().unwrap()], rest].concat());
        peer.line();
        peer
    }

    async fn run(&mut self, action: Action) -> Outcome {
        let plan = support::one_step(action);
        self.operator.run(&plan, "", &Stop::default(), |_| {}).await.remove(0)
    }

    async fn rows(&self, sql: &str) -> Vec<Vec<libsql::Value>> {
        let mut rows = self.connection.query(sql, ()).await.unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            all.push((0..row.column_count()).map(|i| row.get_value(i).unwrap()).collect());
        }
        all
    }

    async fn number(&self, sql: &str) -> i64 {
        match self.rows(sql).await[0][0] {
            libsql::Value::Integer(n) => n,
            ref other => panic!("{other:?}"),
        }
    }

    /// Every attempt has its two lines, and every done one its op-log entry.
    async fn check_journal(&self, attempts: usize, done: usize) {
        let journal = JournalFile::new(self.folder.path().join("journal.jsonl"));
        let text = std::fs::read_to_string(journal.path()).unwrap();
        let count = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        let (begun, ended) = (count("\"event\":\"intent\""), count("\"event\":\"outcome\""));
        assert_eq!((begun, ended), (attempts, attempts), "an intent and an outcome for each attempt");
        let ends = count("\"verdict\":\"done\"");
        assert_eq!(ends, done);
        assert_eq!(self.number("SELECT count(*) FROM agent_oplog").await, i64::try_from(done).unwrap());
    }
}

async fn connect(path: &Path) -> Connection {
    let database = libsql::Builder::new_local(path).build().await.unwrap();
    let connection = database.connect().unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

fn text(value: &libsql::Value) -> String {
    match value {
        libsql::Value::Text(text) => text.clone(),
        libsql::Value::Integer(n) => n.to_string(),
        _ => String::new(),
    }
}

fn int(value: &libsql::Value) -> Option<i64> {
    if let libsql::Value::Integer(n) = value { Some(*n) } else { None }
}

async fn locks_race(remote: bool, rounds: usize) {
    let mut arena = Arena::open(remote).await;
    let mut holders: Vec<Peer> =
        [("a", "1"), ("b", "2"), ("c", "3")].map(|(node, seed)| arena.peer(&["holder", node, seed])).into();
    let mut chance = fastrand::Rng::with_seed(11);
    let (mut done, mut refused) = (0, 0);
    let mut attempts = 0;
    let deadline = Deadline::new();
    while attempts < rounds {
        deadline.check("as many rounds");
        let sql = "SELECT lock_key, holder_node, holder_agent, fence_token, \
                   CAST(round((julianday(expires_at) - 2440587.5) * 86400000.0) AS INTEGER) FROM distributed_locks";
        let rows = arena.rows(sql).await;
        let Some(row) = chance.choice(rows.iter()) else { continue };
        let lock = LockGuard {
            table: LockTable::Distributed,
            lock_key: text(&row[0]),
            repository_id: "r".into(),
            holder_node: text(&row[1]),
            holder_agent: text(&row[2]),
            fence_token: int(&row[3]),
            acquired_at_ms: None,
            expires_at_ms: int(&row[4]),
            expires_at: None,
            token: None,
        };
        if lock.holder_node.starts_with("lockkeeper") {
            tokio::time::sleep(Duration::from_micros(200)).await;
            continue;
        }
        if chance.bool() {
            tokio::time::sleep(Duration::from_micros(chance.u64(0..2_000))).await;
        }
        let mode = [Mode::FenceOff, Mode::Expire, Mode::Delete][chance.usize(0..3)];
        attempts += 1;
        let outcome = arena.run(Action::Release { lock, mode, hold_ms: 1_000 }).await;
        match outcome.kind {
            OutcomeKind::Done => {
                assert!(outcome.audited, "{outcome:?}");
                done += 1;
            }
            OutcomeKind::Refused => refused += 1,
            // It ran out before it was released: nothing was written.
            OutcomeKind::Already => assert!(!outcome.audited, "{outcome:?}"),
            _ => panic!("{outcome:?}"),
        }
    }
    for holder in &mut holders {
        assert!(holder.finish().ends_with("turns"));
    }
    assert!(done >= 20 && refused > 0, "{done} done, {refused} refused: both were met");
    arena.check_journal(attempts, done).await;

    // What the console changed stands right before its op-log entry, and is what its preview printed.
    let trace = arena.rows("SELECT what, thing, old_fence, new_fence, node, note FROM trace ORDER BY n").await;
    let mut seen = 0;
    for (i, row) in trace.iter().enumerate().filter(|(_, row)| text(&row[0]) == "log") {
        let (change, note) = (&trace[i - 1], text(&row[5]));
        let printed = format!("{}, held by {} (fence {})", text(&change[1]), text(&change[4]), text(&change[2]));
        assert!(note.contains(&printed), "{note}, but it changed {printed}");
        let raised = int(&change[3]) > int(&change[2]);
        assert_eq!(note.contains("fence off"), raised, "{note}");
        assert_eq!(note.contains("delete file"), text(&change[0]) == "delete", "{note}");
        seen += 1;
    }
    assert_eq!(seen, done);
    let broken = chain_states(&arena).await;
    assert!(broken.is_empty(), "{broken:?}");
}

/// Every entry verifies by the contract's rule: the hash of the one before it, in lowercase hexadecimal.
async fn chain_states(arena: &Arena) -> Vec<String> {
    use lockkeeper::model::chain::{link, operation_number};
    let rows = arena
        .rows("SELECT operation_id, timestamp_ms, predecessor_hash, agent_id, kind FROM agent_oplog ORDER BY id")
        .await;
    let mut wrong = Vec::new();
    let mut before: Option<String> = None;
    for row in &rows {
        let id = text(&row[0]);
        let number = operation_number(&id).expect("OP- and a decimal number");
        let hash = if let libsql::Value::Text(hash) = &row[2] { Some(hash.clone()) } else { None };
        if hash != before {
            wrong.push(id);
        }
        before = Some(link(number, int(&row[1]).unwrap(), hash.as_deref()));
        assert!(text(&row[3]).parse::<u64>().is_ok(), "a decimal agent");
        let kind: serde_json::Value = serde_json::from_str(&text(&row[4])).unwrap();
        assert!(kind["Custom"]["label"].is_string() && kind.as_object().unwrap().len() == 1, "{kind}");
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lock_is_released_under_a_fence_that_was_not_previewed() {
    locks_race(false, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_through_a_server() {
    locks_race(true, 600).await;
}

async fn messages_race(remote: bool, messages: i64) {
    let mut arena = Arena::open(remote).await;
    for n in 0..messages {
        arena
            .connection
            .execute(
                "INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id) \
                 VALUES (?1, '9', ?2, 'plan_handoff', '{}', 'r')",
                params![format!("m{n}"), (n % 3 + 1).to_string()],
            )
            .await
            .unwrap();
    }
    let mut consumers: Vec<Peer> =
        [("1", "1"), ("2", "2"), ("3", "3")].map(|(agent, seed)| arena.peer(&["consumer", agent, seed])).into();
    let mut chance = fastrand::Rng::with_seed(5);
    let (mut attempts, mut done, mut refused, mut moved) = (0, 0, 0, 0i64);
    let deadline = Deadline::new();
    loop {
        deadline.check("all messages to be acknowledged");
        let sql =
            "SELECT id, receiver_agent, claim_owner, claim_until_ms FROM a2a_messages WHERE acknowledged = 0 LIMIT 40";
        let rows = arena.rows(sql).await;
        let Some(row) = chance.choice(rows.iter()) else { break };
        let owner = if let libsql::Value::Text(owner) = &row[2] { Some(owner.clone()) } else { None };
        let message = MessageGuard {
            table: MessageTable::A2a,
            id: int(&row[0]).unwrap(),
            sender: "9".into(),
            receiver: text(&row[1]),
            msg_type: "plan_handoff".into(),
            created_at_ms: None,
            claim_owner: owner.clone(),
            claim_until_ms: int(&row[3]),
        };
        if chance.bool() {
            tokio::time::sleep(Duration::from_micros(chance.u64(0..1_500))).await;
        }
        let to = (chance.u8(0..3) + 1).to_string();
        let action = match owner {
            Some(_) if chance.u8(0..3) == 0 => Action::Unclaim { message },
            _ if to == message.receiver => continue,
            _ => Action::Reroute { message, to },
        };
        let is_move = matches!(action, Action::Reroute { .. });
        attempts += 1;
        let outcome = arena.run(action).await;
        match outcome.kind {
            OutcomeKind::Done => {
                done += 1;
                moved += i64::from(is_move);
            }
            OutcomeKind::Refused => refused += 1,
            _ => panic!("{outcome:?}"),
        }
    }
    let acknowledged: i64 =
        consumers.iter_mut().map(|c| c.finish().split(' ').next().unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(acknowledged, messages, "none lost, none done twice");
    assert_eq!(arena.number("SELECT count(*) FROM trace WHERE what = 'ack'").await, messages);
    assert_eq!(arena.number("SELECT count(*) FROM trace WHERE what = 'move'").await, moved);
    let stolen = "SELECT count(*) FROM trace t WHERE what = 'ack' AND node <> note";
    assert_eq!(arena.number(stolen).await, 0, "nobody acknowledged what was another's");
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused: both were met");
    arena.check_journal(attempts, done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_lost_doubled_or_given_to_two() {
    messages_race(false, 1_200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_one_through_a_server() {
    messages_race(true, 400).await;
}
