//! Tasks.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::State;
use crate::mesh::derive::tasks::TaskView;
use crate::model::source::Aspect;

/// Every task that could be assembled.
pub static TASKS: Rows<TaskView> = Rows {
    items: |p| Items::SharedSlab(&p.tasks),
    key: TaskView::key,
    tie: |a, b| (&a.repository_id, &a.task).cmp(&(&b.repository_id, &b.task)),
    repo: |t| (!t.repository_id.is_empty()).then_some(&t.repository_id),
    inspect: inspections::task::inspect,
    aspect: Some(Aspect::Tasks),
    parts: &[
        "a2a_messages",
        "agent_oplog",
        "orchestration_lineage_events",
        "mesh_exec_leases",
        "exec leases",
        "events",
    ],
    caveat: |_| None,
    name_column: 0,
    first_sort: (1, false),
    follows: false,
    tree: false,
    columns: &[
        Column {
            field: "task",
            title: "TASK",
            width: (8, 18),
            right: false,
            rank: 0,
            descending: true,
            cell: |t, _| Cell::plain(&t.task),
            sort: |t| Sort::id(&t.task),
        },
        Column {
            field: "state",
            title: "STATE",
            width: (11, 11),
            right: false,
            rank: 0,
            descending: false,
            cell: |t, _| Cell::state_as_of(&t.state, t.as_of_ms.is_some()),
            sort: |t| Sort::Number(urgency(t)),
        },
        Column {
            field: "agent",
            title: "AGENT",
            width: (5, 14),
            right: true,
            rank: 1,
            descending: false,
            cell: |t, _| Cell::opt(t.owner_agent.as_ref()),
            sort: |t| t.owner_agent.as_ref().map_or(Sort::Unknown, Sort::id),
        },
        Column {
            field: "node",
            title: "NODE",
            width: (10, 24),
            right: false,
            rank: 0,
            descending: false,
            cell: |t, _| {
                t.owner_node.as_ref().map_or_else(
                    || Cell::dim("-"),
                    |node| Cell {
                        at: None,
                        text: format!("{} {node}", t.owner_staleness.glyph()),
                        role: t.owner_staleness.role(),
                    },
                )
            },
            sort: |t| t.owner_node.as_ref().map_or(Sort::Unknown, |n| Sort::Text(n.raw())),
        },
        Column {
            field: "age",
            title: "AGE",
            width: (7, 8),
            right: true,
            rank: 0,
            descending: true,
            cell: |t, now| Cell::span(t.age_ms(now), t.as_of_ms.is_some()),
            sort: |t| Sort::opt(t.since_ms.map(|ms| -ms)),
        },
        Column {
            field: "lease",
            title: "LEASE",
            width: (5, 12),
            right: true,
            rank: 3,
            descending: false,
            cell: |t, _| Cell::opt(t.lease_id.as_ref()),
            sort: |t| t.lease_id.as_ref().map_or(Sort::Unknown, Sort::id),
        },
        Column {
            field: "evidence",
            title: "LAST EVIDENCE",
            width: (16, 80),
            right: false,
            rank: 2,
            descending: false,
            cell: |t, _| Cell::dim(t.evidence.last().map(ToString::to_string).unwrap_or_default()),
            sort: |t| t.evidence.last().map_or(Sort::Unknown, |e| Sort::Text(e.raw())),
        },
        Column {
            field: "repo",
            title: "REPOSITORY",
            width: (10, 18),
            right: false,
            rank: 5,
            descending: false,
            cell: |t, _| Cell::dim(&t.repository_id),
            sort: |t| Sort::Text(t.repository_id.raw()),
        },
    ],
};

/// What needs a person comes first, what is over last.
fn urgency(t: &TaskView) -> i64 {
    use crate::mesh::derive::tasks::TaskState as S;
    match t.state {
        S::Orphaned => 0,
        S::Failed => 1,
        S::Pending => 2,
        S::Leased | S::Received => 3,
        S::Running => 4,
        S::Done => 5,
        S::Cancelled => 6,
    }
}
