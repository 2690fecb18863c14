//! The stream of changes: across restarts nothing is lost, and nothing comes twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::support;
use crate::support::documents::assert_valid;
use crate::support::service::{database, execute};

/// A reader of the stream, which knows the last cursor that it has.
struct Reader {
    log: String,
    database: String,
    last: Option<u64>,
    /// What it made of the lines.
    state: BTreeMap<(String, String), Value>,
}

struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Reader {
    fn start(&self, more: &[&str]) -> Running {
        let mut command = support::lockkeeper();
        command.args(["watch", "--interval", "50ms", "--db", &self.database, "--log", &self.log]).args(more);
        if let Some(last) = self.last {
            command.args(["--since", &last.to_string()]);
        }
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let lines = follow(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// Takes lines until one fits, or for no longer than a test waits.
    fn take(&mut self, running: &Running, mut until: impl FnMut(&Value) -> bool) {
        loop {
            let line = running.lines.recv_timeout(support::PATIENCE).expect("a change");
            let change: Value = serde_json::from_str(&line).unwrap();
            assert_valid(&change);
            let cursor = change["cursor"].as_u64().unwrap();
            assert_eq!(cursor, self.last.unwrap_or(0) + 1, "lost, or twice: {line}");
            self.last = Some(cursor);
            let key = (change["kind"].as_str().unwrap().to_owned(), change["key"].as_str().unwrap().to_owned());
            assert_eq!(self.state.get(&key).unwrap_or(&Value::Null), &change["was"], "{line}");
            match &change["is"] {
                Value::Null => _ = self.state.remove(&key),
                is => _ = self.state.insert(key, is.clone()),
            }
            if until(&change) {
                return;
            }
        }
    }
}

fn follow(out: ChildStdout) -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Running {
    /// As a power cut ends it.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn insert(n: u32, fence: u32) -> String {
    format!(
        "INSERT OR REPLACE INTO distributed_locks VALUES ('k{n}', 'forge', '1', {fence}, datetime('now'), datetime('now', '+1 hour'), 'r');"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_is_killed_its_reader_loses_nothing_and_hears_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let log = folder.path().join("watch.jsonl").to_str().unwrap().to_owned();
    let mut reader = Reader { log, database: database.clone(), last: None, state: BTreeMap::new() };
    let mut chance = fastrand::Rng::with_seed(7);
    for round in 0..8u32 {
        let running = reader.start(&[]);
        // What happened while it was down comes first, then what happens now; a mark ends the round.
        let changes: String = (0..chance.u32(0..6)).map(|n| insert(n, round * 10 + chance.u32(0..9))).collect();
        execute(&database, &format!("{changes}{}", insert(100 + round, 1))).await;
        let mark = format!("k{}", 100 + round);
        reader.take(&running, |change| change["name"] == mark.as_str());
        running.kill();
        let gone = chance.u32(0..6);
        execute(
            &database,
            &format!(
                "DELETE FROM distributed_locks WHERE lock_key = 'k{gone}'; {}",
                insert(chance.u32(0..6), 500 + round)
            ),
        )
        .await;
    }
    let running = reader.start(&[]);
    // What is gone stands after what came; the second mark is of another look.
    for mark in [998, 999] {
        execute(&database, &insert(mark, 1)).await;
        reader.take(&running, |change| change["name"] == format!("k{mark}").as_str());
    }
    running.kill();
    let seen = support::snapshot(&database, &[]);
    let locks: BTreeMap<&str, i64> = seen["locks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lock| (lock["lock_key"].as_str().unwrap(), lock["fence_token"].as_i64().unwrap()))
        .collect();
    let followed: BTreeMap<&str, i64> = reader
        .state
        .iter()
        .filter(|((kind, _), _)| kind == "lock")
        .map(|(_, is)| (is["name"].as_str().unwrap(), is["fence_token"].as_i64().unwrap()))
        .collect();
    assert_eq!(followed, locks);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_filters_ends_with_its_reader_and_says_what_is_wrong_with_a_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let log = folder.path().join("watch.jsonl").to_str().unwrap().to_owned();
    let reader = Reader { log: log.clone(), database: database.clone(), last: None, state: BTreeMap::new() };
    let running = reader.start(&["--filter", "kind:lock"]);
    let first = running.lines.recv_timeout(support::PATIENCE).unwrap();
    assert!(first.contains("\"kind\":\"lock\"") && first.contains("file:a.rs"), "{first}");
    // One log has one writer.
    let arguments = ["watch", "--db", &database, "--log", &log];
    let second = support::run(&arguments);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another watch writes it"));
    running.kill();
    let wrong = support::run(&[&arguments[..], &["--since", "999"]].concat());
    let why = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(1) && why.contains("there is no cursor 999 yet"), "{why}");
    // A reader that leaves ends it.
    let mut left = support::lockkeeper();
    left.args(arguments).args(["--interval", "50ms", "--since", "0"]);
    let mut child = left.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    execute(&database, &insert(1, 1)).await;
    let ended = support::wait_for("its end", || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}
