//! Keys to commands, read from the one table.

use std::collections::HashMap;

use crokey::KeyCombination;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::command::{COMMANDS, Command};

/// Which command each key stands for.
#[derive(Debug)]
pub struct Keymap(HashMap<KeyCombination, Command>);

impl Default for Keymap {
    fn default() -> Self {
        let mut map = HashMap::new();
        for info in COMMANDS {
            for key in info.keys {
                if let Some(combination) = parse(key) {
                    map.insert(combination.normalized(), info.command);
                }
            }
        }
        Self(map)
    }
}

impl Keymap {
    /// The command of a key press.
    #[must_use]
    pub fn command(&self, key: KeyEvent) -> Option<Command> {
        let mut key = key;
        // Terminals tell shift with a letter that shows it already, and with a symbol that needs it.
        if let KeyCode::Char(c) = key.code {
            key.modifiers.remove(KeyModifiers::SHIFT);
            if c.is_uppercase() {
                key.modifiers.insert(KeyModifiers::SHIFT);
            }
        }
        if key.code == KeyCode::BackTab {
            key.modifiers.remove(KeyModifiers::SHIFT);
        }
        self.0.get(&KeyCombination::from(key).normalized()).copied()
    }
}

fn parse(text: &str) -> Option<KeyCombination> {
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        return Some(KeyCombination::from(KeyEvent::new(KeyCode::Char(c), shift)));
    }
    if text == "backtab" {
        return Some(KeyCombination::from(KeyEvent::new(KeyCode::BackTab, KeyModifiers::NONE)));
    }
    crokey::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_is_read_and_stands_for_one_command() {
        let mut seen = HashMap::new();
        for info in COMMANDS {
            for key in info.keys {
                let combination = parse(key).unwrap_or_else(|| panic!("{key} is no key")).normalized();
                assert_eq!(seen.insert(combination, info.command), None, "{key} is bound twice");
                for c in ["[", "]", "{", "}", "\\", "@"] {
                    assert_ne!(*key, c, "{key} cannot be typed on every keyboard");
                }
            }
        }
    }

    #[test]
    fn keys_as_terminals_send_them() {
        let map = Keymap::default();
        let press = |code, modifiers| map.command(KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Command::Bottom));
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::NONE), Some(Command::Bottom));
        assert_eq!(press(KeyCode::Char('g'), KeyModifiers::NONE), Some(Command::Top));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Command::Help));
        assert_eq!(press(KeyCode::Char(':'), KeyModifiers::SHIFT), Some(Command::Palette));
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Command::PreviousView));
        assert_eq!(press(KeyCode::Char('p'), KeyModifiers::CONTROL), Some(Command::Palette));
        assert_eq!(press(KeyCode::Char(' '), KeyModifiers::NONE), Some(Command::Mark));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Command::Leave));
    }
}
