//! The op-log, oldest first, followed at its end.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::chain::LogView;
use crate::model::source::Aspect;

/// Every entry in the window.
pub static OPLOG: Rows<LogView> = Rows {
    items: |p| Items::Slice(&p.log),
    key: LogView::key,
    tie: |a, b| a.key().cmp(&b.key()),
    repo: |l| (!l.entry.repository_id.is_empty()).then_some(&l.entry.repository_id),
    inspect: inspections::log::inspect,
    aspect: Some(Aspect::Log),
    parts: &["agent_oplog", "convergence_op_log", "events"],
    caveat: |_| None,
    name_column: 2,
    first_sort: (0, false),
    follows: true,
    tree: false,
    columns: &columns::OPLOG,
};
