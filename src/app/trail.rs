//! Where one was, and where one came back from. Pure.

use super::view_id::ViewId;
use super::workspace::Key;

/// Places that are remembered.
const PLACES: usize = 100;

/// Where one is: a view, and what is inspected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub view: ViewId,
    pub inspected: Option<(ViewId, Key)>,
}

/// The way here, and the way one came back.
#[derive(Debug, Default)]
pub struct Trail {
    past: Vec<Place>,
    future: Vec<Place>,
}

impl Trail {
    /// How many places lie behind, and how many before.
    #[must_use]
    pub fn depth(&self) -> (usize, usize) {
        (self.past.len(), self.future.len())
    }

    /// Goes on from a place to another one.
    pub fn leave(&mut self, place: Place) {
        self.future.clear();
        self.past.push(place);
        let beyond = self.past.len().saturating_sub(PLACES);
        self.past.drain(..beyond);
    }

    /// The place before, or the one after; nothing where there is none.
    pub fn travel(&mut self, back: bool, here: Place) -> Option<Place> {
        let (from, to) = if back { (&mut self.past, &mut self.future) } else { (&mut self.future, &mut self.past) };
        let place = from.pop()?;
        to.push(here);
        Some(place)
    }
}
