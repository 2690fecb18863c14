//! Actions: guarded writes. An action carries what the decision was made on; if the world is another by then,
//! it is refused, and the answer says what is true now.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumDiscriminants, EnumString, IntoStaticStr};

use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{LockTable, MessageTable, Stored};

/// The node that an operator's hold is written under.
pub const OPERATOR_NODE: &str = "lockkeeper";
/// The agent that stands for the operator: agents' ids are decimal, and no agent is number 0.
pub const OPERATOR_AGENT: &str = "0";

/// One guarded write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, EnumDiscriminants)]
#[strum_discriminants(
    name(Kind),
    derive(Hash, Display, strum::EnumIter, Serialize, Deserialize),
    serde(rename_all = "kebab-case"),
    strum(serialize_all = "kebab-case")
)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Takes a lock from its holder.
    Release { lock: LockGuard, mode: Mode, hold_ms: Millis },
    /// Gives a lock that the operator holds back to who had it.
    Restore { lock: LockGuard, former: LockGuard },
    /// Gives a message to another agent, where messages are rows.
    Reroute { message: MessageGuard, to: String },
    /// Delivers a message once more, to another agent, where messages are sent.
    Deliver {
        message: MessageGuard,
        to: String,
        key: String,
        /// Copies that others have of it, which are to go then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<MessageGuard>,
    },
    /// Acknowledges a message that another agent has a copy of: the original, or a copy that is to go.
    Retire { message: MessageGuard, to: String, key: String },
    /// Puts a claimed message back.
    Unclaim { message: MessageGuard },
    /// Retires a message for good.
    Acknowledge { message: MessageGuard },
    /// Writes to an agent.
    #[serde(rename = "tell")]
    #[strum_discriminants(strum(serialize = "tell"))]
    Send {
        #[serde(rename = "letter")]
        outbound: OutboundMessage,
    },
    /// Ends an execution lease.
    Revoke { lease: LeaseGuard },
    /// Lets a node take no new work, or lets it again.
    Drain { node: NodeGuard, on: bool, for_ms: Option<Millis> },
    /// Shuts a node out, or lets it in again.
    Quarantine { node: NodeGuard, on: bool },
    /// Ends the run that an agent is at. Its place ends no other run.
    StopRun { agent: AgentGuard, run: String },
    /// Asks an agent to drop what it is at, or all that it has: nothing names the run.
    CancelWork { agent: AgentGuard, all: bool },
    /// Cancels a task.
    CancelTask { task: TaskGuard },
    /// Ends an agent.
    RetireAgent { agent: AgentGuard },
    /// Ends an agent and starts it again, as its next generation.
    RespawnAgent { agent: AgentGuard },
    /// Lets two agents exchange messages, or no longer.
    Wire { agent: AgentGuard, peer: String, on: bool },
    /// Stops a group of agents, or lets it go on.
    StopGroup { group: GroupGuard, on: bool },
    /// Changes what a member is in its group, or does something for it.
    ChangeMember { member: MemberGuard, change: MemberChange },
    /// Lets those go on who wait at a barrier.
    OpenBarrier { barrier: BarrierGuard },
    /// Ends the lease that a lock's key belongs to, and with it all of its keys.
    EndLease { lock: LockGuard, keys: Vec<String> },
    /// Runs a command of the operator's own: no place is asked to do it.
    Command { title: String, argv: Vec<String> },
}

/// What is done to a member of a group.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr, EnumString, strum::EnumIter,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum MemberChange {
    /// It becomes the leader.
    Lead,
    /// A learner gets a vote.
    Promote,
    /// It leaves the group for good.
    Remove,
    /// Its alarms are taken back.
    ClearAlarm,
    /// Its store is written anew, without gaps.
    Defragment,
}

/// What a place lets an operator do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Abilities {
    #[serde(deserialize_with = "super::encoding::list")]
    pub kinds: &'static [Kind],
    /// Whether it keeps an op-log that entries can be added to.
    pub records: bool,
}

/// How a lock is taken from its holder.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr, EnumString, strum::EnumIter,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Mode {
    /// The operator holds it for a few seconds under the next fence token; then it runs out.
    FenceOff,
    /// Its end is moved into the past; the fence token stays.
    Expire,
    /// The row is deleted; the count of fence tokens may restart.
    Delete,
}

impl Mode {
    /// What it does, and what it costs.
    #[must_use]
    pub fn explain(self) -> &'static str {
        match self {
            Self::FenceOff => {
                "fence off: the operator holds it for a few seconds under the next fence token, so the old holder's \
                 renewals and releases miss and the count keeps rising; until then it can be given back"
            }
            Self::Expire => {
                "expire: its end is moved into the past and the fence token stays; newer clients take it at once, \
                 older ones after the next sweep"
            }
            Self::Delete => {
                "delete: the row goes and it is free at once for every client, but the count of fence tokens restarts: \
                 an old holder with a higher token may look newer than the next one"
            }
        }
    }
}

/// A lock as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockGuard {
    #[serde(with = "as_text")]
    pub table: LockTable,
    pub lock_key: String,
    pub repository_id: String,
    pub holder_node: String,
    pub holder_agent: String,
    pub fence_token: Option<i64>,
    pub acquired_at_ms: Option<Millis>,
    /// On the clock that wrote it. A renewal is a sign of life, so it counts too.
    pub expires_at_ms: Option<Millis>,
    /// The same as it is stored, where that is not as such ends are usually written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Stored>,
    /// What tells this hold from another, where no fence token does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A message as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageGuard {
    #[serde(with = "as_text")]
    pub table: MessageTable,
    pub id: i64,
    pub sender: String,
    pub receiver: String,
    pub msg_type: String,
    pub created_at_ms: Option<Millis>,
    pub claim_owner: Option<String>,
    pub claim_until_ms: Option<Millis>,
}

/// An execution lease as it was seen. Ids are used again after a restart, so its scope and holder count too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseGuard {
    pub lease_id: String,
    pub scope_key: String,
    pub holder_node: String,
}

/// A node's flags as they were seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGuard {
    pub node_id: String,
    pub quarantined: bool,
    pub maintenance: bool,
}

/// An agent as it was seen: another generation of it is another agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AgentGuard {
    /// Its name, as everybody calls it.
    pub agent: String,
    /// Its group, and its name there.
    pub group: String,
    pub identity: String,
    pub repository_id: String,
    pub generation: Option<i64>,
    pub fence_token: Option<i64>,
}

/// A task as it was seen, with what its system calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskGuard {
    pub task: String,
    pub group: String,
    pub id: String,
    pub repository_id: String,
}

/// A group of agents as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupGuard {
    pub group: String,
    pub repository_id: String,
    /// What it was at.
    pub status: String,
}

/// A member of a group as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberGuard {
    pub group: String,
    pub member: String,
    /// As its system writes it.
    pub id: String,
    /// Whom it named as the leader, and in which term.
    pub leader: Option<String>,
    pub term: Option<i64>,
    pub alarms: Vec<String>,
}

/// A barrier as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarrierGuard {
    pub group: String,
    pub barrier: String,
    pub repository_id: String,
    pub fence_token: Option<i64>,
}

/// What a place is asked before a plan can be made. Asking changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which run is this agent at?
    Run(AgentGuard),
    /// Which keys go with the lease of this lock's holder?
    LeaseKeys(LockGuard),
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Run(CurrentRun),
    Keys(Vec<String>),
    /// Why it is not known.
    Unknown(String),
}

/// The run that an agent is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentRun {
    At(String),
    Idle,
    /// Why it is not known.
    Unknown(String),
}

/// A message of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundMessage {
    pub to: String,
    pub msg_type: String,
    pub payload: String,
    pub repository_id: String,
}

/// Facts' tables in the journal, by their names.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use strum::IntoEnumIterator;

    pub fn serialize<T: ToString, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub fn deserialize<'de, T: ToString + IntoEnumIterator, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let word = String::deserialize(from)?;
        T::iter().find(|value| value.to_string() == word).ok_or_else(|| serde::de::Error::custom("no such table"))
    }
}

impl Action {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.into()
    }

    /// The thing it is about, for people.
    #[must_use]
    pub fn subject(&self) -> Text {
        match self {
            Self::Release { lock, .. } | Self::Restore { lock, .. } => Text::new(&lock.lock_key),
            Self::Reroute { message, .. }
            | Self::Deliver { message, .. }
            | Self::Retire { message, .. }
            | Self::Unclaim { message }
            | Self::Acknowledge { message } => format!("message {}", message.id).into(),
            Self::Send { outbound } => format!("agent {}", outbound.to).into(),
            Self::Revoke { lease } => format!("lease {} of {}", lease.lease_id, lease.scope_key).into(),
            Self::Drain { node, .. } | Self::Quarantine { node, .. } => Text::new(&node.node_id),
            Self::StopRun { agent, .. }
            | Self::CancelWork { agent, .. }
            | Self::RetireAgent { agent }
            | Self::RespawnAgent { agent }
            | Self::Wire { agent, .. } => Text::new(&agent.agent),
            Self::CancelTask { task } => Text::new(&task.task),
            Self::StopGroup { group, .. } => Text::new(&group.group),
            Self::ChangeMember { member, .. } => Text::new(&member.member),
            Self::OpenBarrier { barrier } => Text::new(&barrier.barrier),
            Self::EndLease { lock, .. } => Text::new(&lock.lock_key),
            Self::Command { title, .. } => Text::new(title),
        }
    }

    /// What it does, in a few words.
    #[must_use]
    pub fn summary(&self) -> Text {
        let subject = self.subject();
        let text = match self {
            Self::Release { lock, .. } if !lock.table.is_fenced() && lock.holder_agent.is_empty() => {
                format!("break {subject}, which nobody is known to hold")
            }
            Self::Release { lock, .. } if !lock.table.is_fenced() => {
                format!("break {subject}, held by {}", lock.holder_agent)
            }
            Self::Release { lock, mode, .. } => {
                let verb = match mode {
                    Mode::FenceOff => "fence off",
                    Mode::Expire => "expire",
                    Mode::Delete => "delete",
                };
                format!("{verb} {subject}, held by {} ({})", lock.holder_node, fence(lock.fence_token))
            }
            Self::Restore { former, .. } => format!("give {subject} back to {}", former.holder_node),
            Self::Reroute { message, to } => format!("give {subject} from agent {} to agent {to}", message.receiver),
            Self::Deliver { to, .. } => format!("deliver a copy of {subject} to agent {to}"),
            Self::Retire { message, .. } => format!("acknowledge {subject} for agent {}", message.receiver),
            Self::Unclaim { message } => {
                format!("take the claim of {} off {subject}", message.claim_owner.as_deref().unwrap_or("nobody"))
            }
            Self::Acknowledge { message } => format!("acknowledge {subject} of agent {}", message.receiver),
            Self::Send { outbound } => format!("message agent {} ({})", outbound.to, outbound.msg_type),
            Self::Revoke { lease } => format!("revoke {subject}, held by {}", lease.holder_node),
            Self::Drain { node, on: true, .. } if node.maintenance => format!("move the deadline of {}", node.node_id),
            Self::Drain { node, on: true, .. } => format!("drain {}: it takes no new work", node.node_id),
            Self::Drain { node, .. } => format!("let {} take work again", node.node_id),
            Self::Quarantine { node, on: true } => format!("quarantine {}: it is shut out", node.node_id),
            Self::Quarantine { node, .. } => format!("let {} in again", node.node_id),
            Self::StopRun { run, .. } => format!("stop run {run} of {subject}"),
            Self::CancelWork { all: false, .. } => format!("force-cancel what {subject} is at"),
            Self::CancelWork { .. } => format!("cancel all work of {subject}"),
            Self::CancelTask { .. } => format!("cancel {subject}"),
            Self::RetireAgent { agent } => format!("retire {subject}{}", life(agent)),
            Self::RespawnAgent { agent } => format!("respawn {subject}{}", life(agent)),
            Self::Wire { peer, on: true, .. } => format!("wire {subject} to {peer}"),
            Self::Wire { peer, .. } => format!("unwire {subject} from {peer}"),
            Self::StopGroup { on: true, .. } => format!("stop {subject}"),
            Self::StopGroup { .. } => format!("let {subject} go on"),
            Self::ChangeMember { change: MemberChange::Lead, .. } => format!("make {subject} the leader"),
            Self::ChangeMember { change: MemberChange::Promote, .. } => format!("give {subject} a vote"),
            Self::ChangeMember { change: MemberChange::Remove, member } => {
                format!("remove {subject} from {}", member.group)
            }
            Self::ChangeMember { change: MemberChange::ClearAlarm, member } => {
                format!("clear {} of {subject}", member.alarms.join(" and "))
            }
            Self::ChangeMember { change: MemberChange::Defragment, .. } => format!("defragment {subject}"),
            Self::OpenBarrier { .. } => format!("open barrier {subject}"),
            Self::Command { argv, .. } => format!("run {subject}: {}", argv.join(" ")),
            Self::EndLease { lock, keys } => {
                format!("end the lease of {}, with {} keys", lock.holder_agent, keys.len())
            }
        };
        text.into()
    }

    /// The repository it belongs to; may be empty.
    #[must_use]
    pub fn repository(&self) -> &str {
        match self {
            Self::Release { lock, .. } | Self::Restore { lock, .. } => &lock.repository_id,
            Self::Send { outbound } => &outbound.repository_id,
            Self::StopRun { agent, .. }
            | Self::CancelWork { agent, .. }
            | Self::RetireAgent { agent }
            | Self::RespawnAgent { agent }
            | Self::Wire { agent, .. } => &agent.repository_id,
            Self::CancelTask { task } => &task.repository_id,
            Self::StopGroup { group, .. } => &group.repository_id,
            Self::ChangeMember { member, .. } => &member.group,
            Self::OpenBarrier { barrier } => &barrier.repository_id,
            Self::EndLease { lock, .. } => &lock.repository_id,
            Self::Command { .. } => "",
            _ => "",
        }
    }
}

/// `, generation 2`, where that is known.
fn life(agent: &AgentGuard) -> String {
    agent.generation.map_or_else(String::new, |n| format!(", generation {n}"))
}

/// `fence 41`, or that there is none.
#[must_use]
pub fn fence(token: Option<i64>) -> String {
    token.map_or_else(|| "no fence".into(), |n| format!("fence {n}"))
}
