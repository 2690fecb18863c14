//! One event of a mob. Pure.
//!
//! Stored events hold keys, endpoints and prompts. Only the fields that are named here leave this file.

use serde_json::{Map, Value};

use super::instant;
use super::shared::member;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{LogEntry, LogTable};

/// Versions of stored events that are understood.
pub const VERSIONS: [i64; 2] = [6, 9];

/// Characters of a reason or an error that are kept.
const MOST_TEXT: usize = 300;

/// Fields that the log shows, of any kind of event.
const SHOWN: &[&str] = &[
    "agent_identity",
    "member",
    "role",
    "generation",
    "fence_token",
    "previous_generation",
    "new_generation",
    "runtime_mode",
    "phase",
    "run_id",
    "flow_id",
    "step_id",
    "cause",
    "reason",
    "error",
    "escalated_to",
    "from_role",
    "to_role",
    "a",
    "b",
    "intent",
    "epoch",
    "tool_name",
    "objective_id",
];

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub cursor: i64,
    pub at_ms: Option<Millis>,
    /// Its type, as it is written.
    pub name: Text,
    pub kind: Kind,
    /// The fields that may be shown.
    pub shown: Map<String, Value>,
    pub version: Version,
}

/// Whether a stored event is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Known,
    /// Of another version: it is shown as it is.
    Unknown,
    /// No event, or too large.
    Unread,
}

/// What is understood of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Spawned {
        identity: Text,
        role: Text,
        generation: i64,
        fence: Option<i64>,
    },
    Reset {
        identity: Text,
        generation: i64,
        fence: Option<i64>,
    },
    RetirementStarted {
        identity: Text,
    },
    Retired {
        identity: Text,
    },
    Kickoff {
        identity: Text,
        phase: Text,
        error: Option<Text>,
    },
    /// The mob goes on, or is over.
    Created,
    StopStarted,
    Stopped,
    StopEnded,
    Completed,
    Restarted,
    /// A step of a run was given to a member.
    Dispatched {
        run: Text,
        step: Text,
        identity: Text,
    },
    FlowFailed {
        run: Text,
        flow: Text,
        cause: Text,
        reason: Text,
    },
    Escalated {
        run: Text,
        step: Text,
        to: Text,
    },
    TopologyViolated {
        from: Text,
        to: Text,
    },
    /// Everything else: it stands in the log alone.
    Other,
}

impl Kind {
    /// Whether the state of the mob follows from it.
    #[must_use]
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Other | Self::Dispatched { .. })
    }
}

impl Event {
    /// Reads a stored event: its row's cursor counts. What is no event is none.
    #[must_use]
    pub fn read(cursor: i64, stored: &str) -> Option<Self> {
        let stored: Value = serde_json::from_str(stored).ok()?;
        let (event, kind) = (&stored["event"], &stored["event"]["kind"]);
        let version = match stored["schema_version"].as_i64() {
            Some(version) if VERSIONS.contains(&version) => Version::Known,
            Some(_) => Version::Unknown,
            None => return None,
        };
        let name = match kind["type"].as_str() {
            Some(name) => name,
            // Another version may write it elsewhere.
            None if version == Version::Unknown => "(unknown)",
            None => return None,
        };
        Some(Self {
            cursor,
            at_ms: event["timestamp"].as_str().and_then(instant),
            name: Text::bounded(name, 80),
            // What a field means in a version that is not known, nobody can say.
            kind: if version == Version::Known { read_kind(name, kind) } else { Kind::Other },
            shown: shown(kind),
            version,
        })
    }

    /// The event as an entry of the log of its mob.
    #[must_use]
    pub fn entry(&self, mob: &str, number: i64, realm: &Text) -> LogEntry {
        let word = |name: &str| self.shown.get(name).and_then(Value::as_str);
        let agent = word("agent_identity").or(word("member")).map(|identity| member(mob, identity));
        let mut kind_json = Map::new();
        kind_json.insert(self.name.raw().to_owned(), Value::Object(self.shown.clone()));
        LogEntry {
            table: LogTable::Events,
            id: number,
            agent_id: agent.unwrap_or_else(|| Text::new(mob)),
            operation_id: format!("{mob}#{}", self.cursor).into(),
            kind: self.name.clone(),
            kind_json: Value::Object(kind_json).to_string().into(),
            description: word("reason").or(word("error")).map(Text::new).unwrap_or_default(),
            timestamp_ms: self.at_ms,
            repository_id: realm.clone(),
            ..LogEntry::default()
        }
    }
}

fn shown(kind: &Value) -> Map<String, Value> {
    let mut shown = Map::new();
    // A kickoff is a member's own object.
    for from in [kind, &kind["kickoff"]] {
        for name in SHOWN {
            let value = match &from[*name] {
                Value::String(text) => Value::from(Text::bounded(text, MOST_TEXT).as_str()),
                Value::Number(n) => Value::Number(n.clone()),
                _ => continue,
            };
            shown.insert((*name).to_owned(), value);
        }
    }
    if let Some(target) = kind["target"]["identity"].as_str() {
        shown.insert("agent_identity".to_owned(), Text::bounded(target, MOST_TEXT).as_str().into());
    }
    shown
}

fn read_kind(name: &str, kind: &Value) -> Kind {
    let text = |name: &str| kind[name].as_str().map(|text| Text::bounded(text, MOST_TEXT)).unwrap_or_default();
    let identity = || text("agent_identity");
    let number = |name: &str| kind[name].as_i64();
    match name {
        "mob_created" => Kind::Created,
        "member_spawned" => Kind::Spawned {
            identity: identity(),
            role: text("role"),
            generation: number("generation").unwrap_or(0),
            fence: number("fence_token"),
        },
        "member_reset" => Kind::Reset {
            identity: identity(),
            generation: number("new_generation").unwrap_or(0),
            fence: number("fence_token"),
        },
        "member_retirement_started" => Kind::RetirementStarted { identity: identity() },
        "member_retired" => Kind::Retired { identity: identity() },
        "member_kickoff_updated" => {
            let kickoff = &kind["kickoff"];
            let word = |name: &str| kickoff[name].as_str().map(|text| Text::bounded(text, MOST_TEXT));
            Kind::Kickoff { identity: text("member"), phase: word("phase").unwrap_or_default(), error: word("error") }
        }
        "placed_completion_lifecycle_quiesce_started" if kind["intent"] == "Stop" => Kind::StopStarted,
        "placed_completion_lifecycle_quiesce_ended" if kind["intent"] == "Stop" => Kind::StopEnded,
        "mob_stopped" => Kind::Stopped,
        "mob_completed" => Kind::Completed,
        "mob_reset" => Kind::Restarted,
        "step_dispatched" => Kind::Dispatched {
            run: text("run_id"),
            step: text("step_id"),
            identity: kind["target"]["identity"]
                .as_str()
                .map(|text| Text::bounded(text, MOST_TEXT))
                .unwrap_or_default(),
        },
        "flow_failed" => Kind::FlowFailed {
            run: text("run_id"),
            flow: text("flow_id"),
            cause: text("cause"),
            reason: text("reason"),
        },
        "supervisor_escalation" => {
            Kind::Escalated { run: text("run_id"), step: text("step_id"), to: text("escalated_to") }
        }
        "topology_violation" => Kind::TopologyViolated { from: text("from_role"), to: text("to_role") },
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAWNED: &str = r#"{"schema_version":9,"event":{"cursor":2,"timestamp":"2026-11-25T22:44:28.6Z","mob_id":"atlas",
        "kind":{"type":"member_spawned","agent_identity":"lead-1","role":"lead","generation":0,"fence_token":1,
        "member_peer_endpoint":{"pubkey":"SECRET"},"kickoff_prompt":"SECRET","bridge_member_ref":{"x":"SECRET"}}}}"#;

    #[test]
    fn a_spawn_is_a_seat_and_nothing_private_leaves() {
        let event = Event::read(7, SPAWNED).unwrap();
        assert_eq!(
            event.kind,
            Kind::Spawned { identity: "lead-1".into(), role: "lead".into(), generation: 0, fence: Some(1) }
        );
        let entry = event.entry("atlas", 7, &"team".into());
        assert_eq!((entry.operation_id.raw(), entry.agent_id.raw()), ("atlas#7", "atlas/lead-1"));
        assert!(!format!("{event:?}{entry:?}").contains("SECRET"));
    }

    #[test]
    fn another_version_is_shown_and_not_understood() {
        let event = Event::read(7, &SPAWNED.replace("\"schema_version\":9", "\"schema_version\":12")).unwrap();
        assert_eq!((event.kind, event.version, event.name.raw()), (Kind::Other, Version::Unknown, "member_spawned"));
    }

    proptest! {
        #[test]
        fn anything_is_an_event_or_none(text in ".{0,200}", cursor in any::<i64>(), at in 0usize..300, byte in any::<char>()) {
            let _ = Event::read(cursor, &text);
            let mut bent: String = SPAWNED.chars().take(at).collect();
            bent.push(byte);
            bent.extend(SPAWNED.chars().skip(at + 1));
            let _ = Event::read(cursor, &bent).map(|event| event.entry("m", cursor, &"r".into()));
        }
    }
}
