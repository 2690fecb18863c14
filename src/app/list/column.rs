//! A list without the type of its rows: what the app and the screen use.

use std::cmp::Ordering;

use crate::app::inspect::Inspection;
use crate::app::workspace::{Key, Row, Workspace};
use crate::columns::{Cell, Sort};
use crate::model::time::Millis;

/// A column without its type, for drawing and menus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnInfo {
    /// For `field:value` and the sort menu.
    pub field: &'static str,
    /// Its name in JSON, which a filter takes too.
    pub name: &'static str,
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
    /// What a field holds, as JSON: by its name there, or on the screen.
    fn value(&self, workspace: &Workspace, row: Row, field: &str, now: Millis) -> Option<serde_json::Value>;
    /// The names of such fields.
    fn names(&self) -> Vec<&'static str>;
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
pub struct Head([u64; 4]);

impl Head {
    /// Whether it is all there is: then two that are equal are the same.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.0[0] >> 56 != 1
    }

    pub(super) fn of(sort: Sort<'_>) -> Self {
        let mut bytes = [0; 32];
        // Numbers before texts, and texts before what is unknown.
        match sort {
            Sort::Number(n) => bytes[8..16].copy_from_slice(&(n.cast_unsigned() ^ (1 << 63)).to_be_bytes()),
            Sort::Text(text) => {
                let n = text.len().min(31);
                bytes[0] = 1;
                bytes[1..=n].copy_from_slice(&text.as_bytes()[..n]);
            }
            Sort::Unknown => bytes[0] = 2,
        }
        let word = |i: usize| bytes[i * 8..i * 8 + 8].try_into().map_or(0, u64::from_be_bytes);
        Self([word(0), word(1), word(2), word(3)])
    }
}
