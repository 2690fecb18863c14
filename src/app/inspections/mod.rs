//! What the inspector says of each kind of thing, one file a kind.

pub mod agent;
pub mod attempt;
pub mod event;
pub mod finding;
pub mod group;
pub mod lock;
pub mod log;
pub mod message;
pub mod node;
pub mod past;
pub mod plan;
pub mod task;
pub mod wait;

use super::inspect::Inspection;
use super::view_id::ViewId;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::nodes::NodeView;
use crate::model::text::Text;
use crate::model::time::{Millis, short};

/// How many links of a kind are shown.
const MOST: usize = 50;

/// Says where facts are old.
fn as_of(page: &mut Inspection, as_of_ms: Option<Millis>, now: Millis) {
    if let Some(at) = as_of_ms {
        page.text(format!("OLD: as of {} ago; its source does not answer", short(now - at)), Role::Old);
    }
}

/// A link to a node, with how alive it is.
fn node_link(page: &mut Inspection, label: &str, node: &NodeView, now: Millis) {
    let seen = node.age_ms(now).map_or_else(|| "never seen".into(), |age| format!("seen {} ago", short(age)));
    let value = format!("{}  {} {}, {seen}", node.name(), node.staleness.glyph(), node.staleness);
    page.link(ViewId::Nodes, node.key.raw().to_owned(), label, value, node.staleness.role());
}

/// A link to the node that a name means in a repository.
fn named_node(
    page: &mut Inspection,
    snapshot: &Snapshot,
    label: &str,
    (name, repository_id): (&Text, &Text),
    now: Millis,
) {
    match snapshot.node_in(name, repository_id) {
        Some(node) => node_link(page, label, node, now),
        None => page.text(format!("{label}  {name}  not known as a node"), Role::Unknown),
    }
}

/// Links to messages that fit.
fn messages(
    page: &mut Inspection,
    snapshot: &Snapshot,
    heading: &str,
    now: Millis,
    fits: impl Fn(&crate::mesh::derive::messages::MessageView) -> bool,
) {
    let mut found: Vec<_> = snapshot.messages.iter().filter(|m| fits(m)).collect();
    found.sort_by_key(|m| (m.message.id, m.message.table));
    if found.is_empty() {
        return;
    }
    page.heading(format!("{heading} ({})", found.len()));
    for view in found.iter().rev().take(MOST) {
        let m = &view.message;
        let age = view.age_ms(now).map_or_else(|| "?".into(), short);
        let value = format!(
            "{} {} -> {}  {} {}, {age}",
            m.msg_type,
            m.sender_agent,
            m.receiver_agent,
            view.state.glyph(),
            view.state
        );
        page.link(ViewId::Messages, view.key(), format!("message {}", m.name()), value, view.state.role());
    }
    more(page, found.len());
}

/// Links to op-log entries that fit.
fn log_entries(
    page: &mut Inspection,
    snapshot: &Snapshot,
    heading: &str,
    now: Millis,
    fits: impl Fn(&crate::mesh::derive::chain::LogView) -> bool,
) {
    let found: Vec<_> = snapshot.log.iter().filter(|l| fits(l)).collect();
    if found.is_empty() {
        return;
    }
    page.heading(format!("{heading} ({})", found.len()));
    for view in found.iter().take(MOST) {
        let age = view.at_ms.map_or_else(|| "?".into(), |at| short(now - at));
        let value = format!("{} by agent {}, {age} ago", view.entry.kind, view.entry.agent_id);
        page.link(ViewId::Oplog, view.key(), view.entry.operation_id.to_string(), value, Role::Normal);
    }
    more(page, found.len());
}

/// Links to findings about a thing.
fn findings(page: &mut Inspection, snapshot: &Snapshot, fits: impl Fn(&crate::mesh::derive::finding::Subject) -> bool) {
    let found: Vec<_> = snapshot.findings.iter().filter(|f| fits(&f.subject)).collect();
    if found.is_empty() {
        return;
    }
    page.heading("Findings");
    for finding in found {
        let label = format!("{} {}", finding.severity.glyph(), finding.severity);
        page.link(ViewId::Findings, finding.key(), label, finding.sentence.to_string(), finding.severity.role());
    }
}

fn more(page: &mut Inspection, n: usize) {
    if n > MOST {
        page.text(format!("and {} more", n - MOST), Role::Dim);
    }
}
