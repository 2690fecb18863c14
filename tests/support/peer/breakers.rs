//! Those who break lock directories.

use std::io::BufRead;
use std::path::Path;

use lockkeeper::clock::wall_clock;
use lockkeeper::data::harn::act::{Step, break_lock};
use lockkeeper::model::LockTable;
use lockkeeper::model::action::LockGuard;

fn guard(token: &str, instant: &str) -> LockGuard {
    LockGuard {
        table: LockTable::Directory,
        lock_key: "a".into(),
        repository_id: String::new(),
        holder_node: String::new(),
        holder_agent: String::new(),
        fence_token: None,
        acquired_at_ms: instant.parse().ok(),
        expires_at_ms: None,
        expires_at: None,
        token: Some(token.to_owned()),
    }
}

pub fn breaker(path: &Path, id: &str) {
    println!("ready");
    for (n, line) in std::io::stdin().lock().lines().map_while(Result::ok).enumerate() {
        let (token, instant) = line.split_once(' ').expect("token and instant");
        let outcome = break_lock(path, &guard(token, instant), id, &format!("{id}-{n}"), wall_clock, &mut |_| {});
        println!("{}: {}", outcome.kind, outcome.summary);
    }
}

pub fn break_and_die(path: &Path, token: &str, instant: &str, step: &str) {
    let step: Step = step.parse().expect("a step");
    let outcome = break_lock(path, &guard(token, instant), "dies", "dies", wall_clock, &mut |at| {
        if at == step {
            std::process::abort();
        }
    });
    println!("{}: {}", outcome.kind, outcome.summary);
}
