//! The op-log.

use super::super::chain::ChainState;
use super::super::findings::{Finding, Severity, Subject};
use super::super::{Picture, Thresholds};
use super::finding;

pub(super) fn broken(picture: &Picture, _: &Thresholds, found: &mut Vec<Finding>) {
    for view in picture.log.iter().filter(|l| l.chain == ChainState::Broken) {
        let id = &view.entry.operation_id;
        let sentence = format!("the chain is broken at {id} of agent {}: {}", view.entry.agent_id, view.why);
        let evidence = vec![format!("{} row {} in {}", view.entry.table, view.entry.id, view.source).into()];
        found.push(finding(Severity::Critical, Subject::Log(view.key()), id, sentence, evidence));
    }
}
