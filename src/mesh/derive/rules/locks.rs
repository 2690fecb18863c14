//! Locks whose holders are gone, and agents that wait for them.

use std::collections::HashMap;

use super::super::graph::WaitGraph;
use super::super::locks::{LockState, LockView};
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;
use crate::model::time::Millis;
use crate::model::{Condition, Lock, LockTable};

pub(super) fn orphaned(view: &LockView, _: &Thresholds, _: Millis) -> Option<Finding> {
    // A seat goes with its process: the node's own finding says so.
    if view.state != LockState::Orphaned || view.lock.table == LockTable::Seat {
        return None;
    }
    let lock = &view.lock;
    let waiting = match view.waiters.len() {
        0 => String::new(),
        1 => ", 1 waiter".into(),
        n => format!(", {n} waiters"),
    };
    let why = match lock.condition {
        Some(Condition::OwnerDead) => "process dead".to_owned(),
        _ => view.holder_staleness.to_string(),
    };
    let sentence = format!("{}: held by {} ({why}){waiting}", view.name(), holder(lock));
    let mut evidence = vec![format!("{} in {}", lock.table, view.source).into()];
    evidence.extend(view.expires_ms.map(|at| format!("expires {}", time::utc(at)).into()));
    Some(finding(Severity::Critical, Subject::Lock(view.key()), &view.name(), sentence, evidence))
}

/// Who holds a lock: its node, or its agent where nobody knows the node.
fn holder(lock: &Lock) -> Text {
    if lock.holder_node.is_empty() { format!("agent {}", lock.holder_agent).into() } else { lock.holder_node.clone() }
}

pub(super) fn deadlocked(waits: &WaitGraph, found: &mut Vec<Finding>) {
    if waits.deadlocks.is_empty() {
        return;
    }
    // An agent belongs to one deadlock at most.
    let agents = waits.deadlocks.iter().enumerate().flat_map(|(at, of)| of.agents.iter().map(move |agent| (agent, at)));
    let deadlock_of: HashMap<&Text, usize> = agents.collect();
    let mut evidence: Vec<Vec<Text>> = vec![Vec::new(); waits.deadlocks.len()];
    for row in waits.rows().iter().filter(|row| row.waits()) {
        let Some(at) = deadlock_of.get(row.agent()) else { continue };
        let why: Vec<_> = row.evidence().iter().map(ToString::to_string).collect();
        let why = why.join("; ");
        evidence[*at].push(format!("agent {} waits for {} ({why}, inferred)", row.agent(), row.lock().name()).into());
    }
    for (deadlock, mut evidence) in waits.deadlocks.iter().zip(evidence) {
        let agents: Vec<_> = deadlock.agents.iter().map(ToString::to_string).collect();
        let breaks: Vec<_> = deadlock.breaks.iter().map(|(_, name)| name.to_string()).collect();
        let sentence = format!(
            "deadlock of {} agents: release {} (agents {})",
            agents.len(),
            breaks.join(" and "),
            agents.join(", ")
        );
        let Some((key, name)) = deadlock.breaks.first() else { continue };
        // In an order of their own: that of the rows depends on which came first.
        evidence.sort();
        found.push(finding(Severity::Critical, Subject::Lock(key.clone()), name, sentence, evidence));
    }
}

pub(super) fn expired(view: &LockView, _: &Thresholds, _: Millis) -> Option<Finding> {
    if view.state != LockState::Expired {
        return None;
    }
    let sentence = format!("{}: expired, not released by {}", view.name(), holder(&view.lock));
    let evidence = view.expires_ms.map(|at| format!("expired {}", time::utc(at)).into()).into_iter().collect();
    let severity = if view.waiters.is_empty() { Severity::Info } else { Severity::Warning };
    Some(finding(severity, Subject::Lock(view.key()), &view.name(), sentence, evidence))
}

/// Its system never mends it by itself: an operator does.
pub(super) fn locked_out(view: &LockView, _: &Thresholds, _: Millis) -> Option<Finding> {
    if view.state != LockState::LockedOut {
        return None;
    }
    let name = &view.name();
    let what = view.lock.remark.as_ref().map_or("nobody can take it", Text::as_str);
    let evidence = vec![format!("{} in {}", view.lock.table, view.source).into()];
    Some(finding(Severity::Critical, Subject::Lock(view.key()), name, format!("{name}: {what}"), evidence))
}

/// A lock that is being taken is without a record for a moment: its source says when it is more than that.
pub(super) fn unowned(view: &LockView, _: &Thresholds, _: Millis) -> Option<Finding> {
    let what = match view.state {
        LockState::Unrecorded if view.lock.remark.is_none() => return None,
        LockState::Unrecorded => "taken, holder unknown",
        LockState::Malformed => "taken, record of the holder unusable",
        _ => return None,
    };
    let name = &view.name();
    let mut evidence = vec![format!("{} in {}", view.lock.table, view.source).into()];
    evidence.extend(view.lock.remark.clone());
    Some(finding(Severity::Warning, Subject::Lock(view.key()), name, format!("{name}: {what}"), evidence))
}

pub(super) fn contested(view: &LockView, _: &Thresholds, _: Millis) -> Option<Finding> {
    let stands = matches!(view.state, LockState::Held | LockState::Expiring | LockState::Orphaned);
    if view.lock.condition != Some(Condition::Contested) || !stands {
        return None;
    }
    let name = &view.name();
    let others: Vec<String> = view.waiters.iter().map(|waiter| waiter.agent.to_string()).collect();
    let others = if others.is_empty() { "another agent".to_owned() } else { others.join(", ") };
    let sentence = format!("{name}: claimed by {} and by {others}", view.lock.holder_agent);
    let evidence = view.waiters.iter().flat_map(|waiter| waiter.evidence.iter().cloned()).collect();
    Some(finding(Severity::Warning, Subject::Lock(view.key()), name, sentence, evidence))
}

pub(super) fn starved(view: &LockView, thresholds: &Thresholds, now_ms: Millis) -> Option<Finding> {
    let starving: Vec<_> = view.starving(thresholds.starved_ms, now_ms).collect();
    let first = starving.first()?;
    let who = match starving.len() {
        1 => format!("agent {}", first.agent),
        n => format!("agent {} and {} more", first.agent, n - 1),
    };
    let (key, holder) = (&view.name(), &view.lock.holder_node);
    let sentence =
        format!("{key}: {who} waiting for more than {} (held by {holder})", time::short(thresholds.starved_ms));
    let evidence = starving.iter().map(|w| {
        let since = w.since_ms.map_or_else(|| "unknown".into(), time::utc);
        let why: Vec<_> = w.evidence.iter().map(ToString::to_string).collect();
        format!("agent {} since {since} ({}, inferred)", w.agent, why.join("; ")).into()
    });
    Some(finding(Severity::Warning, Subject::Lock(view.key()), &view.name(), sentence, evidence.collect()))
}
