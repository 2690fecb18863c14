//! A scrollbar in one column.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::columns::role::Role;
use crate::ui::Canvas;

/// Draws which part of `total` is seen.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, offset: usize, height: usize, total: usize) {
    if total <= height || area.height == 0 {
        return;
    }
    let rows = usize::from(area.height);
    let size = (rows * height / total).max(1);
    let most = total - height;
    let start = (rows - size) * offset.min(most) / most.max(1);
    let lines = (0..rows)
        .map(|row| {
            let on = (start..start + size).contains(&row);
            Line::from(canvas.span(if on { "█" } else { "│" }, Role::Dim))
        })
        .collect();
    canvas.text(area, lines);
}
