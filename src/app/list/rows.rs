//! A list over one part of each snapshot.

use std::cmp::Ordering;
use std::sync::Arc;

use super::column::{ColumnInfo, Head, List};
use crate::app::inspect::Inspection;
use crate::app::workspace::{Key, Row, Workspace};
use crate::columns::{Cell, Column, Columns, Screen, Sort};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::scope::may_be_of;
use crate::mesh::slab::SharedSlab;
use crate::model::observation::Presence;
use crate::model::source::Aspect;
use crate::model::text::Text;
use crate::model::time::Millis;

/// Where the rows of a list are.
#[derive(Debug)]
pub enum Items<'a, T> {
    Slice(&'a [T]),
    Shared(&'a [Arc<T>]),
    SharedSlab(&'a SharedSlab<T>),
    /// Rows in a slab, and a few beside it.
    Beside(&'a SharedSlab<T>, &'a [Arc<T>]),
}

/// The field of the column that says of which mesh a row is.
pub const MESH: &str = "mesh";

/// Rows beside a slab have their places from here on.
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
            Self::SharedSlab(slab) => slab.len(),
            Self::Beside(slab, items) => slab.len() + items.len(),
        }
    }
    fn get(self, place: usize) -> Option<&'a T> {
        match self {
            Self::Slice(items) => items.get(place),
            Self::Shared(items) => items.get(place).map(|item| &**item),
            Self::SharedSlab(slab) => slab.get(place).map(|item| &**item),
            Self::Beside(_, items) if place >= BESIDE => items.get(place - BESIDE).map(|item| &**item),
            Self::Beside(slab, _) => slab.get(place).map(|item| &**item),
        }
    }
    fn places(self) -> Vec<usize> {
        match self {
            Self::Slice(_) | Self::Shared(_) => (0..self.len()).collect(),
            Self::SharedSlab(slab) => slab.taken().map(|(place, _)| place).collect(),
            Self::Beside(slab, items) => {
                slab.taken().map(|(place, _)| place).chain((0..items.len()).map(|i| BESIDE + i)).collect()
            }
        }
    }
    fn changed(self, before: Self) -> Option<Vec<usize>> {
        match (before, self) {
            (Self::SharedSlab(before), Self::SharedSlab(now)) => Some(now.changed_since(before).collect()),
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

/// A list over one part of the snapshot of each mesh.
pub struct Rows<T: 'static> {
    pub items: fn(&Snapshot) -> Items<'_, T>,
    pub columns: &'static Columns<T>,
    pub key: fn(&T) -> String,
    /// The order of two that are equal otherwise.
    pub tie: fn(&T, &T) -> Ordering,
    pub repo: fn(&T) -> Option<&Text>,
    pub inspect: fn(&T, &Snapshot, Millis) -> Inspection,
    /// What a source must provide to have any.
    pub aspect: Option<Aspect>,
    /// Parts of sources that it is made from.
    pub parts: &'static [&'static str],
    /// What is to be known of all of it.
    pub caveat: fn(&Snapshot) -> Option<String>,
    pub name_column: usize,
    pub first_sort: (usize, bool),
    pub follows: bool,
    /// By its first column it is a tree: what is of one mesh stands together.
    pub tree: bool,
}

/// More than any tree has rows.
const TREE: i64 = 1 << 40;

/// The mesh that a row is of, where there are several.
fn mesh_column(workspace: &Workspace) -> Option<ColumnInfo> {
    let width = (5, u16::try_from(workspace.name_width()).unwrap_or(u16::MAX).clamp(5, 16));
    let column = ColumnInfo { field: MESH, name: MESH, title: "MESH", width, right: false, rank: 0, descending: false };
    workspace.is_several().then_some(column)
}

impl<T> Rows<T> {
    /// The thing of a row.
    pub fn get<'a>(&self, workspace: &'a Workspace, row: Row) -> Option<&'a T> {
        (self.items)(workspace.snapshot(row.mesh())?).get(row.place())
    }

    fn sort<'a>(&self, workspace: &'a Workspace, row: Row, column: usize) -> Option<Sort<'a>> {
        let item = self.get(workspace, row)?;
        Some(match self.columns.sort(item, column) {
            None => Sort::Text(workspace.name(row.mesh())),
            Some(Sort::Number(n)) if self.tree && column == 0 => {
                Sort::Number(n + TREE * i64::try_from(row.mesh()).unwrap_or(0))
            }
            Some(sort) => sort,
        })
    }
}

impl<T: Sync + Send> List for Rows<T> {
    fn len(&self, workspace: &Workspace) -> usize {
        workspace.snapshots().map(|(_, snapshot)| (self.items)(snapshot).len()).sum()
    }
    fn rows(&self, workspace: &Workspace) -> Vec<Row> {
        let of = |(mesh, snapshot): (usize, &Arc<Snapshot>)| {
            (self.items)(snapshot).places().into_iter().map(move |place| Row::new(mesh, place))
        };
        workspace.snapshots().flat_map(of).collect()
    }
    fn changed(&self, before: &Workspace, now: &Workspace) -> Option<Vec<Row>> {
        let mut changed = Vec::new();
        for (mesh, snapshot) in now.snapshots() {
            let items = (self.items)(snapshot);
            let places = match before.snapshot(mesh) {
                Some(before) => items.changed((self.items)(before))?,
                None => items.places(),
            };
            changed.extend(places.into_iter().map(|place| Row::new(mesh, place)));
        }
        Some(changed)
    }
    fn has(&self, workspace: &Workspace, row: Row) -> bool {
        self.get(workspace, row).is_some()
    }
    fn columns(&self, workspace: &Workspace) -> Vec<ColumnInfo> {
        let info = |(column, screen): (&Column<T>, &Screen<T>)| ColumnInfo {
            field: screen.field,
            name: column.name,
            title: column.title.unwrap_or_default(),
            width: screen.width,
            right: screen.right,
            rank: screen.rank,
            descending: screen.descending,
        };
        self.columns.on_screen().map(info).chain(mesh_column(workspace)).collect()
    }
    fn key(&self, workspace: &Workspace, row: Row) -> Key {
        Key { mesh: row.mesh(), key: self.get(workspace, row).map(|item| (self.key)(item)).unwrap_or_default() }
    }
    fn find(&self, workspace: &Workspace, key: &Key) -> Option<Row> {
        let items = (self.items)(workspace.snapshot(key.mesh)?);
        let is_it = |place: &usize| items.get(*place).is_some_and(|item| (self.key)(item) == key.key);
        items.places().into_iter().find(is_it).map(|place| Row::new(key.mesh, place))
    }
    fn cell(&self, workspace: &Workspace, row: Row, column: usize, now: Millis) -> Cell {
        let Some(item) = self.get(workspace, row) else { return Cell::plain("") };
        self.columns.cell(item, column, now).unwrap_or_else(|| Cell::dim(workspace.name(row.mesh())))
    }
    fn value(&self, workspace: &Workspace, row: Row, field: &str, now: Millis) -> Option<serde_json::Value> {
        let item = self.get(workspace, row)?;
        let is_it = |column: &&Column<T>| column.name == field || column.screen.is_some_and(|s| s.field == field);
        let column = self.columns.all.iter().find(is_it)?;
        Some((column.value)(item, now).json())
    }
    fn names(&self) -> Vec<&'static str> {
        self.columns.all.iter().flat_map(|c| [Some(c.name), c.screen.map(|s| s.field)]).flatten().collect()
    }
    fn compare(&self, workspace: &Workspace, a: Row, b: Row, column: usize) -> Ordering {
        match (self.sort(workspace, a, column), self.sort(workspace, b, column)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        }
    }
    fn tie(&self, workspace: &Workspace, a: Row, b: Row) -> Ordering {
        let things = match (self.get(workspace, a), self.get(workspace, b)) {
            (Some(a), Some(b)) => (self.tie)(a, b),
            _ => Ordering::Equal,
        };
        things.then_with(|| a.mesh().cmp(&b.mesh()))
    }
    fn head(&self, workspace: &Workspace, row: Row, column: usize) -> Head {
        self.sort(workspace, row, column).map(Head::of).unwrap_or_default()
    }
    fn in_repo(&self, workspace: &Workspace, row: Row, repo: &str) -> bool {
        self.get(workspace, row).and_then(|item| (self.repo)(item)).is_none_or(|id| may_be_of(id, repo))
    }
    fn why_empty(&self, workspace: &Workspace) -> Vec<String> {
        let of = |(mesh, snapshot): (usize, &Arc<Snapshot>)| {
            let prefix = workspace.prefix(mesh);
            let lacking = self.aspect.and_then(|aspect| snapshot.mesh.lacks(aspect));
            let why = lacking.map_or_else(|| why_empty(snapshot, self.parts), |lacking| vec![lacking]);
            why.into_iter().map(move |why| format!("{prefix}{why}"))
        };
        workspace.snapshots().flat_map(of).collect()
    }
    fn caveat(&self, workspace: &Workspace) -> Option<String> {
        let of = |(mesh, snapshot): (usize, &Arc<Snapshot>)| {
            (self.caveat)(snapshot).map(|caveat| format!("{}{caveat}", workspace.prefix(mesh)))
        };
        workspace.snapshots().find_map(of)
    }
    fn inspect(&self, workspace: &Workspace, row: Row, now: Millis) -> Inspection {
        let page = |item| Some((self.inspect)(item, workspace.snapshot(row.mesh())?, now));
        self.get(workspace, row).and_then(page).unwrap_or_default()
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

fn why_empty(snapshot: &Snapshot, parts: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for source in &snapshot.mesh.sources {
        let name = &source.identity.name;
        let Some(probe) = &source.probe else {
            let why = source.health.trouble.as_ref().map_or_else(|| "no answer yet".into(), |t| t.fault.to_string());
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
