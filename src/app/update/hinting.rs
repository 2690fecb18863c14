//! What an operator has to do for the demo's next hint.

use super::super::hints::TEXTS;
use super::super::overlay::Overlay;
use super::super::view_id::ViewId;
use super::super::{App, Effect};
use crate::app::status::open;

/// Whether each hint was followed.
const DONE: [fn(&App) -> bool; TEXTS.len()] = [
    |app| open(&app.workspace) != (0, 0),
    |app| matches!(app.overlay, Some(Overlay::Inspector(_))),
    |app| app.view == ViewId::Waits,
    |app| matches!(app.overlay, Some(Overlay::Preview(_))),
    |app| !matches!(app.overlay, Some(Overlay::Preview(_))),
    |app| app.view == ViewId::Journal,
    |_| false,
];

impl App {
    /// Goes on where a hint was followed. The last one is remembered as the end.
    pub(super) fn advance_hints(&mut self) -> Option<Effect> {
        let hints = self.hints.filter(|hints| DONE[hints.at()](self))?;
        let next = hints.next();
        self.hints = Some(next);
        next.is_last().then_some(Effect::HintsSeen)
    }
}
