//! How a Vox database is reached. All of them answer the same statements with the same rows.

mod busy;
pub mod gate;
pub mod local;
pub mod remote;
pub mod replica;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use libsql::Connection;
use secrecy::ExposeSecret;

use super::connector::{Connector, Meter};
use crate::config::address::Address;
use crate::config::token::Token;
pub use crate::data::sqlite::Rows;
use crate::data::sqlite::{self, collect};
use crate::data::tls::Tls;
use crate::data::vox::trackers::PageView;
use crate::model::observation::ClockSample;
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::Millis;

/// Whether there is anything new to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing was written since the last read.
    None,
    /// Perhaps: read.
    Some,
    /// Another database stands there: everything known is void.
    AnotherDatabase,
}

/// One way to reach a database.
pub enum Backend {
    Copy(local::CopyOf),
    Owned(local::Owned),
    Remote(Box<remote::Remote>),
    Replica(Box<replica::Replica>),
}

/// What an exchange cost beyond its rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    pub round_trips: u64,
    pub bytes: u64,
    /// Rows that the server says it read, where it says so.
    pub read: Option<u64>,
}

impl Backend {
    /// Finds out whether there is anything new, as cheaply as this way allows.
    pub async fn news(
        &mut self,
        spent: &mut Spent,
        clock: fn() -> Millis,
    ) -> Result<(News, Option<ClockSample>), Fault> {
        let news = match self {
            Self::Copy(copy) => copy.news(spent).await?,
            Self::Owned(owned) => owned.news().await?,
            Self::Remote(remote) => return remote.news(spent, clock).await,
            Self::Replica(replica) => replica.news(spent).await?,
        };
        Ok((news, None))
    }

    /// Tells whether everything was read that there was to read. Where it was not, the next poll reads, whatever it costs.
    pub fn settle(&mut self, is_whole: bool) {
        if let Self::Remote(remote) = self {
            remote.settle(is_whole);
        }
    }

    /// Whether everything must be read to find out that nothing changed.
    #[must_use]
    pub fn is_read_blindly(&self) -> bool {
        matches!(self, Self::Remote(remote) if remote.is_read_blindly())
    }

    /// Bytes that came so far, where answers may be large.
    #[must_use]
    pub fn progress(&self) -> Option<Arc<AtomicU64>> {
        match self {
            Self::Remote(remote) => Some(remote.progress()),
            _ => None,
        }
    }

    /// Runs read-only statements, in order, in one exchange.
    pub async fn run(
        &mut self,
        statements: &[&str],
        spent: &mut Spent,
        clock: fn() -> Millis,
    ) -> Result<Vec<Rows>, ReadError> {
        match self {
            Self::Copy(copy) => run_local(copy.connection().await?, statements).await,
            Self::Owned(owned) => run_local(owned.connection().await?, statements).await,
            Self::Remote(remote) => remote.run(statements, spent, clock).await,
            Self::Replica(replica) => run_local(replica.connection().await?, statements).await,
        }
    }

    /// Whether another exchange costs nothing to speak of.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Remote(remote) => remote.is_local(),
            _ => true,
        }
    }

    /// Whether what answers statements tells the time of the database, and not of this machine.
    #[must_use]
    pub fn tells_time(&self) -> bool {
        match self {
            Self::Remote(remote) => !remote.is_local(),
            Self::Replica(_) => false,
            Self::Copy(_) | Self::Owned(_) => true,
        }
    }

    /// The file's pages, where they can be looked at. Nothing where that fails: SQL is asked for everything then.
    pub fn page_view(&mut self) -> Option<PageView<'_>> {
        match self {
            Self::Copy(copy) => copy.page_view(),
            Self::Owned(owned) => owned.page_view(),
            Self::Replica(replica) => replica.page_view(),
            Self::Remote(remote) => remote.page_view(),
        }
    }

    /// What people should know of this way.
    #[must_use]
    pub fn warning(&self) -> Option<Text> {
        match self {
            Self::Remote(remote) => remote.warning(),
            _ => None,
        }
    }

    /// Of when what is read is, and why it is no newer; nothing while it is current.
    #[must_use]
    pub fn old(&self) -> Option<(Millis, Fault)> {
        match self {
            Self::Replica(replica) => replica.old(),
            Self::Remote(remote) => remote.old(),
            _ => None,
        }
    }

    /// The rows cannot have come from a whole database: start over.
    pub fn distrust(&mut self) {
        match self {
            Self::Copy(copy) => copy.distrust(),
            Self::Replica(replica) => replica.distrust(),
            Self::Remote(remote) => remote.distrust(),
            Self::Owned(_) => {}
        }
    }
}

/// Why statements brought no rows.
#[derive(Debug)]
pub enum ReadError {
    /// A table or column is not there, or a history was written anew: probe and read once more.
    SchemaChanged(Fault),
    /// What was read is not a whole database.
    Malformed(Fault),
    Other(Fault),
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}

impl ReadError {
    /// The fault, whatever its family.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        match self {
            Self::SchemaChanged(fault) | Self::Malformed(fault) | Self::Other(fault) => fault,
        }
    }

    /// By the code of SQLite's answer.
    pub(super) fn of_sqlite(error: &libsql::Error) -> Self {
        let fault = Fault::transient(format!("the database answered: {}", sqlite::reason(error)));
        let with = |todo: &str| Fault { todo: Text::new(todo), ..fault.clone() };
        match sqlite::code(error) {
            Some(sqlite::CORRUPT | sqlite::NOT_A_DATABASE) => Self::Malformed(with(
                "if it stays so, the file is damaged: ask the database itself with PRAGMA integrity_check",
            )),
            Some(sqlite::CANNOT_OPEN) => Self::Other(with(
                "read directly it needs a folder it may write its -shm file to; set db_access to copy",
            )),
            // A table or column that is gone since the last probe of the schema is answered like any other mistake.
            Some(sqlite::ERROR) => Self::SchemaChanged(fault),
            _ => Self::Other(fault),
        }
    }
}

/// What a connection to a remote takes: the token, read anew, and a connector that counts what comes in.
async fn credentials(
    url: &Address,
    token: Option<&Token>,
    tls: &Tls,
    meter: &Arc<Meter>,
) -> Result<(String, Connector), Fault> {
    let secret = match token {
        Some(token) => token.read().await?.expose_secret().to_owned(),
        None => String::new(),
    };
    Ok((secret, Connector::new(tls.config(url.is_encrypted())?, meter.clone())))
}

async fn run_local(connection: Arc<Connection>, statements: &[&str]) -> Result<Vec<Rows>, ReadError> {
    let mut answers = Vec::with_capacity(statements.len());
    for sql in statements {
        let rows = connection.query(sql, ()).await.map_err(|e| ReadError::of_sqlite(&e))?;
        answers.push(collect(rows).await.map_err(|e| ReadError::of_sqlite(&e))?);
    }
    Ok(answers)
}
