//! Nodes at a glance: names while they fit, one glyph each when there are many, counts always.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use strum::IntoEnumIterator;
use unicode_width::UnicodeWidthStr;

use crate::app::mouse::Hit;
use crate::app::view_id::ViewId;
use crate::app::workspace::Key;
use crate::columns::role::{Role, State};
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::staleness::Staleness;
use crate::model::text::fit;
use crate::model::time::short;
use crate::ui::Canvas;

/// Columns of a named node, the roomier first.
const NAMED: [usize; 2] = [24, 19];
/// Columns of its glyph, its age and what is between.
const BESIDE: usize = 11;

/// Rows that all nodes take, with the counts: named if that is little, else a glyph each.
#[must_use]
pub fn rows(nodes: usize, width: u16) -> u16 {
    let room = usize::from(width).saturating_sub(2).max(1);
    let named = nodes.div_ceil((room / NAMED[0]).max(1));
    let rows = if named <= 5 { named } else { nodes.div_ceil(room).max(3) };
    u16::try_from(rows + 1).unwrap_or(u16::MAX)
}

/// Draws the nodes of a mesh, the worst first.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, mesh: usize) {
    let workspace = &canvas.app.workspace;
    let Some(snapshot) = workspace.snapshot(mesh).filter(|_| area.height > 0) else { return };
    let of = if workspace.is_several() { format!(" NODES of {} ", workspace.name(mesh)) } else { " NODES ".to_owned() };
    canvas.text(Rect { height: 1, ..area }, vec![counts(canvas, of, &snapshot.counts.nodes)]);
    let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let (room, rows) = (usize::from(body.width) - 1, usize::from(body.height));
    let (all, worst) = (snapshot.nodes.len(), &snapshot.marked.worst);
    match NAMED.iter().find(|width| all <= room / *width * rows && all == worst.len()) {
        Some(width) => named(canvas, body, mesh, worst, *width),
        None => dense(canvas, body, mesh, worst, all),
    }
}

fn counts(canvas: &Canvas<'_, '_>, title: String, levels: &[usize; 6]) -> Line<'static> {
    let mut known: Vec<(Staleness, usize)> =
        Staleness::iter().map(|level| (level, levels[level as usize])).filter(|(_, n)| *n > 0).collect();
    known.sort_by_key(|(level, _)| std::cmp::Reverse(level.rank()));
    let mut spans = vec![canvas.span(title, Role::Title)];
    for (level, n) in &known {
        spans.push(canvas.span(format!(" {} {n} {level} ", level.glyph()), level.role()));
    }
    if known.is_empty() {
        spans.push(canvas.span(" none known", Role::Dim));
    }
    Line::from(spans)
}

fn named(canvas: &mut Canvas<'_, '_>, area: Rect, mesh: usize, nodes: &[Arc<NodeView>], cell: usize) {
    let now = canvas.app.shown_ms();
    let columns = (usize::from(area.width) - 1) / cell;
    let mut lines = Vec::new();
    for (y, row) in (0u16..).zip(nodes.chunks(columns)) {
        let mut spans = vec![Span::raw(" ")];
        for (x, node) in (0u16..).zip(row) {
            let age = node.age_ms(now).map_or_else(|| "?".into(), short);
            let old = if node.as_of_ms.is_some() { "~" } else { "" };
            let name = fit(node.name().as_str(), cell - BESIDE).into_owned();
            let fill = " ".repeat((cell - BESIDE).saturating_sub(name.width()));
            let role = if node.as_of_ms.is_some() { Role::Old } else { node.staleness.role() };
            spans.push(canvas.span(format!("{} {name}{fill} {:>6}{old:<1} ", node.staleness.glyph(), age), role));
            let width = u16::try_from(cell).unwrap_or(24);
            let key = Key::new(mesh, node.key.raw());
            canvas.layout.hits.add(area.x + 1 + x * width, area.y + y, width, 1, Hit::Thing(ViewId::Nodes, key));
        }
        lines.push(Line::from(spans));
    }
    canvas.text(area, lines);
}

fn dense(canvas: &mut Canvas<'_, '_>, area: Rect, mesh: usize, nodes: &[Arc<NodeView>], all: usize) {
    let width = usize::from(area.width).saturating_sub(2).max(1);
    let rows = usize::from(area.height);
    let mut lines = Vec::new();
    for (y, row) in (0u16..).zip(nodes.chunks(width).take(rows)) {
        let hidden = all.saturating_sub(width * rows);
        let note =
            if hidden > 0 && usize::from(y) + 1 == rows { format!(" and {hidden} more ") } else { String::new() };
        let row = &row[..row.len().min(width.saturating_sub(note.width()))];
        let mut spans = vec![Span::raw(" ")];
        for alike in row.chunk_by(|a, b| a.staleness == b.staleness) {
            let level = alike[0].staleness;
            // Healthy ones are quiet dots: a field in which the others stand out.
            let glyph = if level == Staleness::Healthy { '·' } else { level.glyph() };
            spans.push(canvas.span(glyph.to_string().repeat(alike.len()), level.role()));
        }
        for (x, i) in (0u16..).zip(0..row.len()) {
            let place = usize::from(y) * width + i;
            canvas.layout.hits.add(area.x + 1 + x, area.y + y, 1, 1, Hit::Node(mesh, place));
        }
        spans.push(canvas.span(note, Role::Dim));
        lines.push(Line::from(spans));
    }
    canvas.text(area, lines);
}
