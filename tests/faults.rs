//! What breaks, and what an operator sees of it: each case breaks a real thing under a console in a real terminal.
//!
//! `UPDATE_DOCS=1 cargo test --test faults` writes what was seen into `docs/reliability.md`.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use support::screen::Screen;
use support::{Peer, wait_for};

/// One row of the page.
struct Row {
    area: &'static str,
    fault: &'static str,
    expected: &'static str,
    seen: String,
}

/// What the screen says from a word on, to the end of what is said.
fn from(text: &str, word: &str) -> String {
    let line = text.lines().find(|line| line.contains(word)).unwrap_or_default();
    let said = &line[line.find(word).unwrap_or(0)..];
    said.split("  ").next().unwrap_or_default().split([';', ':']).next().unwrap_or_default().trim().to_owned()
}

/// Waits for a word, and until the source is shown as old; nothing may say that all is well meanwhile.
fn old(screen: &Screen, word: &str) -> String {
    let text = screen.wait_text(word);
    assert!(!text.contains("all is well"), "{word}:\n{text}");
    let state = |text: &str| ["■ old", "✖ down"].into_iter().find(|state| text.contains(state));
    let text = screen.wait_for("it is shown as old", |text| state(text).is_some() && text.contains(word));
    assert!(!text.contains("all is well"), "{word}:\n{text}");
    format!("{}: {}", state(&text).unwrap_or_default(), from(&text, word))
}

fn schema() -> String {
    format!(
        "{}INSERT INTO mesh_heartbeats VALUES ('alpha', '1', unixepoch() * 1000, 'idle', 'r'),
                                              ('beta', '2', unixepoch() * 1000, 'idle', 'r');",
        lockkeeper::demo::write::SCHEMA
    )
}

/// A console over a database file of its own.
struct Ground {
    _folder: tempfile::TempDir,
    database: PathBuf,
    screen: Screen,
}

const QUICK: &[(&str, &str)] =
    &[("LOCKKEEPER_THRESHOLDS_OLD", "300ms"), ("LOCKKEEPER_TIMEOUT", "1s"), ("LOCKKEEPER_INTERVAL", "100ms")];

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
    file("deleted, then made again", "old, with the last picture; then the new one", seen)
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
    let text = ground.screen.wait_text("delta");
    let seen = from(&text, "3 rows");
    assert!(text.contains("alpha") && text.contains("3 rows"), "{text}");
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
    vox.tell("write");
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
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.starts_with("LOCKKEEPER UNKNOWN"), "{said}");
    file(
        "the folder of copies cannot be used",
        "`check` answers UNKNOWN, and why",
        from(&said, "cannot make a private folder"),
    )
}

/// A console over a Hrana server in a process of its own.
struct Far {
    _folder: tempfile::TempDir,
    database: PathBuf,
    peer: Peer,
    screen: Screen,
}

impl Far {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = support::database(folder.path(), &schema()).await;
        let mut peer = Peer::start(&["hrana", database.to_str().unwrap(), "s3cret-of-the-faults"]);
        let url = peer.line();
        let env = [QUICK, &[("VOX_DB_TOKEN", "s3cret-of-the-faults")]].concat();
        let screen = Screen::start(200, 40, &["--db", &url], &env);
        screen.wait_text("2 healthy");
        Self { _folder: folder, database, peer, screen }
    }

    /// The server does something odd for a while.
    fn odd(mut self, manners: &str, fault: &'static str, said: &str) -> Row {
        self.peer.tell(manners);
        let seen = old(&self.screen, said);
        assert!(self.screen.text().contains("alpha"), "{fault}: what was known stays");
        self.peer.tell("ok");
        self.screen.wait_for("it is live again", |text| text.contains("● live") && text.contains("all is well"));
        self.screen.press("\x03");
        self.screen.wait_end();
        assert!(!self.screen.raw().contains("s3cret"), "{fault}");
        Row { area: "remote database", fault, expected: "old, and why; live again by itself", seen }
    }
}

async fn remote_killed() -> Row {
    let mut far = Far::new().await;
    far.peer.kill();
    let seen = old(&far.screen, "cannot reach the database");
    assert!(far.screen.text().contains("alpha"), "what was known stays");
    far.screen.press("\x03");
    far.screen.wait_end();
    let _ = far.database;
    Row { area: "remote database", fault: "its process killed", expected: "old, with the last picture", seen }
}

fn calm(env: &[(&str, &str)]) -> Screen {
    let screen = Screen::start(200, 40, &["demo", "--seed", "3", "--speed", "0.5"], env);
    screen.wait_text("12 healthy");
    screen
}

fn terminal(fault: &'static str, expected: &'static str, seen: &str) -> Row {
    Row { area: "terminal", fault, expected, seen: seen.into() }
}

fn ended_by(signal: Signal, fault: &'static str) -> Row {
    let mut screen = calm(&[]);
    screen.signal(signal);
    assert_eq!(screen.wait_end(), 0);
    assert!(screen.is_restored());
    terminal(fault, "ends, and gives the terminal back", "ended with 0, terminal restored")
}

fn resized_all_the_time() -> Row {
    let mut screen = calm(&[]);
    for n in 0..2_000u16 {
        screen.resize(1 + n * 7 % 240, 1 + n * 3 % 70);
    }
    for (columns, rows) in [(1, 1), (500, 200), (20, 5), (120, 40)] {
        screen.resize(columns, rows);
    }
    screen.press("2");
    let text = screen.wait_text("12 rows");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    terminal("resized 2 000 times at once, to 1x1 and to 500x200", "draws the last size", &from(&text, "12 rows"))
}

fn pasted_megabytes() -> Row {
    let mut screen = calm(&[]);
    screen.press("2");
    screen.wait_text("12 rows");
    screen.press("/");
    screen.wait_text("field:value");
    screen.press("\x1b[200~");
    let part = "forge \u{202e}\u{7}".repeat(10_000);
    for _ in 0..30 {
        screen.press(&part);
    }
    screen.press("\x1b[201~");
    screen.wait_text("of 12 rows");
    screen.press("\x15forge");
    screen.wait_text("1 of 12 rows");
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    terminal("3 MB pasted into the filter", "takes a line of it, and goes on", "1 of 12 rows after the next word typed")
}

fn unknown_sequences() -> Row {
    let mut screen = calm(&[]);
    for odd in [
        "\x1b[999;999;999~",
        "\x1b[?9999c",
        "\x1bOZ",
        "\x1b[1;2;3;4;5;6;7;8u",
        "\x1b[M\u{7f}\u{7f}\u{7f}",
        "\u{fffd}\u{0}",
    ] {
        screen.press(odd);
    }
    // What is not known may swallow what follows at once; a key later works.
    let text = loop {
        screen.press("2");
        let text = screen.text();
        if text.contains("12 rows") {
            break text;
        }
        std::thread::yield_now();
    };
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    terminal("escape sequences that nobody knows", "keys work after them", &from(&text, "12 rows"))
}

fn dumb_terminal() -> Row {
    let mut screen = calm(&[("TERM", "dumb"), ("LANG", "C")]);
    screen.press("\x03");
    assert_eq!(screen.wait_end(), 0);
    let raw = screen.raw();
    assert!(!raw.contains("\x1b[38;5;") && !raw.contains("\x1b[38;2;"), "no colours");
    assert!(!raw.contains("\x1b]"), "no title");
    terminal("TERM=dumb", "ASCII, no colours", "12 healthy, no colour sent")
}

fn no_terminal() -> Row {
    let output = support::run(&["demo"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("needs a terminal"), "{said}");
    terminal("no terminal, standard input closed", "says what to use instead", &from(&said, "needs a terminal"))
}

/// Nobody reads what is drawn (Ctrl-S): polls go on, the picture is of now when somebody does again.
async fn blocked_output() -> Row {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let folder = tempfile::tempdir().unwrap();
    let database = support::database(folder.path(), &schema()).await;
    let mut peer = Peer::start(&["hrana", database.to_str().unwrap(), "t"]);
    let url = peer.line();
    let pair = native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["--db", &url, "--interval", "50ms"]);
    command.env("VOX_DB_TOKEN", "t");
    command.env("XDG_STATE_HOME", support::state_folder());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    // The terminal's buffer fills with the first frames; then every write waits.
    let polls = |peer: &mut Peer| peer.tell("count").parse::<u64>().unwrap();
    wait_for("polls while nobody reads", || (polls(&mut peer) > 100).then_some(()));
    // The terminal closes, and the program ends although its last write never came through.
    drop(pair.master);
    wait_for("its end", || child.try_wait().unwrap());
    terminal(
        "output blocked (Ctrl-S), then closed",
        "polls go on; ends with the terminal",
        "more than 100 polls while blocked, then ended",
    )
}

/// Some supervisors ignore SIGHUP for their children: the terminal itself says that it is gone.
fn hang_up_ignored() -> Row {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new("sh");
    let program = env!("CARGO_BIN_EXE_lockkeeper");
    command.args(["-c", &format!("trap '' HUP; exec '{program}' demo --speed 0.5")]);
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(&mut reader, &mut first).unwrap();
    drop((reader, pair.master));
    wait_for("its end", || child.try_wait().unwrap());
    terminal("closed with SIGHUP ignored", "ends by itself, without spinning", "ended")
}

fn state_not_writable() -> Row {
    let mut screen = calm(&[("XDG_STATE_HOME", "/dev/null/nowhere")]);
    screen.press("0");
    let text = screen.wait_text("nothing so far");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    let seen = from(&text, "nothing so far");
    Row { area: "process", fault: "the state folder cannot be written", expected: "watching goes on", seen }
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

fn page(rows: &[Row]) -> String {
    let mut out = String::from(
        "# Reliability\n\nWhat breaks, and what an operator sees of it. Each row is a test that breaks a real thing under the built program in\n\
         a real terminal; this page is written by them (`UPDATE_DOCS=1 cargo test --test faults`). In no case may the screen say\n\
         that all is well, or lose what it knew before.\n\n| where | what breaks | expected | seen |\n|---|---|---|---|\n",
    );
    for row in rows {
        out.push_str(&format!(
            "| {} | {} | {} | `{}` |\n",
            row.area,
            row.fault,
            row.expected,
            row.seen.replace('`', "'")
        ));
    }
    out.push_str(
        "\nElsewhere: fsync and SIGKILL at every step of an action (`tests/evacuating.rs`), torn copies under a storm of commits and\n\
         checkpoints (`tests/files.rs`), control planes that fail in every way (`tests/control_plane.rs`), schemas of other versions\n\
         (`tests/schemas.rs`), clocks that leap back and forth (`src/data/derive/judge/tests.rs`), torn and cut journals and histories\n\
         (`src/operate/`), and text that would steer the terminal (`tests/untrusted.rs`).\n",
    );
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_is_survived_and_shown_for_what_it_is() {
    let mut rows = vec![
        file_deleted_and_made_again().await,
        file_overwritten().await,
        file_cut_short().await,
        table_dropped().await,
        schema_migrated().await,
        locked_by_another(),
        larger_than_allowed().await,
        no_room_for_copies().await,
        remote_killed().await,
        Far::new().await.odd("status 401", "refuses the token", "refused the token (401)"),
        Far::new().await.odd("status 503", "asks for patience", "asks for patience (503)"),
        Far::new().await.odd("garbage", "answers with garbage", "is not Hrana v3"),
        Far::new().await.odd("delay 30000", "takes 30 s for an answer", "no answer within 1 s"),
        blocked_output().await,
        ended_by(Signal::TERM, "SIGTERM"),
        ended_by(Signal::HUP, "SIGHUP"),
        hang_up_ignored(),
        resized_all_the_time(),
        pasted_megabytes(),
        unknown_sequences(),
        dumb_terminal(),
        no_terminal(),
        state_not_writable(),
    ];
    rows.push(two_consoles().await);
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = page(&rows);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&place, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&place).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it anew");
}
