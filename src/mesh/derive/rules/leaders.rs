//! Lock leaders: one that is gone, and two of one repository.

use std::collections::BTreeMap;

use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;

pub(super) fn gone(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for view in snapshot.leaders.iter().filter(|l| l.expired || l.staleness.is_gone()) {
        let leader = &view.leader;
        let why = if view.staleness.is_gone() { view.staleness.to_string() } else { "not renewing its lease".into() };
        let sentence = format!("{}: lock leader {} is {why}", leader.repository_id, leader.leader_node_id);
        let evidence =
            view.expires_ms.map(|at| format!("leadership expired {}", time::utc(at)).into()).into_iter().collect();
        found.push(finding(
            Severity::Warning,
            Subject::Node(snapshot.node_key(&leader.leader_node_id, &leader.repository_id)),
            &leader.repository_id,
            sentence,
            evidence,
        ));
    }
}

/// Two databases may each name one, and both cannot be right.
pub(super) fn two(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    let mut leading: BTreeMap<&Text, Vec<_>> = BTreeMap::new();
    for view in snapshot.leaders.iter().filter(|l| !l.expired && !l.leader.repository_id.is_empty()) {
        leading.entry(&view.leader.repository_id).or_default().push(view);
    }
    for (repository, leaders) in leading {
        let mut nodes: Vec<String> = leaders.iter().map(|l| l.leader.leader_node_id.to_string()).collect();
        nodes.sort();
        nodes.dedup();
        if nodes.len() < 2 {
            continue;
        }
        let sentence = format!("{repository}: {} lock leaders ({})", nodes.len(), nodes.join(", "));
        let evidence = leaders.iter().map(|l| {
            let epoch = l.leader.epoch.map_or_else(|| "unknown".into(), |n| n.to_string());
            format!("{} by {}, epoch {epoch}", l.leader.leader_node_id, l.source).into()
        });
        let subject = Subject::Node(snapshot.node_key(&leaders[0].leader.leader_node_id, repository));
        found.push(finding(Severity::Critical, subject, repository, sentence, evidence.collect()));
    }
}
