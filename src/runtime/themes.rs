//! `lockkeeper themes`: each theme, drawn with its own colours.

use crate::app::theme::{Rgb, Theme, coloured};
use crate::settings::themes::FoundThemes;
use crate::ui::theme::Depth;

/// A line for each theme; on a terminal without 24 bits of colour, its name.
#[must_use]
pub fn preview(found: &FoundThemes, color: bool) -> String {
    use std::io::IsTerminal as _;
    let has_colors = || Depth::of_terminal(|name| std::env::var(name).ok()) == Depth::True;
    listed(found, color && std::io::stdout().is_terminal() && has_colors())
}

fn listed(found: &FoundThemes, color: bool) -> String {
    let mut out = String::new();
    let width = found.themes.iter().map(|theme| theme.name.len()).max().unwrap_or(0);
    for theme in found.themes.iter() {
        let name = format!("{:<width$}", theme.name);
        out.push_str(&if color { line(theme, &name) } else { name.trim_end().to_owned() });
        out.push('\n');
    }
    for (path, why) in &found.wrong {
        out.push_str(&crate::model::text::scrub(&format!("{}: {why}", path.display())));
        out.push('\n');
    }
    if let Some(folder) = &found.folder {
        out.push_str(&crate::model::text::scrub(&format!("your own: {}/NAME.toml", folder.display())));
        out.push('\n');
    }
    out
}

/// The meanings of a theme, each word in its colour, on the theme's ground.
fn line(theme: &Theme, name: &str) -> String {
    let ground = theme.ground.map(|ground| sgr(48, ground)).unwrap_or_default();
    let text = theme.text.map(|text| sgr(38, text)).unwrap_or_default();
    let mut out = format!("{ground}{text} {name}  ");
    for role in coloured() {
        let word = format!("{role:?}").to_lowercase();
        let tone = theme.tone(role).map_or_else(|| text.clone(), |tone| sgr(38, tone));
        out.push_str(&format!("{tone}{word} "));
    }
    let selected = theme.selected.map_or_else(|| "\x1b[7m".to_owned(), |selected| sgr(48, selected));
    format!("{out}{text}{selected} selected \x1b[0m")
}

/// The sequence for a colour of 24 bits: 38 for text, 48 for what it stands on.
fn sgr(of: u8, Rgb(r, g, b): Rgb) -> String {
    format!("\x1b[{of};2;{r};{g};{b}m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_has_a_line_and_no_colour_where_none_is_wanted() {
        let found = FoundThemes::default();
        let plain = listed(&found, false);
        assert_eq!(plain.lines().collect::<Vec<_>>(), ["dark", "light", "contrast", "dusk", "forest", "paper", "mono"]);
        let colored = listed(&found, true);
        assert_eq!(colored.lines().count(), 7);
        assert!(colored.contains("\u{1b}[38;2;255;107;94"), "dead in the dark theme");
    }
}
