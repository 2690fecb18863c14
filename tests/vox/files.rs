//! Local files that others own: never locked, never opened, never shown torn.

use crate::support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use lockkeeper::data::vox::file_copy::copy::{Copier, Fresh};
use lockkeeper::data::vox::file_copy::fingerprint::beside;
use support::screen::Screen;
use support::{Peer, run, snapshot, wait_for};

fn nodes(database: &str) -> usize {
    snapshot(database, &[])["nodes"].as_array().expect("nodes").len()
}

#[test]
fn a_writer_that_locks_the_whole_file_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vox.db");
    let path = path.to_str().unwrap();
    let mut vox = Peer::start(&["hold", path]);
    assert_eq!(vox.line(), "held");
    assert_eq!(nodes(path), 1);
    for n in 1..=3 {
        vox.send("write");
        assert_eq!(nodes(path), n + 1, "what was committed is seen at once");
    }
}

#[test]
fn the_console_never_stands_in_the_way_of_a_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vox.db");
    let path = path.to_str().unwrap();
    drop({
        let mut vox = Peer::start(&["hold", path]);
        vox.line();
        vox
    });
    let mut rival = Peer::start(&["try-lock", path]);
    assert_eq!(rival.line(), "trying");
    let mut screen = Screen::start(100, 30, &["--db", path, "--interval", "50ms"], &[]);
    screen.wait_text("node-0");
    // Touching the file makes every poll copy it anew.
    for n in 0..20 {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
        let before = screen.raw.lock().unwrap().len();
        screen.press("R");
        wait_for("another frame", || (screen.raw.lock().unwrap().len() > before).then_some(n));
    }
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    let printed = rival.finish();
    assert!(printed.ends_with(" 0 refused"), "{printed}");
}

/// The number that every row of a snapshot carries; fails if there are two.
async fn number_of(copy: &Path) -> i64 {
    let flags = libsql::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = libsql::Builder::new_local(copy).flags(flags).build().await.unwrap();
    let connection = database.connect().unwrap();
    let sql = "SELECT count(*), min(fence_token), max(fence_token) FROM distributed_locks";
    let row = connection.query(sql, ()).await.unwrap().next().await.unwrap().unwrap();
    let (count, low, high): (i64, i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
    assert_eq!((count, low), (200, high), "a torn snapshot");
    let row = connection.query("PRAGMA integrity_check", ()).await.unwrap().next().await.unwrap().unwrap();
    assert_eq!(row.get::<String>(0).unwrap(), "ok");
    high
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_commits_and_checkpoints_never_gives_a_torn_or_older_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vox.db");
    let mut writer = Peer::start(&["storm", path.to_str().unwrap(), "11"]);
    assert_eq!(writer.line(), "storming");
    let ours = folder.path().join("ours");
    fs::create_dir(&ours).unwrap();
    let mut copier = Copier::new(path, &ours, u64::MAX);
    let (mut last, mut copies, mut quiet) = (0, 0, support::Deadline::new());
    while copies < 100 {
        match copier.refresh() {
            Ok(_) => {
                let number = number_of(copier.path()).await;
                assert!(number >= last, "an older snapshot: {number} after {last}");
                // One of the same moment proves nothing more.
                copies += u32::from(number > last);
                (last, quiet) = (number, support::Deadline::new());
            }
            // A retry is a right answer, however often on busy cores; never to find a quiet moment is not.
            Err(_) => quiet.check("a quiet moment"),
        }
    }
    assert!(last > 0);
    assert!(writer.finish().ends_with(" commits"));
}

#[tokio::test]
async fn a_file_that_was_replaced_is_another_database() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
    fs::create_dir(&ours).unwrap();
    fs::create_dir(&other).unwrap();
    let path = support::database(folder.path(), "CREATE TABLE a (x); PRAGMA journal_mode = DELETE;").await;
    let mut copier = Copier::new(path.clone(), &ours, u64::MAX);
    assert!(matches!(copier.refresh(), Ok(Fresh::Changed { .. })));
    let newer = support::database(&other, "CREATE TABLE b (y);").await;
    fs::rename(&newer, &path).unwrap();
    assert!(matches!(copier.refresh(), Ok(Fresh::Replaced { .. })));
    fs::remove_file(&path).unwrap();
    let error = copier.refresh().unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
}

/// Two hundred locks, and heartbeats of ten pages each beside them.
const LARGE_ROWS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO mesh_heartbeats \
     SELECT 'n' || i, '1', i, printf('%.*c', 40000, 'x'), 'r' FROM n; INSERT INTO distributed_locks \
     SELECT 'k' || agent_id || node_id, 'n', '1', 0, '', '', 'r' FROM mesh_heartbeats";

/// A folder with a mesh in it, a place for copies, the mesh's file, and a connection of its writer.
async fn mesh_and_copies() -> (tempfile::TempDir, PathBuf, PathBuf, libsql::Connection) {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours");
    fs::create_dir(&ours).unwrap();
    let path = folder.path().join("vox.db");
    let connection = lockkeeper::demo::vox::write::Writer::create(&path).await.unwrap().into_connection();
    (folder, ours, path, connection)
}

#[tokio::test]
async fn nothing_is_read_while_nothing_moves_and_only_the_log_while_the_file_stands() {
    let (_folder, ours, path, connection) = mesh_and_copies().await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
                INSERT INTO mesh_heartbeats SELECT 'n' || i, '1', i, 'idle', 'r' FROM n";
    connection.execute(fill, ()).await.unwrap();
    connection.query("PRAGMA wal_checkpoint(TRUNCATE)", ()).await.unwrap().next().await.unwrap();
    let mut copier = Copier::new(path.clone(), &ours, u64::MAX);
    copier.refresh().unwrap();
    wait_for("the file's time to settle", || {
        copier.refresh().unwrap();
        copier.is_current().unwrap().then_some(())
    });
    connection.execute("INSERT INTO mesh_heartbeats VALUES ('new', '1', 1, 'idle', 'r')", ()).await.unwrap();
    assert!(!copier.is_current().unwrap());
    let log = fs::metadata(beside(&path, "-wal")).unwrap().len();
    assert_eq!(copier.refresh().unwrap(), Fresh::Changed { bytes: log - 32 }, "the frames of the log");
}

/// A log that was long once keeps its length on disk: what was in it before is not copied again and again.
#[tokio::test]
async fn only_the_part_of_a_log_that_is_in_use_is_copied() {
    let (_folder, ours, path, connection) = mesh_and_copies().await;
    let run = async |sql: &str| connection.execute_batch(sql).await.unwrap();
    run(LARGE_ROWS).await;
    let mut copier = Copier::new(path.clone(), &ours, u64::MAX);
    copier.refresh().unwrap();
    run("PRAGMA wal_checkpoint(RESTART); UPDATE distributed_locks SET fence_token = 9").await;
    copier.refresh().unwrap();
    let log = fs::metadata(beside(&path, "-wal")).unwrap().len();
    for round in 1..5 {
        run(&format!("UPDATE distributed_locks SET fence_token = {round}")).await;
        let Fresh::Changed { bytes } = copier.refresh().unwrap() else { panic!("it is the same file") };
        assert_eq!(number_of(copier.path()).await, round);
        assert!(bytes < log / 20, "{bytes} of a log of {log}");
    }
}

/// Of a log that grows only what was added is read, however long it is.
#[tokio::test]
async fn of_a_log_that_grows_only_what_was_added_is_read() {
    let (_folder, ours, path, connection) = mesh_and_copies().await;
    let run = async |sql: &str| connection.execute_batch(sql).await.unwrap();
    run("PRAGMA wal_autocheckpoint = 0").await;
    run(LARGE_ROWS).await;
    let mut copier = Copier::new(path.clone(), &ours, u64::MAX);
    copier.refresh().unwrap();
    let length = || fs::metadata(beside(&path, "-wal")).unwrap().len();
    assert!(length() > 8_000_000);
    for round in 1..5 {
        let before = length();
        run(&format!("UPDATE distributed_locks SET fence_token = {round}")).await;
        let Fresh::Changed { bytes } = copier.refresh().unwrap() else { panic!("it is the same file") };
        assert_eq!((number_of(copier.path()).await, bytes), (round, length() - before));
        assert!(copier.take_written().is_some_and(|pages| round == 1 || !pages.is_empty()) || round == 1);
    }
}

/// A log that is cut to a size when it is begun anew has lost what stood behind that.
#[tokio::test]
async fn a_log_that_was_cut_is_not_trusted() {
    let (_folder, ours, path, connection) = mesh_and_copies().await;
    let run = async |sql: &str| connection.execute_batch(sql).await.unwrap();
    let mut rows = connection.query("PRAGMA journal_size_limit = 1000000", ()).await.unwrap();
    rows.next().await.unwrap();
    drop(rows);
    run("PRAGMA wal_autocheckpoint = 0").await;
    run(LARGE_ROWS).await;
    run("PRAGMA wal_checkpoint(RESTART); UPDATE distributed_locks SET fence_token = 1").await;
    let mut copier = Copier::new(path.clone(), &ours, u64::MAX);
    for round in 2..6 {
        copier.refresh().unwrap();
        // What is written now ends far behind the size that the log is cut to.
        run("UPDATE mesh_heartbeats SET agent_id = agent_id + 1, activity = printf('%.*c', 40000, 'y')").await;
        run(&format!("UPDATE distributed_locks SET fence_token = {round}; PRAGMA wal_checkpoint(RESTART)")).await;
        run("UPDATE lock_leader SET epoch = 1; INSERT INTO mesh_heartbeats VALUES ('z', '9', 1, 'idle', printf('%d', random()))").await;
        copier.refresh().unwrap();
        assert_eq!(number_of(copier.path()).await, round);
        let log = fs::metadata(beside(&path, "-wal")).unwrap().len();
        assert!(log < 2_000_000, "it was cut: {log}");
    }
}

#[tokio::test]
async fn after_a_checkpoint_only_what_it_changed_is_copied() {
    let (_folder, ours, path, connection) = mesh_and_copies().await;
    let run = async |sql: &str| connection.execute_batch(sql).await.unwrap();
    run(LARGE_ROWS).await;
    run("PRAGMA wal_checkpoint(TRUNCATE); UPDATE distributed_locks SET fence_token = 10").await;
    let mut copier = Copier::new(path.clone(), &ours, u64::MAX);
    let Fresh::Changed { bytes: first } = copier.refresh().unwrap() else { panic!("it is the first") };
    let copy = async |copier: &mut Copier, round: i64| {
        let Fresh::Changed { bytes } = copier.refresh().unwrap() else { panic!("it is the same file") };
        assert_eq!(number_of(copier.path()).await, round);
        bytes
    };
    for round in 11..20 {
        // The log grows, and is copied; it grows once more, is folded in, and is begun anew.
        run(&format!("UPDATE distributed_locks SET fence_token = {round} WHERE true")).await;
        copy(&mut copier, round).await;
        run("UPDATE mesh_heartbeats SET agent_id = '2' WHERE node_id = 'n7'").await;
        run(&format!("PRAGMA wal_checkpoint(RESTART); UPDATE distributed_locks SET fence_token = {round}")).await;
        let bytes = copy(&mut copier, round).await;
        // Where blocks can be shared, the first copy may have cost nothing.
        assert!(bytes < first.max(8_000_000) / 4, "round {round}: {bytes} of {first} bytes");
    }
}

#[tokio::test]
async fn copies_are_private_bounded_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = support::database(folder.path(), lockkeeper::demo::vox::write::SCHEMA).await;
    let copies = folder.path().join("copies");
    fs::create_dir(&copies).unwrap();
    let env = [("LOCKKEEPER_SNAPSHOT_DIR", copies.to_str().unwrap())];
    let found = || fs::read_dir(&copies).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();

    let mut screen = Screen::start(80, 24, &["--db", path.to_str().unwrap()], &env);
    screen.wait_text("live");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let store = found().remove(0);
    assert_eq!(mode(&store), 0o700);
    assert_eq!(mode(&store.join("0/copy.db")), 0o600);
    screen.signal(rustix::process::Signal::KILL);
    screen.wait_end();
    assert_eq!(found().len(), 1, "a killed console leaves its copy");

    let mut screen = Screen::start(80, 24, &["--db", path.to_str().unwrap()], &env);
    screen.wait_text("live");
    assert_eq!(found().len(), 1, "the next one removes it");
    screen.press("q");
    screen.wait_end();
    assert!(found().is_empty());

    let output = support::lockkeeper()
        .args(["check", "--db", path.to_str().unwrap()])
        .env("LOCKKEEPER_SNAPSHOT_MAX_BYTES", "1000")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("more than may be copied") && printed.contains("snapshot.max_bytes"), "{printed}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn what_is_no_database_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "not a database at all, but long enough to look at").unwrap();
    let output = run(&["snapshot", "--db", path.to_str().unwrap()]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("not a SQLite or libSQL database"), "{printed}");
    assert_eq!(output.status.code(), Some(1));
}
