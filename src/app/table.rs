//! The state of one table: sort, filter, selection, marks, scroll. The selection is a key, not a row.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::filter::{Filter, matcher};
use super::list::{Head, List};
use crate::data::derive::Picture;
use crate::time::Millis;

/// One table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub column: usize,
    pub descending: bool,
    pub filter: String,
    pub selected: Option<String>,
    pub marks: HashSet<String>,
    /// First row on screen.
    pub offset: usize,
    /// The end is followed as rows arrive.
    pub follow: bool,
    /// Rows of the picture, filtered and sorted.
    pub rows: Vec<usize>,
    /// Where the selection is in `rows`.
    pub cursor: usize,
    /// Rows on screen, as last drawn.
    pub height: usize,
    /// The selected row.
    row: Option<usize>,
    base: Option<Base>,
}

/// What the rows of a table were made from.
#[derive(Debug, Clone)]
struct Base {
    ask: Ask,
    picture: Arc<Picture>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    filter: String,
    repo: Option<String>,
    column: usize,
    descending: bool,
}

/// Rows that are filtered anew at each picture.
const FEW: usize = 2_000;

impl Table {
    /// A table as it is at first.
    #[must_use]
    pub fn new(list: &dyn List) -> Self {
        let (column, descending) = list.first_sort();
        Self { column, descending, follow: list.follows(), height: 1, ..Self::default() }
    }

    /// Brings the rows up to date, and finds the selected thing again. It stays where it is on screen. What did not
    /// change since the last picture is not sorted again.
    pub fn refresh(&mut self, list: &dyn List, picture: &Arc<Picture>, repo: Option<&str>, now: Millis) {
        let ask = Ask {
            filter: self.filter.clone(),
            repo: repo.map(str::to_owned),
            column: self.column,
            descending: self.descending,
        };
        let columns = list.columns();
        let fields: Vec<&str> = columns.iter().map(|c| c.field).collect();
        let filter = Filter::parse(&self.filter, &fields);
        let mut matcher = matcher();
        let mut passes = |row: usize| {
            repo.is_none_or(|repo| list.in_repo(picture, row, repo))
                && (filter.is_empty()
                    || filter.passes(&mut matcher, columns.len(), &|c| list.cell(picture, row, c, now).text))
        };
        // What a filter sees may move with time alone; where rows are many, it looks again at those that changed.
        let again = !self.filter.is_empty() && list.len(picture) <= FEW;
        let base = self.base.take().filter(|base| base.ask == ask && !again);
        let changed = base.and_then(|base| list.changed(&base.picture, picture));
        let changed = changed.filter(|changed| changed.len() <= list.len(picture) / 4);
        match &changed {
            Some(changed) => self.merge(list, picture, changed, &mut passes),
            None => {
                let mut rows = list.rows(picture);
                rows.retain(|&row| passes(row));
                self.rows = self.sorted(list, picture, rows);
            }
        }
        self.base = Some(Base { ask, picture: picture.clone() });
        self.find_selection(list, picture, changed.as_deref());
    }

    /// Forgets what the rows were made from; the next refresh sorts all of them.
    pub fn forget(&mut self) {
        self.base = None;
    }

    fn compare(&self, list: &dyn List, picture: &Picture, a: usize, b: usize) -> Ordering {
        let order = list.compare(picture, a, b, self.column);
        let order = if self.descending { order.reverse() } else { order };
        // Equals are in the order of their names, so that they do not swap places.
        order.then_with(|| list.compare(picture, a, b, 0)).then_with(|| list.tie(picture, a, b))
    }

    fn sorted(&self, list: &dyn List, picture: &Picture, rows: Vec<usize>) -> Vec<usize> {
        let heads = |row: usize| (list.head(picture, row, self.column), list.head(picture, row, 0), row);
        let mut rows: Vec<(Head, Head, usize)> = rows.into_iter().map(heads).collect();
        rows.sort_by(|a, b| {
            let order = if self.descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            // The heads of two texts that differ may be equal.
            let whole = || self.compare(list, picture, a.2, b.2);
            if order.is_ne() || a.0[0] == 1 {
                return order.then_with(whole);
            }
            a.1.cmp(&b.1).then_with(whole)
        });
        rows.into_iter().map(|(.., row)| row).collect()
    }

    /// Takes out what changed, and puts back what is still there where it belongs now.
    fn merge(&mut self, list: &dyn List, picture: &Picture, changed: &[usize], passes: &mut impl FnMut(usize) -> bool) {
        let gone: HashSet<usize, foldhash::fast::RandomState> = changed.iter().copied().collect();
        let mut kept = std::mem::take(&mut self.rows);
        if !gone.is_empty() {
            kept.retain(|row| !gone.contains(row));
        }
        let fresh: Vec<usize> = changed.iter().copied().filter(|&row| list.has(picture, row) && passes(row)).collect();
        let fresh = self.sorted(list, picture, fresh);
        let mut rows = Vec::with_capacity(kept.len() + fresh.len());
        let mut from = 0;
        for row in fresh {
            let here = kept[from..].partition_point(|&known| self.compare(list, picture, known, row).is_lt());
            rows.extend_from_slice(&kept[from..from + here]);
            rows.push(row);
            from += here;
        }
        rows.extend_from_slice(&kept[from..]);
        self.rows = rows;
    }

    /// `changed` are the rows that may be the selected thing now, where it is not in its place any more.
    fn find_selection(&mut self, list: &dyn List, picture: &Picture, changed: Option<&[usize]>) {
        let was = self.cursor;
        if self.follow {
            self.cursor = self.rows.len().saturating_sub(1);
        } else if let Some(key) = &self.selected {
            let is_it = |row: &usize| list.has(picture, *row) && list.key(picture, *row) == *key;
            let row = self.row.filter(is_it).or_else(|| match changed {
                Some(changed) => changed.iter().copied().find(|row| is_it(row)),
                None => self.rows.iter().copied().find(|row| is_it(row)),
            });
            let place = row.and_then(|row| self.rows.iter().position(|known| *known == row));
            // A thing that is gone leaves the selection where it was.
            self.cursor = place.unwrap_or(was);
        }
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.offset = (self.offset + self.cursor).saturating_sub(was);
        self.select_at_cursor(list, picture);
    }

    fn select_at_cursor(&mut self, list: &dyn List, picture: &Picture) {
        self.row = self.rows.get(self.cursor).copied();
        self.selected = self.row.map(|row| list.key(picture, row));
        self.scroll_into_view();
    }

    /// Keeps the cursor on screen, and no empty space below the last row.
    pub fn scroll_into_view(&mut self) {
        let height = self.height.max(1);
        self.offset = self.offset.min(self.rows.len().saturating_sub(height));
        self.offset = self.offset.clamp((self.cursor + 1).saturating_sub(height), self.cursor);
    }

    /// Moves the cursor.
    pub fn go(&mut self, to: usize, list: &dyn List, picture: &Picture) {
        let last = self.rows.len().saturating_sub(1);
        self.cursor = to.min(last);
        self.follow = list.follows() && self.cursor == last;
        self.select_at_cursor(list, picture);
    }

    /// Selects a thing, if it is there.
    pub fn select(&mut self, key: &str, list: &dyn List, picture: &Picture) -> bool {
        let Some(place) = self.rows.iter().position(|&row| list.key(picture, row) == key) else { return false };
        self.go(place, list, picture);
        true
    }

    /// Scrolls by rows, and takes the cursor along only where it would leave the screen.
    pub fn scroll(&mut self, by: isize, list: &dyn List, picture: &Picture) {
        let most = self.rows.len().saturating_sub(self.height.max(1));
        self.offset = self.offset.saturating_add_signed(by).min(most);
        let cursor = self.cursor.clamp(self.offset, self.offset + self.height.max(1) - 1);
        self.go(cursor, list, picture);
    }

    /// Marks the selected thing, or takes the mark away.
    pub fn toggle_mark(&mut self) {
        if let Some(key) = self.selected.clone()
            && !self.marks.remove(&key)
        {
            self.marks.insert(key);
        }
    }

    /// Sorts by a column; by the same again turns it round.
    pub fn sort_by(&mut self, column: usize, descending_first: bool) {
        if self.column == column {
            self.descending = !self.descending;
        } else {
            (self.column, self.descending) = (column, descending_first);
        }
    }
}
