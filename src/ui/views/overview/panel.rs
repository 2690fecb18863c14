//! A panel: a frame with its title, its key and its counts, and lines of which one may be selected.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders};
use unicode_width::UnicodeWidthStr;

use crate::app::mouse::Hit;
use crate::app::overview::{self, Panel};
use crate::columns::role::Role;
use crate::model::text::{fit, fit_middle};
use crate::ui::Canvas;

/// What stands in the frame.
pub struct Head<'a> {
    pub key: &'a str,
    pub title: &'a str,
    /// How many there are, each with its meaning.
    pub counts: Vec<(String, Role)>,
    pub focused: bool,
}

/// Draws the frame, or a title where there is none, and answers what is inside.
pub fn frame(canvas: &mut Canvas<'_, '_>, area: Rect, framed: bool, head: Head<'_>) -> Rect {
    let mut spans = vec![Span::raw(" ")];
    if !head.key.is_empty() {
        spans.push(canvas.span(format!("{} ", head.key), Role::Accent));
    }
    spans.push(canvas.span(head.title.to_owned(), Role::Title));
    for (text, role) in head.counts {
        spans.push(Span::raw("  "));
        spans.push(canvas.span(text, role));
    }
    spans.push(Span::raw(" "));
    if !framed {
        canvas.text(Rect { height: area.height.min(1), ..area }, vec![Line::from(spans)]);
        return Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    }
    let role = if head.focused { Role::Accent } else { Role::Dim };
    let block = Block::new()
        .borders(Borders::ALL)
        .border_type(BorderType::Rounded)
        .border_style(canvas.style(role))
        .title(Line::from(spans));
    let inside = block.inner(area);
    canvas.frame.render_widget(block, area);
    inside
}

/// One line for a panel that is empty and well.
pub fn nothing(canvas: &mut Canvas<'_, '_>, area: Rect, text: &str, role: Role) {
    let line = Line::from(canvas.span(format!(" {}", fit(text, usize::from(area.width).saturating_sub(2))), role));
    canvas.text(Rect { height: area.height.min(1), ..area }, vec![line]);
}

/// Draws the lines of a panel around the selected one.
pub fn lines(canvas: &mut Canvas<'_, '_>, area: Rect, panel: Panel) {
    let workspace = &canvas.app.workspace;
    let focused = canvas.app.overview.panel == panel && !canvas.app.on_wall();
    let cursor = if focused { canvas.app.overview_cursor() } else { None };
    let (listed, all) = overview::count(workspace, panel);
    let height = usize::from(area.height);
    let hidden = all > height;
    let rows = if hidden && height > 1 { height - 1 } else { height };
    let first = cursor.map_or(0, |at| (at + 1).saturating_sub(rows));
    let places = first..(first + rows).min(listed);
    let items = overview::items(workspace, panel, canvas.app.shown_ms(), places.clone());
    let width = usize::from(area.width).saturating_sub(2);
    let names = if workspace.is_several() { (workspace.name_width() + 1).min(width / 4) } else { 0 };
    let right = items.iter().map(|item| item.line.right.width()).max().unwrap_or(0);
    // Parts stand below each other where they are few words.
    let parted = !matches!(panel, Panel::Findings | Panel::Events);
    let titles = items.iter().map(|item| item.line.title.width()).max().unwrap_or(0);
    let titles = if parted { titles.min(width.saturating_sub(names + right + 4) * 2 / 5).max(12) } else { 0 };
    let mut text = Vec::new();
    for (y, (place, item)) in (0u16..).zip(places.zip(&items)) {
        let is_here = cursor == Some(place);
        let base = if is_here { canvas.style(Role::Selected) } else { Style::new() };
        let mut room = width.saturating_sub(names + right + 2);
        let of = fit(item.of.as_deref().unwrap_or_default(), names.saturating_sub(1)).into_owned();
        let mut spans = vec![
            canvas.span(if is_here { "▸" } else { " " }, Role::Marked),
            canvas.span(format!("{of}{}", " ".repeat(names - of.width())), Role::Dim),
        ];
        let most = if parted { titles.min(room) } else { room };
        let title = if parted { fit_middle(&item.line.title, most) } else { fit(&item.line.title, most) };
        let fill = if parted { most - title.width() } else { 0 };
        room -= title.width() + fill;
        spans.push(canvas.span(format!("{title}{}", " ".repeat(fill)), item.line.role));
        for (part, role) in &item.line.parts {
            // A part is whole, or is left out.
            let width = part.width() + 2;
            if width > room {
                break;
            }
            room -= width;
            spans.push(canvas.span(format!("  {part}"), *role));
        }
        spans.push(Span::raw(" ".repeat(room + 1)));
        spans.push(canvas.span(format!("{:>right$} ", item.line.right), Role::Dim));
        text.push(Line::from(spans).style(base));
        let (view, key) = item.thing.clone();
        canvas.layout.hits.add(area.x, area.y + y, area.width, 1, Hit::Item(panel, view, key));
    }
    if hidden && height > 1 {
        let note = format!("  and {} more", all.saturating_sub(text.len()));
        text.push(Line::from(canvas.span(note, Role::Dim)));
    }
    canvas.text(area, text);
}
