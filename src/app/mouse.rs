//! Where things are on screen, as the drawing left them, and what a click there means.

use super::overview::Panel;
use super::view_id::ViewId;
use crate::app::workspace::Key;

/// Something that can be clicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hit {
    View(ViewId),
    /// A column's title.
    Column(usize),
    /// A row of the table, by its place on screen.
    Row(usize),
    /// A line of the inspector, by its place on screen.
    Line(usize),
    /// An entry of the palette or the sort menu.
    Entry(usize),
    /// A thing in a view, e.g. a node on the overview.
    Thing(ViewId, Key),
    /// A line of a panel of the overview.
    Item(Panel, ViewId, Key),
    /// A node on the overview: its mesh, and its place among the worst there.
    Node(usize, usize),
}

/// Areas and what they are, the topmost last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HitMap {
    areas: Vec<(Area, Hit)>,
}

/// A rectangle in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl HitMap {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.areas.clear();
    }

    /// Notes an area.
    pub fn add(&mut self, x: u16, y: u16, width: u16, height: u16, hit: Hit) {
        self.areas.push((Area { x, y, width, height }, hit));
    }

    /// What is at a place.
    #[must_use]
    pub fn at(&self, x: u16, y: u16) -> Option<&Hit> {
        let inside = |a: &Area| x >= a.x && y >= a.y && x - a.x < a.width && y - a.y < a.height;
        self.areas.iter().rev().find(|(area, _)| inside(area)).map(|(_, hit)| hit)
    }
}
