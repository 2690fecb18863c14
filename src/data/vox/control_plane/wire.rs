//! The control plane's JSON, read leniently: unknown fields are ignored, odd values become unknown.
//!
//! `jwe_payload` is secret and has no field here, so it is dropped as it is parsed.

use serde::Deserialize;
use serde_json::Value;

use crate::model::copies;
use crate::model::text::{Text, truncate_bytes};
use crate::model::time::{Millis, plausible};
use crate::model::{Lease, Message, MessageTable, Payload, QueueStats, RegistryNode};

/// `GET /v1/populi/nodes`.
#[derive(Deserialize)]
pub struct Nodes {
    pub nodes: Vec<Value>,
}

impl Nodes {
    /// The registry, as facts.
    #[must_use]
    pub fn into_facts(self) -> Vec<RegistryNode> {
        self.nodes.iter().filter(|node| node.is_object()).map(registry_node).collect()
    }
}

fn registry_node(node: &Value) -> RegistryNode {
    let labels = node["capabilities"]["labels"].as_array().into_iter().flatten().take(32);
    RegistryNode {
        node_id: text(&node["id"]),
        last_seen_ms: millis(&node["last_seen_unix_ms"]),
        version: text(&node["version"]),
        listen_addr: opt(&node["listen_addr"]),
        scope_id: opt(&node["scope_id"]),
        labels: labels.map(text).collect(),
        maintenance: node["maintenance"] == true,
        maintenance_until_ms: millis(&node["maintenance_until_unix_ms"]),
        quarantined: node["quarantined"] == true,
    }
}

/// `GET /v1/populi/exec/leases`.
#[derive(Deserialize)]
pub struct Leases {
    pub leases: Vec<Value>,
}

impl Leases {
    /// The leases in force, as facts.
    #[must_use]
    pub fn into_facts(self) -> Vec<Lease> {
        let lease = |lease: &Value| {
            let scope_key = text(&lease["scope_key"]);
            Lease {
                lease_id: text(&lease["lease_id"]),
                task_id: scope_key.raw().strip_prefix("task:").map(Text::new),
                scope_key,
                holder_node_id: text(&lease["holder_node_id"]),
                expires_at_ms: millis(&lease["expires_unix_ms"]),
                state: Text::new("granted"),
                authoritative: true,
                ..Default::default()
            }
        };
        self.leases.iter().filter(|l| l.is_object()).map(lease).collect()
    }
}

/// `GET /v1/populi/queue/stats`.
#[derive(Deserialize)]
pub struct Queue {
    pub pending_count: i64,
    #[serde(default)]
    pub pending_by_kind: serde_json::Map<String, Value>,
    #[serde(default)]
    pub pending_by_priority: serde_json::Map<String, Value>,
}

impl Queue {
    /// The figures, as facts.
    #[must_use]
    pub fn into_facts(self) -> QueueStats {
        let counts = |map: serde_json::Map<String, Value>| {
            map.into_iter().take(64).filter_map(|(k, v)| Some((Text::new(&k), v.as_i64()?))).collect()
        };
        QueueStats {
            pending_count: self.pending_count,
            pending_by_kind: counts(self.pending_by_kind),
            pending_by_priority: counts(self.pending_by_priority),
        }
    }
}

/// `POST /v1/populi/a2a/inbox`.
#[derive(Deserialize)]
pub struct Inbox {
    pub messages: Vec<Value>,
}

impl Inbox {
    /// The messages, as facts.
    #[must_use]
    pub fn into_facts(self) -> Vec<Message> {
        self.messages.iter().filter_map(message).collect()
    }
}

fn message(m: &Value) -> Option<Message> {
    let payload = m["payload"].as_str().unwrap_or_default();
    let acknowledged = m["acknowledged"] == true;
    Some(Message {
        table: MessageTable::Inbox,
        id: m["id"].as_i64()?,
        sender_agent: text(&m["sender_agent_id"]),
        receiver_agent: text(&m["receiver_agent_id"]),
        msg_type: text(&m["message_type"]),
        payload: Payload {
            head: truncate_bytes(payload, Payload::MAX).into(),
            full_len: i64::try_from(payload.chars().count()).ok(),
        },
        priority: m["priority"].as_i64(),
        idempotency_key: key_of(m).map(Text::new),
        acknowledged,
        created_at_ms: millis(&m["created_unix_ms"]),
        claim_owner: opt(&m["lease_holder_node_id"]).filter(|_| !acknowledged),
        claim_until_ms: millis(&m["lease_expires_unix_ms"]).filter(|_| !acknowledged),
        ..Default::default()
    })
}

/// The key that a message was delivered under. A server may keep it behind its sender and receiver.
#[must_use]
pub fn key_of(message: &Value) -> Option<&str> {
    let key = message["idempotency_key"].as_str().or_else(|| message["idempotency_dedupe_key"].as_str())?;
    Some(copies::bare(key))
}

fn text(value: &Value) -> Text {
    opt(value).unwrap_or_default()
}

fn opt(value: &Value) -> Option<Text> {
    match value {
        Value::String(s) => Some(Text::new(s)),
        Value::Number(n) => Some(Text::new(&n.to_string())),
        _ => None,
    }
}

fn millis(value: &Value) -> Option<Millis> {
    value.as_i64().filter(|&ms| plausible(ms))
}
