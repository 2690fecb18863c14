//! Files: a private copy of one that others own, or a direct connection to one that is ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use libsql::{Builder, Connection, OpenFlags};

use super::{News, Spent};
use crate::data::source::Fault;
use crate::data::vox::snapshot::copy::{Copier, Fresh};

/// A database file that others own, read through a private copy.
pub struct CopyOf {
    copier: Option<Copier>,
    connection: Option<Arc<Connection>>,
}

impl CopyOf {
    /// Reads through what `copier` copies.
    #[must_use]
    pub fn new(copier: Copier) -> Self {
        Self { copier: Some(copier), connection: None }
    }

    pub(super) async fn news(&mut self, spent: &mut Spent) -> Result<News, Fault> {
        let mut copier = self.copier.take().ok_or_else(|| Fault::transient("an earlier copy was interrupted"))?;
        // The copy is replaced under this name, so nothing may hold the old one.
        let open = self.connection.is_some();
        let (copier, outcome) = tokio::task::spawn_blocking(move || {
            let current = open.then(|| copier.is_current());
            let outcome = match current {
                Some(Ok(true)) => Ok(None),
                Some(Err(fault)) => Err(fault),
                Some(Ok(false)) | None => copier.refresh().map(Some),
            };
            (copier, outcome)
        })
        .await
        .map_err(|e| Fault::transient(format!("copying failed: {e}")))?;
        self.copier = Some(copier);
        match outcome? {
            None => Ok(News::None),
            Some(Fresh::Unchanged) => Ok(News::None),
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
        let copier = self.copier.as_ref().ok_or_else(|| Fault::transient("an earlier copy was interrupted"))?;
        // Read-only, so that closing it never folds the log into the copy.
        let connection = Arc::new(open(copier.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).await?);
        self.connection = Some(connection.clone());
        Ok(connection)
    }

    pub(super) fn distrust(&mut self) {
        self.connection = None;
        if let Some(copier) = &mut self.copier {
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
