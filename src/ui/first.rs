//! Draws the first screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::theme::{Depth, Palette};
use super::{TermCaps, glyphs, ground};
use crate::app::first::{CHOICES, DOCS, First, Page};
use crate::app::theme::{MONO, Themes};
use crate::columns::role::Role;
use crate::model::text::scrub;

/// Columns that it is drawn in.
const WIDTH: u16 = 84;

/// Draws the page that one is on.
pub fn draw(first: &First, theme: &str, caps: TermCaps, frame: &mut Frame<'_>) {
    let theme = Themes::default().get(if caps.depth == Depth::None { MONO } else { theme });
    let palette = Palette::new(&theme, caps.depth);
    ground(frame.buffer_mut(), palette.base());
    let area = frame.area();
    let room = area.centered_horizontally(Constraint::Length(WIDTH.min(area.width.saturating_sub(2))));
    let room = Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..room };
    let span = |text: String, role: Role| Span::styled(text, palette.style(role));
    let mut lines = vec![
        Line::from(vec![
            span("lockkeeper".into(), Role::Title),
            span("  watches nodes, locks and work of coding agents".into(), Role::Dim),
        ]),
        Line::raw(""),
    ];
    let mut cursor = None;
    match &first.page {
        Page::Choices => {
            lines.push(Line::from(span(
                "Nothing is configured, and nothing was found. It looked for:".into(),
                Role::Normal,
            )));
            // The choices stay on screen, however many places were looked for.
            let most = usize::from(room.height).saturating_sub(lines.len() + CHOICES.len() + 2).max(1);
            for place in first.looked_at.iter().take(most) {
                lines.push(Line::from(span(format!("  {}", scrub(place)), Role::Dim)));
            }
            if first.looked_at.len() > most {
                lines.push(Line::from(span(format!("  and {} more", first.looked_at.len() - most), Role::Dim)));
            }
            lines.push(Line::raw(""));
            for (place, (name, help)) in CHOICES.iter().enumerate() {
                let is_here = place == first.selected;
                let mark = if is_here { "▸" } else { " " };
                let role = if is_here { Role::Selected } else { Role::Normal };
                let text = format!("{mark} {}  {name:<14}{help}", place + 1);
                lines.push(Line::from(span(format!("{text:<width$}", width = usize::from(room.width)), role)));
            }
            lines.push(Line::raw(""));
            lines.push(Line::from(span(format!("A configuration would be {}", scrub(&first.config)), Role::Dim)));
        }
        Page::Places => {
            lines.push(Line::from(span("What is there to watch?".into(), Role::Normal)));
            lines.push(Line::raw(""));
            let height = usize::from(room.height).saturating_sub(lines.len() + 2).max(1);
            let offset = (first.selected + 1).saturating_sub(height);
            for (place, kind) in first.kinds.iter().enumerate().skip(offset).take(height) {
                let is_here = place == first.selected;
                let mark = if is_here { "▸" } else { " " };
                let role = if is_here { Role::Selected } else { Role::Normal };
                let text = format!("{mark} {:<18}{}", kind.flag.trim_start_matches('-'), kind.help);
                let text = crate::model::text::fit(&text, usize::from(room.width)).into_owned();
                lines.push(Line::from(span(format!("{text:<width$}", width = usize::from(room.width)), role)));
            }
        }
        Page::Typing(kind, input) => {
            if let Some(kind) = first.kinds.get(*kind) {
                lines.push(Line::from(span(kind.help.to_owned(), Role::Normal)));
                lines.push(Line::raw(""));
                let prompt = format!("{}: ", kind.value);
                let at = prompt.len() + input.visual_cursor();
                cursor = Some((room.x + u16::try_from(at).unwrap_or(0), room.y + 4));
                lines.push(Line::from(vec![
                    span(prompt, Role::Accent),
                    span(scrub(input.value()).into_owned(), Role::Title),
                ]));
                lines.push(Line::raw(""));
                match &first.error {
                    Some(error) => lines.push(Line::from(span(scrub(error).into_owned(), Role::Dead))),
                    None => lines.push(Line::from(span("Enter watches it, Esc goes back".into(), Role::Dim))),
                }
            }
        }
        Page::Docs => {
            let line = |text: &str| Line::from(span(text.to_owned(), Role::Normal));
            lines.extend(DOCS[0].iter().map(|text| line(text)));
            for kind in first.kinds.iter().take(2) {
                lines.push(line(&format!("    {} = \"{}\"", kind.setting, kind.value)));
            }
            lines.push(line(""));
            lines.extend(DOCS[1].iter().map(|text| line(text)));
            lines.push(Line::raw(""));
            lines.push(Line::from(span("Esc goes back".into(), Role::Dim)));
        }
    }
    // What went wrong is said whole; anything else is cut.
    let page = Paragraph::new(lines);
    let page = if first.error.is_some() { page.wrap(Wrap { trim: false }) } else { page };
    frame.render_widget(page, room);
    if let Some((x, y)) = cursor {
        frame.set_cursor_position((x.min(room.right().saturating_sub(1)), y.min(area.bottom().saturating_sub(1))));
    }
    if !caps.unicode {
        glyphs::to_ascii(frame.buffer_mut());
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::app::first::PlaceKind;

    #[test]
    fn the_choices_are_on_screen_at_every_size() {
        let kinds = vec![PlaceKind { flag: "--place", setting: "place", value: "PATH", help: "a database" }];
        let looked_at = (0..30).map(|n| format!("/home/me/place-{n}")).collect();
        let first = First::new(looked_at, "/home/me/.config/lockkeeper/config.toml".into(), kinds);
        for (width, height) in [(40, 12), (80, 24), (200, 50)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            let caps = TermCaps { depth: Depth::True, unicode: true };
            terminal.draw(|frame| draw(&first, "dark", caps, frame)).unwrap();
            let text = terminal.backend().to_string();
            assert!(text.contains("▸ 1  see the demo") && text.contains("4  quit"), "{text}");
        }
    }
}
