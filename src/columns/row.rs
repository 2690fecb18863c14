//! A row as JSON, and as plain words.

use serde_json::{Map, Value};

use super::column::{Column, Columns};
use crate::model::time::Millis;

/// A row as a JSON object.
pub(super) fn object<T>(columns: &[Column<T>], row: &T, now: Millis) -> Value {
    let field = |column: &Column<T>| (column.name.to_owned(), (column.value)(row, now).json());
    Value::Object(columns.iter().filter(|c| c.in_json).map(field).collect::<Map<_, _>>())
}

impl<T> Columns<T> {
    /// The row as a JSON object.
    pub fn json(&self, row: &T, now: Millis) -> Value {
        object(self.all, row, now)
    }

    /// The titles of a table of text, and whether each aligns right.
    pub fn titles(&self) -> Vec<(&'static str, bool)> {
        let right = |column: &Column<T>| column.screen.as_ref().map_or(column.kind.is_number(), |s| s.right);
        self.all.iter().filter_map(|column| Some((column.text_title()?, right(column)))).collect()
    }

    /// The row in plain words, below its titles.
    pub fn plain(&self, row: &T, now: Millis) -> Vec<String> {
        self.all.iter().filter(|c| c.text_title().is_some()).map(|c| (c.value)(row, now).plain()).collect()
    }
}
