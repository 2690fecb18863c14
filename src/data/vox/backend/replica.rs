//! An embedded replica: a private local copy of a remote database, brought up to date on an interval.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libsql::{Builder, Connection, Database};

use super::{News, Spent};
use crate::config::token::Token;
use crate::data::source::Fault;
use crate::data::sqlite::data_version;
use crate::data::vox::connector::Meter;
use crate::data::vox::tls::Tls;

/// A replica of our own. (A replica file that another program syncs must not be shared with it.)
pub struct Replica {
    url: String,
    path: PathBuf,
    token: Option<Token>,
    tls: Tls,
    every: Duration,
    max_answer: u64,
    meter: Arc<Meter>,
    open: Option<(Database, Arc<Connection>)>,
    synced: Option<Instant>,
    seen_version: Option<i64>,
}

impl Replica {
    /// Keeps the replica at `path`, synced at most once `every`.
    #[must_use]
    pub fn new(url: String, path: PathBuf, token: Option<Token>, every: Duration, max_answer: u64) -> Self {
        let meter = Arc::default();
        Self {
            url,
            path,
            token,
            tls: Tls::default(),
            every,
            max_answer,
            meter,
            open: None,
            synced: None,
            seen_version: None,
        }
    }

    /// The same with what a configuration adds to the platform's roots.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    pub(super) async fn news(&mut self, spent: &mut Spent) -> Result<News, Fault> {
        if self.synced.is_none_or(|at| at.elapsed() >= self.every) {
            self.sync(spent).await?;
        }
        let connection = self.connection().await?;
        let version = data_version(&connection).await?;
        let moved = self.seen_version != Some(version);
        self.seen_version = Some(version);
        Ok(if moved { News::Some } else { News::None })
    }

    async fn sync(&mut self, spent: &mut Spent) -> Result<(), Fault> {
        self.meter.start(self.max_answer);
        self.connection().await?;
        let Some((database, _)) = &self.open else { return Err(Fault::transient("the replica is not open")) };
        let outcome = database.sync().await;
        spent.round_trips += 1;
        spent.bytes += self.meter.received();
        match outcome {
            Ok(_) => {
                self.synced = Some(Instant::now());
                Ok(())
            }
            Err(error) => {
                self.open = None;
                Err(Fault::transient(format!("the replica could not be synced: {error}")))
            }
        }
    }

    pub(super) async fn connection(&mut self) -> Result<Arc<Connection>, Fault> {
        if let Some((_, connection)) = &self.open {
            return Ok(connection.clone());
        }
        let (secret, connector) = super::credentials(self.token.as_ref(), &self.tls, &self.meter).await?;
        let fault =
            |e: libsql::Error| Fault::transient(format!("cannot open the replica {}: {e}", self.path.display()));
        let database = Builder::new_remote_replica(&self.path, self.url.clone(), secret)
            .connector(connector)
            .read_your_writes(false)
            .build()
            .await
            .map_err(fault)?;
        let connection = Arc::new(database.connect().map_err(fault)?);
        self.open = Some((database, connection.clone()));
        self.seen_version = None;
        Ok(connection)
    }
}
