//! Locks whose holders are gone, and repositories without a leader.

use super::super::findings::{Finding, Severity, Subject};
use super::super::locks::LockState;
use super::super::{Picture, Thresholds};
use super::finding;
use crate::time;

pub(super) fn orphaned(picture: &Picture, _: &Thresholds, found: &mut Vec<Finding>) {
    for view in picture.locks.iter().filter(|l| l.state == LockState::Orphaned) {
        let lock = &view.lock;
        let waiting = match view.waiters.len() {
            0 => String::new(),
            1 => ", 1 waits".into(),
            n => format!(", {n} wait"),
        };
        let sentence =
            format!("{} is held by {}, which is {}{waiting}", lock.lock_key, lock.holder_node, view.holder_staleness);
        let mut evidence = vec![format!("{} in {}", lock.table, view.source).into()];
        evidence.extend(view.expires_ms.map(|at| format!("runs out {}", time::utc(at)).into()));
        found.push(finding(Severity::Critical, Subject::Lock(view.key()), &lock.lock_key, sentence, evidence));
    }
}

pub(super) fn deadlocked(picture: &Picture, _: &Thresholds, found: &mut Vec<Finding>) {
    for deadlock in &picture.waits.deadlocks {
        let agents: Vec<_> = deadlock.agents.iter().map(ToString::to_string).collect();
        let breaks: Vec<_> = deadlock.breaks.iter().map(|(_, name)| name.to_string()).collect();
        let sentence =
            format!("agents {} wait for each other; releasing {} breaks it", agents.join(", "), breaks.join(" and "));
        let Some((key, name)) = deadlock.breaks.first() else { continue };
        let members = |row: &&super::super::graph::WaitRow| row.waits && deadlock.agents.contains(&row.agent);
        let evidence = picture.waits.rows.iter().filter(members).map(|row| {
            let why: Vec<_> = row.evidence.iter().map(ToString::to_string).collect();
            format!("agent {} waits for {} ({}, inferred)", row.agent, row.lock_name, why.join("; ")).into()
        });
        found.push(finding(Severity::Critical, Subject::Lock(key.clone()), name, sentence, evidence.collect()));
    }
}

pub(super) fn expired(picture: &Picture, _: &Thresholds, found: &mut Vec<Finding>) {
    for view in picture.locks.iter().filter(|l| l.state == LockState::Expired) {
        let sentence = format!("{} of {} is past its end and still there", view.lock.lock_key, view.lock.holder_node);
        let evidence = view.expires_ms.map(|at| format!("ran out {}", time::utc(at)).into()).into_iter().collect();
        let severity = if view.waiters.is_empty() { Severity::Info } else { Severity::Warning };
        found.push(finding(severity, Subject::Lock(view.key()), &view.lock.lock_key, sentence, evidence));
    }
}

pub(super) fn leaderless(picture: &Picture, _: &Thresholds, found: &mut Vec<Finding>) {
    for view in picture.leaders.iter().filter(|l| l.expired || l.staleness.is_gone()) {
        let leader = &view.leader;
        let why = if view.staleness.is_gone() { format!("is {}", view.staleness) } else { "stopped leading".into() };
        let sentence = format!("{}, lock leader of {}, {why}", leader.leader_node_id, leader.repository_id);
        let evidence =
            view.expires_ms.map(|at| format!("leadership ran out {}", time::utc(at)).into()).into_iter().collect();
        found.push(finding(
            Severity::Warning,
            Subject::Node(leader.leader_node_id.clone()),
            &leader.repository_id,
            sentence,
            evidence,
        ));
    }
}
