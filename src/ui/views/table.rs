//! Any list as a table: titles, rows, a scrollbar, and what stands there when it is empty.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::app::list::{ColumnInfo, List, MESH};
use crate::app::mouse::Hit;
use crate::app::ring;
use crate::app::view_id::ViewId;
use crate::app::workspace::Row;
use crate::columns::role::Role;
use crate::model::text::{fit, fit_middle};
use crate::model::time::clock_face;
use crate::ui::Canvas;
use crate::ui::widgets::scrollbar;

/// A column that gives some of its room away keeps as much.
const LEAST: usize = 20;
/// Columns of a ring, at most.
const RING: usize = 90;
/// Columns between two columns.
const GAP: usize = 2;

/// A column on screen: which one, and how wide.
struct Placed {
    index: usize,
    info: ColumnInfo,
    width: usize,
}

/// Draws the current view's list.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let Some(list) = app.list() else { return };
    let area = if app.view == ViewId::Waits { rings(canvas, area) } else { area };
    let app = canvas.app;
    let height = usize::from(area.height.saturating_sub(2));
    canvas.layout.table_height = Some(height);
    let mut columns = app.shown_columns();
    widen(canvas, list, &mut columns, height);
    let columns = place(columns, usize::from(area.width).saturating_sub(3));
    let app = canvas.app;
    caption(canvas, Rect { height: 1, ..area }, list);
    titles(canvas, Rect { y: area.y + 1, height: 1, ..area }, &columns);
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    if app.table().rows.is_empty() {
        empty(canvas, body, list);
        return;
    }
    rows(canvas, body, list, &columns);
    let table = app.table();
    scrollbar::draw(
        canvas,
        Rect { x: body.right().saturating_sub(1), width: 1, ..body },
        table.offset,
        height,
        table.rows.len(),
    );
}

/// The widest number: 19 digits and a sign.
const NUMBER: usize = 20;

/// Gives the columns of numbers the room that the rows on screen need: a number that is cut is another number.
fn widen(canvas: &Canvas<'_, '_>, list: &dyn List, columns: &mut [(usize, ColumnInfo)], height: usize) {
    let (app, table) = (canvas.app, canvas.app.table());
    let shown = || table.rows.iter().skip(table.offset).take(height);
    for (index, column) in columns.iter_mut().filter(|(_, column)| column.right) {
        let text = |row: &Row| list.cell(&app.workspace, *row, *index, app.shown_ms()).text;
        // Names stand right too where most of them are numbers; those may be cut.
        let is_number = |text: &String| text.chars().all(|c| c.is_ascii_digit() || c == '-');
        let widest = shown().map(text).filter(is_number).map(|text| text.len()).max().unwrap_or(0).min(NUMBER);
        let widest = u16::try_from(widest).unwrap_or(u16::MAX);
        column.width = (column.width.0.max(widest), column.width.1.max(widest));
    }
}

/// Draws each deadlock above the list: as a ring where there is room, else in a line. Answers what is left.
fn rings(canvas: &mut Canvas<'_, '_>, area: Rect) -> Rect {
    let (app, width) = (canvas.app, usize::from(area.width).saturating_sub(3));
    let most = usize::from(area.height / 2);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let deadlocks = app.workspace.snapshots().flat_map(|(mesh, p)| p.waits.deadlocks.iter().map(move |d| (mesh, p, d)));
    for (mesh, snapshot, deadlock) in deadlocks {
        if lines.len() >= most {
            break;
        }
        let brief = ring::one_line(&snapshot.waits, deadlock, width);
        let whole = ring::lines(&snapshot.waits, deadlock, width.min(RING), app.shown_ms());
        let drawn = if lines.len() + whole.len() < most { whole } else { Vec::new() };
        let prefix = app.workspace.prefix(mesh);
        for line in std::iter::once(brief).chain(drawn) {
            let indent = std::iter::once(Span::raw(format!(" {prefix}")));
            let spans = line.into_iter().map(|(text, role)| canvas.span(text, role));
            lines.push(indent.chain(spans).collect());
        }
    }
    lines.truncate(most);
    let height = u16::try_from(lines.len()).unwrap_or(0);
    canvas.text(Rect { height, ..area }, lines);
    Rect { y: area.y + height, height: area.height - height, ..area }
}

/// How many there are, how they are filtered, and whether the end is followed.
fn caption(canvas: &mut Canvas<'_, '_>, area: Rect, list: &dyn List) {
    let app = canvas.app;
    let table = app.table();
    let all = list.len(&app.workspace);
    let shown = table.rows.len();
    let mut text = if shown == all { format!(" {all}") } else { format!(" {shown} of {all}") };
    text.push_str(if all == 1 { " row" } else { " rows" });
    let mut spans = vec![canvas.span(text, Role::Dim)];
    if !table.filter.is_empty() {
        spans.push(canvas.span(format!("  filter: {}", crate::model::text::scrub(&table.filter)), Role::Accent));
    }
    if list.follows() {
        let (word, role) =
            if table.follow { ("  following", Role::Healthy) } else { ("  scrolled: G follows again", Role::Warn) };
        spans.push(canvas.span(word, role));
    }
    if app.workspace.snapshots().any(|(_, snapshot)| snapshot.sources.iter().any(|s| s.as_of_ms.is_some())) {
        spans.push(canvas.span("  ~ marks ages as of the last answer of a source that is old", Role::Old));
    }
    if let Some(caveat) = list.caveat(&app.workspace) {
        spans.push(canvas.span(format!("  {}", crate::model::text::scrub(&caveat)), Role::Warn));
    }
    canvas.text(area, vec![Line::from(spans)]);
}

fn titles(canvas: &mut Canvas<'_, '_>, area: Rect, columns: &[Placed]) {
    let table = canvas.app.table();
    let mut spans = vec![Span::raw("  ")];
    let mut x = area.x + 2;
    for column in columns {
        let sorted = table.column == column.index;
        let arrow = match (sorted, table.descending) {
            (false, _) => "",
            (true, true) => "↓",
            (true, false) => "↑",
        };
        let title = pad(&format!("{}{arrow}", column.info.title), column.width, column.info.right);
        let width = u16::try_from(column.width + GAP).unwrap_or(0);
        canvas.layout.hits.add(x, area.y, width, 1, Hit::Column(column.index));
        x = x.saturating_add(width);
        spans.push(canvas.span(title, if sorted { Role::Accent } else { Role::Dim }));
        spans.push(Span::raw(" ".repeat(GAP)));
    }
    canvas.text(area, vec![Line::from(spans)]);
}

fn rows(canvas: &mut Canvas<'_, '_>, area: Rect, list: &dyn List, columns: &[Placed]) {
    let app = canvas.app;
    let workspace = &app.workspace;
    let table = app.table();
    let now = app.shown_ms();
    let mut lines = Vec::with_capacity(usize::from(area.height));
    for (place, &row) in table.rows.iter().enumerate().skip(table.offset).take(usize::from(area.height)) {
        // On a wall nobody chooses; what is wrong is shown all the same.
        let selected = place == table.cursor && (!app.on_wall() || app.wall_holds());
        let marked = !table.marks.is_empty() && table.marks.contains(&list.key(workspace, row));
        let base = if selected { canvas.style(Role::Selected) } else { Style::new() };
        let gutter = match (selected, marked) {
            (true, true) => "▸×",
            (true, false) => "▸ ",
            (false, true) => " ×",
            (false, false) => "  ",
        };
        let mut spans = vec![Span::styled(gutter, canvas.style(Role::Marked).patch(base))];
        for column in columns {
            let mut cell = list.cell(workspace, row, column.index, now);
            if let (Some(at), true) = (cell.at, app.options.local_clock) {
                cell.text = clock_face(at, app.offset(at));
            }
            let text =
                if column.index == 0 { fit_middle(&cell.text, column.width) } else { fit(&cell.text, column.width) };
            // Where all is well in most rows, green says nothing.
            let role = if cell.role == Role::Healthy { Role::Normal } else { cell.role };
            let style = canvas.style(role).patch(base);
            spans.push(Span::styled(pad(&text, column.width, column.info.right), style));
            spans.push(Span::styled(" ".repeat(GAP), base));
        }
        let y = area.y + u16::try_from(lines.len()).unwrap_or(0);
        canvas.layout.hits.add(area.x, y, area.width.saturating_sub(1), 1, Hit::Row(place - table.offset));
        lines.push(Line::from(spans).style(base));
    }
    canvas.text(Rect { width: area.width.saturating_sub(1), ..area }, lines);
}

/// Why nothing is there: one reason a source.
fn empty(canvas: &mut Canvas<'_, '_>, area: Rect, list: &dyn List) {
    let app = canvas.app;
    let mut lines = vec![Line::raw("")];
    match app.workspace.has_answer() {
        false => lines.push(Line::from(canvas.span("  no answer yet", Role::Dim))),
        true if list.len(&app.workspace) > 0 => {
            let what = if app.table().filter.is_empty() {
                "  nothing of this repository"
            } else {
                "  nothing fits the filter"
            };
            lines.push(Line::from(canvas.span(what, Role::Normal)));
            lines.push(Line::from(canvas.span("  Esc clears the filter, o goes to the next repository", Role::Dim)));
        }
        true => {
            lines.push(Line::from(canvas.span("  nothing here", Role::Normal)));
            for why in list.why_empty(&app.workspace) {
                lines.push(Line::from(canvas.span(format!("  {}", crate::model::text::scrub(&why)), Role::Dim)));
            }
        }
    }
    let paragraph = ratatui::widgets::Paragraph::new(lines).wrap(ratatui::widgets::Wrap { trim: false });
    canvas.frame.render_widget(paragraph, area);
}

/// Chooses columns and widths: the least important ones go where there is no room, what is over goes to those
/// that can grow.
fn place(columns: Vec<(usize, ColumnInfo)>, room: usize) -> Vec<Placed> {
    let mut chosen: Vec<Placed> =
        columns.into_iter().map(|(index, info)| Placed { index, info, width: usize::from(info.width.0) }).collect();
    // The room of what tells things apart comes from the widest, whose end is least missed.
    if let Some(mesh) = chosen.iter().find(|column| column.info.field == MESH).map(|column| column.width + GAP)
        && let Some(widest) = chosen.iter_mut().max_by_key(|column| column.width)
    {
        widest.width = widest.width.saturating_sub(mesh).max(LEAST.min(widest.width));
    }
    let needed = |chosen: &[Placed]| chosen.iter().map(|c| c.width + GAP).sum::<usize>();
    while needed(&chosen) > room && chosen.len() > 1 {
        // Never what tells things apart.
        let may_go = (0..chosen.len()).filter(|&i| chosen[i].info.field != MESH);
        let least = may_go.max_by_key(|&i| (chosen[i].info.rank, i)).unwrap_or(0);
        chosen.remove(least);
    }
    let mut over = room.saturating_sub(needed(&chosen));
    // A name that is cut tells least apart.
    for column in chosen.iter_mut().filter(|column| column.info.field == MESH) {
        let more = over.min(usize::from(column.info.width.1).saturating_sub(column.width));
        (column.width, over) = (column.width + more, over - more);
    }
    while over > 0 {
        let growing: Vec<usize> =
            (0..chosen.len()).filter(|&i| chosen[i].width < usize::from(chosen[i].info.width.1)).collect();
        if growing.is_empty() {
            break;
        }
        for i in growing {
            if over > 0 {
                chosen[i].width += 1;
                over -= 1;
            }
        }
    }
    // What tells things apart stands before them; what it is sorted by keeps its number.
    if let Some(at) = chosen.iter().position(|column| column.info.field == MESH) {
        chosen[..=at].rotate_right(1);
    }
    chosen
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let text = fit(text, width);
    let fill = " ".repeat(width.saturating_sub(text.width()));
    if right { format!("{fill}{text}") } else { format!("{text}{fill}") }
}
