//! An op-log entry.

use super::{findings, node_link};
use crate::app::inspect::Inspection;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::chain::LogView;
use crate::mesh::derive::finding::Subject;
use crate::model::time::Millis;

/// Everything about an entry.
pub fn inspect(view: &LogView, snapshot: &Snapshot, now: Millis) -> Inspection {
    let entry = &view.entry;
    let mut page = Inspection::titled(format!("{} {}", entry.operation_id, entry.kind));
    page.instant("written", view.at_ms, now);
    page.field("agent", &entry.agent_id);
    page.field("description", &entry.description);
    page.opt("change", entry.change_id);
    page.opt("model", entry.model_id.as_ref());
    page.field("undone", if entry.undone { "yes" } else { "no" });
    page.field("repository", &entry.repository_id);
    page.field("read from", format!("{} row {} in {}", entry.table, entry.id, view.source));
    page.heading("Kind");
    page.json(&entry.kind_json);
    page.heading("Chain");
    page.state("chain", &view.chain);
    if !view.why.is_empty() {
        page.text(view.why, Role::Dim);
    }
    page.field("predecessor", entry.predecessor_hash.as_ref().map_or("none: the first of its process", |h| h.as_str()));
    page.text("the hash covers number, time and predecessor only, not the kind or the agent", Role::Dim);
    findings(&mut page, snapshot, |subject| matches!(subject, Subject::Log(key) if *key == view.key()));
    if let Some(node) = snapshot.nodes.iter().find(|n| n.agents.contains(&entry.agent_id)) {
        page.heading("Agent's node");
        node_link(&mut page, "node", node, now);
    }
    page
}
