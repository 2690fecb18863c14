//! The journal: every attempt, before it is made and after it ended, as lines of JSON. Pure: how lines read.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::outcome::OutcomeKind;
use crate::model::action::Action;
use crate::model::copies;
use crate::model::time::{MINUTE, Millis};

/// The name and version of the form.
pub const SCHEMA: &str = "lockkeeper.journal.v1";

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub schema: String,
    /// The attempt: its lines share it.
    pub id: String,
    /// The plan that the attempt belongs to.
    pub plan: String,
    pub at_ms: Millis,
    #[serde(flatten)]
    pub event: Event,
}

/// A process on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Process {
    pub host: String,
    pub pid: u32,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "one line exists at a time")]
pub enum Event {
    /// Written and flushed before anything is sent.
    Intent {
        mesh: String,
        source: String,
        /// Where that is: names of sources are short, and two meshes may use the same.
        place: String,
        /// The process that tries, and the machine that it runs on.
        process: Process,
        operator: String,
        reason: String,
        #[serde(flatten)]
        action: Action,
    },
    Outcome {
        #[serde(rename = "verdict")]
        kind: OutcomeKind,
        #[serde(rename = "says")]
        summary: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<serde_json::Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<serde_json::Value>,
        /// Whether the op-log has it.
        audited: bool,
        /// Whether no op-log takes it: then the journal is the only record.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        journal_only: bool,
        /// Whether it was done, and the place could not be read again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        not_reread: bool,
    },
    /// The op-log's entry was written later.
    Audited,
    /// It was looked into later, and what became of it cannot be known.
    Closed {
        #[serde(rename = "says")]
        summary: String,
    },
    /// What is still open was written once more before this line, so that the end of the file holds all of it.
    Carried,
}

/// One attempt, put together from its lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub id: String,
    pub plan: String,
    pub at_ms: Millis,
    pub mesh: String,
    pub source: String,
    pub place: String,
    pub process: Process,
    pub operator: String,
    pub reason: String,
    pub action: Action,
    /// Nothing where the console ended before it could write it.
    pub kind: Option<OutcomeKind>,
    pub summary: String,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
    pub audited: bool,
    /// No op-log takes it: the journal is the only record.
    pub journal_only: bool,
    pub not_reread: bool,
    /// It was looked into, and what became of it cannot be known.
    pub closed: bool,
    /// Its process is known to have ended, where it ended without an outcome.
    pub abandoned: bool,
}

/// An attempt without an outcome is nobody's any more when it is this old: another console may be at it.
pub const ABANDONED: Millis = MINUTE;

/// What is still to be done about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Whether it took effect is not known.
    Unknown,
    /// It was done, and the op-log lacks its entry.
    LacksAudit,
}

impl Entry {
    /// Whether it was done and the op-log that takes it still lacks it.
    #[must_use]
    pub fn lacks_audit(&self) -> bool {
        self.kind == Some(OutcomeKind::Done) && !self.audited && !self.journal_only && !self.closed
    }

    /// What is still to be done about it, at an instant of the console's clock.
    #[must_use]
    pub fn open(&self, now_ms: Millis) -> Option<Open> {
        match self.kind {
            _ if self.closed => None,
            Some(OutcomeKind::Unknown) => Some(Open::Unknown),
            None if self.abandoned || now_ms.saturating_sub(self.at_ms) > ABANDONED => Some(Open::Unknown),
            _ if self.lacks_audit() => Some(Open::LacksAudit),
            _ => None,
        }
    }

    /// Whether a later line may still be written of it, or an action may still depend on it.
    fn matters(&self, retired: &HashSet<&str>) -> bool {
        let delivered = match &self.action {
            Action::Deliver { key, .. } => !retired.contains(key.as_str()),
            _ => false,
        };
        !self.closed && (self.kind.is_none() || self.kind == Some(OutcomeKind::Unknown) || self.lacks_audit())
            || delivered
                && !matches!(self.kind, Some(OutcomeKind::Refused | OutcomeKind::Failed | OutcomeKind::ReadOnly))
    }
}

/// The attempts that must not be forgotten, whatever is dropped of the file.
#[must_use]
pub fn to_keep(entries: &[Entry]) -> Vec<&Entry> {
    let retired = entries.iter().filter(|entry| entry.kind == Some(OutcomeKind::Done));
    let retired: HashSet<&str> = retired
        .filter_map(|entry| match &entry.action {
            Action::Retire { message, key, .. } if key.starts_with(&copies::stem(message)) => Some(key.as_str()),
            _ => None,
        })
        .collect();
    entries.iter().filter(|entry| entry.matters(&retired)).collect()
}

/// An attempt as lines, from which [`read`] puts the same together.
#[must_use]
pub fn lines_of(entry: &Entry) -> Vec<Line> {
    let line = |event| Line {
        schema: SCHEMA.into(),
        id: entry.id.clone(),
        plan: entry.plan.clone(),
        at_ms: entry.at_ms,
        event,
    };
    let mut lines = vec![line(Event::Intent {
        mesh: entry.mesh.clone(),
        source: entry.source.clone(),
        place: entry.place.clone(),
        process: entry.process.clone(),
        operator: entry.operator.clone(),
        reason: entry.reason.clone(),
        action: entry.action.clone(),
    })];
    lines.extend(entry.kind.map(|kind| {
        line(Event::Outcome {
            kind,
            summary: entry.summary.clone(),
            before: entry.before.clone(),
            after: entry.after.clone(),
            audited: entry.audited,
            journal_only: entry.journal_only,
            not_reread: entry.not_reread,
        })
    }));
    lines
}

/// What a part of the file holds.
#[derive(Debug, Default, PartialEq)]
pub struct Read {
    /// Attempts, oldest first.
    pub entries: Vec<Entry>,
    /// Lines that are not of this form: they are counted, not dropped in silence.
    pub odd: usize,
    /// Whether it holds everything that was open before it.
    pub carried: bool,
}

/// Puts attempts together.
#[must_use]
pub fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Read {
    let mut read = Read::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    for text in lines.filter(|line| !line.trim().is_empty()) {
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            read.odd += 1;
            continue;
        };
        let place = places.get(&line.id).copied();
        let known = place.and_then(|place| read.entries.get_mut(place));
        match (line.event, known) {
            (Event::Carried, _) => read.carried = true,
            (Event::Intent { mesh, source, place, process, operator, reason, action }, None) => {
                // Where the lock is a directory nothing but the journal ever keeps a record.
                let journal_only = matches!(&action, Action::Release { lock, .. } if !lock.table.is_fenced());
                places.insert(line.id.clone(), read.entries.len());
                read.entries.push(Entry {
                    id: line.id,
                    plan: line.plan,
                    at_ms: line.at_ms,
                    mesh,
                    source,
                    place,
                    process,
                    operator,
                    reason,
                    action,
                    kind: None,
                    summary: String::new(),
                    before: None,
                    after: None,
                    audited: false,
                    journal_only,
                    not_reread: false,
                    closed: false,
                    abandoned: false,
                });
            }
            (Event::Outcome { kind, summary, before, after, audited, journal_only, not_reread }, Some(entry)) => {
                entry.kind = Some(kind);
                (entry.summary, entry.before, entry.after) = (summary, before, after);
                entry.audited |= audited;
                entry.journal_only |= journal_only;
                entry.not_reread = not_reread;
            }
            (Event::Audited, Some(entry)) => entry.audited = true,
            (Event::Closed { summary }, Some(entry)) => (entry.closed, entry.summary) = (true, summary),
            // It was carried on from a part before; or it is the rest of an attempt whose first line lies there.
            (Event::Intent { .. }, Some(_)) | (_, None) => {}
        }
    }
    // What was carried on stands later than it was tried.
    read.entries.sort_by_key(|entry| entry.at_ms);
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines are read for years: the names in them stay.
    #[test]
    fn a_line_of_an_earlier_version_is_read() {
        let intent = r#"{"schema":"lockkeeper.journal.v1","id":"1","plan":"p","at_ms":1,"event":"intent","mesh":"m","source":"s","place":"/s","process":{"host":"h","pid":1},"operator":"o","reason":"","action":"tell","letter":{"to":"7","msg_type":"t","payload":"{}","repository_id":"r"}}"#;
        let outcome = r#"{"schema":"lockkeeper.journal.v1","id":"1","plan":"p","at_ms":2,"event":"outcome","verdict":"done","says":"it was told","before":null,"after":null,"audited":true}"#;
        let found = read([intent, outcome].into_iter());
        assert_eq!((found.entries.len(), found.odd), (1, 0));
        assert_eq!(
            (found.entries[0].kind, found.entries[0].summary.as_str()),
            (Some(OutcomeKind::Done), "it was told")
        );
    }
    use crate::model::action::{LeaseGuard, OutboundMessage};

    fn line(id: &str, event: Event) -> String {
        let line = Line { schema: SCHEMA.into(), id: id.into(), plan: "p".into(), at_ms: 1, event };
        serde_json::to_string(&line).expect("a line")
    }

    fn intent() -> Event {
        let lease = LeaseGuard { lease_id: "2".into(), scope_key: "task:4".into(), holder_node: "n".into() };
        let action = Action::Revoke { lease };
        let (mesh, source, place) = ("m".into(), "s".into(), "/s".into());
        let process = Process::default();
        Event::Intent { mesh, source, place, process, operator: "ada".into(), reason: "stuck".into(), action }
    }

    fn outcome(kind: OutcomeKind, audited: bool) -> Event {
        Event::Outcome {
            kind,
            summary: "gone".into(),
            before: None,
            after: None,
            audited,
            journal_only: false,
            not_reread: false,
        }
    }

    #[test]
    fn attempts_are_put_together_and_odd_lines_counted() {
        let lines = [
            line("a", intent()),
            line("b", intent()),
            "{torn".into(),
            line("a", outcome(OutcomeKind::Done, false)),
            line("a", Event::Audited),
        ];
        let Read { entries, odd, carried } = read(lines.iter().map(String::as_str));
        assert_eq!((entries.len(), odd, carried), (2, 1, false));
        assert_eq!((entries[0].kind, entries[0].audited), (Some(OutcomeKind::Done), true));
        assert_eq!(entries[1].kind, None, "it ended before it could be told");
        assert_eq!(entries[1].open(2), None, "another console may be at it");
        assert_eq!(entries[1].open(2 + ABANDONED), Some(Open::Unknown));
    }

    #[test]
    fn what_is_carried_on_reads_the_same() {
        let lines = [
            line("a", intent()),
            line("b", intent()),
            line("a", outcome(OutcomeKind::Unknown, false)),
            line("b", outcome(OutcomeKind::Done, true)),
        ];
        let all = read(lines.iter().map(String::as_str)).entries;
        let kept = to_keep(&all);
        assert_eq!(kept.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["a"]);
        let again: Vec<String> =
            lines_of(kept[0]).iter().map(|line| serde_json::to_string(line).expect("a line")).collect();
        let twice: Vec<&str> = lines.iter().chain(&again).map(String::as_str).collect();
        assert_eq!(read(again.iter().map(String::as_str)).entries, [kept[0].clone()]);
        assert_eq!(read(twice.into_iter()).entries, all, "and once more changes nothing");
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        let outbound = OutboundMessage {
            to: "1".into(),
            msg_type: "x".into(),
            payload: "\u{1b}".into(),
            repository_id: "r".into(),
        };
        let (mesh, source, place) = ("m".into(), "s".into(), "/s".into());
        let (operator, reason) = ("o".into(), "r".into());
        let process = Process { host: "h".into(), pid: 7 };
        let event = Event::Intent { mesh, source, place, process, operator, reason, action: Action::Send { outbound } };
        let text = line("a", event.clone());
        assert!(!text.contains('\u{1b}'));
        assert_eq!(serde_json::from_str::<Line>(&text).expect("a line").event, event);
    }
}
