//! What happens to a finding, as a line of the history.

use serde::{Deserialize, Serialize};

use crate::model::severity::Severity;
use crate::model::time::Millis;

/// The name and version of the form.
pub const SCHEMA: &str = "lockkeeper.event.v1";

/// What happened.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Kind {
    /// It stands for the first time.
    Raised,
    /// It stands again after it was cleared.
    Again,
    /// It became more severe; an acknowledgement of what it was no longer counts.
    Worse,
    /// Somebody knows.
    Acknowledged,
    /// The acknowledgement ran out, or was taken back.
    Reopened,
    Cleared,
}

impl Kind {
    /// Whether it is worth calling somebody.
    #[must_use]
    pub fn calls(self) -> bool {
        matches!(self, Self::Raised | Self::Again | Self::Worse | Self::Reopened)
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub schema: String,
    pub at_ms: Millis,
    pub mesh: String,
    /// Where the mesh lies; empty in lines of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    #[serde(rename = "event")]
    pub kind: Kind,
    /// What the finding is told by: rule, kind of subject, and the subject's key.
    pub key: String,
    pub rule: String,
    pub severity: Severity,
    /// The kind of thing that it is about, and its name.
    pub subject: String,
    pub name: String,
    pub sentence: String,
    /// How often it was raised, this time included.
    #[serde(default)]
    pub times: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<Millis>,
    /// Counts up in this console, for what it saw happen itself; zero for what it took over.
    #[serde(skip)]
    pub seq: u64,
}

impl Event {
    /// The same without what is said of an acknowledgement.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self { by: None, until_ms: None, ..self.clone() }
    }
}

/// Puts a history together, oldest first. Lines that are not of this form are counted.
#[must_use]
pub fn read<'a>(lines: impl Iterator<Item = &'a str>) -> (Vec<Event>, usize) {
    let (mut events, mut odd) = (Vec::new(), 0);
    for text in lines.filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str::<Event>(text) {
            Ok(event) if event.schema == SCHEMA => events.push(event),
            _ => odd += 1,
        }
    }
    (events, odd)
}
