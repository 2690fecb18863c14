//! The dialogs of a plan: its preview, its run, and the choice of a receiver.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::popup;
use crate::app::inspections::plan::{self, PlanLine};
use crate::app::overlay::{Overlay, Picker};
use crate::app::preview::{Preview, Typing};
use crate::columns::role::{Role, State};
use crate::model::text::{fit, scrub};
use crate::ui::Canvas;
use crate::ui::widgets::scrollbar;

/// The widest that prose is drawn.
const WIDTH: u16 = 104;

/// The preview of a plan.
pub fn preview(canvas: &mut Canvas<'_, '_>, area: Rect, preview: &Preview) {
    let rows = wrapped(&plan::preview(preview, canvas.app.now_ms), area);
    let title = title_in(canvas, preview.mesh, preview.plan.title.as_str());
    let (inside, height) = frame(canvas, area, &title, rows.len());
    canvas.layout.preview = Some((height, rows.len()));
    let offset = preview.offset.min(rows.len().saturating_sub(height));
    body(canvas, inside, &rows, offset, height);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let line = match &preview.typing {
        Some(Typing::Reason(input)) => typed(canvas, foot, "reason: ", input, "Enter keeps  Esc leaves it"),
        Some(Typing::Name(input)) => {
            let prompt = format!("type {} to run it: ", preview.name_to_type().unwrap_or_default());
            typed(canvas, foot, &prompt, input, "Esc goes back")
        }
        None => {
            // Something that may be alive takes more than a key.
            let run = if preview.name_to_type().is_some() {
                " run it (may be alive: takes its name)   "
            } else {
                " run it   "
            };
            let runs = !preview.plan.steps.is_empty();
            let mut spans = vec![
                canvas.span(" Enter ", Role::Selected),
                canvas.span(if runs { " cancel   " } else { " close   " }, Role::Title),
            ];
            if runs {
                spans.extend([canvas.span("y", Role::Accent), canvas.span(run, Role::Dim)]);
            }
            spans.extend([canvas.span("j k", Role::Accent), canvas.span(" scroll", Role::Dim)]);
            Line::from(spans)
        }
    };
    canvas.text(foot, vec![line]);
    let (text, role) = plan::choices(preview);
    let text = fit(&text, usize::from(foot.width)).into_owned();
    let above = Rect { y: foot.y.saturating_sub(1), ..foot };
    let line = Line::from(canvas.span(text, role));
    canvas.text(above, vec![line]);
}

/// A plan that runs, or ran.
pub fn run(canvas: &mut Canvas<'_, '_>, area: Rect, offset: usize) {
    let Some(running) = canvas.app.running.clone() else { return };
    let rows = wrapped(&plan::running(&running), area);
    let title = title_in(canvas, running.mesh, running.plan.title.as_str());
    let (inside, height) = frame(canvas, area, &title, rows.len());
    let offset = offset.min(rows.len().saturating_sub(height));
    body(canvas, inside, &rows, offset, height);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let (done, all) = (running.ended(), running.steps.len().max(1));
    let bar_width = usize::from(foot.width / 3);
    let full = bar_width * done / all;
    let bar = format!(" {}{} {done}/{all} ", "█".repeat(full), "░".repeat(bar_width - full));
    let hint = match (running.finished, running.stopping) {
        (true, _) => " Enter closes".to_owned(),
        (false, true) => " stopping before the next step".to_owned(),
        (false, false) => " Esc stops before the next step   Enter lets it go on".to_owned(),
    };
    let hint = if running.finished { format!("{}  {hint}", running.summary()) } else { hint };
    let line = Line::from(vec![canvas.span(bar, Role::Accent), canvas.span(hint, Role::Dim)]);
    canvas.text(foot, vec![line]);
}

/// Who gets what is re-routed.
pub fn picker(canvas: &mut Canvas<'_, '_>, area: Rect, picker: &Picker) {
    let choices = canvas.app.receivers();
    let title = match picker.messages.len() {
        1 => "Re-route to".to_owned(),
        n => format!("Re-route {n} messages to"),
    };
    let title = title_in(canvas, picker.mesh, &title);
    let (inside, height) = frame(canvas, area, &title, choices.len() + 2);
    let width = usize::from(inside.width);
    let mut rows: Vec<PlanLine> = vec![("  each to the agent that fits best".into(), Role::Normal)];
    for one in &choices {
        let labels =
            if one.asked == 0 { String::new() } else { format!("  fits {} of {} labels", one.fits, one.asked) };
        let closed = if one.closed { "  closed for work" } else { "" };
        let glyph = one.staleness.glyph();
        let text = format!(
            "  {glyph} agent {:<8} on {:<20} {:<9} inbox {:>4}{labels}{closed}",
            one.agent,
            one.node,
            one.staleness.to_string(),
            one.inbox
        );
        let role = if one.closed { Role::Dim } else { one.staleness.role() };
        rows.push((text, role));
    }
    let selected = picker.selected.min(choices.len());
    let offset = (selected + 1).saturating_sub(height);
    let mut lines = Vec::new();
    for (i, (text, role)) in rows.iter().enumerate().skip(offset).take(height) {
        let role = if i == selected { Role::Selected } else { *role };
        lines.push(Line::from(canvas.span(format!("{:<width$}", fit(text, width)), role)));
    }
    canvas.text(Rect { height: inside.height.saturating_sub(1), ..inside }, lines);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let hint = canvas.span(" Enter previews it   Esc cancels", Role::Dim);
    canvas.text(foot, vec![Line::from(hint)]);
}

/// What is done, and in which mesh, where there are several.
fn title_in(canvas: &Canvas<'_, '_>, mesh: usize, what: &str) -> String {
    format!("{}{}", canvas.app.workspace.prefix(mesh), scrub(what))
}

/// The box, and how many rows of text it has room for.
fn frame(canvas: &mut Canvas<'_, '_>, area: Rect, title: &str, rows: usize) -> (Rect, usize) {
    let wanted = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(4);
    let title = fit(title, usize::from(area.width.saturating_sub(6))).into_owned();
    let inside = popup(canvas, area, &title, WIDTH, wanted.max(8).min(area.height));
    (inside, usize::from(inside.height.saturating_sub(2)))
}

fn body(canvas: &mut Canvas<'_, '_>, inside: Rect, rows: &[PlanLine], offset: usize, height: usize) {
    let width = usize::from(inside.width).saturating_sub(1);
    let shown = rows.iter().skip(offset).take(height);
    let lines: Vec<Line<'static>> =
        shown.map(|(text, role)| Line::from(canvas.span(fit(text, width).into_owned(), *role))).collect();
    let area = Rect { height: u16::try_from(height).unwrap_or(inside.height), ..inside };
    canvas.text(area, lines);
    let bar = Rect { x: inside.right().saturating_sub(1), width: 1, ..area };
    scrollbar::draw(canvas, bar, offset, height, rows.len());
}

/// Lines cut to the width of the box, on words; what goes on is indented as its line is.
fn wrapped(lines: &[PlanLine], area: Rect) -> Vec<PlanLine> {
    let width = usize::from(area.width.min(WIDTH).saturating_sub(4)).max(16);
    let mut rows = Vec::new();
    for (text, role) in lines {
        if text.is_empty() {
            rows.push((String::new(), *role));
            continue;
        }
        let indent = text.chars().take_while(|c| *c == ' ').count().min(width / 2);
        let later = " ".repeat(indent + 2);
        let options = textwrap::Options::new(width).subsequent_indent(&later);
        rows.extend(textwrap::wrap(text, options).into_iter().map(|row| (row.into_owned(), *role)));
    }
    rows
}

fn typed(canvas: &mut Canvas<'_, '_>, area: Rect, prompt: &str, input: &tui_input::Input, hint: &str) -> Line<'static> {
    let room = usize::from(area.width);
    let text = scrub(input.value()).into_owned();
    let prompt = fit(prompt, room.saturating_sub(12)).into_owned();
    let at = unicode_width::UnicodeWidthStr::width(prompt.as_str()) + 1 + input.visual_cursor();
    let x = area.x.saturating_add(u16::try_from(at).unwrap_or(u16::MAX)).min(area.right().saturating_sub(1));
    canvas.frame.set_cursor_position((x, area.y));
    Line::from(vec![
        Span::raw(" "),
        canvas.span(prompt, Role::Accent),
        canvas.span(text, Role::Title),
        canvas.span(format!("   {hint}"), Role::Dim),
    ])
}

/// Draws whichever dialog of a plan is open.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    match &canvas.app.overlay {
        Some(Overlay::Preview(open)) => preview(canvas, area, open),
        Some(Overlay::Run { offset }) => run(canvas, area, *offset),
        Some(Overlay::Picker(open)) => picker(canvas, area, open),
        _ => {}
    }
}
