//! The bar of time, while the past is shown: where one is, and what happened around it.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::Canvas;
use crate::columns::role::Role;
use crate::model::mark::MarkKind;
use crate::model::text::fit;
use crate::model::time::clock_face;

/// Draws two lines: where one is, and the bar.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let Some(past) = app.past().filter(|_| area.height > 0) else { return };
    let width = usize::from(area.width);
    let title = if app.options.replay { " RECORDING " } else { " PAST " };
    let label = app.past_label();
    let keys = if app.options.replay { "" } else { "  N now" };
    let here =
        past.here().map(|mark| format!("  {} {}: {}", glyph(mark.kind).0, mark.kind, mark.text)).unwrap_or_default();
    let room = width.saturating_sub(title.width() + label.width() + keys.width() + 2);
    let told = fit(&here, room).into_owned();
    let gap = " ".repeat(width.saturating_sub(title.width() + label.width() + told.width() + keys.width() + 1));
    let first = Line::from(vec![
        canvas.span(title, Role::Selected),
        canvas.span(format!(" {label}"), Role::Alert),
        canvas.span(told, Role::Normal),
        Span::raw(gap),
        canvas.span(keys, Role::Dim),
    ]);
    let offset = app.offset(past.at_ms);
    let (from, to) = (clock_face(past.from_ms, offset), clock_face(past.to_ms, offset));
    let cells = width.saturating_sub(from.width() + to.width() + 4);
    let mut bar: Vec<(char, Role)> = vec![('─', Role::Dim); cells];
    // What weighs more is drawn over what weighs less.
    let mut marks: Vec<_> = past.marks.iter().map(|mark| (weight(mark.kind), mark)).collect();
    marks.sort_by_key(|(weight, _)| *weight);
    for (_, mark) in marks {
        if let Some(cell) = bar.get_mut(past.cell(mark.at_ms, cells)) {
            *cell = glyph(mark.kind);
        }
    }
    if let Some(cell) = bar.get_mut(past.cell(past.at_ms, cells)) {
        *cell = ('█', Role::Accent);
    }
    let mut spans = vec![canvas.span(format!(" {from} "), Role::Dim)];
    // One span for cells that look alike.
    for run in bar.chunk_by(|a, b| a.1 == b.1) {
        spans.push(canvas.span(run.iter().map(|(c, _)| c).collect::<String>(), run[0].1));
    }
    spans.push(canvas.span(format!(" {to}"), Role::Dim));
    canvas.text(area, vec![first, Line::from(spans)]);
}

fn glyph(kind: MarkKind) -> (char, Role) {
    match kind {
        MarkKind::Raised => ('▲', Role::Alert),
        MarkKind::Cleared => ('✓', Role::Healthy),
        MarkKind::Action => ('■', Role::Accent),
        MarkKind::Lost => ('✖', Role::Dead),
        MarkKind::Back => ('●', Role::Healthy),
    }
}

fn weight(kind: MarkKind) -> u8 {
    match kind {
        MarkKind::Cleared => 0,
        MarkKind::Back => 1,
        MarkKind::Raised => 2,
        MarkKind::Lost => 3,
        MarkKind::Action => 4,
    }
}
