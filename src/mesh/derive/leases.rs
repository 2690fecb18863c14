//! Execution leases and lock leaders.

use std::collections::HashSet;
use std::sync::Arc;

use super::locks::{self, LockView};
use super::nodes::Nodes;
use super::sources::SourceView;
use super::staleness::Staleness;
use crate::mesh::Mesh;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{Leader, Lease, Lock, LockTable};

/// One lease, evaluated. A database's row is a hint; what a control plane lists is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaseView {
    pub lease: Lease,
    pub source: Text,
    /// Not revoked, and not past its end.
    pub in_force: bool,
    /// On the console's clock.
    pub expires_ms: Option<Millis>,
    pub holder_staleness: Staleness,
    pub as_of_ms: Option<Millis>,
}

/// One leader, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaderView {
    pub leader: Leader,
    pub source: Text,
    /// Past its end: nobody leads.
    pub expired: bool,
    /// On the console's clock.
    pub expires_ms: Option<Millis>,
    pub staleness: Staleness,
    pub as_of_ms: Option<Millis>,
}

/// Evaluates every lease. Where a control plane lists a lease, its database's row for it is not repeated.
pub(super) fn evaluate(mesh: &Mesh, sources: &[SourceView], now_ms: Millis, nodes: &Nodes) -> Vec<LeaseView> {
    let all = || mesh.sources.iter().flat_map(|s| s.facts.leases.iter());
    let listed: HashSet<_> = all().filter(|l| l.authoritative).map(|l| (&l.lease_id, &l.scope_key)).collect();
    let mut views = Vec::new();
    for (source, view) in mesh.sources.iter().zip(sources) {
        for lease in source.facts.leases.iter() {
            if !lease.authoritative && listed.contains(&(&lease.lease_id, &lease.scope_key)) {
                continue;
            }
            let expires_ms = lease.expires_at_ms.map(|ms| source.to_console(ms));
            views.push(LeaseView {
                in_force: lease.state != "revoked" && expires_ms.is_none_or(|at| at > view.at(now_ms)),
                lease: lease.clone(),
                source: source.identity.name.clone(),
                expires_ms,
                holder_staleness: nodes.staleness(&lease.holder_node_id, None),
                as_of_ms: view.as_of_ms,
            });
        }
    }
    views
}

/// Leases in force, as rows beside the locks: a scope that one node holds for a while.
pub(super) fn as_locks(leases: &[LeaseView], now_ms: Millis, margin: Millis) -> Vec<LockView> {
    let in_force = leases.iter().filter(|view| view.in_force);
    let as_lock = |view: &LeaseView| {
        let lease = &view.lease;
        let now = view.as_of_ms.unwrap_or(now_ms);
        LockView {
            state: locks::state(lease.granted_at_ms, view.expires_ms, now, view.holder_staleness, margin),
            lock: Arc::new(Lock {
                table: LockTable::ExecLease,
                lock_key: lease.scope_key.clone(),
                holder_node: lease.holder_node_id.clone(),
                acquired_at_ms: lease.granted_at_ms,
                expires_at_ms: lease.expires_at_ms,
                lease_id: Some(lease.lease_id.clone()),
                ..Lock::default()
            }),
            source: view.source.clone(),
            holder_staleness: view.holder_staleness,
            acquired_ms: lease.granted_at_ms,
            expires_ms: view.expires_ms,
            left: None,
            in_several: false,
            waiters: Arc::default(),
            fences: None,
            as_of_ms: view.as_of_ms,
        }
    };
    in_force.map(as_lock).collect()
}

/// Evaluates every leader.
pub(super) fn leaders(mesh: &Mesh, sources: &[SourceView], now_ms: Millis, nodes: &Nodes) -> Vec<LeaderView> {
    let mut views = Vec::new();
    for (source, view) in mesh.sources.iter().zip(sources) {
        for leader in source.facts.leaders.iter() {
            let expires_ms = leader.expires_at_ms.map(|ms| source.to_console(ms));
            views.push(LeaderView {
                expired: expires_ms.is_some_and(|at| at <= view.at(now_ms)),
                leader: leader.clone(),
                source: source.identity.name.clone(),
                expires_ms,
                staleness: nodes.staleness(&leader.leader_node_id, Some(&leader.repository_id)),
                as_of_ms: view.as_of_ms,
            });
        }
    }
    views
}
