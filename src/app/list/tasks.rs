//! Tasks.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
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
    columns: &columns::TASKS,
};
