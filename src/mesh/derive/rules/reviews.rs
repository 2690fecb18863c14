//! Findings of reviewers, as agents themselves wrote them down.

use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::RemarkKind;
use crate::model::severity::Severity;
use crate::model::time;

/// One that overturns a premise, or asks for a pause, is a warning.
pub(super) fn open(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for source in &snapshot.mesh.sources {
        for remark in source.facts.remarks.iter() {
            let RemarkKind::Finding { overturned, action } = &remark.kind else { continue };
            let severity = if *overturned || *action == "pause" { Severity::Warning } else { Severity::Info };
            let premise = if *overturned { "overturned" } else { "confirmed" };
            let sentence =
                format!("review by {}: premise {premise}, asks to {action}: {}", remark.agent, remark.summary);
            let mut evidence = vec![format!("finding {} in {}, not answered", remark.id, source.identity.name).into()];
            evidence.extend(remark.at_ms.map(|at| format!("written {}", time::utc(source.to_console(at))).into()));
            found.push(finding(severity, Subject::Node(remark.node_id.clone()), &remark.agent, sentence, evidence));
        }
    }
}
