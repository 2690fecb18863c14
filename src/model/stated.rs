//! What a source states itself, where others leave it to be derived: tasks with their story, and problems that its
//! system's own rules find.

use super::encoding::{self, StaticStr};
use super::severity::Severity;
use super::text::Text;
use super::time::Millis;
use serde::{Deserialize, Serialize};

/// A task as its source states it.
#[derive(Debug, Clone, PartialEq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StatedTask {
    pub task: Text,
    pub repository_id: Text,
    pub agent: Option<Text>,
    /// What its system cancels it by; nothing where it cannot be cancelled.
    pub cancel: Option<Cancel>,
    /// What becomes of it once the node that runs it is dead, and what to do; empty where nothing is known of that.
    #[serde(deserialize_with = "encoding::word")]
    pub if_dead: StaticStr,
    /// What became of it, oldest first: its steps, what it waits for, how it ended.
    pub story: Vec<TaskEvent>,
}

/// What a task is cancelled by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cancel {
    /// The group of agents that works on it.
    pub group: Text,
    pub id: Text,
}

/// One thing that is known of a task.
#[derive(Debug, Clone, PartialEq, Hash, Serialize, Deserialize)]
pub struct TaskEvent {
    /// On the source's clock.
    pub at_ms: Option<Millis>,
    pub stage: Stage,
    pub text: Text,
}

/// What an event makes of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    Submitted,
    Running,
    /// Nothing: it is a step, a parent, a blocker.
    Detail,
    Done,
    Failed,
    Cancelled,
}

/// A rule of one system alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemRule {
    /// Its name, e.g. `realm-twice`.
    #[serde(deserialize_with = "encoding::word")]
    pub name: StaticStr,
    /// What it means in general.
    #[serde(deserialize_with = "encoding::word")]
    pub summary: StaticStr,
}

/// A case that a system's own rule found in the facts of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    #[serde(deserialize_with = "encoding::word")]
    pub rule: StaticStr,
    pub severity: Severity,
    pub about: About,
    /// The thing that it is about, for people.
    pub name: Text,
    /// State first, evidence after; ages are left to the screen.
    pub sentence: Text,
    pub evidence: Vec<Text>,
}

/// What a problem is about, so that the screen can lead there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum About {
    /// The source that states it.
    Source,
    Node(Text),
    Agent {
        agent: Text,
        repository_id: Text,
    },
    Lock {
        table: super::LockTable,
        lock_key: Text,
        repository_id: Text,
    },
    Task {
        task: Text,
        repository_id: Text,
    },
}
