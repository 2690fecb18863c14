//! The op-log.

use super::super::chain::ChainState;
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::LogTable;
use crate::model::severity::Severity;
use crate::model::time;
use crate::model::time::{MINUTE, Millis};

/// Task events this much newer than the newest log entry say that the log stopped.
const BEHIND: Millis = 5 * MINUTE;

pub(super) fn broken(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for view in snapshot.log.iter().filter(|l| l.chain == ChainState::Broken) {
        let id = &view.entry.operation_id;
        let sentence = format!("op-log: chain broken at {id} (agent {}), {}", view.entry.agent_id, view.why);
        let evidence = vec![format!("{} row {} in {}", view.entry.table, view.entry.id, view.source).into()];
        found.push(finding(Severity::Critical, Subject::Log(view.key()), id, sentence, evidence));
    }
}

/// Each task event has its log entry. A process that restarts counts from one again, and the numbers that
/// are taken are refused: the events go on, the log stands still.
pub(super) fn stopped(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for source in &snapshot.mesh.sources {
        let newest = source
            .facts
            .log(LogTable::Agent)
            .entries
            .iter()
            .filter_map(|e| Some((e.timestamp_ms?, e)))
            .max_by_key(|(at, _)| *at);
        let event = source
            .facts
            .lineage
            .iter()
            .filter(|e| e.kind.raw().starts_with("task_"))
            .filter_map(|e| e.created_at_ms)
            .max();
        let (Some((logged, entry)), Some(event)) = (newest, event) else { continue };
        if event - logged <= BEHIND {
            continue;
        }
        let name = &source.identity.name;
        let sentence = format!(
            "{name}: op-log stopped at {} while tasks go on, rows may be refused since a restart",
            entry.operation_id
        );
        let evidence = vec![
            format!("newest entry {} at {}", entry.operation_id, time::utc(logged)).into(),
            format!("newest task event at {}", time::utc(event)).into(),
        ];
        found.push(finding(Severity::Warning, Subject::Source(name.clone()), name, sentence, evidence));
    }
}
