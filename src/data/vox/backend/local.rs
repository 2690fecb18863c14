//! Files: a private copy of one that others own, or a direct connection to one that is ours.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use libsql::Connection;

use super::{News, Spent};
use crate::data::sqlite::{data_version, open_read_only};
use crate::data::vox::file_copy::copy::{Copier, Fresh, Written};
use crate::data::vox::pages::{Generation, Pages};
use crate::data::vox::trackers::PageView;
use crate::model::source::Fault;

/// A database file that others own, read through a private copy.
pub struct CopyOf {
    /// Shared with the thread that copies: a poll that timed out leaves it at work.
    copier: Arc<Mutex<Copier>>,
    path: PathBuf,
    connection: Option<Arc<Connection>>,
    /// Closed after the connection.
    pages: Option<Pages>,
    /// Pages of the copy that were written since they were looked at; nothing where any may be another.
    written: Option<Written>,
}

impl CopyOf {
    /// Reads through what `copier` copies.
    #[must_use]
    pub fn new(copier: Copier) -> Self {
        let path = copier.path().to_owned();
        Self { copier: Arc::new(Mutex::new(copier)), path, connection: None, pages: None, written: None }
    }

    pub(super) async fn news(&mut self, spent: &mut Spent) -> Result<News, Fault> {
        if self.connection.is_some() && self.with_copier(|copier| copier.is_current()).await? {
            return Ok(News::None);
        }
        // The copy is replaced under its name, so nothing may hold the old one.
        self.connection = None;
        // If nobody waits for the end of it, what was written is not known.
        let before = self.written.take();
        let refresh = |copier: &mut Copier| Ok((copier.refresh()?, copier.take_written()));
        let (fresh, written) = self.with_copier(refresh).await?;
        self.written = before.zip(written).map(|(mut before, now)| {
            before.extend(now);
            before
        });
        let (bytes, news) = match fresh {
            Fresh::Changed { bytes } => (bytes, News::Some),
            Fresh::Replaced { bytes } => (bytes, News::AnotherDatabase),
        };
        spent.bytes += bytes;
        Ok(news)
    }

    /// Reads and writes files on a thread that may wait.
    async fn with_copier<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Copier) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let copier = self.copier.clone();
        let work = move || match copier.try_lock() {
            Ok(mut copier) => work(&mut copier),
            Err(_) => Err(Fault::transient("the last copy is still being made")),
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| Fault::transient(format!("copying failed: {e}")))?
    }

    pub(super) async fn connection(&mut self) -> Result<Arc<Connection>, Fault> {
        open_once(&mut self.connection, &self.path).await
    }

    pub(super) fn page_view(&mut self) -> Option<PageView<'_>> {
        let written = self.written.replace(Written::default());
        see(&mut self.pages, &self.path, |pages| pages.refresh_told(written))
    }

    pub(super) fn distrust(&mut self) {
        self.connection = None;
        self.pages = None;
        self.written = None;
        if let Ok(mut copier) = self.copier.try_lock() {
            copier.distrust();
        }
    }
}

/// A database file that is ours (the demo's), or one that the operator said is safe to open.
pub struct Owned {
    path: PathBuf,
    connection: Option<Arc<Connection>>,
    /// Closed after the connection.
    pages: Option<Pages>,
    seen_version: Option<i64>,
}

impl Owned {
    /// Opens `path` directly, read-only.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, connection: None, pages: None, seen_version: None }
    }

    pub(super) async fn news(&mut self) -> Result<News, Fault> {
        let connection = self.connection().await?;
        let version = data_version(&connection).await?;
        let moved = self.seen_version != Some(version);
        self.seen_version = Some(version);
        Ok(if moved { News::Some } else { News::None })
    }

    pub(super) async fn connection(&mut self) -> Result<Arc<Connection>, Fault> {
        open_once(&mut self.connection, &self.path).await
    }

    pub(super) fn page_view(&mut self) -> Option<PageView<'_>> {
        see(&mut self.pages, &self.path, Pages::refresh)
    }
}

/// Looks at the pages of a file, which stays open: closing it would release the locks of a connection to it.
pub(super) fn see<'a>(
    slot: &'a mut Option<Pages>,
    path: &Path,
    refresh: impl FnOnce(&mut Pages) -> io::Result<Generation>,
) -> Option<PageView<'a>> {
    let known = slot.is_some();
    if !known {
        *slot = Pages::open(path).ok();
    }
    let pages = slot.as_mut()?;
    let Ok(generation) = refresh(pages) else {
        *slot = None;
        return None;
    };
    let pages = slot.as_ref()?;
    Some(PageView { pages, generation: if known { generation } else { Generation::Another } })
}

/// Opens a file; what is open already is used again.
async fn open_once(slot: &mut Option<Arc<Connection>>, path: &Path) -> Result<Arc<Connection>, Fault> {
    if let Some(connection) = slot {
        return Ok(connection.clone());
    }
    Ok(slot.insert(Arc::new(open_read_only(path).await?)).clone())
}
