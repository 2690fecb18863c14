//! A node.

use super::{MOST, as_of, findings, log_entries, messages, more};
use crate::app::inspect::Inspection;
use crate::app::view_id::ViewId;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Subject;
use crate::mesh::derive::messages::MessageState;
use crate::mesh::derive::nodes::NodeView;
use crate::model::RemarkKind;
use crate::model::time::{Millis, short};

/// Everything about a node.
pub fn inspect(node: &NodeView, snapshot: &Snapshot, now: Millis) -> Inspection {
    let mut page = Inspection::titled(format!("node {}", node.name()));
    as_of(&mut page, node.as_of_ms, now);
    page.state("staleness", &node.staleness);
    page.opt("missed windows", node.misses);
    if let Some(patience) = node.patience {
        let (silence, grace) = (short(patience.silence_ms), short(patience.grace_ms));
        page.field("by its own word", format!("a sign within {silence}; late for {grace}, then it does not answer"));
    }
    page.field("activity", &node.activity);
    page.field("agents", join(&node.agents));
    page.field("repositories", join(&node.repositories));
    page.heading("Signs of life");
    for signal in &node.signals {
        page.text(format!("{}: {} ago", signal.from, short(now - signal.seen_ms)), Role::Normal);
    }
    if node.signals.is_empty() {
        page.text("none with a readable time", Role::Unknown);
    }
    if let Some(skew) = node.skew_ms {
        page.text(format!("its clock is off by {skew} ms; ages are corrected for it"), Role::Warn);
    }
    for place in &node.missing_in {
        page.text(format!("not known to {place}"), Role::Warn);
    }
    let remarks = snapshot.mesh.sources.iter().flat_map(|source| source.facts.remarks.iter());
    for remark in remarks.filter(|remark| remark.node_id == node.node_id && remark.kind == RemarkKind::Checkin) {
        page.heading("Last check-in, by its own word");
        page.text(remark.summary.to_string(), Role::Normal);
        page.instant("written", remark.at_ms, now);
    }
    if let Some(record) = &node.registry {
        page.heading("Registry");
        page.field("version", &record.version);
        page.field("labels", join(&record.labels));
        page.opt("address", record.listen_addr.as_ref());
        page.field("quarantined", if record.quarantined { "yes" } else { "no" });
        page.field("maintenance", if record.maintenance { "yes" } else { "no" });
        if record.maintenance_until_ms.is_some() {
            page.instant("until", record.maintenance_until_ms, now);
        }
    }
    findings(&mut page, snapshot, |subject| matches!(subject, Subject::Node(key) if *key == node.key));
    let locks: Vec<_> = snapshot.holds().filter(|l| node.is_holder_of(&l.lock)).collect();
    if !locks.is_empty() {
        page.heading(format!("Locks and leases held ({})", locks.len()));
        for lock in locks.iter().take(MOST) {
            let waits = if lock.waiters.is_empty() { String::new() } else { format!(", {} wait", lock.waiters.len()) };
            let value = format!("{} {}{waits}", lock.state.glyph(), lock.state);
            page.link(ViewId::Locks, lock.key(), lock.name().to_string(), value, lock.state.role());
        }
        more(&mut page, locks.len());
    }
    let tasks: Vec<_> = snapshot.tasks.iter().filter(|t| t.owner_node.as_ref() == Some(&node.node_id)).collect();
    if !tasks.is_empty() {
        page.heading(format!("Tasks ({})", tasks.len()));
        for task in tasks.iter().take(MOST) {
            let value = format!("{} {}", task.state.glyph(), task.state);
            page.link(ViewId::Tasks, task.key(), format!("task {}", task.task), value, task.state.role());
        }
        more(&mut page, tasks.len());
    }
    messages(&mut page, snapshot, "Waiting for its agents", now, |m| {
        m.state != MessageState::Acknowledged && node.agents.contains(&m.message.receiver_agent)
    });
    log_entries(&mut page, snapshot, "Op-log of its agents", now, |l| node.agents.contains(&l.entry.agent_id));
    page
}

fn join(texts: &[crate::model::text::Text]) -> String {
    if texts.is_empty() { "-".into() } else { texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ") }
}
