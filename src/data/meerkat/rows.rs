//! A database file that is followed: read-only, without making anything beside it, and begun again where another file
//! stands under the same name.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use libsql::{Connection, Value};

use crate::data::sqlite::{self, Rows, SharedFile, collect};
use crate::model::source::Fault;
use crate::model::text::Text;

/// One file.
pub struct Followed {
    file: SharedFile,
    identity: Option<(u64, u64)>,
    /// Something was left to read.
    pub behind: bool,
}

/// What there is to read.
pub enum Open {
    /// Nothing was written since.
    Unchanged,
    Changed {
        connection: Connection,
        /// Another file than before: what was read of that one is void.
        replaced: bool,
    },
}

impl Followed {
    /// Follows the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { file: SharedFile::new(path), identity: None, behind: true }
    }

    /// Opens it where there is anything to read.
    pub async fn open(&mut self) -> Result<Open, Fault> {
        let now = identity(self.file.path())?;
        let replaced = self.identity.is_some_and(|before| before != now);
        if replaced {
            self.file.close();
        }
        let (connection, moved) = match self.file.reopen().await {
            Ok(open) => open,
            Err(fault) => {
                self.file.close();
                return Err(fault);
            }
        };
        if !moved && !replaced && !self.behind {
            return Ok(Open::Unchanged);
        }
        // Until it was read to its end, it is to be read.
        (self.identity, self.behind) = (Some(now), true);
        Ok(Open::Changed { connection, replaced })
    }

    /// All of it was read, or `behind` says that some was not.
    pub fn seen(&mut self, behind: bool) -> Result<(), Fault> {
        self.file.seen()?;
        self.behind = behind;
        Ok(())
    }

    /// Opens it anew at the next poll.
    pub fn close(&mut self) {
        self.file.close();
    }
}

fn identity(path: &Path) -> Result<(u64, u64), Fault> {
    match std::fs::metadata(path) {
        Ok(file) => Ok((file.dev(), file.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Fault::transient(format!("{} does not exist", path.display())))
        }
        Err(error) => Err(Fault::transient(format!("cannot read {}: {error}", path.display()))),
    }
}

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
