//! What one source is known to hold. Small tables are shared between snapshots; large ones are kept once, and tell
//! which rows changed.

use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::fences::FenceHistory;
use super::rates::Tally;
use super::table::{RowChange, Table};
use crate::model::agent::{Agent, Group};
use crate::model::chain::Links;
use crate::model::encoding::by_table;
use crate::model::member::{Barrier, Member, Proposal};
use crate::model::observation::{Change, Delta, LogStart};
use crate::model::stated::{Problem, StatedTask};
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{
    Heartbeat, Leader, Lease, LineageEvent, Lock, LockTable, LogEntry, LogTable, Message, MessageTable, QueueStats,
    Reader, RegistryNode, Remark, Wait,
};

/// How much history is kept of one source if nothing else is configured, in rows of each kind.
pub const WINDOW: usize = 2_000;

/// One source's small tables.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub registry: Arc<[RegistryNode]>,
    pub leases: Arc<[Lease]>,
    pub leaders: Arc<[Leader]>,
    /// What waits in the inboxes of a control plane.
    pub inbox: Arc<[Message]>,
    /// By [`LogTable`], oldest first.
    #[serde(with = "by_table")]
    pub logs: [Log; 3],
    pub lineage: Arc<VecDeque<LineageEvent>>,
    pub waits: Arc<[Wait]>,
    pub readers: Arc<[Reader]>,
    pub remarks: Arc<[Remark]>,
    pub agents: Arc<[Agent]>,
    pub groups: Arc<[Group]>,
    pub members: Arc<[Member]>,
    pub barriers: Arc<[Barrier]>,
    pub proposals: Arc<[Proposal]>,
    pub tasks: Arc<[StatedTask]>,
    pub problems: Arc<[Problem]>,
    pub queue: Option<Arc<QueueStats>>,
    /// Counts the changes: two equal numbers of one source are the same facts.
    pub revision: u64,
}

/// A window on an op-log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "WrittenLog")]
pub struct Log {
    pub entries: Arc<VecDeque<Arc<LogEntry>>>,
    /// Of each entry: its own link and the one it names.
    #[serde(skip)]
    pub links: Arc<VecDeque<Links>>,
    /// Whether the window begins where the log does.
    pub complete: bool,
}

/// A key of two texts; equal ones are distinguished by how many came before.
pub type Name = (Text, Text, u32);

/// One source's large tables.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tables {
    /// By node and repository.
    pub heartbeats: Table<Name, Heartbeat>,
    /// By [`crate::model::LockTable`]; by key and repository.
    #[serde(with = "by_table")]
    pub locks: [Table<Name, Lock>; LockTable::TABLES],
    pub fences: FenceHistory,
    /// Messages that wait, and a window of those that were seen acknowledged.
    pub messages: Table<(MessageTable, i64), Message>,
    /// Ids of those that wait, by table.
    #[serde(with = "by_table")]
    waiting: [HashSet<i64>; 4],
    /// Those seen acknowledged, oldest first.
    acknowledged: VecDeque<(MessageTable, i64)>,
    /// How much history is kept, in rows of each kind.
    window: usize,
    /// Highest message id seen, by table.
    #[serde(with = "by_table")]
    highest: [i64; 4],
    /// Whether a first snapshot was complete: only changes after it are events.
    begun: bool,
}

impl Tables {
    /// Tables of which nothing is known. History is kept in a window of so many rows of each kind.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self {
            heartbeats: Table::default(),
            locks: Default::default(),
            fences: FenceHistory::default(),
            messages: Table::default(),
            waiting: Default::default(),
            acknowledged: VecDeque::new(),
            window,
            highest: [0; 4],
            begun: false,
        }
    }

    /// Takes one poll's changes, and counts what happened. Answers heartbeats that moved: what they were and are.
    pub fn apply(
        &mut self,
        facts: &mut Facts,
        changes: Vec<Change>,
        tally: &mut Tally,
        at_ms: Millis,
    ) -> Vec<RowChange<Heartbeat>> {
        let counting = self.begun;
        self.begun |= !changes.is_empty();
        let (mut counted, mut beats) = (Tally::default(), Vec::new());
        for change in changes {
            self.take(facts, change, &mut counted, at_ms, &mut beats);
        }
        if counting {
            tally.add(&counted);
        }
        beats
    }

    fn take(
        &mut self,
        facts: &mut Facts,
        change: Change,
        tally: &mut Tally,
        at_ms: Millis,
        beats: &mut Vec<RowChange<Heartbeat>>,
    ) {
        let beat_name = |h: &Heartbeat, nth| (h.node_id.clone(), h.repository_id.clone(), nth);
        match change {
            Change::Reset => self.reset(facts),
            Change::Registry(rows) => facts.revision += replace(&mut facts.registry, rows),
            Change::Leaders(rows) => facts.revision += replace(&mut facts.leaders, rows),
            Change::Leases(rows) => facts.revision += replace(&mut facts.leases, rows),
            Change::Waits(rows) => facts.revision += replace(&mut facts.waits, rows),
            Change::Readers(rows) => facts.revision += replace(&mut facts.readers, rows),
            Change::Remarks(rows) => facts.revision += replace(&mut facts.remarks, rows),
            Change::Agents(rows) => facts.revision += replace(&mut facts.agents, rows),
            Change::Members(rows) => facts.revision += replace(&mut facts.members, rows),
            Change::Barriers(rows) => facts.revision += replace(&mut facts.barriers, rows),
            Change::Proposals(rows) => facts.revision += replace(&mut facts.proposals, rows),
            Change::Groups(rows) => facts.revision += replace(&mut facts.groups, rows),
            Change::Tasks(rows) => facts.revision += replace(&mut facts.tasks, rows),
            Change::Problems(rows) => facts.revision += replace(&mut facts.problems, rows),
            Change::Queue(stats) => {
                if facts.queue.as_deref() != stats.as_ref() {
                    facts.queue = stats.map(Arc::new);
                    facts.revision += 1;
                }
            }
            Change::Heartbeats(rows) => {
                let changes = self.heartbeats.replace(rows, beat_name);
                facts.revision += u64::from(!changes.is_empty());
                beats.extend(changes);
            }
            Change::SomeHeartbeats(delta) => {
                let changes = some(&mut self.heartbeats, delta, |h| beat_name(h, 0), |(a, b)| (a, b, 0));
                facts.revision += u64::from(!changes.is_empty());
                beats.extend(changes);
            }
            Change::Locks(table, rows) => {
                let changes =
                    self.locks[table as usize].replace(rows, |l, n| (l.lock_key.clone(), l.repository_id.clone(), n));
                self.note_locks(facts, table, &changes, tally, at_ms);
            }
            Change::SomeLocks(table, delta) => {
                let name = |l: &Lock| (l.lock_key.clone(), l.repository_id.clone(), 0);
                let changes = some(&mut self.locks[table as usize], delta, name, |(a, b)| (a, b, 0));
                self.note_locks(facts, table, &changes, tally, at_ms);
            }
            Change::LiveMessages(table, rows) => {
                if table == MessageTable::Inbox && *facts.inbox != *rows {
                    facts.inbox = rows.clone().into();
                }
                let now: HashSet<i64> = rows.iter().map(|m| m.id).collect();
                let mut gone: Vec<i64> = self.waiting[table as usize].difference(&now).copied().collect();
                gone.sort_unstable();
                self.some_messages(facts, table, Delta { changed: rows, gone }, tally);
            }
            Change::SomeMessages(table, delta) => self.some_messages(facts, table, delta, tally),
            Change::AcknowledgedMessages(rows) => self.note_acknowledged(facts, rows, tally),
            Change::Log(table, entries, start) => {
                facts.revision += 1;
                facts.logs[table as usize].take(entries, start, self.window);
            }
            Change::Lineage(rows) => {
                if !rows.is_empty() {
                    facts.revision += 1;
                    let events = Arc::make_mut(&mut facts.lineage);
                    events.extend(rows);
                    trim(events, self.window);
                }
            }
        }
    }

    /// Another database: what was known goes, row by row, so that whoever follows the changes sees it.
    fn reset(&mut self, facts: &mut Facts) {
        *facts = Facts { revision: facts.revision + 1, ..Facts::default() };
        self.heartbeats.replace(Vec::new(), |_, _| Name::default());
        for table in &mut self.locks {
            table.replace(Vec::new(), |_, _| Name::default());
        }
        self.messages.replace(Vec::new(), |m, _| (m.table, m.id));
        (self.waiting, self.acknowledged, self.highest) = Default::default();
        (self.fences, self.begun) = (FenceHistory::default(), false);
    }

    fn note_locks(
        &mut self,
        facts: &mut Facts,
        table: LockTable,
        changes: &[RowChange<Lock>],
        tally: &mut Tally,
        at_ms: Millis,
    ) {
        facts.revision += u64::from(!changes.is_empty());
        for (place, before, after) in changes {
            self.fences.note(table as usize, *place, before.as_deref(), after.as_deref(), at_ms);
            let [was, is] = [before, after]
                .map(|lock| lock.as_deref().map(|lock| (&lock.holder_node, &lock.holder_agent, lock.acquired_at_ms)));
            if was != is {
                tally.acquired += u64::from(after.is_some());
                tally.released += u64::from(before.is_some());
            }
        }
    }

    fn some_messages(&mut self, facts: &mut Facts, table: MessageTable, delta: Delta<Message, i64>, tally: &mut Tally) {
        let waiting = &mut self.waiting[table as usize];
        let highest = &mut self.highest[table as usize];
        let before = *highest;
        for message in delta.changed {
            tally.delivered += u64::from(message.id > before);
            *highest = message.id.max(*highest);
            waiting.insert(message.id);
            facts.revision += u64::from(self.messages.set((table, message.id), message).is_some());
        }
        for id in delta.gone {
            waiting.remove(&id);
            facts.revision += u64::from(self.messages.remove(&(table, id)).is_some());
        }
    }

    fn note_acknowledged(&mut self, facts: &mut Facts, mut rows: Vec<Message>, tally: &mut Tally) {
        rows.sort_by_key(|m| m.id);
        for message in rows {
            let key = (message.table, message.id);
            if self.messages.get(&key).is_some() {
                continue;
            }
            let highest = &mut self.highest[message.table as usize];
            tally.delivered += u64::from(message.id > *highest);
            *highest = (*highest).max(message.id);
            tally.acknowledged += u64::from(message.acknowledged);
            facts.revision += u64::from(self.messages.set(key, message).is_some());
            self.acknowledged.push_back(key);
        }
        while self.acknowledged.len() > self.window {
            let Some(key) = self.acknowledged.pop_front() else { return };
            if !self.waiting[key.0 as usize].contains(&key.1) {
                self.messages.remove(&key);
            }
        }
    }
}

/// Takes some rows of a table.
fn some<T: PartialEq, K>(
    table: &mut Table<Name, T>,
    delta: Delta<T, K>,
    name: impl Fn(&T) -> Name,
    gone: impl Fn(K) -> Name,
) -> Vec<RowChange<T>> {
    let mut changes: Vec<RowChange<T>> = delta.gone.into_iter().filter_map(|key| table.remove(&gone(key))).collect();
    changes.extend(delta.changed.into_iter().filter_map(|row| table.set(name(&row), row)));
    changes
}

impl Facts {
    /// Entries of one op-log, oldest first.
    #[must_use]
    pub fn log(&self, table: LogTable) -> &Log {
        &self.logs[table as usize]
    }
}

/// A window as it is written: links follow from entries.
#[derive(Deserialize)]
struct WrittenLog {
    entries: Arc<VecDeque<Arc<LogEntry>>>,
    complete: bool,
}

impl From<WrittenLog> for Log {
    fn from(written: WrittenLog) -> Self {
        let links = written.entries.iter().map(|entry| Links::of(entry)).collect();
        Self { entries: written.entries, links: Arc::new(links), complete: written.complete }
    }
}

impl Log {
    /// A log of these entries, oldest first.
    #[must_use]
    pub fn of(entries: Vec<LogEntry>, complete: bool) -> Self {
        let mut log = Self::default();
        log.take(entries, if complete { LogStart::Beginning } else { LogStart::Window }, usize::MAX);
        log
    }

    fn take(&mut self, rows: Vec<LogEntry>, start: LogStart, window: usize) {
        let (entries, links) = (Arc::make_mut(&mut self.entries), Arc::make_mut(&mut self.links));
        if start != LogStart::Continues {
            entries.clear();
            links.clear();
            self.complete = start == LogStart::Beginning;
        }
        links.extend(rows.iter().map(Links::of));
        entries.extend(rows.into_iter().map(Arc::new));
        self.complete &= entries.len() <= window;
        trim(entries, window);
        trim(links, window);
    }
}

/// Replaces a table; one that is the same stays shared. Answers how many tables changed.
fn replace<T: PartialEq>(slot: &mut Arc<[T]>, rows: Vec<T>) -> u64 {
    if **slot == *rows {
        return 0;
    }
    *slot = rows.into();
    1
}

fn trim<T>(rows: &mut VecDeque<T>, window: usize) {
    let beyond = rows.len().saturating_sub(window);
    rows.drain(..beyond);
}
