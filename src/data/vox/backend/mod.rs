//! How a Vox database is reached. All of them answer the same statements with the same rows.

pub mod local;
pub mod remote;
pub mod replica;

use std::sync::Arc;

use libsql::{Connection, Value, ValueType};
use secrecy::ExposeSecret;

use super::connector::{Connector, Meter};
use crate::config::token::Token;
use crate::data::source::Fault;
use crate::data::vox::tls::Tls;
use crate::data::vox::track::Sight;
use crate::quiet::quietly;
use crate::text::Text;

/// Rows of one statement.
pub type Rows = Vec<Vec<Value>>;

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
    Remote(remote::Remote),
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
    pub async fn news(&mut self, spent: &mut Spent) -> Result<News, Fault> {
        match self {
            Self::Copy(copy) => copy.news(spent).await,
            Self::Owned(owned) => owned.news().await,
            Self::Remote(_) => Ok(News::Some),
            Self::Replica(replica) => replica.news(spent).await,
        }
    }

    /// Runs read-only statements, in order, in one exchange.
    pub async fn run(&mut self, statements: &[&str], spent: &mut Spent) -> Result<Vec<Rows>, ReadError> {
        match self {
            Self::Copy(copy) => run_local(copy.connection().await?, statements).await,
            Self::Owned(owned) => run_local(owned.connection().await?, statements).await,
            Self::Remote(remote) => remote.run(statements, spent).await,
            Self::Replica(replica) => run_local(replica.connection().await?, statements).await,
        }
    }

    /// Whether another exchange costs nothing to speak of.
    #[must_use]
    pub fn is_local(&self) -> bool {
        !matches!(self, Self::Remote(_))
    }

    /// The file's pages, where they can be looked at. Nothing where that fails: SQL is asked for everything then.
    pub fn sight(&mut self) -> Option<Sight<'_>> {
        match self {
            Self::Copy(copy) => copy.sight(),
            Self::Owned(owned) => owned.sight(),
            Self::Remote(_) | Self::Replica(_) => None,
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

    /// The rows cannot have come from a whole database: start over.
    pub fn distrust(&mut self) {
        if let Self::Copy(copy) = self {
            copy.distrust();
        }
    }
}

/// Why statements brought no rows.
#[derive(Debug)]
pub enum ReadError {
    /// A table or column is not there, or a history was written anew: probe and read once more.
    LookAgain(Fault),
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
            Self::LookAgain(fault) | Self::Malformed(fault) | Self::Other(fault) => fault,
        }
    }

    fn of_sql(message: &str) -> Self {
        let fault = Fault::transient(format!("the database answered: {message}"));
        if message.contains("no such table") || message.contains("no such column") {
            Self::LookAgain(fault)
        } else if message.contains("malformed") || message.contains("not a database") || message.contains("corrupt") {
            let todo =
                Text::new("if it stays so, the file is damaged: ask the database itself with PRAGMA integrity_check");
            Self::Malformed(Fault { todo, ..fault })
        } else if message.contains("unable to open database file") {
            let todo =
                Text::new("read directly it needs a folder it may write its -shm file to; set db_access to copy");
            Self::Other(Fault { todo, ..fault })
        } else {
            Self::Other(fault)
        }
    }
}

/// What a connection to a remote takes: the token, read anew, and a connector that counts what comes in.
async fn credentials(token: Option<&Token>, tls: &Tls, meter: &Arc<Meter>) -> Result<(String, Connector), Fault> {
    let secret = match token {
        Some(token) => token.read().await?.expose_secret().to_owned(),
        None => String::new(),
    };
    Ok((secret, Connector::new(tls.config()?, meter.clone())))
}

async fn run_local(connection: Arc<Connection>, statements: &[&str]) -> Result<Vec<Rows>, ReadError> {
    let mut answers = Vec::with_capacity(statements.len());
    for sql in statements {
        let rows = connection.query(sql, ()).await.map_err(|e| ReadError::of_sql(&e.to_string()))?;
        answers.push(collect(rows).await?);
    }
    Ok(answers)
}

/// One value. The client library panics on text that is no UTF-8, which one row of an agent's making would do to every
/// poll: such text is shown as what cannot be shown, and noted as odd. A row of an answer that has no such value at all,
/// which would make it panic too, is no row of a database.
fn value(row: &libsql::Row, i: i32) -> Result<Value, ReadError> {
    let read = || row.get_value(i).unwrap_or(Value::Null);
    match row.column_type(i) {
        Ok(ValueType::Text) => Ok(quietly(read).unwrap_or_else(|| Value::Blob("\u{fffd}".into()))),
        Ok(_) => Ok(read()),
        Err(_) => Err(Fault::transient("the answer has rows without values").into()),
    }
}

pub async fn collect(mut rows: libsql::Rows) -> Result<Rows, ReadError> {
    let mut all = Vec::new();
    while let Some(row) = rows.next().await.map_err(|e| ReadError::of_sql(&e.to_string()))? {
        let width = row.column_count();
        all.push((0..width).map(|i| value(&row, i)).collect::<Result<_, _>>()?);
    }
    Ok(all)
}
