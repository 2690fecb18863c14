//! Nodes.

use serde_json::json;
use strum::VariantNames as _;

use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::staleness::Staleness;

type Of = Column<NodeView>;

/// Every node of every source.
pub static NODES: Columns<NodeView> = Columns {
    part: "nodes",
    title: "NODES",
    about: "Every node that a source knows.",
    is_old: |n| n.as_of_ms.is_some(),
    all: &[
        Of::new("node_id", Kind::Name, "The node's name.", |n, _| Value::name(&n.node_id))
            .shown("node", "NODE", (10, 32), 0)
            .drawn(|n, _| Cell::plain(n.name())),
        Of::new("staleness", Kind::State(Staleness::VARIANTS), "How long it has been silent, as a level.", |n, _| {
            Value::state(&n.staleness)
        })
        .shown("staleness", "STATE", (10, 10), 0),
        Of::new("age_ms", Kind::Span, "Since the last sign of life.", |n, now| Value::Span(n.age_ms(now)))
            .shown("age", "SEEN", (7, 8), 0)
            .sorted(|n| Sort::since(n.seen_ms)),
        Of::new("misses", Kind::Count, "Heartbeats missed in a row.", |n, _| Value::Count(n.misses)).shown(
            "misses",
            "MISS",
            (4, 5),
            3,
        ),
        Of::new("activity", Kind::Name, "What it says it does.", |n, _| Value::name(&n.activity))
            .shown("activity", "ACTIVITY", (9, 14), 2)
            .dim(),
        Of::new("agents", Kind::Names, "Agents that it runs.", |n, _| Value::Names(&n.agents))
            .shown("agents", "AGENTS", (6, 16), 4)
            .dim(),
        Of::new("locks", Kind::Count, "Locks that it holds.", |n, _| Value::size(n.holds.locks)).always().shown(
            "locks",
            "LOCKS",
            (5, 6),
            1,
        ),
        Of::new("tasks", Kind::Count, "Tasks that it has.", |n, _| Value::size(n.holds.tasks)).always().shown(
            "tasks",
            "TASKS",
            (5, 6),
            1,
        ),
        Of::new("inbox", Kind::Count, "Messages that wait for its agents.", |n, _| Value::size(n.holds.inbox))
            .always()
            .shown("inbox", "INBOX", (5, 6), 2),
        Of::new("flags", Kind::Text, "quarantined, maintenance, skew, one source: those that apply.", |n, _| {
            Value::text(flags(n))
        })
        .screen_only()
        .shown("flags", "FLAGS", (5, 24), 5)
        .descending()
        .sorted(|n| Sort::opt(i64::try_from(n.missing_in.len()).ok()))
        .drawn(|n, _| Cell::new(flags(n), Role::Warn)),
        Of::new("repository_id", Kind::Name, "The repository of its freshest heartbeat.", |n, _| {
            Value::name(&n.repository_id)
        })
        .shown("repo", "REPOSITORY", (10, 18), 6)
        .dim(),
        Of::new("agent_id", Kind::Name, "The agent of its freshest heartbeat.", |n, _| Value::name(&n.agent_id)),
        Of::new("last_seen_ms", Kind::Instant, "Its last sign of life, on its writer's clock.", |n, _| {
            Value::Instant(n.last_seen_ms)
        }),
        Of::new("repositories", Kind::Names, "Repositories that it works in.", |n, _| Value::Names(&n.repositories)),
        Of::new("leases", Kind::Count, "Execution leases that it holds.", |n, _| Value::size(n.holds.leases)).always(),
        Of::new("version", Kind::Name, "Its version, by a registry.", |n, _| {
            Value::Name(n.registry.as_ref().map(|r| &r.version))
        })
        .or_null(),
        Of::new("labels", Kind::Json(names_or_null), "Its labels, by a registry.", |n, _| {
            Value::Json(json!(n.registry.as_ref().map(|r| &r.labels)))
        }),
        Of::new("maintenance", Kind::Flag, "Whether a registry has it in maintenance.", |n, _| {
            Value::Flag(n.registry.as_ref().map(|r| r.maintenance))
        }),
        Of::new("quarantined", Kind::Flag, "Whether a registry has it in quarantine.", |n, _| {
            Value::Flag(n.registry.as_ref().map(|r| r.quarantined))
        }),
        Of::new("clock_skew_ms", Kind::Span, "Its clock minus the console's, where that is worth a word.", |n, _| {
            Value::Span(n.skew_ms)
        }),
        Of::new("missing_in", Kind::Names, "Sources of nodes that answer and do not know it.", |n, _| {
            Value::Names(&n.missing_in)
        }),
        Of::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |n, _| Value::Instant(n.as_of_ms)),
        Of::new("signals", Kind::Json(signals), "Every sign of life: where it was read, and when.", |n, _| {
            Value::Json(n.signals.iter().map(|s| json!({ "from": s.from, "seen_ms": s.seen_ms })).collect())
        }),
    ],
};

fn names_or_null() -> serde_json::Value {
    json!({ "type": ["array", "null"], "items": { "type": "string" } })
}

fn signals() -> serde_json::Value {
    super::schema::objects(&json!({ "from": { "type": "string" }, "seen_ms": { "type": "integer" } }))
}

fn flags(n: &NodeView) -> String {
    let registry = |is: fn(&crate::model::RegistryNode) -> bool| n.registry.as_ref().is_some_and(is);
    let words = [
        (registry(|r| r.quarantined), "quarantined"),
        (registry(|r| r.maintenance), "maintenance"),
        (n.skew_ms.is_some(), "skew"),
        (!n.missing_in.is_empty(), "one source"),
    ];
    words.iter().filter(|(applies, _)| *applies).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}
