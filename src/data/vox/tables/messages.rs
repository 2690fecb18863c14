//! The two message tables.

use super::Reading;
use crate::model::{Message, MessageTable};

/// `a2a_messages`.
pub const A2A: Reading<Message> = Reading {
    table: "a2a_messages",
    columns: &[
        ("id", ""),
        ("sender_agent", ""),
        ("receiver_agent", ""),
        ("msg_type", ""),
        ("payload", "substr(payload, 1, 16384)"),
        ("payload", "length(payload)"),
        ("priority", ""),
        ("thread_id", ""),
        ("acknowledged", ""),
        ("created_at", ""),
        ("repository_id", ""),
        ("claim_owner", ""),
        ("claim_until_ms", ""),
        ("delivery_attempts", ""),
        ("last_claim_error", ""),
        ("processed_at_ms", ""),
    ],
    row: |r| {
        Some(Message {
            table: MessageTable::A2a,
            id: r.int("id")?,
            sender_agent: r.text("sender_agent"),
            receiver_agent: r.text("receiver_agent"),
            msg_type: r.text("msg_type"),
            payload: r.payload(),
            priority: r.int("priority"),
            thread_id: r.opt_text("thread_id"),
            acknowledged: r.flag("acknowledged"),
            created_at_ms: r.datetime("created_at"),
            repository_id: r.text("repository_id"),
            claim_owner: r.opt_text("claim_owner"),
            claim_until_ms: r.millis("claim_until_ms"),
            delivery_attempts: r.int("delivery_attempts"),
            last_claim_error: r.opt_text("last_claim_error"),
            processed_at_ms: r.millis("processed_at_ms"),
            ..Default::default()
        })
    },
};

/// `mesh_a2a_messages`. Acknowledged rows keep their lease holder, which then means nothing.
pub const MESH: Reading<Message> = Reading {
    table: "mesh_a2a_messages",
    columns: &[
        ("id", ""),
        ("sender_agent_id", ""),
        ("receiver_agent_id", ""),
        ("message_type", ""),
        ("payload", "substr(payload, 1, 16384)"),
        ("payload", "length(payload)"),
        ("priority", ""),
        ("idempotency_key", ""),
        ("acknowledged", ""),
        ("created_at", ""),
        ("lease_holder_node_id", ""),
        ("lease_expires_unix_ms", ""),
        ("acked_at", ""),
    ],
    row: |r| {
        let mut message = Message {
            table: MessageTable::Mesh,
            id: r.int("id")?,
            sender_agent: r.text("sender_agent_id"),
            receiver_agent: r.text("receiver_agent_id"),
            msg_type: r.text("message_type"),
            payload: r.payload(),
            priority: r.int("priority"),
            idempotency_key: r.opt_text("idempotency_key"),
            acknowledged: r.flag("acknowledged"),
            created_at_ms: r.millis("created_at"),
            repository_id: crate::model::text::Text::default(),
            claim_owner: r.opt_text("lease_holder_node_id"),
            claim_until_ms: r.millis("lease_expires_unix_ms"),
            processed_at_ms: r.millis("acked_at"),
            ..Default::default()
        };
        if message.acknowledged {
            (message.claim_owner, message.claim_until_ms) = (None, None);
        }
        Some(message)
    },
};
