//! Events: what became of findings, and who knew.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::model::event::Event;

/// The history of this mesh, as far as it is kept.
pub static EVENTS: Rows<Event> = Rows {
    items: |p| Items::Shared(&p.mesh.events),
    key: |e| format!("{}\u{1}{}\u{1}{}", e.at_ms, e.kind, e.key),
    tie: |a, b| (a.at_ms, &a.key, a.kind as u8).cmp(&(b.at_ms, &b.key, b.kind as u8)),
    repo: |_| None,
    inspect: inspections::event::inspect,
    aspect: None,
    parts: &[],
    caveat: |p| p.mesh.unkept.as_ref().map(|why| format!("not kept for later: {why}")),
    name_column: 3,
    first_sort: (0, true),
    follows: false,
    tree: false,
    columns: &columns::EVENTS,
};
