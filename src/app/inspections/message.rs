//! A message.

use super::{as_of, findings, messages, node_link};
use crate::app::inspect::Inspection;
use crate::app::view_id::ViewId;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Subject;
use crate::mesh::derive::messages::MessageView;
use crate::model::Payload;
use crate::model::time::Millis;

/// Everything about a message.
pub fn inspect(view: &MessageView, snapshot: &Snapshot, now: Millis) -> Inspection {
    let m = &view.message;
    let mut page = Inspection::titled(format!("message {}", m.name()));
    as_of(&mut page, view.as_of_ms, now);
    page.state("state", &view.state);
    page.field("type", &m.msg_type);
    page.field("from agent", &m.sender_agent);
    page.field("to agent", &m.receiver_agent);
    page.instant("written", view.created_ms, now);
    page.opt("priority", m.priority);
    page.opt("delivery attempts", m.delivery_attempts);
    if let Some(error) = &m.last_claim_error {
        page.field("last error", error);
    }
    if let Some(owner) = &m.claim_owner {
        page.field("claimed by", owner);
        page.instant("claim until", view.claim_until_ms, now);
    }
    if m.processed_at_ms.is_some() {
        page.instant("processed", m.processed_at_ms, now);
    }
    page.opt("thread", m.thread_id.as_ref().or(m.idempotency_key.as_ref()));
    page.field("repository", &m.repository_id);
    page.field("read from", format!("{} in {}", m.table, view.source));
    page.heading("Payload");
    page.json(&m.payload.head);
    if m.payload.is_cut() {
        page.text(format!("cut after {} of {} characters", Payload::MAX, m.payload.full_len.unwrap_or(0)), Role::Dim);
    }
    findings(&mut page, snapshot, |subject| matches!(subject, Subject::Message(key) if *key == view.key()));
    if let Some(node) = snapshot.nodes.iter().find(|n| n.agents.contains(&m.receiver_agent)) {
        page.heading("Receiver");
        node_link(&mut page, "node", node, now);
    }
    if let Some(task) = snapshot.tasks.iter().find(|t| t.message.as_ref() == Some(&view.key())) {
        page.heading("Task");
        page.link(ViewId::Tasks, task.key(), format!("task {}", task.task), task.state.to_string(), Role::Normal);
    }
    if let Some(thread) = &m.thread_id {
        messages(&mut page, snapshot, "Thread", now, |other| {
            other.message.thread_id.as_ref() == Some(thread) && other.message.id != m.id
        });
    }
    page
}
