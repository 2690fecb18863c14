//! Heartbeats and lock leaders.

use super::Reading;
use crate::model::{Heartbeat, Leader};

/// `mesh_heartbeats`.
pub const HEARTBEATS: Reading<Heartbeat> = Reading {
    table: "mesh_heartbeats",
    columns: &[("node_id", ""), ("agent_id", ""), ("last_seen_ms", ""), ("activity", ""), ("repository_id", "")],
    row: |r| {
        Some(Heartbeat {
            node_id: r.text("node_id"),
            agent_id: r.text("agent_id"),
            last_seen_ms: r.millis("last_seen_ms"),
            activity: r.text("activity"),
            repository_id: r.text("repository_id"),
            ..Default::default()
        })
    },
};

/// `lock_leader`.
pub const LEADERS: Reading<Leader> = Reading {
    table: "lock_leader",
    columns: &[
        ("repository_id", ""),
        ("leader_node_id", ""),
        ("elected_at", ""),
        ("heartbeat_at", ""),
        ("expires_at", ""),
        ("epoch", ""),
    ],
    row: |r| {
        Some(Leader {
            repository_id: r.text("repository_id"),
            leader_node_id: r.text("leader_node_id"),
            elected_at_ms: r.millis("elected_at"),
            heartbeat_at_ms: r.millis("heartbeat_at"),
            expires_at_ms: r.millis("expires_at"),
            epoch: r.int("epoch"),
        })
    },
};
