//! The columns of a view, to show, hide and order.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::popup;
use crate::app::mouse::Hit;
use crate::columns::role::Role;
use crate::ui::Canvas;

/// Draws the dialog.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, selected: usize) {
    let choices = canvas.app.column_choices();
    let inside = popup(canvas, area, "columns", 56, u16::try_from(choices.len() + 4).unwrap_or(u16::MAX));
    let height = usize::from(inside.height.saturating_sub(2)).max(1);
    let offset = (selected + 1).saturating_sub(height);
    let mut lines = Vec::new();
    for (index, (column, shown)) in choices.iter().enumerate().skip(offset).take(height) {
        let role = match (index == selected, shown) {
            (true, _) => Role::Selected,
            (false, true) => Role::Normal,
            (false, false) => Role::Dim,
        };
        let mark = if *shown { "×" } else { " " };
        let y = inside.y + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(inside.x, y, inside.width, 1, Hit::Entry(index));
        lines.push(Line::from(canvas.span(format!(" ({mark}) {:<16} {:<20}", column.title, column.field), role)));
    }
    canvas.text(inside, lines);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    canvas.text(foot, vec![Line::from(canvas.span(" space shows  J K move  r as at first  Enter closes", Role::Dim))]);
}
