//! Reading one row of outside data: whatever is not what its column is for becomes unknown, and is noted.

use std::sync::Arc;

use libsql::Value;

use crate::data::sqlite::text;
use crate::model::text::{Text, truncate_bytes};
use crate::model::time::{Millis, parse_sqlite, plausible};
use crate::model::{Oddity, Payload, Stored};

/// How many oddities of one read are kept; more say nothing new.
pub const MAX_ODDITIES: usize = 100;

/// The values of one row, taken in the order in which they were selected.
pub struct RowReader<'a> {
    table: &'static str,
    /// It names the row.
    first: &'a Value,
    values: std::slice::Iter<'a, Value>,
    oddities: &'a mut Vec<Oddity>,
}

impl<'a> RowReader<'a> {
    /// Starts on a row whose first value names it.
    pub fn new(table: &'static str, values: &'a [Value], oddities: &'a mut Vec<Oddity>) -> Self {
        Self { table, first: values.first().unwrap_or(&Value::Null), values: values.iter(), oddities }
    }

    fn next(&mut self) -> &'a Value {
        self.values.next().unwrap_or(&Value::Null)
    }

    fn odd(&mut self, column: &'static str, value: &Value) {
        if self.oddities.len() < MAX_ODDITIES {
            self.oddities.push(Oddity {
                table: self.table,
                column,
                row: Text::bounded(&plain(self.first), 80),
                found: Text::bounded(&describe(value), 80),
            });
        }
    }

    /// The next value as it is stored, where it is not as usual; it is still to be read.
    pub fn stored(&self, usual: impl Fn(&Value) -> bool) -> Option<Arc<Stored>> {
        let value = self.values.as_slice().first().unwrap_or(&Value::Null);
        let stored = match value {
            value if usual(value) => return None,
            Value::Null | Value::Blob(_) => return None,
            Value::Integer(n) => Stored::Integer(*n),
            Value::Real(x) => Stored::Real(format!("{x:?}")),
            Value::Text(text) => Stored::Text(text.clone()),
        };
        Some(Arc::new(stored))
    }

    /// A whole number, or unknown.
    pub fn int(&mut self, column: &'static str) -> Option<i64> {
        match self.next() {
            Value::Integer(n) => Some(*n),
            Value::Null => None,
            other => {
                self.odd(column, other);
                None
            }
        }
    }

    /// An instant in Unix milliseconds, or unknown.
    pub fn millis(&mut self, column: &'static str) -> Option<Millis> {
        match self.next() {
            Value::Integer(ms) if plausible(*ms) => Some(*ms),
            Value::Null => None,
            other => {
                self.odd(column, other);
                None
            }
        }
    }

    /// An instant as `SQLite`'s `datetime()` writes it, or unknown.
    pub fn datetime(&mut self, column: &'static str) -> Option<Millis> {
        let value = self.next();
        let read = text(value).and_then(parse_sqlite);
        if read.is_none() && *value != Value::Null {
            self.odd(column, value);
        }
        read
    }

    /// A flag: 0 or 1; unknown is false, and noted.
    pub fn flag(&mut self, column: &'static str) -> bool {
        match self.next() {
            Value::Integer(n) => *n != 0,
            other => {
                if !matches!((column, other), ("undone", Value::Null)) {
                    self.odd(column, other);
                }
                false
            }
        }
    }

    /// Text; NULL is empty. A number is taken as its digits, since ids are numbers in some tables.
    pub fn text(&mut self, column: &'static str) -> Text {
        self.opt_text(column).unwrap_or_default()
    }

    /// Text, or nothing.
    pub fn opt_text(&mut self, column: &'static str) -> Option<Text> {
        match self.next() {
            Value::Text(text) => Some(Text::new(text)),
            Value::Integer(n) => Some(Text::new(&n.to_string())),
            Value::Null => None,
            other => {
                self.odd(column, other);
                Some(Text::bounded(&plain(other), 80))
            }
        }
    }

    /// Text of any length, as it came, cut to `max` bytes; for JSON that is parsed later.
    pub fn raw(&mut self, max: usize) -> Arc<str> {
        truncate_bytes(&plain(self.next()), max).into()
    }

    /// A payload: its head, then its full length.
    pub fn payload(&mut self) -> Payload {
        let head = self.raw(Payload::MAX * 4);
        let full_len = match self.next() {
            Value::Integer(n) => Some(*n),
            _ => None,
        };
        Payload { head, full_len }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(n) => n.to_string(),
        Value::Real(x) => x.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(n) => format!("number {n}"),
        Value::Real(x) => format!("real {x}"),
        Value::Text(text) => format!("text {:?}", truncate_bytes(text, 60)),
        Value::Blob(bytes) => format!("blob of {} bytes", bytes.len()),
    }
}
