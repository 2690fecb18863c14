//! Agents as their system states them: where they work, what they are at, and how they do.

use super::encoding::{self, StaticStr};
use super::text::Text;
use super::time::Millis;
use serde::{Deserialize, Serialize};

/// One agent, as one source states it. What another source knows of the same agent is added to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Agent {
    /// Its name, as tasks, locks and the log have it.
    pub agent: Text,
    pub repository_id: Text,
    /// What it belongs to, e.g. a mob, and its name there. Empty where agents stand alone.
    pub group: Text,
    pub identity: Text,
    /// The node that runs it; empty where this source does not say.
    pub node_id: Text,
    pub role: Text,
    pub status: Option<AgentStatus>,
    /// Why it is as it is, where its system says so.
    pub why: Option<Text>,
    /// Counts its lives: an agent that was started again is another one.
    pub generation: Option<i64>,
    pub fence_token: Option<i64>,
    /// When this life of it began, on the source's clock.
    pub started_ms: Option<Millis>,
    /// Agents that it exchanges messages with.
    pub peers: Vec<Text>,
    pub progress: Option<Progress>,
    /// What becomes of it once its node is dead, and what to do; empty where nothing is known of that.
    #[serde(deserialize_with = "encoding::word")]
    pub if_dead: StaticStr,
}

/// Agents that work together, e.g. a mob, as one source states it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    pub name: Text,
    pub repository_id: Text,
    pub status: Option<GroupStatus>,
    /// Who supervises it, where its system says so: nobody elected it.
    pub supervisor: Option<Supervisor>,
    /// Where its members vote.
    pub quorum: Option<Quorum>,
    /// What else its source says of it.
    pub remark: Text,
}

/// The votes of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quorum {
    pub voters: usize,
    /// Voters that answer, and name a leader.
    pub with_leader: usize,
    /// Leaders that were seen to come within ten minutes; nothing where that is not followed.
    pub elections: Option<usize>,
}

/// The supervisor of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Supervisor {
    pub name: Text,
    /// Rises each time its key is changed.
    pub epoch: i64,
    /// The epoch that a change under way leads to.
    pub next_epoch: Option<i64>,
}

/// What a group is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
pub enum GroupStatus {
    Running,
    /// It was told to stop, and has not.
    Stopping,
    Stopped,
    /// It does nothing any more.
    Over,
    /// What keeps it going has died.
    Failed,
}

/// Where an agent is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AgentStatus {
    Starting,
    Active,
    Retiring,
    Broken,
}

/// How an agent gets on, as its system answers when it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Progress {
    pub activity: Activity,
    pub in_flight: i64,
    /// Its last progress, on the source's clock.
    pub last_ms: Option<Millis>,
    /// Its system's own word on it.
    pub health: Text,
    /// Since when this console sees it as it is, on the source's clock.
    pub since_ms: Millis,
    /// It is at work and has stood still for so long that it hangs.
    pub is_still: bool,
    /// How often it is asked.
    pub every_ms: Millis,
}

/// Whether an agent is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
pub enum Activity {
    Idle,
    Working,
    Unknown,
}
