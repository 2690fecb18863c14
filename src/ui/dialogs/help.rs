//! The help, from the table of commands.

use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use super::popup;
use crate::app::command::COMMANDS;
use crate::columns::role::Role;
use crate::model::text::{fit, scrub};
use crate::ui::Canvas;
use crate::ui::widgets::scrollbar;

/// Columns of keys and name.
const LEFT: u16 = 34;

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, scroll: usize) {
    let width = 96.min(area.width);
    let lines = lines(canvas, usize::from(width.saturating_sub(4 + LEFT)));
    let rows = lines.len();
    let inside = popup(canvas, area, "keys", width, u16::try_from(rows + 2).unwrap_or(u16::MAX));
    let height = usize::from(inside.height);
    let scroll = scroll.min(rows.saturating_sub(height));
    let shown = lines.into_iter().skip(scroll).take(height).collect();
    canvas.text(inside, shown);
    let bar = Rect { x: inside.right().saturating_sub(1), width: 1, ..inside };
    scrollbar::draw(canvas, bar, scroll, height, rows);
}

/// One command a line; what does not fit beside its name goes on below.
fn lines(canvas: &Canvas<'_, '_>, room: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for info in COMMANDS {
        let keys = canvas.app.keys(info);
        let keys = if keys.is_empty() { "palette".to_owned() } else { keys.join(" ") };
        let mut left = (format!(" {keys:<15}"), format!("{:<18}", info.name));
        for part in wrapped(info.help, room.max(20)) {
            lines.push(Line::from(vec![
                canvas.span(std::mem::take(&mut left.0), Role::Accent),
                canvas.span(std::mem::take(&mut left.1), Role::Normal),
                canvas.span(part, Role::Dim),
            ]));
            left = (" ".repeat(usize::from(LEFT)), String::new());
        }
    }
    for own in canvas.app.options.own.iter() {
        let keys = own.key.clone().unwrap_or_else(|| "palette".to_owned());
        let title = fit(&scrub(&own.title), 17).into_owned();
        let fill = " ".repeat(18_usize.saturating_sub(title.width()));
        lines.push(Line::from(vec![
            canvas.span(format!(" {keys:<15}"), Role::Accent),
            canvas.span(title + &fill, Role::Normal),
            canvas.span(fit(&scrub(&own.line()), room.max(20)).into_owned(), Role::Dim),
        ]));
    }
    lines.push(Line::raw(""));
    lines.push(Line::from(canvas.span(" ● well  ◐ warn  ▲ alert  ■ critical  ✖ dead  ? unknown  ~ old", Role::Dim)));
    lines
}

fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if lines[last].len() + word.len() + 1 > room && !lines[last].is_empty() {
            lines.push(word.to_owned());
        } else {
            let blank = if lines[last].is_empty() { "" } else { " " };
            lines[last].push_str(&format!("{blank}{word}"));
        }
    }
    lines
}
