//! Messages of both tables and of inboxes.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::messages::MessageView;
use crate::model::source::Aspect;

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
    columns: &columns::MESSAGES,
};
