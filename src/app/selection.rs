//! What is selected on the overview, and how one gets from line to line and from panel to panel.

use strum::IntoEnumIterator as _;

use super::App;
use super::overview::{Item, Panel, Selection, count, items, keys};
use super::view_id::ViewId;
use super::workspace::Key;

impl App {
    /// The selected line among those of its panel.
    #[must_use]
    pub fn overview_cursor(&self, items: &[Item]) -> Option<usize> {
        let selected = &self.overview;
        let place = selected.thing.as_ref().and_then(|thing| items.iter().position(|item| item.thing == *thing));
        (!items.is_empty()).then(|| place.unwrap_or(selected.place).min(items.len() - 1))
    }

    /// The thing that is selected on the overview.
    #[must_use]
    pub fn overview_thing(&self) -> Option<(ViewId, Key)> {
        let panel = self.overview.panel;
        if self.workspace.is_several() {
            let items = items(&self.workspace, panel, self.shown_ms());
            return Some(items[self.overview_cursor(&items)?].thing.clone());
        }
        // Asked for by every frame, and for each action: nothing is made of what is not selected.
        let (mesh, snapshot) = self.workspace.snapshots().next()?;
        if let Some((view, key)) = &self.overview.thing
            && keys(snapshot, panel).any(|(_, known)| known == key.key)
        {
            return Some((*view, key.clone()));
        }
        let last = count(&self.workspace, panel).0.checked_sub(1)?;
        let (view, key) = keys(snapshot, panel).nth(self.overview.place.min(last))?;
        Some((view, Key::new(mesh, key)))
    }

    /// Moves within the panel.
    pub(super) fn overview_step(&mut self, by: isize) {
        let items = items(&self.workspace, self.overview.panel, self.shown_ms());
        let Some(at) = self.overview_cursor(&items) else { return };
        self.overview.place = at.saturating_add_signed(by).min(items.len() - 1);
        self.overview.thing = Some(items[self.overview.place].thing.clone());
    }

    /// Goes to the next panel that has lines, or to the one before. Answers whether there was one on that side.
    pub(super) fn overview_panel(&mut self, forward: bool) -> bool {
        let has = |panel: &Panel| count(&self.workspace, *panel).0 > 0;
        let here = self.overview.panel as usize;
        let next =
            if forward { Panel::iter().skip(here + 1).find(has) } else { Panel::iter().take(here).rev().find(has) };
        if let Some(panel) = next {
            self.overview = Selection { panel, ..Selection::default() };
        }
        next.is_some()
    }

    /// Selects a thing of a panel. Answers whether it was selected already.
    pub(super) fn overview_select(&mut self, panel: Panel, thing: (ViewId, Key)) -> bool {
        let items = items(&self.workspace, panel, self.shown_ms());
        let place = items.iter().position(|item| item.thing == thing).unwrap_or(0);
        let was = self.overview.panel == panel && self.overview_cursor(&items) == Some(place);
        self.overview = Selection { panel, thing: Some(thing), place };
        was
    }
}
