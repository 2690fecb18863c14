//! A Harn project as it is met: a real log, real directories, a real file of leases; read as they grow, are compacted,
//! replaced and tampered with; and shown beside a mesh of another kind.

use crate::support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lockkeeper::clock::wall_clock;
use lockkeeper::data::harn::hosts::Hosts;
use lockkeeper::data::harn::locks::Locks;
use lockkeeper::data::harn::log::EventLog;
use lockkeeper::data::harn::places::LogPlace;
use lockkeeper::data::poller::attempt;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::demo::harn::{LEASES, Log, Project, ROOM, take_lock};
use lockkeeper::mesh::MeshState;
use lockkeeper::mesh::derive::locks::LockState;
use lockkeeper::mesh::derive::{Evaluator, Snapshot, Thresholds};
use lockkeeper::model::observation::{Change, Observation};
use lockkeeper::model::report::Report;
use lockkeeper::model::source::Identity;
use serde_json::json;
use support::screen::Screen;

const WINDOW: usize = 50;

/// A console's view of some sources.
struct Console {
    watch: MeshState,
    sources: Vec<Box<dyn Source>>,
}

impl Console {
    fn new(sources: Vec<(&str, Box<dyn Source>)>) -> Self {
        let identity = |name: &str| Identity {
            system: "Harn",
            name: name.into(),
            kind: "",
            place: "".into(),
            how: "",
            provides: lockkeeper::data::harn::OF_LOG,
            rules: &[],
            why_empty: &[],
            can: lockkeeper::model::action::Abilities::default(),
            cannot: None,
        };
        let identities = sources.iter().map(|(name, _)| identity(name)).collect();
        let sources = sources.into_iter().map(|(_, source)| source).collect();
        Self { watch: MeshState::new("m".into(), identities, 2_000), sources }
    }

    fn of_log(place: LogPlace) -> Self {
        Self::new(vec![("log", Box::new(EventLog::new(place, WINDOW, wall_clock)))])
    }

    /// Polls everything once; answers what each poll brought.
    async fn poll(&mut self) -> Vec<Result<Observation, String>> {
        let mut seen = Vec::new();
        for (source, poller) in self.sources.iter_mut().enumerate() {
            let polled = attempt(poller.as_mut(), &PollContext::default(), Duration::from_secs(20)).await;
            if let Ok(observation) = &polled {
                let observation = Box::new(observation.clone());
                self.watch.apply(Report::Observed { source, at_ms: wall_clock(), observation });
            }
            seen.push(polled.map_err(|fault| fault.to_string()));
        }
        seen
    }

    fn snapshot(&self) -> Snapshot {
        Evaluator::default().evaluate(
            &self.watch,
            &self.watch.everything(),
            wall_clock(),
            &Thresholds::default(),
            1_000,
        )
    }
}

fn findings(snapshot: &Snapshot, rule: &str) -> usize {
    snapshot.findings.iter().filter(|finding| finding.rule == rule).count()
}

fn chain(snapshot: &Snapshot) -> Vec<(String, String)> {
    snapshot.log.iter().map(|l| (l.entry.operation_id.to_string(), l.chain.to_string())).collect()
}

async fn execute(path: &Path, sql: &str) {
    let database = libsql::Builder::new_local(path).build().await.unwrap();
    database.connect().unwrap().execute_batch(sql).await.unwrap();
}

async fn some_log(path: &Path, events: i64) -> Log {
    let mut log = Log::create(path).await.unwrap();
    for n in 0..events {
        let more = json!({"subject": format!("message {n}"), "to": "sess-b"});
        log.send(ROOM, "status", "a", more, wall_clock()).await.unwrap();
    }
    log
}

#[tokio::test]
async fn what_was_read_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sqlite");
    let mut log = some_log(&path, 120).await;
    let mut console = Console::of_log(LogPlace::Sqlite(path.clone()));
    let first = console.poll().await.remove(0).unwrap();
    assert!(first.cost.rows <= WINDOW as u64 + 5, "a window, not the history: {} rows", first.cost.rows);
    let snapshot = console.snapshot();
    assert_eq!(snapshot.log.len(), WINDOW);
    let states = chain(&snapshot);
    assert_eq!(states.iter().filter(|(_, state)| state == "verified").count(), WINDOW - 1);
    assert_eq!(states.last().unwrap().1, "unverifiable", "what was before the window was not read");
    let second = console.poll().await.remove(0).unwrap();
    assert_eq!((second.cost.rows, second.changes.len()), (0, 0), "nothing is new");
    log.send(ROOM, "status", "a", json!({"subject": "one more"}), wall_clock()).await.unwrap();
    let third = console.poll().await.remove(0).unwrap();
    assert!(third.cost.rows <= 3, "the heads and one event: {} rows", third.cost.rows);
    assert_eq!(console.snapshot().log.len(), WINDOW + 1);
}

#[tokio::test]
async fn compaction_replacement_and_a_lost_file_are_survived() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sqlite");
    let _log = some_log(&path, 10).await;
    let mut console = Console::of_log(LogPlace::Sqlite(path.clone()));
    console.poll().await.remove(0).unwrap();
    assert!(chain(&console.snapshot()).iter().all(|(_, state)| state == "verified"));
    execute(&path, "DELETE FROM events WHERE event_id <= 4").await;
    assert!(console.poll().await.remove(0).is_ok());
    let mut fresh = Console::of_log(LogPlace::Sqlite(path.clone()));
    fresh.poll().await.remove(0).unwrap();
    assert_eq!(findings(&fresh.snapshot(), "chain-broken"), 0, "a prefix that is gone is compaction");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", path.display()));
    }
    let gone = console.poll().await.remove(0).unwrap_err();
    assert!(gone.contains("does not exist"), "{gone}");
    let _log = some_log(&path, 3).await;
    let anew = console.poll().await.remove(0).unwrap();
    assert!(matches!(anew.changes.first(), Some(Change::Reset)), "another file: what was known is void");
    assert_eq!(console.snapshot().log.len(), 3);
}

#[tokio::test]
async fn tampering_breaks_the_chain_where_it_was_done() {
    for (sql, broken) in [
        (
            "UPDATE events SET payload = CAST(replace(CAST(payload AS TEXT), 'message 3', 'message x') AS BLOB)",
            "fleet#4",
        ),
        ("UPDATE events SET occurred_at_ms = occurred_at_ms + 1 WHERE event_id = 6", "fleet#6"),
        ("DELETE FROM events WHERE event_id = 5", "fleet#6"),
        ("UPDATE events SET headers = replace(headers, 'sha256:', 'sha257:') WHERE event_id = 2", "fleet#2"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.sqlite");
        let _log = some_log(&path, 8).await;
        execute(&path, sql).await;
        let mut console = Console::of_log(LogPlace::Sqlite(path));
        console.poll().await.remove(0).unwrap();
        let states = chain(&console.snapshot());
        let first = states.iter().filter(|(_, state)| state == "broken").map(|(name, _)| name.as_str()).min();
        assert_eq!(first, Some(broken), "{sql}: {states:?}");
    }
}

/// D9: a log at rest is read where nothing may be written, and nothing is left beside it.
#[tokio::test]
async fn d9_an_idle_log_is_read_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sqlite");
    drop(some_log(&path, 5).await);
    let names = || -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // What its writers leave: one file, as after their checkpoint and close.
    execute(&path, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", path.display()));
    }
    assert_eq!(names(), ["events.sqlite"]);
    let write = |yes: bool| {
        for (path, mode) in [(path.as_path(), 0o400), (folder.path(), 0o500)] {
            let mode = if yes { mode | 0o200 } else { mode };
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
    };
    write(false);
    let mut console = Console::of_log(LogPlace::Sqlite(path.clone()));
    let read = console.poll().await.remove(0);
    write(true);
    assert_eq!(read.map(|observation| observation.cost.rows > 0), Ok(true));
    assert_eq!(console.snapshot().log.len(), 5);
    assert_eq!(names(), ["events.sqlite"]);
}

/// Rows that are no events are counted and left out; the others are read.
#[tokio::test]
async fn malformed_rows_cost_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sqlite");
    let _log = some_log(&path, 3).await;
    let odd = format!(
        "INSERT INTO events VALUES ('{ROOM}', 4, 'channel.emit', x'fffe00', '{{}}', 1);
         INSERT INTO events VALUES ('{ROOM}', 5, 'channel.emit', '[[[', '{{}}', 1);
         INSERT INTO events VALUES ('{ROOM}', 6, 'channel.emit', '{{}}', 'no json', 1);
         INSERT INTO events VALUES ('{ROOM}', 7, 'channel.emit', zeroblob(3000000), '{{}}', 1);
         INSERT INTO events VALUES ('{ROOM}', 8, 'odd', '{{}}', '{{}}', 'soon');
         INSERT INTO events VALUES ('{ROOM}', 9, char(27) || '[31m', '{{\"payload\":5}}', '{{}}', 1);
         UPDATE topic_heads SET last_id = 9;"
    );
    execute(&path, &odd).await;
    let mut console = Console::of_log(LogPlace::Sqlite(path));
    let seen = console.poll().await.remove(0).unwrap();
    assert!(seen.notes.unwrap()[0].as_str().starts_with("5 rows are no events"));
    assert_eq!(console.snapshot().log.len(), 4);
    assert!(console.poll().await.remove(0).unwrap().changes.is_empty(), "and they are not read again");
}

#[tokio::test]
async fn both_backends_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.sqlite");
    let log = some_log(&path, 12).await;
    log.read_up_to(ROOM, "sess-b", 5, 7).await.unwrap();
    let place = folder.path().join("events");
    fs::create_dir_all(place.join("topics")).unwrap();
    fs::create_dir_all(place.join("consumers")).unwrap();
    let database = libsql::Builder::new_local(&path).build().await.unwrap();
    let sql = "SELECT event_id, kind, CAST(payload AS TEXT), headers, occurred_at_ms FROM events ORDER BY 1";
    let mut rows = database.connect().unwrap().query(sql, ()).await.unwrap();
    let mut lines = String::new();
    while let Some(row) = rows.next().await.unwrap() {
        let json = |i| serde_json::from_str::<serde_json::Value>(&row.get::<String>(i).unwrap()).unwrap();
        let event = json!({"kind": row.get::<String>(1).unwrap(), "payload": json(2), "headers": json(3),
            "occurred_at_ms": row.get::<i64>(4).unwrap()});
        lines.push_str(&format!("{}\n", json!({"id": row.get::<i64>(0).unwrap(), "event": event})));
    }
    let topic = place.join(format!("topics/{ROOM}.jsonl"));
    // The last line is torn: it is read when it is whole.
    let (most, rest) = lines.split_at(lines.len() - 40);
    fs::write(&topic, most).unwrap();
    let cursor = json!({"topic": ROOM, "consumer_id": "sess-b", "cursor": 5, "updated_at_ms": 7});
    fs::write(place.join("consumers/b.json"), cursor.to_string()).unwrap();
    let (mut one, mut two) = (Console::of_log(LogPlace::Sqlite(path)), Console::of_log(LogPlace::Files(place)));
    one.poll().await.remove(0).unwrap();
    two.poll().await.remove(0).unwrap();
    assert_eq!(two.snapshot().log.len(), 11);
    fs::write(&topic, format!("{most}{rest}")).unwrap();
    two.poll().await.remove(0).unwrap();
    let (a, b) = (one.snapshot(), two.snapshot());
    assert_eq!(chain(&a), chain(&b));
    let inbox = |p: &Snapshot| -> Vec<(i64, String)> {
        let mut all: Vec<_> = p.messages.iter().map(|m| (m.message.id, m.state.to_string())).collect();
        all.sort();
        all
    };
    assert_eq!(inbox(&a), inbox(&b));
    assert_eq!(one.watch.mesh.sources[0].facts.readers, two.watch.mesh.sources[0].facts.readers);
    assert_eq!(two.poll().await.remove(0).unwrap().cost.bytes, 0, "what was read is not read again");
}

/// D7: as those who serve it say.
#[tokio::test]
async fn leases_have_their_queue_in_the_order_in_which_it_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host-leases.sqlite");
    // Processes that live as long as the test: those that are dead wait no more, nor does anybody past the deadline.
    let (me, late) = (std::process::id(), wall_clock() + 600_000);
    let mut others: Vec<std::process::Child> =
        (0..2).map(|_| std::process::Command::new("sleep").arg("600").spawn().unwrap()).collect();
    let (a, b) = (others[0].id(), others[1].id());
    let mut dead = std::process::Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    let waiter = |id: &str, rank: i64, at: i64, deadline: i64, pid: u32| {
        format!(
            "INSERT INTO host_lease_waiters VALUES ('{id}', 'h', 'whole-machine', 'default', 'c', {rank}, {at}, {deadline}, {pid}, NULL, 1);"
        )
    };
    let sql = [
        format!("INSERT INTO host_leases VALUES ('h', 'whole-machine', 'default', 'L', 'me', 'deferrable', 1, 1, NULL, {me}, NULL, 'bench', '{{}}', NULL);"),
        waiter("w1", 2, 10, late, me),
        waiter("w2", 1, 30, late, a),
        waiter("w3", 1, 20, late, b),
        waiter("w4", 0, 1, 99, me),
        waiter("w5", 0, 1, late, dead.id()),
    ]
    .concat();
    execute(&path, &format!("{LEASES}{sql}")).await;
    let mut console = Console::new(vec![("leases", Box::new(Hosts::new(path.clone(), wall_clock)))]);
    console.poll().await.remove(0).unwrap();
    let snapshot = console.snapshot();
    let lock = snapshot.locks.iter().next().unwrap();
    assert_eq!(lock.lock.lock_key.raw(), "h:whole-machine");
    let queue: Vec<String> = lock.waiters.iter().map(|w| format!("{} {}", w.agent, w.confidence)).collect();
    assert_eq!(queue, [b, a, me].map(|pid| format!("process {pid} exact")));
    assert_eq!(lock.state, LockState::Held, "a lease without an end holds while its owner lives");
    for other in &mut others {
        other.kill().unwrap();
        other.wait().unwrap();
    }
    console.poll().await.remove(0).unwrap();
    let snapshot = console.snapshot();
    let queue: Vec<String> =
        snapshot.locks.iter().next().unwrap().waiters.iter().map(|w| w.agent.to_string()).collect();
    assert_eq!(queue, [format!("process {me}")]);
    assert!(console.poll().await.remove(0).unwrap().changes.is_empty());
    execute(&path, "DELETE FROM host_lease_waiters").await;
    console.poll().await.remove(0).unwrap();
    assert!(console.snapshot().locks.iter().next().unwrap().waiters.is_empty());
}

#[tokio::test]
async fn a_project_tells_its_story() {
    let folder = tempfile::tempdir().unwrap();
    let began = wall_clock();
    let mut project = Project::create(folder.path(), 1.0, began).await.unwrap();
    for second in (0..150).step_by(5) {
        project.step(began + second * 1_000).await.unwrap();
    }
    let log = LogPlace::Sqlite(project.tree.join(".harn/events.sqlite"));
    let later = || wall_clock() + 150_000;
    let mut console = Console::new(vec![
        ("log", Box::new(EventLog::new(log, 500, later))),
        ("locks", Box::new(Locks::new(project.tree.clone(), later))),
        ("leases", Box::new(Hosts::new(project.leases.clone(), wall_clock))),
    ]);
    for polled in console.poll().await {
        polled.unwrap();
    }
    let now = wall_clock() + 150_000;
    let thresholds = Thresholds::default();
    let snapshot =
        Evaluator::default().evaluate(&console.watch, &console.watch.everything(), now, &thresholds, 200_000);
    for rule in ["node-dead", "lock-unowned", "claim-contested", "reader-behind", "lock-expired", "message-stuck"] {
        assert!(findings(&snapshot, rule) > 0, "{rule}: {:#?}", snapshot.findings);
    }
    assert_eq!(findings(&snapshot, "chain-broken"), 0);
    let docs = snapshot.tasks.iter().find(|task| task.task == "task:docs").unwrap();
    assert_eq!(docs.state.to_string(), "done");
}

/// The built program on a project alone: check, snapshot, the wall, and what watching costs.
#[tokio::test]
async fn a_project_alone_is_checked_printed_and_hung_on_a_wall() {
    let folder = tempfile::tempdir().unwrap();
    let began = wall_clock() - 150_000;
    let mut project = Project::create(folder.path(), 1.0, began).await.unwrap();
    for second in (0..=150).step_by(5) {
        project.step(began + second * 1_000).await.unwrap();
    }
    let tree = project.tree.to_str().unwrap();
    let leases = project.leases.parent().unwrap().to_str().unwrap();
    let run = |arguments: &[&str]| {
        let run =
            support::lockkeeper().args(arguments).args(["--harn", tree]).env("HARN_HOST_LEASE_ROOT", leases).output();
        let output = run.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, printed) = run(&["check"]);
    assert!(matches!(code, Some(1 | 2)) && printed.contains(" nodes=4 "), "{code:?} {printed}");
    let (code, printed) = run(&["snapshot", "--format", "json"]);
    let seen: serde_json::Value = serde_json::from_str(&printed).unwrap();
    support::documents::assert_valid(&seen);
    assert_eq!(code, Some(0));
    let sources = seen["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 3);
    assert!(sources.iter().all(|source| source["health"] == "live"), "{sources:#?}");
    assert!(sources[0]["cost"]["rows"].as_u64() > Some(10), "reading its log is counted: {sources:#?}");
    let tables: Vec<&str> =
        seen["locks"].as_array().unwrap().iter().filter_map(|lock| lock["table"].as_str()).collect();
    for table in ["lock directory", "host lease", "claim"] {
        assert!(tables.contains(&table), "{tables:?}");
    }
    for part in ["nodes", "queues", "messages", "tasks", "oplog", "findings"] {
        assert!(!seen[part].as_array().unwrap().is_empty(), "{part}");
    }
    assert!(seen["leaders"].as_array().unwrap().is_empty());
    let (_, printed) = run(&["snapshot", "--view", "locks"]);
    assert!(printed.contains("src/codec.rs") && printed.contains("unrecorded"), "{printed}");
    // What the system does not have is printed, not shown as none.
    let (_, printed) = run(&["snapshot"]);
    assert!(
        printed.contains("LEADERS not provided by Harn") && printed.contains("LEASES not provided by Harn"),
        "{printed}"
    );
    assert!(sources.iter().all(|source| source["provides"].as_array().is_some_and(|all| !all.is_empty())));
    let env = [("HARN_HOST_LEASE_ROOT", leases)];
    let mut wall = Screen::start(140, 40, &["--wall", "--harn", tree], &env);
    wall.wait_for("what is wrong", |text| text.contains("held while something is wrong"));
    wall.press("\x03\x03");
    wall.wait_end();
    let mut screen = Screen::start(160, 40, &["--harn", tree], &env);
    screen.wait_for("every source with what a poll takes", |text| {
        let line =
            |name: &str| text.lines().any(|line| line.contains(name) && line.contains("live") && line.contains(" ms "));
        line("log") && line("locks") && line("host leases")
    });
    screen.press("6");
    screen.wait_text("verified");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
}

/// From the command line: the lock that was seen, by its token; a lock in force is refused; a claim is explained.
/// D8: tokens are text.
#[test]
fn a_stale_lock_directory_is_broken_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("src")).unwrap();
    fs::create_dir_all(tree.join(".harn/events/topics")).unwrap();
    let lock = |name: &str| -> PathBuf { tree.join(format!("src/{name}.rs.lock.d")) };
    take_lock(&lock("stale"), "lane", "edit", wall_clock() - 60_000, 1_000).unwrap();
    take_lock(&lock("active"), "lane", "edit", wall_clock(), 600_000).unwrap();
    let token = |name: &str| {
        let text = fs::read_to_string(lock(name).join("owner.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["token"].as_str().unwrap().to_owned()
    };
    let run = |arguments: &[&str]| {
        let output = support::lockkeeper()
            .args(arguments)
            .args(["--harn", tree.to_str().unwrap()])
            .env("LOCKKEEPER_JOURNAL", folder.path().join("journal.jsonl"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), printed)
    };
    let (code, printed) = run(&["release", "src/stale.rs", "--fence", "coord-lock-token-other", "--yes"]);
    assert_eq!((code, lock("stale").exists()), (Some(4), true), "{printed}");
    let (code, printed) = run(&["release", "src/active.rs", "--fence", &token("active"), "--yes"]);
    assert_eq!((code, lock("active").exists()), (Some(4), true), "{printed}");
    assert!(printed.contains("cannot be fenced off"), "{printed}");
    let (code, printed) = run(&["release", "src/stale.rs", "--fence", &token("stale"), "--yes"]);
    assert_eq!((code, lock("stale").exists()), (Some(0), false), "{printed}");
    let journal = fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
    assert!(journal.lines().count() == 2 && journal.contains("\"done\""), "{journal}");
    let left: Vec<_> = fs::read_dir(tree.join("src")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["active.rs.lock.d"], "no guard, nothing moved aside");
}

#[test]
fn both_systems_stand_on_one_screen() {
    let mut screen = Screen::start(180, 60, &["demo", "--with", "harn", "--seed", "3", "--speed", "8"], &[]);
    screen.wait_for("both are watched", |text| {
        text.contains("lockkeeper demo, project")
            && text.contains("Nodes  ")
            && text.contains("demo: mesh.db")
            && text.contains("project: ")
    });
    screen.press("2");
    screen.wait_for("lanes beside nodes", |text| text.contains("sess-planner") && text.contains("anvil"));
    screen.press("3");
    screen.press("/src/parser.rs\r");
    screen.wait_for("a directory and a claim", |text| text.contains("planner") && text.contains("claim"));
    // Ctrl-U clears what is written there.
    screen.press("/\x15mesh:project\r");
    screen.wait_for("those of one system", |text| text.contains("lock directory") && !text.contains(" demo  "));
    screen.press(":mesh project\r");
    screen.wait_for("that system alone", |text| text.starts_with(" lockkeeper project ") && text.contains("4 "));
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
}
