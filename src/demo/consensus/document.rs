//! The document of another group: four nodes, a lock with its queue, and a barrier that one participant never reaches.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::scaled;
use crate::data::consensus::document::SCHEMA;
use crate::model::time::{Millis, SECOND};

/// Writes the document as of an instant: renamed into its place, so that nobody reads half of it.
pub fn write(path: &Path, began_ms: Millis, speed: f64, now_ms: Millis) -> std::io::Result<()> {
    let age = now_ms - began_ms;
    let span = |seconds: Millis| scaled(seconds * SECOND, speed);
    let seq = age / 250;
    let index = 5_000 + seq;
    let node = |n: i64| {
        let leads = n == 1;
        json!({
            "node_id": format!("n{n}"), "role": if leads { "leader" } else { "follower" }, "current_term": 7,
            "voted_for": "n1", "leader_id": "n1", "commit_index": index, "last_applied": index - i64::from(n == 3),
            "snapshot_index": 5_000, "log_length": seq, "cluster_size": 3, "voter": true, "heard_at_ms": now_ms - 20 * n,
        })
    };
    // The holder changes as time goes on, and the fence with it.
    let turn = age / span(30).max(1);
    let taken = began_ms + turn * span(30);
    let arrived: Vec<String> = (1..=3).filter(|n| age >= span(10 * n)).map(|n| format!("agent-{n}")).collect();
    let document = json!({
        "schema": SCHEMA, "system": "trinity", "cluster_id": "c1", "incarnation": "b7", "seq": seq,
        "observed_at_ms": now_ms, "written_by": "n1",
        "limits": { "cluster_max": 7, "election_max_ms": 300, "lease_ms": 10_000, "locks_max": 256, "queue_max": 64,
            "barriers_max": 64, "barrier_timeout_ms": 30_000, "log_max": 10_000_000, "proposals_max": 128 },
        "nodes": (1..=3).map(node).collect::<Vec<_>>(),
        "locks": [{ "lock_id": "db/main", "state": "queued", "holder": format!("agent-{}", 4 + turn % 3), "node_id": "n2",
            "fence_token": 88 + turn, "acquired_at_ms": taken, "expires_at_ms": taken + span(30) + SECOND, "queue_length": 2,
            "queue": [{ "agent_id": format!("agent-{}", 4 + (turn + 1) % 3), "since_at_ms": taken },
                { "agent_id": format!("agent-{}", 4 + (turn + 2) % 3), "since_at_ms": taken }] }],
        "barriers": [{ "barrier_id": "stage-2", "kind": "full", "state": "waiting", "expected": 4, "arrived": arrived,
            "created_at_ms": began_ms, "timeout_ms": span(45), "next": "stage-3" }],
        "proposals": [{ "proposal_id": format!("p{index}"), "node_id": "n1", "term": 7, "index": index + 1, "kind": "command",
            "status": "pending", "acks": 1, "submitted_at_ms": now_ms - 50 }],
        "log": [{ "index": index, "term": 7, "kind": "noop", "at_ms": now_ms, "text": "" }],
    });
    let part = path.with_extension("part");
    fs::write(&part, document.to_string())?;
    fs::rename(part, path)
}
