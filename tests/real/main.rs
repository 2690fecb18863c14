//! Against servers that are installed, not made for tests. Each test says so where its server is missing.

#[path = "../support/mod.rs"]
mod support;

mod acting;
mod busy;
mod etcd;
mod promtool;
mod sqld;

use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::data::vox::db::VoxDb;
use lockkeeper::model::observation::{Change, Observation};
use sqld::Sqld;

const MESH: &str = "
INSERT INTO mesh_heartbeats VALUES ('forge', '1', unixepoch() * 1000, 'writing', 'r');
INSERT INTO mesh_heartbeats VALUES ('gone', '2', unixepoch() * 1000 - 3600000, 'writing', 'r');
INSERT INTO distributed_locks VALUES ('file:a.rs', 'gone', '2', 3, datetime('now', '-1 hour'), datetime('now', '+1 hour'), 'r');
INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id)
    VALUES ('u', '9', '1', 'plan_handoff', '{}', 'r');
INSERT INTO distributed_locks VALUES ('file:b.rs', 'forge', '1', 4, datetime('now'), datetime('now', '+1 hour'), 'r');
";

async fn mesh(more: &[&str]) -> Option<Sqld> {
    let server = Sqld::start(sqld::installed()?, more);
    server.execute(&plain(lockkeeper::demo::vox::write::SCHEMA), "").await;
    server.execute(MESH, "").await;
    Some(server)
}

/// Without comments, whose semicolons would be taken for ends.
fn plain(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn locks(seen: &Observation) -> Option<Vec<String>> {
    seen.changes.iter().rev().find_map(|change| match change {
        Change::Locks(_, rows) if !rows.is_empty() => Some(rows.iter().map(|l| l.lock_key.to_string()).collect()),
        _ => None,
    })
}

async fn poll(source: &mut VoxDb) -> Observation {
    source.poll(&PollContext::default()).await.unwrap()
}

/// A lock is taken from a dead node through a real server, byte for byte as its clients expect it.
#[tokio::test]
async fn a_lock_is_released_through_a_server() {
    let Some(server) = mesh(&[]).await else { return };
    let state = server.folder.path().join("state");
    let run = |arguments: &[&str]| {
        let output =
            support::lockkeeper().args(arguments).args(["--db", &server.url()]).env("XDG_STATE_HOME", &state).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, printed) = run(&["release", "file:a.rs", "--fence", "2", "--yes"]);
    assert_eq!(code, Some(4), "{printed}");
    let (code, printed) = run(&["release", "file:a.rs", "--fence", "3", "--yes", "--reason", "it is gone"]);
    assert_eq!(code, Some(0), "{printed}");
    let (_, json) = run(&["snapshot", "--format", "json"]);
    let seen: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    let lock = seen["locks"].as_array().unwrap().iter().find(|l| l["lock_key"] == "file:a.rs").unwrap();
    assert_eq!((lock["state"].as_str(), lock["fence_token"].as_i64()), (Some("expired"), Some(3)));
    assert_eq!(seen["oplog"].as_array().unwrap().len(), 1, "{json}");
}

/// A key made for this test alone, and what it signed: it may read, it may write, and it might have written once.
const KEY: &str = "uTmnh73-zYapXUn1udW24D-O4HBGSLvdldVN8yCmbfU";
const HEAD: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.";
const READS: &str =
    "eyJhIjoicm8ifQ.yCjMi0Q2_nYwPkStwcVqmXfFvdefZv9la8Jh_LbJeog9VgFVW6K0yMBDvFhqTPVhiaqAGr4aiEeyRjexsSGJBw";
const WRITES: &str =
    "eyJhIjoicncifQ.JoJpgtKygLAzXuwckBuAGzCorSENUyWQ0YUHXxF2cW3-P0btwZIWUO8eSkQDhQJ-1GU8_MBHwjmpIY-rsoqiAA";
const EXPIRED: &str = "eyJhIjoicnciLCJleHAiOjE3OTU2NjE3ODd9.YC9QAeHS1TIYsd3BjHFToNJJXHKtyC5p3DbXWSusV6kR3SdtrkMpDD_Mhvr6vlQBpbrhr91vH7_h_lDjdc-3AA";

/// H6: what a token may not do is told by the server, and nothing is done.
#[tokio::test]
async fn tokens_that_may_read_write_or_nothing_any_more() {
    let Some(program) = sqld::installed() else { return };
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let server = Sqld::start(program, &["--auth-jwt-key-file", key.to_str().unwrap()]);
    let writes = format!("{HEAD}{WRITES}");
    server.execute(&plain(lockkeeper::demo::vox::write::SCHEMA), &writes).await;
    server.execute(MESH, &writes).await;
    let run = |token: &str, arguments: &[&str]| {
        let file = keys.path().join("token");
        std::fs::write(&file, format!("{HEAD}{token}\n")).unwrap();
        let output = support::lockkeeper()
            .args(arguments)
            .args(["--db", &server.url(), "--token-file", file.to_str().unwrap()])
            .env("XDG_STATE_HOME", keys.path().join("state"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!printed.contains(token) && !printed.contains(HEAD), "the token is shown: {printed}");
        (output.status.code(), printed)
    };
    let release = ["release", "file:a.rs", "--fence", "3", "--yes"];
    let (code, printed) = run(READS, &["check"]);
    assert_eq!(code, Some(2), "it reads as ever: {printed}");
    let (code, printed) = run(READS, &release);
    assert_eq!(code, Some(5), "{printed}");
    // G3: a replica reads on with it.
    let token = Some(lockkeeper::config::token::Token::File(keys.path().join("token")));
    let mut replica = server.replica(&keys.path().join("replica.db"), token);
    assert_eq!(locks(&poll(&mut replica).await).unwrap().len(), 2);
    let (code, printed) = run(EXPIRED, &["check"]);
    assert!(code == Some(3) && printed.to_lowercase().contains("expired"), "{code:?}: {printed}");
    let (code, printed) = run("not-a-token", &["check"]);
    assert!(code == Some(3) && printed.contains("401"), "{code:?}: {printed}");
    let (code, printed) = run(WRITES, &release);
    assert_eq!(code, Some(0), "{printed}");
}

/// A server that bounds its answers sends the rows as a stream.
#[tokio::test]
async fn what_is_too_large_for_one_answer_comes_as_a_stream() {
    let Some(server) = mesh(&["--max-response-size", "20KB"]).await else { return };
    let sql = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g LIMIT 5000)
        INSERT INTO distributed_locks SELECT 'file:' || i || printf('%.200c', 'x'), 'forge', '1', i, datetime('now'),
        datetime('now', '+1 hour'), 'r' FROM g";
    server.execute(sql, "").await;
    let mut remote = server.remote(None);
    assert_eq!(locks(&poll(&mut remote).await).unwrap().len(), 5_002);
    let cost = poll(&mut remote).await.cost;
    assert_eq!((cost.read, cost.round_trips), (Some(0), 1), "{cost:?}");
    server.execute("DELETE FROM distributed_locks WHERE lock_key LIKE 'file:5%'", "").await;
    let seen = poll(&mut remote).await;
    assert_eq!(locks(&seen).unwrap().len(), 5_002 - 112);
    assert_eq!((seen.cost.read, seen.cost.round_trips), (None, 4), "what is read for a stream is not told");
}

/// At rest no row is read, and one small answer comes; what was written is there at the next poll.
#[tokio::test]
async fn a_server_at_rest_reads_nothing() {
    let Some(server) = mesh(&[]).await else { return };
    let mut remote = server.remote(None);
    assert_eq!(locks(&poll(&mut remote).await).unwrap().len(), 2);
    for _ in 0..3 {
        let cost = poll(&mut remote).await.cost;
        assert_eq!((cost.read, cost.round_trips), (Some(0), 1), "{cost:?}");
        assert!(cost.bytes < 1_000, "{cost:?}");
    }
    for n in 0..4 {
        server.execute("DELETE FROM distributed_locks WHERE lock_key = 'file:new'", "").await;
        let seen = poll(&mut remote).await;
        assert!(n == 0 || locks(&seen).is_some_and(|locks| locks.len() == 2), "{:?}", seen.changes);
        let sql = "INSERT INTO distributed_locks VALUES ('file:new', 'forge', '1', 4, datetime('now'), datetime('now', '+1 hour'), 'r')";
        server.execute(sql, "").await;
        assert_eq!(locks(&poll(&mut remote).await).unwrap_or_default().len(), 3, "round {n}");
    }
    // A column that comes is seen at once.
    server.execute("ALTER TABLE mesh_heartbeats ADD COLUMN another TEXT", "").await;
    assert!(poll(&mut remote).await.cost.round_trips >= 2, "its schema is read again");
}

/// G2, G3, G4: a replica is as its primary was at the last sync, and says how old it is when there is none.
#[tokio::test]
async fn a_replica_is_exact_after_each_sync() {
    let Some(mut server) = mesh(&[]).await else { return };
    let path = server.folder.path().join("replica.db");
    let mut replica = server.replica(&path, None);
    assert_eq!(locks(&poll(&mut replica).await).unwrap(), ["file:a.rs", "file:b.rs"]);
    for n in 0..6 {
        let key = format!("file:{n}");
        let sql = format!(
            "INSERT INTO distributed_locks VALUES ('{key}', 'forge', '1', 4, datetime('now'), datetime('now', '+1 hour'), 'r')"
        );
        server.execute(&sql, "").await;
        let seen = poll(&mut replica).await;
        assert!(locks(&seen).is_some_and(|locks| locks.contains(&key)), "{key} of {:?}", seen.changes);
    }
    server.execute("DELETE FROM distributed_locks WHERE lock_key LIKE 'file:_'", "").await;
    assert_eq!(locks(&poll(&mut replica).await).unwrap(), ["file:a.rs", "file:b.rs"]);
    assert_eq!(poll(&mut replica).await.changes.len(), 0, "nothing moved");

    // Another console later goes on with the same file; without its primary it is old, and all there.
    drop(replica);
    let mut later = server.replica(&path, None);
    assert_eq!(locks(&poll(&mut later).await).unwrap().len(), 2);
    drop(later);
    server.kill();
    let mut alone = server.replica(&path, None);
    let seen = poll(&mut alone).await;
    assert_eq!(locks(&seen).unwrap().len(), 2);
    assert!(seen.old.is_some());
    drop(alone);

    // Damaged, it is made anew.
    server.run("db");
    std::fs::write(&path, "no database").unwrap();
    let mut anew = server.replica(&path, None);
    assert_eq!(locks(&poll(&mut anew).await).unwrap().len(), 2);
    drop(anew);
    std::fs::remove_file(server.folder.path().join("replica.db-client_wal_index")).unwrap();
    let mut anew = server.replica(&path, None);
    assert_eq!(locks(&poll(&mut anew).await).unwrap().len(), 2);

    // Another database behind the same address.
    server.kill();
    server.run("other");
    server.execute(&plain(lockkeeper::demo::vox::write::SCHEMA), "").await;
    let sql = "INSERT INTO distributed_locks VALUES ('file:other', 'forge', '1', 4, datetime('now'), datetime('now', '+1 hour'), 'r')";
    server.execute(sql, "").await;
    let mut seen = anew.poll(&PollContext::default()).await;
    for _ in 0..3 {
        if seen.as_ref().is_ok_and(|seen| seen.old.is_none() && locks(seen).is_some()) {
            break;
        }
        seen = anew.poll(&PollContext::default()).await;
    }
    assert_eq!(locks(&seen.unwrap()).unwrap(), ["file:other"]);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}
