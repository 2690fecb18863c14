//! The finder: what was typed, and the things whose names fit it.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{Choosing, choices, popup};
use crate::app::find::Found;
use crate::app::overlay::Overlay;
use crate::columns::role::Role;
use crate::model::text::fit;
use crate::ui::Canvas;

/// Columns of a kind and of a state.
const KIND: usize = 8;
const STATE: usize = 16;

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let Some(Overlay::Find(finder)) = &app.overlay else { return };
    let inside = popup(canvas, area, "find anything", 100, 24);
    let loose = finder.found.first().is_some_and(|first| first.matched.is_none());
    let none = if finder.input.value().trim().is_empty() {
        " nodes, locks, agents, tasks, messages, findings: type a part of a name"
    } else {
        " nothing of this name"
    };
    let note = if loose { "  nothing holds it as it stands: its letters in order" } else { "" };
    let choosing = Choosing { prompt: ">", input: &finder.input, note, selected: finder.selected, none };
    let width = usize::from(inside.width);
    choices(canvas, inside, &choosing, &finder.found, |canvas, one, _| line_of(canvas, one, width));
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
