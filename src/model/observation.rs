//! What a poll brings home: changes to tables, what they cost, and which clock they were read on.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::agent::{Agent, Group};
use super::encoding::{self, StaticStr};
use super::member::{Barrier, Member, Proposal};
use super::source::Fault;
use super::stated::{Problem, StatedTask};
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{
    Heartbeat, Leader, Lease, LineageEvent, Lock, LockTable, LogEntry, LogTable, Message, MessageTable, Oddity,
    QueueStats, Reader, RegistryNode, Remark, Wait,
};

/// One successful poll of one source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    pub cost: Cost,
    /// The source's own clock, read in the same round trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockSample>,
    /// What the source was found to have; only when it was probed in this poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Arc<Probe>>,
    /// Replaces the oddities known of this source, where its rows were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oddities: Option<Vec<Oddity>>,
    /// Set where its facts are old although they were read just now: of when they are, and why they are no newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<(Millis, Fault)>,
    /// While nobody looked before this poll although somebody should have: the machine slept, or the console stood still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asleep: Option<(Millis, Millis)>,
    /// What this source may not show, or does not show whole: without it nobody can say that all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Vec<Text>>,
    /// Things to tell the operator about this source (a role that is missing, a bound that was met).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Vec<Text>>,
}

/// A change to one table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Change {
    /// Another database stands where the old one was: everything known of it is void.
    Reset,
    Heartbeats(Vec<Heartbeat>),
    Registry(Vec<RegistryNode>),
    Locks(LockTable, Vec<Lock>),
    /// All messages not yet acknowledged.
    LiveMessages(MessageTable, Vec<Message>),
    /// Rows that changed since they were brought, or are new, and rows that are gone.
    SomeHeartbeats(Delta<Heartbeat, (Text, Text)>),
    SomeLocks(LockTable, Delta<Lock, (Text, Text)>),
    SomeMessages(MessageTable, Delta<Message, i64>),
    /// Messages seen acknowledged for the first time.
    AcknowledgedMessages(Vec<Message>),
    Leases(Vec<Lease>),
    Leaders(Vec<Leader>),
    /// Entries not seen before, oldest first. `complete` says that nothing older exists.
    Log(LogTable, Vec<LogEntry>, LogStart),
    Lineage(Vec<LineageEvent>),
    /// Everybody who waits, where the source says so itself.
    Waits(Vec<Wait>),
    Readers(Vec<Reader>),
    /// Everything that agents said for the operator.
    Remarks(Vec<Remark>),
    /// Every agent that the source states itself.
    Agents(Vec<Agent>),
    Groups(Vec<Group>),
    /// Every member of every consensus group that the source knows.
    Members(Vec<Member>),
    Barriers(Vec<Barrier>),
    Proposals(Vec<Proposal>),
    /// Every task that the source states itself.
    Tasks(Vec<StatedTask>),
    /// Everything that its system's own rules find now.
    Problems(Vec<Problem>),
    Queue(Option<QueueStats>),
}

/// What changed in a table, by the keys of its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta<T, K> {
    pub changed: Vec<T>,
    pub gone: Vec<K>,
}

/// What stands before the first entry of a [`Change::Log`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogStart {
    /// Nothing: the log begins here.
    Beginning,
    /// Older rows that were not read.
    Window,
    /// The entries that were brought before.
    Continues,
}

/// What a poll cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Requests sent, each with its answer.
    pub round_trips: u64,
    /// Rows returned.
    pub rows: u64,
    /// Rows that the server says it read for them, where it says so: what is billed.
    pub read: Option<u64>,
    /// Bytes received, or copied from a file.
    pub bytes: u64,
    /// Milliseconds from start to end.
    pub ms: f64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.round_trips += other.round_trips;
        self.rows += other.rows;
        self.read = match (self.read, other.read) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.bytes += other.bytes;
        self.ms += other.ms;
    }
}

/// One comparison of a source's clock with the console's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSample {
    /// The source's clock minus the console's, at the middle of the exchange.
    pub offset_ms: Millis,
    /// How far the true offset may be from it: half the delay plus the clock's resolution.
    pub uncertainty_ms: Millis,
}

impl ClockSample {
    /// Compares a reading of a remote clock with the console's clock before and after it was asked for.
    #[must_use]
    pub fn between(sent_ms: Millis, remote_ms: Millis, received_ms: Millis, resolution_ms: Millis) -> Self {
        let delay = (received_ms - sent_ms).max(0);
        Self {
            // A clock that shows whole units is on average half a unit behind.
            offset_ms: remote_ms + resolution_ms / 2 - (sent_ms + delay / 2),
            uncertainty_ms: delay / 2 + resolution_ms / 2,
        }
    }
}

/// What a source has, found by looking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probe {
    /// Each table or call that the console knows how to read, and how it stands.
    #[serde(deserialize_with = "encoding::by_word")]
    pub parts: Vec<(StaticStr, Presence)>,
}

impl Probe {
    /// How a table or call stands, if the console knows it.
    #[must_use]
    pub fn of(&self, part: &str) -> Option<&Presence> {
        self.parts.iter().find(|(name, _)| *name == part).map(|(_, presence)| presence)
    }
}

/// Whether a table or call is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    Present,
    /// There, but without these columns, which are shown as unknown.
    Partial(#[serde(deserialize_with = "encoding::words")] Vec<StaticStr>),
    Absent,
    /// There, but not for this console; says what it would take.
    Denied(Text),
}
