//! A list over one part of each picture.

use std::cmp::Ordering;
use std::sync::Arc;

use super::column::{Cell, Column, ColumnInfo, Head, List, Sort};
use crate::app::inspect::Inspection;
use crate::app::scene::{Key, Row, Scene};
use crate::mesh::derive::Picture;
use crate::mesh::derive::scope::may_be_of;
use crate::mesh::shelf::Shelf;
use crate::model::observation::Presence;
use crate::model::source::Aspect;
use crate::model::text::Text;
use crate::model::time::Millis;

/// Where the rows of a list are.
#[derive(Debug)]
pub enum Items<'a, T> {
    Slice(&'a [T]),
    Shared(&'a [Arc<T>]),
    Shelf(&'a Shelf<T>),
    /// Rows on a shelf, and a few beside it.
    Beside(&'a Shelf<T>, &'a [Arc<T>]),
}

/// The field of the column that says of which mesh a row is.
pub const MESH: &str = "mesh";

/// Rows beside a shelf have their places from here on.
pub const BESIDE: usize = 1 << 40;

impl<T> Clone for Items<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Items<'_, T> {}

impl<'a, T> Items<'a, T> {
    fn len(self) -> usize {
        match self {
            Self::Slice(items) => items.len(),
            Self::Shared(items) => items.len(),
            Self::Shelf(shelf) => shelf.len(),
            Self::Beside(shelf, items) => shelf.len() + items.len(),
        }
    }
    fn get(self, place: usize) -> Option<&'a T> {
        match self {
            Self::Slice(items) => items.get(place),
            Self::Shared(items) => items.get(place).map(|item| &**item),
            Self::Shelf(shelf) => shelf.get(place).map(|item| &**item),
            Self::Beside(_, items) if place >= BESIDE => items.get(place - BESIDE).map(|item| &**item),
            Self::Beside(shelf, _) => shelf.get(place).map(|item| &**item),
        }
    }
    fn places(self) -> Vec<usize> {
        match self {
            Self::Slice(_) | Self::Shared(_) => (0..self.len()).collect(),
            Self::Shelf(shelf) => shelf.taken().map(|(place, _)| place).collect(),
            Self::Beside(shelf, items) => {
                shelf.taken().map(|(place, _)| place).chain((0..items.len()).map(|i| BESIDE + i)).collect()
            }
        }
    }
    fn changed(self, before: Self) -> Option<Vec<usize>> {
        match (before, self) {
            (Self::Shelf(before), Self::Shelf(now)) => Some(now.changed_since(before).collect()),
            (Self::Beside(before, few), Self::Beside(now, many)) => {
                let beside = (0..few.len().max(many.len())).map(|i| BESIDE + i);
                Some(now.changed_since(before).chain(beside).collect())
            }
            // Both are alive, so that what stands at the same place is the same.
            (Self::Slice(before), Self::Slice(now)) => std::ptr::eq(before, now).then(Vec::new),
            (Self::Shared(before), Self::Shared(now)) => std::ptr::eq(before, now).then(Vec::new),
            _ => None,
        }
    }
}

/// A list over one part of the picture of each mesh.
pub struct Rows<T: 'static> {
    pub items: fn(&Picture) -> Items<'_, T>,
    pub columns: &'static [Column<T>],
    pub key: fn(&T) -> String,
    /// The order of two that are equal otherwise.
    pub tie: fn(&T, &T) -> Ordering,
    pub repo: fn(&T) -> Option<&Text>,
    pub inspect: fn(&T, &Picture, Millis) -> Inspection,
    /// What a source must tell of to have any.
    pub aspect: Option<Aspect>,
    /// Parts of sources that it is made from.
    pub parts: &'static [&'static str],
    /// What is to be known of all of it.
    pub caveat: fn(&Picture) -> Option<String>,
    pub name_column: usize,
    pub first_sort: (usize, bool),
    pub follows: bool,
    /// By its first column it is a tree: what is of one mesh stands together.
    pub tree: bool,
}

/// More than any tree has rows.
const TREE: i64 = 1 << 40;

/// The mesh that a row is of, where there are several.
fn mesh_column(scene: &Scene) -> Option<ColumnInfo> {
    let width = (5, u16::try_from(scene.name_width()).unwrap_or(u16::MAX).clamp(5, 16));
    let column = ColumnInfo { field: MESH, title: "MESH", width, right: false, rank: 0, descending: false };
    scene.is_several().then_some(column)
}

impl<T> Rows<T> {
    /// The thing of a row.
    pub fn get<'a>(&self, scene: &'a Scene, row: Row) -> Option<&'a T> {
        (self.items)(scene.picture(row.mesh())?).get(row.place())
    }

    fn sort<'a>(&self, scene: &'a Scene, row: Row, column: usize) -> Option<Sort<'a>> {
        let item = self.get(scene, row)?;
        Some(match self.columns.get(column) {
            None => Sort::Text(scene.name(row.mesh())),
            Some(of) => match (of.sort)(item) {
                Sort::Number(n) if self.tree && column == 0 => {
                    Sort::Number(n + TREE * i64::try_from(row.mesh()).unwrap_or(0))
                }
                sort => sort,
            },
        })
    }
}

impl<T: Sync + Send> List for Rows<T> {
    fn len(&self, scene: &Scene) -> usize {
        scene.pictures().map(|(_, picture)| (self.items)(picture).len()).sum()
    }
    fn rows(&self, scene: &Scene) -> Vec<Row> {
        let of = |(mesh, picture): (usize, &Arc<Picture>)| {
            (self.items)(picture).places().into_iter().map(move |place| Row::new(mesh, place))
        };
        scene.pictures().flat_map(of).collect()
    }
    fn changed(&self, before: &Scene, now: &Scene) -> Option<Vec<Row>> {
        let mut changed = Vec::new();
        for (mesh, picture) in now.pictures() {
            let items = (self.items)(picture);
            let places = match before.picture(mesh) {
                Some(before) => items.changed((self.items)(before))?,
                None => items.places(),
            };
            changed.extend(places.into_iter().map(|place| Row::new(mesh, place)));
        }
        Some(changed)
    }
    fn has(&self, scene: &Scene, row: Row) -> bool {
        self.get(scene, row).is_some()
    }
    fn columns(&self, scene: &Scene) -> Vec<ColumnInfo> {
        let info = |c: &Column<T>| ColumnInfo {
            field: c.field,
            title: c.title,
            width: c.width,
            right: c.right,
            rank: c.rank,
            descending: c.descending,
        };
        self.columns.iter().map(info).chain(mesh_column(scene)).collect()
    }
    fn key(&self, scene: &Scene, row: Row) -> Key {
        Key { mesh: row.mesh(), key: self.get(scene, row).map(|item| (self.key)(item)).unwrap_or_default() }
    }
    fn find(&self, scene: &Scene, key: &Key) -> Option<Row> {
        let items = (self.items)(scene.picture(key.mesh)?);
        let is_it = |place: &usize| items.get(*place).is_some_and(|item| (self.key)(item) == key.key);
        items.places().into_iter().find(is_it).map(|place| Row::new(key.mesh, place))
    }
    fn cell(&self, scene: &Scene, row: Row, column: usize, now: Millis) -> Cell {
        match (self.get(scene, row), self.columns.get(column)) {
            (Some(item), Some(column)) => (column.cell)(item, now),
            (Some(_), None) => Cell::dim(scene.name(row.mesh())),
            _ => Cell::plain(""),
        }
    }
    fn compare(&self, scene: &Scene, a: Row, b: Row, column: usize) -> Ordering {
        match (self.sort(scene, a, column), self.sort(scene, b, column)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        }
    }
    fn tie(&self, scene: &Scene, a: Row, b: Row) -> Ordering {
        let things = match (self.get(scene, a), self.get(scene, b)) {
            (Some(a), Some(b)) => (self.tie)(a, b),
            _ => Ordering::Equal,
        };
        things.then_with(|| a.mesh().cmp(&b.mesh()))
    }
    fn head(&self, scene: &Scene, row: Row, column: usize) -> Head {
        self.sort(scene, row, column).map(Head::of).unwrap_or_default()
    }
    fn in_repo(&self, scene: &Scene, row: Row, repo: &str) -> bool {
        self.get(scene, row).and_then(|item| (self.repo)(item)).is_none_or(|id| may_be_of(id, repo))
    }
    fn why_empty(&self, scene: &Scene) -> Vec<String> {
        let of = |(mesh, picture): (usize, &Arc<Picture>)| {
            let prefix = scene.prefix(mesh);
            let lacking = self.aspect.and_then(|aspect| picture.mesh.lacks(aspect));
            let why = lacking.map_or_else(|| why_empty(picture, self.parts), |lacking| vec![lacking]);
            why.into_iter().map(move |why| format!("{prefix}{why}"))
        };
        scene.pictures().flat_map(of).collect()
    }
    fn caveat(&self, scene: &Scene) -> Option<String> {
        let of = |(mesh, picture): (usize, &Arc<Picture>)| {
            (self.caveat)(picture).map(|caveat| format!("{}{caveat}", scene.prefix(mesh)))
        };
        scene.pictures().find_map(of)
    }
    fn inspect(&self, scene: &Scene, row: Row, now: Millis) -> Inspection {
        let page = |item| Some((self.inspect)(item, scene.picture(row.mesh())?, now));
        self.get(scene, row).and_then(page).unwrap_or_default()
    }
    fn name_column(&self) -> usize {
        self.name_column
    }
    fn first_sort(&self) -> (usize, bool) {
        self.first_sort
    }
    fn follows(&self) -> bool {
        self.follows
    }
}

fn why_empty(picture: &Picture, parts: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for source in &picture.mesh.sources {
        let name = &source.identity.name;
        let Some(probe) = &source.probe else {
            let why = source.health.trouble.as_ref().map_or_else(|| "not heard yet".into(), |t| t.fault.to_string());
            lines.push(format!("{name}: {why}"));
            continue;
        };
        for part in parts {
            let word = match probe.of(part) {
                None => continue,
                Some(Presence::Absent) => format!("has no {part}"),
                Some(Presence::Denied(why)) => format!("{part}: {why}"),
                Some(Presence::Present | Presence::Partial(_)) => {
                    let meaning = source.identity.why_empty.iter().find(|(p, _)| p == part).map(|(_, why)| *why);
                    // A table may hold rows that are over, and are not shown.
                    meaning.map_or_else(
                        || format!("nothing to show in {part}"),
                        |why| format!("nothing to show in {part} ({why})"),
                    )
                }
            };
            lines.push(format!("{name}: {word}"));
        }
    }
    if lines.is_empty() && parts.is_empty() {
        lines.push("nothing so far".into());
    }
    lines
}
