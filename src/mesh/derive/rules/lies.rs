//! Claims that contradict each other: a heartbeat that renews nothing, a lock taken before its end, two owners of one
//! lease at once, and holders that never sent a heartbeat.

use std::collections::BTreeMap;

use super::super::locks::{LockState, LockView};
use super::super::sources::SourceHealth;
use super::super::staleness::Staleness;
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::LockTable;
use crate::model::action::OPERATOR_NODE;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;

/// Whether a lock's holder is a node that sends heartbeats while it holds.
fn is_of_a_node(view: &LockView) -> bool {
    matches!(view.lock.table, LockTable::Distributed | LockTable::Vcs)
        && view.as_of_ms.is_none()
        && view.lock.holder_node != *OPERATOR_NODE
        && !view.lock.holder_node.is_empty()
}

/// A node that sends heartbeats long after its locks ran out: something in it lives that does none of its work.
pub(super) fn renews_nothing(snapshot: &Snapshot, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    let mut by_node: BTreeMap<Text, Vec<&LockView>> = BTreeMap::new();
    for view in snapshot.marked.doubtful.iter().filter(|view| view.state == LockState::Expired && is_of_a_node(view)) {
        let Some(ended) = view.expires_ms else { continue };
        let Some(node) = snapshot.node_in(&view.lock.holder_node, &view.lock.repository_id) else { continue };
        let beat_since = node.seen_ms.is_some_and(|seen| seen.saturating_sub(ended) > thresholds.stale_ms);
        if node.staleness == Staleness::Healthy && node.ahead_ms.is_none() && beat_since {
            by_node.entry(node.key.clone()).or_default().push(view);
        }
    }
    for (key, locks) in by_node {
        let Some(node) = snapshot.node(&key) else { continue };
        let what = match locks.as_slice() {
            [only] => only.name().to_string(),
            many => format!("{} locks", many.len()),
        };
        let sentence = format!("{}: sends heartbeats but renews nothing, {what} expired", node.name());
        let evidence = locks.iter().take(20).map(|view| {
            let ended = view.expires_ms.map_or_else(|| "unknown".into(), time::utc);
            format!("{} expired {ended}, in {}", view.name(), view.source).into()
        });
        found.push(finding(Severity::Warning, Subject::Node(key), &node.name(), sentence, evidence.collect()));
    }
}

/// A lock that somebody took over before its end: two may hold it to be theirs.
pub(super) fn taken_early(view: &LockView, _: &Thresholds, _: time::Millis) -> Option<Finding> {
    let early = view.fences.as_ref()?.early.as_ref()?;
    let lock = &view.lock;
    let sentence = format!(
        "{}: taken from {} {} before it expired, by {}",
        view.name(),
        early.node,
        time::short(early.left_ms),
        lock.holder_node
    );
    let evidence = vec![
        format!("seen at {}", time::utc(early.at_ms)).into(),
        format!("{} in {}, and its fence token rose: the row was not released", lock.table, view.source).into(),
    ];
    Some(finding(Severity::Warning, Subject::Lock(view.key()), &view.name(), sentence, evidence))
}

/// Scopes that are leased to several at once.
pub(super) fn leased_twice(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    let mut by_scope: BTreeMap<(&Text, &Text), Vec<&super::super::leases::LeaseView>> = BTreeMap::new();
    for view in snapshot.leases.iter().filter(|view| view.as_of_ms.is_none()) {
        if view.in_force {
            by_scope.entry((&view.source, &view.lease.scope_key)).or_default().push(view);
        }
    }
    for ((source, scope), views) in by_scope {
        let mut holders: Vec<&Text> = views.iter().map(|view| &view.lease.holder_node_id).collect();
        holders.sort_unstable();
        holders.dedup();
        if holders.len() < 2 {
            continue;
        }
        let names: Vec<&str> = holders.iter().map(|name| name.as_str()).collect();
        let sentence = format!("{scope}: leased to {} nodes at once ({})", names.len(), names.join(", "));
        let evidence =
            views.iter().map(|view| format!("lease {} of {}", view.lease.lease_id, view.lease.holder_node_id).into());
        let key = snapshot.node_key(holders[0], &Text::default());
        let evidence = evidence.chain([format!("read from {source}").into()]).collect();
        found.push(finding(Severity::Critical, Subject::Node(key), scope, sentence, evidence));
    }
}

/// Nodes that hold locks for longer than a heartbeat takes, and never sent one.
pub(super) fn never_beat(snapshot: &Snapshot, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    let all_live = snapshot.sources.iter().all(|source| source.health == SourceHealth::Live);
    if !all_live || snapshot.nodes.is_empty() {
        return;
    }
    let mut by_node: BTreeMap<&Text, Vec<&LockView>> = BTreeMap::new();
    for view in snapshot.marked.doubtful.iter().filter(|view| view.state != LockState::Expired && is_of_a_node(view)) {
        let old = view.acquired_ms.is_some_and(|at| snapshot.at_ms.saturating_sub(at) > thresholds.stale_ms);
        if old && snapshot.nodes_named(&view.lock.holder_node).next().is_none() {
            by_node.entry(&view.lock.holder_node).or_default().push(view);
        }
    }
    for (node, mut locks) in by_node {
        // Their places depend on what came and went before.
        locks.sort_by(|a, b| {
            (&a.lock.lock_key, &a.source, a.lock.table).cmp(&(&b.lock.lock_key, &b.source, b.lock.table))
        });
        let what = match locks.as_slice() {
            [only] => only.name().to_string(),
            many => format!("{} locks", many.len()),
        };
        let sentence = format!("{node}: no heartbeat ever, holds {what}");
        let evidence = locks.iter().take(20).map(|view| {
            let since = view.acquired_ms.map_or_else(|| "unknown".into(), time::utc);
            format!("{} since {since}, in {}", view.name(), view.source).into()
        });
        found.push(finding(Severity::Warning, Subject::Lock(locks[0].key()), node, sentence, evidence.collect()));
    }
}
