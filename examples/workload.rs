//! Makes a mesh of a size to measure with, and keeps it changing where that is asked for.
//!
//! `cargo run --release --example workload -- SIZE FILE [STEP_MS]` with SIZE one of S, M and L. With STEP_MS one row
//! in a hundred changes each second, in steps of that many milliseconds, until the process is ended.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use lockkeeper::clock::wall_clock;
use lockkeeper::demo::vox::workload::{Size, Workload};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (size, path, step) = match arguments.as_slice() {
        [size, path] => (Size::named(size), path, None),
        [size, path, step] => (Size::named(size), path, step.parse::<u64>().ok()),
        _ => panic!("workload SIZE FILE [STEP_MS]"),
    };
    let size = size.expect("S, M or L");
    let mut workload = Workload::create(Path::new(path), size, wall_clock()).await.expect("a filled database");
    println!("ready");
    std::io::stdout().flush().expect("somebody who reads");
    let Some(step) = step else { return };
    let mut ticks = tokio::time::interval(Duration::from_millis(step));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        workload.step(wall_clock(), i64::try_from(step).unwrap_or(1_000)).await.expect("a step");
    }
}
