//! The journal: what operators did from here, or tried to.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::model::journal::Entry;

/// Every attempt of this mesh.
pub static JOURNAL: Rows<Entry> = Rows {
    items: |p| Items::Slice(&p.mesh.journal),
    key: |e| e.id.clone(),
    tie: |a, b| a.id.cmp(&b.id),
    repo: |_| None,
    inspect: inspections::attempt::inspect,
    aspect: None,
    parts: &[],
    caveat: |_| None,
    name_column: 2,
    first_sort: (0, true),
    follows: false,
    tree: false,
    columns: &columns::JOURNAL,
};
