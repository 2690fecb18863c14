//! From the start of the process to the first frame, and to data from a local file, in a real terminal.
//!
//! `cargo bench --bench startup` prints medians of 21 starts at 200x50; nothing is asserted.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use lockkeeper::clock::wall_clock;
use lockkeeper::demo::vox::world::{Shape, World};
use lockkeeper::demo::vox::write::Writer;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const STARTS: usize = 21;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mesh.db");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let now = wall_clock();
        let mut world = World::new(Shape { seed: 7, nodes: 12, locks: 40, messages: 200, speed: 8.0 }, now);
        Writer::create(&path).await.expect("a database").apply(world.begin(now)).await.expect("its rows");
    });
    let mut starts: Vec<(f64, f64)> = (0..STARTS).map(|_| start(&path)).collect();
    starts.remove(0);
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = starts.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        (all[all.len() / 2], all[all.len() - 1])
    };
    let (first, worst_first) = median(|s| s.0);
    let (data, worst_data) = median(|s| s.1);
    println!("first frame           {first:6.1} ms median  {worst_first:6.1} ms worst of {}", starts.len());
    println!("data from a local file{data:6.1} ms median  {worst_data:6.1} ms worst of {}", starts.len());
}

/// Milliseconds to the first frame (the views' names) and to the first data (a node's name).
fn start(database: &Path) -> (f64, f64) {
    let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["--db", database.to_str().expect("a path")]);
    command.env("XDG_STATE_HOME", std::env::temp_dir().join(format!("startup-{}", std::process::id())));
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let mut reader = pair.master.try_clone_reader().expect("its output");
    let started = Instant::now();
    let mut child = pair.slave.spawn_command(command).expect("the program");
    drop(pair.slave);
    let (mut seen, mut first, mut buffer) = (Vec::new(), None, vec![0; 65_536]);
    let data = loop {
        let n = reader.read(&mut buffer).expect("output");
        let ms = started.elapsed().as_secs_f64() * 1_000.0;
        seen.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&seen);
        if first.is_none() && text.contains("Overview") && text.contains("every") {
            first = Some(ms);
        }
        if text.contains("anvil") {
            break ms;
        }
        assert!(started.elapsed() < PATIENCE, "no data");
    };
    child.kill().expect("the end");
    child.wait().expect("the end");
    (first.unwrap_or(data), data)
}
