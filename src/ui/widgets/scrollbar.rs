//! A scrollbar in one column.

use ratatui::layout::Rect;
use ratatui::widgets::{Scrollbar, ScrollbarOrientation, ScrollbarState};

use crate::columns::role::Role;
use crate::ui::Canvas;

/// Draws which part of `total` is seen; nothing where all of it is.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, offset: usize, height: usize, total: usize) {
    if total <= height {
        return;
    }
    let style = canvas.style(Role::Dim);
    let bar = Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(Some("│"))
        .thumb_symbol("█")
        .style(style);
    // The state counts positions: the last one shows the end.
    let mut state = ScrollbarState::new(total - height + 1).position(offset).viewport_content_length(height);
    canvas.frame.render_stateful_widget(bar, area, &mut state);
}
