//! SQLite files and remote databases read through libSQL: opening, and rows as they come.

use std::path::Path;
use std::time::Duration;

use libsql::{Builder, Connection, OpenFlags, Value, ValueType};

use super::source::Fault;
use crate::quiet::quietly;

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
pub async fn collect(mut rows: libsql::Rows) -> Result<Rows, String> {
    let mut all = Vec::new();
    while let Some(row) = rows.next().await.map_err(|e| e.to_string())? {
        let width = row.column_count();
        all.push((0..width).map(|i| value(&row, i)).collect::<Result<_, _>>()?);
    }
    Ok(all)
}

/// One value. The client library panics on text that is no UTF-8, which one row of an agent's making would do to every
/// poll: such text is shown as what cannot be shown, and noted as odd. A row of an answer that has no such value at all,
/// which would make it panic too, is no row of a database.
fn value(row: &libsql::Row, i: i32) -> Result<Value, String> {
    let read = || row.get_value(i).unwrap_or(Value::Null);
    match row.column_type(i) {
        Ok(ValueType::Text) => Ok(quietly(read).unwrap_or_else(|| Value::Blob("\u{fffd}".into()))),
        Ok(_) => Ok(read()),
        Err(_) => Err("with rows that lack values".into()),
    }
}
