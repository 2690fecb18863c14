//! The wait-for graph as a tree: whoever blocks stands above those it blocks.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::Role;
use crate::mesh::derive::graph::WaitRow;
use crate::model::source::Aspect;
use crate::model::time::short;

/// Every blocker and every wait that is known.
pub static WAITS: Rows<WaitRow> = Rows {
    items: |p| Items::Slice(&p.waits.rows),
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
    columns: &[
        Column {
            field: "agent",
            title: "AGENT",
            width: (16, 32),
            right: false,
            rank: 0,
            descending: false,
            cell: |w, _| agent(w),
            sort: |w| Sort::opt(Some(i64::from(w.order))),
        },
        Column {
            field: "state",
            title: "STATE",
            width: (12, 12),
            right: false,
            rank: 0,
            descending: true,
            cell: |w, _| state(w),
            sort: |w| Sort::Number(i64::from(w.deadlocked) * 2 + i64::from(w.waits())),
        },
        Column {
            field: "for",
            title: "WAITS FOR, INFERRED",
            width: (20, 60),
            right: false,
            rank: 0,
            descending: false,
            cell: |w, _| if w.waits() { Cell::plain(w.lock().name()) } else { Cell::dim("-") },
            sort: |w| Sort::Text(w.lock().lock.lock_key.raw()),
        },
        Column {
            field: "since",
            title: "WAITS",
            width: (7, 8),
            right: true,
            rank: 0,
            descending: true,
            cell: |w, now| w.since_ms().map_or_else(|| Cell::dim("-"), |at| Cell::plain(short(now - at))),
            sort: |w| Sort::opt(w.since_ms().map(|ms| -ms)),
        },
        Column {
            field: "direct",
            title: "BLOCKS",
            width: (6, 7),
            right: true,
            rank: 1,
            descending: true,
            cell: |w, _| Cell::count(i64::from(w.direct)),
            sort: |w| Sort::Number(i64::from(w.direct)),
        },
        Column {
            field: "total",
            title: "IN ALL",
            width: (6, 7),
            right: true,
            rank: 1,
            descending: true,
            cell: |w, _| Cell::count(i64::from(w.total)),
            sort: |w| Sort::Number(i64::from(w.total)),
        },
        Column {
            field: "evidence",
            title: "EVIDENCE",
            width: (16, 60),
            right: false,
            rank: 2,
            descending: false,
            cell: |w, _| Cell::dim(w.evidence().first().map(ToString::to_string).unwrap_or_default()),
            sort: |w| w.evidence().first().map_or(Sort::Unknown, |e| Sort::Text(e.raw())),
        },
    ],
};

fn agent(w: &WaitRow) -> Cell {
    let branch =
        if w.depth == 0 { String::new() } else { format!("{}└ ", "  ".repeat((w.depth as usize - 1).min(12))) };
    Cell::plain(format!("{branch}agent {}", w.agent()))
}

fn state(w: &WaitRow) -> Cell {
    let (text, role) = match (w.deadlocked, w.waits()) {
        (true, _) => ("✖ deadlock", Role::Dead),
        (false, true) => ("◐ waits", Role::Warn),
        (false, false) => ("▲ blocks", Role::Alert),
    };
    Cell { at: None, text: text.into(), role }
}
