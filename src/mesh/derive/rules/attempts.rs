//! Attempts of this console's journal whose end is not known.

use std::collections::BTreeMap;

use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::journal::{Entry, Open};
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;

/// Nothing is written unasked: the operator's next action at the place settles them, or the key that says so.
pub(super) fn open(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    let mut by_place: BTreeMap<(&str, bool), Vec<&Entry>> = BTreeMap::new();
    for entry in snapshot.mesh.journal.iter() {
        if let Some(open) = entry.open(snapshot.at_ms) {
            by_place.entry((&entry.place, open == Open::LacksAudit)).or_default().push(entry);
        }
    }
    for ((place, lacks_audit), entries) in by_place {
        let source = snapshot.mesh.sources.iter().find(|source| source.identity.place.raw() == place);
        let Some(name) = source.map(|source| &source.identity.name) else { continue };
        let n = entries.len();
        let what = match (lacks_audit, n) {
            (false, 1) => format!("{name}: outcome of 1 attempt unknown"),
            (false, _) => format!("{name}: outcome of {n} attempts unknown"),
            (true, 1) => format!("{name}: op-log entry missing for 1 action"),
            (true, _) => format!("{name}: op-log entries missing for {n} actions"),
        };
        let severity = if lacks_audit { Severity::Info } else { Severity::Warning };
        let line = |entry: &&Entry| -> Text {
            let operator = Text::new(&entry.operator);
            format!("{} by {operator} at {}", entry.action.summary(), time::utc(entry.at_ms)).into()
        };
        let mut evidence: Vec<Text> = entries.iter().rev().take(20).map(line).collect();
        evidence.push("the next action there resolves it, or the command `recover` (f)".into());
        found.push(finding(severity, Subject::Source(name.clone()), name, what, evidence));
    }
}
