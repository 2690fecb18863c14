//! What an operator does when something is wrong, from the first look to the proof, in a real terminal.

use crate::support;

use std::path::PathBuf;
use std::time::Duration;

use support::screen::{Screen, find};

/// The demo, where nodes react to what is done.
fn demo() -> Screen {
    Screen::start(140, 40, &["demo", "--speed", "14", "--operator", "ada"], &[])
}

#[test]
fn a_dead_nodes_lock_is_broken_and_the_waiter_gets_it() {
    let mut screen = demo();
    // Orphaned, and somebody waits.
    find(&mut screen, "3", "scheduler/queue state:orphaned", "src/scheduler/queue.rs");
    // Its agents' last words are a little younger than its last heartbeat: it is dead once all of them are old.
    let deadline = support::Deadline::new();
    let preview = loop {
        deadline.check("all signs of life to be old");
        screen.press("x");
        let preview = screen.wait_text("y run it");
        assert!(preview.contains("src/scheduler/queue.rs, held by loom"), "{preview}");
        if !preview.contains("may be alive") {
            break preview;
        }
        screen.press("\r");
        let clock = |text: &str| text.lines().next().and_then(|line| line.split_whitespace().last().map(str::to_owned));
        let then = clock(&preview);
        screen.wait_for("another second", |text| !text.contains("y run it") && clock(text) != then);
    };
    assert!(preview.contains("expire src/scheduler/queue.rs"), "{preview}");
    assert!(preview.contains("is next in line (inferred)"), "{preview}");
    screen.press("y");
    let done = screen.wait_text("Release src/scheduler/queue.rs: done");
    assert!(done.contains("✓ 1. expire"), "{done}");
    screen.press("\r");
    screen.press("\x1b");
    find(&mut screen, "3", "scheduler/queue", "src/scheduler/queue.rs");
    let text = screen.wait_for("the waiter has it", |text| {
        text.lines()
            .any(|line| line.contains("src/scheduler/queue.rs") && line.contains("● held") && !line.contains("loom"))
    });
    assert!(text.contains("● held"), "{text}");
    screen.press("9");
    let journal = screen.wait_text("✓ yes");
    assert!(journal.contains("✓ done") && journal.contains("ada"), "{journal}");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}

#[test]
fn a_stuck_task_is_rerouted() {
    let mut screen = demo();
    find(&mut screen, "5", "state:orphaned lease:-", "orphaned");
    screen.press("r");
    let picker = screen.wait_text("Re-route to");
    assert!(picker.contains("● agent"), "{picker}");
    screen.press("\r");
    let preview = screen.wait_text("y run it");
    assert!(preview.contains("give message") && preview.contains("finds it unclaimed"), "{preview}");
    if preview.contains("may be alive") {
        screen.press("y");
        let prompt = screen.wait_text("to run it:");
        let name = prompt.split("type ").nth(1).unwrap().split(" to run it:").next().unwrap().to_owned();
        screen.press(&name);
        screen.press("\r");
    } else {
        screen.press("y");
    }
    screen.wait_for("it is done", |text| text.contains(": done") && text.contains("it waits for agent"));
    screen.press("q");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}

#[test]
fn a_dead_node_is_evacuated() {
    let mut screen = demo();
    let void = "no longer holds";
    let ended = loop {
        find(&mut screen, "2", "loom staleness:critical", "loom");
        screen.press("e");
        let preview = screen.wait_text("Evacuate loom");
        assert!(preview.contains("quarantine loom"), "{preview}");
        screen.press("y");
        let next = |text: &str| text.contains("Enter closes") || text.contains("to run it:") || text.contains(void);
        let asked = screen.wait_for("it ran", next);
        if asked.contains("to run it:") && !asked.contains(void) {
            screen.press("loom\r");
            screen.wait_for("it ran", |text| text.contains("Enter closes") || text.contains(void));
        }
        let ended = screen.wait_for("it ran", |text| text.contains("Enter closes") || text.contains(void));
        if ended.contains("Enter closes") {
            break ended;
        }
        // The node came back meanwhile, as the story has it; it falls silent again.
        let deadline = support::Deadline::new();
        while screen.text().contains("Evacuate loom") {
            deadline.check("the preview to close");
            let shown = screen.text();
            screen.press("\x1b");
            screen.wait_for("an answer", |text| text != shown);
        }
    };
    assert!(ended.contains("✓ 1. quarantine loom"), "{ended}");
    screen.press("\r");
    screen.wait_for("it holds no lock of its own", |text| !text.contains("Enter closes"));
    screen.press("\r");
    let text = screen.wait_text("quarantined");
    assert!(text.contains("loom"), "{text}");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
}

/// Only what the screen says is followed: the finding, the hint, the name that is asked for.
#[test]
fn a_deadlock_is_freed_from_its_finding() {
    let mut screen = demo();
    find(&mut screen, "7", "rule:deadlock", "deadlock of");
    let hinted = screen.wait_text("x release");
    assert!(hinted.contains("release file:src/router/table.rs"), "{hinted}");
    screen.press("x");
    screen.wait_text("y run it (may be alive");
    screen.press("y");
    let prompt = screen.wait_text("to run it:");
    let name = prompt.split("type ").nth(1).unwrap().split(" to run it:").next().unwrap().to_owned();
    screen.press(&name);
    screen.press("\r");
    screen.wait_text("Release file:src/router/table.rs: done");
    screen.press("\r");
    screen.wait_for("nobody waits for each other", |text| {
        text.contains("Findings") && !text.contains("deadlock of") && !text.contains("Enter closes")
    });
    screen.press("8");
    screen.wait_for("no deadlock is left", |text| text.contains("EVIDENCE") && !text.contains("deadlock"));
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
}

async fn fixture(folder: &std::path::Path) -> PathBuf {
    let sql = format!(
        "PRAGMA journal_mode = WAL; {}
        INSERT INTO mesh_heartbeats VALUES ('gone', '3', unixepoch() * 1000 - 1200000, 'writing', 'r'),
            ('here', '4', unixepoch() * 1000 + 3600000, 'idle', 'r');
        INSERT INTO distributed_locks VALUES
            ('file:a.rs', 'gone', '3', 41, datetime('now', '-20 minutes'), datetime('now', '+1 hour'), 'r'),
            ('file:b.rs', 'here', '4', 7, datetime('now', '-20 minutes'), datetime('now', '+1 hour'), 'r');",
        lockkeeper::demo::vox::write::SCHEMA
    );
    support::database(folder, &sql).await
}

struct Desk {
    folder: tempfile::TempDir,
    database: PathBuf,
    screen: Screen,
}

async fn desk(more: &[&str]) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let database = fixture(folder.path()).await;
    let journal = folder.path().join("journal.jsonl");
    let env = [
        ("LOCKKEEPER_JOURNAL", journal.to_str().unwrap()),
        ("LOCKKEEPER_DB_ACCESS", "direct"),
        ("LOCKKEEPER_INTERVAL", "50ms"),
        ("LOCKKEEPER_OPERATOR", "ada"),
    ];
    let arguments = [&["--db", database.to_str().unwrap()], more].concat();
    let screen = Screen::start(120, 40, &arguments, &env);
    Desk { folder, database, screen }
}

impl Desk {
    async fn execute(&self, sql: &str) {
        let database = libsql::Builder::new_local(&self.database).build().await.unwrap();
        let connection = database.connect().unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch(sql).await.unwrap();
    }

    async fn holder(&self) -> String {
        let database = libsql::Builder::new_local(&self.database).build().await.unwrap();
        let sql = "SELECT holder_node || ' ' || fence_token FROM distributed_locks ORDER BY lock_key";
        let mut rows = database.connect().unwrap().query(sql, ()).await.unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next().await.unwrap() {
            all.push(row.get::<String>(0).unwrap());
        }
        all.join(", ")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_changes_hands_under_the_preview_is_not_touched() {
    let mut desk = desk(&[]).await;
    find(&mut desk.screen, "3", "a.rs", "file:a.rs");
    desk.screen.press("x");
    desk.screen.wait_text("y run it");
    desk.execute("UPDATE distributed_locks SET holder_node = 'here', holder_agent = '4', fence_token = 42 WHERE lock_key = 'file:a.rs'").await;
    desk.screen.wait_text("this plan no longer holds");
    desk.screen.press("y");
    desk.screen.wait_text("press u for the one that does");
    assert_eq!(desk.holder().await, "here 42, here 7");
    desk.screen.press("u");
    let fresh = desk.screen.wait_text("held by here (fence 42)");
    assert!(fresh.contains("may be alive"), "the new holder lives:\n{fresh}");
    // Enter cancels, whatever is shown.
    desk.screen.press("\r");
    desk.screen.wait_for("closed", |text| !text.contains("y run it"));
    assert_eq!(desk.holder().await, "here 42, here 7");
    assert!(!desk.folder.path().join("journal.jsonl").exists(), "nothing was tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_holder_is_fenced_off_by_name_and_can_be_given_its_lock_back() {
    let mut desk = desk(&[]).await;
    find(&mut desk.screen, "3", "b.rs", "file:b.rs");
    desk.screen.press("x");
    desk.screen.wait_text("may be alive");
    desk.screen.press("y");
    desk.screen.wait_text("type file:b.rs to run it:");
    desk.screen.press("file:a.rs\r");
    desk.screen.wait_text("that is not its name");
    assert_eq!(desk.holder().await, "gone 41, here 7");
    // The wrong name is taken away, the right one typed.
    desk.screen.press("\x15file:b.rs\r");
    desk.screen.wait_text("held by lockkeeper/ada, agent 0, fence 8");
    desk.screen.wait_text("Enter closes");
    // Give it back before the hold runs out.
    desk.screen.press("c");
    desk.screen.wait_text("Give file:b.rs back");
    desk.screen.press("y");
    desk.screen.wait_text("held by here, agent 4, fence 9");
    assert_eq!(desk.holder().await, "gone 41, here 9");
}

#[tokio::test(flavor = "multi_thread")]
async fn marked_rows_are_one_plan_and_no_other_row_is_touched() {
    let mut desk = desk(&[]).await;
    desk.execute(
        "INSERT INTO distributed_locks SELECT 'file:' || value || '.txt', 'gone', '3', 1, datetime('now'), \
         datetime('now', '+1 hour'), 'r' FROM (SELECT 1 AS value UNION SELECT 2 UNION SELECT 3)",
    )
    .await;
    find(&mut desk.screen, "3", ".txt", ".txt");
    desk.screen.wait_for("three rows", |text| text.matches(".txt").count() >= 3);
    desk.screen.press("  ");
    desk.screen.wait_text("2 marked");
    desk.screen.press("x");
    let preview = desk.screen.wait_text("Release 2 locks");
    assert!(preview.contains("2 steps"), "{preview}");
    desk.screen.press("y");
    desk.screen.wait_text("Release 2 locks: done");
    let over = "SELECT count(*) FROM distributed_locks WHERE expires_at <= datetime('now')";
    let database = libsql::Builder::new_local(&desk.database).build().await.unwrap();
    let mut rows = database.connect().unwrap().query(over, ()).await.unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().get::<i64>(0).unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_shows_no_action_and_takes_none() {
    let mut desk = desk(&["--read-only"]).await;
    desk.screen.press("3");
    let text = desk.screen.wait_text("file:a.rs");
    assert!(!text.contains("x release"), "{text}");
    desk.screen.press("x");
    desk.screen.wait_text("this console is read-only");
    desk.screen.press(":release");
    desk.screen.wait_for("no such command", |text| !text.contains("force-release"));
    desk.screen.press("\x1b");
    assert_eq!(desk.holder().await, "gone 41, here 7");
}
