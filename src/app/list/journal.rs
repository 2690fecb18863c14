//! The journal: what operators did from here, or tried to.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::Role;
use crate::model::journal::Entry;
use crate::model::text::Text;
use crate::model::time::short;

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
    columns: &[
        Column {
            field: "age",
            title: "AGE",
            width: (7, 8),
            right: true,
            rank: 0,
            descending: true,
            cell: |e, now| Cell::plain(short(now - e.at_ms)),
            sort: |e| Sort::Number(e.at_ms),
        },
        Column {
            field: "outcome",
            title: "OUTCOME",
            width: (11, 11),
            right: false,
            rank: 0,
            descending: false,
            cell: |e, _| outcome(e),
            sort: |e| e.verdict.map_or(Sort::Unknown, |v| Sort::Number(v as i64)),
        },
        Column {
            field: "what",
            title: "WHAT",
            width: (40, 90),
            right: false,
            rank: 0,
            descending: false,
            cell: |e, _| Cell::plain(e.action.summary()),
            sort: |e| Sort::Text(&e.id),
        },
        Column {
            field: "operator",
            title: "OPERATOR",
            width: (8, 16),
            right: false,
            rank: 1,
            descending: false,
            cell: |e, _| Cell::plain(Text::new(&e.operator)),
            sort: |e| Sort::Text(&e.operator),
        },
        Column {
            field: "log",
            title: "OP-LOG",
            width: (7, 7),
            right: false,
            rank: 2,
            descending: false,
            cell: |e, _| logged(e),
            sort: |e| Sort::Number(i64::from(e.audited)),
        },
        Column {
            field: "place",
            title: "PLACE",
            width: (10, 24),
            right: false,
            rank: 3,
            descending: false,
            cell: |e, _| Cell::dim(Text::new(&e.source)),
            sort: |e| Sort::Text(&e.source),
        },
        Column {
            field: "reason",
            title: "REASON",
            width: (10, 60),
            right: false,
            rank: 4,
            descending: false,
            cell: |e, _| Cell::dim(Text::new(&e.reason)),
            sort: |e| Sort::Text(&e.reason),
        },
    ],
};

fn outcome(entry: &Entry) -> Cell {
    match entry.verdict {
        Some(verdict) => Cell::state(&verdict),
        None => Cell { at: None, text: "? open".into(), role: Role::Unknown },
    }
}

fn logged(entry: &Entry) -> Cell {
    match (entry.audited, entry.lacks_audit()) {
        (true, _) => Cell { at: None, text: "✓ yes".into(), role: Role::Healthy },
        (false, true) => Cell { at: None, text: "◐ later".into(), role: Role::Warn },
        (false, false) => Cell::dim("-"),
    }
}
