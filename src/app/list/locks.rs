//! Everything that is held: locks of every table, and execution leases beside them.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::locks::LockView;
use crate::model::source::Aspect;

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
    columns: &columns::LOCKS,
};
