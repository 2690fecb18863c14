//! The state of one table: sort, filter, selection, marks, scroll. The selection is a key, not a row.

use std::collections::HashSet;

use super::filter::{Filter, matcher};
use super::list::List;
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
}

impl Table {
    /// A table as it is at first.
    #[must_use]
    pub fn new(list: &dyn List) -> Self {
        let (column, descending) = list.first_sort();
        Self { column, descending, follow: list.follows(), height: 1, ..Self::default() }
    }

    /// Filters and sorts anew, and finds the selected thing again. It stays where it is on screen.
    pub fn refresh(&mut self, list: &dyn List, picture: &Picture, repo: Option<&str>, now: Millis) {
        let columns = list.columns();
        let fields: Vec<&str> = columns.iter().map(|c| c.field).collect();
        let filter = Filter::parse(&self.filter, &fields);
        let mut rows: Vec<usize> = (0..list.len(picture)).collect();
        if let Some(repo) = repo {
            rows.retain(|&row| list.in_repo(picture, row, repo));
        }
        if !filter.is_empty() {
            let mut matcher = matcher();
            rows.retain(|&row| filter.passes(&mut matcher, columns.len(), &|c| list.cell(picture, row, c, now).text));
        }
        rows.sort_by(|&a, &b| {
            let order = list.compare(picture, a, b, self.column);
            let order = if self.descending { order.reverse() } else { order };
            // Equals are in the order of their names, so that they do not swap places.
            order
                .then_with(|| list.compare(picture, a, b, 0))
                .then_with(|| list.key(picture, a).cmp(&list.key(picture, b)))
        });
        self.rows = rows;
        self.find_selection(list, picture);
    }

    fn find_selection(&mut self, list: &dyn List, picture: &Picture) {
        let was = self.cursor;
        if self.follow {
            self.cursor = self.rows.len().saturating_sub(1);
        } else if let Some(key) = &self.selected {
            let place = self.rows.iter().position(|&row| list.key(picture, row) == *key);
            // A thing that is gone leaves the selection where it was.
            self.cursor = place.unwrap_or(was);
        }
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.offset = (self.offset + self.cursor).saturating_sub(was);
        self.select_at_cursor(list, picture);
    }

    fn select_at_cursor(&mut self, list: &dyn List, picture: &Picture) {
        self.selected = self.rows.get(self.cursor).map(|&row| list.key(picture, row));
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
