//! The first screen: nothing is configured and nothing was found. It says what was looked for, and what can be done. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;

use super::update::edit;

/// A kind of place that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceKind {
    /// The flag of the command line, with its dashes.
    pub flag: &'static str,
    /// The setting that says the same.
    pub setting: &'static str,
    /// What is written after it.
    pub value: &'static str,
    pub help: &'static str,
}

/// What can be done.
pub const CHOICES: [(&str, &str); 4] = [
    ("see the demo", "a simulated mesh with a story; nothing of yours is touched"),
    ("connect", "name a database, control plane, project, realm or cluster"),
    ("read", "how to configure it, and where the documentation is"),
    ("quit", ""),
];

/// What stands on the page that is read, before an example and after it.
pub const DOCS: [&[&str]; 2] = [
    &[
        "lockkeeper --help          every flag and command",
        "lockkeeper keys            every key",
        "lockkeeper man | man -l -  the manual page",
        "lockkeeper config          every setting, its value and where that comes from",
        "",
        "To watch the same places every time, write them into the configuration file:",
        "",
    ],
    &[
        "The guide, the settings and how each system is read are in the folder docs of",
        "the sources; docs/guide.md is the place to begin.",
    ],
];

/// Where one is.
#[derive(Debug, Clone)]
pub enum Page {
    Choices,
    Places,
    /// A place of this kind is being named.
    Typing(usize, Input),
    Docs,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    Quit,
    Demo,
    Connect { flag: &'static str, value: String },
}

/// The screen.
#[derive(Debug, Clone)]
pub struct First {
    pub looked_at: Vec<String>,
    /// Where a configuration would be.
    pub config: String,
    pub kinds: Vec<PlaceKind>,
    pub page: Page,
    pub selected: usize,
    /// Why what was named cannot be watched.
    pub error: Option<String>,
}

impl First {
    /// The screen as it begins.
    #[must_use]
    pub fn new(looked_at: Vec<String>, config: String, kinds: Vec<PlaceKind>) -> Self {
        Self { looked_at, config, kinds, page: Page::Choices, selected: 0, error: None }
    }

    /// A key; what was chosen by it.
    pub fn key(&mut self, key: KeyEvent) -> Option<Chosen> {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(Chosen::Quit);
        }
        let last = match &self.page {
            Page::Choices => CHOICES.len(),
            Page::Places => self.kinds.len(),
            Page::Typing(..) | Page::Docs => 1,
        }
        .saturating_sub(1);
        match (&mut self.page, key.code) {
            (Page::Typing(kind, input), code) => match code {
                KeyCode::Esc => (self.selected, self.page) = (*kind, Page::Places),
                KeyCode::Enter if !input.value().trim().is_empty() => {
                    let (flag, value) = (self.kinds.get(*kind)?.flag, input.value().trim().to_owned());
                    return Some(Chosen::Connect { flag, value });
                }
                _ => {
                    edit(input, key);
                    self.error = None;
                }
            },
            (Page::Choices, KeyCode::Char('q')) => return Some(Chosen::Quit),
            (Page::Choices, KeyCode::Char(n @ '1'..='4')) => {
                self.selected = usize::try_from(u32::from(n) - u32::from('1')).unwrap_or(0);
                return self.open();
            }
            (Page::Docs | Page::Places, KeyCode::Esc | KeyCode::Char('q') | KeyCode::Left) => {
                (self.selected, self.page) = (0, Page::Choices);
            }
            (Page::Docs, KeyCode::Enter) => (self.selected, self.page) = (0, Page::Choices),
            (_, KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab) => self.selected = (self.selected + 1).min(last),
            (_, KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab) => self.selected = self.selected.saturating_sub(1),
            (_, KeyCode::Enter | KeyCode::Right) => return self.open(),
            _ => {}
        }
        None
    }

    fn open(&mut self) -> Option<Chosen> {
        match (&self.page, self.selected) {
            (Page::Choices, 0) => return Some(Chosen::Demo),
            (Page::Choices, 1) => (self.selected, self.page) = (0, Page::Places),
            (Page::Choices, 2) => self.page = Page::Docs,
            (Page::Choices, _) => return Some(Chosen::Quit),
            (Page::Places, kind) => self.page = Page::Typing(kind, Input::default()),
            (Page::Typing(..) | Page::Docs, _) => {}
        }
        None
    }

    /// What was pasted, where something is typed.
    pub fn paste(&mut self, text: &str) {
        if let Page::Typing(_, input) = &mut self.page {
            for c in text.chars().take_while(|c| *c != '\n') {
                edit(input, KeyEvent::from(KeyCode::Char(c)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> First {
        let kind = |flag| PlaceKind { flag, setting: "place", value: "PATH", help: "a place" };
        First::new(vec!["/a".into()], "/c".into(), vec![kind("--db"), kind("--harn")])
    }

    fn press(first: &mut First, keys: &str) -> Option<Chosen> {
        let code = |c| match c {
            '\r' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        keys.chars().filter_map(|c| first.key(KeyEvent::from(code(c)))).last()
    }

    #[test]
    fn a_place_is_named_and_what_is_wrong_with_it_stays_until_more_is_typed() {
        let mut first = first();
        let chosen = press(&mut first, "j\rj\r/tmp/tree\r");
        assert_eq!(chosen, Some(Chosen::Connect { flag: "--harn", value: "/tmp/tree".into() }));
        first.error = Some("no such folder".into());
        press(&mut first, "x");
        assert_eq!(first.error, None);
        assert_eq!(press(&mut first, "\x1b\x1b"), None);
        assert!(matches!(first.page, Page::Choices));
        assert_eq!(press(&mut first, "2\r\r"), None, "nothing was typed");
    }

    #[test]
    fn the_demo_the_docs_and_the_way_out_are_one_key_away() {
        assert_eq!(press(&mut first(), "\r"), Some(Chosen::Demo));
        assert_eq!(press(&mut first(), "1"), Some(Chosen::Demo));
        let mut first = first();
        assert_eq!(press(&mut first, "3"), None);
        assert!(matches!(first.page, Page::Docs));
        assert_eq!(press(&mut first, "qq"), Some(Chosen::Quit));
    }
}
