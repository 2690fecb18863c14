//! Fence tokens that went backwards, one resource held twice, and locks that are never let go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::locks::{LockState, LockView};
use super::super::staleness::Staleness;
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::LockTable;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;
use crate::model::time::Millis;

/// A release that deletes the row restarts the count, and releases are everyday business. It is dangerous where
/// whoever had the higher token may still write with it: such a lock is named, the others are counted.
pub(super) fn back(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    let mut everyday: BTreeMap<&Text, Vec<Text>> = BTreeMap::new();
    for view in &snapshot.marked.back {
        let Some(back) = view.fences.as_ref().and_then(|f| f.back.as_ref()) else { continue };
        let name = view.name();
        let before = snapshot.node_in(&back.node, &view.lock.repository_id);
        let before = before.map_or(Staleness::Unknown, |node| node.staleness);
        if before < Staleness::Critical {
            everyday.entry(&view.source).or_default().push(name);
            continue;
        }
        let sentence = format!(
            "{name}: fence went back from {} to {}, {} ({before}) had the higher one and may outrank {}",
            back.from, back.to, back.node, view.lock.holder_node
        );
        let evidence = vec![
            format!("seen at {}", time::utc(back.at_ms)).into(),
            format!("{} in {}", view.lock.table, view.source).into(),
            "deleting and writing the row again restarts the count".into(),
        ];
        found.push(finding(Severity::Critical, Subject::Lock(view.key()), &name, sentence, evidence));
    }
    for (source, mut names) in everyday {
        // In an order of their own: places depend on what came first.
        names.sort_unstable();
        let n = names.len();
        let sentence = match n {
            1 => format!("{}: fence restarted after a release, in {source}", names[0]),
            _ => format!("{source}: {n} fences restarted after releases"),
        };
        let evidence = names.iter().take(20).cloned().collect();
        found.push(finding(Severity::Info, Subject::Source(source.clone()), source, sentence, evidence));
    }
}

/// Readers may share; anything else that two hold in two places, one of them holds in vain.
pub(super) fn held_twice(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    // What only says that it is somebody's keeps nobody out by itself.
    let standing = |l: &&Arc<LockView>| {
        matches!(l.state, LockState::Held | LockState::Expiring | LockState::Orphaned)
            && l.lock.table != LockTable::Claim
    };
    let mut twice: Vec<(&str, Vec<&Arc<LockView>>)> = Vec::new();
    for (resource, locks) in &snapshot.marked.of_one_name {
        let mut by_repository: BTreeMap<&Text, Vec<&Arc<LockView>>> = BTreeMap::new();
        for view in locks.iter().filter(standing) {
            by_repository.entry(&view.lock.repository_id).or_default().push(view);
        }
        twice.extend(by_repository.into_values().filter(|locks| locks.len() > 1).map(|locks| (&**resource, locks)));
    }
    for (resource, mut locks) in twice.into_iter().filter(|(_, locks)| !locks.iter().all(|l| l.lock.shared)) {
        locks.sort_by_cached_key(|l| {
            (l.key(), l.lock.holder_node.clone(), l.lock.holder_agent.clone(), l.lock.fence_token)
        });
        let first = locks[0];
        let other = locks.iter().find(|l| {
            (&l.lock.holder_node, &l.lock.holder_agent) != (&first.lock.holder_node, &first.lock.holder_agent)
        });
        let Some(other) = other else { continue };
        let sentence = format!(
            "{}: held twice, by {} in {} and by {} in {}",
            Text::new(resource),
            first.lock.holder_node,
            first.lock.table,
            other.lock.holder_node,
            other.lock.table
        );
        let evidence = locks.iter().map(|l| {
            let fence = l.lock.fence_token.map_or_else(|| "none".into(), |n| n.to_string());
            let (key, node, agent) = (&l.name(), &l.lock.holder_node, &l.lock.holder_agent);
            format!("{key} of {node}, agent {agent}, fence {fence}, {} in {}", l.lock.table, l.source).into()
        });
        let (subject, name) = (Subject::Lock(first.key()), &first.name());
        found.push(finding(Severity::Critical, subject, name, sentence, evidence.collect()));
    }
}

pub(super) fn held_long(view: &LockView, thresholds: &Thresholds, _: Millis) -> Option<Finding> {
    let renewals = view.fences.as_ref().map_or(0, |f| f.renewals);
    if renewals <= thresholds.renewals {
        return None;
    }
    let lock = &view.lock;
    let severity = if view.waiters.is_empty() { Severity::Info } else { Severity::Warning };
    let sentence =
        format!("{}: renewed more than {} times by {}, still held", view.name(), thresholds.renewals, lock.holder_node);
    let evidence = vec![format!("{renewals} renewals seen by this console").into()];
    Some(finding(severity, Subject::Lock(view.key()), &view.name(), sentence, evidence))
}
