//! A case of trouble: what it is about, one sentence, and the evidence it rests on.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time::Millis;

/// What a finding is about, so that the screen can lead there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Mesh,
    Source(Text),
    Node(Text),
    /// The keys of the views.
    Agent(String),
    Lock(String),
    Message(String),
    Task(String),
    Log(String),
}

impl Subject {
    /// The kind of thing, for people and JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Source(_) => "source",
            Self::Node(_) => "node",
            Self::Agent(_) => "agent",
            Self::Lock(_) => "lock",
            Self::Message(_) => "message",
            Self::Task(_) => "task",
            Self::Log(_) => "oplog",
        }
    }

    /// The thing's key.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Mesh => "",
            Self::Source(name) | Self::Node(name) => name.raw(),
            Self::Agent(key) | Self::Lock(key) | Self::Message(key) | Self::Task(key) | Self::Log(key) => key,
        }
    }
}

/// Who said that a finding is known, and until when that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub by: Text,
    /// Until it is cleared, where nothing is said.
    pub until_ms: Option<Millis>,
}

/// Where a finding is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    pub raised_ms: Millis,
    /// How often it was raised, as far as is remembered.
    pub times: u32,
    pub acknowledged: Option<Acknowledged>,
}

/// One case of trouble.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub rule: &'static str,
    /// The rule's place in the registry.
    pub order: usize,
    pub severity: Severity,
    pub subject: Subject,
    /// What of its subject it is about, where one subject may have several of one rule.
    pub part: Text,
    /// The subject's name, for people.
    pub name: Text,
    /// What is wrong with it, in one sentence. Ages are left to the screen, so that it does not flicker.
    pub sentence: Text,
    /// What the result rests on.
    pub evidence: Vec<Text>,
    /// Since when it is an alarm, and who knows of it; nothing where findings are not followed.
    pub life: Option<Arc<Life>>,
}

impl Finding {
    /// Whether somebody said that it is known.
    #[must_use]
    pub fn acknowledged(&self) -> Option<&Acknowledged> {
        self.life.as_ref()?.acknowledged.as_ref()
    }

    /// A name that stays while the trouble does.
    #[must_use]
    pub fn key(&self) -> String {
        // The rule's rank comes first, so that equals stand in the order of the registry.
        format!("{:02}\u{1}{}", self.order, self.identity())
    }

    /// What tells it from others, whatever the program's version.
    #[must_use]
    pub fn identity(&self) -> String {
        let part = if self.part.is_empty() { String::new() } else { format!("\u{1}{}", self.part.raw()) };
        format!("{}\u{1}{}\u{1}{}{part}", self.rule, self.subject.kind(), self.subject.key())
    }
}
