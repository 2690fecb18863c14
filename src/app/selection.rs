//! What is selected on the overview, and how one gets from line to line and from panel to panel.

use strum::IntoEnumIterator as _;

use super::App;
use super::overview::{Panel, Selection, count, row_at, thing_at, things};
use super::view_id::ViewId;
use super::workspace::{Key, Row};

impl App {
    /// The things of the selected panel. Every frame asks, and each action: no more is made than is taken.
    fn overview_things(&self) -> impl Iterator<Item = (ViewId, Key)> + '_ {
        things(&self.workspace, self.overview.panel, self.shown_ms())
    }

    /// The selected line in its panel.
    #[must_use]
    pub fn overview_cursor(&self) -> Option<usize> {
        let last = count(&self.workspace, self.overview.panel).0.checked_sub(1)?;
        let selected = self.overview.thing.as_ref();
        // It is nearly always where it was.
        if selected.is_some() && self.overview_thing_at(self.overview.place).as_ref() == selected {
            return Some(self.overview.place.min(last));
        }
        let place = selected.and_then(|selected| self.overview_things().position(|thing| thing == *selected));
        Some(place.unwrap_or(self.overview.place).min(last))
    }

    /// The thing that is selected on the overview.
    #[must_use]
    pub fn overview_thing(&self) -> Option<(ViewId, Key)> {
        self.overview_thing_at(self.overview_cursor()?)
    }

    fn overview_thing_at(&self, place: usize) -> Option<(ViewId, Key)> {
        thing_at(&self.workspace, self.overview.panel, self.shown_ms(), place)
    }

    /// The view of that thing, its mesh, and its row there.
    #[must_use]
    pub fn overview_row(&self) -> Option<(ViewId, usize, Option<Row>)> {
        row_at(&self.workspace, self.overview.panel, self.shown_ms(), self.overview_cursor()?)
    }

    /// Moves within the panel.
    pub(super) fn overview_step(&mut self, by: isize) {
        let Some(at) = self.overview_cursor() else { return };
        let (last, _) = count(&self.workspace, self.overview.panel);
        self.overview.place = at.saturating_add_signed(by).min(last - 1);
        let thing = self.overview_thing_at(self.overview.place);
        self.overview.thing = thing;
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
        let was = self.overview.panel == panel && self.overview_thing().as_ref() == Some(&thing);
        self.overview = Selection { panel, thing: Some(thing), place: 0 };
        self.overview.place = self.overview_cursor().unwrap_or(0);
        was
    }
}
