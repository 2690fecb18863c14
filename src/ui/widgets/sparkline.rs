//! A row of bars, the newest value at the right.

use ratatui::layout::Rect;
use ratatui::widgets::{RenderDirection, Sparkline};

use crate::columns::role::Role;
use crate::ui::Canvas;

/// Levels that a bar of one row has.
const LEVELS: u64 = 8;

/// Draws the last values that have room, scaled to the highest of them. A value that is not zero is always seen.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, values: &[u64]) {
    let shown = values.iter().rev().take(usize::from(area.width));
    let highest = shown.clone().copied().max().unwrap_or(0).max(1);
    let bar = |value: &u64| if *value == 0 { 0 } else { (*value).max(highest.div_ceil(LEVELS)) };
    let data: Vec<u64> = shown.map(bar).collect();
    let bars = Sparkline::default()
        .data(data)
        .max(highest)
        .direction(RenderDirection::RightToLeft)
        .style(canvas.style(Role::Accent));
    canvas.frame.render_widget(bars, Rect { height: area.height.min(1), ..area });
}
