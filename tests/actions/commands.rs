//! Actions from the command line: exit codes, JSON, dry runs, read-only, and files that others have in hand.

use crate::support;

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use support::Peer;

const SCHEMA: &str = lockkeeper::demo::vox::write::SCHEMA;

/// A dead node with two locks and a message, and a living one.
fn rows() -> String {
    format!(
        "{SCHEMA}
        INSERT INTO mesh_heartbeats VALUES ('gone', '3', unixepoch() * 1000 - 1200000, 'writing', 'r'),
            ('here', '4', unixepoch() * 1000, 'idle', 'r');
        INSERT INTO distributed_locks VALUES
            ('file:a.rs', 'gone', '3', 41, datetime('now', '-20 minutes'), datetime('now', '+5 minutes'), 'r'),
            ('file:it''s \"b\".rs', 'here', '4', 7, datetime('now'), datetime('now', '+5 minutes'), 'r');
        INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id,
            claim_owner, claim_until_ms) VALUES ('u1', '9', '3', 'plan_handoff', '{{}}', 'r', 'gone:1', 5);"
    )
}

struct Place {
    folder: tempfile::TempDir,
    database: String,
}

impl Place {
    async fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = support::database(folder.path(), sql).await;
        Self { database: path.to_str().unwrap().to_owned(), folder }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = support::lockkeeper();
        command.args(arguments).args(["--db", &self.database, "--operator", "ada"]);
        command.env("LOCKKEEPER_JOURNAL", self.journal()).stdin(std::process::Stdio::null());
        for (name, value) in env {
            command.env(name, value);
        }
        command.output().unwrap()
    }

    fn journal(&self) -> std::path::PathBuf {
        self.folder.path().join("state/journal.jsonl")
    }

    async fn one(&self, sql: &str) -> String {
        let flags = libsql::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = libsql::Builder::new_local(&self.database).flags(flags).build().await.unwrap();
        let mut rows = database.connect().unwrap().query(sql, ()).await.unwrap();
        let row = rows.next().await.unwrap();
        row.map_or_else(
            || "none".into(),
            |row| {
                (0..row.column_count())
                    .map(|i| match row.get_value(i).unwrap() {
                        libsql::Value::Text(text) => text,
                        libsql::Value::Integer(n) => n.to_string(),
                        other => format!("{other:?}"),
                    })
                    .collect::<Vec<_>>()
                    .join(" ")
            },
        )
    }
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

const LOCK: &str = "SELECT holder_node, holder_agent, fence_token, expires_at > datetime('now') FROM distributed_locks WHERE lock_key = 'file:a.rs'";

#[tokio::test]
async fn a_dry_run_changes_not_one_byte() {
    let place = Place::new(&rows()).await;
    let before = std::fs::read(&place.database).unwrap();
    let output = place.run(&["release", "file:a.rs", "--fence", "41", "--dry-run", "--format", "json"]);
    assert_eq!(code(&output), 0, "{}", printed(&output));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    support::documents::assert_valid(&plan);
    assert_eq!(plan["schema"], "lockkeeper.plan.v1");
    assert_eq!((&plan["dry_run"], &plan["mode"]), (&true.into(), &"expire".into()));
    assert_eq!(plan["steps"][0]["decided_on"]["lock"]["fence_token"], 41);
    assert_eq!(plan["steps"][0]["outcome"], Value::Null);
    assert_eq!(std::fs::read(&place.database).unwrap(), before);
    assert!(!place.journal().exists(), "nothing was tried");
}

#[tokio::test]
async fn each_mode_does_what_it_says_and_is_read_back() {
    for (mode, expected) in [("fence-off", "lockkeeper/ada 0 42 1"), ("expire", "gone 3 41 0"), ("delete", "none")] {
        let place = Place::new(&rows()).await;
        let arguments = ["release", "file:a.rs", "--fence", "41", "--mode", mode, "--yes", "--format", "json"];
        let output = place.run(&[&arguments[..], &["--reason", "it's stuck"]].concat());
        assert_eq!(code(&output), 0, "{mode}: {}", printed(&output));
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        support::documents::assert_valid(&plan);
        assert_eq!((&plan["steps"][0]["outcome"], &plan["steps"][0]["audited"]), (&"done".into(), &true.into()));
        assert_eq!(plan["steps"][0]["before"]["fence_token"], 41);
        assert_eq!(place.one(LOCK).await, expected, "{mode}");
        let entry = place.one("SELECT agent_id, kind, description FROM agent_oplog").await;
        assert!(entry.starts_with("0 {\"Custom\":{\"label\":\"lockkeeper: ada: "), "{entry}");
        assert!(entry.ends_with("by ada: it's stuck"), "{entry}");
        let journal = std::fs::read_to_string(place.journal()).unwrap();
        journal.lines().for_each(|line| support::documents::assert_valid(&serde_json::from_str(line).unwrap()));
        let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["event"], &lines[1]["event"]), (&"intent".into(), &"outcome".into()));
        assert_eq!((&lines[0]["operator"], &lines[0]["reason"]), (&"ada".into(), &"it's stuck".into()));
        assert_eq!(lines[1]["verdict"], "done");
        // A second time it is not there as it was seen.
        let again = place.run(&arguments);
        assert_eq!(code(&again), if mode == "expire" { 0 } else { 4 }, "{mode}: {}", printed(&again));
    }
}

#[tokio::test]
async fn names_with_quotes_are_names() {
    let place = Place::new(&rows()).await;
    let output = place.run(&["release", "file:it's \"b\".rs", "--fence", "7", "--mode", "delete", "--yes"]);
    assert_eq!(code(&output), 0, "{}", printed(&output));
    assert_eq!(place.one("SELECT count(*) FROM distributed_locks").await, "1");
}

#[tokio::test]
async fn exit_codes_tell_why() {
    let place = Place::new(&rows()).await;
    let cases: [(&[&str], i32, &str); 9] = [
        (&["release", "file:a.rs", "--fence", "40", "--yes"], 4, "has fence 41 now, held by gone"),
        (&["release", "file:zzz.rs", "--fence", "1", "--yes"], 4, "there is no lock file:zzz.rs"),
        (&["release", "file:a.rs", "--fence", "41"], 2, "pass --yes"),
        (&["release", "file:a.rs", "--fence", "soon"], 2, "or none"),
        (&["release", "file:a.rs"], 2, "--fence"),
        (&["release", "file:a.rs", "--fence", "41", "--yes", "--read-only"], 5, "read-only"),
        (&["reroute", "999", "--to", "4", "--yes"], 4, "no message 999 waits"),
        (&["reroute", "1", "--to", "777", "--yes"], 4, "no agent 777 is known"),
        (&["drain", "here", "--yes"], 4, "no control plane"),
    ];
    let before = std::fs::read(&place.database).unwrap();
    for (arguments, expected, word) in cases {
        let output = place.run(arguments);
        assert_eq!(code(&output), expected, "{arguments:?}: {}", printed(&output));
        assert!(printed(&output).contains(word), "{arguments:?}: {}", printed(&output));
    }
    assert_eq!(std::fs::read(&place.database).unwrap(), before, "none of them changed anything");
    assert!(!place.journal().exists());
    let output = place.run_with(&["evacuate", "here", "--yes"], &[]);
    assert_eq!(code(&output), 4, "{}", printed(&output));
    assert!(printed(&output).contains("here is healthy: drain it"));
}

#[tokio::test]
async fn what_cannot_be_journalled_is_not_done() {
    let place = Place::new(&rows()).await;
    std::fs::write(place.folder.path().join("state"), "a file where the folder should be").unwrap();
    let output = place.run(&["release", "file:a.rs", "--fence", "41", "--yes"]);
    assert_eq!(code(&output), 1, "{}", printed(&output));
    assert!(printed(&output).contains("nothing was done, because the journal"), "{}", printed(&output));
    assert_eq!(place.one(LOCK).await, "gone 3 41 1");
}

#[tokio::test]
async fn a_message_goes_to_another_agent_without_its_claim() {
    let place = Place::new(&rows()).await;
    let output = place.run(&["reroute", "1", "--to", "4", "--yes", "--reason", "the worker died"]);
    assert_eq!(code(&output), 0, "{}", printed(&output));
    let row = place.one("SELECT receiver_agent, acknowledged, coalesce(claim_owner, '-') FROM a2a_messages").await;
    assert_eq!(row, "4 0 -");
    let output = place.run(&["reroute", "1", "--to", "4", "--yes"]);
    assert_eq!(code(&output), 4, "{}", printed(&output));
    assert!(printed(&output).contains("agent 4 has it already"));
}

#[tokio::test]
async fn older_tables_are_acted_on_as_far_as_they_go() {
    // No repository, no fence, no op-log; the lock key alone is the key.
    let place = Place::new(
        "CREATE TABLE mesh_heartbeats (node_id TEXT, last_seen_ms INTEGER);
         CREATE TABLE distributed_locks (lock_key TEXT PRIMARY KEY, holder_node TEXT, expires_at TEXT);
         INSERT INTO mesh_heartbeats VALUES ('gone', unixepoch() * 1000 - 1200000);
         INSERT INTO distributed_locks VALUES ('k', 'gone', datetime('now', '+5 minutes'));",
    )
    .await;
    let fenced = place.run(&["release", "k", "--fence", "none", "--mode", "fence-off", "--yes"]);
    assert_eq!(code(&fenced), 4, "{}", printed(&fenced));
    assert!(printed(&fenced).contains("no fence token to raise"), "{}", printed(&fenced));
    let output = place.run(&["release", "k", "--fence", "none", "--yes", "--format", "json"]);
    assert_eq!(code(&output), 0, "{}", printed(&output));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["mode"], "delete", "only older clients are about");
    assert_eq!(plan["steps"][0]["audited"], false, "there is no op-log");
    assert_eq!(place.one("SELECT count(*) FROM distributed_locks").await, "0");
}

#[tokio::test]
async fn a_file_that_others_have_in_hand_is_left_alone() {
    let place = Place::new(&format!("PRAGMA journal_mode = WAL; {}", rows())).await;
    let release = ["release", "file:a.rs", "--fence", "41", "--yes"];

    // An engine without locks: only its open files tell.
    let mut open = Peer::start(&["open", &place.database]);
    assert!(open.line().starts_with("open"));
    let output = place.run(&release);
    assert_eq!(code(&output), 4, "{}", printed(&output));
    assert!(
        printed(&output).contains("is open in process") && printed(&output).contains("vox_peer"),
        "{}",
        printed(&output)
    );
    assert_eq!(open.finish(), "closed");
    drop(open);

    // The same file once nobody has it.
    let output = place.run(&release);
    assert_eq!(code(&output), 0, "{}", printed(&output));
    assert_eq!(place.one(LOCK).await, "gone 3 41 0");
}

#[test]
fn a_file_that_is_locked_as_upstream_does_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vox.db");
    let database = path.to_str().unwrap().to_owned();
    let mut vox = Peer::start(&["hold", &database]);
    assert_eq!(vox.line(), "held");
    let place = Place { folder, database };
    let log = |path: &Path| std::fs::read(path.with_file_name("vox.db-wal")).unwrap();
    let before = log(&path);
    for _ in 0..3 {
        let output = place.run(&["release", "k", "--fence", "3", "--yes"]);
        assert_eq!(code(&output), 4, "{}", printed(&output));
        assert!(printed(&output).contains("is locked by process"), "{}", printed(&output));
        vox.send("write");
    }
    assert!(log(&path).starts_with(&before[..32]), "the log was neither folded in nor removed");
    assert!(log(&path).len() > before.len(), "and the writer goes on");
}

#[tokio::test]
async fn a_read_only_console_has_no_hands_at_all() {
    use lockkeeper::action::executor::{Purpose, WriteAccess};
    use lockkeeper::settings::Settings;
    let place = Place::new(&rows()).await;
    // Whoever only watches has none either, and still knows what could be done.
    for (read_only, purpose, executors, abilities) in
        [("true", Purpose::Act, 0, 0), ("false", Purpose::Watch, 0, 2), ("false", Purpose::Act, 2, 2)]
    {
        let given = [("db", place.database.as_str()), ("control", "127.0.0.1:9"), ("read_only", read_only)];
        let settings = Settings::given(&given).unwrap();
        let sources = settings.connect(WriteAccess::decide(purpose, settings.read_only)).unwrap();
        assert_eq!(sources.executors.len(), executors);
        let able = sources.sources.iter().filter(|(identity, _)| !identity.can.kinds.is_empty()).count();
        assert_eq!(able, abilities);
    }
}

/// What ends while an action is at it must neither fold the log into the file nor keep a lock on it.
/// A9: what was written counts once it is there after the file was closed.
#[tokio::test]
async fn an_engine_that_comes_during_the_action_keeps_its_log() {
    use lockkeeper::data::vox::act::file::OpenFile;
    let place = Place::new(&format!("PRAGMA journal_mode = WAL; {}", rows())).await;
    let wal = Path::new(&place.database).with_file_name("fixture.db-wal");
    let open = OpenFile::open(Path::new(&place.database), false, 1 << 30).await.unwrap();
    let connection = open.connection().unwrap();
    connection.execute("DELETE FROM distributed_locks", ()).await.unwrap();
    assert!(wal.exists());
    let mut late = Peer::start(&["open", &place.database]);
    assert_eq!(late.line(), "open 2");
    drop(open);
    assert!(wal.exists(), "the log is still there");
    let mut rival = Peer::start(&["try-lock", &place.database]);
    assert_eq!(rival.line(), "trying");
    let printed = rival.finish();
    assert!(printed.ends_with(" 0 refused"), "no lock was kept: {printed}");
    drop(late);
}

const TOKEN: &str = "s3cret-of-the-tests";

/// The same place behind a Hrana server.
async fn served(sql: &str) -> (Place, Peer, String) {
    let place = Place::new(sql).await;
    std::fs::write(place.folder.path().join("token"), TOKEN).unwrap();
    let mut server = Peer::start(&["hrana", &place.database, TOKEN]);
    let url = server.line();
    (place, server, url)
}

fn run_remote(place: &Place, url: &str, arguments: &[&str]) -> Output {
    let mut command = support::lockkeeper();
    command.args(arguments).args(["--db", url, "--operator", "ada", "--token-file"]);
    command.arg(place.folder.path().join("token")).env("LOCKKEEPER_JOURNAL", place.journal());
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

/// A2, B3: it is looked for again, and told for what it is.
#[tokio::test]
async fn a_lost_answer_is_neither_done_nor_failed_until_it_is_read_back() {
    // Polls take two requests, an action three: what is there, what is logged, the transaction itself.
    let release = ["release", "file:a.rs", "--fence", "41", "--yes", "--format", "json"];
    for (manners, exit, outcome, row, entries) in
        [("lose 5", 0, "done", "gone 3 41 0", "1"), ("fail 5", 1, "unknown", "gone 3 41 1", "0")]
    {
        let (place, mut server, url) = served(&rows()).await;
        server.send(manners);
        let output = run_remote(&place, &url, &release);
        assert_eq!(code(&output), exit, "{manners}: {}", printed(&output));
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["steps"][0]["outcome"], outcome, "{manners}");
        assert_eq!(place.one(LOCK).await, row, "{manners}");
        assert_eq!(place.one("SELECT count(*) FROM agent_oplog").await, entries, "{manners}");
        let everything = format!("{}{}", printed(&output), std::fs::read_to_string(place.journal()).unwrap());
        assert!(!everything.contains(TOKEN));
    }
}

#[tokio::test]
async fn without_an_op_log_a_lost_answer_is_unknown_and_said_so() {
    let (place, mut server, url) = served(&rows().replace("agent_oplog", "another_log")).await;
    server.send("lose 4");
    let output = run_remote(&place, &url, &["release", "file:a.rs", "--fence", "41", "--yes"]);
    assert_eq!(code(&output), 1, "{}", printed(&output));
    assert!(
        printed(&output).contains("unknown: ") && printed(&output).contains("now: held by gone"),
        "{}",
        printed(&output)
    );
}

#[tokio::test]
async fn a_token_that_may_not_write_ends_as_read_only() {
    let (place, mut server, url) = served(&rows()).await;
    server.send("deny-writes");
    let output = run_remote(&place, &url, &["release", "file:a.rs", "--fence", "41", "--yes"]);
    assert_eq!(code(&output), 5, "{}", printed(&output));
    assert_eq!(place.one(LOCK).await, "gone 3 41 1");
    let journal = std::fs::read_to_string(place.journal()).unwrap();
    assert!(journal.contains("\"verdict\":\"read-only\""), "the attempt is on record: {journal}");
}

/// The op-log refuses the entry; the action does not wait for it, and the entry is written once it can be.
#[tokio::test]
async fn an_entry_that_the_op_log_refused_is_written_later_and_once() {
    let place = Place::new(&format!(
        "{} CREATE TRIGGER full BEFORE INSERT ON agent_oplog BEGIN SELECT RAISE(ABORT, 'the log is full'); END;",
        rows()
    ))
    .await;
    let release = ["release", "file:a.rs", "--fence", "41", "--yes", "--mode", "delete", "--format", "json"];
    let output = place.run(&release);
    assert_eq!(code(&output), 0, "{}", printed(&output));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&plan["steps"][0]["outcome"], &plan["steps"][0]["audited"]), (&"done".into(), &false.into()));
    assert_eq!(place.one("SELECT count(*) FROM distributed_locks WHERE lock_key = 'file:a.rs'").await, "0");
    {
        let database = libsql::Builder::new_local(&place.database).build().await.unwrap();
        database.connect().unwrap().execute("DROP TRIGGER full", ()).await.unwrap();
    }
    for _ in 0..2 {
        // Any action takes up what was left, even one that is refused.
        let output = place.run(&["release", "file:zzz.rs", "--fence", "1", "--yes"]);
        assert_eq!(code(&output), 4, "{}", printed(&output));
        assert_eq!(place.one("SELECT count(*) FROM agent_oplog WHERE description LIKE '%file:a.rs%'").await, "1");
    }
    let journal = std::fs::read_to_string(place.journal()).unwrap();
    assert_eq!(journal.matches("\"event\":\"audited\"").count(), 1, "{journal}");
}
