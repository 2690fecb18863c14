//! Columns and cells of a list, as data.

use std::cmp::Ordering;

use crate::app::inspect::Inspection;
use crate::app::role::{Role, State};
use crate::app::workspace::{Key, Row, Workspace};
use crate::model::text::Text;
use crate::model::time::{Millis, clock, short};

/// One cell: text, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub role: Role,
    /// Where the text is an instant: it is shown on the clock that the operator chose.
    pub at: Option<Millis>,
}

impl Cell {
    /// An instant, as a clock face.
    #[must_use]
    pub fn clock(at: Option<Millis>) -> Self {
        match at {
            Some(ms) => Self { text: clock(ms, 0), role: Role::Dim, at },
            None => Self { text: "?".into(), role: Role::Unknown, at },
        }
    }
    /// Plain text.
    #[must_use]
    pub fn plain(text: impl ToString) -> Self {
        Self { at: None, text: text.to_string(), role: Role::Normal }
    }
    /// Text of lesser weight.
    #[must_use]
    pub fn dim(text: impl ToString) -> Self {
        Self { at: None, text: text.to_string(), role: Role::Dim }
    }
    /// A state: glyph and word.
    #[must_use]
    pub fn state(state: &impl State) -> Self {
        Self { at: None, text: format!("{} {state}", state.glyph()), role: state.role() }
    }
    /// A state that may be as of the last answer of an old source: then it never looks live.
    #[must_use]
    pub fn state_as_of(state: &impl State, old: bool) -> Self {
        let cell = Self::state(state);
        if old { Self { at: None, text: format!("{}~", cell.text), role: Role::Old } } else { cell }
    }
    /// A number, or a dash where it is unknown; zero is of lesser weight.
    #[must_use]
    pub fn count(n: impl Into<Option<i64>>) -> Self {
        match n.into() {
            None => Self { at: None, text: "?".into(), role: Role::Unknown },
            Some(0) => Self::dim("0"),
            Some(n) => Self::plain(n),
        }
    }
    /// An age or what is left, of something whose source may be old.
    #[must_use]
    pub fn span(ms: Option<Millis>, old: bool) -> Self {
        match ms {
            None => Self { at: None, text: "?".into(), role: Role::Unknown },
            Some(ms) if old => Self { at: None, text: format!("{}~", short(ms)), role: Role::Old },
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

/// A list as the app uses it, over every mesh that is shown.
pub trait List: Sync {
    fn len(&self, workspace: &Workspace) -> usize;
    fn rows(&self, workspace: &Workspace) -> Vec<Row>;
    /// Rows that differ between two scenes; nothing where that is not known.
    fn changed(&self, before: &Workspace, now: &Workspace) -> Option<Vec<Row>>;
    /// Whether there is such a row.
    fn has(&self, workspace: &Workspace, row: Row) -> bool;
    /// The last one is the mesh's name where there are several.
    fn columns(&self, workspace: &Workspace) -> Vec<ColumnInfo>;
    /// What names a row's thing.
    fn key(&self, workspace: &Workspace, row: Row) -> Key;
    /// The row of a thing.
    fn find(&self, workspace: &Workspace, key: &Key) -> Option<Row>;
    fn cell(&self, workspace: &Workspace, row: Row, column: usize, now: Millis) -> Cell;
    fn compare(&self, workspace: &Workspace, a: Row, b: Row, column: usize) -> Ordering;
    /// The order of equals, so that they do not swap places.
    fn tie(&self, workspace: &Workspace, a: Row, b: Row) -> Ordering;
    /// What decides most comparisons by itself: see [`Head`].
    fn head(&self, workspace: &Workspace, row: Row, column: usize) -> Head;
    /// Whether a row belongs to a repository, under any of its names, or to none.
    fn in_repo(&self, workspace: &Workspace, row: Row, repo: &str) -> bool;
    /// Why there is nothing: a table that is absent, one that is empty, a source that is silent.
    fn why_empty(&self, workspace: &Workspace) -> Vec<String>;
    /// What is to be known of all of it.
    fn caveat(&self, workspace: &Workspace) -> Option<String>;
    fn inspect(&self, workspace: &Workspace, row: Row, now: Millis) -> Inspection;
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

    pub(super) fn of(sort: Sort<'_>) -> Self {
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
