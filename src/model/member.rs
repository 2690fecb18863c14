//! Members of a group that agrees on a log: who leads, how far each is; and barriers that wait for several.

use super::text::Text;
use super::time::Millis;
use serde::{Deserialize, Serialize};

/// One member of a consensus group, as its source knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// The group, e.g. an etcd cluster.
    pub group: Text,
    pub name: Text,
    /// Its id, as its system writes it.
    pub id: Text,
    pub role: Option<MemberRole>,
    pub term: Option<i64>,
    /// Whom it names as the leader.
    pub leader: Option<Text>,
    pub voted_for: Option<Text>,
    /// Whether its vote counts.
    pub is_voter: bool,
    /// Whether it answered at the last look; nothing where it was not asked.
    pub answers: Option<bool>,
    /// The last entry that it knows to be agreed on, the last that it carried out, and the last of its log.
    pub committed: Option<i64>,
    pub applied: Option<i64>,
    pub last: Option<i64>,
    /// Since when it has this role, on the source's clock.
    pub since_ms: Option<Millis>,
    /// It may have had it for longer: the console looked no earlier.
    pub is_since_floor: bool,
    /// Alarms that it raised, as its system names them.
    pub alarms: Vec<Text>,
    /// What else its source says of it, e.g. its version, its alarms, the size of its store.
    pub remark: Text,
}

/// What a member is in its group.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "kebab-case")]
pub enum MemberRole {
    Leader,
    Follower,
    Candidate,
    PreCandidate,
    Learner,
}

/// One barrier that is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Barrier {
    /// The group whose barrier it is.
    pub group: Text,
    pub name: Text,
    pub repository_id: Text,
    /// What it takes to open it, as its system calls that.
    pub kind: Text,
    /// Nothing where its source does not say, or says a word of its own.
    pub state: Option<BarrierState>,
    /// How many it waits for; nothing where that is not written anywhere.
    pub expected: Option<i64>,
    /// How many are enough.
    pub threshold: Option<i64>,
    /// Who arrived; nothing where that is not written anywhere.
    pub arrived: Option<Vec<Text>>,
    /// When it was made, on the source's clock, and for how long it waits.
    pub created_ms: Option<Millis>,
    pub timeout_ms: Option<Millis>,
    /// What stands behind it, and how it can be told from another of the same name.
    pub remark: Text,
    pub fence_token: Option<i64>,
}

/// Something that a group is asked to agree on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Proposal {
    pub group: Text,
    pub name: Text,
    /// Who proposed it.
    pub node: Text,
    pub kind: Text,
    pub status: Text,
    pub term: Option<i64>,
    pub index: Option<i64>,
    /// Members that took it.
    pub acks: Option<i64>,
    /// On the source's clock.
    pub submitted_ms: Option<Millis>,
}

/// What a barrier is at.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "kebab-case")]
pub enum BarrierState {
    Waiting,
    Satisfied,
    TimedOut,
    Cancelled,
}
