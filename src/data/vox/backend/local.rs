//! Files: a private copy of one that others own, or a direct connection to one that is ours.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libsql::{Builder, Connection, OpenFlags};

use super::{News, Spent};
use crate::data::source::Fault;
use crate::data::vox::snapshot::copy::{Copier, Fresh};

/// A database file that others own, read through a private copy.
pub struct CopyOf {
    /// Shared with the thread that copies: a poll that timed out leaves it at work.
    copier: Arc<Mutex<Copier>>,
    path: PathBuf,
    connection: Option<Arc<Connection>>,
}

impl CopyOf {
    /// Reads through what `copier` copies.
    #[must_use]
    pub fn new(copier: Copier) -> Self {
        let path = copier.path().to_owned();
        Self { copier: Arc::new(Mutex::new(copier)), path, connection: None }
    }

    pub(super) async fn news(&mut self, spent: &mut Spent) -> Result<News, Fault> {
        let copier = self.copier.clone();
        let open = self.connection.is_some();
        let outcome = tokio::task::spawn_blocking(move || {
            let Ok(mut copier) = copier.try_lock() else {
                return Err(Fault::transient("the last copy is still being made"));
            };
            if open && copier.is_current()? { Ok(None) } else { copier.refresh().map(Some) }
        })
        .await
        .map_err(|e| Fault::transient(format!("copying failed: {e}")))?;
        match outcome? {
            None => Ok(News::None),
            Some(Fresh::Changed { bytes }) => {
                self.connection = None;
                spent.bytes += bytes;
                Ok(News::Some)
            }
            Some(Fresh::Replaced { bytes }) => {
                self.connection = None;
                spent.bytes += bytes;
                Ok(News::AnotherDatabase)
            }
        }
    }

    pub(super) async fn connection(&mut self) -> Result<Arc<Connection>, Fault> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        // Read-only, so that closing it never folds the log into the copy.
        let connection = Arc::new(open(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).await?);
        self.connection = Some(connection.clone());
        Ok(connection)
    }

    pub(super) fn distrust(&mut self) {
        self.connection = None;
        if let Ok(mut copier) = self.copier.try_lock() {
            copier.distrust();
        }
    }
}

/// A database file that is ours (the demo's), or one that the operator said is safe to open.
pub struct Owned {
    path: PathBuf,
    connection: Option<Arc<Connection>>,
    seen_version: Option<i64>,
}

impl Owned {
    /// Opens `path` directly, read-only.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, connection: None, seen_version: None }
    }

    pub(super) async fn news(&mut self) -> Result<News, Fault> {
        let connection = self.connection().await?;
        let version = data_version(&connection).await?;
        let moved = self.seen_version != Some(version);
        self.seen_version = Some(version);
        Ok(if moved { News::Some } else { News::None })
    }

    pub(super) async fn connection(&mut self) -> Result<Arc<Connection>, Fault> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        let connection = Arc::new(open(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).await?);
        self.connection = Some(connection.clone());
        Ok(connection)
    }
}

pub(super) async fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Fault> {
    let fault = |e: libsql::Error| Fault::transient(format!("cannot open {}: {e}", path.display()));
    let database = Builder::new_local(path).flags(flags).build().await.map_err(fault)?;
    let connection = database.connect().map_err(fault)?;
    connection.busy_timeout(Duration::from_secs(2)).map_err(fault)?;
    Ok(connection)
}

/// Moves when another connection commits.
pub(super) async fn data_version(connection: &Connection) -> Result<i64, Fault> {
    let fault = |e: libsql::Error| Fault::transient(format!("the database answered: {e}"));
    let mut rows = connection.query("PRAGMA data_version", ()).await.map_err(fault)?;
    let row = rows.next().await.map_err(fault)?;
    row.and_then(|row| row.get::<i64>(0).ok()).ok_or_else(|| Fault::transient("the database tells no data_version"))
}
