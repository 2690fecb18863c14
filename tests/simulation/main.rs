//! The console's action path against a database, a control plane and agents that do anything at any time, with one or two
//! consoles, and lines that fail at any exchange: before it, after it was carried out, with the answer lost, or with the
//! console killed. Each schedule follows from a number; a failure names it, and `SIMULATE=<number>` repeats that one
//! alone. `SIMULATE_RUNS` says how many run.

mod course;
mod database;
mod plane;
mod unseen;

use std::cell::Cell;
use std::path::PathBuf;

use lockkeeper::model::time::Millis;

/// Schedules of one run of the tests.
const RUNS: u64 = 40_000;
/// The instant at which each schedule begins.
const BEGIN: Millis = 1_795_237_725_000;

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(BEGIN) };
}

/// The clock of the schedule that runs.
fn clock() -> Millis {
    NOW.get()
}

fn pass(ms: Millis) {
    NOW.set(NOW.get() + ms);
}

fn simulate(from: u64, to: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = database::open().await;
        // Flushing to memory costs nothing.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        for seed in from..to {
            NOW.set(BEGIN);
            let held = match seed % 3 {
                0 => plane::schedule(seed, folder.path()).await,
                _ => database::schedule(seed, &connection, folder.path()).await,
            };
            if let Err(why) = held {
                panic!("schedule {seed}: {why}; repeat it with SIMULATE={seed}");
            }
        }
        if to - from >= 1_000 {
            let kinds = ["acknowledge", "deliver", "drain", "quarantine", "retire", "revoke"];
            assert_eq!(plane::done(), kinds, "what the schedules of a control plane saw done");
        }
    });
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs `all` from 0 on two threads, or the one that was asked for.
fn each(count: u64, all: impl Fn(u64, u64) + Send + Copy) {
    if let Some(seed) = number("SIMULATE") {
        return all(seed, seed + 1);
    }
    let (runs, threads) = (number("SIMULATE_RUNS").unwrap_or(count), 2);
    let share = runs.div_ceil(threads);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|n| scope.spawn(move || all(n * share, (n + 1) * share))).collect();
        for one in all {
            one.join().expect("a schedule held");
        }
    });
}

/// A1, A2, B2, B3, C1: no word that is not so, and no entry without proof.
#[test]
fn whatever_fails_what_is_said_is_so() {
    each(RUNS, simulate);
}

/// G: nobody hears that all is well while a source is denied, silent, or shows a part of what it has.
#[test]
fn whatever_fails_all_is_well_needs_sight_of_all() {
    each(RUNS / 5, |from, to| (from..to).for_each(unseen::schedule));
}
