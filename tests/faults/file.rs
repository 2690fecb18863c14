//! A database file that breaks.

use std::fs;
use std::path::PathBuf;

use crate::support::screen::Screen;
use crate::support::{self, Peer};
use crate::{QUICK, Row, from, old, schema};

/// A console over a database file of its own.
struct Ground {
    _folder: tempfile::TempDir,
    database: PathBuf,
    screen: Screen,
}

impl Ground {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = support::database(folder.path(), &schema()).await;
        let env = [QUICK, env].concat();
        let screen = Screen::start(200, 40, &["--db", database.to_str().unwrap()], &env);
        Self { _folder: folder, database, screen }
    }

    async fn execute(&self, sql: &str) {
        let database = libsql::Builder::new_local(&self.database).build().await.unwrap();
        database.connect().unwrap().execute_batch(sql).await.unwrap();
    }

    fn well(&self) {
        self.screen.wait_text("2 healthy");
        self.screen.wait_text("● live");
    }

    /// Waits for what is expected, and that nothing says all is well beside it; what was known stays.
    fn sees(&self, word: &str) -> String {
        let seen = old(&self.screen, word);
        let text = self.screen.text();
        assert!(text.contains("alpha"), "what was known stays:\n{text}");
        seen
    }

    fn ends(mut self) {
        self.screen.press("\x03");
        assert_eq!(self.screen.wait_end(), 0);
        assert!(self.screen.is_restored());
    }
}

fn file(fault: &'static str, expected: &'static str, seen: String) -> Row {
    Row { area: "database file", fault, expected, seen }
}

async fn file_deleted_and_made_again() -> Row {
    let ground = Ground::new().await;
    ground.well();
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", ground.database.display()));
    }
    let seen = ground.sees("does not exist");
    ground.execute(&schema().replace("alpha", "gamma")).await;
    ground
        .screen
        .wait_for("the new one", |text| text.contains("gamma") && text.contains("● live") && !text.contains("alpha"));
    ground.ends();
    file("deleted, then made again", "old, with the last snapshot; then the new one", seen)
}

async fn file_overwritten() -> Row {
    let ground = Ground::new().await;
    ground.well();
    let copy = fs::read(&ground.database).unwrap();
    fs::write(&ground.database, "no database, but long enough to be looked at ".repeat(200)).unwrap();
    let seen = ground.sees("not a SQLite or libSQL database");
    fs::write(&ground.database, copy).unwrap();
    ground.well();
    ground.ends();
    file("overwritten with text, then restored", "old, and why; then live", seen)
}

async fn file_cut_short() -> Row {
    let ground = Ground::new().await;
    ground.well();
    ground.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let whole = fs::read(&ground.database).unwrap();
    fs::write(&ground.database, &whole[..whole.len() / 2 / 4096 * 4096]).unwrap();
    let seen = ground.sees("damaged");
    fs::write(&ground.database, whole).unwrap();
    ground.well();
    ground.ends();
    file("cut to half its length, then restored", "old, and why; then live", seen)
}

/// Every page of the file but the first, as a disk that goes bad leaves it.
async fn page_overwritten() -> Row {
    let ground = Ground::new().await;
    ground.well();
    ground.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let whole = fs::read(&ground.database).unwrap();
    let disk = fs::OpenOptions::new().write(true).open(&ground.database).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&disk, &vec![0x5a; whole.len() - 4096], 4096).unwrap();
    let seen = ground.sees("damaged");
    fs::write(&ground.database, whole).unwrap();
    ground.well();
    ground.ends();
    file("its pages overwritten, then restored", "old, and why; then live", seen)
}

async fn table_dropped() -> Row {
    let mut ground = Ground::new().await;
    ground.well();
    ground.execute("INSERT INTO distributed_locks VALUES ('file:a', 'alpha', '1', 1, datetime('now'), datetime('now', '+1 hour'), 'r')").await;
    ground.screen.press("3");
    ground.screen.wait_text("file:a");
    ground.execute("DROP TABLE distributed_locks").await;
    let text = ground.screen.wait_text("has no distributed_locks");
    let seen = from(&text, "has no distributed_locks");
    ground.ends();
    file("a table dropped", "the view says that there is no such table", seen)
}

async fn schema_migrated() -> Row {
    let mut ground = Ground::new().await;
    ground.well();
    ground.execute(
        "ALTER TABLE mesh_heartbeats RENAME TO old; \
         CREATE TABLE mesh_heartbeats (repository_id TEXT, activity TEXT, last_seen_ms INTEGER, agent_id TEXT, node_id TEXT, more BLOB); \
         INSERT INTO mesh_heartbeats SELECT repository_id, activity, last_seen_ms, agent_id, node_id, x'00' FROM old; \
         INSERT INTO mesh_heartbeats VALUES ('r', 'idle', unixepoch() * 1000, '3', 'delta', NULL); DROP TABLE old;",
    )
    .await;
    ground.screen.press("2");
    let text = ground.screen.wait_text("3 rows");
    let seen = from(&text, "3 rows");
    assert!(text.contains("alpha") && text.contains("delta"), "{text}");
    ground.ends();
    file("columns reordered and added while it runs", "goes on with the new schema", seen)
}

fn locked_by_another() -> Row {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vox.db");
    let mut vox = Peer::start(&["hold", path.to_str().unwrap()]);
    assert_eq!(vox.line(), "held");
    let mut screen = Screen::start(200, 40, &["--db", path.to_str().unwrap()], QUICK);
    screen.press("2");
    screen.wait_text("1 row");
    vox.send("write");
    let seen = from(&screen.wait_text("2 rows"), "2 rows");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    file("locked exclusively by another process, which writes", "followed all the same", seen)
}

async fn larger_than_allowed() -> Row {
    let folder = tempfile::tempdir().unwrap();
    let database = support::database(folder.path(), &schema()).await;
    let env = [QUICK, &[("LOCKKEEPER_SNAPSHOT_MAX_BYTES", "20000")]].concat();
    let mut screen = Screen::start(200, 40, &["--db", database.to_str().unwrap()], &env);
    let seen = old(&screen, "more than may be copied");
    screen.press("\x03");
    screen.wait_end();
    file("larger than may be copied", "says so, and what to set", seen)
}

async fn no_room_for_copies() -> Row {
    let folder = tempfile::tempdir().unwrap();
    let database = support::database(folder.path(), &schema()).await;
    let taken = folder.path().join("taken");
    fs::write(&taken, "a file where a folder is needed").unwrap();
    let output = support::lockkeeper()
        .args(["check", "--db", database.to_str().unwrap()])
        .env("LOCKKEEPER_SNAPSHOT_DIR", &taken)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.starts_with("LOCKKEEPER UNKNOWN"), "{printed}");
    file(
        "the folder of copies cannot be used",
        "`check` answers UNKNOWN, and why",
        from(&printed, "cannot make a private folder"),
    )
}

pub async fn all() -> Vec<Row> {
    vec![
        file_deleted_and_made_again().await,
        file_overwritten().await,
        file_cut_short().await,
        page_overwritten().await,
        table_dropped().await,
        schema_migrated().await,
        locked_by_another(),
        larger_than_allowed().await,
        no_room_for_copies().await,
    ]
}
