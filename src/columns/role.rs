//! What a piece of text means. The screen decides how a meaning looks; nothing here knows a colour.

use crate::mesh::derive::agents::AgentState;
use crate::mesh::derive::chain::ChainState;
use crate::mesh::derive::groups::GroupState;
use crate::mesh::derive::locks::LockState;
use crate::mesh::derive::messages::MessageState;
use crate::mesh::derive::sources::SourceHealth;
use crate::mesh::derive::staleness::Staleness;
use crate::mesh::derive::tasks::TaskState;
use crate::model::event::Kind;
use crate::model::outcome::OutcomeKind;
use crate::model::severity::Severity;

/// Meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumIter, strum::EnumCount)]
pub enum Role {
    Normal,
    Dim,
    Title,
    Accent,
    Healthy,
    Warn,
    Alert,
    Critical,
    Dead,
    Unknown,
    /// Data that is old.
    Old,
    Selected,
    Marked,
}

/// A state as a word, a glyph and a meaning: never by colour alone.
pub trait State: std::fmt::Display {
    /// One column wide.
    fn glyph(&self) -> char;
    /// What it means.
    fn role(&self) -> Role;
    /// Its place when rows are sorted by it.
    fn order(&self) -> i64;
}

impl State for Staleness {
    fn glyph(&self) -> char {
        match self {
            Self::Healthy => '●',
            Self::Warn => '◐',
            Self::Alert => '▲',
            Self::Critical => '■',
            Self::Dead => '✖',
            Self::Unknown => '?',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Healthy => Role::Healthy,
            Self::Warn => Role::Warn,
            Self::Alert => Role::Alert,
            Self::Critical => Role::Critical,
            Self::Dead => Role::Dead,
            Self::Unknown => Role::Unknown,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for LockState {
    fn glyph(&self) -> char {
        match self {
            Self::Held => '●',
            Self::Expiring => '◐',
            Self::Expired => '○',
            Self::Orphaned => '✖',
            Self::Breaking => '◐',
            Self::Unrecorded | Self::Malformed => '▲',
            Self::LockedOut => '✖',
            Self::Unknown => '?',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Held => Role::Healthy,
            Self::Expiring => Role::Warn,
            Self::Expired => Role::Alert,
            Self::Orphaned | Self::LockedOut => Role::Dead,
            Self::Breaking => Role::Warn,
            Self::Unrecorded | Self::Malformed => Role::Alert,
            Self::Unknown => Role::Unknown,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for MessageState {
    fn glyph(&self) -> char {
        match self {
            Self::Acknowledged => '✓',
            Self::Pending => '·',
            Self::Claimed => '●',
            Self::Lapsed => '◐',
            Self::Stuck => '▲',
            Self::Poison => '✖',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Acknowledged => Role::Dim,
            Self::Pending => Role::Normal,
            Self::Claimed => Role::Healthy,
            Self::Lapsed => Role::Warn,
            Self::Stuck => Role::Alert,
            Self::Poison => Role::Dead,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for TaskState {
    fn glyph(&self) -> char {
        match self {
            Self::Pending => '·',
            Self::Leased => '◐',
            Self::Received => '?',
            Self::Running => '●',
            Self::Orphaned => '✖',
            Self::Done => '✓',
            Self::Failed => '▲',
            Self::Cancelled => '○',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Pending => Role::Normal,
            Self::Leased => Role::Accent,
            Self::Received => Role::Unknown,
            Self::Running => Role::Healthy,
            Self::Orphaned => Role::Dead,
            Self::Done | Self::Cancelled => Role::Dim,
            Self::Failed => Role::Alert,
        }
    }
    /// What needs a person comes first, what is over last.
    fn order(&self) -> i64 {
        match self {
            Self::Orphaned => 0,
            Self::Failed => 1,
            Self::Pending => 2,
            Self::Leased | Self::Received => 3,
            Self::Running => 4,
            Self::Done => 5,
            Self::Cancelled => 6,
        }
    }
}

impl State for AgentState {
    fn glyph(&self) -> char {
        match self {
            Self::Orphaned | Self::Broken => '✖',
            Self::Stalled => '▲',
            Self::Retiring | Self::Starting => '◐',
            Self::Stopped => '○',
            Self::Unknown => '?',
            Self::Working => '●',
            Self::Idle => '·',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Orphaned | Self::Broken => Role::Dead,
            Self::Stalled => Role::Alert,
            Self::Retiring | Self::Starting => Role::Warn,
            Self::Unknown => Role::Unknown,
            Self::Working => Role::Healthy,
            Self::Idle | Self::Stopped => Role::Dim,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for GroupState {
    fn glyph(&self) -> char {
        match self {
            Self::NoQuorum | Self::Failed => '✖',
            Self::Silent => '■',
            Self::Expired => '▲',
            Self::Waiting | Self::Candidate => '◐',
            Self::Stopped | Self::Over => '○',
            Self::Leads | Self::Quorum | Self::Running => '●',
            Self::Follows | Self::Learns => '·',
            Self::Satisfied => '✓',
            Self::Unknown => '?',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::NoQuorum | Self::Failed => Role::Dead,
            Self::Silent => Role::Critical,
            Self::Expired => Role::Alert,
            Self::Waiting | Self::Candidate => Role::Warn,
            Self::Leads | Self::Quorum | Self::Running => Role::Healthy,
            Self::Follows | Self::Learns => Role::Normal,
            Self::Stopped | Self::Over | Self::Satisfied => Role::Dim,
            Self::Unknown => Role::Unknown,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for ChainState {
    fn glyph(&self) -> char {
        match self {
            Self::Verified => '✓',
            Self::Unverifiable => '?',
            Self::Broken => '✖',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Verified => Role::Healthy,
            Self::Unverifiable => Role::Unknown,
            Self::Broken => Role::Dead,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for Severity {
    fn glyph(&self) -> char {
        match self {
            Self::Info => '·',
            Self::Warning => '▲',
            Self::Critical => '✖',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Info => Role::Accent,
            Self::Warning => Role::Alert,
            Self::Critical => Role::Dead,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for Kind {
    fn glyph(&self) -> char {
        match self {
            Self::Raised | Self::Again | Self::Worse => '▲',
            Self::Reopened => '◐',
            Self::Acknowledged => '·',
            Self::Cleared => '✓',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Raised | Self::Again | Self::Worse => Role::Alert,
            Self::Reopened => Role::Warn,
            Self::Acknowledged => Role::Normal,
            Self::Cleared => Role::Dim,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for OutcomeKind {
    fn glyph(&self) -> char {
        match self {
            Self::Done => '✓',
            Self::Already => '✓',
            Self::Refused => '▲',
            Self::ReadOnly => '○',
            Self::Failed => '✖',
            Self::Unknown => '?',
            Self::Skipped => '·',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Done | Self::Already => Role::Healthy,
            Self::Refused | Self::ReadOnly => Role::Alert,
            Self::Failed => Role::Dead,
            Self::Unknown => Role::Unknown,
            Self::Skipped => Role::Dim,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}

impl State for SourceHealth {
    fn glyph(&self) -> char {
        match self {
            Self::Starting => '·',
            Self::Live => '●',
            Self::Failing => '◐',
            Self::Old => '■',
            Self::Down => '✖',
        }
    }
    fn role(&self) -> Role {
        match self {
            Self::Starting => Role::Dim,
            Self::Live => Role::Healthy,
            Self::Failing => Role::Warn,
            Self::Old => Role::Old,
            Self::Down => Role::Dead,
        }
    }
    fn order(&self) -> i64 {
        *self as i64
    }
}
