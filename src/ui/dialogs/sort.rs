//! The columns to sort by.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::popup;
use crate::app::mouse::Hit;
use crate::columns::role::Role;
use crate::ui::Canvas;

/// Draws the menu.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, selected: usize) {
    let columns = canvas.app.columns();
    let inside = popup(canvas, area, "sort by", 36, u16::try_from(columns.len() + 2).unwrap_or(u16::MAX));
    let table = canvas.app.table();
    let height = usize::from(inside.height).max(1);
    let offset = (selected + 1).saturating_sub(height);
    let mut lines = Vec::new();
    for (index, column) in columns.iter().enumerate().skip(offset).take(height) {
        let order = match (table.column == index, table.descending) {
            (false, _) => "",
            (true, true) => "↓ now",
            (true, false) => "↑ now",
        };
        let role = if index == selected { Role::Selected } else { Role::Normal };
        let y = inside.y + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(inside.x, y, inside.width, 1, Hit::Entry(index));
        lines.push(Line::from(canvas.span(format!(" {:<14} {:<10} {order:<6}", column.title, column.field), role)));
    }
    canvas.text(inside, lines);
}
