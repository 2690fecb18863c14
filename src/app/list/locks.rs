//! Everything that is held: locks of both tables, and execution leases beside them.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::{Role, State};
use crate::mesh::derive::locks::LockView;
use crate::model::source::Aspect;
use crate::model::time::{Millis, short};

/// Every lock and every lease in force, of every source.
pub static LOCKS: Rows<LockView> = Rows {
    items: |p| Items::Beside(&p.locks, &p.beside),
    key: LockView::key,
    tie: |a, b| {
        let place = |l: &LockView| (l.lock.table, l.source.clone());
        let name = |l: &LockView| (l.lock.lock_key.clone(), l.lock.repository_id.clone());
        a.lock.lock_key.cmp(&b.lock.lock_key).then_with(|| (name(a), place(a)).cmp(&(name(b), place(b))))
    },
    repo: |l| (!l.lock.repository_id.is_empty()).then_some(&l.lock.repository_id),
    inspect: inspections::lock::inspect,
    aspect: Some(Aspect::Locks),
    parts: &["distributed_locks", "vcs_lock", "mesh_exec_leases", "exec leases", "lock directories", "host leases"],
    caveat: |_| None,
    name_column: 0,
    first_sort: (1, true),
    follows: false,
    tree: false,
    columns: &[
        Column {
            field: "lock",
            title: "LOCK",
            width: (27, 60),
            right: false,
            rank: 0,
            descending: false,
            cell: |l, _| Cell::plain(l.name()),
            sort: |l| Sort::Text(l.lock.lock_key.raw()),
        },
        Column {
            field: "state",
            title: "STATE",
            width: (12, 12),
            right: false,
            rank: 0,
            descending: true,
            cell: |l, _| Cell::state_as_of(&l.state, l.as_of_ms.is_some()),
            sort: |l| Sort::Number(l.state as i64),
        },
        Column {
            field: "holder",
            title: "HOLDER",
            width: (10, 24),
            right: false,
            rank: 0,
            descending: false,
            cell: |l, _| Cell {
                at: None,
                text: format!("{} {}", l.holder_staleness.glyph(), l.lock.holder_node),
                role: l.holder_staleness.role(),
            },
            sort: |l| Sort::Text(l.lock.holder_node.raw()),
        },
        Column {
            field: "agent",
            title: "AGENT",
            width: (5, 12),
            right: true,
            rank: 3,
            descending: false,
            cell: |l, _| Cell::plain(&l.lock.holder_agent),
            sort: |l| Sort::id(&l.lock.holder_agent),
        },
        Column {
            field: "fence",
            title: "FENCE",
            width: (5, 8),
            right: true,
            rank: 2,
            descending: true,
            cell: |l, _| fence(l),
            sort: |l| Sort::opt(l.lock.fence_token),
        },
        Column {
            field: "ttl",
            title: "TTL",
            width: (7, 8),
            right: true,
            rank: 0,
            descending: false,
            cell: |l, now| Cell::span(l.ttl_ms(now), l.as_of_ms.is_some()),
            sort: |l| Sort::opt(l.expires_ms),
        },
        Column {
            field: "held",
            title: "HELD",
            width: (7, 8),
            right: true,
            rank: 4,
            descending: true,
            cell: |l, now| Cell::span(l.held_ms(now), l.as_of_ms.is_some()),
            sort: |l| Sort::opt(l.acquired_ms.map(|ms| -ms)),
        },
        Column {
            field: "waiters",
            title: "WAIT",
            width: (4, 5),
            right: true,
            rank: 0,
            descending: true,
            cell: |l, _| waiting(l),
            sort: |l| Sort::opt(i64::try_from(l.waiters.len()).ok()),
        },
        Column {
            field: "longest",
            title: "LONGEST",
            width: (7, 8),
            right: true,
            rank: 3,
            descending: true,
            cell: longest,
            sort: |l| Sort::opt(l.waiters.iter().filter_map(|w| w.since_ms).min().map(|ms| -ms)),
        },
        Column {
            field: "table",
            title: "TABLE",
            width: (8, 17),
            right: false,
            rank: 6,
            descending: false,
            cell: |l, _| Cell::dim(l.lock.table),
            sort: |l| Sort::Text(l.lock.table.into()),
        },
        Column {
            field: "repo",
            title: "REPOSITORY",
            width: (10, 18),
            right: false,
            rank: 7,
            descending: false,
            cell: |l, _| Cell::dim(&l.lock.repository_id),
            sort: |l| Sort::Text(l.lock.repository_id.raw()),
        },
    ],
};

/// A lease has no fence.
fn fence(l: &LockView) -> Cell {
    if l.lock.table.is_fenced() { Cell::count(l.lock.fence_token) } else { Cell::dim("-") }
}

fn waiting(l: &LockView) -> Cell {
    match l.waiters.len() {
        0 => Cell::dim("-"),
        n => Cell { at: None, text: n.to_string(), role: Role::Warn },
    }
}

fn longest(l: &LockView, now: Millis) -> Cell {
    let since = l.waiters.iter().filter_map(|w| w.since_ms).min();
    since.map_or_else(|| Cell::dim("-"), |at| Cell::plain(short(l.as_of_ms.unwrap_or(now) - at)))
}
