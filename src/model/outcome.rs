//! How an action ended.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use crate::model::text::Text;

/// The families of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr, strum::VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum OutcomeKind {
    /// It took effect.
    Done,
    /// Things are as the action wants them, and nothing proves that this attempt did that: it has no op-log entry.
    Already,
    /// A guard did not hold: nothing was changed.
    Refused,
    /// This console or its connection may not write: nothing was changed.
    ReadOnly,
    /// It did not take effect.
    Failed,
    /// Its answer was lost, and nothing that was read back proves that it took effect: it may have, or may still.
    Unknown,
    /// It was not tried, because a step it needs was not done, or the operator stopped.
    Skipped,
}

/// How one action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub kind: OutcomeKind,
    /// What happened, and what is true now.
    pub summary: Text,
    /// The thing before and after, as JSON, where it was read.
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
    /// Whether the op-log has an entry of it.
    pub audited: bool,
    /// Whether no op-log takes such an entry: then the journal is the only record.
    pub journal_only: bool,
    /// Whether the place was read again after it.
    pub reread: bool,
}

impl OutcomeKind {
    /// Whether things are as the action wants them.
    #[must_use]
    pub fn is_so(self) -> bool {
        matches!(self, Self::Done | Self::Already)
    }
}

impl Outcome {
    fn new(kind: OutcomeKind, summary: impl AsRef<str>) -> Self {
        Self {
            kind,
            summary: Text::new(summary.as_ref()),
            before: None,
            after: None,
            audited: false,
            journal_only: false,
            reread: kind == OutcomeKind::Done,
        }
    }
    /// It took effect.
    #[must_use]
    pub fn done(summary: impl AsRef<str>) -> Self {
        Self::new(OutcomeKind::Done, summary)
    }
    /// It was so already.
    #[must_use]
    pub fn already(summary: impl AsRef<str>) -> Self {
        Self::new(OutcomeKind::Already, summary)
    }
    /// A guard did not hold.
    #[must_use]
    pub fn refused(summary: impl AsRef<str>) -> Self {
        Self::new(OutcomeKind::Refused, summary)
    }
    /// Nothing may be written.
    #[must_use]
    pub fn read_only(summary: impl AsRef<str>) -> Self {
        Self::new(OutcomeKind::ReadOnly, summary)
    }
    /// It did not take effect.
    #[must_use]
    pub fn failed(summary: impl AsRef<str>) -> Self {
        Self::new(OutcomeKind::Failed, summary)
    }
    /// Nobody knows.
    #[must_use]
    pub fn unknown(summary: impl AsRef<str>) -> Self {
        Self::new(OutcomeKind::Unknown, summary)
    }
    /// It was not tried.
    #[must_use]
    pub fn skipped(summary: impl AsRef<str>) -> Self {
        Self::new(OutcomeKind::Skipped, summary)
    }
    /// It took effect, and could not be read again.
    #[must_use]
    pub fn not_reread(self) -> Self {
        Self { reread: false, ..self }
    }

    /// What it was before and is now.
    #[must_use]
    pub fn with(mut self, before: Option<serde_json::Value>, after: Option<serde_json::Value>) -> Self {
        (self.before, self.after) = (before, after);
        self
    }
}

/// What is told while a plan runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    Started(usize),
    Ended(usize, Outcome),
    /// Every step was tried or skipped.
    Finished,
}
