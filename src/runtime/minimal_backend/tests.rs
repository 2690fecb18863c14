//! The same screen with fewer bytes.

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
        // Terminals do not agree on what is bold and dim at once: a cell wears what it is given last.
        buffer[(*x, *y)].reset();
        buffer.set_string(*x, *y, symbol, Style::new().fg(*color).add_modifier(*modifier));
    }
    buffer
}

/// A terminal 80 cells wide.
fn terminal(out: &mut Vec<u8>) -> MinimalBackend<&mut Vec<u8>> {
    let minimal = MinimalBackend::new(out);
    minimal.width.set(80);
    minimal
}

proptest! {
    /// A terminal that obeys shows the same as with crossterm's own way of drawing, one frame after another.
    #[test]
    fn short_steps_lead_to_the_same_screen(frames in prop::collection::vec(prop::collection::vec(cell(), 0..40), 1..6)) {
        let (mut short, mut long) = (Vec::new(), Vec::new());
        let mut before = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        let screen = || vt100::Parser::new(cells(SIZE.1), cells(SIZE.0), 0);
        let (mut on_short, mut on_long) = (screen(), screen());
        for frame in &frames {
            let now = buffer(frame);
            let changed = before.diff(&now);
            let minimal = &mut MinimalBackend::new(&mut short);
            minimal.width.set(SIZE.0);
            minimal.draw(changed.iter().copied()).unwrap();
            CrosstermBackend::new(&mut long).draw(changed.iter().copied()).unwrap();
            before = now;
        }
        on_short.process(&short);
        on_long.process(&long);
        let rows = |parser: &vt100::Parser| parser.screen().rows_formatted(0, SIZE.0).collect::<Vec<_>>();
        prop_assert_eq!(rows(&on_short), rows(&on_long));
    }
}

#[test]
fn columns_are_drawn_one_after_another() {
    let cell = Cell::new("7");
    let cells: Vec<(u16, u16, &Cell)> = (0..3).flat_map(|y| [(10, y, &cell), (60, y, &cell)]).collect();
    let order: Vec<usize> = in_order(&cells).into_iter().flatten().collect();
    assert_eq!(order, [0, 2, 4, 1, 3, 5]);
}

#[test]
fn what_ticks_in_a_column_costs_a_few_bytes_a_cell() {
    let cells: Vec<(u16, u16, Cell)> = (0..10).map(|y| (40, y, Cell::new("7"))).collect();
    let mut out = Vec::new();
    terminal(&mut out).draw(cells.iter().map(|(x, y, cell)| (*x, *y, cell))).unwrap();
    assert_eq!(out.len(), "\u{1b}[1;41H7".len() + 9 * "\u{1b}[B\u{8}7".len());
}

/// Words whose letters join: what one cell holds, a terminal may spread over several, or over fewer.
const WORDS: [&str; 11] =
    ["ผู้จัดการ-น้ำ", "กำลังทำ", "क्षत्रिय", "हिन्दी", "कोड़ा", "தமிழ்", "கொள்கை", "שלום", "한국어", "plain", "é\u{301}a"];

proptest! {
    /// H11: whatever stood there before, the screen is the same as one that is drawn anew.
    #[test]
    fn no_ghosts_of_joined_letters_stay(frames in prop::collection::vec(prop::collection::vec((0..3u16, 0..3u16, prop::sample::select(WORDS.to_vec())), 0..8), 2..5)) {
        let draw = |frame: &[(u16, u16, &'static str)]| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
            for (x, y, word) in frame {
                let column = format!("{:10}", "");
                buffer.set_string(x * 10, *y, column, Style::new());
                buffer.set_string(x * 10, *y, crate::model::text::fit(&crate::model::text::scrub(word), 9), Style::new());
            }
            buffer
        };
        let empty = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        let shown = |frames: &[Buffer]| {
            let mut out = Vec::new();
            let minimal = &mut MinimalBackend::new(&mut out);
            minimal.width.set(SIZE.0);
            let mut before = &empty;
            for now in frames {
                minimal.draw(before.diff(now).into_iter()).unwrap();
                before = now;
            }
            let mut parser = vt100::Parser::new(cells(SIZE.1), cells(SIZE.0), 0);
            parser.process(&out);
            let rows: Vec<String> = parser.screen().rows(0, SIZE.0).map(|row| row.trim_end().to_owned()).collect();
            rows
        };
        let frames: Vec<Buffer> = frames.iter().map(|frame| draw(frame)).collect();
        prop_assert_eq!(shown(&frames), shown(&frames[frames.len() - 1..]));
    }
}
