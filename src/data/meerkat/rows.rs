//! Rows of Meerkat's databases, as they come.

use libsql::{Connection, Value};

use crate::data::sqlite::{self, Rows, collect};
use crate::model::source::Fault;
use crate::model::text::Text;

/// The rows of a statement; nothing where the file has no such table.
pub async fn rows(
    connection: &Connection,
    table: &'static str,
    sql: &str,
    cost: &mut u64,
) -> Result<Option<Rows>, Fault> {
    let fault = |error: &libsql::Error| {
        let todo = match sqlite::code(error) {
            Some(sqlite::ERROR) => "it is of another version",
            Some(sqlite::CANNOT_OPEN | sqlite::READ_ONLY) => {
                "a file in use needs a folder that this user may write its -shm file to"
            }
            Some(sqlite::NOT_A_DATABASE | sqlite::CORRUPT) => "run PRAGMA integrity_check on it",
            _ => "",
        };
        Fault { todo: todo.into(), ..Fault::transient(format!("{table}: {}", sqlite::reason(error))) }
    };
    let there = format!("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{table}'");
    let there = connection.query(&there, ()).await.map_err(|e| fault(&e))?;
    if collect(there).await.map_err(|e| fault(&e))?.is_empty() {
        return Ok(None);
    }
    let rows = connection.query(sql, ()).await.map_err(|e| fault(&e))?;
    let rows = collect(rows).await.map_err(|e| fault(&e))?;
    *cost += rows.len() as u64;
    Ok(Some(rows))
}

/// The largest number in a column; 0 where there is none.
pub async fn newest(connection: &Connection, table: &'static str, column: &str, cost: &mut u64) -> Result<i64, Fault> {
    let found = rows(connection, table, &format!("SELECT max({column}) FROM {table}"), cost).await?;
    Ok(found.as_deref().and_then(|rows| number(rows.first()?, 0)).unwrap_or(0))
}

/// A text of a row.
#[must_use]
pub fn word(row: &[Value], at: usize) -> Option<&str> {
    row.get(at).and_then(sqlite::text)
}

/// A number of a row.
#[must_use]
pub fn number(row: &[Value], at: usize) -> Option<i64> {
    row.get(at).and_then(sqlite::int)
}

/// A fault as one line about a file.
#[must_use]
pub fn about(what: &str, fault: &Fault) -> Text {
    format!("{what}: {fault}").into()
}
