//! A control plane that fails between the steps of a re-route, and a console that is killed at every step of an
//! evacuation: taken up again, both end as if nothing had happened.

use crate::support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use lockkeeper::demo::vox::control;
use lockkeeper::demo::vox::control::{Plane, Shared, Tokens};
use serde_json::{Value, json};
use support::screen::Screen;

/// What goes wrong once, at which call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// The server fails, and did nothing.
    Before(&'static str),
    /// The server did it, and its answer is lost.
    After(&'static str),
    /// The same, and the receiver takes the message at once.
    Taken,
}

#[derive(Clone)]
struct Faulty {
    plane: Shared,
    fault: Arc<Mutex<Option<Fault>>>,
    delivered: Arc<Mutex<usize>>,
}

async fn answer(State(faulty): State<Faulty>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let is = |word: &str| path.ends_with(word);
    let now = {
        let mut fault = faulty.fault.lock().unwrap();
        let hit = match *fault {
            Some(Fault::Before(word) | Fault::After(word)) => is(word),
            Some(Fault::Taken) => is("deliver"),
            None => false,
        };
        if hit { fault.take() } else { None }
    };
    let failed = || (StatusCode::INTERNAL_SERVER_ERROR, "as told").into_response();
    if matches!(now, Some(Fault::Before(_))) {
        return failed();
    }
    let response = next.run(request).await;
    *faulty.delivered.lock().unwrap() += usize::from(is("deliver"));
    match now {
        Some(Fault::After(_)) => failed(),
        Some(Fault::Taken) => {
            let mut plane = faulty.plane.lock().unwrap();
            let last = plane.messages.last_mut().unwrap();
            last["acknowledged"] = true.into();
            drop(plane);
            failed()
        }
        _ => response,
    }
}

struct Mesh {
    folder: tempfile::TempDir,
    database: PathBuf,
    base: String,
    faulty: Faulty,
}

impl Mesh {
    /// `gone` is dead with locks, a lease, a claim and messages of both kinds; `here` is alive.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!(
            "PRAGMA journal_mode = WAL; {}
            INSERT INTO mesh_heartbeats VALUES ('gone', '3', unixepoch() * 1000 - 1200000, 'writing', 'r'),
                ('here', '4', unixepoch() * 1000 + 3600000, 'idle', 'r');
            INSERT INTO distributed_locks VALUES
                ('file:a.rs', 'gone', '3', 41, datetime('now', '-20 minutes'), datetime('now', '+1 hour'), 'r'),
                ('file:b.rs', 'gone', '3', 2, datetime('now', '-20 minutes'), datetime('now', '+1 hour'), 'r'),
                ('file:c.rs', 'here', '4', 5, datetime('now'), datetime('now', '+1 hour'), 'r');
            INSERT INTO vcs_lock VALUES ('/w/d.rs', 'exclusive', '3', 'gone', 'r', 0, unixepoch() * 1000 + 3600000, NULL, 9);
            INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload, repository_id,
                claim_owner, claim_until_ms) VALUES
                ('u1', '9', '3', 'plan_handoff', '{{}}', 'r', 'gone:1', 5),
                ('u2', '9', '4', 'plan_handoff', '{{}}', 'r', 'gone:1', 6),
                ('u3', '9', '3', 'remote_task_envelope', '{{\"task_id\":42,\"idempotency_key\":\"k\"}}', 'r', NULL, NULL);",
            lockkeeper::demo::vox::write::SCHEMA
        );
        let database = support::database(folder.path(), &sql).await;
        let plane = Arc::new(Mutex::new(Plane::new(Tokens::default())));
        let faulty = Faulty { plane: plane.clone(), fault: Arc::default(), delivered: Arc::default() };
        let router = control::router(plane.clone()).layer(middleware::from_fn_with_state(faulty.clone(), answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        {
            let mut plane = plane.lock().unwrap();
            let hour_ago = lockkeeper::clock::wall_clock() - 3_600_000;
            for (id, seen) in [("gone", hour_ago), ("here", hour_ago + 7_200_000)] {
                plane.nodes.push(json!({"id": id, "capabilities": {}, "version": "1", "last_seen_unix_ms": seen}));
            }
            let until = hour_ago + 7_200_000;
            plane.leases.push(
                json!({"lease_id": "7", "scope_key": "task:42", "holder_node_id": "gone", "expires_unix_ms": until}),
            );
            for id in 1..=2 {
                plane.messages.push(json!({"id": id, "sender_agent_id": "9", "receiver_agent_id": "3",
                    "message_type": "remote_task_envelope", "payload": format!("{{\"task_id\":{}}}", 100 + id),
                    "created_unix_ms": hour_ago, "acknowledged": false, "priority": 200}));
            }
            plane.set_next_message(3);
        }
        Self { folder, database, base, faulty }
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::from(support::lockkeeper());
        command.args(arguments).args(["--db", self.database.to_str().unwrap(), "--control", &self.base]);
        command.env("LOCKKEEPER_JOURNAL", self.journal()).env("LOCKKEEPER_DB_ACCESS", "direct");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().await.unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&printed).into_owned())
    }

    /// A person reads what is unclear, and types its name.
    fn run_asked(&self, arguments: &[&str], name: &str) -> String {
        let all = [arguments, &["--db", self.database.to_str().unwrap(), "--control", &self.base]].concat();
        let journal = self.journal();
        let env = [("LOCKKEEPER_JOURNAL", journal.to_str().unwrap()), ("LOCKKEEPER_DB_ACCESS", "direct")];
        let mut screen = Screen::start(160, 50, &all, &env);
        screen.wait_text("to run it:");
        screen.press(&format!("{name}\r"));
        screen.wait_end();
        screen.text()
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.jsonl")
    }

    /// Everything that an evacuation may touch.
    async fn state(&self) -> Value {
        let database = libsql::Builder::new_local(&self.database).build().await.unwrap();
        let connection = database.connect().unwrap();
        let mut tables = Vec::new();
        for sql in [
            "SELECT lock_key, holder_node, fence_token, expires_at > datetime('now') FROM distributed_locks ORDER BY 1",
            "SELECT path, holder_node_id, fence_token, expires_at > unixepoch() * 1000 FROM vcs_lock",
            "SELECT id, receiver_agent, acknowledged, claim_owner FROM a2a_messages ORDER BY id",
        ] {
            let mut rows = connection.query(sql, ()).await.unwrap();
            while let Some(row) = rows.next().await.unwrap() {
                let cells: Vec<String> =
                    (0..row.column_count()).map(|i| format!("{:?}", row.get_value(i).unwrap())).collect();
                tables.push(cells.join(" "));
            }
        }
        let plane = self.faulty.plane.lock().unwrap();
        let mut messages: Vec<String> = plane
            .messages
            .iter()
            .map(|m| format!("{} {} {}", m["receiver_agent_id"], m["payload"], m["acknowledged"]))
            .collect();
        messages.sort();
        let shut: Vec<&Value> = plane.nodes.iter().filter(|n| n["quarantined"] == true).map(|n| &n["id"]).collect();
        json!({ "tables": tables, "messages": messages, "leases": plane.leases, "shut_out": shut })
    }

    /// Op-log entries whose chain does not verify, as the console itself reads them.
    async fn unverified(&self) -> Vec<String> {
        let (_, printed) = self.run(&["snapshot", "--view", "oplog", "--format", "json"]).await;
        let snapshot: Value = serde_json::from_str(&printed).unwrap();
        support::documents::assert_valid(&snapshot);
        let entries = snapshot["oplog"].as_array().unwrap();
        assert!(!entries.is_empty());
        entries.iter().filter(|e| e["chain"] != "verified").map(ToString::to_string).collect()
    }

    /// What the op-log says was done, without the attempts' names: one entry for each thing.
    async fn logged(&self) -> Vec<String> {
        let database = libsql::Builder::new_local(&self.database).build().await.unwrap();
        let sql = "SELECT kind FROM agent_oplog ORDER BY kind";
        let mut rows = database.connect().unwrap().query(sql, ()).await.unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            all.push(row.get::<String>(0).unwrap());
        }
        all
    }
}

fn lines(journal: &Path) -> usize {
    std::fs::read_to_string(journal).map_or(0, |text| text.lines().count())
}

const EVACUATE: [&str; 4] = ["evacuate", "gone", "--yes", "--operator=ada"];

/// Runs until nothing is left to do.
async fn resume(mesh: &Mesh) -> (usize, String) {
    for run in 1..=6 {
        let (code, printed) = mesh.run(&EVACUATE).await;
        match code {
            0 if printed.contains("nothing of gone is left to move") => return (run, printed),
            4 if printed.contains("not without asking") => {
                mesh.run_asked(&["evacuate", "gone", "--operator=ada"], "gone");
            }
            0 => {}
            code => panic!("run {run}: {code}: {printed}"),
        }
    }
    panic!("it does not come to an end: {}", mesh.state().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_it_ends_the_same() {
    let whole = Mesh::new().await;
    let (code, printed) = whole.run(&EVACUATE).await;
    assert_eq!(code, 0, "{printed}");
    let (runs, _) = resume(&whole).await;
    assert_eq!(runs, 1, "a second run does nothing");
    let (expected, logged) = (whole.state().await, whole.logged().await);
    let steps = lines(&whole.journal()) / 2;
    assert!(steps >= 11, "{steps} steps");
    assert_eq!(logged.len(), steps, "each was done and logged once");
    assert_eq!(whole.unverified().await, Vec::<String>::new());

    let mut chance = fastrand::Rng::with_seed(3);
    for at in 0..=2 * steps + 6 {
        let mesh = Mesh::new().await;
        // After the journal's line `at`, and some more at random.
        let at = if at > 2 * steps { chance.usize(0..2 * steps) } else { at };
        let mut child = mesh.command(&EVACUATE).spawn().unwrap();
        let deadline = support::Deadline::new();
        while lines(&mesh.journal()) < at && child.try_wait().unwrap().is_none() {
            deadline.check("the journal's line, or the end");
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        tokio::time::sleep(Duration::from_micros(chance.u64(0..1_500))).await;
        let _ = child.start_kill();
        let _ = child.wait().await;
        resume(&mesh).await;
        assert_eq!(mesh.state().await, expected, "killed after line {at}");
        let again = mesh.logged().await;
        let mut once = again.clone();
        once.dedup();
        assert_eq!(again, once, "nothing is logged twice; killed after line {at}");
        assert_eq!(mesh.unverified().await, Vec::<String>::new(), "killed after line {at}");
        // The one step whose answer was lost with its console may be done without a proof of who did it.
        assert!(again.iter().all(|entry| logged.contains(entry)), "nothing else is logged; killed after line {at}");
        assert!(
            again.len() + 1 >= logged.len(),
            "{} of {} are logged; killed after line {at}",
            again.len(),
            logged.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reroute_survives_a_failure_at_each_point() {
    for fault in [
        Fault::Before("deliver"),
        Fault::After("deliver"),
        Fault::Before("ack"),
        Fault::After("ack"),
        Fault::Before("inbox"),
    ] {
        let mesh = Mesh::new().await;
        let reroute = ["reroute", "1", "--to", "4", "--operator=ada"];
        let source = mesh.base.trim_start_matches("http://").to_owned();
        let id = format!("{source}/1");
        let reroute = [&["reroute", id.as_str()], &reroute[2..]].concat();
        let with_yes = [&reroute[..], &["--yes"]].concat();
        *mesh.faulty.fault.lock().unwrap() = Some(fault);
        let (mut code, mut printed) = mesh.run(&with_yes).await;
        for _ in 0..3 {
            match code {
                0 => break,
                4 if printed.contains("not without asking") => {
                    assert_eq!(fault, Fault::Before("deliver"), "{printed}");
                    mesh.run_asked(&reroute, "message 1");
                    code = 0;
                }
                1 | 4 => (code, printed) = mesh.run(&with_yes).await,
                code => panic!("{fault:?}: {code}: {printed}"),
            }
        }
        assert_eq!(code, 0, "{fault:?}: {printed}");
        assert_eq!(*mesh.faulty.delivered.lock().unwrap(), 1, "{fault:?}: delivered once");
        let plane = mesh.faulty.plane.lock().unwrap();
        let copies: Vec<&Value> = plane.messages.iter().filter(|m| m["payload"] == "{\"task_id\":101}").collect();
        let of = |to: &str| {
            copies.iter().filter(|m| m["receiver_agent_id"] == to).map(|m| &m["acknowledged"]).collect::<Vec<_>>()
        };
        assert_eq!((of("3"), of("4")), (vec![&json!(true)], vec![&json!(false)]), "{fault:?}");
        assert_eq!(copies[1]["priority"], 200, "it keeps what it was sent with");
    }
}

/// The server forgets a key once its message is acknowledged: sending again would be a second message.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_taken_is_not_sent_again_unasked() {
    let mesh = Mesh::new().await;
    let id = format!("{}/1", mesh.base.trim_start_matches("http://"));
    *mesh.faulty.fault.lock().unwrap() = Some(Fault::Taken);
    let reroute = ["reroute", &id, "--to", "4", "--yes"];
    let (code, printed) = mesh.run(&reroute).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("it never arrived, or was taken at once"), "{printed}");
    assert!(printed.contains("skipped"), "the original stays: {printed}");
    for _ in 0..2 {
        let (code, printed) = mesh.run(&reroute).await;
        assert_eq!(code, 4, "{printed}");
        assert!(printed.contains("delivering again runs it twice"), "{printed}");
    }
    assert_eq!(*mesh.faulty.delivered.lock().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_drained_and_shut_out_and_let_in_again() {
    let mesh = Mesh::new().await;
    let flag = |name: &str| {
        let plane = mesh.faulty.plane.lock().unwrap();
        plane.nodes.iter().find(|n| n["id"] == "here").unwrap()[name].clone()
    };
    for (command, name, on) in [
        (&["drain", "here", "--for", "30m", "--yes"][..], "maintenance", true),
        (&["undrain", "here", "--yes"], "maintenance", false),
        (&["quarantine", "here", "--yes"], "quarantined", true),
        (&["unquarantine", "here", "--yes"], "quarantined", false),
    ] {
        let (code, printed) = mesh.run(command).await;
        assert_eq!((code, flag(name) == true), (0, on), "{command:?}: {printed}");
        let (code, printed) = mesh.run(command).await;
        // A node that is drained already may be given another deadline.
        let again = if command.contains(&"--for") { 0 } else { 4 };
        assert_eq!(code, again, "{command:?} again: {printed}");
    }
    assert_eq!(mesh.logged().await.len(), 5, "the database's op-log has what was done on the control plane");
    // A server that fails says so, and the flag is looked at again.
    *mesh.faulty.fault.lock().unwrap() = Some(Fault::After("quarantine"));
    let (code, printed) = mesh.run(&["quarantine", "here", "--yes"]).await;
    assert_eq!((code, flag("quarantined") == true), (0, true), "read back: {printed}");
}
