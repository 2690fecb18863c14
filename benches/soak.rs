//! A long life in a short time: the program in a real terminal, refreshed many times a second over a mesh that changes
//! as often, for as many refreshes as three days bring at one a second.
//!
//! `cargo bench --bench soak` runs it; `-- MINUTES` for less, and says how far it came. With `faults` the database is
//! read through copies, goes away and comes back again and again, and the terminal changes its size. Nothing is
//! asserted: what grew is to be read. Linux only: figures are read from `/proc`.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lockkeeper::clock::wall_clock;
use lockkeeper::demo::vox::workload::{S, Workload};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// Between two refreshes.
const INTERVAL: Duration = Duration::from_millis(5);
/// Refreshes of three days at one a second.
const THREE_DAYS: u64 = 72 * 3_600;
/// What begins each frame on the wire.
const FRAME: &[u8] = b"\x1b[?2026h";
const SAMPLES: u32 = 40;
/// With faults: steps of the mesh between two of them, and how long one lasts.
const STEPS: u64 = 400;
const AWAY: Duration = Duration::from_millis(60);

/// One look at the process.
struct Sample {
    resident_kb: u64,
    files: usize,
    threads: usize,
    frames: u64,
    took: Duration,
}

fn main() {
    let minutes: Option<u64> = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mesh.db");
    let config = folder.path().join("soak.toml");
    let faults = std::env::args().any(|argument| argument == "faults");
    let access = if faults { "copy" } else { "direct" };
    std::fs::write(&config, format!("interval = \"{}ms\"\ndb_access = \"{access}\"\n", INTERVAL.as_millis()))
        .expect("a file");
    let stop = Arc::new(AtomicBool::new(false));
    let (ready, wait) = std::sync::mpsc::channel();
    let (quit, place) = (stop.clone(), path.clone());
    let writer = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut workload = runtime.block_on(Workload::create(&place, S, wall_clock())).expect("a mesh");
        ready.send(()).expect("somebody who waits");
        let (mut steps, away) = (0, place.with_extension("away"));
        while !quit.load(Ordering::Relaxed) {
            steps += 1;
            if faults && steps % STEPS == 0 {
                std::fs::rename(&place, &away).expect("a file that goes away");
                std::thread::park_timeout(AWAY);
                std::fs::rename(&away, &place).expect("a file that comes back");
            }
            runtime.block_on(workload.step(wall_clock(), 1_000)).expect("a step");
            std::thread::park_timeout(INTERVAL);
        }
    });
    wait.recv().expect("a mesh");

    let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["--db", path.to_str().expect("a path"), "--config", config.to_str().expect("a path")]);
    command.env("XDG_STATE_HOME", folder.path());
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let mut reader = pair.master.try_clone_reader().expect("its output");
    let mut child = pair.slave.spawn_command(command).expect("the program");
    drop(pair.slave);
    let frames = Arc::new(AtomicU64::new(0));
    let counted = frames.clone();
    std::thread::spawn(move || {
        let (mut buffer, mut rest) = (vec![0; 1 << 16], Vec::new());
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..n]);
            counted.fetch_add(rest.windows(FRAME.len()).filter(|at| *at == FRAME).count() as u64, Ordering::Relaxed);
            rest.drain(..rest.len().saturating_sub(FRAME.len() - 1));
        }
    });
    let process = child.process_id().expect("a process");
    let started = Instant::now();
    let span = minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let mut samples: Vec<Sample> = Vec::new();
    println!("minute  resident kB  files  threads  refreshes  refreshes/s");
    loop {
        let (before, from) = (frames.load(Ordering::Relaxed), Instant::now());
        std::thread::park_timeout(span.unwrap_or(Duration::from_secs(3_600)) / SAMPLES);
        let seen = frames.load(Ordering::Relaxed);
        let sample = measure(process, seen - before, from.elapsed());
        if faults {
            for (columns, rows) in [(1, 1), (80, 24), (500, 200), (200, 50)] {
                pair.master.resize(PtySize { rows, cols: columns, ..size }).expect("another size");
            }
        }
        println!(
            "{:>6.1}  {:>11}  {:>5}  {:>7}  {seen:>9}  {:>11.1}",
            started.elapsed().as_secs_f64() / 60.0,
            sample.resident_kb,
            sample.files,
            sample.threads,
            rate(&sample),
        );
        samples.push(sample);
        if span.map_or(seen >= THREE_DAYS, |span| started.elapsed() >= span) {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let _ = child.kill();
    let _ = child.wait();
    let _ = writer.join();
    report(&samples, frames.load(Ordering::Relaxed));
}

fn measure(process: u32, frames: u64, took: Duration) -> Sample {
    let process = procfs::process::Process::new(process.cast_signed()).expect("it lives");
    let status = process.status().expect("it lives");
    let threads = usize::try_from(status.threads).unwrap_or(0);
    Sample { resident_kb: status.vmrss.unwrap_or(0), files: process.fd_count().unwrap_or(0), threads, frames, took }
}

#[allow(clippy::cast_precision_loss, reason = "a rate of a few digits")]
fn rate(sample: &Sample) -> f64 {
    sample.frames as f64 / sample.took.as_secs_f64()
}

#[allow(clippy::cast_precision_loss, reason = "means of a few digits")]
fn report(samples: &[Sample], frames: u64) {
    // The first of them is the start, not the life.
    let life = &samples[samples.len().min(2)..];
    let (first, last) = life.split_at(life.len() / 2);
    let mean = |half: &[Sample], of: fn(&Sample) -> f64| half.iter().map(of).sum::<f64>() / half.len().max(1) as f64;
    let grew = |of: fn(&Sample) -> f64| (mean(last, of) / mean(first, of) - 1.0) * 100.0;
    println!("{frames} refreshes, {:.0} % of three days at one a second", frames as f64 * 100.0 / THREE_DAYS as f64);
    println!("last half against the first: resident memory {:+.2} %", grew(|s| s.resident_kb as f64));
    println!("  open files {:+.2} %, threads {:+.2} %", grew(|s| s.files as f64), grew(|s| s.threads as f64));
    println!("  refreshes a second {:+.2} %", grew(rate));
}
