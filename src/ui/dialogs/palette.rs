//! The palette.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Choosing, choices, popup};
use crate::app::overlay::Overlay;
use crate::app::palette::entries;
use crate::columns::role::Role;
use crate::model::text::fit;
use crate::ui::Canvas;

/// Draws what was typed, and what fits it.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let Some(Overlay::Palette { input, selected }) = &app.overlay else { return };
    let found = entries(app, input.value());
    let inside = popup(canvas, area, "commands", 76, 18);
    let none = " no command of this name";
    let choosing = Choosing { prompt: ":", input, note: "", selected: *selected, none };
    let room = usize::from(inside.width).saturating_sub(34);
    choices(canvas, inside, &choosing, &found, |canvas, entry, base| {
        let cell = |text: String, role| Span::styled(text, canvas.style(role).patch(base));
        Line::from(vec![
            cell(format!(" {:<20}", fit(&entry.name, 20)), Role::Normal),
            cell(format!("{:<11} ", fit(&entry.keys, 11)), Role::Accent),
            cell(fit(&entry.help, room).into_owned(), Role::Dim),
        ])
    });
}
