//! The hints of the demo: one quiet line at a time, which goes on when the operator did what it says. Pure.

/// Every hint, in the order of the story. Each fits beside its key on 80 columns.
pub const TEXTS: [&str; 7] = [
    "simulated: nothing of yours is touched. Soon a node falls silent",
    "the worst stands on top: Enter opens it, with its evidence",
    "8 shows who waits for whom, and deadlocks",
    "3 lists the locks: select an orphaned one, and press x",
    "read what would happen: y runs it, Esc leaves it undone",
    "9 has everything that was done, and how it ended",
    "Ctrl-P finds anything by name, ? lists all keys, q leaves",
];

/// Where one is among the hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    at: usize,
}

impl Hints {
    /// Which one is shown.
    #[must_use]
    pub fn at(self) -> usize {
        self.at.min(TEXTS.len() - 1)
    }

    /// What is said now.
    #[must_use]
    pub fn text(self) -> &'static str {
        TEXTS[self.at()]
    }

    /// The one after it; the last one stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self { at: (self.at + 1).min(TEXTS.len() - 1) }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_last(self) -> bool {
        self.at() + 1 == TEXTS.len()
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent};

    use super::*;
    use crate::app::App;
    use crate::app::update::update;
    use crate::app::{Effect, Event};
    use crate::testing::{NOW, mesh, options, snapshot};

    #[test]
    fn hints_go_on_as_they_are_followed_and_are_remembered_at_the_end() {
        let mut app = App::new(options(), NOW);
        app.hints = Some(Hints::default());
        let press = |app: &mut App, code| update(app, Event::Key(KeyEvent::from(code)));
        assert!(app.hints.unwrap().text().contains("simulated"));
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        assert!(app.hints.unwrap().text().contains("worst"));
        press(&mut app, KeyCode::Enter);
        assert!(app.hints.unwrap().text().starts_with("8 "));
        for key in ['8', '3', 'x'] {
            press(&mut app, KeyCode::Char(key));
        }
        assert!(app.hints.unwrap().text().contains("y runs it"), "{:?}", app.overlay);
        press(&mut app, KeyCode::Esc);
        let effects = press(&mut app, KeyCode::Char('9'));
        assert!(effects.contains(&Effect::HintsSeen) && app.hints.unwrap().is_last());
        press(&mut app, KeyCode::Char('H'));
        assert_eq!(app.hints, None);
    }

    #[test]
    fn they_are_closed_by_a_key_and_stay_closed() {
        let mut app = App::new(options(), NOW);
        app.hints = Some(Hints::default());
        let effects = update(&mut app, Event::Key(KeyEvent::from(KeyCode::Char('H'))));
        assert_eq!((effects.contains(&Effect::HintsSeen), app.hints), (true, None));
    }
}
