//! The wait-for graph as a tree: whoever blocks stands above those it blocks.

use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::graph::WaitRow;
use crate::model::time::short;

type Of = Column<WaitRow>;

/// Every blocker and every wait that is known.
pub static WAITS: Columns<WaitRow> =
    Columns {
        part: "waits",
        title: "WAITS",
        about: "Who waits for whom.",
        is_old: |_| false,
        all: &[
            Of::new("agent", Kind::Name, "The agent that waits or blocks.", |w, _| Value::name(w.agent()))
                .shown("agent", "AGENT", (16, 32), 0)
                .sorted(|w| Sort::Number(i64::from(w.order)))
                .drawn(|w, _| agent(w)),
            Of::new("state", Kind::State(&["deadlock", "waits", "blocks"]), "What it does.", |w, _| {
                Value::text(state(w).0)
            })
            .shown("state", "STATE", (12, 12), 0)
            .sorted(|w| Sort::Number(i64::from(w.deadlocked) * 2 + i64::from(w.waits())))
            .drawn(|w, _| {
                let (word, glyph, role) = state(w);
                Cell::new(format!("{glyph} {word}"), role)
            }),
            Of::new("waits_for", Kind::Name, "The lock that it waits for.", |w, _| {
                Value::Name(w.waits().then(|| &w.lock().lock.lock_key))
            })
            .or_null()
            .shown("for", "WAITS FOR, INFERRED", (20, 60), 0)
            .sorted(|w| Sort::Text(w.lock().lock.lock_key.raw()))
            .drawn(|w, _| if w.waits() { Cell::plain(w.lock().name()) } else { Cell::dim("-") }),
            Of::new("wait_ms", Kind::Span, "How long it waits.", |w, now| {
                Value::Span(w.since_ms().map(|since| now - since))
            })
            .shown("since", "WAITS", (7, 8), 0)
            .sorted(|w| Sort::since(w.since_ms()))
            .drawn(|w, now| w.since_ms().map_or_else(|| Cell::dim("-"), |at| Cell::plain(short(now - at)))),
            Of::new("direct", Kind::Count, "Agents that wait for it.", |w, _| Value::Count(Some(w.direct.into())))
                .shown("direct", "BLOCKS", (6, 7), 1),
            Of::new("total", Kind::Count, "Agents that it holds up, through others too.", |w, _| {
                Value::Count(Some(w.total.into()))
            })
            .shown("total", "IN ALL", (6, 7), 1),
            Of::new("evidence", Kind::Names, "What the wait is inferred from.", |w, _| Value::Names(w.evidence()))
                .shown("evidence", "EVIDENCE", (16, 60), 2)
                .sorted(|w| w.evidence().first().map_or(Sort::Unknown, |e| Sort::Text(e.raw())))
                .drawn(|w, _| Cell::dim(w.evidence().first().map(ToString::to_string).unwrap_or_default())),
        ],
    };

fn agent(w: &WaitRow) -> Cell {
    let branch =
        if w.depth == 0 { String::new() } else { format!("{}└ ", "  ".repeat((w.depth as usize - 1).min(12))) };
    Cell::plain(format!("{branch}agent {}", w.agent()))
}

fn state(w: &WaitRow) -> (&'static str, char, Role) {
    match (w.deadlocked, w.waits()) {
        (true, _) => ("deadlock", '✖', Role::Dead),
        (false, true) => ("waits", '◐', Role::Warn),
        (false, false) => ("blocks", '▲', Role::Alert),
    }
}
