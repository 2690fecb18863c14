//! The op-log, oldest first, followed at its end.

use super::{Cell, Column, Items, Rows, Sort};
use crate::app::inspections;
use crate::app::role::{Role, State};
use crate::mesh::derive::chain::LogView;
use crate::model::source::Aspect;
use crate::model::time::short;

/// Every entry in the window.
pub static OPLOG: Rows<LogView> = Rows {
    items: |p| Items::Slice(&p.log),
    key: LogView::key,
    tie: |a, b| a.key().cmp(&b.key()),
    repo: |l| (!l.entry.repository_id.is_empty()).then_some(&l.entry.repository_id),
    inspect: inspections::log::inspect,
    aspect: Some(Aspect::Log),
    parts: &["agent_oplog", "convergence_op_log", "events"],
    caveat: |_| None,
    name_column: 2,
    first_sort: (0, false),
    follows: true,
    tree: false,
    columns: &[
        Column {
            field: "time",
            title: "TIME",
            width: (9, 9),
            right: false,
            rank: 0,
            descending: false,
            cell: |l, _| Cell::clock(l.at_ms),
            sort: |l| Sort::opt(l.at_ms),
        },
        Column {
            field: "age",
            title: "AGE",
            width: (7, 8),
            right: true,
            rank: 4,
            descending: false,
            cell: |l, now| l.at_ms.map_or_else(|| Cell::dim("?"), |ms| Cell::dim(short(now - ms))),
            sort: |l| Sort::opt(l.at_ms),
        },
        Column {
            field: "op",
            title: "OPERATION",
            width: (9, 14),
            right: false,
            rank: 1,
            descending: false,
            cell: |l, _| Cell::plain(&l.entry.operation_id),
            sort: |l| Sort::Number(l.entry.id),
        },
        Column {
            field: "agent",
            title: "AGENT",
            width: (5, 10),
            right: true,
            rank: 0,
            descending: false,
            cell: |l, _| Cell::plain(&l.entry.agent_id),
            sort: |l| Sort::id(&l.entry.agent_id),
        },
        Column {
            field: "kind",
            title: "KIND",
            width: (14, 20),
            right: false,
            rank: 0,
            descending: false,
            cell: |l, _| kind(l),
            sort: |l| Sort::Text(l.entry.kind.raw()),
        },
        Column {
            field: "what",
            title: "WHAT",
            width: (14, 90),
            right: false,
            rank: 0,
            descending: false,
            cell: |l, _| Cell::plain(detail(l)),
            sort: |l| Sort::Text(&l.entry.kind_json),
        },
        Column {
            field: "chain",
            title: "CHAIN",
            width: (5, 14),
            right: false,
            rank: 2,
            descending: true,
            cell: |l, _| Cell { at: None, text: format!("{} {}", l.chain.glyph(), l.chain), role: l.chain.role() },
            sort: |l| Sort::Number(l.chain as i64),
        },
        Column {
            field: "description",
            title: "DESCRIPTION",
            width: (12, 40),
            right: false,
            rank: 3,
            descending: false,
            cell: |l, _| Cell::dim(&l.entry.description),
            sort: |l| Sort::Text(l.entry.description.raw()),
        },
    ],
};

fn kind(l: &LogView) -> Cell {
    let kind = l.entry.kind.as_str();
    let role = match kind {
        "TaskFail" | "ConflictDetected" => Role::Alert,
        "ConflictDeferred" => Role::Warn,
        _ if l.entry.undone => Role::Dim,
        _ => Role::Normal,
    };
    let undone = if l.entry.undone { " (undone)" } else { "" };
    Cell { at: None, text: format!("{kind}{undone}"), role }
}

/// The fields of the kind, short: `src/a.rs agent 7`.
fn detail(l: &LogView) -> String {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_str(&l.entry.kind_json) else { return String::new() };
    let Some((_, serde_json::Value::Object(fields))) = map.into_iter().next() else { return String::new() };
    let word = |(name, value): (String, serde_json::Value)| match value {
        serde_json::Value::String(text) if matches!(name.as_str(), "path" | "label") => text,
        serde_json::Value::String(text) => format!("{name} {text}"),
        other => format!("{} {other}", name.trim_end_matches("_id")),
    };
    let joined = fields.into_iter().map(word).collect::<Vec<_>>().join("  ");
    crate::model::text::scrub(crate::model::text::truncate_bytes(&joined, 300)).into_owned()
}
