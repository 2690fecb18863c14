//! What lies over a view.

pub mod find;
pub mod help;
pub mod inspector;
pub mod palette;
pub mod plan;
pub mod sort;

use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Block, BorderType, Clear};

use super::Canvas;
use crate::columns::role::Role;

/// A bordered box in the middle; answers its inside.
fn popup(canvas: &mut Canvas<'_, '_>, area: Rect, title: &str, width: u16, height: u16) -> Rect {
    let area = area.centered(Constraint::Length(width.min(area.width)), Constraint::Length(height.min(area.height)));
    canvas.frame.render_widget(Clear, area);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .style(canvas.palette.base())
        .border_style(canvas.style(Role::Dim))
        .title(canvas.span(format!(" {title} "), Role::Title));
    let inside = block.inner(area);
    canvas.frame.render_widget(block, area);
    // What lies under it is not to be clicked.
    canvas.layout.hits.clear();
    inside
}
