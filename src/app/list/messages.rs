//! Messages of both tables and of inboxes.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::Role;
use crate::mesh::derive::messages::MessageView;
use crate::model::MessageTable;
use crate::model::source::Aspect;
use crate::model::time::Millis;

/// Every message known.
pub static MESSAGES: Rows<MessageView> = Rows {
    items: |p| Items::SharedSlab(&p.messages),
    key: MessageView::key,
    tie: |a, b| (a.message.id, a.message.table, &a.source).cmp(&(b.message.id, b.message.table, &b.source)),
    repo: |m| (!m.message.repository_id.is_empty()).then_some(&m.message.repository_id),
    inspect: inspections::message::inspect,
    aspect: Some(Aspect::Messages),
    parts: &["a2a_messages", "mesh_a2a_messages", "inbox", "events"],
    caveat: |_| None,
    name_column: 0,
    first_sort: (1, true),
    follows: false,
    tree: false,
    columns: &[
        Column {
            field: "id",
            title: "ID",
            width: (5, 10),
            right: true,
            rank: 0,
            descending: true,
            cell: |m, _| Cell::plain(m.message.name()),
            sort: |m| Sort::Number(m.message.id),
        },
        Column {
            field: "state",
            title: "STATE",
            width: (14, 14),
            right: false,
            rank: 0,
            descending: true,
            cell: |m, _| Cell::state_as_of(&m.state, m.as_of_ms.is_some()),
            sort: |m| Sort::Number(m.state as i64),
        },
        Column {
            field: "type",
            title: "TYPE",
            width: (14, 26),
            right: false,
            rank: 0,
            descending: false,
            cell: |m, _| Cell::plain(&m.message.msg_type),
            sort: |m| Sort::Text(m.message.msg_type.raw()),
        },
        Column {
            field: "from",
            title: "FROM",
            width: (5, 14),
            right: true,
            rank: 1,
            descending: false,
            cell: |m, _| Cell::plain(&m.message.sender_agent),
            sort: |m| Sort::id(&m.message.sender_agent),
        },
        Column {
            field: "to",
            title: "TO",
            width: (5, 14),
            right: true,
            rank: 0,
            descending: false,
            cell: |m, _| Cell::plain(&m.message.receiver_agent),
            sort: |m| Sort::id(&m.message.receiver_agent),
        },
        Column {
            field: "age",
            title: "AGE",
            width: (7, 8),
            right: true,
            rank: 0,
            descending: true,
            cell: |m, now| Cell::span(m.age_ms(now), m.as_of_ms.is_some()),
            sort: |m| Sort::opt(m.created_ms.map(|ms| -ms)),
        },
        Column {
            field: "priority",
            title: "PRIO",
            width: (8, 8),
            right: false,
            rank: 3,
            descending: true,
            cell: |m, _| priority(m),
            sort: |m| Sort::opt(m.message.priority),
        },
        Column {
            field: "tries",
            title: "TRIES",
            width: (5, 5),
            right: true,
            rank: 2,
            descending: true,
            cell: |m, _| tries(m),
            sort: |m| Sort::opt(m.message.delivery_attempts),
        },
        Column {
            field: "claim",
            title: "CLAIMED BY",
            width: (10, 22),
            right: false,
            rank: 4,
            descending: false,
            cell: claim,
            sort: |m| m.message.claim_owner.as_ref().map_or(Sort::Unknown, |o| Sort::Text(o.raw())),
        },
        Column {
            field: "table",
            title: "TABLE",
            width: (8, 17),
            right: false,
            rank: 5,
            descending: false,
            cell: |m, _| Cell::dim(m.message.table),
            sort: |m| Sort::Text(m.message.table.into()),
        },
        Column {
            field: "payload",
            title: "PAYLOAD",
            width: (16, 200),
            right: false,
            rank: 6,
            descending: false,
            cell: |m, _| {
                Cell::dim(crate::model::text::scrub(crate::model::text::truncate_bytes(&m.message.payload.head, 200)))
            },
            sort: |m| Sort::Text(&m.message.payload.head),
        },
    ],
};

/// `a2a_messages` counts 0 to 3; the control plane has a scale of its own.
fn priority(m: &MessageView) -> Cell {
    match (m.message.table, m.message.priority) {
        (MessageTable::A2a, Some(0)) => Cell::dim("low"),
        (MessageTable::A2a, Some(1)) => Cell::dim("normal"),
        (MessageTable::A2a, Some(2)) => Cell { at: None, text: "high".into(), role: Role::Accent },
        (MessageTable::A2a, Some(3)) => Cell { at: None, text: "critical".into(), role: Role::Alert },
        (_, n) => Cell::count(n),
    }
}

fn tries(m: &MessageView) -> Cell {
    match m.message.delivery_attempts {
        None => Cell::dim("-"),
        Some(n) if n >= 3 => Cell { at: None, text: n.to_string(), role: Role::Warn },
        n => Cell::count(n),
    }
}

fn claim(m: &MessageView, now: Millis) -> Cell {
    match &m.message.claim_owner {
        None => Cell::dim("-"),
        Some(owner) if m.is_claimed(now) => Cell::plain(owner),
        Some(owner) => Cell { at: None, text: format!("{owner} (lapsed)"), role: Role::Dim },
    }
}
