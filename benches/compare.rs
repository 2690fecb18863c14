//! What the program costs beside others: first paint, processor time, memory, bytes to the terminal, key latency.
//!
//! `cargo bench --bench compare` runs this program and every peer that is installed, in turn, in a real terminal of
//! 200x50, five rounds, and prints medians and how they compare. A peer that is not installed is skipped, and it says
//! so. `-- --rounds N --seconds N NAME ...` runs fewer. Linux only: processor time is read from `/proc`.

mod support;

use procfs::process::Process;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use self::support::run_ns;
use lockkeeper::clock::wall_clock;
use lockkeeper::demo::vox::workload::{Size, Workload};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long a screen is left alone before it is measured.
const WARM: Duration = Duration::from_secs(4);

/// A program to measure.
struct Subject {
    name: &'static str,
    program: String,
    arguments: Vec<String>,
    /// On screen once the first paint is whole.
    marker: &'static str,
    /// Keys pressed in turn, and how often.
    keys: &'static [&'static str],
    presses: usize,
    /// Keys that lead to where the others are pressed.
    before: &'static str,
}

/// What one round brought.
#[derive(Default)]
struct Figures {
    paint_ms: Vec<f64>,
    cpu: Vec<f64>,
    bytes: Vec<f64>,
    resident_mb: Vec<f64>,
    key_ms: Vec<f64>,
}

/// A program in a terminal.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    fn start(subject: &Subject) -> Self {
        let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(&subject.program);
        command.args(&subject.arguments);
        // What this program remembers is nobody else's.
        command.env("XDG_STATE_HOME", std::env::temp_dir().join(format!("compare-{}", std::process::id())));
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        let mut reader = pair.master.try_clone_reader().expect("its output");
        let writer = pair.master.take_writer().expect("its input");
        let child = pair.slave.spawn_command(command).expect("the program");
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, writer, output, screen: vt100::Parser::new(cells(50), cells(200), 0), _master: pair.master }
    }

    /// Takes what comes until then; answers how many bytes.
    fn take(&mut self, until: Instant) -> usize {
        let mut n = 0;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.output.recv_timeout(left) {
                Ok(bytes) => {
                    n += bytes.len();
                    self.screen.process(&bytes);
                }
                Err(RecvTimeoutError::Timeout) => return n,
                Err(RecvTimeoutError::Disconnected) => {
                    eprintln!("the program ended");
                    return n;
                }
            }
        }
        n
    }

    /// Waits for a word on the screen. Answers whether it came.
    fn until(&mut self, marker: &str) -> bool {
        let started = Instant::now();
        while !self.screen.screen().contents().contains(marker) {
            match self.output.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(_) => return false,
            }
        }
        true
    }

    fn press(&mut self, key: &str) {
        self.writer.write_all(key.as_bytes()).and_then(|()| self.writer.flush()).expect("its input");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(n: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(n).unwrap_or(std::num::NonZeroU16::MIN)
}

#[allow(clippy::cast_precision_loss, reason = "megabytes of one process")]
fn resident_mb(process: u32) -> f64 {
    let status = Process::new(process.cast_signed()).and_then(|process| process.status());
    status.ok().and_then(|status| status.vmrss).unwrap_or(0) as f64 / 1_024.0
}

fn measure(subject: &Subject, seconds: u64, figures: &mut Figures) {
    let started = Instant::now();
    let mut terminal = Terminal::start(subject);
    if !terminal.until(subject.marker) {
        println!("{} never showed {:?}: left out", subject.name, subject.marker);
        return;
    }
    figures.paint_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
    if !subject.before.is_empty() {
        terminal.press(subject.before);
    }
    terminal.take(Instant::now() + WARM);
    let process = terminal.child.process_id().expect("a process");
    let (ran, from) = (run_ns(process), Instant::now());
    let n = terminal.take(from + Duration::from_secs(seconds));
    let span = from.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "figures of a few digits")]
    {
        figures.cpu.push((run_ns(process) - ran) as f64 / 1e7 / span);
        figures.bytes.push(n as f64 / span);
    }
    figures.resident_mb.push(resident_mb(process));
    for i in 0..subject.presses {
        // A moment of quiet, so that what comes is the answer; where it never is quiet, what comes comes.
        for _ in 0..20 {
            if terminal.take(Instant::now() + Duration::from_millis(8)) == 0 {
                break;
            }
        }
        let pressed = Instant::now();
        terminal.press(subject.keys[i % subject.keys.len()]);
        if let Ok(bytes) = terminal.output.recv_timeout(Duration::from_secs(3)) {
            figures.key_ms.push(pressed.elapsed().as_secs_f64() * 1_000.0);
            terminal.screen.process(&bytes);
        }
    }
}

fn at(all: &[f64], share: f64) -> Option<f64> {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
    all.get((all.len().saturating_sub(1) as f64 * share).round() as usize).copied()
}

/// A mesh that changes until it is dropped.
struct Mesh {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Mesh {
    fn start(folder: &Path, name: &str, live: bool) -> Self {
        let path = folder.join(format!("{name}.db"));
        let (stop, ready) = (Arc::new(AtomicBool::new(false)), channel());
        let (quit, place, size) = (stop.clone(), path.clone(), Size::named(name).expect("a size"));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let mut workload = runtime.block_on(Workload::create(&place, size, wall_clock())).expect("a mesh");
            ready.0.send(()).expect("somebody who waits");
            while live && !quit.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_secs(1);
                runtime.block_on(workload.step(wall_clock(), 1_000)).expect("a step");
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
            }
        });
        ready.1.recv().expect("a mesh");
        Self { path, stop, thread: Some(thread) }
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.contains('/') || std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn subjects(small: &Path, large: Option<&Path>, config: &Path) -> Vec<Subject> {
    let own = |name, database: &Path, config: Option<&Path>, presses| {
        let mut arguments = vec!["--db".to_owned(), database.display().to_string()];
        if let Some(config) = config {
            arguments.extend(["--config".to_owned(), config.display().to_string()]);
        }
        let program = env!("CARGO_BIN_EXE_lockkeeper").to_owned();
        // As everybody's at first; where keys are pressed a thousand times, in the largest list.
        let before = if presses > 30 { "3" } else { "" };
        let keys: &[&str] = if presses > 30 { &["j", "k"] } else { &["2", "1"] };
        Subject { name, program, arguments, marker: "Overview", keys, presses, before }
    };
    let peer = |name, command: &str, marker, keys| {
        let mut words = command.split(' ').map(str::to_owned);
        let program = words.next().unwrap_or_default();
        Subject { name, program, arguments: words.collect(), marker, keys, presses: 30, before: "" }
    };
    let mut all = vec![own("lockkeeper S", small, None, 30)];
    all.extend(large.map(|large| own("lockkeeper L live", large, Some(config), 200)));
    let sqlite = peer("watch sqlite3", "watch -n 1 sqlite3", "node-00000", &[]);
    let query = "SELECT * FROM mesh_heartbeats; SELECT * FROM distributed_locks";
    let arguments =
        vec!["-n".into(), "1".into(), "-x".into(), "sqlite3".into(), small.display().to_string(), query.into()];
    all.push(Subject { arguments, presses: 0, ..sqlite });
    all.push(peer("htop 1s", "htop -d 10", "Load average", &["\u{1b}[B", "\u{1b}[A"]));
    all.push(peer("btop 2s", "btop", "cpu", &["\u{1b}[B", "\u{1b}[A"]));
    all.push(peer("bottom 1s", "btm -r 1000", "CPU", &["\u{1b}[B", "\u{1b}[A"]));
    all.push(peer("trippy", "trip 127.0.0.1", "Host", &["\u{1b}[B", "\u{1b}[A"]));
    all.push(peer("pg_activity 1s", "pg_activity --refresh 1", "RUNNING", &["\u{1b}[B", "\u{1b}[A"]));
    all.push(peer("tokio-console", "tokio-console", "Tasks", &["\u{1b}[B", "\u{1b}[A"]));
    all
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |flag: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (rounds, seconds) = (number("--rounds", 5), number("--seconds", 15));
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("direct.toml");
    std::fs::write(&config, "db_access = \"direct\"\n").expect("a file");
    let small = Mesh::start(folder.path(), "S", false);
    let without_large = arguments.iter().any(|argument| argument == "--small");
    let large = (!without_large).then(|| Mesh::start(folder.path(), "L", true));
    let mut subjects = subjects(&small.path, large.as_ref().map(|mesh| mesh.path.as_path()), &config);
    subjects.retain(|subject| {
        let there = installed(&subject.program);
        if !there {
            println!("{} is not installed: skipped", subject.program);
        }
        there
    });
    let mut figures: Vec<Figures> = subjects.iter().map(|_| Figures::default()).collect();
    for round in 1..=rounds {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            eprintln!("round {round} of {rounds}: {}", subject.name);
            measure(subject, seconds, figures);
        }
    }
    println!("medians of {rounds} rounds in turn, {seconds} s each, 200x50; in brackets: times the first line's");
    println!("| program | first paint, ms | CPU, % of a core | bytes/s | resident, MB | key, ms: median, worst |");
    println!("|---|---|---|---|---|---|");
    let base = |of: fn(&Figures) -> &Vec<f64>| figures.first().and_then(|first| at(of(first), 0.5)).unwrap_or(1.0);
    let cell = |figures: &Figures, of: fn(&Figures) -> &Vec<f64>, digits: usize| {
        let figure = at(of(figures), 0.5).unwrap_or(0.0);
        format!("{figure:.digits$} ({:.1})", figure / base(of).max(1e-9))
    };
    for (subject, figures) in subjects.iter().zip(&figures) {
        let key = match (at(&figures.key_ms, 0.5), at(&figures.key_ms, 1.0)) {
            (Some(median), Some(worst)) => format!("{median:.2}, {worst:.1} of {}", figures.key_ms.len()),
            _ => "-".into(),
        };
        println!(
            "| {} | {} | {} | {} | {} | {key} |",
            subject.name,
            cell(figures, |f| &f.paint_ms, 1),
            cell(figures, |f| &f.cpu, 2),
            cell(figures, |f| &f.bytes, 0),
            cell(figures, |f| &f.resident_mb, 1),
        );
    }
}
