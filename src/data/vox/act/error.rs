//! Why a database has no committed result. The three families are different values: what was rejected before anything
//! ran, what SQL answered with a code, and everything else, of which nobody knows whether it was committed.

use crate::data::sqlite;
use crate::model::outcome::Outcome;

/// Why there is no committed result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// Rejected before any statement ran.
    Rejected { read_only: bool, what: String },
    /// A statement was answered with an error, and the transaction was rolled back. `step` counts the statements of the
    /// transaction; nothing where its begin or its commit was refused.
    Sql { step: Option<usize>, code: SqlCode, what: String },
    /// Whether it was committed is unknown. Everything that is not recognised is of this kind.
    Unknown(String),
}

/// Codes of SQL errors that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlCode {
    /// Another connection writes.
    Busy,
    /// A constraint does not hold.
    Constraint,
    /// This connection may not write.
    ReadOnly,
    Other,
}

impl SqlCode {
    /// By SQLite's own number.
    #[must_use]
    pub fn of_sqlite(error: &libsql::Error) -> Self {
        match sqlite::code(error) {
            Some(sqlite::BUSY | sqlite::LOCKED) => Self::Busy,
            Some(sqlite::CONSTRAINT) => Self::Constraint,
            Some(sqlite::READ_ONLY | sqlite::AUTH) => Self::ReadOnly,
            _ => Self::Other,
        }
    }

    /// By the name that a server gives: SQLite's names, and `BLOCKED` where an account may not write.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let is = |family: &str| name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        if is("SQLITE_BUSY") || is("SQLITE_LOCKED") {
            Self::Busy
        } else if is("SQLITE_CONSTRAINT") {
            Self::Constraint
        } else if is("SQLITE_READONLY") || is("SQLITE_AUTH") || name == "BLOCKED" {
            Self::ReadOnly
        } else {
            Self::Other
        }
    }
}

impl WriteError {
    /// What it says, for people.
    #[must_use]
    pub fn what(&self) -> &str {
        match self {
            Self::Rejected { what, .. } | Self::Sql { what, .. } | Self::Unknown(what) => what,
        }
    }

    /// The outcome of an action that wrote nothing before this error.
    #[must_use]
    pub fn before_any_write(self) -> Outcome {
        match self {
            Self::Rejected { read_only: true, what } => Outcome::read_only(what),
            Self::Sql { code: SqlCode::ReadOnly, what, .. } => {
                Outcome::read_only(format!("this connection may not write: {what}"))
            }
            Self::Rejected { what, .. } | Self::Sql { what, .. } | Self::Unknown(what) => Outcome::failed(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("SQLITE_BUSY", SqlCode::Busy)]
    #[case("SQLITE_BUSY_SNAPSHOT", SqlCode::Busy)]
    #[case("SQLITE_CONSTRAINT_UNIQUE", SqlCode::Constraint)]
    #[case("SQLITE_READONLY_DBMOVED", SqlCode::ReadOnly)]
    #[case("BLOCKED", SqlCode::ReadOnly)]
    #[case("SQLITE_BUSYBODY", SqlCode::Other)]
    #[case("", SqlCode::Other)]
    fn codes_by_name(#[case] name: &str, #[case] code: SqlCode) {
        assert_eq!(SqlCode::of_name(name), code);
    }
}
