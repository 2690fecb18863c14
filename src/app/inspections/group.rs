//! A group, one of its members or barriers, or another system's leader.

use super::{as_of, findings, named_node};
use crate::app::inspect::Inspection;
use crate::app::view_id::ViewId;
use crate::columns::role::State;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Subject;
use crate::mesh::derive::groups::{GroupRow, Part};
use crate::model::time::{Millis, short};

/// Everything about a row of the groups.
pub fn inspect(row: &GroupRow, snapshot: &Snapshot, now: Millis) -> Inspection {
    let part: &str = row.part.into();
    let mut page = Inspection::titled(format!("{part} {}", row.name));
    as_of(&mut page, row.as_of_ms, now);
    page.state("state", &row.state);
    page.field("group", &row.group);
    match (row.since_ms, row.is_since_floor) {
        (Some(at), true) => page.field("so for", format!("at least {}, seen by this console", short(now - at))),
        (at, _) => page.instant("so since", at, now),
    }
    if row.part == Part::Member {
        page.opt("term", row.term);
        page.opt("committed", row.committed);
        page.opt("applied", row.applied);
        page.opt("lag", row.lag);
        named_node(&mut page, snapshot, "node", (&row.name, &row.group), now);
    }
    page.opt("create revision", row.fence_token);
    if !row.remark.is_empty() {
        page.field("remark", &row.remark);
    }
    page.field("stated by", &row.source);
    let of_group: Vec<_> =
        snapshot.groups.iter().filter(|other| other.group == row.group && other.key() != row.key()).collect();
    if !of_group.is_empty() {
        page.heading("Of the same group");
        for other in of_group.iter().take(super::MOST) {
            let part: &str = other.part.into();
            let value = format!("{} {}  {}", other.state.glyph(), other.state, other.remark);
            page.link(ViewId::Groups, other.key(), format!("{part} {}", other.name), value, other.state.role());
        }
        super::more(&mut page, of_group.len());
    }
    findings(&mut page, snapshot, |subject| match subject {
        Subject::Node(key) => snapshot.node(key).is_some_and(|node| node.node_id == row.name),
        Subject::Source(name) => *name == row.source,
        _ => false,
    });
    page
}
