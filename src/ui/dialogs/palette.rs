//! The palette.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::popup;
use crate::app::mouse::Hit;
use crate::app::overlay::Overlay;
use crate::app::palette::entries;
use crate::columns::role::Role;
use crate::model::text::{fit, scrub};
use crate::ui::Canvas;

/// Draws what was typed, and what fits it.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let Some(Overlay::Palette { input, selected }) = &canvas.app.overlay else { return };
    let (typed, cursor, selected) = (input.value().to_owned(), input.visual_cursor(), *selected);
    let found = entries(canvas.app, &typed);
    let inside = popup(canvas, area, "commands", 76, 18);
    if inside.height == 0 {
        return;
    }
    let line = Line::from(vec![canvas.span(" : ", Role::Accent), canvas.span(scrub(&typed).into_owned(), Role::Title)]);
    canvas.text(Rect { height: 1, ..inside }, vec![line]);
    let x = inside.x + 3 + u16::try_from(cursor).unwrap_or(0);
    canvas.frame.set_cursor_position((x.min(inside.right().saturating_sub(1)), inside.y));
    let height = usize::from(inside.height - 1).max(1);
    let offset = (selected + 1).saturating_sub(height);
    let mut lines = Vec::new();
    for (index, entry) in found.iter().enumerate().skip(offset).take(height) {
        let base = if index == selected { canvas.style(Role::Selected) } else { ratatui::style::Style::new() };
        let y = inside.y + 1 + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(inside.x, y, inside.width, 1, Hit::Entry(index));
        let room = usize::from(inside.width).saturating_sub(34);
        lines.push(
            Line::from(vec![
                Span::styled(format!(" {:<20}", fit(&entry.name, 20)), canvas.style(Role::Normal).patch(base)),
                Span::styled(format!("{:<11} ", fit(&entry.keys, 11)), canvas.style(Role::Accent).patch(base)),
                Span::styled(fit(&entry.help, room).into_owned(), canvas.style(Role::Dim).patch(base)),
            ])
            .style(base),
        );
    }
    if found.is_empty() {
        lines.push(Line::from(canvas.span(" no command of this name", Role::Dim)));
    }
    canvas.text(Rect { y: inside.y + 1, height: inside.height - 1, ..inside }, lines);
}
