//! A task.

use super::{findings, log_entries, named_node};
use crate::app::inspect::Inspection;
use crate::app::view_id::ViewId;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Subject;
use crate::mesh::derive::tasks::TaskView;
use crate::model::time::Millis;

/// Everything about a task.
pub fn inspect(task: &TaskView, snapshot: &Snapshot, now: Millis) -> Inspection {
    let mut page = Inspection::titled(format!("task {}", task.task));
    page.state("state", &task.state);
    page.instant("first heard of", task.since_ms, now);
    page.instant("last heard of", task.last_ms, now);
    page.field("repository", &task.repository_id);
    page.heading("Owner");
    page.opt("agent", task.owner_agent.as_ref());
    match &task.owner_node {
        Some(node) => named_node(&mut page, snapshot, "node", (node, &task.repository_id), now),
        None => page.text("on no node that is known", Role::Unknown),
    }
    page.heading("Evidence, oldest first");
    for evidence in &task.evidence {
        page.text(evidence.to_string(), Role::Normal);
    }
    for lease in snapshot.leases.iter().filter(|l| task.lease_id.as_ref() == Some(&l.lease.lease_id)) {
        page.heading(format!("Lease {}", lease.lease.lease_id));
        page.field("scope", &lease.lease.scope_key);
        page.field("in force", if lease.in_force { "yes" } else { "no" });
        page.field("authority", if lease.lease.authoritative { "control plane" } else { "a database row: a hint" });
        page.instant("runs out", lease.expires_ms, now);
    }
    findings(&mut page, snapshot, |subject| matches!(subject, Subject::Task(key) if *key == task.key()));
    if let Some(view) = snapshot.messages.iter().find(|m| task.message.as_ref() == Some(&m.key())) {
        page.heading("Carried by");
        page.link(
            ViewId::Messages,
            view.key(),
            format!("message {}", view.message.name()),
            view.state.to_string(),
            Role::Normal,
        );
        page.json(&view.message.payload.head);
    }
    let mention = format!("\"task_id\":{}}}", task.task.raw());
    let open = format!("\"task_id\":{},", task.task.raw());
    log_entries(&mut page, snapshot, "Op-log", now, |l| {
        let json: String = l.entry.kind_json.chars().filter(|c| !c.is_whitespace()).collect();
        json.contains(&mention) || json.contains(&open)
    });
    page
}
