//! What a source is, what it may tell of, and why a poll of it brought nothing.

use super::action::Abilities;
use super::encoding::{self, StaticStr};
use super::stated::SystemRule;
use super::text::Text;
use serde::{Deserialize, Serialize};

/// What there may be in a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
pub enum Aspect {
    Nodes,
    Agents,
    Locks,
    /// Who waits for a lock.
    Waiters,
    Messages,
    Tasks,
    Leases,
    Leaders,
    /// Members of a consensus group: roles, terms, positions in the log.
    Members,
    Barriers,
    Log,
    /// What ties the entries of the log together.
    Chain,
}

/// What a source is, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Short and unique in the mesh, e.g. `vox.db`.
    pub name: Text,
    /// The system that it is a part of, by its name.
    #[serde(deserialize_with = "encoding::word")]
    pub system: StaticStr,
    /// What kind of thing it is, e.g. `database` or `control plane`.
    #[serde(deserialize_with = "encoding::word")]
    pub kind: StaticStr,
    /// Where it is, without secrets.
    pub place: Text,
    /// How it is read, e.g. `snapshot copy`.
    #[serde(deserialize_with = "encoding::word")]
    pub how: StaticStr,
    /// What it can provide.
    #[serde(deserialize_with = "encoding::list")]
    pub provides: &'static [Aspect],
    /// The rules of its system alone.
    #[serde(deserialize_with = "encoding::list")]
    pub rules: &'static [SystemRule],
    /// What each empty table means to this system: (part, sentence).
    #[serde(deserialize_with = "encoding::word_pairs")]
    pub why_empty: &'static [(StaticStr, StaticStr)],
    /// What an operator can do there from this console.
    pub can: Abilities,
    /// Why nothing, where that needs a word.
    pub cannot: Option<Text>,
}

/// Why a poll brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{what}{}{}", if .todo.is_empty() { "" } else { "; " }, .todo)]
pub struct Fault {
    pub kind: FaultKind,
    /// What happened, to what.
    pub what: Text,
    /// What to do next; may be empty.
    pub todo: Text,
}

/// The families of faults, which are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// It may go away by itself: try again.
    Transient,
    /// It asks to be left alone for a while (429, 503).
    Busy,
    /// It needs a person (a wrong token, a file that is too large).
    Setup,
}

impl Fault {
    /// A fault that may go away by itself.
    #[must_use]
    pub fn transient(what: impl AsRef<str>) -> Self {
        Self { kind: FaultKind::Transient, what: Text::new(what.as_ref()), todo: Text::default() }
    }
    /// A fault that needs a person, and what the person can do.
    #[must_use]
    pub fn setup(what: impl AsRef<str>, todo: impl AsRef<str>) -> Self {
        Self { kind: FaultKind::Setup, what: Text::new(what.as_ref()), todo: Text::new(todo.as_ref()) }
    }
    /// The server asks to be left alone for a while.
    #[must_use]
    pub fn busy(what: impl AsRef<str>) -> Self {
        Self {
            kind: FaultKind::Busy,
            what: Text::new(what.as_ref()),
            todo: Text::new("backing off before the next try"),
        }
    }
}
