//! What the program itself stands on breaks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{self, screen::Screen};
use crate::{QUICK, Row, calm, from, schema};

fn state_not_writable() -> Row {
    let mut screen = calm(&[("XDG_STATE_HOME", "/dev/null/nowhere")]);
    screen.press("0");
    let text = screen.wait_text("nothing so far");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    let seen = from(&text, "nothing so far");
    Row { area: "process", fault: "the state folder cannot be written", expected: "watching goes on", seen }
}

fn process(fault: &'static str, expected: &'static str, seen: String) -> Row {
    Row { area: "process", fault, expected, seen }
}

/// A mesh with a silent holder of a lock.
async fn silent(folder: &Path) -> PathBuf {
    let sql = schema().replace("('alpha', '1', unixepoch() * 1000,", "('alpha', '1', (unixepoch() - 3600) * 1000,");
    let lock = "INSERT INTO distributed_locks VALUES ('file:a', 'alpha', '1', 1, datetime('now', '-1 hour'), datetime('now', '+1 hour'), 'r');";
    support::database(folder, &format!("{sql}{lock}")).await
}

/// The history of events lies on a disk without room.
async fn disk_full_for_events() -> Row {
    let folder = tempfile::tempdir().unwrap();
    let database = silent(folder.path()).await;
    let state = folder.path().join("state");
    fs::create_dir_all(state.join("lockkeeper")).unwrap();
    std::os::unix::fs::symlink("/dev/full", state.join("lockkeeper/events.jsonl")).unwrap();
    let env =
        [QUICK, &[("XDG_STATE_HOME", state.to_str().unwrap()), ("LOCKKEEPER_ALARMS_RAISE_AFTER", "200ms")]].concat();
    let mut screen = Screen::start(200, 40, &["--db", database.to_str().unwrap()], &env);
    screen.press("0");
    screen.wait_text("raised");
    let text = screen.wait_text("not kept for later");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    process(
        "no room for the history of events",
        "events are shown, and that they are not kept",
        from(&text, "not kept for later"),
    )
}

/// The journal lies on a disk without room: what cannot be written down is not done.
async fn disk_full_for_the_journal() -> Row {
    let folder = tempfile::tempdir().unwrap();
    let database = silent(folder.path()).await;
    let before = fs::read(&database).unwrap();
    let journal = folder.path().join("journal.jsonl");
    std::os::unix::fs::symlink("/dev/full", &journal).unwrap();
    let output = support::lockkeeper()
        .args(["release", "file:a", "--fence", "1", "--yes", "--db", database.to_str().unwrap()])
        .env("LOCKKEEPER_JOURNAL", &journal)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert_eq!(fs::read(&database).unwrap(), before, "nothing was done");
    let printed = printed.replace(&format!("{}/", folder.path().display()), "");
    process(
        "no room for the journal",
        "an action is refused, nothing is done",
        from(&printed, "nothing was done, because the journal"),
    )
}

/// Two consoles share one history: each event stands there once.
async fn two_consoles() -> Row {
    let folder = tempfile::tempdir().unwrap();
    let sql = schema().replace("('alpha', '1', unixepoch() * 1000,", "('alpha', '1', (unixepoch() - 3600) * 1000,");
    let database = support::database(folder.path(), &sql).await;
    let state = folder.path().join("state");
    let env =
        [QUICK, &[("XDG_STATE_HOME", state.to_str().unwrap()), ("LOCKKEEPER_ALARMS_RAISE_AFTER", "200ms")]].concat();
    let mut screens: Vec<Screen> =
        (0..3).map(|_| Screen::start(200, 40, &["--db", database.to_str().unwrap()], &env)).collect();
    for screen in &mut screens {
        screen.press("0");
        screen.wait_text("raised");
    }
    for screen in &mut screens {
        screen.press("q");
        assert_eq!(screen.wait_end(), 0);
    }
    let text = fs::read_to_string(state.join("lockkeeper/events.jsonl")).unwrap();
    let raised = text.lines().filter(|line| line.contains("\"raised\"") && line.contains("alpha")).count();
    assert_eq!(raised, 1, "{text}");
    Row {
        area: "process",
        fault: "three consoles on one state folder",
        expected: "each event is written once, and all show it",
        seen: "1 line, 3 screens".into(),
    }
}

pub async fn all() -> Vec<Row> {
    vec![state_not_writable(), disk_full_for_events().await, disk_full_for_the_journal().await, two_consoles().await]
}
