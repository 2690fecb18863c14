//! What the benches share: programs that end with a value, and how long a process has run.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::process::{Child, Command, Stdio};

use procfs::process::Process;

/// A program that ends with the value.
pub struct Running(pub Child);

impl Running {
    /// Starts this program without a screen, printing each event to nowhere.
    pub fn plain(arguments: &[&std::ffi::OsStr], state: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.arg("--plain").args(arguments).env("XDG_STATE_HOME", state).env("HOME", state);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nanoseconds that a process and its children have run, the ended ones by the clock's ticks.
pub fn run_ns(process: u32) -> u64 {
    let Ok(process) = Process::new(process.cast_signed()) else { return 0 };
    let tasks = process.tasks().into_iter().flatten().flatten();
    let of_task = |task: procfs::process::Task| {
        let own = task.schedstat().map_or(0, |all| all.sum_exec_runtime);
        own + task.children().into_iter().flatten().map(run_ns).sum::<u64>()
    };
    let ended = process.stat().map_or(0, |stat| stat.cutime.saturating_add(stat.cstime));
    tasks.map(of_task).sum::<u64>() + ended.unsigned_abs() * 1_000_000_000 / procfs::ticks_per_second()
}
