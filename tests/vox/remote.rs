//! A remote database: a Hrana server in a process of its own, over a real libSQL file.

use crate::support;

use lockkeeper::clock::wall_clock;
use lockkeeper::config::address::Address;
use lockkeeper::config::token::Token;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::backend::{Backend, remote::Remote};
use lockkeeper::data::vox::db::VoxDb;
use lockkeeper::data::vox::queries::Limits;
use lockkeeper::model::observation::Change;
use lockkeeper::model::source::FaultKind;
use support::Peer;
use support::screen::Screen;

const TOKEN: &str = "s3cret-of-the-tests";

struct Server {
    folder: tempfile::TempDir,
    peer: Peer,
    url: String,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!(
            "{}INSERT INTO mesh_heartbeats VALUES ('far-node', '1', unixepoch() * 1000, 'idle', 'r');
             INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id)
             VALUES ('u1', '1', '2', 'free_form', 'one', 'r');",
            lockkeeper::demo::vox::write::SCHEMA
        );
        let path = support::database(folder.path(), &sql).await;
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let mut peer = Peer::start(&["hrana", path.to_str().unwrap(), TOKEN]);
        let url = peer.line();
        Self { folder, peer, url }
    }

    fn token_file(&self) -> std::path::PathBuf {
        self.folder.path().join("token")
    }

    fn source(&self) -> VoxDb {
        let (address, token) = (Address::of_database(&self.url).unwrap(), Some(Token::File(self.token_file())));
        let remote = Remote::new(address, token, 4 << 20, Tls::default());
        VoxDb::new(Backend::Remote(Box::new(remote)), Limits::default(), wall_clock)
    }

    async fn execute(&self, sql: &str) {
        let database = libsql::Builder::new_local(self.folder.path().join("fixture.db")).build().await.unwrap();
        database.connect().unwrap().execute_batch(sql).await.unwrap();
    }

    fn requests(&mut self) -> u64 {
        self.peer.send("count").parse().unwrap()
    }
}

fn live(changes: &[Change]) -> usize {
    changes.iter().map(|c| if let Change::LiveMessages(_, rows) = c { rows.len() } else { 0 }).sum()
}

fn settled(changes: &[Change]) -> usize {
    changes.iter().map(|c| if let Change::AcknowledgedMessages(rows) = c { rows.len() } else { 0 }).sum()
}

#[tokio::test]
async fn a_poll_is_one_round_trip_and_history_is_never_read_twice() {
    let mut server = Server::start().await;
    server.execute("INSERT INTO agent_oplog (agent_id, operation_id, kind, description, timestamp_ms) VALUES ('1', 'OP-000001', '\"Rebalance\"', 'd', 1);").await;
    let (mut source, known) = (server.source(), PollContext::default());
    let first = source.poll(&known).await.unwrap();
    assert_eq!((live(&first.changes), first.cost.round_trips), (1, 2), "a probe, then a poll");
    assert!(first.changes.iter().any(|c| matches!(c, Change::Log(_, rows, _) if rows.len() == 1)));
    assert!(first.clock.is_some_and(|clock| clock.offset_ms.abs() < 2_000));

    let before = server.requests();
    let second = source.poll(&known).await.unwrap();
    assert_eq!(server.requests() - before, 1);
    assert_eq!(second.cost.round_trips, 1);
    assert_eq!((second.cost.read, second.cost.rows), (Some(0), 0), "nothing was written: no row is read");
    assert!((1..1_000).contains(&second.cost.bytes), "{:?}", second.cost);
    assert!(second.clock.is_some(), "its clock is read all the same");
    assert!(!second.changes.iter().any(|c| matches!(c, Change::Log(..))), "the op-log is followed, not re-read");

    server.execute("INSERT INTO agent_oplog (agent_id, operation_id, kind, description, timestamp_ms) VALUES ('1', 'OP-000002', '\"Rebalance\"', 'd', 2); UPDATE a2a_messages SET acknowledged = 1;").await;
    let third = source.poll(&known).await.unwrap();
    assert!(third.changes.iter().any(|c| matches!(c, Change::Log(_, rows, _) if rows.len() == 1)));
    assert_eq!(live(&third.changes), 0);
    assert_eq!(third.cost.read, Some(third.cost.rows), "the server says what it read: here, what it returned");
    let fourth = source.poll(&known).await.unwrap();
    assert_eq!(settled(&fourth.changes), 1, "a message that left the queue is looked up once");
    let fifth = source.poll(&known).await.unwrap();
    assert_eq!((settled(&fifth.changes), fifth.cost.round_trips), (0, 1));
}

/// What costs much to read is read seldom while it changes, and says of when it is; at rest it is current.
#[tokio::test]
async fn a_large_remote_is_read_seldom_and_says_so() {
    let server = Server::start().await;
    let more = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g LIMIT 20001)
        INSERT INTO distributed_locks SELECT 'k' || i, 'n', '1', i, datetime('now'), datetime('now', '+1 hour'), 'r' FROM g";
    server.execute(more).await;
    let (address, token) = (Address::of_database(&server.url).unwrap(), Some(Token::File(server.token_file())));
    let remote = Remote::new(address, token, 64 << 20, Tls::default());
    let (mut source, known) =
        (VoxDb::new(Backend::Remote(Box::new(remote)), Limits::default(), wall_clock), PollContext::default());
    let first = source.poll(&known).await.unwrap();
    assert!(first.cost.rows > 20_000 && first.old.is_none(), "{:?} {:?}", first.cost, first.old);
    let second = source.poll(&known).await.unwrap();
    assert!(second.cost.rows == 0 && second.old.is_none(), "{:?} {:?}", second.cost, second.old);
    server.execute("DELETE FROM distributed_locks WHERE lock_key = 'k7'").await;
    let third = source.poll(&known).await.unwrap();
    let (of_ms, why) = third.old.expect("it is behind");
    assert!(third.changes.is_empty() && of_ms <= wall_clock(), "{:?}", third.changes);
    assert!(why.to_string().contains("rows are read once in"), "{why}");
}

#[tokio::test]
async fn a_table_made_anew_is_read_anew() {
    let server = Server::start().await;
    let (mut source, known) = (server.source(), PollContext::default());
    server.execute("INSERT INTO agent_oplog (id, agent_id, operation_id, kind, description, timestamp_ms) VALUES (50, '1', 'OP-000050', '\"Rebalance\"', 'd', 1);").await;
    source.poll(&known).await.unwrap();
    server.execute("DELETE FROM agent_oplog; INSERT INTO agent_oplog (id, agent_id, operation_id, kind, description, timestamp_ms) VALUES (3, '1', 'OP-000003', '\"Rebalance\"', 'd', 1);").await;
    let seen = source.poll(&known).await.unwrap();
    let fresh = seen.changes.iter().any(|c| matches!(c, Change::Log(_, rows, start) if rows.len() == 1 && *start == lockkeeper::model::observation::LogStart::Beginning));
    assert!(fresh, "{:?}", seen.changes);
}

/// E6: another database answers at the same address, and its ids are higher.
#[tokio::test]
async fn another_database_at_the_same_address_is_begun_anew() {
    let server = Server::start().await;
    let entry = |id: i64, name: &str| {
        format!(
            "INSERT INTO agent_oplog (id, agent_id, operation_id, kind, description, timestamp_ms)
             VALUES ({id}, '1', '{name}', '\"Rebalance\"', 'd', {id});"
        )
    };
    server.execute(&(entry(1, "OP-000001") + &entry(2, "OP-000002"))).await;
    let (mut source, known) = (server.source(), PollContext::default());
    source.poll(&known).await.unwrap();
    // An entry that is undone, or pruned, is no other log.
    server.execute("UPDATE agent_oplog SET undone = 1 WHERE id = 2; DELETE FROM agent_oplog WHERE id = 1;").await;
    server.execute(&entry(3, "OP-000003")).await;
    let seen = source.poll(&known).await.unwrap();
    assert!(!seen.changes.iter().any(|c| matches!(c, Change::Reset)), "{:?}", seen.changes);

    let others: String = (1..=9).map(|id| entry(id, &format!("OP-10000{id}"))).collect();
    server.execute(&format!("DELETE FROM agent_oplog; {others}")).await;
    let seen = source.poll(&known).await.unwrap();
    let reset = seen.changes.iter().position(|c| matches!(c, Change::Reset));
    let log = seen.changes.iter().position(|c| matches!(c, Change::Log(_, rows, _) if rows.len() == 9));
    assert!(reset.is_some() && reset < log, "{:?}", seen.changes);
    let seen = source.poll(&known).await.unwrap();
    assert!(!seen.changes.iter().any(|c| matches!(c, Change::Reset | Change::Log(..))), "{:?}", seen.changes);
}

#[tokio::test]
async fn faults_are_explained_and_survived() {
    let mut server = Server::start().await;
    let (mut source, known) = (server.source(), PollContext::default());
    source.poll(&known).await.unwrap();
    for (manners, printed, kind) in [
        ("status 401", "refused the token (401)", FaultKind::Setup),
        ("status 403", "refused the request (403): as told", FaultKind::Setup),
        ("status 404", "no Hrana v3 database", FaultKind::Setup),
        ("status 429", "asks for patience (429)", FaultKind::Busy),
        ("status 503", "asks for patience (503)", FaultKind::Busy),
        ("status 500", "failed (500)", FaultKind::Transient),
        ("garbage", "is not Hrana v3", FaultKind::Transient),
        ("huge 9000000", "larger than 4.2 MB", FaultKind::Setup),
    ] {
        server.peer.send(manners);
        let fault = source.poll(&known).await.unwrap_err();
        assert!(fault.to_string().contains(printed), "{manners}: {fault}");
        assert_eq!(fault.kind, kind, "{manners}");
        assert!(!fault.to_string().contains(TOKEN));
        server.peer.send("ok");
        source.poll(&known).await.unwrap_or_else(|fault| panic!("after {manners}: {fault}"));
    }
}

/// An error whose text is no UTF-8 is an answer like any other.
#[tokio::test]
async fn an_answer_that_is_no_text_is_a_fault() {
    let mut server = Server::start().await;
    server.peer.send("garbage");
    server.peer.send("status 500");
    let token = server.token_file();
    let output = support::run(&["check", "--db", &server.url, "--token-file", token.to_str().unwrap()]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.starts_with("LOCKKEEPER UNKNOWN") && printed.contains("failed (500)"), "{printed}");
}

#[tokio::test]
async fn a_renewed_token_is_picked_up() {
    let server = Server::start().await;
    std::fs::write(server.token_file(), "old\n").unwrap();
    let (mut source, known) = (server.source(), PollContext::default());
    let fault = source.poll(&known).await.unwrap_err();
    assert!(fault.to_string().contains("401"), "{fault}");
    std::fs::write(server.token_file(), format!("{TOKEN}\n")).unwrap();
    source.poll(&known).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_marked_old_and_its_return_is_seen() {
    let mut server = Server::start().await;
    let token = server.token_file();
    let arguments = ["--db", &server.url, "--token-file", token.to_str().unwrap(), "--interval", "100ms"];
    let env = [("LOCKKEEPER_TIMEOUT", "500ms"), ("LOCKKEEPER_THRESHOLDS_OLD", "1s")];
    let mut screen = Screen::start(120, 40, &arguments, &env);
    screen.wait_text("● far-node");
    server.peer.send("delay 30000");
    let text = screen.wait_text("stale data");
    assert!(text.contains("far-node"), "what was known stays:\n{text}");
    assert!(!text.contains("● far-node") || text.contains('~'), "and never looks live:\n{text}");
    // A slow source does not slow the screen.
    screen.press("2");
    let text = screen.wait_text("REPOSITORY");
    assert!(text.contains("stale data"), "the source still has not answered:\n{text}");
    screen.press("1");
    server.peer.send("ok");
    screen.wait_text("● live");
    server.peer.kill();
    screen.wait_text("stale data");
    screen.wait_text("cannot reach");
    let raw = screen.raw.lock().unwrap().clone();
    assert!(!String::from_utf8_lossy(&raw).contains(TOKEN));
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
}

#[tokio::test]
async fn a_replica_that_cannot_sync_says_so() {
    let server = Server::start().await;
    let path = server.folder.path().join("replica.db");
    let (file, token) = (path.to_str().unwrap(), server.token_file());
    let output = support::lockkeeper()
        .args(["check", "--db", &server.url, "--token-file", token.to_str().unwrap()])
        .env("LOCKKEEPER_REPLICA_PATH", file)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("UNKNOWN") && printed.contains("replica"), "{printed}");
}
