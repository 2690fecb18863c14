//! Nodes.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::Role;
use crate::mesh::derive::nodes::NodeView;
use crate::model::source::Aspect;

/// Every node of every source.
pub static NODES: Rows<NodeView> = Rows {
    items: |p| Items::SharedSlab(&p.nodes),
    key: |n| n.key.raw().to_owned(),
    tie: |a, b| a.key.cmp(&b.key),
    repo: |n| (!n.repository_id.is_empty()).then_some(&n.repository_id),
    inspect: inspections::node::inspect,
    aspect: Some(Aspect::Nodes),
    parts: &["mesh_heartbeats", "nodes", "events"],
    caveat: |_| None,
    name_column: 0,
    first_sort: (1, true),
    follows: false,
    tree: false,
    columns: &[
        Column {
            field: "node",
            title: "NODE",
            width: (10, 32),
            right: false,
            rank: 0,
            descending: false,
            cell: |n, _| Cell::plain(n.name()),
            sort: |n| Sort::Text(n.node_id.raw()),
        },
        Column {
            field: "staleness",
            title: "STATE",
            width: (10, 10),
            right: false,
            rank: 0,
            descending: true,
            cell: |n, _| Cell::state_as_of(&n.staleness, n.as_of_ms.is_some()),
            sort: |n| Sort::Number(n.staleness as i64),
        },
        Column {
            field: "age",
            title: "SEEN",
            width: (7, 8),
            right: true,
            rank: 0,
            descending: true,
            cell: |n, now| Cell::span(n.age_ms(now), n.as_of_ms.is_some()),
            sort: |n| Sort::opt(n.seen_ms.map(|ms| -ms)),
        },
        Column {
            field: "misses",
            title: "MISS",
            width: (4, 5),
            right: true,
            rank: 3,
            descending: true,
            cell: |n, _| Cell::count(n.misses),
            sort: |n| Sort::opt(n.misses),
        },
        Column {
            field: "activity",
            title: "ACTIVITY",
            width: (9, 14),
            right: false,
            rank: 2,
            descending: false,
            cell: |n, _| Cell::dim(&n.activity),
            sort: |n| Sort::Text(n.activity.raw()),
        },
        Column {
            field: "agents",
            title: "AGENTS",
            width: (6, 16),
            right: false,
            rank: 4,
            descending: false,
            cell: |n, _| Cell::dim(list(&n.agents)),
            sort: |n| Sort::opt(i64::try_from(n.agents.len()).ok()),
        },
        Column {
            field: "locks",
            title: "LOCKS",
            width: (5, 6),
            right: true,
            rank: 1,
            descending: true,
            cell: |n, _| count(n.holds.locks),
            sort: |n| number(n.holds.locks),
        },
        Column {
            field: "tasks",
            title: "TASKS",
            width: (5, 6),
            right: true,
            rank: 1,
            descending: true,
            cell: |n, _| count(n.holds.tasks),
            sort: |n| number(n.holds.tasks),
        },
        Column {
            field: "inbox",
            title: "INBOX",
            width: (5, 6),
            right: true,
            rank: 2,
            descending: true,
            cell: |n, _| count(n.holds.inbox),
            sort: |n| number(n.holds.inbox),
        },
        Column {
            field: "flags",
            title: "FLAGS",
            width: (5, 24),
            right: false,
            rank: 5,
            descending: true,
            cell: |n, _| flags(n),
            sort: |n| number(n.missing_in.len()),
        },
        Column {
            field: "repo",
            title: "REPOSITORY",
            width: (10, 18),
            right: false,
            rank: 6,
            descending: false,
            cell: |n, _| Cell::dim(&n.repository_id),
            sort: |n| Sort::Text(n.repository_id.raw()),
        },
    ],
};

fn list(texts: &[crate::model::text::Text]) -> String {
    texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn count(n: usize) -> Cell {
    Cell::count(i64::try_from(n).ok())
}

fn number(n: usize) -> Sort<'static> {
    Sort::opt(i64::try_from(n).ok())
}

fn flags(n: &NodeView) -> Cell {
    let mut words = Vec::new();
    if n.registry.as_ref().is_some_and(|r| r.quarantined) {
        words.push("quarantined");
    }
    if n.registry.as_ref().is_some_and(|r| r.maintenance) {
        words.push("maintenance");
    }
    if n.skew_ms.is_some() {
        words.push("skew");
    }
    if !n.missing_in.is_empty() {
        words.push("one source");
    }
    Cell { at: None, text: words.join(" "), role: Role::Warn }
}
