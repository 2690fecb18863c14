//! The screen: draws the app, and answers where things are. It decides nothing.

pub mod chrome;
pub mod dialogs;
pub mod first;
pub mod glyphs;
pub mod theme;
pub mod timeline;
pub mod views;
pub mod wall;
pub mod widgets;

use ratatui::Frame;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Constraint, Layout as Split, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use self::theme::{Depth, Palette};
use crate::app::App;
use crate::app::mouse::HitMap;
use crate::app::overlay::Overlay;
use crate::app::theme::MONO;
use crate::app::view_id::ViewId;
use crate::columns::role::Role;

/// The least that anything can be shown on.
pub const LEAST: (u16, u16) = (40, 10);

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermCaps {
    pub depth: Depth,
    pub unicode: bool,
}

impl TermCaps {
    /// Asks the environment.
    #[must_use]
    pub fn of_environment(color: bool, unicode: &str) -> Self {
        let unicode = match unicode {
            "always" => true,
            "never" => false,
            _ => glyphs::terminal_has_unicode(|name| std::env::var(name).ok()),
        };
        let depth = if color { Depth::of_terminal(|name| std::env::var(name).ok()) } else { Depth::None };
        Self { depth, unicode }
    }
}

/// What the drawing found out: where things are, and how many rows fit.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    pub hits: HitMap,
    pub table_height: Option<usize>,
    pub inspector_height: Option<usize>,
    pub output_height: Option<usize>,
    /// Rows that a preview has room for, and rows that it has.
    pub preview: Option<(usize, usize)>,
}

impl Layout {
    /// Tells the app.
    pub fn note(self, app: &mut App) {
        app.hits = self.hits;
        if let Some(height) = self.output_height {
            app.output_height = height;
        }
        if let Some(height) = self.table_height {
            let table = &mut app.tables[app.view.index()];
            if table.height != height {
                table.height = height;
                table.scroll_into_view();
            }
        }
        if let (Some(height), Some(Overlay::Inspector(inspector))) = (self.inspector_height, &mut app.overlay) {
            inspector.height = height;
        }
        if let (Some((height, rows)), Some(Overlay::Preview(preview))) = (self.preview, &mut app.overlay) {
            (preview.height, preview.rows) = (height, rows);
        }
    }
}

/// What every piece of the screen is given.
pub struct Canvas<'a, 'b> {
    pub app: &'a App,
    pub palette: Palette<'a>,
    pub frame: &'a mut Frame<'b>,
    pub layout: Layout,
}

impl Canvas<'_, '_> {
    /// How a meaning looks.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.palette.style(role)
    }

    /// A piece of text with a meaning.
    pub fn span(&self, text: impl Into<String>, role: Role) -> Span<'static> {
        Span::styled(text.into(), self.style(role))
    }

    /// Lines of text in an area, each from its left edge and no longer than it.
    pub fn text(&mut self, area: Rect, lines: Vec<Line<'static>>) {
        // A paragraph would be looked at grapheme by grapheme twice.
        let area = area.intersection(*self.frame.buffer_mut().area());
        for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
            self.frame.buffer_mut().set_line(area.x, y, line, area.width);
        }
    }
}

/// Draws one frame.
pub fn draw(app: &App, caps: TermCaps, frame: &mut Frame<'_>) -> Layout {
    let area = frame.area();
    let name = if caps.depth == Depth::None { MONO } else { &app.options.theme };
    let theme = app.options.themes.get(name);
    let palette = Palette::new(&theme, caps.depth);
    ground(frame.buffer_mut(), palette.base());
    let mut canvas = Canvas { app, palette, frame, layout: Layout::default() };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let need = format!("needs {}x{}, has {}x{}", LEAST.0, LEAST.1, area.width, area.height);
        let style = canvas.style(Role::Warn);
        canvas.frame.render_widget(Paragraph::new(need).style(style), area);
    } else if app.on_wall() && area.height >= wall::LEAST {
        wall::draw(&mut canvas, area);
    } else {
        draw_all(&mut canvas, area);
    }
    let layout = std::mem::take(&mut canvas.layout);
    if !caps.unicode {
        glyphs::to_ascii(frame.buffer_mut());
    }
    layout
}

/// Lays the ground that everything stands on. A frame begins empty, so that cells are written and none is looked at.
fn ground(buffer: &mut Buffer, style: Style) {
    let mut cell = Cell::EMPTY;
    cell.set_style(style);
    if cell != Cell::EMPTY {
        buffer.content.fill(cell);
    }
}

fn draw_all(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let hint = u16::from(canvas.app.hints.is_some());
    let past = if canvas.app.past().is_some() { 2 } else { 0 };
    let [header, tabs, body, past, hints, footer] =
        Split::vertical([1, 1].map(Constraint::Length).into_iter().chain([
            Constraint::Fill(1),
            Constraint::Length(past),
            Constraint::Length(hint),
            Constraint::Length(1),
        ]))
        .areas(area);
    chrome::hint(canvas, hints);
    timeline::draw(canvas, past);
    chrome::header(canvas, header);
    chrome::tabs(canvas, tabs);
    let inspecting = matches!(canvas.app.overlay, Some(Overlay::Inspector(_)));
    let beside = inspecting && body.width >= 130;
    let (main, side) = if beside {
        let [main, side] =
            Split::horizontal([Constraint::Fill(1), Constraint::Length((body.width * 9 / 20).min(90))]).areas(body);
        (main, Some(side))
    } else {
        (body, inspecting.then_some(body))
    };
    if !inspecting || beside {
        match canvas.app.view {
            ViewId::Overview => views::overview::draw(canvas, main),
            _ => views::table::draw(canvas, main),
        }
    }
    if let Some(side) = side {
        dialogs::inspector::draw(canvas, side, beside);
    }
    match &canvas.app.overlay {
        Some(Overlay::Help { scroll }) => dialogs::help::draw(canvas, body, *scroll),
        Some(Overlay::Palette { .. }) => dialogs::palette::draw(canvas, body),
        Some(Overlay::Find(_)) => dialogs::find::draw(canvas, body),
        Some(Overlay::Sort { selected }) => dialogs::sort::draw(canvas, body, *selected),
        Some(Overlay::Columns { selected }) => dialogs::columns::draw(canvas, body, *selected),
        Some(Overlay::Saved { selected, naming }) => dialogs::saved::draw(canvas, body, *selected, naming.as_ref()),
        Some(Overlay::Own(ask)) => dialogs::own::ask(canvas, body, ask),
        Some(Overlay::Output { title, lines, offset }) => dialogs::own::output(canvas, body, title, lines, *offset),
        Some(Overlay::Picker(_) | Overlay::Preview(_) | Overlay::Run { .. }) => dialogs::plan::draw(canvas, body),
        Some(Overlay::Inspector(_)) | None => {}
    }
    chrome::footer(canvas, footer);
}

#[cfg(test)]
mod tests;
