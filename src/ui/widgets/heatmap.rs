//! Nodes at a glance: with their last minutes while they fit, by name while that does, one glyph each when there are many.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::app::history;
use crate::app::mouse::Hit;
use crate::app::overview::Panel;
use crate::app::view_id::ViewId;
use crate::app::workspace::Key;
use crate::columns::role::{Role, State};
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::staleness::Staleness;
use crate::model::text::fit;
use crate::model::time::short;
use crate::ui::Canvas;

/// Columns of a node with its last minutes, at least.
const STRIP: usize = 50;
/// Columns of a node with all of them.
const WHOLE: u16 = 92;
/// Rows of those, at most; more nodes are named.
const STRIPS: usize = 24;
/// Columns of a named node, the roomier first.
const NAMED: [usize; 2] = [24, 19];
/// Columns of its glyph, its age and what is between.
const BESIDE: usize = 11;

/// Rows that all nodes would take: with their last minutes, by name, or a glyph each.
#[must_use]
pub fn rows(nodes: usize, width: u16) -> u16 {
    let room = usize::from(width).saturating_sub(2).max(1);
    let strips = nodes.div_ceil((room / STRIP).max(1));
    let named = nodes.div_ceil((room / NAMED[0]).max(1));
    let rows = match (strips, named) {
        (..=STRIPS, _) => strips,
        (_, ..=8) => named,
        _ => nodes.div_ceil(room).max(3) + 3,
    };
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// Rows that they would take with all of their last minutes.
#[must_use]
pub fn roomy(nodes: usize, width: u16) -> u16 {
    let rows = nodes.div_ceil(usize::from(width / WHOLE).max(1));
    if rows > STRIPS { self::rows(nodes, width) } else { u16::try_from(rows).unwrap_or(u16::MAX) }
}

/// Draws the nodes of a mesh, the worst first.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, mesh: usize) {
    let workspace = &canvas.app.workspace;
    let Some(snapshot) = workspace.snapshot(mesh).cloned().filter(|_| area.height > 0) else { return };
    let (room, rows) = (usize::from(area.width) - 1, usize::from(area.height));
    let (all, worst) = (snapshot.nodes.len(), &snapshot.marked.worst);
    let whole = all == worst.len();
    let columns = all.div_ceil(rows).max((room / usize::from(WHOLE)).max(1));
    if whole && room / columns >= STRIP {
        named(canvas, area, mesh, worst, room / columns);
    } else if let Some(width) = NAMED.iter().find(|width| whole && all <= room / *width * rows) {
        named(canvas, area, mesh, worst, *width);
    } else {
        dense(canvas, area, mesh, worst, all);
    }
}

/// A glyph for each step of a node's last minutes: the more silent, the higher.
fn strip(canvas: &Canvas<'_, '_>, mesh: usize, node: &NodeView, width: usize) -> Vec<Span<'static>> {
    let steps =
        canvas.app.history(mesh).map(|history| history.of(&node.key, width.min(history::STEPS))).unwrap_or_default();
    let mut spans = vec![Span::raw(" ".repeat(width - steps.len()))];
    for alike in steps.chunk_by(|a, b| a == b) {
        let (glyph, role) = history::drawn(alike[0]);
        spans.push(canvas.span(glyph.to_string().repeat(alike.len()), role));
    }
    spans
}

fn named(canvas: &mut Canvas<'_, '_>, area: Rect, mesh: usize, nodes: &[Arc<NodeView>], cell: usize) {
    let now = canvas.app.shown_ms();
    let columns = (usize::from(area.width) - 1) / cell;
    let selected = selected(canvas, mesh);
    // What a name does not need shows the last minutes.
    let names = nodes.iter().map(|node| node.name().as_str().width()).max().unwrap_or(0);
    let names = if cell < STRIP { cell - BESIDE } else { names.clamp(8, 24) };
    let strips = cell - BESIDE - names;
    let mut lines = Vec::new();
    for (y, row) in (0u16..).zip(nodes.chunks(columns).take(usize::from(area.height))) {
        let mut spans = vec![Span::raw(" ")];
        for (x, node) in (0u16..).zip(row) {
            let is_here = selected.as_deref() == Some(node.key.raw());
            let base = if is_here { canvas.style(Role::Selected) } else { Style::new() };
            let age = node.age_ms(now).map_or_else(|| "?".into(), short);
            let old = if node.as_of_ms.is_some() { "~" } else { "" };
            let name = fit(node.name().as_str(), names).into_owned();
            let fill = " ".repeat(names.saturating_sub(name.width()));
            let role = if node.as_of_ms.is_some() { Role::Old } else { node.staleness.role() };
            // The healthy recede.
            let text = if role == Role::Healthy { Role::Normal } else { role };
            let glyph = canvas.span(format!("{} ", node.staleness.glyph()), role);
            let words = canvas.span(format!("{name}{fill} {age:>6}{old:<1} "), text);
            spans.extend([glyph, words].map(|span| span.patch_style(base)));
            if strips > 1 {
                spans.extend(strip(canvas, mesh, node, strips - 1));
                spans.push(Span::raw(" "));
            } else {
                spans.push(Span::raw(" ".repeat(strips)));
            }
            let width = u16::try_from(cell).unwrap_or(24);
            let key = Key::new(mesh, node.key.raw());
            let hit = Hit::Item(Panel::Nodes, ViewId::Nodes, key);
            canvas.layout.hits.add(area.x + 1 + x * width, area.y + y, width, 1, hit);
        }
        lines.push(Line::from(spans));
    }
    canvas.text(area, lines);
}

/// The node of a mesh that is selected on the overview.
fn selected(canvas: &Canvas<'_, '_>, mesh: usize) -> Option<String> {
    let app = canvas.app;
    let there = app.overview.panel == Panel::Nodes && !app.on_wall();
    let (_, key) = there.then(|| app.overview_thing()).flatten()?;
    (key.mesh == mesh).then_some(key.key)
}

/// The sick ones by name, and a field of all.
fn dense(canvas: &mut Canvas<'_, '_>, area: Rect, mesh: usize, nodes: &[Arc<NodeView>], all: usize) {
    let sick = nodes.iter().take_while(|node| node.staleness != Staleness::Healthy).count();
    let columns = (usize::from(area.width) - 1) / NAMED[0];
    let most = usize::from(area.height / 2);
    let rows = if columns == 0 { 0 } else { sick.div_ceil(columns).min(most) };
    let height = u16::try_from(rows).unwrap_or(0);
    if rows > 0 {
        named(canvas, Rect { height, ..area }, mesh, &nodes[..sick.min(rows * columns)], NAMED[0]);
    }
    field(canvas, Rect { y: area.y + height, height: area.height - height, ..area }, mesh, nodes, all);
}

fn field(canvas: &mut Canvas<'_, '_>, area: Rect, mesh: usize, nodes: &[Arc<NodeView>], all: usize) {
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
