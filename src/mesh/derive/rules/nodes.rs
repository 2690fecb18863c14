//! Nodes that are silent, skewed, or known to one source only.

use super::super::nodes::NodeView;
use super::super::staleness::Staleness;
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::severity::Severity;
use crate::model::time;

pub(super) fn silent(node: &NodeView) -> Option<Finding> {
    let severity = match node.staleness {
        Staleness::Critical | Staleness::Dead => Severity::Critical,
        Staleness::Alert => Severity::Warning,
        _ => return None,
    };
    let hold = [some(node.holds.locks, "lock"), some(node.holds.tasks, "task")];
    let hold: Vec<String> = hold.into_iter().flatten().collect();
    let held = if hold.is_empty() { String::new() } else { format!(", holds {}", hold.join(" and ")) };
    let sentence = format!("{}: {}{held}", node.name(), node.staleness);
    let signals = node.signals.iter().map(|s| format!("{}: {}", s.from, time::utc(s.seen_ms)).into());
    Some(finding(severity, Subject::Node(node.key.clone()), &node.name(), sentence, signals.collect()))
}

/// `1 lock`, `2 locks`, or nothing.
fn some(n: usize, what: &str) -> Option<String> {
    let plural = if n == 1 { "" } else { "s" };
    (n > 0).then(|| format!("{n} {what}{plural}"))
}

pub(super) fn missing(node: &NodeView) -> Option<Finding> {
    if node.missing_in.is_empty() {
        return None;
    }
    let places: Vec<_> = node.missing_in.iter().map(ToString::to_string).collect();
    let sentence = format!("{}: missing in {}", node.name(), places.join(", "));
    let evidence = node.signals.iter().map(|s| s.from.clone()).collect();
    Some(finding(Severity::Info, Subject::Node(node.key.clone()), &node.name(), sentence, evidence))
}

/// How far a clock is off, and which way.
fn word(ms: i64) -> String {
    format!("{} {}", time::short(ms.abs()), if ms > 0 { "ahead" } else { "behind" })
}

pub(super) fn source_skew(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for (source, view) in snapshot.mesh.sources.iter().zip(snapshot.sources.iter()) {
        let Some(ms) = view.skew_ms else { continue };
        let name = &source.identity.name;
        let sentence = format!("{name}: clock {}", word(ms));
        let evidence =
            source.clock.best().map(|s| format!("offset {} ms, +-{} ms", s.offset_ms, s.uncertainty_ms).into());
        found.push(finding(
            Severity::Warning,
            Subject::Source(name.clone()),
            name,
            sentence,
            evidence.into_iter().collect(),
        ));
    }
}

pub(super) fn skew(node: &NodeView) -> Option<Finding> {
    let name = node.name();
    if let Some(ahead) = node.ahead_ms {
        let sentence = format!("{name}: last heartbeat {} in the future, real age unknown", time::short(ahead));
        let evidence = node.last_seen_ms.map(|at| format!("it says {}", time::utc(at)).into());
        let evidence = evidence.into_iter().collect();
        return Some(finding(Severity::Warning, Subject::Node(node.key.clone()), &name, sentence, evidence));
    }
    let ms = node.skew_ms?;
    let sentence = format!("{}: clock {}", node.name(), word(ms));
    let evidence = vec![format!("heartbeats appear {ms} ms after the time written in them").into()];
    Some(finding(Severity::Warning, Subject::Node(node.key.clone()), &node.name(), sentence, evidence))
}
