//! A command of the operator's own: what would run, and what it wrote.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::popup;
use crate::app::overlay::OwnAsk;
use crate::app::own::shown;
use crate::columns::role::Role;
use crate::model::text::{fit, scrub};
use crate::model::time::{millis, short};
use crate::ui::Canvas;
use crate::ui::widgets::scrollbar;

/// Draws what would run: each argument on a line of its own, so that nothing hides in another.
pub fn ask(canvas: &mut Canvas<'_, '_>, area: Rect, ask: &OwnAsk) {
    let run = &ask.run;
    let rows = u16::try_from(run.argv.len() + 6).unwrap_or(u16::MAX);
    let inside = popup(canvas, area, &fit(&scrub(&run.title), 60), 84, rows);
    let room = usize::from(inside.width).saturating_sub(6);
    let mut lines = vec![Line::from(canvas.span(" runs, without a shell:", Role::Dim))];
    let most = usize::from(inside.height).saturating_sub(4).max(1);
    for (place, argument) in run.argv.iter().enumerate().take(most) {
        let role = if place == 0 { Role::Title } else { Role::Normal };
        lines.push(Line::from(canvas.span(format!("   {}", fit(&shown(argument), room)), role)));
    }
    if run.argv.len() > most {
        lines.push(Line::from(canvas.span(format!("   and {} more", run.argv.len() - most), Role::Warn)));
    }
    lines.push(Line::raw(""));
    let limit = format!(" ended after {} at most", short(millis(run.timeout)));
    match &ask.typing {
        None => lines.push(Line::from(vec![
            canvas.span(" y run it", Role::Accent),
            canvas.span("  Enter cancel ", Role::Normal),
            canvas.span(limit, Role::Dim),
        ])),
        Some((name, input)) => {
            let prompt = format!(" type {} to run it: ", fit(name, 40));
            lines.push(Line::from(vec![
                canvas.span(prompt, Role::Alert),
                canvas.span(scrub(input.value()).into_owned(), Role::Title),
            ]));
            lines.push(Line::from(canvas.span(limit, Role::Dim)));
        }
    }
    canvas.text(inside, lines);
}

/// Draws what a command wrote.
pub fn output(canvas: &mut Canvas<'_, '_>, area: Rect, title: &str, lines: &[String], offset: usize) {
    let inside = popup(canvas, area, &fit(title, usize::from(area.width).saturating_sub(6)), area.width, area.height);
    let height = usize::from(inside.height).saturating_sub(1);
    canvas.layout.output_height = Some(height);
    let offset = offset.min(lines.len().saturating_sub(height));
    let width = usize::from(inside.width).saturating_sub(3);
    let mut text: Vec<Line<'static>> = lines
        .iter()
        .skip(offset)
        .take(height)
        .map(|line| Line::from(canvas.span(format!(" {}", fit(line, width)), Role::Normal)))
        .collect();
    if lines.is_empty() {
        text.push(Line::from(canvas.span(" it wrote nothing", Role::Dim)));
    }
    canvas.text(inside, text);
    let foot = Rect { y: inside.bottom().saturating_sub(1), height: inside.height.min(1), ..inside };
    canvas.text(foot, vec![Line::from(canvas.span(" y copies  Enter closes", Role::Dim))]);
    let bar = Rect { x: inside.right().saturating_sub(1), width: 1, height: inside.height.saturating_sub(1), ..inside };
    scrollbar::draw(canvas, bar, offset, height, lines.len());
}
