//! A recording for other eyes: names and texts become stand-ins, the same one for the same name, and what agents wrote to each
//! other is dropped but for what it is about. What is kept is what the program itself knows: its words, numbers, times.
//!
//! Texts are replaced where they are written, whatever they stand in, so that nothing new is forgotten.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use strum::IntoEnumIterator as _;

use super::line::{LifeOf, Line, Start};
use crate::model::action::Action;
use crate::model::event::Event;
use crate::model::journal::{Entry, Process};
use crate::model::mark::Mark;
use crate::model::text::{Replace, replacing};
use crate::model::{LockTable, LogTable, MessageTable};

/// Words of the systems that say what something is. They name nobody.
const WORDS: &[&str] = &[
    "file",
    "repo",
    "task",
    "lock",
    "node",
    "agent",
    "message",
    "default",
    "handoff",
    "writing",
    "idle",
    // Messages.
    "resource_lock_request",
    "resource_lock_grant",
    "resource_lock_release",
    "conflict_detected",
    "conflict_resolved",
    "remote_task_envelope",
    "remote_task_result",
    "task_assignment",
    "plan_handoff",
    "free_form",
    "cancel_request",
    "progress_update",
    "status_update",
    "code_review",
    "bug_report",
    // Leases and tasks.
    "granted",
    "released",
    "revoked",
    "expired",
    "task_submitted",
    "task_started",
    "task_completed",
    "task_failed",
];

/// Kinds of entries in op-logs: words by themselves, and keys of what an entry is about.
const ENTRIES: &[&str] = &[
    "TaskSubmit",
    "TaskComplete",
    "TaskFail",
    "LockAcquire",
    "LockRelease",
    "ConflictDetected",
    "ConflictResolved",
    "ConflictDeferred",
    "Rebalance",
];

/// Keys of what agents write that say what it is about. Others are dropped with what stands there.
const KEYS: &[&str] = &[
    "resource_id",
    "resource_ids",
    "path",
    "paths",
    "lock_key",
    "lock_keys",
    "task_id",
    "idempotency_key",
    "repository_id",
    "sides",
    "agent_id",
    "agent",
    "defer_to_agent",
    "severity",
    "node_id",
];

/// Keys of an action in the journal whose texts are the program's own words.
const OWN: &[&str] = &["action", "kind", "mode", "table", "change", "how"];

/// What divides a name into parts that may stand in other names.
const DIVIDERS: &[char] = &['/', ':'];

/// Numbers of so many digits at most are ids and stay: agents are told by them, in texts and as numbers.
const DIGITS: usize = 9;

/// Replaces what names somebody or something, in lines that it writes.
#[derive(Debug, Default)]
pub struct Redactor {
    names: Rc<RefCell<Names>>,
}

/// The stand-ins.
#[derive(Debug, Default)]
struct Names {
    by_name: HashMap<String, String>,
}

impl Replace for Names {
    fn name(&mut self, text: &str) -> String {
        // Keys are put together from names with control characters between them.
        let is_divider = |c: char| c.is_control();
        let mut out = String::new();
        for piece in text.split_inclusive(is_divider) {
            let name = piece.trim_end_matches(is_divider);
            out.push_str(&self.whole(name));
            out.push_str(&piece[name.len()..]);
        }
        out
    }

    fn body(&mut self, text: &str) -> String {
        let Ok(body) = serde_json::from_str::<Value>(text) else { return String::new() };
        match self.about(body, false) {
            Value::Null => String::new(),
            body => body.to_string(),
        }
    }
}

impl Names {
    /// The stand-in for a name. Its parts may stand in other names.
    fn whole(&mut self, name: &str) -> String {
        if name.is_empty() || is_table(name) {
            return name.to_owned();
        }
        let is_own = |word: &str| is_number(word) || is_word(word);
        if name.split(' ').all(is_own) {
            return name.to_owned();
        }
        if name.contains(char::is_whitespace) {
            return self.number("text", name);
        }
        let mut out = String::new();
        for piece in name.split_inclusive(DIVIDERS) {
            let part = piece.trim_end_matches(DIVIDERS);
            if part.is_empty() || is_number(part) || is_word(part) {
                out.push_str(part);
            } else {
                out.push_str(&self.number("n", part));
            }
            out.push_str(&piece[part.len()..]);
        }
        out
    }

    fn number(&mut self, kind: &str, name: &str) -> String {
        let next = self.by_name.len() + 1;
        self.by_name.entry(name.to_owned()).or_insert_with(|| format!("{kind}{next}")).clone()
    }

    /// What a body is about.
    fn about(&mut self, body: Value, inside: bool) -> Value {
        match body {
            Value::Object(map) => {
                let known =
                    map.into_iter().filter(|(key, _)| KEYS.contains(&key.as_str()) || ENTRIES.contains(&key.as_str()));
                Value::Object(known.map(|(key, value)| (key, self.about(value, true))).collect())
            }
            Value::Array(list) if inside => {
                Value::Array(list.into_iter().map(|value| self.about(value, true)).collect())
            }
            Value::String(text) if inside || is_word(&text) => Value::String(self.name(&text)),
            Value::Number(number) if inside => Value::Number(number),
            Value::Bool(_) if inside => body,
            _ => Value::Null,
        }
    }
}

fn is_word(text: &str) -> bool {
    WORDS.contains(&text) || ENTRIES.contains(&text)
}

/// Also with zeros before it, as ids stand in keys.
fn is_number(text: &str) -> bool {
    text.trim_start_matches('0').len() <= DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it is the program's own name of a table.
fn is_table(name: &str) -> bool {
    let locks = LockTable::iter().map(<&str>::from);
    let messages = MessageTable::iter().map(<&str>::from);
    locks.chain(messages).chain(LogTable::iter().map(<&str>::from)).any(|table| table == name)
}

impl Redactor {
    /// Writes a line, with stand-ins for names.
    pub fn write(&mut self, line: &Line, to: &mut Vec<u8>) -> serde_json::Result<()> {
        let line = match line {
            Line::Start(start) => &Line::Start(Start { redacted: true, ..start.clone() }),
            Line::Journal(splice) => {
                let mut splice = splice.clone();
                splice.add = splice.add.iter().map(|entry| self.entry(entry)).collect();
                &Line::Journal(splice)
            }
            Line::Events(splice) => {
                let mut splice = splice.clone();
                splice.add = splice.add.iter().map(|event| Arc::new(self.event(event))).collect();
                &Line::Events(splice)
            }
            Line::Lives(lives) => &Line::Lives(self.lives(lives)),
            Line::State(state) => {
                let mut state = state.clone();
                let mesh = &mut state.mesh.mesh;
                mesh.journal = mesh.journal.iter().map(|entry| self.entry(entry)).collect();
                mesh.events = mesh.events.iter().map(|event| Arc::new(self.event(event))).collect();
                state.lives = self.lives(&state.lives);
                &Line::State(state)
            }
            other @ (Line::Report(_) | Line::Unkept(_) | Line::Evaluated(_)) => other,
        };
        let written = replacing(&self.names, || serde_json::to_vec(line))?;
        to.extend(written);
        to.push(b'\n');
        Ok(())
    }

    /// A mark, with stand-ins: what it says, as a whole, is text.
    pub fn mark(&mut self, mark: &Mark) -> Mark {
        Mark { text: self.text(mark.text.raw()).into(), ..mark.clone() }
    }

    fn text(&self, text: &str) -> String {
        self.names.borrow_mut().number("text", text)
    }

    fn name(&self, text: &str) -> String {
        self.names.borrow_mut().name(text)
    }

    fn lives(&self, lives: &[LifeOf]) -> Vec<LifeOf> {
        lives.iter().map(|(key, life)| (self.identity(key), life.clone())).collect()
    }

    /// What a finding is told by: its rule and the kind of its subject are the program's own words.
    fn identity(&self, key: &str) -> String {
        let mut parts = key.splitn(3, '\u{1}');
        let (rule, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        format!("{rule}\u{1}{kind}\u{1}{}", self.name(parts.next().unwrap_or_default()))
    }

    fn event(&self, event: &Event) -> Event {
        Event {
            mesh: self.name(&event.mesh),
            place: self.name(&event.place),
            key: self.identity(&event.key),
            name: self.name(&event.name),
            sentence: self.text(&event.sentence),
            by: event.by.as_deref().map(|by| self.name(by)),
            ..event.clone()
        }
    }

    fn entry(&self, entry: &Entry) -> Entry {
        let action = serde_json::to_value(&entry.action).map(|action| self.action("", action));
        Entry {
            mesh: self.name(&entry.mesh),
            source: self.name(&entry.source),
            place: self.name(&entry.place),
            operator: self.name(&entry.operator),
            reason: self.name(&entry.reason),
            summary: self.name(&entry.summary),
            process: Process { host: self.name(&entry.process.host), pid: entry.process.pid },
            before: None,
            after: None,
            // What cannot be told without names is told as what does nothing.
            action: action
                .and_then(serde_json::from_value)
                .unwrap_or_else(|_| Action::Command { title: "text".into(), argv: Vec::new() }),
            ..entry.clone()
        }
    }

    fn action(&self, under: &str, value: Value) -> Value {
        match value {
            Value::String(text) if OWN.contains(&under) => Value::String(text),
            Value::String(text) => Value::String(self.name(&text)),
            Value::Array(list) => list.into_iter().map(|value| self.action(under, value)).collect(),
            Value::Object(map) => Value::Object(
                map.into_iter()
                    .map(|(key, value)| {
                        let value = self.action(&key, value);
                        (key, value)
                    })
                    .collect(),
            ),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{Change, Observation};
    use crate::model::report::Report;
    use crate::model::severity::Severity;
    use crate::model::time::SECOND;
    use crate::recording::line::State;
    use crate::recording::playback::Playback;
    use crate::testing::{NOW, events, lock, mesh, message};

    fn written(redactor: &mut Redactor, line: &Line) -> String {
        let mut bytes = Vec::new();
        redactor.write(line, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// A report with a marker in every place that others write.
    fn marked() -> Line {
        let m = |part: &str| format!("MARKER{part}");
        let mut held = lock(&format!("file:{}/x.rs", m("path")), &m("node"), &m("agent"), 0);
        held.expires_at = Some(Arc::new(crate::model::Stored::Text(m("stored"))));
        (held.lease_id, held.remark) = (Some(m("lease").into()), Some(m("remark").into()));
        held.repository_id = m("repo").into();
        let payload = format!(
            r#"{{"resource_id":"{}","password":"{}","{}":1,"paths":[{{"x":"{}"}}]}}"#,
            m("a"),
            m("b"),
            m("c"),
            m("d")
        );
        let mut sent = message(1, &m("to"), "resource_lock_request", &payload, SECOND);
        (sent.sender_agent, sent.thread_id) = (m("from").into(), Some(m("thread").into()));
        let mut plain = message(2, "3", &m("kind"), &format!("just {} text", m("body")), SECOND);
        plain.last_claim_error = Some(format!("failed: {}", m("error")).into());
        let changes = vec![
            Change::Locks(LockTable::Distributed, vec![held]),
            Change::LiveMessages(MessageTable::A2a, vec![sent, plain]),
        ];
        let notes = Some(vec![m("note").into()]);
        let observation = Box::new(Observation { changes, notes, ..Observation::default() });
        Line::Report(Report::Observed { source: 0, at_ms: NOW, observation })
    }

    #[test]
    fn no_name_and_no_text_of_others_is_left_and_the_same_name_is_the_same_stand_in() {
        let mut redactor = Redactor::default();
        let text = written(&mut redactor, &marked());
        assert!(!text.contains("MARKER"), "{text}");
        assert!(!text.contains("password"), "{text}");
        assert!(
            text.contains("resource_lock_request") && text.contains("\"file:"),
            "what says what it is stays: {text}"
        );
        let again = written(&mut redactor, &marked());
        assert_eq!(text, again);
        // In payloads as in rows.
        let name = |text: &str| redactor.name(text);
        let stand_in = name("MARKERa");
        assert!(text.contains(&format!(r#"\"resource_id\":\"{stand_in}\""#)), "{text}");
    }

    #[test]
    fn a_whole_state_is_redacted_with_its_journal_and_events_and_plays_with_the_same_findings() {
        let mut known = mesh();
        known.mesh.events = events().into_iter().map(Arc::new).collect();
        let names: Vec<String> =
            ["desktop-488", "laptop-192", "ci-7", "parser.rs", "guide.md", "vox.db", "10.0.0.5", "worker ended"]
                .map(str::to_owned)
                .to_vec();
        let start = crate::recording::recorder::start(crate::mesh::derive::Thresholds::default(), Severity::Warning);
        let lines = [
            Line::Start(start),
            Line::State(Box::new(State { mesh: known, lives: Vec::new() })),
            Line::Evaluated(crate::recording::line::Evaluated { at_ms: NOW, interval_ms: 1_000 }),
        ];
        let (mut redactor, mut plain, mut stood_in) = (Redactor::default(), Playback::default(), Playback::default());
        for line in lines {
            let text = written(&mut redactor, &line);
            for name in &names {
                assert!(!text.contains(name.as_str()), "{name} in {text}");
            }
            stood_in.take(serde_json::from_str(&text).unwrap()).unwrap();
            plain.take(line).unwrap();
        }
        let rules = |playback: &mut Playback| {
            let snapshot = playback.snapshot().unwrap();
            let mut all: Vec<_> = snapshot.findings.iter().map(|f| (f.rule, f.severity)).collect();
            all.sort_unstable();
            (all, snapshot.nodes.len(), snapshot.locks.len(), snapshot.waits.rows().len(), snapshot.mesh.journal.len())
        };
        assert_eq!(rules(&mut plain), rules(&mut stood_in));
        // Lives are kept by what distinguishes findings.
        let keys = |playback: &mut Playback, of: &dyn Fn(&str) -> String| {
            let snapshot = playback.snapshot().unwrap();
            let mut all: Vec<_> = snapshot.findings.iter().map(|finding| of(&finding.identity())).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(keys(&mut plain, &|key| redactor.identity(key)), keys(&mut stood_in, &str::to_owned));
    }
}
