//! Recordings on the command line: made, cut, told of, checked, printed, and used in place of what is live.

use crate::support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use lockkeeper::demo::vox::workload::{S, Workload};
use lockkeeper::model::time::SECOND;
use serde_json::Value;
use support::{Deadline, lockkeeper, run};

/// A database in which something happens while it is recorded.
struct Busy {
    folder: tempfile::TempDir,
    workload: Workload,
    now_ms: i64,
}

impl Busy {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = lockkeeper::clock::wall_clock();
        let workload = Workload::create(&folder.path().join("mesh.db"), S, now_ms).await.unwrap();
        Self { folder, workload, now_ms }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `record`, made by a function that is given the program.
    fn record(&self, file: &Path, command: impl FnOnce(Command) -> Command) -> Child {
        let mut program = command(lockkeeper());
        program.args(["record", file.to_str().unwrap(), "--db", self.file("mesh.db").to_str().unwrap()]);
        // Without copies, whose size a limit would meet too.
        program.env("LOCKKEEPER_DB_ACCESS", "direct");
        program.args(["--interval", "250ms"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program.spawn().unwrap()
    }

    /// Changes most of the rows.
    async fn go_on(&mut self) {
        for _ in 0..30 {
            self.now_ms += SECOND;
            self.workload.step(self.now_ms, SECOND).await.unwrap();
        }
    }

    /// Lets time pass until so many frames more are written.
    async fn frames(&mut self, file: &Path, frames: usize) {
        let deadline = Deadline::new();
        let size = || fs::metadata(file).map_or(0, |meta| meta.len());
        for _ in 0..frames {
            let before = size();
            while size() == before {
                deadline.check("the recording to grow");
                self.go_on().await;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn ended(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

fn end(child: &Child, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs the program on a recording, which it has to like.
fn with(file: &Path, arguments: &[&str]) -> String {
    let arguments: Vec<&str> =
        arguments.iter().map(|word| if *word == "FILE" { file.to_str().unwrap() } else { word }).collect();
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    text(&output)
}

#[tokio::test]
async fn what_is_recorded_is_told_checked_printed_cut_and_answers_as_a_mesh() {
    let mut mesh = Busy::start().await;
    let file = mesh.file("one.lkr");
    let recording = mesh.record(&file, |program| program);
    mesh.frames(&file, 6).await;
    end(&recording, rustix::process::Signal::TERM);
    let output = ended(recording);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("one.lkr: "), "{}", text(&output));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let info = with(&file, &["record", "info", "FILE"]);
    assert!(info.contains("mesh       mesh") && info.contains("lockkeeper.recording.v1"), "{info}");
    assert!(with(&file, &["record", "verify", "FILE"]).starts_with("whole: "));
    let exported = with(&file, &["record", "export", "FILE", "--format", "jsonl"]);
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["start"]["schema"], "lockkeeper.recording.v1");
    let moments: Vec<i64> = lines.iter().filter_map(|line| line["evaluated"]["at_ms"].as_i64()).collect();
    assert!(moments.len() > 3 && moments.is_sorted(), "{moments:?}");

    // In place of what is live.
    let of = |arguments: &[&str]| {
        let all = [arguments, &["--format", "json", "--recording", file.to_str().unwrap()]].concat();
        let output = run(&all);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
    };
    let last = of(&["snapshot"]);
    support::documents::assert_valid(&last);
    assert_eq!(last["observed_at_ms"].as_i64(), moments.last().copied());
    let middle = moments[moments.len() / 2];
    let then = of(&["snapshot", "--at", &middle.to_string()]);
    assert_eq!(then["observed_at_ms"].as_i64(), Some(middle));
    assert_ne!(then["locks"], last["locks"], "something happened meanwhile");
    assert!(of(&["findings"])["findings"].is_array());
    let checked = run(&["check", "--recording", file.to_str().unwrap(), "--at", "-1s"]);
    assert!(text(&checked).starts_with("LOCKKEEPER "), "{}", text(&checked));
    let outside = run(&["snapshot", "--recording", file.to_str().unwrap(), "--at", "-9h"]);
    assert_eq!(outside.status.code(), Some(2));
    assert!(text(&outside).contains("is not in the recording"), "{}", text(&outside));

    // A part is a recording that says the same of the same moment.
    let part = mesh.file("part.lkr");
    let cut = ["record", "cut", "FILE", "--from", &middle.to_string(), "-o", part.to_str().unwrap()];
    assert!(with(&file, &cut).contains("part.lkr: "));
    let again = run(&cut.map(|word| if word == "FILE" { file.to_str().unwrap() } else { word }));
    assert_eq!(again.status.code(), Some(1), "what is there is not written over");
    let from_part = ["snapshot", "--format", "json", "--recording", part.to_str().unwrap()];
    let from_part: Value = serde_json::from_slice(&run(&from_part).stdout).unwrap();
    let sorted = |of: &Value| {
        let mut all: Vec<String> = of.as_array().unwrap().iter().map(Value::to_string).collect();
        all.sort_unstable();
        all
    };
    for part in ["locks", "nodes", "messages", "findings", "sources", "queues"] {
        assert_eq!(sorted(&from_part[part]), sorted(&last[part]), "{part}");
    }
    let printed = with(&part, &["replay", "FILE", "--plain", "--speed", "0"]);
    assert!(printed.contains("source mesh.db: live"), "{printed}");
    // It is zstd all through: nothing else is needed to read it.
    let whole = fs::read(&part).unwrap();
    let plain = zstd::decode_all(&whole[..]).unwrap();
    assert!(plain.starts_with(b"{\"start\":") && plain.ends_with(b"}\n"));
}

#[tokio::test]
async fn whoever_is_killed_leaves_a_recording_that_can_be_read() {
    let mut mesh = Busy::start().await;
    for (name, frames) in [("a.lkr", 1), ("b.lkr", 2)] {
        let file = mesh.file(name);
        let mut recording = mesh.record(&file, |program| program);
        mesh.frames(&file, frames).await;
        recording.kill().unwrap();
        ended(recording);
        let verified = run(&["record", "verify", file.to_str().unwrap()]);
        // Killed within a write, it says where it was torn; what was before is whole.
        let told = text(&verified);
        assert!(told.starts_with("whole: ") || told.contains("ends in the middle of a frame"), "{told}");
        assert!(with(&file, &["record", "info", "FILE"]).contains("mesh       mesh"));
    }
}

#[tokio::test]
async fn a_disk_that_is_full_ends_a_recording_with_a_reason_and_what_was_written_is_whole() {
    let mut mesh = Busy::start().await;
    let file = mesh.file("full.lkr");
    // A limit of the system's own stands for a full disk: 16 blocks of 512 bytes.
    let limited = |program: Command| {
        let mut shell = Command::new("sh");
        shell.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""]).arg(program.get_program());
        shell
    };
    let recording = mesh.record(&file, limited);
    let waits = tokio::task::spawn_blocking(move || ended(recording));
    let deadline = Deadline::new();
    while !waits.is_finished() {
        deadline.check("the limit to be met");
        mesh.go_on().await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let output = waits.await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("full.lkr: File too large"), "{}", text(&output));
    assert!(with(&file, &["record", "verify", "FILE"]).starts_with("whole: "));
}

/// Recordings as earlier versions wrote them, and what is in them.
const EARLIER: &[(&str, usize, usize, &[&str])] = &[(
    "tests/cli/recorded/v1.lkr",
    // Moments, nodes, rules that found something at the end.
    11,
    5,
    &[
        "deadlock",
        "node-dead",
        "message-stuck",
        "message-stuck",
        "message-stuck",
        "message-stuck",
        "message-stuck",
        "message-stuck",
        "message-stuck",
        "fence-back",
    ],
)];

#[test]
fn recordings_of_earlier_versions_are_read() {
    for (name, moments, nodes, rules) in EARLIER {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        assert!(with(&file, &["record", "verify", "FILE"]).starts_with(&format!("whole: {moments} moments")));
        let last: Value =
            serde_json::from_str(&with(&file, &["snapshot", "--format", "json", "--recording", "FILE"])).unwrap();
        support::documents::assert_valid(&last);
        assert_eq!(last["nodes"].as_array().unwrap().len(), *nodes);
        let found: Vec<&str> = last["findings"].as_array().unwrap().iter().filter_map(|f| f["rule"].as_str()).collect();
        assert_eq!(found, *rules);
        assert!(last["findings"][0]["raised_ms"].is_i64(), "findings have their lives");
    }
}

#[test]
fn what_is_no_recording_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.lkr");
    let path = file.to_str().unwrap();
    let refused = |arguments: &[&str]| {
        let output = run(arguments);
        assert_ne!(output.status.code(), Some(0));
        text(&output)
    };
    assert!(refused(&["record", "info", path]).contains("No such file"));
    fs::write(&file, "{}\n").unwrap();
    assert!(refused(&["record", "verify", path]).contains("it is no recording"));
    assert!(refused(&["check", "--recording", path]).contains("it is no recording"));
    assert!(refused(&["replay", path]).contains("it is no recording"));
    assert!(refused(&["record", folder.path().to_str().unwrap(), "--db", path]).contains("cannot write"));
    assert!(refused(&["snapshot", "--at", "-1m"]).contains("--recording"));
}
