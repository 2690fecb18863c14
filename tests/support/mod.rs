//! What the tests share: the built program, processes beside it, and waits for conditions.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lockkeeper::action::plan::{Confirm, Plan, Step};
use lockkeeper::model::action::Action;

pub mod authority;
pub mod documents;
pub mod follower;
pub mod screen;
pub mod service;

/// How long anything may take before a test gives up; never how long it waits.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The built program, with an environment that knows of no other mesh.
pub fn lockkeeper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.env_clear();
    for name in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("HOME", "/nonexistent").env("LANG", "C.UTF-8").env("XDG_STATE_HOME", state_folder());
    command
}

/// A folder for what the program remembers, of this test alone.
pub fn state_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("state-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Output {
    lockkeeper().args(arguments).stdin(Stdio::null()).output().expect("the program runs")
}

/// The snapshot of a database as JSON.
pub fn snapshot(database: &str, more: &[&str]) -> serde_json::Value {
    let output = run(&[&["snapshot", "--format", "json", "--db", database], more].concat());
    let snapshot = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    documents::assert_valid(&snapshot);
    snapshot
}

/// A helper process of the tests; killed when dropped.
pub struct Peer {
    child: Child,
    pub input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a part of `tests/support/peer`.
    pub fn start(arguments: &[&str]) -> Self {
        let program = peer_program();
        let started = Command::new(&program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|e| panic!("{}: {e}; run `cargo build --examples`", program.display()));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, input, output }
    }

    /// The next line it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line of the peer");
        line.trim_end().to_owned()
    }

    /// Tells it something, and returns what it answers.
    pub fn send(&mut self, line: &str) -> String {
        let input = self.input.as_mut().expect("its input");
        writeln!(input, "{line}").expect("telling the peer");
        self.line()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.child.id().cast_signed()).expect("its id");
        rustix::process::kill_process(id, signal).expect("a signal");
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends its input, and returns what it says then.
    pub fn finish(&mut self) -> String {
        self.input = None;
        self.line()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The helper process of the tests.
pub fn peer_program() -> PathBuf {
    example("vox_peer")
}

/// Examples are built beside the tests, in `target/<profile>/examples`.
pub fn example(name: &str) -> PathBuf {
    let me = std::env::current_exe().expect("this test's own path");
    let profile = me.ancestors().nth(2).expect("target/<profile>");
    profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

/// A database made by `sql` in a folder of its own.
pub async fn database(folder: &Path, sql: &str) -> PathBuf {
    let path = folder.join("fixture.db");
    let database = libsql::Builder::new_local(&path).build().await.expect("a database");
    database.connect().expect("a connection").execute_batch(sql).await.expect("the fixture's SQL");
    path
}

/// An end for loops that wait for what others do.
pub struct Deadline(Instant);

impl Deadline {
    /// From now on.
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Fails once it took too long.
    pub fn check(&self, what: &str) {
        assert!(self.0.elapsed() < PATIENCE, "waited in vain for {what}");
    }
}

/// Waits until something holds.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A plan of one step at the source `db`.
pub fn one_step(action: Action) -> Plan {
    Plan {
        title: "t".into(),
        about: Vec::new(),
        steps: vec![Step { action, source: "db".into(), effect: Vec::new(), after: None }],
        evidence: Vec::new(),
        unknowns: Vec::new(),
        left_out: Vec::new(),
        confirm: Confirm::Key,
        may_repeat: false,
        mode: None,
        interrupt: None,
    }
}
