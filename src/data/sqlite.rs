//! SQLite files and remote databases read through libSQL: opening, and rows as they come.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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

/// A file that other programs write, read without leaving anything beside it. While its log is in use it is read through
/// that. Without a log it is read as it lies: opened as usual, SQLite would make a log beside it, or fail where it may not.
pub struct SharedFile {
    path: PathBuf,
    open: Option<Opened>,
}

struct Opened {
    connection: Connection,
    /// The file as it lay when it was opened without its log.
    as_it_lies: Option<Lying>,
    /// Its version when what was seen last was read.
    version: Option<i64>,
    /// Its version when it was reopened last: what is committed while it is read is read at the next poll.
    reading: i64,
}

/// What tells whether a file was written since: length, time and identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lying(u64, Option<SystemTime>, (u64, u64));

impl SharedFile {
    /// Reads the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its connection, and whether anything may have been written since [`Self::seen`].
    pub async fn reopen(&mut self) -> Result<(Connection, bool), Fault> {
        let lying = self.lying()?;
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.as_it_lies != lying && (open.as_it_lies.is_some() || lying.is_some()))
        {
            self.open = None;
        }
        if self.open.is_none() {
            let connection = match lying {
                Some(_) => open_as_it_lies(&self.path).await?,
                None => open_read_only(&self.path).await?,
            };
            self.open = Some(Opened { connection, as_it_lies: lying, version: None, reading: 0 });
        }
        let Some(open) = &mut self.open else { return Err(Fault::transient("the file is not open")) };
        open.reading = match open.as_it_lies {
            Some(_) => 0,
            None => data_version(&open.connection).await?,
        };
        Ok((open.connection.clone(), open.version != Some(open.reading)))
    }

    /// What was looked at was read. Fails where it was written meanwhile, in a way that what was read may be torn.
    pub fn seen(&mut self) -> Result<(), Fault> {
        let lying = self.lying()?;
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.as_it_lies.is_some() && open.as_it_lies != lying {
            self.open = None;
            return Err(Fault::transient(format!("{} was written while it was read", self.path.display())));
        }
        open.version = Some(open.reading);
        Ok(())
    }

    /// Opens it anew at the next poll.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// The file, where nothing is in its log; nothing while its log is in use.
    fn lying(&self) -> Result<Option<Lying>, Fault> {
        let path = &self.path;
        let file = match std::fs::metadata(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Fault::transient(format!("{} does not exist", path.display())));
            }
            Err(e) => return Err(Fault::transient(format!("cannot look at {}: {e}", path.display()))),
        };
        // Opening a pipe would wait for whoever writes to it.
        if !file.is_file() {
            return Err(Fault::setup(format!("{} is no file", path.display()), "remove it, or name another"));
        }
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).is_ok_and(|file| file.len() > 0)
        };
        if beside("-wal") || beside("-journal") {
            return Ok(None);
        }
        Ok(Some(Lying(file.len(), file.modified().ok(), (file.dev(), file.ino()))))
    }
}

/// Opens a file read-only as it lies, without its log: nothing is made beside it.
async fn open_as_it_lies(path: &Path) -> Result<Connection, Fault> {
    use std::os::unix::ffi::OsStrExt as _;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let name: String = absolute
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") })
        .collect();
    open_read_only(Path::new(&format!("file:{name}?immutable=1"))).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_committed_while_a_file_is_read_is_read_at_the_next_poll() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.db");
        let writer = libsql::Builder::new_local(&path).build().await.unwrap().connect().unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)").await.unwrap();
        let mut file = SharedFile::new(path);
        assert!(file.reopen().await.unwrap().1);
        writer.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
        file.seen().unwrap();
        assert!(file.reopen().await.unwrap().1, "the second row was not read");
        file.seen().unwrap();
        assert!(!file.reopen().await.unwrap().1);
    }

    #[tokio::test]
    async fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fault = SharedFile::new(folder.path().to_owned()).reopen().await.unwrap_err();
        assert!(fault.to_string().contains("is no file"), "{fault}");
    }
}
