//! The journal: every attempt, before it is made and after it ended, as lines of JSON. Pure: how lines read.

use serde::{Deserialize, Serialize};

use super::Action;
use super::outcome::Verdict;
use crate::time::Millis;

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
#[allow(clippy::large_enum_variant, reason = "one line at a time is in hand")]
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
        verdict: Verdict,
        says: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<serde_json::Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<serde_json::Value>,
        /// Whether the op-log has it.
        audited: bool,
    },
    /// The op-log's entry was written later.
    Audited,
}

/// One attempt, put together from its lines.
#[derive(Debug, Clone, PartialEq)]
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
    pub verdict: Option<Verdict>,
    pub says: String,
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
    pub audited: bool,
}

impl Entry {
    /// Whether it was done and the op-log still lacks it.
    #[must_use]
    pub fn lacks_audit(&self) -> bool {
        self.verdict == Some(Verdict::Done) && !self.audited
    }
}

/// Puts attempts together, oldest first. Lines that are not of this form are counted, not dropped in silence.
#[must_use]
pub fn read<'a>(lines: impl Iterator<Item = &'a str>) -> (Vec<Entry>, usize) {
    let (mut entries, mut odd): (Vec<Entry>, usize) = (Vec::new(), 0);
    for text in lines.filter(|line| !line.trim().is_empty()) {
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            odd += 1;
            continue;
        };
        let known = entries.iter_mut().rev().find(|entry| entry.id == line.id);
        match (line.event, known) {
            (Event::Intent { mesh, source, place, process, operator, reason, action }, None) => entries.push(Entry {
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
                verdict: None,
                says: String::new(),
                before: None,
                after: None,
                audited: false,
            }),
            (Event::Outcome { verdict, says, before, after, audited }, Some(entry)) => {
                entry.verdict = Some(verdict);
                (entry.says, entry.before, entry.after) = (says, before, after);
                entry.audited |= audited;
            }
            (Event::Audited, Some(entry)) => entry.audited = true,
            // The rest of an attempt whose first line lies before the part that is read.
            (Event::Outcome { .. } | Event::Audited, None) => {}
            (Event::Intent { .. }, Some(_)) => odd += 1,
        }
    }
    (entries, odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::action::{LeaseGuard, Letter};

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

    #[test]
    fn attempts_are_put_together_and_odd_lines_counted() {
        let outcome =
            Event::Outcome { verdict: Verdict::Done, says: "gone".into(), before: None, after: None, audited: false };
        let lines =
            [line("a", intent()), line("b", intent()), "{torn".into(), line("a", outcome), line("a", Event::Audited)];
        let (entries, odd) = read(lines.iter().map(String::as_str));
        assert_eq!((entries.len(), odd), (2, 1));
        assert_eq!((entries[0].verdict, entries[0].audited), (Some(Verdict::Done), true));
        assert_eq!(entries[1].verdict, None, "it ended before it could be told");
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        let letter =
            Letter { to: "1".into(), msg_type: "x".into(), payload: "\u{1b}".into(), repository_id: "r".into() };
        let (mesh, source, place) = ("m".into(), "s".into(), "/s".into());
        let (operator, reason) = ("o".into(), "r".into());
        let process = Process { host: "h".into(), pid: 7 };
        let event = Event::Intent { mesh, source, place, process, operator, reason, action: Action::Tell { letter } };
        let text = line("a", event.clone());
        assert!(!text.contains('\u{1b}'));
        assert_eq!(serde_json::from_str::<Line>(&text).expect("a line").event, event);
    }
}
