//! Things in boxes, each joined to the next: a queue before a lock, a ring of agents that wait for each other.

use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Borders, Paragraph};
use unicode_width::UnicodeWidthStr;

use crate::app::trouble::{Chain, Link};
use crate::columns::role::Role;
use crate::model::text::{fit, fit_middle};
use crate::ui::Canvas;

/// Rows of a box.
pub const HEIGHT: u16 = 4;
/// Rows below the boxes that close a ring.
pub const CLOSE: u16 = 2;
/// Columns that what stands between two boxes may take.
const WAY: usize = 30;

/// The least columns that the name of what is between two boxes is cut to.
const LEAST_WAY: usize = 12;

/// Rows that a chain takes in so many columns.
#[must_use]
pub fn rows(chain: &Chain, width: u16) -> u16 {
    match way_of(chain, width) {
        None => u16::try_from(chain.links.len() + 1).unwrap_or(u16::MAX),
        Some(_) => HEIGHT + if chain.is_ring { CLOSE } else { 0 },
    }
}

/// Columns of a thing's box.
fn boxed(link: &Link) -> usize {
    link.title.width().max(link.text.width()) + 4
}

/// Columns between two boxes, of which a name has so many at most.
fn between(link: &Link, way: usize) -> usize {
    link.way.width().min(way).max(link.note.width()).max(3) + 2
}

/// Columns for the names between boxes. None where a ring does not fit: it is whole, or it is written.
fn way_of(chain: &Chain, width: u16) -> Option<usize> {
    if !chain.is_ring {
        return Some(WAY);
    }
    let ways = chain.links.len().saturating_sub(1).max(1);
    let left = usize::from(width).checked_sub(chain.links.iter().map(boxed).sum())?;
    let way = (left / ways).checked_sub(2)?.min(WAY);
    (way >= LEAST_WAY).then_some(way)
}

/// Draws as many as have room, and says how many have none.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, chain: &Chain) {
    let Some(names) = way_of(chain, area.width) else { return written(canvas, area, chain) };
    let mut x = area.x;
    let cells = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let mut bounds = Vec::new();
    for (place, link) in chain.links.iter().enumerate() {
        let rest = chain.links.len() - place - 1;
        let room = usize::from(area.right().saturating_sub(x));
        // What does not fit is counted, and the count has room.
        let note = if rest + chain.more > 0 { 10 } else { 0 };
        let whole = boxed(link) + note <= room;
        let width = if place == 0 { boxed(link).min(room) } else { boxed(link) };
        if !whole && place > 0 {
            let text = format!("+{} more", rest + 1 + chain.more);
            canvas.text(
                Rect { x, y: area.y + 1, width: cells(room), height: 1 },
                vec![Line::from(canvas.span(text, Role::Warn))],
            );
            return;
        }
        let at = Rect { x, y: area.y, width: cells(width), height: HEIGHT.min(area.height) };
        thing(canvas, at, link, place == 0 && !chain.is_ring);
        bounds.push(at);
        x += cells(width);
        if rest > 0 {
            let width = between(link, names);
            way(
                canvas,
                Rect { x, y: area.y, width: cells(width).min(area.right().saturating_sub(x)), height: HEIGHT },
                link,
                chain.is_ring,
            );
            x += cells(width);
        }
    }
    if chain.more > 0 {
        let text = format!(" +{} more", chain.more);
        let room = area.right().saturating_sub(x);
        canvas.text(Rect { x, y: area.y + 1, width: room, height: 1 }, vec![Line::from(canvas.span(text, Role::Warn))]);
    }
    if let (true, [first, .., last], Some(link)) = (chain.is_ring, bounds.as_slice(), chain.links.last()) {
        close(canvas, *first, *last, link);
    }
}

fn thing(canvas: &mut Canvas<'_, '_>, area: Rect, link: &Link, is_first: bool) {
    let kind = if is_first { BorderType::Thick } else { BorderType::Rounded };
    let block = Block::new().borders(Borders::ALL).border_type(kind).border_style(canvas.style(link.role));
    let room = usize::from(area.width).saturating_sub(4);
    let lines = vec![
        Line::from(canvas.span(format!(" {}", fit_middle(&link.title, room)), Role::Title)),
        Line::from(canvas.span(format!(" {}", fit(&link.text, room)), link.role)),
    ];
    canvas.frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// What is between a thing and the next: its name, an arrow, a note.
fn way(canvas: &mut Canvas<'_, '_>, area: Rect, link: &Link, onward: bool) {
    let room = usize::from(area.width);
    let line = "─".repeat(room.saturating_sub(1));
    let centred = |text: &str| {
        let text = fit_middle(text, room.saturating_sub(2)).into_owned();
        format!("{}{text}", " ".repeat((room.saturating_sub(text.width())) / 2))
    };
    let arrow = if onward {
        canvas.span(format!("{line}▸"), Role::Dead)
    } else {
        canvas.span(format!("◂{line}"), Role::Dim)
    };
    let name = canvas.span(centred(&link.way), link.way_role);
    let note = canvas.span(centred(&link.note), Role::Accent);
    canvas.text(Rect { y: area.y + 1, height: 3, ..area }, vec![Line::from(name), Line::from(arrow), Line::from(note)]);
}

/// A ring that has no room as boxes: a line for each thing, and one that closes it.
fn written(canvas: &mut Canvas<'_, '_>, area: Rect, chain: &Chain) {
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    for (place, link) in chain.links.iter().enumerate() {
        let corner = if place == 0 { "╭▸ " } else { "├▸ " };
        let head = format!("{}  {}  ", link.title, link.text);
        let note = if link.note.is_empty() { String::new() } else { format!("  {}", link.note) };
        let room = width.saturating_sub(head.width() + note.width() + 3);
        lines.push(Line::from(vec![
            canvas.span(corner, Role::Dead),
            canvas.span(head, Role::Title),
            canvas.span(fit_middle(&link.way, room).into_owned(), link.way_role),
            canvas.span(note, Role::Accent),
        ]));
    }
    let first = chain.links.first().map(|link| link.title.clone()).unwrap_or_default();
    lines.push(Line::from(canvas.span(format!("╰── {first}"), Role::Dead)));
    canvas.text(area, lines);
}

/// From the last thing of a ring back to the first.
fn close(canvas: &mut Canvas<'_, '_>, first: Rect, last: Rect, link: &Link) {
    let (from, to) = (first.x + first.width / 2, last.x + last.width / 2);
    let (y, room) = (first.bottom(), usize::from(to.saturating_sub(from)));
    let mut text = fit_middle(&link.way, room.saturating_sub(8)).into_owned();
    if !link.note.is_empty() {
        text = format!("{text}  {}", link.note);
    }
    let text = fit(&text, room.saturating_sub(4)).into_owned();
    let dashes = room.saturating_sub(text.width() + 3);
    let (before, after) = (dashes / 2, dashes - dashes / 2);
    let up = Line::from(canvas.span(format!("▲{}│", " ".repeat(room.saturating_sub(1))), Role::Dead));
    let back = Line::from(vec![
        canvas.span(format!("╰{} ", "─".repeat(before)), Role::Dead),
        canvas.span(text, link.way_role),
        canvas.span(format!(" {}╯", "─".repeat(after)), Role::Dead),
    ]);
    canvas.text(Rect { x: from, y, width: to - from + 1, height: CLOSE }, vec![up, back]);
}
