//! What does not move.

use super::OfMesh;
use crate::columns::{FINDINGS, LOCKS, MESSAGES, TASKS};
use crate::mesh::derive::locks::{LockState, LockView};
use crate::mesh::derive::{Snapshot, Stuck};

/// Locks that are waited for and whose holder does not look as if it let go, messages and tasks that do not move, and
/// deadlocks.
pub fn answer(snapshot: &Snapshot) -> OfMesh {
    let mut out = OfMesh::new(snapshot);
    // Who holds what is waited for and says nothing lets nobody in.
    let silent = |view: &&LockView| !matches!(view.state, LockState::Held | LockState::Expiring);
    let locks: Vec<&LockView> = snapshot.marked.contended.iter().map(|view| &**view).filter(silent).collect();
    let (mut messages, mut tasks) = (Vec::new(), Vec::new());
    for stuck in &snapshot.marked.stuck {
        match stuck {
            Stuck::Message(message) => messages.push(&**message),
            Stuck::Task(task) => tasks.push(&**task),
        }
    }
    let of_waits: Vec<_> =
        snapshot.findings.iter().map(|finding| &**finding).filter(|finding| finding.rule == DEADLOCK).collect();
    let counts = [
        (snapshot.waits.deadlocks.len(), "deadlock"),
        (locks.len(), "lock"),
        (messages.len(), "message"),
        (tasks.len(), "task"),
    ];
    let counted: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" }))
        .collect();
    out.found = !counted.is_empty();
    if counted.is_empty() {
        out.sentence("nothing is seen to be stuck");
    } else {
        out.sentence(format!("stuck: {}", counted.join(", ")));
    }
    for finding in &of_waits {
        out.sentence(&finding.sentence);
    }
    out.add(&FINDINGS, of_waits);
    out.add(&LOCKS, locks);
    out.add(&MESSAGES, messages);
    out.add(&TASKS, tasks);
    out
}

/// The rule that finds agents which wait for each other.
const DEADLOCK: &str = "deadlock";
