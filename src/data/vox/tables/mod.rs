//! One table of Vox a file, or a small family: which columns are selected, and how a row is read.

pub mod locks;
pub mod log;
pub mod messages;
pub mod nodes;

use libsql::Value;

use super::row::RowReader;
use super::schema::Schema;
use crate::model::Oddity;

/// The most characters that are read of one value. A database holds values of any length, and a row of them may be an
/// agent's making.
pub const MAX_CELL: usize = 4_096;

/// How to read one table.
pub struct Reading<T> {
    pub table: &'static str,
    /// Selected in this order; the first one names the row. `(column, expression over it)`.
    pub columns: &'static [(&'static str, &'static str)],
    /// Turns a row into a fact; `None` where the row cannot be identified.
    pub row: fn(&mut RowReader<'_>) -> Option<T>,
}

impl<T> Reading<T> {
    /// `SELECT` with NULL in place of each column that is not there.
    #[must_use]
    pub fn select(&self, schema: &Schema) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(column, expression)| match (schema.has(self.table, column), *expression) {
                (false, _) => "NULL".to_owned(),
                (true, "") => bounded(column),
                (true, expression) => expression.to_owned(),
            })
            .collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.table)
    }

    /// The same with the rowid as the last value.
    #[must_use]
    pub fn select_named(&self, schema: &Schema) -> String {
        self.select(schema).replacen(" FROM ", ", rowid FROM ", 1)
    }

    /// Reads one row.
    pub fn read_one(&self, values: &[Value], oddities: &mut Vec<Oddity>) -> Option<T> {
        (self.row)(&mut RowReader::new(self.table, values, oddities))
    }

    /// Reads all rows; none of them can stop it.
    pub fn read(&self, rows: &[Vec<Value>], oddities: &mut Vec<Oddity>) -> Vec<T> {
        rows.iter().filter_map(|values| self.read_one(values, oddities)).collect()
    }
}

/// A column, cut to what is read of a value. Numbers stay numbers.
fn bounded(column: &str) -> String {
    format!(
        "CASE WHEN typeof(\"{column}\") IN ('text', 'blob') THEN substr(\"{column}\", 1, {MAX_CELL}) ELSE \"{column}\" END"
    )
}
