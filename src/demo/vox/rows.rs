//! Rows as a simulated mesh has them, and as it finds them.

use std::collections::BTreeMap;

use crate::model::time::Millis;

/// The repository that everybody works on.
pub const REPO: &str = "9f2c41d07ab8e635";

/// An execution lease.
#[derive(Debug, Clone)]
pub struct Lease {
    pub id: u64,
    pub task: u64,
    pub node: String,
    pub expires: Millis,
}

/// The database as the simulated nodes find it at a step. Empty where the mesh is too large to look at.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Locks by key, those of files without their prefix.
    pub locks: BTreeMap<String, LockRow>,
    /// Messages that wait: their receivers.
    pub waiting: BTreeMap<i64, u32>,
    /// Requests for locks that wait: id, priority, agent and key, best first.
    pub requests: Vec<(i64, u32, String)>,
}

/// One lock row.
#[derive(Debug, Clone)]
pub struct LockRow {
    pub node: String,
    pub agent: String,
    pub fence: i64,
    pub over: bool,
}

/// The name of a lock in either table.
#[must_use]
pub fn bare(key: &str) -> &str {
    key.trim_start_matches("file:")
}
