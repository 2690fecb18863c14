//! Words that are read from across a room, in blocks of half a cell, or of a quarter where those are too wide.

use font8x8::UnicodeFonts;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::columns::role::Role;
use crate::ui::Canvas;

/// Rows that big words take.
pub const HEIGHT: u16 = 4;

/// How wide a character is: two half blocks stand one over the other, quarters side by side too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Half,
    Quarter,
}

/// How wide a text would be at its largest that fits, in cells.
#[must_use]
pub fn width(text: &str, room: u16) -> u16 {
    cells(text, size(text, room))
}

/// Draws a text as large as it fits; what is beyond is cut.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, text: &str, role: Role) {
    let size = size(text, area.width);
    let style = canvas.style(role);
    let lines = rows(text, size).into_iter().map(|row| Line::styled(row, style)).collect();
    canvas.text(Rect { height: area.height.min(HEIGHT), ..area }, lines);
}

fn size(text: &str, room: u16) -> Size {
    if cells(text, Size::Half) <= room { Size::Half } else { Size::Quarter }
}

fn cells(text: &str, size: Size) -> u16 {
    let each = if size == Size::Half { 8 } else { 4 };
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX).saturating_mul(each)
}

fn rows(text: &str, size: Size) -> Vec<String> {
    let bitmap = |c: char| font8x8::BASIC_FONTS.get(c).unwrap_or_default();
    let letters: Vec<[u8; 8]> = text.chars().map(bitmap).collect();
    let lit = |letter: &[u8; 8], x: usize, y: usize| letter[y] >> x & 1 == 1;
    let row = |y: usize| {
        let of_letter = |letter: &[u8; 8]| match size {
            Size::Half => (0..8).map(|x| half(lit(letter, x, 2 * y), lit(letter, x, 2 * y + 1))).collect::<String>(),
            Size::Quarter => (0..4)
                .map(|x| {
                    let at = |dx: usize, dy: usize| usize::from(lit(letter, 2 * x + dx, 2 * y + dy));
                    QUARTERS[at(0, 0) | at(1, 0) << 1 | at(0, 1) << 2 | at(1, 1) << 3]
                })
                .collect(),
        };
        letters.iter().map(of_letter).collect()
    };
    (0..usize::from(HEIGHT)).map(row).collect()
}

fn half(above: bool, below: bool) -> char {
    match (above, below) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

/// By their bits: upper left, upper right, lower left, lower right.
const QUARTERS: [char; 16] = [' ', '▘', '▝', '▀', '▖', '▌', '▞', '▛', '▗', '▚', '▐', '▜', '▄', '▙', '▟', '█'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_large_as_they_fit() {
        assert_eq!((width("OK", 40), width("OK", 10)), (16, 8));
        assert_eq!(rows("1", Size::Half), [" ▄██    ", "  ██    ", "  ██    ", "▀▀▀▀▀▀  "].map(|row| row.to_owned()));
        assert!(rows("1", Size::Quarter).iter().all(|row| row.chars().count() == 4));
        assert_eq!(rows("\u{1b}", Size::Half).concat().trim(), "", "what has no picture has none");
    }
}
