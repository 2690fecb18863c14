//! Findings.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::Role;
use crate::mesh::derive::finding::Finding;
use crate::model::time::{Millis, short};

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
    columns: &[
        Column {
            field: "severity",
            title: "SEVERITY",
            width: (10, 10),
            right: false,
            rank: 0,
            descending: true,
            cell: |f, _| Cell::state(&f.severity),
            sort: |f| Sort::Number(f.severity as i64),
        },
        Column {
            field: "what",
            title: "WHAT",
            width: (62, 200),
            right: false,
            rank: 0,
            descending: false,
            cell: |f, _| Cell::plain(&f.sentence),
            sort: |f| Sort::Text(f.sentence.raw()),
        },
        Column {
            field: "since",
            title: "SINCE",
            width: (6, 8),
            right: true,
            rank: 2,
            descending: true,
            cell: |f, now| f.life.as_ref().map_or(Cell::dim(""), |life| Cell::plain(short(now - life.raised_ms))),
            sort: |f| Sort::opt(f.life.as_ref().map(|life| -life.raised_ms)),
        },
        Column {
            field: "known",
            title: "ACKED BY",
            width: (8, 16),
            right: false,
            rank: 2,
            descending: false,
            cell: |f, now| known(f, now),
            sort: |f| f.acknowledged().map_or(Sort::Unknown, |known| Sort::Text(known.by.raw())),
        },
        Column {
            field: "subject",
            title: "SUBJECT",
            width: (7, 7),
            right: false,
            rank: 2,
            descending: false,
            cell: |f, _| Cell::dim(f.subject.kind()),
            sort: |f| Sort::Text(f.subject.kind()),
        },
        Column {
            field: "name",
            title: "NAME",
            width: (12, 24),
            right: false,
            rank: 3,
            descending: false,
            cell: |f, _| Cell::dim(&f.name),
            sort: |f| Sort::Text(f.name.raw()),
        },
        Column {
            field: "rule",
            title: "RULE",
            width: (12, 16),
            right: false,
            rank: 1,
            descending: false,
            cell: |f, _| Cell::dim(f.rule),
            sort: |f| Sort::Text(f.rule),
        },
    ],
};

/// Who said that it is known, and for how much longer that holds.
fn known(finding: &Finding, now: Millis) -> Cell {
    match finding.acknowledged() {
        None => Cell::dim(""),
        Some(known) => {
            let left = known.until_ms.map(|until| format!(" {}", short((until - now).max(0)))).unwrap_or_default();
            Cell { at: None, text: format!("{}{left}", known.by), role: Role::Accent }
        }
    }
}
