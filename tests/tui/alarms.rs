//! Findings call somebody, are acknowledged, outlive the console, and are cleared: in a real terminal, over a real file.

use crate::support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use support::screen::Screen;
use support::wait_for;

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A mesh with one node that was heard long ago and holds a lock.
struct Case {
    folder: tempfile::TempDir,
    database: PathBuf,
    config: PathBuf,
    heard: PathBuf,
}

impl Case {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sql = format!(
            "{} INSERT INTO mesh_heartbeats VALUES ('gone', '1', {}, 'idle', 'r'), ('here', '2', {}, 'idle', 'r');
             INSERT INTO distributed_locks VALUES ('file:a', 'gone', '1', 3, datetime('now', '-1 hour'), datetime('now', '+1 hour'), 'r');",
            include_str!("../../src/demo/vox/schema.sql"),
            now_ms() - 3_600_000,
            now_ms(),
        );
        let database = support::database(folder.path(), &sql).await;
        let (config, heard) = (folder.path().join("config.toml"), folder.path().join("heard"));
        let text = format!(
            "on_finding = ['sh', '-c', 'cat >> {}']\ninterval = '100ms'\noperator = 'ada'\n\
             [alarms]\nraise_after = '100ms'\nclear_after = '300ms'\nnotify = 'critical'\n",
            heard.display()
        );
        fs::write(&config, text).unwrap();
        Self { folder, database, config, heard }
    }

    fn screen(&self) -> Screen {
        let state = self.folder.path().join("state");
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let arguments = ["--db", &path(&self.database), "--config", &path(&self.config)];
        Screen::start(140, 40, &arguments, &[("XDG_STATE_HOME", &path(&state))])
    }

    /// What the operator's program was told: the event and what it is about.
    fn sent(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(&self.heard).unwrap_or_default();
        let event = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
        let word = |event: &serde_json::Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        text.lines().filter_map(event).map(|e| (word(&e, "event"), word(&e, "rule"))).collect()
    }

    fn wait_sent(&self, event: &str, rule: &str) {
        let wanted = (event.to_owned(), rule.to_owned());
        wait_for(&format!("{wanted:?} among {:?}", self.sent()), || self.sent().contains(&wanted).then_some(()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_calls_is_known_outlives_the_console_and_is_cleared() {
    let case = Case::new().await;
    let mut screen = case.screen();
    screen.wait_bytes("\x07");
    screen.wait_bytes("\x1b]9;mesh: ");
    screen.wait_bytes("\x1b]777;notify;lockkeeper;mesh: ");
    screen.wait_bytes("\x1b[22;0t");
    screen.wait_bytes("\x1b]2;✖ ");
    case.wait_sent("raised", "node-dead");
    case.wait_sent("raised", "lock-orphaned");

    screen.press("7");
    screen
        .wait_for("the selected finding", |text| text.lines().any(|l| l.starts_with('▸') && l.contains("gone: dead")));
    screen.press("A");
    screen.wait_text("acknowledged for 1h");
    screen.wait_for("who knows", |text| text.lines().any(|l| l.starts_with('▸') && l.contains("ada")));
    case.wait_sent("acknowledged", "node-dead");
    screen.press("0");
    screen.wait_for("the event", |text| text.lines().any(|l| l.contains("acknowledged") && l.contains("gone: dead")));
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored() && screen.raw().ends_with_title_given_back());

    // The command line knows it too.
    let output = support::lockkeeper()
        .args(["snapshot", "--format", "json", "--db", case.database.to_str().unwrap()])
        .env("XDG_STATE_HOME", case.folder.path().join("state"))
        .output()
        .unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    support::documents::assert_valid(&seen);
    let known = |rule: &str| {
        let finding = seen["findings"].as_array().unwrap().iter().find(|f| f["rule"] == rule).unwrap();
        (finding["acknowledged_by"].clone(), finding["raised_ms"].is_number())
    };
    assert_eq!(known("node-dead"), ("ada".into(), true));
    assert_eq!(known("lock-orphaned"), (serde_json::Value::Null, true));

    // Another console, later: it knows what was raised and who knows, and calls nobody again.
    let sent = case.sent().len();
    let mut screen = case.screen();
    screen.press("7");
    screen.wait_for("who knows", |text| text.lines().any(|l| l.contains("gone: dead") && l.contains("ada")));
    screen.wait_text("2 rows");
    // The other one is no news either; both are cleared once the node is back and the lock is gone.
    let connection = libsql::Builder::new_local(&case.database).build().await.unwrap().connect().unwrap();
    connection
        .execute_batch("DELETE FROM distributed_locks; DELETE FROM mesh_heartbeats WHERE node_id = 'gone';")
        .await
        .unwrap();
    case.wait_sent("cleared", "node-dead");
    case.wait_sent("cleared", "lock-orphaned");
    let since = case.sent().split_off(sent);
    assert!(since.iter().all(|(event, _)| event == "cleared"), "{since:?}");
    screen.wait_text("all is well");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);

    // Nothing that a terminal could obey is in the file, and nobody else may read it.
    let file = case.folder.path().join("state/lockkeeper/events.jsonl");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(file).unwrap().is_ascii());
}

trait Title {
    fn ends_with_title_given_back(&self) -> bool;
}

impl Title for String {
    fn ends_with_title_given_back(&self) -> bool {
        self.rfind("\x1b[23;0t") > self.rfind("\x1b[22;0t")
    }
}

/// Lines in place of a screen: no terminal, nothing but text, and an end when nobody reads any more.
#[tokio::test(flavor = "multi_thread")]
async fn plain_lines_need_no_terminal() {
    let case = Case::new().await;
    let mut child = support::lockkeeper()
        .args(["--plain", "--db", case.database.to_str().unwrap(), "--config", case.config.to_str().unwrap()])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (send, lines) = std::sync::mpsc::channel();
    let reader = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || reader.lines().map(Result::unwrap).try_for_each(|line| send.send(line)));
    let until = |word: &str| {
        let next = || lines.recv_timeout(support::PATIENCE).unwrap_or_else(|e| panic!("no line with {word}: {e}"));
        let line = std::iter::repeat_with(next).find(|line| line.contains(word)).unwrap();
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.len() == 9 && time.ends_with('Z') && text.is_ascii(), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    };
    until("watching mesh");
    until("source fixture.db: live");
    until("now critical; 2 nodes");
    until("raised, critical: gone: dead");
    let connection = libsql::Builder::new_local(&case.database).build().await.unwrap().connect().unwrap();
    connection
        .execute_batch("DELETE FROM distributed_locks; DELETE FROM mesh_heartbeats WHERE node_id = 'gone';")
        .await
        .unwrap();
    until("now all is well; 1 node");
    until("cleared, critical: ");
    drop(lines);
    // The next line finds nobody; something has to happen for it.
    connection.execute_batch("INSERT INTO mesh_heartbeats VALUES ('gone', '1', 5, 'idle', 'r'); INSERT INTO distributed_locks VALUES ('file:a', 'gone', '1', 3, datetime('now', '-1 hour'), datetime('now', '+1 hour'), 'r')").await.unwrap();
    assert!(wait_for("its end", || child.try_wait().unwrap()).success());
}
