//! SQLite files and remote databases read through libSQL: opening, and rows as they come.

use std::path::Path;
use std::time::Duration;

use libsql::{Builder, Connection, OpenFlags, Value, ValueType};

use crate::model::source::Fault;
use crate::model::text::Text;
use crate::panic_guard::quietly;

/// Rows of one statement.
pub type Rows = Vec<Vec<Value>>;

/// Opens a file read-only, so that closing it never folds a log into it.
pub async fn open_read_only(path: &Path) -> Result<Connection, Fault> {
    let fault = |e: libsql::Error| Fault::transient(format!("cannot open {}: {e}", path.display()));
    let builder = Builder::new_local(path).flags(OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = builder.build().await.map_err(fault)?.connect().map_err(fault)?;
    connection.busy_timeout(Duration::from_secs(2)).map_err(fault)?;
    Ok(connection)
}

/// Moves when another connection commits.
pub async fn data_version(connection: &Connection) -> Result<i64, Fault> {
    let fault = |e: libsql::Error| Fault::transient(format!("the database answered: {e}"));
    let mut rows = connection.query("PRAGMA data_version", ()).await.map_err(fault)?;
    let row = rows.next().await.map_err(fault)?;
    row.and_then(|row| row.get::<i64>(0).ok()).ok_or_else(|| Fault::transient("the database tells no data_version"))
}

/// SQLite's answers that are distinguished, by their primary codes.
pub const ERROR: i32 = 1;
pub const BUSY: i32 = 5;
pub const LOCKED: i32 = 6;
pub const READ_ONLY: i32 = 8;
pub const CORRUPT: i32 = 11;
pub const CANNOT_OPEN: i32 = 14;
pub const CONSTRAINT: i32 = 19;
pub const AUTH: i32 = 23;
pub const NOT_A_DATABASE: i32 = 26;

/// The primary code of SQLite's answer, where the error is one.
#[must_use]
pub fn code(error: &libsql::Error) -> Option<i32> {
    match error {
        libsql::Error::SqliteFailure(code, _) => Some(code & 0xff),
        _ => None,
    }
}

/// SQLite's own words, where the error is an answer of SQLite.
#[must_use]
pub fn reason(error: &libsql::Error) -> Text {
    match error {
        libsql::Error::SqliteFailure(_, reason) => Text::new(reason),
        other => other.to_string().into(),
    }
}

/// A value that is text.
#[must_use]
pub fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// A value that is a whole number.
#[must_use]
pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(n) => Some(*n),
        _ => None,
    }
}

/// All rows of a statement, or what the database says instead.
pub async fn collect(mut rows: libsql::Rows) -> libsql::Result<Rows> {
    let mut all = Vec::new();
    while let Some(row) = rows.next().await? {
        let width = row.column_count();
        all.push((0..width).map(|i| value(&row, i)).collect::<Result<_, _>>()?);
    }
    Ok(all)
}

/// One value. The client library panics on text that is no UTF-8, which one row of an agent's making would do to every
/// poll: such text is shown as what cannot be shown, and noted as odd.
fn value(row: &libsql::Row, i: i32) -> libsql::Result<Value> {
    if matches!(row.column_type(i)?, ValueType::Text) {
        return quietly(|| row.get_value(i)).unwrap_or_else(|| Ok(Value::Blob("\u{fffd}".into())));
    }
    row.get_value(i)
}
