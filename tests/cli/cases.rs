//! Cases that went wrong once, one test each, named by its number.

use crate::support;

use serde_json::Value;

struct Place {
    folder: tempfile::TempDir,
    database: String,
}

impl Place {
    /// A mesh in which `gone` is dead and `here` is alive, and more.
    async fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!(
            "{}
            INSERT INTO mesh_heartbeats VALUES ('gone', '3', unixepoch() * 1000 - 1200000, 'w', 'r'),
                ('here', '4', unixepoch() * 1000, 'idle', 'r');
            {more}",
            lockkeeper::demo::vox::write::SCHEMA
        );
        let database = support::database(folder.path(), &sql).await.to_str().unwrap().to_owned();
        Self { folder, database }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = support::lockkeeper()
            .args(arguments)
            .args(["--db", &self.database])
            .env("LOCKKEEPER_JOURNAL", self.folder.path().join("journal.jsonl"))
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    fn snapshot(&self) -> Value {
        let (_, printed) = self.run(&["snapshot", "--format", "json"]);
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
    }

    async fn rows(&self, sql: &str) -> Vec<String> {
        let database = libsql::Builder::new_local(&self.database).build().await.unwrap();
        let mut rows = database.connect().unwrap().query(sql, ()).await.unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            let cells: Vec<String> =
                (0..row.column_count()).map(|i| format!("{:?}", row.get_value(i).unwrap())).collect();
            all.push(cells.join(" "));
        }
        all
    }
}

fn lock(holder: &str, agent: &str, fence: &str, expires: &str) -> String {
    format!(
        "INSERT INTO distributed_locks VALUES ('k', '{holder}', '{agent}', {fence}, datetime('now', '-1 hour'), {expires}, 'r');"
    )
}

const RELEASE: [&str; 7] = ["release", "k", "--fence", "7", "--yes", "--mode", "expire"];
const LOG: &str = "SELECT count(*) FROM agent_oplog";

/// A5, A7: whatever form an end is stored in, it is changed, or the reason is sent.
#[tokio::test]
async fn a5_a7_an_end_in_any_form_is_changed_or_refused() {
    let forms = [
        "unixepoch() + 3600",
        "(unixepoch() + 3600) * 1000",
        "'+12026-01-01T00:00:00Z'",
        "'2126-01-01 00:00:00.123456789'",
        "'2126-01-01T00:00:00.1234+02:00'",
    ];
    for form in forms {
        let place = Place::new(&lock("gone", "3", "7", form)).await;
        let before = place.rows("SELECT expires_at, typeof(expires_at) FROM distributed_locks").await;
        let (code, printed) = place.run(&RELEASE);
        let after = place.rows("SELECT expires_at, typeof(expires_at) FROM distributed_locks").await;
        let logged = place.rows(LOG).await;
        match code {
            Some(0) => assert!(before != after && logged == ["Integer(1)"], "{form}: {printed}"),
            Some(4) => assert!(before == after && logged == ["Integer(0)"], "{form}: {printed}"),
            other => panic!("{form}: {other:?}: {printed}"),
        }
    }
}

/// A4: two rows of one key, in a table that allows them.
#[tokio::test]
async fn a4_two_rows_of_one_key_are_told() {
    let two = "DROP TABLE distributed_locks;
        CREATE TABLE distributed_locks (lock_key TEXT, holder_node TEXT, holder_agent TEXT, fence_token INTEGER,
            acquired_at TEXT, expires_at TEXT, repository_id TEXT);"
        .to_owned()
        + &lock("gone", "3", "7", "'2126-01-01 00:00:00'").repeat(2);
    let place = Place::new(&two).await;
    let (code, printed) = place.run(&RELEASE);
    let left = place.rows("SELECT count(*) FROM distributed_locks WHERE expires_at > datetime('now')").await;
    let logged = place.rows(LOG).await;
    match code {
        Some(0) => assert!(left == ["Integer(0)"] && logged == ["Integer(1)"], "{printed}"),
        _ => assert!(left == ["Integer(2)"] && logged == ["Integer(0)"], "{printed}"),
    }
}

/// A6: a fence token that cannot be raised is not.
#[tokio::test]
async fn a6_the_largest_fence_is_not_raised() {
    let place = Place::new(&lock("here", "4", "9223372036854775807", "datetime('now', '+1 hour')")).await;
    let arguments = ["release", "k", "--fence", "9223372036854775807", "--yes", "--mode", "fence-off"];
    let (code, printed) = place.run(&arguments);
    assert_eq!(code, Some(4), "{printed}");
    let row = place.rows("SELECT fence_token, typeof(fence_token), holder_node FROM distributed_locks").await;
    assert_eq!(row, ["Integer(9223372036854775807) Text(\"integer\") Text(\"here\")"]);
}

/// A8: what cannot be seen is not called gone.
#[tokio::test]
async fn a8_nothing_is_called_released_unseen() {
    let place = Place::new("").await;
    for arguments in [&RELEASE[..], &["reroute", "1", "--to", "4", "--yes"], &["evacuate", "gone", "--yes"]] {
        for database in ["/nonexistent/vox.db", "http://127.0.0.1:1"] {
            let place = Place { folder: tempfile::tempdir().unwrap(), database: database.to_owned() };
            let (code, printed) = place.run(arguments);
            assert!(code == Some(1) && printed.contains("cannot see"), "{arguments:?}: {code:?}: {printed}");
        }
        assert_ne!(place.run(arguments).0, Some(1), "where all is seen, it is printed what is not there");
    }
}

/// A10: of two operators one releases the lock, and the other one hears so.
#[tokio::test]
async fn a10_of_two_operators_one_releases() {
    for _ in 0..5 {
        let place = Place::new(&lock("gone", "3", "7", "datetime('now', '+1 hour')")).await;
        let place = &place;
        let both: Vec<(Option<i32>, String)> = std::thread::scope(|scope| {
            let run: Vec<_> = (0..2).map(|_| scope.spawn(move || place.run(&RELEASE))).collect();
            run.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let done = both.iter().filter(|(code, _)| *code == Some(0)).count();
        assert!(done >= 1, "{both:?}");
        let left = place.rows("SELECT count(*) FROM distributed_locks WHERE expires_at > datetime('now')").await;
        assert_eq!(left, ["Integer(0)"], "{both:?}");
        assert_eq!(place.rows(LOG).await, ["Integer(1)"], "one action, one entry: {both:?}");
        // Who comes later finds it run out, writes nothing, and is told so.
        let (code, later) = place.run(&RELEASE);
        assert!(code == Some(0) && later.contains("already: it has run out"), "{code:?}: {later}");
        assert_eq!(place.rows(LOG).await, ["Integer(1)"], "{later}");
    }
}

/// A10: a lock that never runs out has not run out.
#[tokio::test]
async fn a10_a_lock_without_an_end_is_expired() {
    let loose = "CREATE TABLE loose AS SELECT * FROM distributed_locks; DROP TABLE distributed_locks; \
                 ALTER TABLE loose RENAME TO distributed_locks;";
    let place = Place::new(&format!("{loose} {}", lock("gone", "3", "7", "NULL"))).await;
    let (code, printed) = place.run(&RELEASE);
    assert!(code == Some(0) && !printed.contains("already"), "{code:?}: {printed}");
    let over = place.rows("SELECT expires_at <= datetime('now') FROM distributed_locks").await;
    assert_eq!((over, place.rows(LOG).await), (vec!["Integer(1)".into()], vec!["Integer(1)".into()]), "{printed}");
    let (_, later) = place.run(&RELEASE);
    assert!(later.contains("already: it has run out"), "{later}");
}

/// A11: a name is no operator's hold.
#[tokio::test]
async fn a11_an_agent_may_call_its_node_as_the_operator_does() {
    let place = Place::new(&lock("lockkeeper-ci", "0", "7", "datetime('now', '+1 hour')")).await;
    let (code, printed) = place.run(&RELEASE);
    assert_eq!(code, Some(0), "{printed}");
}

/// B1: whoever watches, or only wants to see a plan, writes nothing anywhere.
#[tokio::test]
async fn b1_watching_and_dry_runs_write_nothing() {
    let place = Place::new(&lock("gone", "3", "7", "datetime('now', '+1 hour')")).await;
    let journal = place.folder.path().join("journal.jsonl");
    // An attempt that was left open, long ago and by a process that is gone.
    let intent = r#"{"schema":"lockkeeper.journal.v1","id":"a","plan":"p","at_ms":1000,"event":"intent","mesh":"mesh","source":"fixture.db","place":"PLACE","process":{"host":"elsewhere","pid":1},"operator":"ada","reason":"","action":"acknowledge","message":{"table":"a2a_messages","id":10,"sender":"1","receiver":"2","msg_type":"m","created_at_ms":null,"claim_owner":null,"claim_until_ms":null}}"#;
    support::documents::assert_valid(&serde_json::from_str(intent).unwrap());
    std::fs::write(&journal, intent.replace("PLACE", &place.database) + "\n").unwrap();
    let (files, lines) = (std::fs::read(&place.database).unwrap(), std::fs::read(&journal).unwrap());
    let (_, seen) = place.run(&["snapshot", "--view", "findings"]);
    assert!(seen.contains("attempt-open"), "there is something to recover: {seen}");
    let dry = [&RELEASE[..4], &["--dry-run"][..]].concat();
    for arguments in [&["check"][..], &["snapshot"], &dry] {
        place.run(arguments);
        assert_eq!(std::fs::read(&place.database).unwrap(), files, "{arguments:?}");
        assert_eq!(std::fs::read(&journal).unwrap(), lines, "{arguments:?}");
    }
}

/// C4: a result that says that it failed is no success.
#[tokio::test]
async fn c4_a_failed_result_is_a_failed_task() {
    let message = |uuid: &str, from: &str, to: &str, kind: &str, payload: &str| {
        format!(
            "INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id, acknowledged)
             VALUES ('{uuid}', '{from}', '{to}', '{kind}', '{payload}', 'r', 1);"
        )
    };
    let sql = message("u1", "9", "4", "remote_task_envelope", r#"{"task_id":42,"idempotency_key":"k"}"#)
        + &message(
            "u2",
            "4",
            "9",
            "remote_task_result",
            r#"{"task_id":42,"idempotency_key":"k","success":false,"error":"no space"}"#,
        );
    let seen = Place::new(&sql).await.snapshot();
    let task =
        seen["tasks"].as_array().unwrap().iter().find(|t| t["task_id"] == "42").unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(task["state"], "failed", "{task}");
    assert!(task.to_string().contains("no space"), "{task}");
}

/// C8: a row that a process keeps in memory is not held by the operator in it.
#[tokio::test]
async fn c8_a_lock_of_the_vcs_table_is_expired() {
    let row = "INSERT INTO vcs_lock VALUES ('/w/k', 'exclusive', '4', 'here', 'r', unixepoch() * 1000, unixepoch() * 1000 + 3600000, NULL, 7);";
    let place = Place::new(row).await;
    let (code, printed) = place.run(&["release", "/w/k", "--fence", "7", "--yes", "--mode", "fence-off"]);
    assert!(code == Some(4) && printed.contains("choose expire"), "{code:?}: {printed}");
    let (code, printed) = place.run(&["release", "/w/k", "--fence", "7", "--yes"]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(
        place.rows("SELECT holder, expires_at <= unixepoch() * 1000 FROM vcs_lock").await,
        ["Text(\"4\") Integer(1)"]
    );
}

/// D1: a lock whose record says more than is expected of it is a live lock.
#[test]
fn d1_an_odd_record_is_no_reason_to_break_a_lock() {
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().join("a.rs.lock.d");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::create_dir_all(tree.path().join(".harn/events/topics")).unwrap();
    let now = lockkeeper::clock::wall_clock();
    for odd in [r#""reason":{"why":"x"}"#, r#""session_id":7"#, r#""refs":{"a":1}"#] {
        let record = format!(
            r#"{{"schema":"harn.coordination.dir_lock.v1","token":"t-1","acquired_at_ms":{now},"expires_at_ms":{},"ttl_ms":3600000,"owner":{{"id":"ci"}},"refs":[],{odd}}}"#,
            now + 3_600_000
        );
        std::fs::write(path.join("owner.json"), &record).unwrap();
        for fence in ["none", "t-1"] {
            let output = support::lockkeeper()
                .args(["release", "a.rs", "--fence", fence, "--yes", "--harn", tree.path().to_str().unwrap()])
                .env("LOCKKEEPER_JOURNAL", tree.path().join("journal.jsonl"))
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(4), "{odd} {fence}: {printed}");
            assert!(
                path.join("owner.json").exists() && !printed.contains("there is no lock"),
                "{odd} {fence}: {printed}"
            );
        }
    }
}

/// D10: a place that is named twice is watched once, and events that are not read are told of.
#[tokio::test]
async fn d10_a_place_is_watched_once_and_what_is_not_read_is_said() {
    let tree = tempfile::tempdir().unwrap();
    let state = tree.path().join(".harn");
    std::fs::create_dir_all(state.join("events/topics")).unwrap();
    let sources = |arguments: &[&str]| {
        let output = support::run(&[&["snapshot", "--format", "json"][..], arguments].concat());
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        let names: Vec<String> =
            seen["sources"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap().to_owned()).collect();
        (names, seen.to_string())
    };
    let (project, state_path) = (tree.path().to_str().unwrap(), state.to_str().unwrap());
    let (names, _) = sources(&["--harn", project, "--harn", state_path]);
    assert_eq!(names.iter().filter(|kind| *kind == "event log").count(), 1, "{names:?}");
    let place = Place::new("").await;
    let link = tree.path().join("link.db");
    std::os::unix::fs::symlink(&place.database, &link).unwrap();
    assert_eq!(sources(&["--db", &place.database, "--db", link.to_str().unwrap()]).0, ["database"]);

    std::fs::write(state.join("events.sqlite"), "an older log").unwrap();
    let newer = std::fs::File::create(state.join("events/topics/a.jsonl")).unwrap();
    newer.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
    let (_, printed) = sources(&["--harn", project]);
    assert!(printed.contains("holds events as well, and is not read"), "{printed}");
}

/// E7: a link to a database is that database, with its log beside it.
#[tokio::test]
async fn e7_a_link_is_followed_to_the_log_beside_its_target() {
    let place = Place::new("").await;
    let database = libsql::Builder::new_local(&place.database).build().await.unwrap();
    let connection = database.connect().unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;").await.unwrap();
    connection.execute_batch(&lock("gone", "3", "7", "datetime('now', '+1 hour')")).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("store.db");
    std::os::unix::fs::symlink(&place.database, &link).unwrap();
    let linked = Place { folder: tempfile::tempdir().unwrap(), database: link.to_str().unwrap().to_owned() };
    let seen = linked.snapshot();
    assert_eq!(seen["locks"].as_array().unwrap().len(), 1, "the row stands in the log alone: {seen}");
    drop(connection);
}

/// A server that answers each path so, and closes the connection after each answer without saying so.
fn server(answer: fn(&str) -> (u16, &'static str)) -> String {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut first, mut length) = (String::new(), 0);
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let (status, body) = answer(first.split(' ').nth(1).unwrap_or_default());
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = reader.into_inner().write_all((head + body).as_bytes());
        }
    });
    base
}

fn check(control: &str) -> (Option<i32>, String) {
    let output = support::run(&["check", "--control", control]);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// G1: what may not be seen is listed, and nothing is called well.
#[test]
fn g1_denials_are_listed() {
    let base = server(|path| if path == "/health" { (200, "ok") } else { (403, r#"{"error":"worker may not"}"#) });
    let (code, printed) = check(&base);
    assert_eq!(code, Some(3), "{printed}");
    for part in ["nodes", "exec leases", "queue"] {
        assert!(
            printed.contains(&format!("{part}: ")) || printed.contains(&format!("{part} stats: ")),
            "{part}: {printed}"
        );
    }
}

/// H5: a connection that was closed meanwhile is no failure of the server.
#[test]
fn h5_a_server_that_closes_in_silence_is_asked_again() {
    let base = server(|path| match path {
        "/v1/populi/nodes" => (200, r#"{"nodes":[]}"#),
        "/v1/populi/exec/leases" => (200, r#"{"leases":[]}"#),
        "/v1/populi/queue/stats" => (200, r#"{"pending_count":0}"#),
        "/v1/populi/a2a/inbox" => (200, r#"{"messages":[]}"#),
        _ => (200, "ok"),
    });
    for _ in 0..10 {
        let (code, printed) = check(&base);
        assert_eq!(code, Some(0), "{printed}");
    }
}

/// G6: a claim that was renewed just now is at work, however old its message is.
#[tokio::test]
async fn g6_a_claimed_message_is_claimed_and_a_taken_task_received() {
    let sql = "INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id, created_at, claim_owner, claim_until_ms)
            VALUES ('u1', '9', '4', 'plan_handoff', '{}', 'r', datetime('now', '-1 hour'), 'here:1', unixepoch() * 1000 + 60000);
        INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id, created_at, acknowledged)
            VALUES ('u2', '9', '4', 'remote_task_envelope', '{\"task_id\":42,\"idempotency_key\":\"k\"}', 'r', datetime('now', '-1 hour'), 1);";
    let seen = Place::new(sql).await.snapshot();
    assert_eq!(seen["messages"][0]["state"], "claimed", "{}", seen["messages"]);
    assert_eq!(seen["tasks"][0]["state"], "received", "{}", seen["tasks"]);
}

/// H1: secrets in addresses are shown nowhere.
#[test]
fn h1_an_address_never_shows_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let addresses = [
        ["--control", "http://admin:hunter2@127.0.0.1:1"],
        ["--db", "wss://127.0.0.1:1?authToken=hunter2"],
        ["--db", "http://127.0.0.1:1?jwt=hunter2"],
        ["--control", "http://127.0.0.1:1/?token=hunter2"],
    ];
    for address in addresses {
        for command in [&["check"][..], &["snapshot", "--format", "json"], &["config"], &RELEASE] {
            let output = support::lockkeeper()
                .args(command)
                .args(address)
                .env("LOCKKEEPER_JOURNAL", folder.path().join("journal.jsonl"))
                .output()
                .unwrap();
            let printed = [output.stdout, output.stderr].concat();
            assert!(!String::from_utf8_lossy(&printed).contains("hunter2"), "{address:?} {command:?}");
        }
    }
    let journal = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap_or_default();
    assert!(!journal.contains("hunter2"));
}

/// H3: a name of any length is bounded where it comes in.
#[tokio::test]
async fn h3_a_name_of_any_length_is_bounded() {
    let sql = "INSERT INTO distributed_locks VALUES ('k', hex(zeroblob(4000000)), '3', 7, datetime('now'), datetime('now', '+1 hour'), 'r');";
    let place = Place::new(sql).await;
    let (_, printed) = place.run(&["snapshot", "--format", "json"]);
    assert!(printed.len() < 200_000, "{} bytes", printed.len());
    let (code, printed) = place.run(&RELEASE);
    assert!(code != Some(0) || place.rows(LOG).await == ["Integer(1)"], "{printed}");
}
