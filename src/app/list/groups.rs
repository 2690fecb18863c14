//! Groups.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::groups::GroupRow;
use crate::model::source::Aspect;

/// Consensus groups with their members and barriers, and other systems' leaders.
pub static GROUPS: Rows<GroupRow> = Rows {
    items: |p| Items::Shared(&p.groups),
    key: GroupRow::key,
    tie: |a, b| (&a.group, a.part, &a.name).cmp(&(&b.group, b.part, &b.name)),
    repo: |g| (!g.repository_id.is_empty()).then_some(&g.repository_id),
    inspect: inspections::group::inspect,
    aspect: Some(Aspect::Members),
    parts: &["members", "barrier keys", "lock_leader"],
    caveat: |_| None,
    name_column: 1,
    first_sort: (0, false),
    follows: false,
    tree: false,
    columns: &columns::GROUPS,
};
