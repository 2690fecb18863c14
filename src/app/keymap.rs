//! Keys to commands, read from the one table.

use std::collections::HashMap;

use crokey::KeyCombination;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::command::{COMMANDS, Command, CommandInfo};
use super::own::OwnCommand;

/// Which command each key stands for.
#[derive(Debug, Clone)]
pub struct Keymap {
    commands: HashMap<KeyCombination, Command>,
    /// Keys as they are written, of those commands that have others than at first.
    changed: HashMap<Command, Vec<String>>,
    /// The operator's own commands, by their places.
    own: HashMap<KeyCombination, usize>,
}

/// Keys that a configuration gives to a command: its name, the keys, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub command: String,
    pub keys: Vec<String>,
    pub place: String,
}

/// A binding that cannot be: where it stands, what is wrong with it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}; {todo}")]
pub struct Conflict {
    pub place: String,
    pub what: String,
    pub todo: String,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::with(&[]).unwrap_or(Self { commands: HashMap::new(), changed: HashMap::new(), own: HashMap::new() })
    }
}

impl Keymap {
    /// The table's keys, but for those commands that are given others. A key stands for one command only.
    pub fn with(bindings: &[Binding]) -> Result<Self, Conflict> {
        let mut changed: HashMap<Command, &Binding> = HashMap::new();
        for binding in bindings {
            let Some(info) = COMMANDS.iter().find(|info| info.name == binding.command) else {
                let what = format!("there is no command \"{}\"", crate::model::text::scrub(&binding.command));
                let todo = "`lockkeeper keys` lists every command; one of two words is written \"in quotes\"".into();
                return Err(Conflict { place: binding.place.clone(), what, todo });
            };
            if binding.keys.is_empty() && matches!(info.command, Command::Palette | Command::Leave) {
                let what = format!("{} would have no key", info.name);
                return Err(Conflict { place: binding.place.clone(), what, todo: "leave it one".into() });
            }
            changed.insert(info.command, binding);
        }
        let mut commands: HashMap<KeyCombination, &CommandInfo> = HashMap::new();
        for info in COMMANDS {
            let binding = changed.get(&info.command);
            let keys: Vec<&str> = match binding {
                Some(binding) => binding.keys.iter().map(String::as_str).collect(),
                None => info.keys.to_vec(),
            };
            for key in keys {
                let place = || {
                    let mine = binding.map(|binding| binding.place.clone());
                    mine.unwrap_or_else(|| format!("the key of {}", info.name))
                };
                let Some(combination) = parse(key) else {
                    let what = format!("\"{}\" is no key", crate::model::text::scrub(key));
                    let todo = "write keys as `lockkeeper keys` does, e.g. x, G, ctrl-d, pagedown, f5".into();
                    return Err(Conflict { place: place(), what, todo });
                };
                if let Some(other) = commands.insert(combination.normalized(), info)
                    && other.command != info.command
                {
                    // The one that was changed is named: the other one was there first.
                    let (mine, place) = match (binding, changed.get(&other.command)) {
                        (None, Some(theirs)) => (other, theirs.place.clone()),
                        _ => (info, place()),
                    };
                    let theirs = if mine.command == info.command { other } else { info };
                    let what = format!("{key} stands for \"{}\" already", theirs.name);
                    let todo = format!(
                        "choose another key for \"{}\", or give \"{}\" another one in [keys]",
                        mine.name, theirs.name
                    );
                    return Err(Conflict { place, what, todo });
                }
            }
        }
        let commands = commands.into_iter().map(|(key, info)| (key, info.command)).collect();
        let changed = changed.into_iter().map(|(command, binding)| (command, binding.keys.clone())).collect();
        Ok(Self { commands, changed, own: HashMap::new() })
    }

    /// The same with keys for the operator's own commands. No key stands for two things.
    pub fn with_own(mut self, own: &[OwnCommand]) -> Result<Self, Conflict> {
        for (at, command) in own.iter().enumerate() {
            let Some(key) = &command.key else { continue };
            let title = crate::model::text::scrub(&command.title);
            let refused =
                |what: String, todo: &str| Conflict { place: command.place.clone(), what, todo: todo.to_owned() };
            let Some(combination) = parse(key) else {
                let what = format!("\"{}\" is no key", crate::model::text::scrub(key));
                return Err(refused(what, "write one as `lockkeeper keys` does, e.g. f10 or ctrl-g"));
            };
            let combination = combination.normalized();
            let built_in = self.commands.get(&combination);
            let name = built_in
                .and_then(|known| COMMANDS.iter().find(|info| info.command == *known))
                .map(|info| info.name.to_owned());
            let other = name.or_else(|| self.own.get(&combination).map(|at| own[*at].title.clone()));
            if let Some(other) = other {
                let what = format!("{key} stands for \"{}\" already", crate::model::text::scrub(&other));
                return Err(refused(what, &format!("choose another key for \"{title}\"")));
            }
            self.own.insert(combination, at);
        }
        Ok(self)
    }

    /// The operator's own command of a key press, by its place.
    #[must_use]
    pub fn own(&self, key: KeyEvent) -> Option<usize> {
        self.own.get(&combination(key)).copied()
    }

    /// The keys of a command, as they are written; the first one is shown in hints.
    #[must_use]
    pub fn keys(&self, info: &CommandInfo) -> Vec<String> {
        let own = || info.keys.iter().map(|key| (*key).to_owned()).collect();
        self.changed.get(&info.command).cloned().unwrap_or_else(own)
    }

    /// The command of a key press.
    #[must_use]
    pub fn command(&self, key: KeyEvent) -> Option<Command> {
        self.commands.get(&combination(key)).copied()
    }
}

/// A key press as keys are written.
fn combination(mut key: KeyEvent) -> KeyCombination {
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
    KeyCombination::from(key).normalized()
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

/// The keys and commands, as `lockkeeper keys` prints them.
#[must_use]
pub fn listing(keymap: &Keymap, own: &[OwnCommand]) -> String {
    let mut out = String::new();
    for info in COMMANDS {
        let keys = keymap.keys(info);
        let keys = if keys.is_empty() { "(palette)".into() } else { keys.join(", ") };
        out.push_str(&format!("{keys:<18} {:<18} {}\n", info.name, info.help));
    }
    for command in own {
        let line =
            format!("{:<18} {}: {}", command.key.as_deref().unwrap_or("(palette)"), command.title, command.line());
        out.push_str(&format!("{}\n", crate::model::text::scrub(&line)));
    }
    out.push_str("\nEvery command is in the palette (:), where `theme NAME`, `interval SPAN`, `acknowledge SPAN`, `at TIME`, `repo ID` and `mesh NAME` work too.\n");
    out
}

/// The same as a page of the docs.
#[must_use]
pub fn docs_page() -> String {
    let mut out = String::from(
        "# Keys\n\nMade from the program's own table (`lockkeeper keys`).\n\n| keys | command | what it does |\n|---|---|---|\n",
    );
    for info in COMMANDS {
        let keys: Vec<String> = info.keys.iter().map(|k| format!("`{k}`")).collect();
        let keys = if keys.is_empty() { "palette".into() } else { keys.join(" ") };
        out.push_str(&format!("| {keys} | {} | {} |\n", info.name, info.help));
    }
    out.push_str("\nEvery command is in the palette (`:`), where `theme NAME`, `interval SPAN`, `acknowledge SPAN`, `repo ID` and `mesh NAME` work too.\n");
    out
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
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Command::PreviousPanel));
        assert_eq!(press(KeyCode::Char('p'), KeyModifiers::CONTROL), Some(Command::Find));
        assert_eq!(press(KeyCode::Char(' '), KeyModifiers::NONE), Some(Command::Mark));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Command::Leave));
    }

    fn binding(command: &str, keys: &[&str]) -> Binding {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Binding { command: command.into(), keys, place: "c.toml:3".into() }
    }

    #[test]
    fn keys_can_be_given_to_other_commands() {
        let map = Keymap::with(&[binding("release", &["f12", "X"]), binding("reverse sort", &[])]).unwrap();
        let press = |code| map.command(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(press(KeyCode::F(12)), Some(Command::Release));
        assert_eq!(press(KeyCode::Char('X')), Some(Command::Release));
        assert_eq!((press(KeyCode::Char('x')), press(KeyCode::Char('S'))), (None, None));
        let release = COMMANDS.iter().find(|info| info.command == Command::Release).unwrap();
        assert_eq!(map.keys(release), ["f12", "X"]);
        // Two commands may change places.
        assert!(Keymap::with(&[binding("sort", &["S"]), binding("reverse sort", &["s"])]).is_ok());
    }

    #[rstest::rstest]
    #[case(&[binding("release", &["s"])], "c.toml:3: s stands for \"sort\" already; choose another key for \"release\"")]
    #[case(&[binding("quit", &["j"])], "c.toml:3: j stands for \"down\" already")]
    #[case(&[binding("relase", &["s"])], "there is no command \"relase\"")]
    #[case(&[binding("release", &["hyper-q"])], "\"hyper-q\" is no key")]
    #[case(&[binding("leave", &[])], "leave would have no key")]
    fn a_wrong_binding_is_refused(#[case] bindings: &[Binding], #[case] text: &str) {
        let conflict = Keymap::with(bindings).unwrap_err().to_string();
        assert!(conflict.contains(text), "{conflict}");
    }
}
