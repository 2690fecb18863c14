//! What the tables show: columns as data, one file a list. How they are drawn is the screen's business.

pub mod events;
pub mod findings;
pub mod journal;
pub mod locks;
pub mod messages;
pub mod nodes;
pub mod oplog;
pub mod tasks;
pub mod waits;

use std::cmp::Ordering;
use std::sync::Arc;

use super::inspect::Inspection;
use super::role::{Role, State};
use crate::data::derive::Picture;
use crate::data::observation::Presence;
use crate::data::shelf::Shelf;
use crate::text::Text;
use crate::time::{Millis, short};

/// One cell: text, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub role: Role,
}

impl Cell {
    /// Plain text.
    #[must_use]
    pub fn plain(text: impl ToString) -> Self {
        Self { text: text.to_string(), role: Role::Normal }
    }
    /// Text of lesser weight.
    #[must_use]
    pub fn dim(text: impl ToString) -> Self {
        Self { text: text.to_string(), role: Role::Dim }
    }
    /// A state: glyph and word.
    #[must_use]
    pub fn state(state: &impl State) -> Self {
        Self { text: format!("{} {state}", state.glyph()), role: state.role() }
    }
    /// A state that may be as of the last answer of an old source: then it never looks live.
    #[must_use]
    pub fn state_as_of(state: &impl State, old: bool) -> Self {
        let cell = Self::state(state);
        if old { Self { text: format!("{}~", cell.text), role: Role::Old } } else { cell }
    }
    /// A number, or a dash where it is unknown; zero is of lesser weight.
    #[must_use]
    pub fn count(n: impl Into<Option<i64>>) -> Self {
        match n.into() {
            None => Self { text: "?".into(), role: Role::Unknown },
            Some(0) => Self::dim("0"),
            Some(n) => Self::plain(n),
        }
    }
    /// An age or what is left, of something whose source may be old.
    #[must_use]
    pub fn span(ms: Option<Millis>, old: bool) -> Self {
        match ms {
            None => Self { text: "?".into(), role: Role::Unknown },
            Some(ms) if old => Self { text: format!("{}~", short(ms)), role: Role::Old },
            Some(ms) => Self::plain(short(ms)),
        }
    }
    /// Text that may be absent.
    #[must_use]
    pub fn opt(text: Option<&Text>) -> Self {
        text.map_or_else(|| Self::dim("-"), Self::plain)
    }
}

/// What a row is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort<'a> {
    Number(i64),
    Text(&'a str),
    /// Sorts last.
    Unknown,
}

impl Sort<'_> {
    /// An id: by its number where it is one.
    #[must_use]
    pub fn id(text: &Text) -> Sort<'_> {
        text.raw().parse().map_or(Sort::Text(text.raw()), Sort::Number)
    }
    /// A number that may be unknown.
    #[must_use]
    pub fn opt(n: Option<i64>) -> Self {
        n.map_or(Self::Unknown, Self::Number)
    }
}

/// One column.
#[derive(Debug)]
pub struct Column<T: 'static> {
    /// For `field:value` and the sort menu.
    pub field: &'static str,
    pub title: &'static str,
    /// Least and most columns wide; what is over goes to the widest that can grow.
    pub width: (u16, u16),
    pub right: bool,
    /// Columns of a higher rank go first when there is no room.
    pub rank: u8,
    /// Worst or newest first is what one wants to see.
    pub descending: bool,
    pub cell: fn(&T, Millis) -> Cell,
    pub sort: fn(&T) -> Sort<'_>,
}

/// A column without its type, for drawing and menus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnInfo {
    pub field: &'static str,
    pub title: &'static str,
    pub width: (u16, u16),
    pub right: bool,
    pub rank: u8,
    pub descending: bool,
}

/// A list as the app uses it. Rows are named by a number that stays while the thing does, and need not follow one
/// another.
pub trait List: Sync {
    fn len(&self, picture: &Picture) -> usize;
    fn rows(&self, picture: &Picture) -> Vec<usize>;
    /// Rows that differ between two pictures; nothing where that is not known.
    fn changed(&self, before: &Picture, now: &Picture) -> Option<Vec<usize>>;
    /// Whether there is such a row.
    fn has(&self, picture: &Picture, row: usize) -> bool;
    fn columns(&self) -> Vec<ColumnInfo>;
    /// A name that stays with the thing.
    fn key(&self, picture: &Picture, row: usize) -> String;
    fn cell(&self, picture: &Picture, row: usize, column: usize, now: Millis) -> Cell;
    fn compare(&self, picture: &Picture, a: usize, b: usize, column: usize) -> Ordering;
    /// The order of equals, so that they do not swap places.
    fn tie(&self, picture: &Picture, a: usize, b: usize) -> Ordering;
    /// What decides most comparisons by itself: see [`Head`].
    fn head(&self, picture: &Picture, row: usize, column: usize) -> Head;
    /// Whether a row belongs to a repository, under any of its names, or to none.
    fn in_repo(&self, picture: &Picture, row: usize, repo: &str) -> bool;
    /// Why there is nothing: a table that is absent, one that is empty, a source that is silent.
    fn why_empty(&self, picture: &Picture) -> Vec<String>;
    /// What is to be known of all of it.
    fn caveat(&self, picture: &Picture) -> Option<String>;
    fn inspect(&self, picture: &Picture, row: usize, now: Millis) -> Inspection;
    /// The column that names a row, e.g. for the clipboard.
    fn name_column(&self) -> usize;
    /// The column and direction it is sorted by at first.
    fn first_sort(&self) -> (usize, bool);
    /// New rows come at the end, and the end is followed.
    fn follows(&self) -> bool;
}

/// The beginning of what a row is sorted by. Two that differ stand as the rows do; two that are equal decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Head([u64; 3]);

impl Head {
    /// Whether it is all there is: then two that are equal are the same.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.0[0] >> 56 != 1
    }

    fn of(sort: Sort<'_>) -> Self {
        let mut bytes = [0; 24];
        // Numbers before texts, and texts before what is unknown.
        match sort {
            Sort::Number(n) => bytes[8..16].copy_from_slice(&(n.cast_unsigned() ^ (1 << 63)).to_be_bytes()),
            Sort::Text(text) => {
                let n = text.len().min(23);
                bytes[0] = 1;
                bytes[1..=n].copy_from_slice(&text.as_bytes()[..n]);
            }
            Sort::Unknown => bytes[0] = 2,
        }
        let word = |i: usize| bytes[i * 8..i * 8 + 8].try_into().map_or(0, u64::from_be_bytes);
        Self([word(0), word(1), word(2)])
    }
}

/// Where the rows of a list are.
#[derive(Debug)]
pub enum Items<'a, T> {
    Slice(&'a [T]),
    Shared(&'a [Arc<T>]),
    Shelf(&'a Shelf<T>),
    /// Rows on a shelf, and a few beside it.
    Beside(&'a Shelf<T>, &'a [Arc<T>]),
}

/// Rows beside a shelf are numbered from here on.
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
    fn get(self, row: usize) -> Option<&'a T> {
        match self {
            Self::Slice(items) => items.get(row),
            Self::Shared(items) => items.get(row).map(|item| &**item),
            Self::Shelf(shelf) => shelf.get(row).map(|item| &**item),
            Self::Beside(_, items) if row >= BESIDE => items.get(row - BESIDE).map(|item| &**item),
            Self::Beside(shelf, _) => shelf.get(row).map(|item| &**item),
        }
    }
    fn rows(self) -> Vec<usize> {
        match self {
            Self::Slice(_) | Self::Shared(_) => (0..self.len()).collect(),
            Self::Shelf(shelf) => shelf.taken().map(|(row, _)| row).collect(),
            Self::Beside(shelf, items) => {
                shelf.taken().map(|(row, _)| row).chain((0..items.len()).map(|i| BESIDE + i)).collect()
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
            _ => None,
        }
    }
}

/// A list over one part of the picture.
pub struct Rows<T: 'static> {
    pub items: fn(&Picture) -> Items<'_, T>,
    pub columns: &'static [Column<T>],
    pub key: fn(&T) -> String,
    /// The order of two that are equal otherwise.
    pub tie: fn(&T, &T) -> Ordering,
    pub repo: fn(&T) -> Option<&Text>,
    pub inspect: fn(&T, &Picture, Millis) -> Inspection,
    /// Parts of sources that it is made from.
    pub parts: &'static [&'static str],
    /// What is to be known of all of it.
    pub caveat: fn(&Picture) -> Option<String>,
    pub name_column: usize,
    pub first_sort: (usize, bool),
    pub follows: bool,
}

impl<T> Rows<T> {
    /// The thing of a row.
    pub fn get<'a>(&self, picture: &'a Picture, row: usize) -> Option<&'a T> {
        (self.items)(picture).get(row)
    }
}

impl<T: Sync + Send> List for Rows<T> {
    fn len(&self, picture: &Picture) -> usize {
        (self.items)(picture).len()
    }
    fn rows(&self, picture: &Picture) -> Vec<usize> {
        (self.items)(picture).rows()
    }
    fn changed(&self, before: &Picture, now: &Picture) -> Option<Vec<usize>> {
        (self.items)(now).changed((self.items)(before))
    }
    fn has(&self, picture: &Picture, row: usize) -> bool {
        (self.items)(picture).get(row).is_some()
    }
    fn columns(&self) -> Vec<ColumnInfo> {
        let info = |c: &Column<T>| ColumnInfo {
            field: c.field,
            title: c.title,
            width: c.width,
            right: c.right,
            rank: c.rank,
            descending: c.descending,
        };
        self.columns.iter().map(info).collect()
    }
    fn key(&self, picture: &Picture, row: usize) -> String {
        (self.items)(picture).get(row).map(|item| (self.key)(item)).unwrap_or_default()
    }
    fn cell(&self, picture: &Picture, row: usize, column: usize, now: Millis) -> Cell {
        match ((self.items)(picture).get(row), self.columns.get(column)) {
            (Some(item), Some(column)) => (column.cell)(item, now),
            _ => Cell::plain(""),
        }
    }
    fn compare(&self, picture: &Picture, a: usize, b: usize, column: usize) -> Ordering {
        let items = (self.items)(picture);
        match (items.get(a), items.get(b), self.columns.get(column)) {
            (Some(a), Some(b), Some(column)) => (column.sort)(a).cmp(&(column.sort)(b)),
            _ => Ordering::Equal,
        }
    }
    fn tie(&self, picture: &Picture, a: usize, b: usize) -> Ordering {
        let items = (self.items)(picture);
        match (items.get(a), items.get(b)) {
            (Some(a), Some(b)) => (self.tie)(a, b),
            _ => Ordering::Equal,
        }
    }
    fn head(&self, picture: &Picture, row: usize, column: usize) -> Head {
        match ((self.items)(picture).get(row), self.columns.get(column)) {
            (Some(item), Some(column)) => Head::of((column.sort)(item)),
            _ => Head::default(),
        }
    }
    fn in_repo(&self, picture: &Picture, row: usize, repo: &str) -> bool {
        (self.items)(picture).get(row).and_then(|item| (self.repo)(item)).is_none_or(|id| may_be_repo(id, repo))
    }
    fn why_empty(&self, picture: &Picture) -> Vec<String> {
        why_empty(picture, self.parts)
    }
    fn caveat(&self, picture: &Picture) -> Option<String> {
        (self.caveat)(picture)
    }
    fn inspect(&self, picture: &Picture, row: usize, now: Millis) -> Inspection {
        (self.items)(picture).get(row).map(|item| (self.inspect)(item, picture, now)).unwrap_or_default()
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

/// One repository has several names (a hash in most tables, a path or `default` in messages), so
/// only another hash is surely another repository. Rows are never hidden on a guess.
fn may_be_repo(id: &Text, repo: &str) -> bool {
    let hash = |s: &str| s.len() == 16 && s.bytes().all(|b| b.is_ascii_hexdigit());
    *id == repo || id.is_empty() || hash(id.raw()) != hash(repo)
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
                    meaning.map_or_else(|| format!("{part} is empty"), |why| format!("{part} is empty ({why})"))
                }
            };
            lines.push(format!("{name}: {word}"));
        }
    }
    if lines.is_empty() && parts.is_empty() {
        lines.push("nothing so far".into());
    } else if lines.is_empty() {
        let mut systems: Vec<&str> = picture.mesh.sources.iter().map(|s| s.identity.system).collect();
        systems.sort_unstable();
        systems.dedup();
        lines.extend(systems.into_iter().map(|system| format!("not provided by {system}")));
    }
    lines
}
