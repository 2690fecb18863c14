//! Messages of every table and inbox.

use strum::VariantNames as _;

use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::messages::{MessageState, MessageView};
use crate::model::MessageTable;
use crate::model::text::{scrub, truncate_bytes};
use crate::model::time::Millis;

type Of = Column<MessageView>;

/// Every message.
pub static MESSAGES: Columns<MessageView> = Columns {
    part: "messages",
    title: "MESSAGES",
    about: "Messages between agents: those that are open, and the latest that are not.",
    is_old: |m| m.as_of_ms.is_some(),
    all: &[
        Of::new("id", Kind::Count, "Its number in its table.", |m, _| Value::Count(Some(m.message.id)))
            .always()
            .shown("id", "ID", (5, 10), 0)
            .drawn(|m, _| Cell::plain(m.message.name())),
        Of::new("state", Kind::State(MessageState::VARIANTS), "Its state.", |m, _| Value::state(&m.state)).shown(
            "state",
            "STATE",
            (14, 14),
            0,
        ),
        Of::new("msg_type", Kind::Name, "Its type.", |m, _| Value::name(&m.message.msg_type)).shown(
            "type",
            "TYPE",
            (14, 26),
            0,
        ),
        Of::new("sender_agent", Kind::Name, "Who sent it.", |m, _| Value::name(&m.message.sender_agent))
            .shown("from", "FROM", (5, 14), 1)
            .right()
            .sorted(|m| Sort::id(&m.message.sender_agent)),
        Of::new("receiver_agent", Kind::Name, "Who is to receive it.", |m, _| Value::name(&m.message.receiver_agent))
            .shown("to", "TO", (5, 14), 0)
            .right()
            .sorted(|m| Sort::id(&m.message.receiver_agent)),
        Of::new("age_ms", Kind::Span, "Since it was written.", |m, now| Value::Span(m.age_ms(now)))
            .shown("age", "AGE", (7, 8), 0)
            .sorted(|m| Sort::since(m.created_ms)),
        Of::new("priority", Kind::Count, "Its priority, on the scale of its table.", |m, _| {
            Value::Count(m.message.priority)
        })
        .shown("priority", "PRIO", (8, 8), 3)
        .left()
        .drawn(|m, _| priority(m)),
        Of::new("delivery_attempts", Kind::Count, "How often it was claimed.", |m, _| {
            Value::Count(m.message.delivery_attempts)
        })
        .shown("tries", "TRIES", (5, 5), 2)
        .drawn(|m, _| tries(m)),
        Of::new("claim_owner", Kind::Name, "Who claims it.", |m, _| Value::Name(m.message.claim_owner.as_ref()))
            .or_null()
            .shown("claim", "CLAIMED BY", (10, 22), 4)
            .drawn(claim),
        Of::new("table", Kind::Text, "Where its source keeps it.", |m, _| Value::text(<&str>::from(m.message.table)))
            .shown("table", "TABLE", (8, 17), 5)
            .dim(),
        Of::new("payload", Kind::Text, "Its body, at most 16 384 characters.", |m, _| {
            Value::text(&*m.message.payload.head)
        })
        .shown("payload", "PAYLOAD", (16, 200), 6)
        .drawn(|m, _| Cell::dim(scrub(truncate_bytes(&m.message.payload.head, 200))))
        .unlisted(),
        Of::new("payload_cut", Kind::Flag, "Whether the body goes on.", |m, _| {
            Value::Flag(Some(m.message.payload.is_cut()))
        })
        .always(),
        Of::new("label", Kind::Name, "What people call it where its number says nothing.", |m, _| {
            Value::Name(m.message.label.as_ref())
        })
        .or_null()
        .listed("LABEL"),
        Of::new("thread_id", Kind::Name, "Its thread.", |m, _| Value::Name(m.message.thread_id.as_ref())).or_null(),
        Of::new("acknowledged", Kind::Flag, "Whether its receiver acknowledged it.", |m, _| {
            Value::Flag(Some(m.message.acknowledged))
        })
        .always(),
        Of::new("created_at_ms", Kind::Instant, "When it was written, on its writer's clock.", |m, _| {
            Value::Instant(m.message.created_at_ms)
        }),
        Of::new("repository_id", Kind::Name, "Its repository.", |m, _| Value::name(&m.message.repository_id)),
        Of::new("claim_until_ms", Kind::Instant, "When the claim lapses, on its writer's clock.", |m, _| {
            Value::Instant(m.message.claim_until_ms)
        }),
        Of::new("last_claim_error", Kind::Name, "Why the last attempt failed.", |m, _| {
            Value::Name(m.message.last_claim_error.as_ref())
        })
        .or_null(),
        Of::new("processed_at_ms", Kind::Instant, "When it was processed, on its writer's clock.", |m, _| {
            Value::Instant(m.message.processed_at_ms)
        }),
        Of::new("source", Kind::Name, "The source that it was read from.", |m, _| Value::name(&m.source)),
        Of::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |m, _| Value::Instant(m.as_of_ms)),
    ],
};

/// `a2a_messages` counts 0 to 3; the control plane has a scale of its own.
fn priority(m: &MessageView) -> Cell {
    match (m.message.table, m.message.priority) {
        (MessageTable::A2a, Some(0)) => Cell::dim("low"),
        (MessageTable::A2a, Some(1)) => Cell::dim("normal"),
        (MessageTable::A2a, Some(2)) => Cell::new("high", Role::Accent),
        (MessageTable::A2a, Some(3)) => Cell::new("critical", Role::Alert),
        (_, n) => Cell::count(n),
    }
}

fn tries(m: &MessageView) -> Cell {
    match m.message.delivery_attempts {
        None => Cell::dim("-"),
        Some(n) if n >= 3 => Cell::new(n, Role::Warn),
        n => Cell::count(n),
    }
}

fn claim(m: &MessageView, now: Millis) -> Cell {
    match &m.message.claim_owner {
        None => Cell::dim("-"),
        Some(owner) if m.is_claimed(now) => Cell::plain(owner),
        Some(owner) => Cell::dim(format!("{owner} (lapsed)")),
    }
}
