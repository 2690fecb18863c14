//! What lies over a view.

pub mod columns;
pub mod find;
pub mod help;
pub mod inspector;
pub mod own;
pub mod palette;
pub mod plan;
pub mod saved;
pub mod sort;

use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear};
use tui_input::Input;

use super::Canvas;
use crate::app::mouse::Hit;
use crate::columns::role::Role;
use crate::model::text::scrub;

/// A bordered box in the middle; answers its inside.
fn popup(canvas: &mut Canvas<'_, '_>, area: Rect, title: &str, width: u16, height: u16) -> Rect {
    let area = area.centered(Constraint::Length(width.min(area.width)), Constraint::Length(height.min(area.height)));
    canvas.frame.render_widget(Clear, area);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .style(canvas.palette.base())
        .border_style(canvas.style(Role::Dim))
        .title(canvas.span(format!(" {title} "), Role::Title));
    let inside = block.inner(area);
    canvas.frame.render_widget(block, area);
    // What lies under it is not to be clicked.
    canvas.layout.hits.clear();
    inside
}

/// What is typed to choose by, and which of the choices is selected.
struct Choosing<'a> {
    prompt: &'a str,
    input: &'a Input,
    /// Beside what is typed.
    note: &'a str,
    selected: usize,
    /// Stands where there is nothing to choose from.
    none: &'a str,
}

/// Draws what is typed, and below it the choices around the selected one.
fn choices<T>(
    canvas: &mut Canvas<'_, '_>,
    inside: Rect,
    choosing: &Choosing<'_>,
    all: &[T],
    line: impl Fn(&Canvas<'_, '_>, &T, Style) -> Line<'static>,
) {
    if inside.height == 0 {
        return;
    }
    let typed = Line::from(vec![
        canvas.span(format!(" {} ", choosing.prompt), Role::Accent),
        canvas.span(scrub(choosing.input.value()).into_owned(), Role::Title),
        canvas.span(choosing.note.to_owned(), Role::Dim),
    ]);
    canvas.text(Rect { height: 1, ..inside }, vec![typed]);
    let x = inside.x + 3 + u16::try_from(choosing.input.visual_cursor()).unwrap_or(0);
    canvas.frame.set_cursor_position((x.min(inside.right().saturating_sub(1)), inside.y));
    let height = usize::from(inside.height - 1).max(1);
    let offset = (choosing.selected + 1).saturating_sub(height);
    let mut lines = Vec::new();
    for (index, one) in all.iter().enumerate().skip(offset).take(height) {
        let base = if index == choosing.selected { canvas.style(Role::Selected) } else { Style::new() };
        let y = inside.y + 1 + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(inside.x, y, inside.width, 1, Hit::Entry(index));
        lines.push(line(canvas, one, base).style(base));
    }
    if all.is_empty() {
        lines.push(Line::from(canvas.span(choosing.none.to_owned(), Role::Dim)));
    }
    canvas.text(Rect { y: inside.y + 1, height: inside.height - 1, ..inside }, lines);
}
