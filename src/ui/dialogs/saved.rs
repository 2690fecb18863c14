//! Views that are saved by name.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tui_input::Input;
use unicode_width::UnicodeWidthStr;

use super::popup;
use crate::app::mouse::Hit;
use crate::columns::role::Role;
use crate::model::text::{fit, scrub};
use crate::ui::Canvas;

/// The function key of the first one.
const FIRST_KEY: usize = 2;
/// The last function key that opens one.
const LAST_KEY: usize = 9;

/// Draws the list, or asks for a name.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, selected: usize, naming: Option<&Input>) {
    let saved = canvas.app.shapes.saved.clone();
    let inside = popup(canvas, area, "saved views", 72, u16::try_from(saved.len().max(1) + 4).unwrap_or(u16::MAX));
    let height = usize::from(inside.height.saturating_sub(2)).max(1);
    let offset = (selected + 1).saturating_sub(height);
    let width = usize::from(inside.width);
    let mut lines = Vec::new();
    for (index, view) in saved.iter().enumerate().skip(offset).take(height) {
        let role = if index == selected { Role::Selected } else { Role::Normal };
        let key = index + FIRST_KEY;
        let key = if key <= LAST_KEY { format!("F{key}") } else { String::new() };
        let filter = if view.filter.is_empty() { String::new() } else { format!("  {}", view.filter) };
        let order = if view.descending { "↓" } else { "↑" };
        let text =
            format!(" {key:<3} {:<20} {:<10} {order}{}{filter}", fit(&scrub(&view.name), 20), view.view, view.sort);
        let text = fit(&scrub(&text), width).into_owned();
        let fill = " ".repeat(width.saturating_sub(text.width()));
        let y = inside.y + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(inside.x, y, inside.width, 1, Hit::Entry(index));
        lines.push(Line::from(canvas.span(text + &fill, role)));
    }
    if saved.is_empty() {
        lines.push(Line::from(
            canvas.span(" none yet: s saves the view behind this, with filter and columns", Role::Dim),
        ));
    }
    canvas.text(inside, lines);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    let Some(input) = naming else {
        let keys = " Enter opens  s saves the view behind this  d deletes  Esc closes";
        canvas.text(foot, vec![Line::from(canvas.span(keys, Role::Dim))]);
        return;
    };
    let typed = vec![canvas.span(" name: ", Role::Accent), canvas.span(scrub(input.value()).into_owned(), Role::Title)];
    canvas.text(foot, vec![Line::from(typed)]);
    let x = foot.x + 7 + u16::try_from(input.visual_cursor()).unwrap_or(0);
    canvas.frame.set_cursor_position((x.min(foot.right().saturating_sub(1)), foot.y));
}
