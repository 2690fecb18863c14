//! Fence tokens that went backwards, one resource held twice, and locks that are never let go.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::super::findings::{Finding, Severity, Subject};
use super::super::locks::{LockState, LockView};
use super::super::staleness::Staleness;
use super::super::{Picture, Thresholds};
use super::finding;
use crate::data::model::LockTable;
use crate::text::Text;
use crate::time;

/// A release that deletes the row restarts the count, and releases are everyday business. It is dangerous where
/// whoever had the higher token may still write with it: such a lock is named, the others are counted.
pub(super) fn back(picture: &Picture, _: &Thresholds, found: &mut Vec<Finding>) {
    let mut everyday: BTreeMap<&Text, Vec<&Text>> = BTreeMap::new();
    for view in picture.locks.iter() {
        let Some(back) = view.fences.as_ref().and_then(|f| f.back.as_ref()) else { continue };
        let name = &view.lock.lock_key;
        let node = picture.nodes.iter().find(|node| node.node_id == back.node);
        let before = node.map_or(Staleness::Unknown, |node| node.staleness);
        if before < Staleness::Critical {
            everyday.entry(&view.source).or_default().push(name);
            continue;
        }
        let sentence = format!(
            "the fence of {name} went back from {} to {}: {} ({before}) had the higher one and may outrank {}",
            back.from, back.to, back.node, view.lock.holder_node
        );
        let evidence = vec![
            format!("seen at {}", time::utc(back.at_ms)).into(),
            format!("{} in {}", view.lock.table, view.source).into(),
            "a row that was deleted and written anew restarts the count".into(),
        ];
        found.push(finding(Severity::Critical, Subject::Lock(view.key()), name, sentence, evidence));
    }
    for (source, names) in everyday {
        let n = names.len();
        let sentence = match n {
            1 => format!("the fence of {} in {source} started again after a release", names[0]),
            _ => format!("{n} fences in {source} started again after releases"),
        };
        let evidence = names.iter().take(20).map(|name| (*name).clone()).collect();
        found.push(finding(Severity::Info, Subject::Source(source.clone()), source, sentence, evidence));
    }
}

/// Readers may share; anything else that two hold in two places, one of them holds in vain.
pub(super) fn held_twice(picture: &Picture, _: &Thresholds, found: &mut Vec<Finding>) {
    let standing = |l: &&LockView| !matches!(l.state, LockState::Expired | LockState::Unknown);
    let mut tables: Vec<(&Text, LockTable)> = picture.locks.iter().map(|l| (&l.source, l.lock.table)).collect();
    tables.dedup();
    if tables.len() < 2 {
        // One table of one database has each resource once.
        return;
    }
    let mut holders: HashMap<(&str, &Text), Vec<&LockView>, RandomState> = HashMap::default();
    for view in picture.locks.iter().filter(standing) {
        let resource = picture.names.canonical(view.lock.lock_key.raw());
        holders.entry((resource, &view.lock.repository_id)).or_default().push(view);
    }
    let mut twice: Vec<_> = holders.into_iter().filter(|(_, locks)| locks.len() > 1).collect();
    twice.sort_by_key(|(name, _)| *name);
    for ((resource, _), locks) in twice.into_iter().filter(|(_, locks)| !locks.iter().all(|l| l.lock.shared)) {
        let first = locks[0];
        let other = locks.iter().find(|l| {
            (&l.lock.holder_node, &l.lock.holder_agent) != (&first.lock.holder_node, &first.lock.holder_agent)
        });
        let Some(other) = other else { continue };
        let sentence = format!(
            "{} is held by {} in {} and by {} in {}",
            Text::new(resource),
            first.lock.holder_node,
            first.lock.table,
            other.lock.holder_node,
            other.lock.table
        );
        let evidence = locks.iter().map(|l| {
            let fence = l.lock.fence_token.map_or_else(|| "none".into(), |n| n.to_string());
            let (key, node, agent) = (&l.lock.lock_key, &l.lock.holder_node, &l.lock.holder_agent);
            format!("{key} of {node}, agent {agent}, fence {fence}, {} in {}", l.lock.table, l.source).into()
        });
        let (subject, name) = (Subject::Lock(first.key()), &first.lock.lock_key);
        found.push(finding(Severity::Critical, subject, name, sentence, evidence.collect()));
    }
}

pub(super) fn held_long(picture: &Picture, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    for view in picture.locks.iter() {
        let renewals = view.fences.as_ref().map_or(0, |f| f.renewals);
        if renewals <= thresholds.renewals {
            continue;
        }
        let lock = &view.lock;
        let severity = if view.waiters.is_empty() { Severity::Info } else { Severity::Warning };
        let sentence = format!(
            "{} was renewed more than {} times by {} and is still held",
            lock.lock_key, thresholds.renewals, lock.holder_node
        );
        let evidence = vec![format!("{renewals} renewals seen by this console").into()];
        found.push(finding(severity, Subject::Lock(view.key()), &lock.lock_key, sentence, evidence));
    }
}
