//! How an action ended.

use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

use crate::model::text::Text;

/// The families of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Verdict {
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
    pub verdict: Verdict,
    /// What happened, and what is true now.
    pub says: Text,
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

impl Verdict {
    /// Whether things are as the action wants them.
    #[must_use]
    pub fn is_so(self) -> bool {
        matches!(self, Self::Done | Self::Already)
    }
}

impl Outcome {
    fn new(verdict: Verdict, says: impl AsRef<str>) -> Self {
        Self {
            verdict,
            says: Text::new(says.as_ref()),
            before: None,
            after: None,
            audited: false,
            journal_only: false,
            reread: verdict == Verdict::Done,
        }
    }
    /// It took effect.
    #[must_use]
    pub fn done(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Done, says)
    }
    /// It was so already.
    #[must_use]
    pub fn already(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Already, says)
    }
    /// A guard did not hold.
    #[must_use]
    pub fn refused(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Refused, says)
    }
    /// Nothing may be written.
    #[must_use]
    pub fn read_only(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::ReadOnly, says)
    }
    /// It did not take effect.
    #[must_use]
    pub fn failed(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Failed, says)
    }
    /// Nobody knows.
    #[must_use]
    pub fn unknown(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Unknown, says)
    }
    /// It was not tried.
    #[must_use]
    pub fn skipped(says: impl AsRef<str>) -> Self {
        Self::new(Verdict::Skipped, says)
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
