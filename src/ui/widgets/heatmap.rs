//! Nodes at a glance: names while they fit, one glyph each when there are many, counts always.

use std::collections::BTreeMap;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::app::mouse::Hit;
use crate::app::role::{Role, State};
use crate::app::views::ViewId;
use crate::data::derive::nodes::NodeView;
use crate::data::derive::staleness::Staleness;
use crate::text::fit;
use crate::time::short;
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

/// Draws the nodes, the worst first.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, nodes: &[NodeView]) {
    if area.height == 0 {
        return;
    }
    let mut order: Vec<&NodeView> = nodes.iter().collect();
    order.sort_by_key(|n| (std::cmp::Reverse(rank(n.staleness)), n.node_id.clone()));
    canvas.text(Rect { height: 1, ..area }, vec![counts(canvas, nodes)]);
    let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let (room, rows) = (usize::from(body.width) - 1, usize::from(body.height));
    match NAMED.iter().find(|width| order.len() <= room / *width * rows) {
        Some(width) => named(canvas, body, &order, *width),
        None => dense(canvas, body, &order),
    }
}

fn rank(staleness: Staleness) -> u8 {
    match staleness {
        Staleness::Healthy => 0,
        Staleness::Unknown => 1,
        Staleness::Warn => 2,
        Staleness::Alert => 3,
        Staleness::Critical => 4,
        Staleness::Dead => 5,
    }
}

fn counts(canvas: &Canvas<'_, '_>, nodes: &[NodeView]) -> Line<'static> {
    let mut by_level: BTreeMap<u8, (Staleness, usize)> = BTreeMap::new();
    for node in nodes {
        by_level.entry(rank(node.staleness)).or_insert((node.staleness, 0)).1 += 1;
    }
    let mut spans = vec![canvas.span(" NODES ", Role::Title)];
    for (level, n) in by_level.values().rev() {
        spans.push(canvas.span(format!(" {} {n} {level} ", level.glyph()), level.role()));
    }
    if nodes.is_empty() {
        spans.push(canvas.span(" none known", Role::Dim));
    }
    Line::from(spans)
}

fn named(canvas: &mut Canvas<'_, '_>, area: Rect, nodes: &[&NodeView], cell: usize) {
    let now = canvas.app.shown_ms();
    let columns = (usize::from(area.width) - 1) / cell;
    let mut lines = Vec::new();
    for (y, row) in (0u16..).zip(nodes.chunks(columns)) {
        let mut spans = vec![Span::raw(" ")];
        for (x, node) in (0u16..).zip(row) {
            let age = node.age_ms(now).map_or_else(|| "?".into(), short);
            let old = if node.as_of_ms.is_some() { "~" } else { "" };
            let name = fit(node.node_id.as_str(), cell - BESIDE).into_owned();
            let fill = " ".repeat((cell - BESIDE).saturating_sub(name.width()));
            let role = if node.as_of_ms.is_some() { Role::Old } else { node.staleness.role() };
            spans.push(canvas.span(format!("{} {name}{fill} {:>6}{old:<1} ", node.staleness.glyph(), age), role));
            let width = u16::try_from(cell).unwrap_or(24);
            let key = node.node_id.raw().to_owned();
            canvas.layout.hits.add(area.x + 1 + x * width, area.y + y, width, 1, Hit::Thing(ViewId::Nodes, key));
        }
        lines.push(Line::from(spans));
    }
    canvas.text(area, lines);
}

fn dense(canvas: &mut Canvas<'_, '_>, area: Rect, nodes: &[&NodeView]) {
    let width = usize::from(area.width).saturating_sub(2).max(1);
    let rows = usize::from(area.height);
    let mut lines = Vec::new();
    for (y, row) in (0u16..).zip(nodes.chunks(width).take(rows)) {
        let mut spans = vec![Span::raw(" ")];
        for (x, node) in (0u16..).zip(row) {
            // Healthy ones are quiet dots: a field in which the others stand out.
            let glyph = if node.staleness == Staleness::Healthy { '·' } else { node.staleness.glyph() };
            spans.push(canvas.span(glyph.to_string(), node.staleness.role()));
            let key = node.node_id.raw().to_owned();
            canvas.layout.hits.add(area.x + 1 + x, area.y + y, 1, 1, Hit::Thing(ViewId::Nodes, key));
        }
        lines.push(Line::from(spans));
    }
    let hidden = nodes.len().saturating_sub(width * rows);
    if hidden > 0
        && let Some(last) = lines.last_mut()
    {
        let note = format!(" and {hidden} more ");
        let keep = width.saturating_sub(note.width());
        let mut spans: Vec<Span<'static>> = last.spans.drain(..).take(keep).collect();
        spans.push(canvas.span(note, Role::Dim));
        *last = Line::from(spans);
    }
    canvas.text(area, lines);
}
