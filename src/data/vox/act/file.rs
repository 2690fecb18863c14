//! A local file, opened for one action alone.
//!
//! A file that others own is opened only while no other process has it open. Closing the last SQLite connection folds the
//! log into the file and removes it, which would pull it from under an engine that came meanwhile and ignores SQLite's
//! locks; so the open files are looked at once more, and then the connection is abandoned instead of closed: nothing is
//! folded, and its locks are given back. What was committed is believed once it is in the file after that.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libsql::{Builder, Connection, OpenFlags};

use super::holders::{self, WriterSlot};
use crate::data::sqlite::{collect, open_read_only, reason};
use crate::data::vox::backend::Rows;
use crate::data::vox::file_copy::copy::Copier;
use crate::data::vox::file_copy::gate;
use crate::data::vox::file_copy::gate::Writing;

/// How long SQLite waits for its own locks.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a database could not be opened for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it open.
    InUse(String),
    Failed(String),
}

/// An open file.
pub struct OpenFile {
    connection: Option<Connection>,
    path: PathBuf,
    /// Ours by configuration: SQLite's locks alone decide.
    direct: bool,
    max_copy: u64,
    /// Nothing else in this process reads the file meanwhile.
    writing: Option<Writing>,
    /// One console at a time writes to a file that others own.
    _slot: Option<WriterSlot>,
}

impl OpenFile {
    /// Opens it, or says why not.
    pub async fn open(path: &Path, direct: bool, max_copy: u64) -> Result<Self, OpenError> {
        // As SQLite does, so that the log beside it is the one that counts.
        let path = std::fs::canonicalize(path)
            .map_err(|e| OpenError::Failed(format!("{} cannot be opened: {e}", path.display())))?;
        let slot = if direct { None } else { Some(holders::take_slot(&path).await.map_err(OpenError::InUse)?) };
        let todo = "; end that process, act through its control plane, or set db_access = \"direct\" if only SQLite \
                    uses the file";
        let in_use = |why: String| OpenError::InUse(why + todo);
        let writing = if direct { None } else { Some(gate::write(&path).await) };
        if !direct {
            holders::until_free(&path, holders::nobody_holds).await.map_err(in_use)?;
        }
        let fault =
            |e: libsql::Error| OpenError::Failed(format!("{} cannot be opened: {}", path.display(), reason(&e)));
        let builder = Builder::new_local(&path).flags(OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = builder.build().await.map_err(fault)?.connect().map_err(fault)?;
        connection.busy_timeout(PATIENCE).map_err(fault)?;
        // Nothing was read yet, so closing now folds nothing.
        if !direct {
            holders::until_free(&path, holders::nobody_has_open).await.map_err(in_use)?;
        }
        Ok(Self { connection: Some(connection), path, direct, max_copy, writing, _slot: slot })
    }

    /// Its connection.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Gives the connection up. Answers whether another process has the file open.
    fn let_go(&mut self) -> Option<String> {
        let connection = self.connection.take()?;
        if self.direct {
            return None;
        }
        let intruder = holders::nobody_has_open(&self.path).err();
        if intruder.is_some() {
            std::mem::forget(connection);
            // Opening and closing the file gives back every lock that this process has on it.
            drop(File::open(&self.path));
        } else {
            drop(connection);
        }
        self.writing = None;
        intruder
    }

    /// Closes it. Of a file that others own, answers what it holds then, read without a lock.
    pub async fn close(mut self, reread: &[&str]) -> Option<Result<Vec<Rows>, String>> {
        if self.direct {
            return None;
        }
        let before = self.let_go();
        let (path, max) = (self.path.clone(), self.max_copy);
        let copied = tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
            let mut copier = Copier::new(path, folder.path(), max);
            copier.refresh().map_err(|fault| fault.to_string())?;
            Ok::<_, String>((folder, copier))
        });
        let copied = copied.await.map_err(|e| e.to_string()).and_then(|copied| copied);
        let rows = match copied {
            Ok((_folder, copier)) => read(copier.path(), reread).await,
            Err(why) => Err(why),
        };
        // An engine that keeps its own snapshot of the log may still write over what was committed.
        let after = holders::nobody_has_open(&self.path).err();
        Some(match before.or(after) {
            Some(who) => Err(format!("{who}, and may write over it")),
            None => rows,
        })
    }
}

async fn read(path: &Path, statements: &[&str]) -> Result<Vec<Rows>, String> {
    let connection = open_read_only(path).await.map_err(|fault| fault.to_string())?;
    let mut results = Vec::with_capacity(statements.len());
    for sql in statements {
        let rows = connection.query(sql, ()).await.map_err(|e| reason(&e).to_string())?;
        results.push(collect(rows).await.map_err(|e| reason(&e).to_string())?);
    }
    Ok(results)
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.let_go();
    }
}
