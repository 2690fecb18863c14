//! A database that is written to: a file for one action, or a remote in one exchange. Here, and only here, it is decided
//! what an error says of a write.

use std::path::PathBuf;
use std::time::Duration;

use libsql::Connection;
use secrecy::SecretString;

use super::error::{SqlCode, WriteError};
use super::file::{OpenError, OpenFile};
use crate::action::executor::Working;
use crate::config::token::Token;
use crate::data::sqlite::{self, collect};
use crate::data::vox::backend::Rows;
use crate::data::vox::hrana::{Client, HranaError};

/// A database that may be written to.
pub enum WriteTarget {
    File {
        path: PathBuf,
        /// Whether SQLite's locks alone decide who may write.
        direct: bool,
        /// The largest file of others that is copied to be read back, in bytes.
        max_copy: u64,
    },
    Remote {
        client: Client,
        token: Option<Token>,
        timeout: Duration,
    },
    /// A database behind something else: each exchange is one call.
    Through(Box<dyn Exchange>),
}

/// Carries exchanges to a database. What it answers is believed as it is.
pub trait Exchange: Send {
    /// Runs statements that only read.
    fn read<'a>(&'a mut self, statements: &'a [&'a str]) -> Working<'a, Result<Vec<Rows>, WriteError>>;

    /// Runs statements in one transaction, and reads some more after its commit.
    fn commit<'a>(
        &'a mut self,
        statements: &'a [&'a str],
        reread: &'a [&'a str],
    ) -> Working<'a, Result<Committed, WriteError>>;
}

/// A database, opened for one action.
pub enum Session<'a> {
    File(Box<OpenFile>),
    Remote { client: &'a mut Client, token: Option<SecretString>, timeout: Duration },
    Through(&'a mut dyn Exchange),
}

/// What a committed transaction answered.
#[derive(Debug)]
pub struct Committed {
    /// Rows of each statement of the transaction.
    pub results: Vec<Rows>,
    /// Rows that were read after the commit, or why they could not be.
    pub reread: Result<Vec<Rows>, String>,
}

impl WriteTarget {
    /// Opens it. A file that another process has open is refused.
    pub async fn open(&mut self) -> Result<Session<'_>, OpenError> {
        match self {
            Self::File { path, direct, max_copy } => {
                Ok(Session::File(Box::new(OpenFile::open(path, *direct, *max_copy).await?)))
            }
            Self::Remote { client, token, timeout } => {
                let token = match token {
                    Some(token) => Some(token.read().await.map_err(|fault| OpenError::Failed(fault.to_string()))?),
                    None => None,
                };
                Ok(Session::Remote { client, token, timeout: *timeout })
            }
            Self::Through(exchange) => Ok(Session::Through(exchange.as_mut())),
        }
    }
}

impl Session<'_> {
    /// Runs statements that only read.
    pub async fn read(&mut self, statements: &[&str]) -> Result<Vec<Rows>, WriteError> {
        match self {
            Self::File(file) => {
                let connection = file.connection().ok_or_else(closed)?;
                run_local(connection, statements).await.map_err(|(step, error)| of_sqlite(step, &error))
            }
            Self::Remote { client, token, timeout } => {
                let answer = client.run(statements, token.as_ref(), Some(*timeout)).await;
                let answer = answer.and_then(|answer| answer.complete());
                answer.map(|answer| answer.results).map_err(of_hrana)
            }
            Self::Through(exchange) => exchange.read(statements).await,
        }
    }

    /// Runs statements in one transaction, and reads some more after its commit. An error says that nothing was
    /// committed, unless it is [`WriteError::Unknown`]. Whatever fails after the commit cannot take it back.
    pub async fn commit(&mut self, statements: &[&str], reread: &[&str]) -> Result<Committed, WriteError> {
        match self {
            Self::File(file) => commit_local(file.connection().ok_or_else(closed)?, statements, reread).await,
            Self::Remote { client, token, timeout } => {
                let all = [&["BEGIN IMMEDIATE"], statements, &["COMMIT"], reread].concat();
                let answer = client.run(&all, token.as_ref(), Some(*timeout)).await.map_err(of_hrana)?;
                let commit = statements.len() + 1;
                let failed = match answer.failed {
                    Some((step, code, reason)) if step <= commit => {
                        return Err(of_step(step, commit, SqlCode::of_name(&code), reason.to_string()));
                    }
                    failed => failed,
                };
                let mut results = answer.results;
                let after = results.split_off(commit + 1);
                results.remove(commit);
                results.remove(0);
                let reread = match failed {
                    None => Ok(after),
                    Some((_, _, reason)) => Err(reason.to_string()),
                };
                Ok(Committed { results, reread })
            }
            Self::Through(exchange) => exchange.commit(statements, reread).await,
        }
    }

    /// Closes it. Answers what the file holds then, where others use it without SQLite's locks: what was committed
    /// counts only once it is there after the connection is closed.
    pub async fn close(self, reread: &[&str]) -> Option<Result<Vec<Rows>, String>> {
        match self {
            Self::File(file) => file.close(reread).await,
            Self::Remote { .. } | Self::Through(_) => None,
        }
    }
}

fn closed() -> WriteError {
    WriteError::Rejected { read_only: false, what: "the file is closed".into() }
}

/// Runs statements on an open connection. An error says which of them failed.
pub async fn run_local(connection: &Connection, statements: &[&str]) -> Result<Vec<Rows>, (usize, libsql::Error)> {
    let mut results = Vec::with_capacity(statements.len());
    for (step, sql) in statements.iter().enumerate() {
        let rows = connection.query(sql, ()).await.map_err(|error| (step, error))?;
        results.push(collect(rows).await.map_err(|error| (step, error))?);
    }
    Ok(results)
}

/// Runs statements in one transaction on an open connection, and reads some more after its commit.
pub async fn commit_local(
    connection: &Connection,
    statements: &[&str],
    reread: &[&str],
) -> Result<Committed, WriteError> {
    let begun = run_local(connection, &["BEGIN IMMEDIATE"]).await;
    begun.map_err(|(_, error)| of_sqlite(0, &error))?;
    let results = match run_local(connection, statements).await {
        Ok(results) => results,
        Err((step, error)) => {
            let _ = connection.execute("ROLLBACK", ()).await;
            return Err(of_sqlite(step, &error));
        }
    };
    if let Err((_, error)) = run_local(connection, &["COMMIT"]).await {
        // While the transaction is still open nothing of it was committed.
        let open = !connection.is_autocommit();
        let rolled_back = open && connection.execute("ROLLBACK", ()).await.is_ok();
        let what = sqlite::reason(&error).to_string();
        return Err(if rolled_back {
            WriteError::Sql { step: None, code: SqlCode::of_sqlite(&error), what }
        } else {
            WriteError::Unknown(format!("the commit failed: {what}"))
        });
    }
    let reread = run_local(connection, reread).await.map_err(|(_, error)| sqlite::reason(&error).to_string());
    Ok(Committed { results, reread })
}

fn of_sqlite(step: usize, error: &libsql::Error) -> WriteError {
    WriteError::Sql { step: Some(step), code: SqlCode::of_sqlite(error), what: sqlite::reason(error).to_string() }
}

/// What a failed step of BEGIN, statements, COMMIT says.
fn of_step(step: usize, commit: usize, code: SqlCode, what: String) -> WriteError {
    match step.checked_sub(1) {
        None => WriteError::Sql { step: None, code, what },
        Some(statement) if step < commit => WriteError::Sql { step: Some(statement), code, what },
        // SQLite answers these before it commits; after any other code of a COMMIT nobody knows.
        Some(_) if matches!(code, SqlCode::Busy | SqlCode::Constraint) => WriteError::Sql { step: None, code, what },
        Some(_) => WriteError::Unknown(format!("the commit failed: {what}")),
    }
}

fn of_hrana(error: HranaError) -> WriteError {
    use crate::data::vox::backend::remote::{lost_answer, refused};
    match error {
        HranaError::NotSent(fault) => WriteError::Rejected { read_only: false, what: fault.to_string() },
        HranaError::Refused { status, reason } => {
            // What the server says of the request is its own; the advice for readers does not fit a write.
            let what = match status {
                403 => format!(
                    "the database refused to be written to (403){}; use a token that may write to it",
                    if reason.is_empty() { String::new() } else { format!(": {reason}") }
                ),
                _ => refused(status, &reason).to_string(),
            };
            WriteError::Rejected { read_only: matches!(status, 401 | 403), what }
        }
        HranaError::Sql { step, code, reason } => {
            WriteError::Sql { step: Some(step), code: SqlCode::of_name(&code), what: reason.to_string() }
        }
        HranaError::Lost(lost) => WriteError::Unknown(lost_answer(lost).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A1: what fails after the commit takes nothing back.
    #[rstest::rstest]
    #[case(0, SqlCode::Busy, true)]
    #[case(2, SqlCode::Other, true)]
    #[case(3, SqlCode::Busy, true)]
    #[case(3, SqlCode::Constraint, true)]
    #[case(3, SqlCode::Other, false)]
    fn only_an_error_before_the_commit_says_that_nothing_was_committed(
        #[case] step: usize,
        #[case] code: SqlCode,
        #[case] nothing: bool,
    ) {
        let error = of_step(step, 3, code, String::new());
        assert_eq!(!matches!(error, WriteError::Unknown(_)), nothing, "{error:?}");
    }
}
