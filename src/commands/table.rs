//! A snapshot as plain tables, good enough to paste into a ticket: no colours, no control characters.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use crate::columns::PARTS;
use crate::commands::cli::SnapshotView;
use crate::mesh::derive::Snapshot;
use crate::model::time::utc;

/// The whole snapshot, or one part of it.
#[must_use]
pub fn snapshot(snapshot: &Snapshot, view: Option<SnapshotView>) -> String {
    let mut out = format!("mesh {} at {}\n", snapshot.mesh.name, utc(snapshot.at_ms));
    for part in PARTS.iter().filter(|part| view.is_none_or(|view| view.part() == part.name())) {
        let rows = part.plain(snapshot);
        match part.aspect().and_then(|aspect| snapshot.mesh.lacks(aspect)) {
            Some(lacking) if rows.is_empty() => _ = writeln!(out, "\n{} {lacking}", part.title()),
            _ => {
                let _ = writeln!(out, "\n{} ({})", part.title(), rows.len());
                write(&mut out, &part.titles(), &rows);
            }
        }
    }
    out
}

/// Writes rows below their titles.
pub(super) fn write(out: &mut String, titles: &[(&str, bool)], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let heads: Vec<String> = titles.iter().map(|(title, _)| (*title).to_owned()).collect();
    let width = |i: usize| rows.iter().chain([&heads]).map(|row| row[i].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for ((cell, width), (_, right)) in row.iter().zip(&widths).zip(titles) {
            let pad = " ".repeat(width - cell.width());
            let _ = if *right { write!(line, "{pad}{cell}  ") } else { write!(line, "{cell}{pad}  ") };
        }
        let _ = writeln!(out, "  {}", line.trim_end());
    }
}
