//! Terminals without Unicode: every glyph that is drawn has a stand-in in ASCII.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

/// Whether the terminal's locale says that it shows UTF-8.
pub fn terminal_has_unicode(env: impl Fn(&str) -> Option<String>) -> bool {
    if matches!(env("TERM").as_deref(), Some("linux" | "dumb" | "vt100" | "vt220")) {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(|v| !v.is_empty()));
    match locale {
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        // Nobody said: systems without a locale show it.
        None => !crate::os::HAS_LOCALE,
    }
}

/// Replaces what is beyond ASCII in a drawn frame.
pub fn to_ascii(buffer: &mut Buffer) {
    let mut covered = 0;
    for cell in &mut buffer.content {
        // The cell behind a wide character is covered by it.
        if covered > 0 {
            covered -= 1;
            cell.set_char(' ');
            continue;
        }
        if !cell.symbol().is_ascii() {
            covered = cell.symbol().width().saturating_sub(1);
            let c = cell.symbol().chars().next().unwrap_or('?');
            cell.set_char(stand_in(c));
        }
    }
}

/// The same for a text that goes elsewhere: a title, a notification.
#[must_use]
pub fn in_ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { stand_in(c) }).collect()
}

fn stand_in(c: char) -> char {
    match c {
        '●' => 'o',
        '◐' => 'w',
        '▲' => '!',
        '■' => 'C',
        '✖' => 'X',
        '○' => '0',
        '✓' => 'v',
        '·' => '.',
        '…' => '~',
        '│' | '║' | '┃' | '▐' | '▌' => '|',
        '─' | '━' => '-',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╭' | '╮' | '╰' | '╯' => '+',
        '█' | '▓' => '#',
        '░' => ':',
        '▇' | '▆' | '▅' => '=',
        '▄' | '▃' => '-',
        '▂' | '▁' => '_',
        '→' | '▸' | '›' => '>',
        '◂' => '<',
        '▪' => '#',
        '✂' => '%',
        '≥' => '>',
        '↓' => 'v',
        '↑' => '^',
        '×' => 'x',
        '▀' | '▘' | '▝' | '▖' | '▗' | '▙' | '▛' | '▜' | '▟' | '▚' | '▞' => '#',
        '◜' => '|',
        '◝' => '/',
        '◞' => '-',
        '◟' => '\\',
        '┏' | '┓' | '┗' | '┛' => '+',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every glyph that the program itself writes, by its sources: literals outside of comments and tests.
    fn written() -> std::collections::BTreeSet<char> {
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut found = std::collections::BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let is_code = path.extension().is_some_and(|end| end == "rs");
                if !is_code || path.ends_with("testing.rs") || path.to_string_lossy().contains("tests") {
                    continue;
                }
                let text = std::fs::read_to_string(path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
                found.extend(lines.flat_map(str::chars).filter(|c| !c.is_ascii()));
            }
        }
        found
    }

    #[test]
    fn every_glyph_has_a_stand_in() {
        let written = written();
        assert!(written.len() > 30, "{written:?}");
        let lacking: Vec<char> = written.into_iter().filter(|c| stand_in(*c) == '?').collect();
        assert!(lacking.is_empty(), "no stand-in in ASCII for {lacking:?}");
    }
}
