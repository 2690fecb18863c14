//! A row as JSON, and as plain words.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::column::{Column, Columns};
use super::value::Value;
use crate::model::time::Millis;

/// A row of any type.
pub trait Row {
    /// Calls a function with the name and the value of each column that JSON has.
    fn fields(&self, take: &mut dyn FnMut(&'static str, Value<'_>));
}

/// A row, and the columns that it is read by.
pub(super) struct Read<'a, T: 'static> {
    pub columns: &'a [Column<T>],
    pub row: &'a T,
    pub now: Millis,
}

impl<T> Row for Read<'_, T> {
    fn fields(&self, take: &mut dyn FnMut(&'static str, Value<'_>)) {
        for column in self.columns.iter().filter(|column| column.in_json) {
            take(column.name, (column.value)(self.row, self.now));
        }
    }
}

/// A row as a JSON object.
impl Serialize for dyn Row + '_ {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        let mut written = Ok(());
        self.fields(&mut |name, value| {
            if written.is_ok() {
                written = object.serialize_entry(name, &value);
            }
        });
        written?;
        object.end()
    }
}

/// A row as a JSON object.
pub(super) fn object<T>(columns: &[Column<T>], row: &T, now: Millis) -> Json {
    let row: &dyn Row = &Read { columns, row, now };
    serde_json::to_value(row).unwrap_or_default()
}

impl<T> Columns<T> {
    /// The row as a JSON object.
    pub fn json(&self, row: &T, now: Millis) -> Json {
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
