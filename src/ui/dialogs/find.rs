//! The finder: what was typed, and the things whose names fit it.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::popup;
use crate::app::find::Found;
use crate::app::mouse::Hit;
use crate::app::overlay::Overlay;
use crate::columns::role::Role;
use crate::model::text::{fit, scrub};
use crate::ui::Canvas;

/// Columns of a kind and of a state.
const KIND: usize = 8;
const STATE: usize = 16;

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let Some(Overlay::Find(finder)) = &canvas.app.overlay else { return };
    let (typed, cursor, selected) = (finder.input.value().to_owned(), finder.input.visual_cursor(), finder.selected);
    let found = finder.found.clone();
    let inside = popup(canvas, area, "find anything", 100, 24);
    if inside.height == 0 {
        return;
    }
    let loose = found.first().is_some_and(|first| first.matched.is_none());
    let note = if loose { "  nothing holds it as it stands: its letters in order" } else { "" };
    let line = Line::from(vec![
        canvas.span(" > ", Role::Accent),
        canvas.span(scrub(&typed).into_owned(), Role::Title),
        canvas.span(note, Role::Dim),
    ]);
    canvas.text(Rect { height: 1, ..inside }, vec![line]);
    let x = inside.x + 3 + u16::try_from(cursor).unwrap_or(0);
    canvas.frame.set_cursor_position((x.min(inside.right().saturating_sub(1)), inside.y));
    let height = usize::from(inside.height - 1).max(1);
    let offset = (selected + 1).saturating_sub(height);
    let mut lines = Vec::new();
    for (index, one) in found.iter().enumerate().skip(offset).take(height) {
        let base = if index == selected { canvas.style(Role::Selected) } else { Style::new() };
        let y = inside.y + 1 + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(inside.x, y, inside.width, 1, Hit::Entry(index));
        lines.push(line_of(canvas, one, usize::from(inside.width)).style(base));
    }
    if found.is_empty() {
        let text = if typed.trim().is_empty() {
            " nodes, locks, agents, tasks, messages, findings: type a part of a name"
        } else {
            " nothing of this name"
        };
        lines.push(Line::from(canvas.span(text, Role::Dim)));
    }
    canvas.text(Rect { y: inside.y + 1, height: inside.height - 1, ..inside }, lines);
}

fn line_of(canvas: &Canvas<'_, '_>, one: &Found, width: usize) -> Line<'static> {
    let workspace = &canvas.app.workspace;
    let of = if workspace.is_several() { format!(" {}", workspace.name(one.thing.1.mesh)) } else { String::new() };
    let room = width.saturating_sub(KIND + STATE + of.width() + 3);
    let mut spans = vec![canvas.span(format!(" {:<KIND$}", one.kind), Role::Dim)];
    let name = fit(&one.name, room).into_owned();
    // What matched stands out, where it is still there.
    let parts = one.matched.and_then(|(at, len)| {
        let whole = name == one.name;
        whole.then(|| {
            Some((name.get(..at)?.to_owned(), name.get(at..at + len)?.to_owned(), name.get(at + len..)?.to_owned()))
        })?
    });
    match parts {
        Some((before, matched, after)) => spans.extend([
            canvas.span(before, Role::Normal),
            canvas.span(matched, Role::Accent),
            canvas.span(after, Role::Normal),
        ]),
        None => spans.push(canvas.span(name.clone(), Role::Normal)),
    }
    spans.push(Span::raw(" ".repeat(room.saturating_sub(name.width()) + 1)));
    spans.push(canvas.span(format!("{:<STATE$}", fit(&one.state, STATE)), one.role));
    spans.push(canvas.span(of, Role::Dim));
    Line::from(spans)
}
