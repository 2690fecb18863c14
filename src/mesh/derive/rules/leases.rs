//! Leases of nodes that left, and marks on nodes that a control plane has forgotten.

use std::collections::BTreeMap;

use super::super::sources::SourceHealth;
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::action::Action;
use crate::model::journal::Entry;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;

/// A lease in force keeps its scope from everybody else, whether its holder is there or not. One that is known to be dead
/// has a finding of its own.
pub(super) fn orphaned(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    // Where not all is heard, a node that is not known may be there all the same.
    let all_live = snapshot.sources.iter().all(|source| source.health == SourceHealth::Live);
    if !all_live || snapshot.nodes.is_empty() {
        return;
    }
    for view in snapshot.beside.iter() {
        let lock = &view.lock;
        if snapshot.nodes_named(&lock.holder_node).next().is_some() {
            continue;
        }
        let until = view.expires_ms.map(|at| format!("in force until {} unless it is revoked", time::utc(at)).into());
        let mut evidence: Vec<Text> = until.into_iter().collect();
        evidence.push(format!("{} in {}", lock.table, view.source).into());
        let sentence = format!("{}: leased to {}, a node that no source knows", lock.lock_key, lock.holder_node);
        found.push(finding(Severity::Warning, Subject::Lock(view.key()), &lock.lock_key, sentence, evidence));
    }
}

/// What an operator did to a node, and whether that is on: the last word of the journal.
fn marks(snapshot: &Snapshot) -> BTreeMap<(&str, &str, bool), (bool, &Entry)> {
    let mut marks = BTreeMap::new();
    for entry in snapshot.mesh.journal.iter().filter(|entry| entry.kind.is_some_and(|kind| kind.is_so())) {
        let (node, on, shut_out) = match &entry.action {
            Action::Quarantine { node, on } => (node, *on, true),
            Action::Drain { node, on, for_ms } => {
                let over = for_ms.is_some_and(|ms| entry.at_ms.saturating_add(ms) <= snapshot.at_ms);
                (node, *on && !over, false)
            }
            _ => continue,
        };
        marks.insert((entry.place.as_str(), node.node_id.as_str(), shut_out), (on, entry));
    }
    marks
}

/// A control plane keeps such marks in memory: one that started again lets everybody in.
pub(super) fn forgotten(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for ((place, name, shut_out), (on, entry)) in marks(snapshot) {
        let sources = snapshot.mesh.sources.iter().zip(snapshot.sources.iter());
        let here = sources.filter(|(source, view)| source.identity.place.raw() == place && view.as_of_ms.is_none());
        let nodes = here.flat_map(|(source, _)| source.facts.registry.iter().map(move |node| (source, node)));
        let Some((source, node)) = nodes.into_iter().find(|(_, node)| node.node_id == *name) else { continue };
        if !on || if shut_out { node.quarantined } else { node.maintenance } {
            continue;
        }
        let done = if shut_out { "quarantined" } else { "drained" };
        let sentence = format!(
            "{}: not {done} any more, {} lost it or another operator undid it",
            node.node_id, source.identity.name
        );
        let operator = Text::new(&entry.operator);
        let evidence = vec![format!("{done} by {operator} at {}", time::utc(entry.at_ms)).into()];
        let key = snapshot.node_key(&node.node_id, &Text::default());
        found.push(finding(Severity::Warning, Subject::Node(key), &node.node_id, sentence, evidence));
    }
}
