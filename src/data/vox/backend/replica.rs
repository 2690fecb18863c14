//! An embedded replica: a private local copy of a remote database, brought up to date on an interval.
//!
//! The copy is synced by libSQL and read as a plain file: a statement on libSQL's own replica connection may go to the
//! primary, which then decides what is seen and whether a token may read at all.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt as _;
use libsql::{Builder, Connection, Database};

use super::local::see;
use super::{News, Spent};
use crate::config::address::Address;
use crate::config::token::Token;
use crate::data::sqlite::{open_read_only, reason};
use crate::data::tls::Tls;
use crate::data::vox::connector::Meter;
use crate::data::vox::file_copy::fingerprint::beside;
use crate::data::vox::pages::Pages;
use crate::data::vox::trackers::PageView;
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::{Millis, millis};
use crate::os::file::restrict;

/// Files that libSQL keeps beside a replica.
const COMPANIONS: [&str; 5] = ["", "-wal", "-shm", "-client_wal_index", "-info"];
/// The mark of a replica that this program made: only such a one is made anew. Its time is that of the last sync.
const MARK: &str = "-lockkeeper";

/// A replica of this console's own. (A replica file that another program syncs must not be shared with it.)
pub struct Replica {
    url: Address,
    path: PathBuf,
    token: Option<Token>,
    tls: Tls,
    every: Duration,
    max_answer: u64,
    meter: Arc<Meter>,
    database: Option<Database>,
    connection: Option<Arc<Connection>>,
    /// Closed after the connections.
    pages: Option<Pages>,
    /// Held locked while this console keeps the replica.
    mark: Option<File>,
    /// Whether this program made it.
    ours: bool,
    tried: Option<Instant>,
    /// Why the last sync failed.
    failing: Option<Fault>,
    /// Whether everything is to be read, whatever the next sync brings.
    unread: bool,
}

impl Replica {
    /// Keeps the replica at `path`, synced at most once `every`.
    #[must_use]
    pub fn new(url: Address, path: PathBuf, token: Option<Token>, every: Duration, max_answer: u64) -> Self {
        Self {
            url,
            path,
            token,
            tls: Tls::default(),
            every,
            max_answer,
            meter: Arc::default(),
            database: None,
            connection: None,
            pages: None,
            mark: None,
            ours: false,
            tried: None,
            failing: None,
            unread: true,
        }
    }

    /// The same with what a configuration adds to the platform's roots.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    pub(super) async fn news(&mut self, spent: &mut Spent) -> Result<News, Fault> {
        if self.tried.is_none_or(|at| at.elapsed() >= self.every) {
            self.tried = Some(Instant::now());
            match self.sync(spent).await {
                Ok(moved) => {
                    self.failing = None;
                    self.unread |= moved;
                }
                // What was synced before is still there, and is as old as that.
                Err(fault) if self.synced_at().is_some() => self.failing = Some(fault),
                Err(fault) => return Err(fault),
            }
        }
        Ok(if std::mem::take(&mut self.unread) { News::Some } else { News::None })
    }

    /// Why what is read is old, and of when it is, while the primary cannot be reached.
    pub(super) fn old(&self) -> Option<(Millis, Fault)> {
        let fault = self.failing.clone()?;
        let at = self.synced_at()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some((millis(at), fault))
    }

    /// When it was last known to be the same as its primary.
    fn synced_at(&self) -> Option<SystemTime> {
        let mark = fs::metadata(beside(&self.path, MARK)).ok()?;
        if mark.len() == 0 || !self.path.exists() { None } else { mark.modified().ok() }
    }

    /// Brings it up to date. Answers whether anything came. One that is damaged is made anew.
    async fn sync(&mut self, spent: &mut Spent) -> Result<bool, Fault> {
        match self.sync_once(spent).await {
            Err(SyncError::Damaged(fault)) if self.ours => {
                tracing::warn!(%fault, "the replica is damaged, and is made anew");
                self.remove()?;
                self.sync_once(spent).await.map(|_| true).map_err(SyncError::fault)
            }
            other => other.map_err(SyncError::fault),
        }
    }

    async fn sync_once(&mut self, spent: &mut Spent) -> Result<bool, SyncError> {
        self.take().map_err(SyncError::Other)?;
        self.check().await?;
        self.meter.start(self.max_answer);
        let database = self.open().await?;
        spent.round_trips += 1;
        // The client library panics on some answers and on files that are not as it left them.
        let outcome = std::panic::AssertUnwindSafe(database.sync()).catch_unwind().await;
        spent.bytes += self.meter.received();
        // Pages are sent as they are: the primary reads no row for them.
        spent.read = spent.read.or(Some(0));
        self.keep_private();
        let fault = |what: String| Fault::transient(format!("the replica could not be synced: {what}"));
        match outcome {
            Ok(Ok(synced)) => {
                let moved = synced.frames_synced() > 0;
                if moved {
                    // A replica that begins anew may be another file.
                    self.connection = None;
                }
                self.note_sync();
                Ok(moved)
            }
            Ok(Err(error)) => {
                self.close();
                let fault = fault(explain(&error));
                Err(match error {
                    libsql::Error::Replication(_) | libsql::Error::ConnectionFailed(_) => SyncError::Other(fault),
                    libsql::Error::SqliteFailure(..) => SyncError::Damaged(fault),
                    _ => SyncError::Other(fault),
                })
            }
            Err(_panic) => {
                self.close();
                Err(SyncError::Damaged(fault("the client library failed on it".into())))
            }
        }
    }

    /// Takes the replica for this console alone, and finds out whether this program made it.
    fn take(&mut self) -> Result<(), Fault> {
        if self.mark.is_some() {
            return Ok(());
        }
        let mark = beside(&self.path, MARK);
        let fault = |e: std::io::Error| {
            Fault::setup(format!("cannot keep the replica {}: {e}", self.path.display()), "correct replica_path")
        };
        self.ours = mark.exists() || !self.path.exists();
        if !self.ours {
            // Another program may have made it: it is read, and never removed.
            return Ok(());
        }
        let file = File::options().read(true).append(true).create(true).open(&mark).map_err(fault)?;
        restrict(&mark).map_err(fault)?;
        if file.try_lock().is_err() {
            let what = format!("another console keeps the replica {}", self.path.display());
            return Err(Fault::setup(what, "name another file with replica_path"));
        }
        // The client library begins only where there is nothing.
        if fs::metadata(&self.path).is_ok_and(|meta| meta.len() == 0) {
            fs::remove_file(&self.path).map_err(fault)?;
        }
        self.mark = Some(file);
        Ok(())
    }

    /// Whether the file can be read as a database; where there is none, there will be.
    async fn check(&mut self) -> Result<(), SyncError> {
        if self.database.is_some() || !self.path.exists() {
            return Ok(());
        }
        let damaged = |what: String| {
            let todo = "if this console made that file, delete it with its companions; else name another one";
            SyncError::Damaged(Fault::setup(format!("the replica {} is damaged: {what}", self.path.display()), todo))
        };
        if !beside(&self.path, "-client_wal_index").exists() {
            return Err(damaged("its index is missing".into()));
        }
        let connection = open_read_only(&self.path).await.map_err(|fault| damaged(fault.to_string()))?;
        let answer = connection.query("SELECT count(*) FROM sqlite_master", ()).await;
        match answer {
            Ok(rows) => crate::data::sqlite::collect(rows).await.map(drop).map_err(|e| damaged(reason(&e).to_string())),
            Err(error) => Err(damaged(reason(&error).to_string())),
        }
    }

    async fn open(&mut self) -> Result<&Database, SyncError> {
        if self.database.is_none() {
            let (secret, connector) = super::credentials(&self.url, self.token.as_ref(), &self.tls, &self.meter)
                .await
                .map_err(SyncError::Other)?;
            let built = std::panic::AssertUnwindSafe(
                Builder::new_remote_replica(&self.path, self.url.to_string(), secret)
                    .connector(connector)
                    .read_your_writes(false)
                    .build(),
            );
            let fault = |what: String| {
                SyncError::Damaged(Fault::transient(format!("cannot open the replica {}: {what}", self.path.display())))
            };
            let built = built.catch_unwind().await.map_err(|_panic| fault("the client library failed on it".into()))?;
            self.database = Some(built.map_err(|error| fault(explain(&error)))?);
            // Before anything is in them.
            self.keep_private();
        }
        self.database.as_ref().ok_or_else(|| SyncError::Other(Fault::transient("the replica is not open")))
    }

    fn close(&mut self) {
        (self.database, self.connection) = (None, None);
    }

    /// Removes all of it. Only what this program made.
    fn remove(&mut self) -> Result<(), Fault> {
        self.close();
        self.pages = None;
        for companion in COMPANIONS {
            match fs::remove_file(beside(&self.path, companion)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    let what = format!("the damaged replica {} cannot be removed: {e}", self.path.display());
                    return Err(Fault::setup(what, "delete it by hand"));
                }
                _ => {}
            }
        }
        self.unread = true;
        Ok(())
    }

    /// libSQL makes its files as the user's umask says.
    fn keep_private(&self) {
        for companion in COMPANIONS {
            let _ = restrict(&beside(&self.path, companion));
        }
    }

    /// Remembers that it is as its primary is now.
    fn note_sync(&mut self) {
        let Some(mark) = &mut self.mark else { return };
        if mark.metadata().is_ok_and(|meta| meta.len() == 0) {
            let _ = mark.write_all(b"a replica that lockkeeper made\n");
        }
        let _ = mark.set_modified(SystemTime::now());
    }

    pub(super) async fn connection(&mut self) -> Result<Arc<Connection>, Fault> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        Ok(self.connection.insert(Arc::new(open_read_only(&self.path).await?)).clone())
    }

    /// Its pages, as the last sync left them.
    pub(super) fn page_view(&mut self) -> Option<PageView<'_>> {
        see(&mut self.pages, &self.path, Pages::refresh)
    }

    /// Removes a replica that nobody reads any more.
    pub(super) fn remove_all(path: &Path) {
        for companion in COMPANIONS.iter().chain([&MARK]) {
            let _ = fs::remove_file(beside(path, companion));
        }
    }

    /// What is read is no whole database: the next sync begins anew.
    pub(super) fn distrust(&mut self) {
        self.close();
        self.tried = None;
        if self.ours {
            let _ = self.remove();
        }
    }
}

enum SyncError {
    Damaged(Fault),
    Other(Fault),
}

impl SyncError {
    fn fault(self) -> Fault {
        match self {
            Self::Damaged(fault) | Self::Other(fault) => fault,
        }
    }
}

/// What lies at the bottom of an error: the client library hands on whole debug dumps.
fn explain(error: &libsql::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Text::bounded(&cause.to_string(), 200).to_string()
}
