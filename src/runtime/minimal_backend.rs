//! A backend that says the same with fewer bytes: what ticks each second stands in columns, a few cells away from one
//! another, and short steps lead there. Everything but drawing is left to crossterm.

use std::cell::Cell as Remembered;
use std::io::{self, Write};
use std::ops::Range;

use crossterm::style::{Attribute, Colors, Print, SetAttribute, SetColors};
use crossterm::{cursor, queue};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, IntoCrossterm, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// The most backspaces that are shorter than a step by number.
const BACKSPACES: u16 = 3;

/// The terminal's own colours.
const BARE: (Color, Color) = (Cell::EMPTY.fg, Cell::EMPTY.bg);

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

/// Frames that change more cells than this go out as they come: there the ways are short already.
const MOST_ORDERED: usize = 600;

/// Draws with short steps.
#[derive(Debug)]
pub struct MinimalBackend<W: Write> {
    inner: CrosstermBackend<W>,
    /// As the terminal said last; each frame begins with asking for it.
    width: Remembered<u16>,
    /// What stands on screen, row by row: for what joined letters spill over.
    shown: Vec<Vec<Cell>>,
}

impl<W: Write> MinimalBackend<W> {
    pub fn new(writer: W) -> Self {
        Self { inner: CrosstermBackend::new(writer), width: Remembered::new(0), shown: Vec::new() }
    }

    /// Takes over what is drawn. Answers where letters may be left of joined ones that were there.
    fn remember(&mut self, cells: &[(u16, u16, &Cell)]) -> Vec<Position> {
        let mut left = Vec::new();
        for &(x, y, cell) in cells {
            let beyond = x.saturating_add(columns(cell.symbol()).0);
            let row = self.shown.get(usize::from(y)).map_or(&[][..], Vec::as_slice);
            for at in x..beyond {
                if let Some(known) = row.get(usize::from(at)).filter(|known| is_doubtful(known.symbol())) {
                    let end = at.saturating_add(columns(known.symbol()).1);
                    left.extend((beyond..end).map(|x| Position { x, y }));
                }
            }
            let beyond = usize::from(beyond);
            let (x, y) = (usize::from(x), usize::from(y));
            if self.shown.len() <= y {
                self.shown.resize_with(y + 1, Vec::new);
            }
            let row = &mut self.shown[y];
            if row.len() < beyond {
                row.resize(beyond, Cell::EMPTY);
            }
            // What it covers is nobody's any more.
            row[x..beyond].fill(Cell::EMPTY);
            row[x] = cell.clone();
        }
        left
    }
}

/// How many columns a symbol is meant to take, and how many a terminal may take that counts each letter of it by itself.
fn columns(symbol: &str) -> (u16, u16) {
    let each = symbol.chars().filter_map(unicode_width::UnicodeWidthChar::width).sum::<usize>();
    let meant = symbol.width().max(1);
    (u16::try_from(meant).unwrap_or(1), u16::try_from(each.max(meant)).unwrap_or(1))
}

/// Whether a column is taken by what stands before it.
fn is_covered(row: &[Cell], x: u16) -> bool {
    let takes = |k: u16| {
        x.checked_sub(k).and_then(|at| row.get(usize::from(at))).is_some_and(|cell| columns(cell.symbol()).0 > k)
    };
    (1..=WIDEST).any(takes)
}

/// The most columns that joined letters take.
const WIDEST: u16 = 16;

/// Whether terminals may not agree on how wide a symbol is: letters that join.
fn is_doubtful(symbol: &str) -> bool {
    !symbol.is_ascii() && symbol.chars().nth(1).is_some()
}

impl<W: Write> Write for MinimalBackend<W> {
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

impl<W: Write> Backend for MinimalBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let cells: Vec<(u16, u16, &Cell)> = content.collect();
        let left = self.remember(&cells);
        let mut pen = Pen { at: None, colors: BARE, modifier: Modifier::empty() };
        for run in in_order(&cells) {
            for &(x, y, cell) in &cells[run] {
                step(&mut self.inner, pen.at, Position { x, y })?;
                // Only of plain ASCII is it certain how far it moves the cursor; at the edge it does not.
                let plain = matches!(cell.symbol().as_bytes(), [b' '..=b'~']) && x + 1 < self.width.get();
                pen.at = plain.then_some(Position { x: x + 1, y });
                write_style(&mut self.inner, &mut pen, cell)?;
                if is_doubtful(cell.symbol()) {
                    spill(&mut self.inner, &mut pen, Position { x, y }, &self.shown[usize::from(y)])?;
                } else {
                    queue!(self.inner, Print(cell.symbol()))?;
                }
            }
        }
        for at in left {
            let row = self.shown.get(usize::from(at.y)).map_or(&[][..], Vec::as_slice);
            if !is_covered(row, at.x) {
                spill(&mut self.inner, &mut pen, at, row)?;
            }
        }
        if pen.modifier != Modifier::empty() || pen.colors != BARE {
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
        self.shown.clear();
        self.inner.clear()
    }
    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        if region == ClearType::All {
            self.shown.clear();
        }
        self.inner.clear_region(region)
    }
    fn size(&self) -> io::Result<Size> {
        let size = match crate::os::terminal::size() {
            Some((columns, rows)) => Size::new(columns, rows),
            None => self.inner.size()?,
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

/// Cells that stand side by side, in an order of short ways: where little changed, down a column as far as it goes.
fn in_order(cells: &[(u16, u16, &Cell)]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (i, &(x, y, _)) in cells.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if cells[run.end - 1].1 == y && cells[run.end - 1].0 + 1 == x => run.end = i + 1,
            _ => runs.push(i..i + 1),
        }
    }
    if cells.len() > MOST_ORDERED {
        return runs;
    }
    let mut taken = vec![false; runs.len()];
    let mut order = Vec::with_capacity(runs.len());
    for first in 0..runs.len() {
        let mut next = Some(first).filter(|&first| !taken[first]);
        while let Some(run) = next {
            taken[run] = true;
            order.push(runs[run].clone());
            let (end, row) = (cells[runs[run].end - 1].0 + 1, cells[runs[run].start].1 + 1);
            // Runs stand in the order of their rows, and those of one row from left to right.
            let from = run + runs[run..].partition_point(|run| cells[run.start].1 < row);
            let below = runs[from..].iter().take_while(|run| cells[run.start].1 == row).enumerate();
            let near = |(_, run): &(usize, &Range<usize>)| end.abs_diff(cells[run.start].0) <= BACKSPACES;
            next = below.map(|(i, run)| (from + i, run)).find(near).map(|(i, _)| i).filter(|&i| !taken[i]);
        }
    }
    order
}

/// Leads the cursor to a cell by the shortest way.
fn step(out: &mut impl Write, from: Option<Position>, to: Position) -> io::Result<()> {
    if from == Some(to) {
        return Ok(());
    }
    let whole = format!("\x1b[{};{}H", to.y + 1, to.x + 1);
    let short = from.filter(|from| from.y <= to.y).map(|from| {
        let down = match to.y - from.y {
            0 => String::new(),
            1 => "\x1b[B".to_owned(),
            n => format!("\x1b[{n}B"),
        };
        let across = match i32::from(to.x) - i32::from(from.x) {
            0 => String::new(),
            1 => "\x1b[C".to_owned(),
            right @ 2.. => format!("\x1b[{right}C"),
            left if left.unsigned_abs() <= u32::from(BACKSPACES) => "\x08".repeat(usize::from(from.x.abs_diff(to.x))),
            left => format!("\x1b[{}D", -left),
        };
        down + &across
    });
    let way = short.filter(|short| short.len() < whole.len()).unwrap_or(whole);
    out.write_all(way.as_bytes())
}

/// Prints joined letters on columns that are blank, and again what stands beyond them: a terminal may take fewer columns
/// for them than they are meant to have, or more.
fn spill(out: &mut impl Write, pen: &mut Pen, from: Position, row: &[Cell]) -> io::Result<()> {
    let mut at = from.x;
    let mut spilt = at;
    loop {
        let cell = row.get(usize::from(at)).unwrap_or(&Cell::EMPTY);
        let (meant, most) = columns(cell.symbol());
        write_style(out, pen, cell)?;
        queue!(out, cursor::MoveTo(at, from.y))?;
        if is_doubtful(cell.symbol()) {
            queue!(out, Print(" ".repeat(usize::from(meant))), cursor::MoveTo(at, from.y))?;
        }
        queue!(out, Print(cell.symbol()))?;
        spilt = spilt.max(at.saturating_add(most));
        at = at.saturating_add(meant);
        if at >= spilt {
            return Ok(());
        }
    }
}

/// Puts on what a cell wears and the pen does not.
fn write_style(out: &mut impl Write, pen: &mut Pen, cell: &Cell) -> io::Result<()> {
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
mod tests;
