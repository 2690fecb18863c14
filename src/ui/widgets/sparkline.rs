//! Bars, the newest value at the right.

use ratatui::layout::Rect;
use ratatui::widgets::{RenderDirection, Sparkline};

use crate::columns::role::Role;
use crate::ui::Canvas;

/// Levels that a bar has in each row.
const LEVELS: u64 = 8;

/// The highest of the values that have room, which all are scaled to.
#[must_use]
pub fn highest(values: &[u64], width: u16) -> u64 {
    values.iter().rev().take(usize::from(width)).copied().max().unwrap_or(0).max(1)
}

/// Draws the last values that have room. A value that is not zero is always seen.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, values: &[u64]) {
    let highest = highest(values, area.width);
    let least = highest.div_ceil(LEVELS * u64::from(area.height.max(1)));
    let bar = |value: &u64| if *value == 0 { 0 } else { (*value).max(least) };
    let data: Vec<u64> = values.iter().rev().take(usize::from(area.width)).map(bar).collect();
    let bars = Sparkline::default()
        .data(data)
        .max(highest)
        .direction(RenderDirection::RightToLeft)
        .style(canvas.style(Role::Accent));
    canvas.frame.render_widget(bars, area);
}
