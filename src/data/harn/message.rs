//! A coordination message, as an event of a room carries it. All of it is outside data.

use serde_json::Value;

use super::event::Event;
use crate::model::text::Text;
use crate::model::time::{Millis, plausible};

/// The one schema that is read.
pub const SCHEMA: &str = "harn.coordination.message.v1";
/// Addressees of one message that are read.
const MOST_TO: usize = 64;
/// Most text that is kept of a body, in bytes.
const MOST_BODY: usize = 4_096;

/// Who says something.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Actor {
    /// What distinguishes it from others: session, worker, run, agent, task or root session, the first that is known.
    pub id: Text,
    /// What it calls itself.
    pub agent: Text,
}

/// The kinds of messages that the fleet is told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum FleetKind {
    Heartbeat,
    Claim,
    Ack,
    Done,
    Finding,
    Checkin,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct CoordMessage {
    pub id: String,
    pub topic: String,
    pub event_id: i64,
    pub room: Text,
    pub kind: String,
    pub from: Actor,
    /// Ids of those it is for; empty where it is for all.
    pub to: Vec<String>,
    /// Whether it is for a list. Harn compares an inbox with one address: such a message reaches none.
    pub to_list: bool,
    pub subject: String,
    pub body: String,
    pub data: Value,
    pub refs: Vec<String>,
    pub reply_to: Option<String>,
    pub thread_id: Option<String>,
    /// When the channel took it: the time that counts.
    pub at_ms: Millis,
}

impl CoordMessage {
    /// The message that an event carries, where it carries one, and says when.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let message = carried(&event.kind, &event.payload)?;
        if message.get("schema")?.as_str()? != SCHEMA {
            return None;
        }
        let word = |name: &str| message.get(name).and_then(Value::as_str);
        let id = word("id")?.to_owned();
        let stamped = event.payload["emitted_at"]["at_ms"].as_i64();
        let at_ms = stamped.into_iter().chain([event.occurred_at_ms]).find(|at| plausible(*at))?;
        Some(Self {
            topic: event.topic.clone(),
            event_id: event.event_id,
            room: Text::new(word("room").unwrap_or_default()),
            kind: word("kind").unwrap_or_default().to_owned(),
            from: actor(&message["from"], &id),
            to: addressees(&message["to"]),
            to_list: message["to"].is_array(),
            subject: word("subject").unwrap_or_default().to_owned(),
            body: crate::model::text::truncate_bytes(word("body").unwrap_or_default(), MOST_BODY).to_owned(),
            data: message.get("data").cloned().unwrap_or(Value::Null),
            refs: names(&message["refs"]),
            reply_to: word("reply_to").map(str::to_owned),
            thread_id: word("thread_id").map(str::to_owned),
            at_ms,
            id,
        })
    }

    /// Its data, where it is a message of the fleet that Harn's own projection takes: of this kind and schema, with every
    /// field of its type.
    #[must_use]
    pub fn fleet(&self, kind: FleetKind) -> Option<&Value> {
        let data = &self.data;
        let schema = format!("harn.fleet.{kind}.v1");
        let text = |name: &str| data[name].is_string();
        let whole = |name: &str| data[name].is_i64();
        let one_of = |name: &str, words: &[&str]| data[name].as_str().is_some_and(|word| words.contains(&word));
        let texts = |name: &str| data[name].as_array().is_some_and(|all| all.iter().all(Value::is_string));
        let fits = match kind {
            FleetKind::Heartbeat => {
                one_of("state", &["available", "busy", "waiting", "draining"])
                    && whole("lease_ms")
                    && whole("expected_silence_ms")
                    && texts("current_claim_ids")
                    && texts("resource_ids")
            }
            FleetKind::Claim => text("work_key") && data["requires_ack"].is_boolean() && whole("lease_ms"),
            FleetKind::Ack => text("target_id") && one_of("decision", &["accepted", "rejected", "needs_changes"]),
            FleetKind::Done => {
                text("claim_id") && text("work_key") && one_of("outcome", &["completed", "failed", "abandoned"])
            }
            FleetKind::Finding => {
                one_of("premise", &["confirmed", "overturned"])
                    && one_of("recommended_action", &["pause", "continue", "reroute"])
                    && data["requires_ack"].is_boolean()
            }
            FleetKind::Checkin => ["shipped", "grade", "next", "learnings"].into_iter().all(text),
        };
        (self.kind == kind.to_string() && data["schema"] == *schema && fits).then_some(data)
    }

    /// The resources that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let in_data =
            ["work_key", "resource_id", "resource"].into_iter().filter_map(|key| self.data.get(key)?.as_str());
        self.refs.iter().map(String::as_str).chain(in_data)
    }
}

/// The message inside an event: of a channel, or of the receipt that is all one sees of a room in memory.
fn carried<'a>(kind: &str, payload: &'a Value) -> Option<&'a Value> {
    match kind {
        "channel.emit" => payload.get("payload"),
        "channel_emit_receipt" => payload.get("payload").map(|inner| inner.get("payload").unwrap_or(inner)),
        _ => None,
    }
}

fn actor(from: &Value, message_id: &str) -> Actor {
    let word = |name: &str| from.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let known = ["session_id", "worker_id", "run_id", "agent", "task_id", "root_session_id"];
    let id = known.into_iter().find_map(word);
    let unknown = || format!("unknown:{message_id}");
    Actor {
        id: id.map_or_else(|| unknown().into(), Text::new),
        agent: Text::new(word("agent").or(id).unwrap_or_default()),
    }
}

/// A text, the texts of an object, or a list of either.
fn addressees(to: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match to {
        Value::String(name) => found.push(name.clone()),
        Value::Object(address) => found.extend(address.values().filter_map(|v| v.as_str().map(str::to_owned))),
        Value::Array(all) => {
            for one in all.iter().take(MOST_TO).filter(|one| !one.is_array()) {
                found.extend(addressees(one));
            }
        }
        _ => {}
    }
    found.truncate(MOST_TO);
    found.retain(|name| !name.is_empty());
    found
}

fn names(list: &Value) -> Vec<String> {
    let one = |item: &Value| {
        let named = ["path", "resource", "id", "ref"].into_iter().find_map(|key| item.get(key)?.as_str());
        item.as_str().or(named).map(str::to_owned)
    };
    list.as_array().into_iter().flatten().take(MOST_TO).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(message: Value) -> Event {
        Event {
            topic: "channels.tenant.default.coord.workspace.w.ops".into(),
            event_id: 3,
            kind: "channel.emit".into(),
            payload: json!({"payload": message, "emitted_at": {"at_ms": 42}}),
            headers: serde_json::Map::new(),
            occurred_at_ms: 41,
        }
    }

    #[rstest::rstest]
    #[case(json!({"session_id": "s", "worker_id": "w", "agent": "a"}), "s", "a")]
    #[case(json!({"session_id": "", "worker_id": "w"}), "w", "w")]
    #[case(json!({"agent": "a", "task_id": "t"}), "a", "a")]
    #[case(json!({"task_id": "t"}), "t", "t")]
    #[case(json!({"root_session_id": "r"}), "r", "r")]
    #[case(json!(null), "unknown:m", "")]
    fn who_says_it(#[case] from: Value, #[case] id: &str, #[case] agent: &str) {
        let msg = CoordMessage::of(&event(json!({"schema": SCHEMA, "id": "m", "from": from}))).unwrap();
        assert_eq!((msg.from.id.raw(), msg.from.agent.raw()), (id, agent));
        assert_eq!(msg.at_ms, 42);
    }

    #[rstest::rstest]
    #[case(json!("b"), &["b"])]
    #[case(json!({"agent": "b", "session_id": "s"}), &["b", "s"])]
    #[case(json!(["a", {"agent": "b"}, 5, ["no"]]), &["a", "b"])]
    #[case(json!(7), &[])]
    fn whom_it_is_for(#[case] to: Value, #[case] expected: &[&str]) {
        let mut found = CoordMessage::of(&event(json!({"schema": SCHEMA, "id": "m", "to": to}))).unwrap().to;
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_message_is_none() {
        for odd in [json!(null), json!({"id": "m"}), json!({"schema": "other", "id": "m"}), json!({"schema": SCHEMA})] {
            assert_eq!(CoordMessage::of(&event(odd)), None);
        }
    }
}
