//! Words that are read from across a room, in blocks of half a cell, or of a quarter where those are too wide.

use ratatui::layout::Rect;
use tui_big_text::{BigText, PixelSize};

use crate::columns::role::Role;
use crate::ui::Canvas;

/// Rows that big words take.
pub const HEIGHT: u16 = 4;

/// How wide a text would be at its largest that fits, in cells.
#[must_use]
pub fn width(text: &str, room: u16) -> u16 {
    cells(text, size(text, room))
}

/// How many letters have room at their smallest.
#[must_use]
pub fn most(room: u16) -> u16 {
    room / 4
}

/// Draws a text as large as it fits; what is beyond is cut.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, text: &str, role: Role) {
    let big = BigText::builder()
        .pixel_size(size(text, area.width))
        .style(canvas.style(role))
        .lines(vec![text.to_owned().into()])
        .build();
    canvas.frame.render_widget(big, Rect { height: area.height.min(HEIGHT), ..area });
}

/// Two half blocks stand one over the other; quarters stand side by side too.
fn size(text: &str, room: u16) -> PixelSize {
    if cells(text, PixelSize::HalfHeight) <= room { PixelSize::HalfHeight } else { PixelSize::Quadrant }
}

fn cells(text: &str, size: PixelSize) -> u16 {
    let each = if size == PixelSize::HalfHeight { 8 } else { 4 };
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX).saturating_mul(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_large_as_they_fit() {
        assert_eq!((width("OK", 40), width("OK", 10)), (16, 8));
        assert_eq!((width("", 10), width("OK", 0)), (0, 8));
    }
}
