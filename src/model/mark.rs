//! What is to be found in a recording: instants at which something happened.

use serde::{Deserialize, Serialize};

use super::text::Text;
use super::time::Millis;

/// Something to be found in a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub at_ms: Millis,
    pub kind: MarkKind,
    pub text: Text,
}

/// What there is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum MarkKind {
    /// A finding was raised, again or worse too.
    Raised,
    Cleared,
    /// Somebody did something.
    Action,
    /// A source did not answer any more.
    Lost,
    /// It answers again.
    Back,
}
