//! The facts: what was read, as it was written, before anything is concluded from it.
//!
//! A field that is `None` is unknown: the column is absent, holds NULL, or holds something that is
//! not what the column is for. Field names equal the column names wherever there is one. All
//! instants are Unix milliseconds on the clock of whoever wrote them.

pub mod action;
pub mod agent;
pub mod chain;
pub mod copies;
pub mod encoding;
pub mod event;
pub mod instant;
pub mod journal;
pub mod mark;
pub mod member;
pub mod observation;
pub mod outcome;
pub mod report;
pub mod severity;
pub mod source;
pub mod stated;
pub mod text;
pub mod time;
pub mod whose;
pub mod work;

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use strum::{Display, EnumIter, IntoStaticStr};

use crate::model::encoding::StaticStr;
use crate::model::text::Text;
use crate::model::time::Millis;

/// One heartbeat row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    pub node_id: Text,
    pub agent_id: Text,
    /// Written by the node's own clock.
    pub last_seen_ms: Option<Millis>,
    pub activity: Text,
    pub repository_id: Text,
    /// How long its writer said that it may be silent, where it said so.
    pub patience: Option<Patience>,
}

/// What a heartbeat promises of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// Silent for no longer, it is well.
    pub silence_ms: Millis,
    /// Silent for no longer beyond that, it is late; then it does not answer.
    pub grace_ms: Millis,
}

/// One node of a control plane's registry.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistryNode {
    pub node_id: Text,
    /// Written by the server's clock.
    pub last_seen_ms: Option<Millis>,
    pub version: Text,
    pub listen_addr: Option<Text>,
    pub scope_id: Option<Text>,
    pub labels: Vec<Text>,
    pub maintenance: bool,
    pub maintenance_until_ms: Option<Millis>,
    pub quarantined: bool,
}

/// Which table a lock was read from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    IntoStaticStr,
    EnumIter,
    Default,
    Serialize,
    Deserialize,
)]
pub enum LockTable {
    #[default]
    #[strum(serialize = "distributed_locks")]
    Distributed,
    #[strum(serialize = "vcs_lock")]
    Vcs,
    /// A directory beside what it protects.
    #[strum(serialize = "lock directory")]
    Directory,
    /// A lease on a machine or a part of it.
    #[strum(serialize = "host lease")]
    Host,
    /// A piece of work that somebody said is theirs; it binds those who listen.
    #[strum(serialize = "claim")]
    Claim,
    /// The seat of a member: one process at a time hosts it.
    #[strum(serialize = "seat")]
    Seat,
    /// A key among others of one name: the oldest holds, the others wait in their order.
    #[strum(serialize = "queued lock")]
    Queue,
    /// The same, for whoever is to lead.
    #[strum(serialize = "election key")]
    Election,
    /// A key of its own: who wrote it holds it, and nobody is seen to wait.
    #[strum(serialize = "single key")]
    Single,
    /// Keys of readers and writers of one name.
    #[strum(serialize = "read-write key")]
    Shared,
    /// A lease on the name of a declared member, renewed every few seconds.
    #[strum(serialize = "identity lease")]
    Identity,
    /// No table of locks: an execution lease, shown beside them.
    #[strum(serialize = "exec lease")]
    ExecLease,
}

impl LockTable {
    /// How many of them are tables.
    pub const TABLES: usize = Self::ExecLease as usize;

    /// Whether its locks bear fence tokens.
    #[must_use]
    pub fn is_fenced(self) -> bool {
        matches!(self, Self::Distributed | Self::Vcs)
    }
}

/// What keeps a lock from being one that is simply held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// It is taken, and nothing says by whom: it is being taken, or its taker died.
    Unrecorded,
    /// What should say by whom cannot be read.
    Malformed,
    /// Somebody is about to break it.
    Breaking,
    /// Another says that it is theirs as well.
    Contested,
    /// It names no end, and whoever holds it is known to live.
    OpenEnded,
    /// Whoever holds it is known to be dead.
    OwnerDead,
    /// What an ended breaker left keeps everybody out, or keeps a lock from its holder; nobody but an operator mends it.
    LockedOut,
}

/// A value as a database stores it, where that is not how such a value is usually written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stored {
    Integer(i64),
    /// With all of its digits.
    Real(String),
    Text(String),
}

/// One lock row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lock {
    pub table: LockTable,
    pub lock_key: Text,
    pub repository_id: Text,
    pub holder_node: Text,
    pub holder_agent: Text,
    pub fence_token: Option<i64>,
    pub acquired_at_ms: Option<Millis>,
    pub expires_at_ms: Option<Millis>,
    /// Its end as it is stored, where that is not as such ends are usually written: a guard compares what is stored.
    #[serde(serialize_with = "text::guard")]
    pub expires_at: Option<Arc<Stored>>,
    /// Readers share it; otherwise it is exclusive.
    pub shared: bool,
    /// What tells this hold from any other of the same lock, where no fence token does.
    pub lease_id: Option<Text>,
    pub condition: Option<Condition>,
    /// How long it lasts at least, where its end is renewed unseen.
    pub left: Option<Left>,
    /// What its source has to say of it, e.g. why it was taken.
    pub remark: Option<Text>,
    /// The command that ends it, where its system keeps that to itself.
    pub ended_by: Option<Text>,
}

/// What was left of a lease when its holder's server was asked: its end moves with every renewal, which nobody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub left_ms: Millis,
    /// What each renewal grants.
    pub granted_ms: Millis,
    /// When it was asked, on the source's clock.
    pub at_ms: Millis,
}

impl Left {
    /// What is left at least, at an instant.
    #[must_use]
    pub fn at_least(&self, now_ms: Millis) -> Millis {
        self.left_ms.saturating_sub(now_ms.saturating_sub(self.at_ms)).max(0)
    }
}

/// One who waits, as a source says so itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wait {
    /// The lock's key.
    pub resource: Text,
    pub repository_id: Text,
    pub agent: Text,
    pub since_ms: Option<Millis>,
    /// Higher goes first.
    pub priority: i64,
    /// Where that is written.
    pub evidence: Text,
    /// Whether the source serves its waiters in their order, or this was read from what an agent wrote.
    pub exact: bool,
}

/// What an agent said that an operator should know, where its system gives that a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remark {
    pub id: Text,
    pub agent: Text,
    pub node_id: Text,
    pub at_ms: Option<Millis>,
    pub summary: Text,
    pub kind: RemarkKind,
}

/// What a remark is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RemarkKind {
    /// A reviewer's finding that asks for an answer and has none.
    Finding { overturned: bool, action: Text },
    /// An agent's own word on its work; nobody checked it.
    Checkin,
}

/// How far a reader of a stream of messages has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reader {
    pub name: Text,
    pub stream: Text,
    pub cursor: i64,
    /// The last one that is there.
    pub head: i64,
    /// When it last said how far it is.
    pub moved_at_ms: Option<Millis>,
}

/// Where a message was read from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    IntoStaticStr,
    EnumIter,
    Default,
    Serialize,
    Deserialize,
)]
pub enum MessageTable {
    #[default]
    #[strum(serialize = "a2a_messages")]
    A2a,
    #[strum(serialize = "mesh_a2a_messages")]
    Mesh,
    #[strum(serialize = "inbox")]
    Inbox,
    #[strum(serialize = "room")]
    Room,
}

/// A message's body, cut to a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// As it came, at most [`Payload::MAX`] bytes. Scrub before showing.
    #[serde(serialize_with = "text::body")]
    pub head: Arc<str>,
    /// How long it is in the source, in characters, where that is known.
    pub full_len: Option<i64>,
}

impl Default for Payload {
    fn default() -> Self {
        Self { head: "".into(), full_len: Some(0) }
    }
}

impl Payload {
    /// How much of a payload is read, in characters.
    pub const MAX: usize = 16_384;

    /// Whether the source holds more than was read.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.full_len.is_some_and(|n| usize::try_from(n).is_ok_and(|n| n > Self::MAX))
    }
}

/// One agent-to-agent message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    pub table: MessageTable,
    pub id: i64,
    /// What people call it, where that is not its number.
    pub label: Option<Text>,
    pub sender_agent: Text,
    pub receiver_agent: Text,
    pub msg_type: Text,
    pub payload: Payload,
    pub priority: Option<i64>,
    pub thread_id: Option<Text>,
    pub idempotency_key: Option<Text>,
    pub acknowledged: bool,
    pub created_at_ms: Option<Millis>,
    pub repository_id: Text,
    pub claim_owner: Option<Text>,
    pub claim_until_ms: Option<Millis>,
    pub delivery_attempts: Option<i64>,
    pub last_claim_error: Option<Text>,
    pub processed_at_ms: Option<Millis>,
}

impl Message {
    /// What people call it.
    #[must_use]
    pub fn name(&self) -> Text {
        self.label.clone().unwrap_or_else(|| self.id.to_string().into())
    }
}

/// One execution lease. From a database it is a hint; from a control plane it is the authority.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lease {
    pub lease_id: Text,
    pub task_id: Option<Text>,
    pub scope_key: Text,
    pub holder_node_id: Text,
    pub granted_at_ms: Option<Millis>,
    pub expires_at_ms: Option<Millis>,
    /// granted, renewed or revoked; a control plane lists only those in force.
    pub state: Text,
    pub authoritative: bool,
}

/// One lock leader row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Leader {
    pub repository_id: Text,
    pub leader_node_id: Text,
    pub elected_at_ms: Option<Millis>,
    pub heartbeat_at_ms: Option<Millis>,
    pub expires_at_ms: Option<Millis>,
    /// Rises with every claim, re-claims too; it is not a term.
    pub epoch: Option<i64>,
}

/// Which log an entry was read from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Display,
    IntoStaticStr,
    EnumIter,
    Default,
    Serialize,
    Deserialize,
)]
pub enum LogTable {
    #[default]
    #[strum(serialize = "agent_oplog")]
    Agent,
    #[strum(serialize = "convergence_op_log")]
    Convergence,
    #[strum(serialize = "events")]
    Events,
}

/// What ties an entry to the one before it in its stream, worked out where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seal {
    pub stream: Text,
    /// Its place in the stream, counted by one.
    pub place: i64,
    /// The hash that it bears, and the one of the entry before it that it names.
    #[serde(serialize_with = "text::one_hash")]
    pub own: Text,
    #[serde(serialize_with = "text::hash")]
    pub before: Option<Text>,
    /// Whether its hash is that of what is written in it.
    pub holds: bool,
}

/// One op-log entry.
#[derive(Debug, Clone, PartialEq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogEntry {
    pub table: LogTable,
    pub id: i64,
    pub agent_id: Text,
    #[serde(serialize_with = "text::one_hash")]
    pub operation_id: Text,
    /// The name of the kind alone, e.g. `LockAcquire`.
    pub kind: Text,
    /// The kind's own JSON, as it came.
    #[serde(serialize_with = "text::body")]
    pub kind_json: Arc<str>,
    pub description: Text,
    #[serde(serialize_with = "text::hash")]
    pub predecessor_hash: Option<Text>,
    pub model_id: Option<Text>,
    pub change_id: Option<i64>,
    pub timestamp_ms: Option<Millis>,
    pub undone: bool,
    pub repository_id: Text,
    pub seal: Option<Seal>,
}

/// One lineage event.
#[derive(Debug, Clone, PartialEq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LineageEvent {
    pub id: i64,
    pub repository_id: Text,
    pub kind: Text,
    /// `None` where the event is about no task.
    pub task: Option<Text>,
    pub agent_id: Option<Text>,
    pub session_id: Option<Text>,
    pub created_at_ms: Option<Millis>,
}

/// A control plane's own count of what waits in its queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueStats {
    pub pending_count: i64,
    pub pending_by_kind: Vec<(Text, i64)>,
    pub pending_by_priority: Vec<(Text, i64)>,
}

/// A value that is not what its column is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oddity {
    #[serde(deserialize_with = "encoding::word")]
    pub table: StaticStr,
    #[serde(deserialize_with = "encoding::word")]
    pub column: StaticStr,
    /// The row's key, for people.
    pub row: Text,
    /// What was found there, e.g. `text "soon"`.
    pub found: Text,
}
