//! What is wrong: one rule a kind of trouble, one sentence a case, and the evidence it rests on.

use strum::{Display, EnumIter, IntoStaticStr};

use super::rules::RULES;
use super::{Picture, Thresholds};
use crate::text::Text;

/// How bad it is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// What a finding is about, so that the screen can lead there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Mesh,
    Source(Text),
    Node(Text),
    /// The keys of the views.
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
            Self::Lock(key) | Self::Message(key) | Self::Task(key) | Self::Log(key) => key,
        }
    }
}

/// One case of trouble.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    pub subject: Subject,
    /// The subject's name, for people.
    pub name: Text,
    /// What is wrong with it, in one sentence. Ages are left to the screen, so that it does not flicker.
    pub sentence: Text,
    /// What the judgement rests on.
    pub evidence: Vec<Text>,
}

impl Finding {
    /// A name that stays while the trouble does.
    #[must_use]
    pub fn key(&self) -> String {
        // The rule's rank comes first, so that equals stand in the order of the registry.
        format!("{:02}\u{1}{}\u{1}{}\u{1}{}", order(self.rule), self.rule, self.subject.kind(), self.subject.key())
    }
}

/// A kind of trouble.
pub struct Rule {
    /// Its name, e.g. `node-dead`.
    pub name: &'static str,
    /// What it means in general.
    pub summary: &'static str,
    /// Finds its cases.
    pub check: fn(&Picture, &Thresholds, &mut Vec<Finding>),
}

/// Runs every rule; worst first, then by rule and name, so that nothing jumps.
pub(super) fn find(picture: &Picture, thresholds: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES {
        let from = found.len();
        (rule.check)(picture, thresholds, &mut found);
        for finding in &mut found[from..] {
            finding.rule = rule.name;
        }
    }
    found.sort_by(|a, b| {
        (b.severity, order(a.rule), a.name.as_str(), a.subject.key()).cmp(&(
            a.severity,
            order(b.rule),
            b.name.as_str(),
            b.subject.key(),
        ))
    });
    found
}

fn order(rule: &str) -> usize {
    RULES.iter().position(|r| r.name == rule).unwrap_or(usize::MAX)
}
