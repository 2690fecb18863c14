//! The finder, and the way back to where one was.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::find::find;
use super::super::overlay::{Finder, Inspector, Overlay};
use super::super::trail::Place;
use super::super::{App, Effect};
use super::overlays::{choice_step, next_choice};
use crate::columns::role::Role;

impl App {
    /// Where one is now.
    pub(super) fn place(&self) -> Place {
        let inspected = match &self.overlay {
            Some(Overlay::Inspector(inspector)) => Some((inspector.view, inspector.key.clone())),
            _ => None,
        };
        Place { view: self.view, inspected }
    }

    /// Remembers where one was, if that is elsewhere.
    pub(super) fn left(&mut self, before: Place) {
        // A dialog over a place is no other place, and closing what was opened there is going back.
        let closed = self.place().inspected.is_none() && before.inspected.is_some() && self.view == before.view;
        if before == self.place() || closed {
            return;
        }
        self.trail.leave(before);
    }

    /// Goes to where one was before, or forward again.
    pub(super) fn travel(&mut self, back: bool) {
        let here = self.place();
        let Some(place) = self.trail.travel(back, here) else {
            self.toast(if back { "this is where it began" } else { "this is the newest place" }, Role::Dim);
            return;
        };
        self.overlay = None;
        self.show(place.view);
        if let Some((view, key)) = place.inspected {
            self.overlay = Some(Overlay::Inspector(Inspector::on(view, key)));
        }
    }

    /// Opens the finder.
    pub(super) fn open_finder(&mut self) {
        self.overlay = Some(Overlay::Find(Finder::default()));
    }

    /// Looks for what is typed now.
    pub(super) fn find_typed(&mut self) {
        let Some(Overlay::Find(finder)) = &mut self.overlay else { return };
        finder.found = find(&self.workspace, finder.input.value());
        finder.selected = 0;
    }

    /// Keys in the finder: they are typed, but for those that choose.
    pub(super) fn type_finder(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(Overlay::Find(finder)) = &mut self.overlay else { return Vec::new() };
        if let Some(by) = choice_step(key) {
            finder.selected = next_choice(finder.selected, by, finder.found.len());
            return Vec::new();
        }
        match key.code {
            KeyCode::Esc => self.overlay = None,
            KeyCode::Enter => {
                let at = finder.selected;
                self.go_to_found(at);
            }
            _ => {
                super::edit(&mut finder.input, key);
                self.find_typed();
            }
        }
        Vec::new()
    }

    /// Goes to one of the things that were found.
    pub(super) fn go_to_found(&mut self, at: usize) {
        let Some(Overlay::Find(finder)) = &self.overlay else { return };
        let Some((view, key)) = finder.found.get(at).map(|found| found.thing.clone()) else { return };
        self.overlay = None;
        self.follow(view, key);
    }
}
