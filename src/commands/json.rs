//! The JSON of a snapshot: `lockkeeper.snapshot.v1`. Field names equal column names wherever there is one.

use serde_json::{Map, Value, json};

use crate::commands::cli::SnapshotView;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Finding;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::messages::MessageView;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::tasks::TaskView;
use crate::model::observation::Presence;
use crate::model::text::escape_json;

/// The name and version of the form.
pub const SCHEMA: &str = "lockkeeper.snapshot.v1";

/// The same of several meshes.
pub const SCHEMA_OF_SEVERAL: &str = "lockkeeper.snapshots.v1";

/// The whole snapshot, or one part of it, as text that is safe to print.
#[must_use]
pub fn snapshot(snapshot: &Snapshot, view: Option<SnapshotView>) -> String {
    print(&of_mesh(snapshot, view))
}

/// Snapshots of several meshes; one alone stands by itself.
#[must_use]
pub fn snapshots(snapshots: &[Snapshot], view: Option<SnapshotView>) -> String {
    if let [only] = snapshots {
        return snapshot(only, view);
    }
    let each: Vec<Value> = snapshots.iter().map(|snapshot| of_mesh(snapshot, view)).collect();
    print(&json!({ "schema": SCHEMA_OF_SEVERAL, "meshes": each }))
}

fn print(value: &Value) -> String {
    escape_json(&serde_json::to_string_pretty(value).unwrap_or_default())
}

fn of_mesh(snapshot: &Snapshot, view: Option<SnapshotView>) -> Value {
    let mut out = Map::new();
    out.insert("schema".into(), SCHEMA.into());
    out.insert("observed_at_ms".into(), snapshot.at_ms.into());
    out.insert("mesh".into(), snapshot.mesh.name.raw().into());
    if let Some(only) = &snapshot.only {
        out.insert("repository".into(), json!({ "repository_id": only.repository, "known": only.known }));
    }
    out.insert("sources".into(), sources(snapshot));
    let now = snapshot.at_ms;
    let mut part = |name: &str, of: SnapshotView, make: &dyn Fn() -> Vec<Value>| {
        if view.is_none_or(|wanted| wanted == of) {
            out.insert(name.into(), make().into());
        }
    };
    part("nodes", SnapshotView::Nodes, &|| snapshot.nodes.iter().map(|n| node(n, now)).collect());
    part("locks", SnapshotView::Locks, &|| snapshot.locks.iter().map(|l| lock(l, now)).collect());
    part("queues", SnapshotView::Queues, &|| {
        snapshot.locks.iter().filter(|l| !l.waiters.is_empty()).map(|l| queue(l, now)).collect()
    });
    part("messages", SnapshotView::Messages, &|| snapshot.messages.iter().map(|m| message(m, now)).collect());
    part("tasks", SnapshotView::Tasks, &|| snapshot.tasks.iter().map(|t| task(t, now)).collect());
    part("leases", SnapshotView::Leases, &|| leases(snapshot));
    part("leaders", SnapshotView::Leaders, &|| leaders(snapshot));
    part("oplog", SnapshotView::Oplog, &|| oplog(snapshot));
    part("findings", SnapshotView::Findings, &|| snapshot.findings.iter().map(|f| finding(f)).collect());
    Value::Object(out)
}

fn sources(snapshot: &Snapshot) -> Value {
    let each = snapshot.mesh.sources.iter().zip(snapshot.sources.iter()).map(|(source, view)| {
        let parts = source.probe.iter().flat_map(|probe| probe.parts.iter());
        let parts: Map<String, Value> = parts
            .map(|(name, presence)| {
                let word = match presence {
                    Presence::Present => json!("present"),
                    Presence::Partial(missing) => json!({ "without": missing }),
                    Presence::Absent => json!("absent"),
                    Presence::Denied(why) => json!({ "denied": why }),
                };
                ((*name).to_owned(), word)
            })
            .collect();
        json!({
            "name": source.identity.name,
            "kind": source.identity.kind,
            "place": source.identity.place,
            "read_by": source.identity.how,
            "provides": source.identity.provides.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "health": view.health.to_string(),
            "last_heard_ms": source.health.last_ok_ms,
            "error": source.health.trouble.as_ref().map(|t| t.fault.to_string()),
            "clock_offset_ms": source.clock.best().map(|s| s.offset_ms),
            "cost": {
                "round_trips": source.total_cost.round_trips,
                "rows": source.total_cost.rows,
                "rows_read": source.total_cost.read,
                "bytes": source.total_cost.bytes,
                "ms": (source.total_cost.ms * 10.0).round() / 10.0,
            },
            "parts": parts,
        })
    });
    each.collect::<Vec<_>>().into()
}

fn node(n: &NodeView, now: i64) -> Value {
    json!({
        "node_id": n.node_id,
        "agent_id": n.agent_id,
        "repository_id": n.repository_id,
        "last_seen_ms": n.last_seen_ms,
        "age_ms": n.age_ms(now),
        "misses": n.misses,
        "staleness": n.staleness.to_string(),
        "activity": n.activity,
        "agents": n.agents,
        "repositories": n.repositories,
        "locks": n.holds.locks,
        "leases": n.holds.leases,
        "inbox": n.holds.inbox,
        "tasks": n.holds.tasks,
        "version": n.registry.as_ref().map(|r| &r.version),
        "labels": n.registry.as_ref().map(|r| &r.labels),
        "maintenance": n.registry.as_ref().map(|r| r.maintenance),
        "quarantined": n.registry.as_ref().map(|r| r.quarantined),
        "clock_skew_ms": n.skew_ms,
        "missing_in": n.missing_in,
        "as_of_ms": n.as_of_ms,
        "signals": n.signals.iter().map(|s| json!({ "from": s.from, "seen_ms": s.seen_ms })).collect::<Vec<_>>(),
    })
}

fn lock(l: &LockView, now: i64) -> Value {
    json!({
        "lock_key": l.lock.lock_key,
        "repository_id": l.lock.repository_id,
        "table": l.lock.table.to_string(),
        "holder_node": l.lock.holder_node,
        "holder_agent": l.lock.holder_agent,
        "fence_token": l.lock.fence_token,
        "acquired_at_ms": l.lock.acquired_at_ms,
        "expires_at_ms": l.lock.expires_at_ms,
        "ttl_ms": l.ttl_ms(now),
        "state": l.state.to_string(),
        "shared": l.lock.shared,
        "lease_id": l.lock.lease_id,
        "remark": l.lock.remark,
        "holder_staleness": l.holder_staleness.to_string(),
        "source": l.source,
        "as_of_ms": l.as_of_ms,
        "waiters": waiters(l),
    })
}

fn waiters(l: &LockView) -> Vec<Value> {
    l.waiters
        .iter()
        .map(|w| json!({ "agent": w.agent, "since_ms": w.since_ms, "evidence": &*w.evidence, "confidence": w.confidence.to_string(), "priority": w.priority, "inferred": true }))
        .collect()
}

fn queue(l: &LockView, now: i64) -> Value {
    let longest = l.waiters.iter().filter_map(|w| w.since_ms).min().map(|since| now - since);
    json!({
        "lock_key": l.lock.lock_key,
        "repository_id": l.lock.repository_id,
        "table": l.lock.table.to_string(),
        "holder_agent": l.lock.holder_agent,
        "depth": l.waiters.len(),
        "longest_wait_ms": longest,
        "waiters": waiters(l),
    })
}

fn message(view: &MessageView, now: i64) -> Value {
    let m = &view.message;
    json!({
        "table": m.table.to_string(),
        "id": m.id,
        "label": m.label,
        "sender_agent": m.sender_agent,
        "receiver_agent": m.receiver_agent,
        "msg_type": m.msg_type,
        "payload": m.payload.head,
        "payload_cut": m.payload.is_cut(),
        "priority": m.priority,
        "thread_id": m.thread_id,
        "acknowledged": m.acknowledged,
        "created_at_ms": m.created_at_ms,
        "age_ms": view.age_ms(now),
        "repository_id": m.repository_id,
        "claim_owner": m.claim_owner,
        "claim_until_ms": m.claim_until_ms,
        "delivery_attempts": m.delivery_attempts,
        "last_claim_error": m.last_claim_error,
        "processed_at_ms": m.processed_at_ms,
        "state": view.state.to_string(),
        "source": view.source,
        "as_of_ms": view.as_of_ms,
    })
}

fn task(t: &TaskView, now: i64) -> Value {
    json!({
        "task_id": t.task,
        "repository_id": t.repository_id,
        "state": t.state.to_string(),
        "owner_agent": t.owner_agent,
        "owner_node": t.owner_node,
        "owner_staleness": t.owner_staleness.to_string(),
        "since_ms": t.since_ms,
        "age_ms": t.age_ms(now),
        "lease_id": t.lease_id,
        "as_of_ms": t.as_of_ms,
        "evidence": t.evidence,
    })
}

fn leases(snapshot: &Snapshot) -> Vec<Value> {
    let lease = |view: &crate::mesh::derive::leases::LeaseView| {
        let l = &view.lease;
        json!({
            "lease_id": l.lease_id,
            "task_id": l.task_id,
            "scope_key": l.scope_key,
            "holder_node_id": l.holder_node_id,
            "granted_at_ms": l.granted_at_ms,
            "expires_at_ms": l.expires_at_ms,
            "state": l.state,
            "in_force": view.in_force,
            "authoritative": l.authoritative,
            "holder_staleness": view.holder_staleness.to_string(),
            "source": view.source,
        })
    };
    snapshot.leases.iter().map(lease).collect()
}

fn leaders(snapshot: &Snapshot) -> Vec<Value> {
    let leader = |view: &crate::mesh::derive::leases::LeaderView| {
        let l = &view.leader;
        json!({
            "repository_id": l.repository_id,
            "leader_node_id": l.leader_node_id,
            "elected_at_ms": l.elected_at_ms,
            "heartbeat_at_ms": l.heartbeat_at_ms,
            "expires_at_ms": l.expires_at_ms,
            "epoch": l.epoch,
            "expired": view.expired,
            "staleness": view.staleness.to_string(),
            "source": view.source,
        })
    };
    snapshot.leaders.iter().map(leader).collect()
}

fn oplog(snapshot: &Snapshot) -> Vec<Value> {
    let entry = |view: &crate::mesh::derive::chain::LogView| {
        let e = &view.entry;
        json!({
            "table": e.table.to_string(),
            "id": e.id,
            "operation_id": e.operation_id,
            "agent_id": e.agent_id,
            "kind": e.kind,
            "kind_json": &*e.kind_json,
            "description": e.description,
            "predecessor_hash": e.predecessor_hash,
            "model_id": e.model_id,
            "change_id": e.change_id,
            "timestamp_ms": e.timestamp_ms,
            "undone": e.undone,
            "repository_id": e.repository_id,
            "chain": view.chain.to_string(),
            "chain_note": view.why,
            "source": view.source,
        })
    };
    snapshot.log.iter().map(entry).collect()
}

fn finding(f: &Finding) -> Value {
    json!({
        "rule": f.rule,
        "severity": f.severity.to_string(),
        "subject": { "kind": f.subject.kind(), "name": f.name },
        "sentence": f.sentence,
        "evidence": f.evidence,
        "raised_ms": f.life.as_ref().map(|life| life.raised_ms),
        "acknowledged_by": f.acknowledged().map(|known| &known.by),
        "acknowledged_until_ms": f.acknowledged().and_then(|known| known.until_ms),
    })
}
