//! The two lock tables and execution leases.

use libsql::Value;

use super::Reading;
use crate::model::time::{is_sqlite, plausible};
use crate::model::{Lease, Lock, LockTable};

/// `distributed_locks`.
pub const DISTRIBUTED: Reading<Lock> = Reading {
    table: "distributed_locks",
    columns: &[
        ("lock_key", ""),
        ("repository_id", ""),
        ("holder_node", ""),
        ("holder_agent", ""),
        ("fence_token", ""),
        ("acquired_at", ""),
        ("expires_at", ""),
    ],
    row: |r| {
        let (lock_key, repository_id) = (r.text("lock_key"), r.text("repository_id"));
        let (holder_node, holder_agent) = (r.text("holder_node"), r.text("holder_agent"));
        let (fence_token, acquired_at_ms) = (r.int("fence_token"), r.datetime("acquired_at"));
        let expires_at = r.stored(|value| matches!(value, Value::Text(text) if is_sqlite(text)));
        Some(Lock {
            table: LockTable::Distributed,
            lock_key,
            repository_id,
            holder_node,
            holder_agent,
            fence_token,
            acquired_at_ms,
            expires_at_ms: r.datetime("expires_at"),
            expires_at,
            ..Lock::default()
        })
    },
};

/// `vcs_lock`.
pub const VCS: Reading<Lock> = Reading {
    table: "vcs_lock",
    columns: &[
        ("path", ""),
        ("repository_id", ""),
        ("holder_node_id", ""),
        ("holder", ""),
        ("fence_token", ""),
        ("acquired_at", ""),
        ("expires_at", ""),
        ("kind", ""),
        ("lease_id", ""),
    ],
    row: |r| {
        let (lock_key, repository_id) = (r.text("path"), r.text("repository_id"));
        let (holder_node, holder_agent) = (r.text("holder_node_id"), r.text("holder"));
        let (fence_token, acquired_at_ms) = (r.int("fence_token"), r.millis("acquired_at"));
        let expires_at = r.stored(|value| matches!(value, Value::Integer(ms) if plausible(*ms)));
        Some(Lock {
            table: LockTable::Vcs,
            lock_key,
            repository_id,
            holder_node,
            holder_agent,
            fence_token,
            acquired_at_ms,
            expires_at_ms: r.millis("expires_at"),
            expires_at,
            shared: r.text("kind") == "shared_read",
            lease_id: r.opt_text("lease_id"),
            ..Lock::default()
        })
    },
};

/// `mesh_exec_leases`: a hint; the control plane is the authority.
pub const LEASES: Reading<Lease> = Reading {
    table: "mesh_exec_leases",
    columns: &[
        ("lease_id", ""),
        ("task_id", ""),
        ("scope_key", ""),
        ("holder_node_id", ""),
        ("granted_at", ""),
        ("expires_at", ""),
        ("state", ""),
    ],
    row: |r| {
        let lease_id = r.text("lease_id");
        // Rows that the server writes repeat the lease id in place of the task id.
        let task_id = r.opt_text("task_id").filter(|id| *id != lease_id);
        Some(Lease {
            lease_id,
            task_id,
            scope_key: r.text("scope_key"),
            holder_node_id: r.text("holder_node_id"),
            granted_at_ms: r.millis("granted_at"),
            expires_at_ms: r.millis("expires_at"),
            state: r.text("state"),
            ..Default::default()
        })
    },
};
