//! Sources that do not answer, or say odd things.

use super::super::sources::SourceHealth;
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::SourceState;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::Reader;
use crate::model::observation::Presence;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;

fn each(snapshot: &Snapshot, health: &[SourceHealth]) -> impl Iterator<Item = SourceState> {
    let chosen: Vec<_> = snapshot
        .mesh
        .sources
        .iter()
        .zip(snapshot.sources.iter())
        .filter(|(_, view)| health.contains(&view.health))
        .map(|(source, _)| source.clone())
        .collect();
    chosen.into_iter()
}

fn fault_of(source: &SourceState) -> (String, Vec<Text>) {
    let Some(trouble) = &source.health.trouble else { return ("no answer".into(), Vec::new()) };
    let evidence = vec![format!("failing since {}", time::utc(trouble.since_ms)).into(), source.identity.place.clone()];
    (trouble.fault.to_string(), evidence)
}

pub(super) fn down(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for source in each(snapshot, &[SourceHealth::Down]) {
        let (why, evidence) = fault_of(&source);
        let name = &source.identity.name;
        found.push(finding(
            Severity::Critical,
            Subject::Source(name.clone()),
            name,
            format!("{name}: unreachable, {why}"),
            evidence,
        ));
    }
}

pub(super) fn old(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for source in each(snapshot, &[SourceHealth::Old]) {
        let (why, mut evidence) = fault_of(&source);
        let name = &source.identity.name;
        if let Some(at) = source.health.last_ok_ms {
            evidence.push(format!("last heard {}", time::utc(at)).into());
        }
        let sentence = format!("{name}: stale data, {why}");
        found.push(finding(Severity::Critical, Subject::Source(name.clone()), name, sentence, evidence));
    }
}

pub(super) fn foreign(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    let nothing = |source: &&SourceState| {
        let there = |(_, presence): &(&str, Presence)| matches!(presence, Presence::Present | Presence::Partial(_));
        source.probe.as_ref().is_some_and(|probe| !probe.parts.iter().any(there))
    };
    for source in snapshot.mesh.sources.iter().filter(nothing) {
        let name = &source.identity.name;
        let sentence = format!("{name}: none of the expected tables or calls, is it the right place?");
        let evidence = vec![source.identity.place.clone()];
        found.push(finding(Severity::Warning, Subject::Source(name.clone()), name, sentence, evidence));
    }
}

pub(super) fn odd(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for source in snapshot.mesh.sources.iter().filter(|s| !s.oddities.is_empty()) {
        let name = &source.identity.name;
        let n = source.oddities.len();
        let values = if n == 1 { "1 value has".into() } else { format!("{n} values have") };
        let sentence = format!("{name}: {values} an unexpected type, shown as unknown");
        let evidence = source
            .oddities
            .iter()
            .take(20)
            .map(|o| format!("{}.{} of {}: {}", o.table, o.column, o.row, o.found).into())
            .collect();
        found.push(finding(Severity::Warning, Subject::Source(name.clone()), name, sentence, evidence));
    }
}

pub(super) fn unseen(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for source in snapshot.mesh.sources.iter().filter(|s| !s.unseen.is_empty()) {
        let name = &source.identity.name;
        let first = source.unseen.first().map(ToString::to_string).unwrap_or_default();
        let sentence = match source.unseen.len() {
            1 => format!("{name}: partly unseen, {first}"),
            n => format!("{name}: partly unseen, {first}, and {} more", n - 1),
        };
        found.push(finding(Severity::Info, Subject::Source(name.clone()), name, sentence, source.unseen.to_vec()));
    }
}

pub(super) fn notes(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    for source in snapshot.mesh.sources.iter().filter(|s| !s.notes.is_empty()) {
        let name = &source.identity.name;
        let sentence = source.notes.first().map(ToString::to_string).unwrap_or_default();
        found.push(finding(Severity::Info, Subject::Source(name.clone()), name, sentence, source.notes.to_vec()));
    }
}

/// So many messages behind, and not moving, a reader is far behind.
const FAR: i64 = 20;

/// Readers that have much to read and do not read it.
pub(super) fn behind(snapshot: &Snapshot, thresholds: &Thresholds, found: &mut Vec<Finding>) {
    for source in &snapshot.mesh.sources {
        let far = |reader: &&Reader| {
            let moved = reader.moved_at_ms.map(|at| source.to_console(at));
            reader.head.saturating_sub(reader.cursor) >= FAR
                && moved.is_none_or(|at| snapshot.at_ms - at >= thresholds.stuck_ms)
        };
        let behind: Vec<&Reader> = source.facts.readers.iter().filter(far).collect();
        let Some(first) = behind.first() else { continue };
        let name = &source.identity.name;
        let sentence = match behind.len() {
            1 => format!("{}: far behind in {}", first.name, first.stream),
            n => format!("{name}: {n} readers far behind, {} first", first.name),
        };
        let evidence = behind.iter().take(20).map(|reader| {
            let moved = reader.moved_at_ms.map(|at| format!(", last {}", time::utc(source.to_console(at))));
            let moved = moved.unwrap_or_default();
            format!("{} read {} of {} in {}{moved}", reader.name, reader.cursor, reader.head, reader.stream).into()
        });
        let evidence = evidence.collect();
        found.push(finding(Severity::Warning, Subject::Source(name.clone()), &first.name, sentence, evidence));
    }
}
