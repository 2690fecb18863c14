//! A backend that says the same with fewer bytes: what ticks each second stands in columns, a few cells away from one
//! another, and short steps lead there. Everything but drawing is left to crossterm.

use std::cell::Cell as Remembered;
use std::io::{self, Write};

use crossterm::style::{Attribute, Colors, Print, SetAttribute, SetColors};
use crossterm::{cursor, queue};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, IntoCrossterm, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// The most backspaces that are shorter than a step by number.
const BACKSPACES: u16 = 3;

/// What puts an attribute on, and what takes it off.
const ATTRIBUTES: [(Modifier, Attribute, Attribute); 9] = [
    (Modifier::BOLD, Attribute::Bold, Attribute::NormalIntensity),
    (Modifier::DIM, Attribute::Dim, Attribute::NormalIntensity),
    (Modifier::ITALIC, Attribute::Italic, Attribute::NoItalic),
    (Modifier::UNDERLINED, Attribute::Underlined, Attribute::NoUnderline),
    (Modifier::SLOW_BLINK, Attribute::SlowBlink, Attribute::NoBlink),
    (Modifier::RAPID_BLINK, Attribute::RapidBlink, Attribute::NoBlink),
    (Modifier::REVERSED, Attribute::Reverse, Attribute::NoReverse),
    (Modifier::HIDDEN, Attribute::Hidden, Attribute::NoHidden),
    (Modifier::CROSSED_OUT, Attribute::CrossedOut, Attribute::NotCrossedOut),
];

/// Draws with short steps.
#[derive(Debug)]
pub struct Thrift<W: Write> {
    inner: CrosstermBackend<W>,
    /// As the terminal said last; each frame begins with asking for it.
    width: Remembered<u16>,
}

impl<W: Write> Thrift<W> {
    pub fn new(writer: W) -> Self {
        Self { inner: CrosstermBackend::new(writer), width: Remembered::new(0) }
    }
}

impl<W: Write> Write for Thrift<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.inner)
    }
}

/// What the terminal is known to be at.
struct Pen {
    /// Where the next character goes, if that is certain.
    at: Option<Position>,
    colors: (Color, Color),
    modifier: Modifier,
}

impl<W: Write> Backend for Thrift<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut pen = Pen { at: None, colors: (Color::Reset, Color::Reset), modifier: Modifier::empty() };
        for (x, y, cell) in content {
            step(&mut self.inner, pen.at, Position { x, y })?;
            // Only of plain ASCII is it certain how far it moves the cursor; at the edge it does not.
            let plain = matches!(cell.symbol().as_bytes(), [b' '..=b'~']) && x + 1 < self.width.get();
            pen.at = plain.then_some(Position { x: x + 1, y });
            dress(&mut self.inner, &mut pen, cell)?;
            queue!(self.inner, Print(cell.symbol()))?;
        }
        if pen.modifier != Modifier::empty() || pen.colors != (Color::Reset, Color::Reset) {
            queue!(self.inner, SetAttribute(Attribute::Reset))?;
        }
        Ok(())
    }

    // Each frame says one of these: part of it, not a write of its own.
    fn hide_cursor(&mut self) -> io::Result<()> {
        queue!(self.inner, cursor::Hide)
    }
    fn show_cursor(&mut self) -> io::Result<()> {
        queue!(self.inner, cursor::Show)
    }
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }
    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        queue!(self.inner, cursor::MoveTo(x, y))
    }
    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }
    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.inner.clear_region(region)
    }
    fn size(&self) -> io::Result<Size> {
        let size = match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size::new(size.ws_col, size.ws_row),
            _ => self.inner.size()?,
        };
        self.width.set(size.width);
        Ok(size)
    }
    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }
    /// Nothing yet: a frame goes out in one piece, once its end is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Leads the cursor to a cell by the shortest way.
fn step(out: &mut impl Write, from: Option<Position>, to: Position) -> io::Result<()> {
    let Some(from) = from else { return queue!(out, cursor::MoveTo(to.x, to.y)) };
    if from.y > to.y {
        return queue!(out, cursor::MoveTo(to.x, to.y));
    }
    let down = to.y - from.y;
    if down > 0 && to.x == 0 {
        return queue!(out, cursor::MoveTo(to.x, to.y));
    }
    match down {
        0 => {}
        1 => out.write_all(b"\x1b[B")?,
        down => write!(out, "\x1b[{down}B")?,
    }
    match (i32::from(to.x) - i32::from(from.x), from.x.abs_diff(to.x)) {
        (0, _) => Ok(()),
        (1.., 1) => out.write_all(b"\x1b[C"),
        (1.., right) => write!(out, "\x1b[{right}C"),
        (_, left) if left <= BACKSPACES => out.write_all(&b"\x08\x08\x08"[..usize::from(left)]),
        (_, left) => write!(out, "\x1b[{left}D"),
    }
}

/// Puts on what a cell wears and the pen does not.
fn dress(out: &mut impl Write, pen: &mut Pen, cell: &Cell) -> io::Result<()> {
    if cell.modifier != pen.modifier {
        let mut worn = pen.modifier;
        for (modifier, _, off) in ATTRIBUTES {
            if (worn - cell.modifier).contains(modifier) {
                queue!(out, SetAttribute(off))?;
                worn.remove(modifier);
                if off == Attribute::NormalIntensity {
                    // Which takes both off.
                    worn.remove(Modifier::BOLD | Modifier::DIM);
                }
            }
        }
        for (modifier, on, _) in ATTRIBUTES {
            if (cell.modifier - worn).contains(modifier) {
                queue!(out, SetAttribute(on))?;
            }
        }
        pen.modifier = cell.modifier;
    }
    if (cell.fg, cell.bg) != pen.colors {
        let (fg, bg) = pen.colors;
        let colors = Colors {
            foreground: (cell.fg != fg).then(|| cell.fg.into_crossterm()),
            background: (cell.bg != bg).then(|| cell.bg.into_crossterm()),
        };
        queue!(out, SetColors(colors))?;
        pen.colors = (cell.fg, cell.bg);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn cells(n: u16) -> std::num::NonZeroU16 {
        std::num::NonZeroU16::new(n).unwrap()
    }

    const SIZE: (u16, u16) = (30, 8);

    fn cell() -> impl Strategy<Value = (u16, u16, &'static str, Color, Modifier)> {
        let symbol = prop::sample::select(vec!["a", "7", " ", "●", "é", "宽", "─"]);
        let color = prop::sample::select(vec![Color::Reset, Color::Red, Color::Indexed(245), Color::Rgb(1, 2, 3)]);
        let modifier = prop::sample::select(vec![
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::DIM,
            Modifier::BOLD | Modifier::REVERSED,
        ]);
        (0..SIZE.0, 0..SIZE.1, symbol, color, modifier)
    }

    fn buffer(cells: &[(u16, u16, &'static str, Color, Modifier)]) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        for (x, y, symbol, color, modifier) in cells {
            buffer.set_string(*x, *y, symbol, Style::new().fg(*color).add_modifier(*modifier));
        }
        buffer
    }

    /// A terminal 80 cells wide.
    fn terminal(out: &mut Vec<u8>) -> Thrift<&mut Vec<u8>> {
        let thrift = Thrift::new(out);
        thrift.width.set(80);
        thrift
    }

    proptest! {
        /// A terminal that obeys shows the same as with crossterm's own way of drawing.
        #[test]
        fn short_steps_lead_to_the_same_screen(frames in prop::collection::vec(prop::collection::vec(cell(), 0..40), 1..6)) {
            let (mut short, mut long) = (Vec::new(), Vec::new());
            let mut before = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
            let screen = || vt100::Parser::new(cells(SIZE.1), cells(SIZE.0), 0);
            let (mut on_short, mut on_long) = (screen(), screen());
            for frame in &frames {
                let now = buffer(frame);
                let changed = before.diff(&now);
                let thrift = &mut Thrift::new(&mut short);
                thrift.width.set(SIZE.0);
                thrift.draw(changed.iter().copied()).unwrap();
                CrosstermBackend::new(&mut long).draw(changed.iter().copied()).unwrap();
                before = now;
            }
            on_short.process(&short);
            on_long.process(&long);
            prop_assert_eq!(on_short.screen().contents_formatted(), on_long.screen().contents_formatted());
            prop_assert!(short.len() <= long.len(), "{} > {}", short.len(), long.len());
        }
    }

    #[test]
    fn what_ticks_in_a_column_costs_a_few_bytes_a_cell() {
        let cells: Vec<(u16, u16, Cell)> = (0..10).map(|y| (40, y, Cell::new("7"))).collect();
        let mut out = Vec::new();
        terminal(&mut out).draw(cells.iter().map(|(x, y, cell)| (*x, *y, cell))).unwrap();
        assert_eq!(out.len(), "\u{1b}[1;41H7".len() + 9 * "\u{1b}[B\u{8}7".len());
    }
}
