//! What happens, and when: a story that a newcomer can watch in two minutes. Times are the mesh's own;
//! at the usual speed of 8 they pass eight times as fast.

use crate::model::time::{Millis, SECOND};

/// One turn of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Two agents want the same file.
    Contend,
    /// A node stops answering and holds locks.
    GoesQuiet,
    /// One more agent queues behind it.
    Queues(usize),
    /// Two agents each hold what the other waits for.
    Deadlocks,
    /// A message is claimed over and over.
    Poisons,
    /// Another node becomes lock leader.
    LeaderChanges,
    /// The silent node is back, and releases.
    Returns,
    /// What is left over is cleared away.
    Resolves,
}

/// Locks of the silent node.
pub const QUIET_LOCKS: &[&str] = &["file:src/scheduler/queue.rs", "file:src/planner/graph.rs", "file:Cargo.lock"];
/// What two agents want.
pub const CONTENDED: &str = "file:src/parser/expr.rs";
/// What two agents lock each other out with.
pub const DEADLOCK: [&str; 2] = ["file:src/router/table.rs", "file:src/session/store.rs"];

/// The story begins anew after this.
pub const LENGTH: Millis = 1_200 * SECOND;

/// Every turn, in order.
pub const ACTS: &[(Millis, Act)] = &[
    (60 * SECOND, Act::Contend),
    (100 * SECOND, Act::GoesQuiet),
    (160 * SECOND, Act::Queues(0)),
    (200 * SECOND, Act::Queues(1)),
    (260 * SECOND, Act::Queues(2)),
    (320 * SECOND, Act::Deadlocks),
    (400 * SECOND, Act::Poisons),
    (460 * SECOND, Act::Queues(3)),
    (560 * SECOND, Act::LeaderChanges),
    (900 * SECOND, Act::Returns),
    (1_020 * SECOND, Act::Resolves),
];
