//! The help, from the table of commands.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::popup;
use crate::app::command::COMMANDS;
use crate::app::role::Role;
use crate::ui::Canvas;
use crate::ui::widgets::scrollbar;

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, scroll: usize) {
    let rows = COMMANDS.len() + 2;
    let inside = popup(canvas, area, "keys", 84, u16::try_from(rows + 2).unwrap_or(u16::MAX));
    let height = usize::from(inside.height);
    let scroll = scroll.min(rows.saturating_sub(height));
    let mut lines: Vec<Line<'static>> = COMMANDS
        .iter()
        .map(|info| {
            let keys = if info.keys.is_empty() { "palette".to_owned() } else { info.keys.join(" ") };
            Line::from(vec![
                canvas.span(format!(" {keys:<16}"), Role::Accent),
                canvas.span(format!("{:<18}", info.name), Role::Normal),
                canvas.span(info.help, Role::Dim),
            ])
        })
        .collect();
    lines.push(Line::raw(""));
    lines.push(Line::from(canvas.span(" glyphs: ● well  ◐ warn  ▲ alert  ■ critical  ✖ dead  ? unknown  ~ old", Role::Dim)));
    let shown = lines.into_iter().skip(scroll).take(height).collect();
    canvas.text(inside, shown);
    let bar = Rect { x: inside.right().saturating_sub(1), width: 1, ..inside };
    scrollbar::draw(canvas, bar, scroll, height, rows);
}
