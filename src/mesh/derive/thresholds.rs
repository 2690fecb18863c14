//! From when on something is worth mentioning.

use crate::model::time::{MINUTE, Millis, SECOND};
use serde::{Deserialize, Serialize};

/// From when on something is worth mentioning. All of them can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// A node that misses one of these is stale.
    pub stale_ms: Millis,
    /// An unacknowledged message older than this is stuck.
    pub stuck_ms: Millis,
    /// A message delivered this often is poison.
    pub poison_attempts: i64,
    /// A lock this close to its end is expiring, whatever its TTL.
    pub expiring_ms: Millis,
    /// A source not heard for this long, beyond three of its intervals, is old.
    pub old_ms: Millis,
    /// An agent that waits longer than this is starved.
    pub starved_ms: Millis,
    /// A lock renewed more often than this by one holder is held for long.
    pub renewals: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            stale_ms: MINUTE,
            stuck_ms: MINUTE,
            poison_attempts: 5,
            expiring_ms: 5 * SECOND,
            old_ms: 5 * SECOND,
            starved_ms: 5 * MINUTE,
            renewals: 50,
        }
    }
}
