//! Findings.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::finding::Finding;

/// Everything that is wrong.
pub static FINDINGS: Rows<Finding> = Rows {
    items: |p| Items::Shared(&p.findings),
    key: Finding::key,
    tie: |a, b| a.key().cmp(&b.key()),
    repo: |_| None,
    inspect: inspections::finding::inspect,
    aspect: None,
    parts: &[],
    caveat: |_| None,
    name_column: 1,
    first_sort: (0, true),
    follows: false,
    tree: false,
    columns: &columns::FINDINGS,
};
