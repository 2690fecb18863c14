//! How a database is reached for writing: a file for one action, or a remote in one exchange.

use std::path::PathBuf;
use std::time::Duration;

use libsql::Connection;

use super::file::OpenFile;
use crate::data::source::FaultKind;
use crate::data::sqlite::collect;
use crate::data::vox::backend::remote::Remote;
use crate::data::vox::backend::{ReadError, Rows, Spent};

/// A database that may be written to.
pub enum Reach {
    File { path: PathBuf, direct: bool },
    Remote { remote: Remote, timeout: Duration },
}

/// A database, opened for one action.
pub enum Open<'a> {
    File(OpenFile),
    Remote { remote: &'a mut Remote, timeout: Duration },
}

/// Why statements were not answered.
#[derive(Debug)]
pub enum WriteError {
    /// The database answered, and nothing was changed.
    Answered(String),
    /// It may not be written to.
    ReadOnly(String),
    /// The answer was lost: it may have been changed.
    Unclear(String),
}

impl Reach {
    /// Opens it; a file that somebody else has in hand is refused.
    pub async fn open(&mut self) -> Result<Open<'_>, String> {
        Ok(match self {
            Self::File { path, direct } => Open::File(OpenFile::open(path, *direct).await?),
            Self::Remote { remote, timeout } => Open::Remote { remote, timeout: *timeout },
        })
    }
}

impl Open<'_> {
    /// Runs statements in order, in one exchange. After an error none of a transaction among them took effect.
    pub async fn run(&mut self, statements: &[&str]) -> Result<Vec<Rows>, WriteError> {
        match self {
            Self::File(file) => {
                let Some(connection) = file.connection() else {
                    return Err(WriteError::Answered("the file is closed".into()));
                };
                let outcome = run_local(connection, statements).await;
                if outcome.is_err() && !connection.is_autocommit() {
                    let _ = connection.execute("ROLLBACK", ()).await;
                }
                outcome.map_err(|error| of_sql(&error.to_string()))
            }
            Self::Remote { remote, timeout } => {
                let mut spent = Spent::default();
                match tokio::time::timeout(*timeout, remote.run(statements, &mut spent)).await {
                    Ok(Ok(answers)) => Ok(answers),
                    Ok(Err(error)) => Err(of_remote(error)),
                    Err(_) => Err(WriteError::Unclear(format!("no answer within {} s", timeout.as_secs_f32()))),
                }
            }
        }
    }
}

async fn run_local(connection: &Connection, statements: &[&str]) -> libsql::Result<Vec<Rows>> {
    let mut answers = Vec::with_capacity(statements.len());
    for sql in statements {
        let rows = connection.query(sql, ()).await?;
        let rows = collect(rows).await.map_err(libsql::Error::Misuse)?;
        answers.push(rows);
    }
    Ok(answers)
}

fn of_sql(text: &str) -> WriteError {
    let low = text.to_ascii_lowercase();
    if low.contains("readonly") || low.contains("read-only") || low.contains("not authorized") {
        WriteError::ReadOnly(format!("this connection may not write: {text}"))
    } else {
        WriteError::Answered(text.to_owned())
    }
}

fn of_remote(error: ReadError) -> WriteError {
    let fault = error.into_fault();
    let what = fault.to_string();
    if let Some(said) = what.strip_prefix("the database answered: ") {
        return of_sql(said);
    }
    match fault.kind {
        FaultKind::Setup if what.contains("(403)") => WriteError::ReadOnly(what),
        FaultKind::Setup if !what.contains("larger than") => WriteError::Answered(what),
        _ => WriteError::Unclear(what),
    }
}
