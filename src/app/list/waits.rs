//! The wait-for graph as a tree: whoever blocks stands above those it blocks.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::graph::WaitRow;
use crate::model::source::Aspect;

/// Every blocker and every wait that is known.
pub static WAITS: Rows<WaitRow> = Rows {
    items: |p| Items::Slice(p.waits.rows()),
    key: WaitRow::key,
    tie: |a, b| a.order.cmp(&b.order),
    repo: |_| None,
    inspect: inspections::wait::inspect,
    aspect: Some(Aspect::Waiters),
    parts: &["distributed_locks", "vcs_lock", "a2a_messages", "agent_oplog", "lock directories", "host leases"],
    caveat: |_| None,
    name_column: 0,
    first_sort: (0, false),
    follows: false,
    tree: true,
    columns: &columns::WAITS,
};
