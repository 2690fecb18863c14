//! The inspector: beside the view where there is room, in its place where there is not.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear};

use crate::app::inspect::{Line as Entry, Row};
use crate::app::mouse::Hit;
use crate::app::overlay::Overlay;
use crate::columns::role::Role;
use crate::model::text::fit;
use crate::ui::Canvas;
use crate::ui::widgets::scrollbar;

/// Columns of a fact's label.
const LABEL: usize = 18;

/// Draws the page that is open.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, beside: bool) {
    let Some(Overlay::Inspector(inspector)) = &canvas.app.overlay else { return };
    let Some(page) = canvas.app.inspection() else { return };
    let mut area = area;
    if beside {
        canvas.frame.render_widget(Clear, area);
        let block =
            Block::new().borders(Borders::LEFT).border_style(canvas.style(Role::Dim)).style(canvas.palette.base());
        let inside = block.inner(area);
        canvas.frame.render_widget(block, area);
        area = inside;
    }
    let width = usize::from(area.width).saturating_sub(2);
    let title = canvas.span(format!(" {}", fit(&page.title, width)), Role::Title);
    canvas.text(Rect { height: 1, ..area }, vec![Line::from(title)]);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let height = usize::from(body.height);
    canvas.layout.inspector_height = Some(height);
    let rows = page.rows(inspector.unfolded);
    let cursor = inspector.cursor.min(rows.len().saturating_sub(1));
    let offset =
        inspector.offset.min(rows.len().saturating_sub(height)).clamp((cursor + 1).saturating_sub(height), cursor);
    let mut lines = Vec::new();
    for (index, row) in rows.iter().enumerate().skip(offset).take(height) {
        let base = if index == cursor { canvas.style(Role::Selected) } else { Style::new() };
        let y = body.y + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(body.x, y, body.width, 1, Hit::Line(index - offset));
        lines.push(line(canvas, *row, width, base));
    }
    canvas.text(body, lines);
    let bar = Rect { x: body.right().saturating_sub(1), width: 1, ..body };
    scrollbar::draw(canvas, bar, offset, height, rows.len());
}

fn line(canvas: &Canvas<'_, '_>, row: Row<'_>, width: usize, base: Style) -> Line<'static> {
    let styled = |text: String, role: Role| Span::styled(text, canvas.style(role).patch(base));
    let spans = match row {
        Row::Json(text) => vec![styled(format!("   {}", fit(text, width.saturating_sub(3))), Role::Normal)],
        Row::Line(Entry::Heading(text)) => vec![styled(format!(" {}", fit(text, width)), Role::Title)],
        Row::Line(Entry::Text(text, role)) => vec![styled(format!("   {}", fit(text, width.saturating_sub(3))), *role)],
        Row::Line(Entry::Picture(pieces)) => {
            let mut room = width.saturating_sub(3);
            let mut spans = vec![styled("   ".into(), Role::Normal)];
            for (text, role) in pieces {
                let text = fit(text, room).into_owned();
                room -= unicode_width::UnicodeWidthStr::width(text.as_str());
                spans.push(styled(text, *role));
            }
            spans
        }
        Row::Line(Entry::Field { label, value, role, .. }) => vec![
            styled(format!("   {label:<LABEL$}"), Role::Dim),
            styled(fit(value, width.saturating_sub(LABEL + 3)).into_owned(), *role),
        ],
        Row::Line(Entry::Link { label, value, role, .. }) => {
            let label = crate::model::text::fit_middle(label, width / 2).into_owned();
            let room = width.saturating_sub(unicode_width::UnicodeWidthStr::width(label.as_str()) + 5);
            vec![
                styled(" → ".into(), Role::Accent),
                styled(format!("{label}  "), Role::Accent),
                styled(fit(value, room).into_owned(), *role),
            ]
        }
        Row::Line(Entry::Json { .. }) => Vec::new(),
    };
    Line::from(spans).style(base)
}
