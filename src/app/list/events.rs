//! Events: what became of findings, and who knew.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::State;
use crate::model::event::Event;
use crate::model::text::Text;
use crate::model::time::short;

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
            field: "event",
            title: "EVENT",
            width: (14, 14),
            right: false,
            rank: 0,
            descending: false,
            cell: |e, _| Cell::state(&e.kind),
            sort: |e| Sort::Text(e.kind.into()),
        },
        Column {
            field: "severity",
            title: "SEVERITY",
            width: (10, 10),
            right: false,
            rank: 1,
            descending: true,
            cell: |e, _| Cell::state(&e.severity),
            sort: |e| Sort::Number(e.severity as i64),
        },
        Column {
            field: "what",
            title: "WHAT",
            width: (40, 200),
            right: false,
            rank: 0,
            descending: false,
            cell: |e, _| Cell { at: None, text: Text::new(&e.sentence).to_string(), role: e.kind.role() },
            sort: |e| Sort::Text(&e.sentence),
        },
        Column {
            field: "by",
            title: "BY",
            width: (8, 16),
            right: false,
            rank: 2,
            descending: false,
            cell: |e, _| Cell::opt(e.by.as_deref().map(Text::new).as_ref()),
            sort: |e| Sort::Text(e.by.as_deref().unwrap_or_default()),
        },
        Column {
            field: "times",
            title: "TIMES",
            width: (5, 5),
            right: true,
            rank: 3,
            descending: true,
            cell: |e, _| Cell::count(i64::from(e.times)),
            sort: |e| Sort::Number(i64::from(e.times)),
        },
    ],
};
