//! What one source is known to hold. Tables are shared between pictures; a change replaces one table.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::fences::FenceBook;
use super::rates::Tally;
use crate::data::model::{
    Heartbeat, Leader, Lease, LineageEvent, Lock, LogEntry, LogTable, Message, QueueStats, RegistryNode,
};
use crate::data::observation::{Change, LogStart};
use crate::time::Millis;

/// How much history is kept of one source, in rows of each kind.
pub const WINDOW: usize = 5_000;

/// One source's tables.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub heartbeats: Arc<[Heartbeat]>,
    pub registry: Arc<[RegistryNode]>,
    /// By [`crate::data::model::LockTable`].
    pub locks: [Arc<[Lock]>; 2],
    pub fences: FenceBook,
    /// Messages that wait, by [`crate::data::model::MessageTable`].
    pub live: [Arc<[Message]>; 3],
    /// Messages seen settled, oldest first.
    pub settled: Arc<VecDeque<Message>>,
    pub leases: Arc<[Lease]>,
    pub leaders: Arc<[Leader]>,
    /// By [`LogTable`], oldest first.
    pub logs: [Log; 2],
    pub lineage: Arc<VecDeque<LineageEvent>>,
    pub queue: Option<Arc<QueueStats>>,
    /// Highest message id seen, by table.
    highest: [i64; 3],
    /// Counts the changes: two equal numbers of one source are the same facts.
    pub revision: u64,
    /// Whether a first picture was complete: only changes after it are events.
    begun: bool,
}

/// A window on an op-log.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub entries: Arc<VecDeque<LogEntry>>,
    /// Whether the window begins where the log does.
    pub complete: bool,
}

impl Facts {
    /// Takes one poll's changes, and counts what happened.
    pub fn apply(&mut self, changes: Vec<Change>, tally: &mut Tally, at_ms: Millis) {
        let counting = self.begun;
        self.begun |= !changes.is_empty();
        let mut counted = Tally::default();
        for change in changes {
            self.take(change, &mut counted, at_ms);
        }
        if counting {
            tally.add(&counted);
        }
    }

    fn take(&mut self, change: Change, tally: &mut Tally, at_ms: Millis) {
        match change {
            Change::Reset => *self = Self { revision: self.revision + 1, ..Self::default() },
            Change::Heartbeats(rows) => self.revision += replace(&mut self.heartbeats, rows),
            Change::Registry(rows) => self.revision += replace(&mut self.registry, rows),
            Change::Leaders(rows) => self.revision += replace(&mut self.leaders, rows),
            Change::Leases(rows) => self.revision += replace(&mut self.leases, rows),
            Change::Queue(stats) => {
                if self.queue.as_deref() != stats.as_ref() {
                    self.queue = stats.map(Arc::new);
                    self.revision += 1;
                }
            }
            Change::Locks(table, rows) => {
                let slot = &mut self.locks[table as usize];
                if **slot != *rows {
                    count_locks(slot, &rows, tally);
                    self.fences.note(slot, &rows, at_ms);
                }
                self.revision += replace(slot, rows);
            }
            Change::LiveMessages(table, rows) => {
                let highest = &mut self.highest[table as usize];
                tally.delivered += rows.iter().filter(|m| m.id > *highest).count() as u64;
                *highest = rows.iter().map(|m| m.id).fold(*highest, i64::max);
                self.revision += replace(&mut self.live[table as usize], rows);
            }
            Change::SettledMessages(rows) => self.settle(rows, tally),
            Change::Log(table, entries, start) => {
                self.revision += 1;
                self.logs[table as usize].take(entries, start);
            }
            Change::Lineage(rows) => {
                self.revision += u64::from(!rows.is_empty());
                let events = Arc::make_mut(&mut self.lineage);
                events.extend(rows);
                trim(events);
            }
        }
    }

    fn settle(&mut self, mut rows: Vec<Message>, tally: &mut Tally) {
        if rows.is_empty() {
            return;
        }
        rows.sort_by_key(|m| m.id);
        let seen: HashSet<_> = self.settled.iter().map(|m| (m.table, m.id)).collect();
        self.revision += 1;
        let settled = Arc::make_mut(&mut self.settled);
        for message in rows {
            if seen.contains(&(message.table, message.id)) {
                continue;
            }
            let highest = &mut self.highest[message.table as usize];
            tally.delivered += u64::from(message.id > *highest);
            *highest = (*highest).max(message.id);
            tally.acknowledged += u64::from(message.acknowledged);
            settled.push_back(message);
        }
        trim(settled);
    }

    /// Entries of one op-log, oldest first.
    #[must_use]
    pub fn log(&self, table: LogTable) -> &Log {
        &self.logs[table as usize]
    }
}

impl Log {
    fn take(&mut self, rows: Vec<LogEntry>, start: LogStart) {
        let entries = Arc::make_mut(&mut self.entries);
        if start != LogStart::Continues {
            entries.clear();
            self.complete = start == LogStart::Beginning;
        }
        entries.extend(rows);
        self.complete &= entries.len() <= WINDOW;
        trim(entries);
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

fn trim<T>(rows: &mut VecDeque<T>) {
    let beyond = rows.len().saturating_sub(WINDOW);
    rows.drain(..beyond);
}

fn count_locks(old: &[Lock], new: &[Lock], tally: &mut Tally) {
    fn taken(l: &Lock) -> (&str, &str, &str, &str, Option<i64>) {
        (l.lock_key.raw(), l.repository_id.raw(), l.holder_node.raw(), l.holder_agent.raw(), l.acquired_at_ms)
    }
    let before: HashSet<_> = old.iter().map(taken).collect();
    let after: HashSet<_> = new.iter().map(taken).collect();
    tally.acquired += after.difference(&before).count() as u64;
    tally.released += before.difference(&after).count() as u64;
}
