//! What is wrong, across the wall: what it is, since when, what it holds up; and the calm rest, small.

use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::app::trouble::{Picture, Trouble};
use crate::app::{history, overview};
use crate::columns::role::{Role, State};
use crate::mesh::derive::staleness::Staleness;
use crate::model::text::{fit, fit_middle};
use crate::model::time::short;
use crate::ui::Canvas;
use crate::ui::widgets::{big, chain};

/// Rows of a node's last minutes.
const BARS: u16 = 3;

/// Draws the trouble. Each part is whole, or is left out for one that matters more.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, trouble: &Trouble) {
    let mut rest = area;
    let mut take = |height: u16| {
        let part = Rect { height: height.min(rest.height), ..rest };
        rest = Rect { y: rest.y + part.height, height: rest.height - part.height, ..rest };
        part
    };
    // The last row says what is well.
    let last = Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area };
    let body = area.height.saturating_sub(1);
    let title = titles(trouble, area.width, body);
    for text in &title {
        let part = take(big::HEIGHT);
        big::draw(canvas, part, text, trouble.role);
    }
    if title.is_empty() {
        let text = format!("{} {}", trouble.name, trouble.state);
        let style = canvas.style(trouble.role).add_modifier(Modifier::BOLD);
        let text = fit(&text, usize::from(area.width)).into_owned();
        canvas.text(take(1), vec![Line::styled(text, style)]);
    }
    let part = take(1);
    since(canvas, part, trouble);
    let mut left = body.saturating_sub(part.bottom() - area.y);
    let picture = picture_rows(trouble, area.width);
    if picture > 0 && left > picture + 1 {
        take(1);
        let part = take(picture);
        picture_of(canvas, part, trouble);
        left -= picture + 1;
    }
    let mut room = left;
    let held = u16::try_from(trouble.held_up.len()).unwrap_or(u16::MAX);
    // A blank row is given up before a line is.
    let gap = u16::from(room > held + 6);
    if held > 0 && room >= 2 + gap {
        let rows = (held + 1 + gap).min(if trouble.others.is_empty() { room } else { (room * 2 / 3).max(2 + gap) });
        take(gap);
        let part = take(rows - gap);
        listed(canvas, part, "holds up", &trouble.held_up, trouble.held_up.len());
        room -= rows;
    }
    if !trouble.others.is_empty() && room >= 2 + gap {
        take(gap);
        let part = take(room - gap);
        listed(canvas, part, "also", &trouble.others, trouble.all_others);
    }
    let calm = fit(&trouble.calm, usize::from(area.width)).into_owned();
    canvas.text(last, vec![Line::from(canvas.span(calm, Role::Dim))]);
}

/// What is written large: in one line, or in two, or the name alone. Nothing where the letters are not to be had.
fn titles(trouble: &Trouble, width: u16, rows: u16) -> Vec<String> {
    let name = trouble.name.as_str();
    if rows < big::HEIGHT + 2 || !name.is_ascii() || !trouble.state.is_ascii() {
        return Vec::new();
    }
    let fits = |text: &str| big::width(text, width) <= width;
    let one = format!("{name} {}", trouble.state);
    let letters = usize::from(big::most(width));
    match fits(&one) {
        true => vec![one],
        false if rows >= 4 * big::HEIGHT && fits(&trouble.state) => {
            vec![in_ascii(name, letters), trouble.state.clone()]
        }
        false => vec![in_ascii(name, letters)],
    }
}

/// The ends of a name that is too long for large letters, which have no ellipsis.
fn in_ascii(name: &str, most: usize) -> String {
    fit_middle(name, most.saturating_sub(2)).replace('…', "...")
}

/// Since when it is known, and the first of the evidence.
fn since(canvas: &mut Canvas<'_, '_>, area: Rect, trouble: &Trouble) {
    let of = if trouble.of.is_empty() { String::new() } else { format!("{}: ", trouble.of) };
    let raised = trouble.raised_ms.map(|at| format!("raised {} ago  ", short(canvas.app.shown_ms() - at)));
    let head = format!("{of}{}", raised.unwrap_or_default());
    let state =
        if trouble.sentence.as_str().contains(&trouble.state) { String::new() } else { format!("{}  ", trouble.state) };
    let evidence = trouble.evidence.first().map(ToString::to_string).unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(head.width());
    let text = fit(&format!("{state}{evidence}"), room).into_owned();
    canvas.text(area, vec![Line::from(vec![canvas.span(head, Role::Normal), canvas.span(text, Role::Normal)])]);
}

fn picture_rows(trouble: &Trouble, width: u16) -> u16 {
    match &trouble.picture {
        Picture::Nothing => 0,
        Picture::Strip(_) => BARS + 1,
        Picture::Chain(chain) => chain::rows(chain, width),
    }
}

fn picture_of(canvas: &mut Canvas<'_, '_>, area: Rect, trouble: &Trouble) {
    match &trouble.picture {
        Picture::Nothing => {}
        Picture::Strip(steps) => strip(canvas, area, steps),
        Picture::Chain(chain) => chain::draw(canvas, area, chain),
    }
}

/// The last minutes of a node in bars: the more silent, the higher.
fn strip(canvas: &mut Canvas<'_, '_>, area: Rect, steps: &[Option<Staleness>]) {
    let each = (usize::from(area.width) / history::STEPS).max(1);
    let fit = (usize::from(area.width) / each).min(history::STEPS);
    // What was before the first look was not observed.
    let mut shown = vec![None; fit.saturating_sub(steps.len())];
    shown.extend(&steps[steps.len().saturating_sub(fit)..]);
    for (row, y) in (0..BARS).rev().zip(area.y..) {
        let spans: Vec<Span<'static>> = shown.iter().map(|level| bar(canvas, *level, row, each)).collect();
        canvas.text(Rect { y, height: 1, ..area }, vec![Line::from(spans)]);
    }
    let covered = i64::try_from(shown.len()).unwrap_or(0) * history::STEP;
    let (from, to) = (format!("{} ago", short(covered)), "now");
    let width = shown.len() * each;
    let gap = width.saturating_sub(from.width() + to.width());
    let line = if gap > 0 { format!("{from}{}{to}", " ".repeat(gap)) } else { to.to_owned() };
    canvas.text(Rect { y: area.y + BARS, height: 1, ..area }, vec![Line::from(canvas.span(line, Role::Dim))]);
}

/// One step in one row, counted from the lowest.
fn bar(canvas: &Canvas<'_, '_>, level: Option<Staleness>, row: u16, width: usize) -> Span<'static> {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (height, role): (u16, Role) = match level {
        None => return canvas.span(if row == 0 { "·" } else { " " }.repeat(width), Role::Dim),
        Some(Staleness::Unknown) => return canvas.span(if row == 0 { "?" } else { " " }.repeat(width), Role::Unknown),
        Some(Staleness::Healthy) => (1, Role::Dim),
        Some(level @ Staleness::Warn) => (6, level.role()),
        Some(level @ Staleness::Alert) => (12, level.role()),
        Some(level @ Staleness::Critical) => (18, level.role()),
        Some(level @ Staleness::Dead) => (24, level.role()),
    };
    let eighths = usize::from(height.saturating_sub(row * 8).min(8));
    canvas.span(EIGHTHS[eighths].to_string().repeat(width), role)
}

/// A heading, and lines below it.
fn listed(canvas: &mut Canvas<'_, '_>, area: Rect, head: &str, lines: &[overview::Line], all: usize) {
    let rows = usize::from(area.height).saturating_sub(1);
    let shown = if all > rows { rows.saturating_sub(1).max(1) } else { rows };
    let width = usize::from(area.width);
    let right = lines.iter().map(|line| line.right.width()).max().unwrap_or(0);
    let mut text = vec![Line::from(canvas.span(head.to_owned(), Role::Title))];
    for line in lines.iter().take(shown) {
        let mut room = width.saturating_sub(right + 2);
        let title = fit_middle(&line.title, room).into_owned();
        room -= title.width();
        let mut spans = vec![canvas.span(title, line.role)];
        for (part, role) in &line.parts {
            if part.width() + 2 > room {
                break;
            }
            room -= part.width() + 2;
            spans.push(canvas.span(format!("  {part}"), *role));
        }
        spans.push(Span::raw(" ".repeat(room + 1)));
        spans.push(canvas.span(format!("{:>right$}", line.right), Role::Dim));
        text.push(Line::from(spans));
    }
    if all > shown {
        text.push(Line::from(canvas.span(format!("and {} more", all - shown.min(lines.len())), Role::Dim)));
    }
    canvas.text(area, text);
}
