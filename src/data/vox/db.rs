//! A Vox database as a source: probe, poll, follow.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::backend::{Backend, News, ReadError, Rows, Spent};
use super::queries::{self, Asks, Cursor, History, Limits, Part, Query};
use super::reader::Reader;
use super::row::MAX_ODDITIES;
use super::schema::Schema;
use super::tables::{Reading, locks, log, messages, nodes};
use super::witness::Witnesses;
use crate::data::source::{PollContext, Polling, Source};
use crate::data::sqlite::int;
use crate::data::vox::trackers;
use crate::data::vox::trackers::{Ask, InboxTracker, TableTracker};
use crate::model::observation::{Change, Cost, Delta, LogStart, Observation};
use crate::model::source::Fault;
use crate::model::text::{Interner, Text};
use crate::model::time::Millis;
use crate::model::{Heartbeat, Lock, LockTable, LogTable, Message, MessageTable, Oddity};

/// A remote database's schema is looked at again after this many polls.
const REPROBE_EVERY: u32 = 300;
/// So many rows at each poll are worth a word.
const MANY_ROWS: u64 = 5_000;
/// How many vanished messages are looked up in one poll.
const LOOKUPS: usize = 200;

/// One Vox database.
pub struct VoxDb {
    backend: Backend,
    limits: Limits,
    clock: fn() -> Millis,
    schema: Option<Schema>,
    polls_since_probe: u32,
    cursor: Cursor,
    witnesses: Witnesses,
    /// Ids that waited at the last read, by table.
    waiting: [HashSet<i64>; 2],
    /// Ids that no longer wait and whose end is not known yet, by table.
    vanished: [Vec<i64>; 2],
    trackers: Tracks,
    oddities: Vec<Oddity>,
    names: Interner,
    /// What was brought is of another database, and nobody was told so yet.
    void: bool,
    /// A log has more entries than one poll reads.
    is_behind: bool,
}

/// Tables that may be large.
#[derive(Default)]
struct Tracks {
    heartbeats: TableTracker,
    distributed: TableTracker,
    vcs: TableTracker,
    inboxes: [InboxTracker; 2],
}

impl VoxDb {
    /// Reads through `backend`. `clock` is the console's wall clock.
    #[must_use]
    pub fn new(backend: Backend, limits: Limits, clock: fn() -> Millis) -> Self {
        Self {
            backend,
            limits,
            clock,
            schema: None,
            polls_since_probe: 0,
            cursor: Cursor::default(),
            witnesses: Witnesses::default(),
            waiting: Default::default(),
            vanished: Default::default(),
            trackers: Tracks::default(),
            oddities: Vec::new(),
            names: Interner::default(),
            void: false,
            is_behind: false,
        }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation::default();
        let mut spent = Spent::default();
        let (news, clock) = self.backend.news(&mut spent, self.clock).await?;
        seen.old = self.backend.old();
        seen.clock = clock;
        let unsettled = self.is_behind || self.vanished.iter().any(|ids| !ids.is_empty());
        if news == News::None && self.schema.is_some() && !unsettled {
            seen.cost = cost(spent, 0, started);
            return Ok(seen);
        }
        if news == News::AnotherDatabase {
            self.forget();
            self.void = true;
        }
        if self.void {
            seen.changes.push(Change::Reset);
        }
        let mut rows_read = 0;
        for last_attempt in [false, true] {
            match self.read(&mut seen, &mut spent, &mut rows_read).await {
                Ok(()) => break,
                Err(error) if last_attempt => return Err(self.give_up(error)),
                Err(ReadError::SchemaChanged(_)) => self.schema = None,
                Err(ReadError::Malformed(_)) if self.backend.is_local() => {
                    self.backend.distrust();
                    self.backend.news(&mut spent, self.clock).await?;
                }
                Err(error) => return Err(self.give_up(error)),
            }
            seen.changes.retain(|change| matches!(change, Change::Reset));
            // What was found to have changed was not read.
            self.trackers = Tracks::default();
        }
        seen.cost = cost(spent, rows_read, started);
        self.backend.settle(!self.is_behind);
        seen.old = self.backend.old();
        self.void = false;
        Ok(seen)
    }

    /// After a failed read nothing is known to be current: the next poll reads, whatever the file says.
    fn give_up(&mut self, error: ReadError) -> Fault {
        self.schema = None;
        self.trackers = Tracks::default();
        self.backend.settle(false);
        error.into_fault()
    }

    fn forget(&mut self) {
        self.schema = None;
        self.cursor = Cursor::default();
        self.witnesses = Witnesses::default();
        self.waiting = Default::default();
        self.vanished = Default::default();
        self.trackers = Tracks::default();
        self.oddities.clear();
    }

    /// Decides what to read of the tables that may be large, by their pages where they can be seen.
    fn plan_reads(&mut self, schema: &Schema) -> Asks {
        let page_view = self.backend.page_view();
        let (page_view, trackers) = (page_view.as_ref(), &mut self.trackers);
        Asks {
            heartbeats: trackers.heartbeats.ask(page_view, schema.root("mesh_heartbeats")),
            distributed: trackers.distributed.ask(page_view, schema.root("distributed_locks")),
            vcs: trackers.vcs.ask(page_view, schema.root("vcs_lock")),
            inboxes: [MessageTable::A2a, MessageTable::Mesh].map(|table| {
                let (slot, root) = (table as usize, schema.root(reading_of(table).table));
                trackers.inboxes[slot].ask(page_view, root, &self.waiting[slot])
            }),
        }
    }

    async fn read(&mut self, seen: &mut Observation, spent: &mut Spent, rows_read: &mut u64) -> Result<(), ReadError> {
        self.polls_since_probe += 1;
        if self.schema.is_none() || self.backend.is_local() || self.polls_since_probe >= REPROBE_EVERY {
            self.probe(seen, spent, rows_read).await?;
        }
        let schema = self.schema.clone().unwrap_or_default();
        // Before anything is read: what changes after this poll is found by the next one.
        let asks = self.plan_reads(&schema);
        let mut plan = queries::poll(&schema, &self.cursor, self.limits, &asks);
        let lookups = self.plan_lookups(&schema);
        plan.extend(lookups);

        let sent_ms = (self.clock)();
        let sql: Vec<&str> = plan.iter().map(|query| query.sql.as_str()).collect();
        let answers = self.backend.run(&sql, spent, self.clock).await?;
        let received_ms = (self.clock)();
        *rows_read += answers.iter().map(|rows| rows.len() as u64).sum::<u64>();

        if self.witnesses.contradict(&plan, &answers) {
            self.forget();
            self.void = true;
            seen.changes.push(Change::Reset);
            return Err(ReadError::SchemaChanged(Fault::transient("another database answers at the same address")));
        }
        let heads = heads(&plan, &answers);
        let restarted = heads.iter().filter(|(history, head)| self.cursor.get(*history).is_some_and(|at| *head < at));
        let restarted: Vec<History> = restarted.map(|(history, _)| *history).collect();
        if !restarted.is_empty() {
            // A table whose highest id went back was written anew: its window is read again.
            for history in restarted {
                self.cursor.set(history, None);
            }
            return Err(ReadError::SchemaChanged(Fault::transient("a history was written anew while it was read")));
        }
        self.looked_up();
        let page = |(query, rows): (&Query, &Rows)| {
            matches!(query.part, Part::New(history) if self.cursor.get(history).is_some())
                && rows.len() >= self.limits.page
        };
        self.is_behind = plan.iter().zip(&answers).any(page);
        let mut reader =
            Reader { seen, oddities: Vec::new(), unseen: Vec::new(), limits: self.limits, read: Vec::new() };
        for (query, rows) in plan.iter().zip(&answers) {
            self.take(query.part, rows, &mut reader, (sent_ms, received_ms), &asks);
        }
        for (history, head) in heads {
            let at = match history {
                History::A2a | History::Mesh => head,
                // Logs are followed by the rows that were read: a page may end before the head.
                _ => self.cursor.get(history).unwrap_or(0),
            };
            self.cursor.set(history, Some(at));
        }
        let Reader { oddities, unseen, read, .. } = reader;
        let mut notes: Vec<Text> = self.backend.warning().into_iter().collect();
        if self.backend.is_read_blindly() && *rows_read >= MANY_ROWS {
            notes.push("its server sends no count of commits: all that is live is read at each poll".into());
        }
        // What was odd in rows that were not read again still is.
        let partly = |part: &&Oddity| asks.is_partial(part.table) && !read.contains(&(part.table, part.row.clone()));
        self.oddities = self.oddities.iter().filter(partly).cloned().chain(oddities).take(MAX_ODDITIES).collect();
        seen.oddities = Some(self.oddities.clone());
        seen.unseen = Some(unseen);
        seen.notes = Some(notes);
        if self.backend.is_local() && self.vanished.iter().any(|ids| !ids.is_empty()) {
            self.read_acknowledged(&schema, seen, spent, rows_read).await?;
        }
        Ok(())
    }

    async fn probe(&mut self, seen: &mut Observation, spent: &mut Spent, rows_read: &mut u64) -> Result<(), ReadError> {
        let answers = self.backend.run(&[&Schema::probe_sql()], spent, self.clock).await?;
        let rows = answers.into_iter().next().unwrap_or_default();
        *rows_read += rows.len() as u64;
        let schema = Schema::from_rows(&rows);
        if self.schema.as_ref().is_some_and(|before| *before != schema) {
            // Columns came or went: the same rows look different.
            self.witnesses = Witnesses::default();
        }
        if self.schema.as_ref() != Some(&schema) {
            seen.probe = Some(schema.report().into());
            seen.changes.extend(empty_what_is_gone(&schema));
        }
        self.schema = Some(schema);
        self.polls_since_probe = 0;
        Ok(())
    }

    fn plan_lookups(&self, schema: &Schema) -> Vec<Query> {
        let mut plan = Vec::new();
        for (slot, table) in [MessageTable::A2a, MessageTable::Mesh].into_iter().enumerate() {
            let ids = &self.vanished[slot];
            let reading = reading_of(table);
            if !ids.is_empty() && schema.readable(reading.table) {
                let sql = queries::lookup(reading, schema, &ids[..ids.len().min(LOOKUPS)]);
                plan.push(Query { part: Part::Acknowledged(table), sql });
            }
        }
        plan
    }

    /// What [`Self::plan_lookups`] asked for was answered.
    fn looked_up(&mut self) {
        for ids in &mut self.vanished {
            ids.drain(..ids.len().min(LOOKUPS));
        }
    }

    /// Looks up the ends of vanished messages at once, where that costs no round trip.
    async fn read_acknowledged(
        &mut self,
        schema: &Schema,
        seen: &mut Observation,
        spent: &mut Spent,
        rows_read: &mut u64,
    ) -> Result<(), ReadError> {
        let plan = self.plan_lookups(schema);
        let sql: Vec<&str> = plan.iter().map(|query| query.sql.as_str()).collect();
        let answers = self.backend.run(&sql, spent, self.clock).await?;
        self.looked_up();
        for (query, rows) in plan.iter().zip(&answers) {
            *rows_read += rows.len() as u64;
            if let Part::Acknowledged(table) = query.part {
                let acknowledged = reading_of(table).read(rows, &mut Vec::new());
                seen.changes.push(Change::AcknowledgedMessages(acknowledged));
            }
        }
        Ok(())
    }

    fn take(&mut self, part: Part, rows: &Rows, reader: &mut Reader<'_>, clock: (Millis, Millis), asks: &Asks) {
        let (trackers, names) = (&mut self.trackers, &mut self.names);
        match part {
            Part::Clock if self.backend.tells_time() => reader.clock(rows, clock),
            Part::Clock => {}
            Part::Head(_) | Part::Witness(_) => {}
            Part::Heartbeats => {
                let name = |beat: &mut Heartbeat| {
                    for text in [&mut beat.node_id, &mut beat.agent_id, &mut beat.activity, &mut beat.repository_id] {
                        names.share(text);
                    }
                    (beat.node_id.clone(), beat.repository_id.clone())
                };
                match reader.rows(&nodes::HEARTBEATS, &mut trackers.heartbeats, &asks.heartbeats, rows, name) {
                    Ok(delta) => reader.seen.changes.push(Change::SomeHeartbeats(delta)),
                    Err(facts) => reader.push("mesh_heartbeats", rows, Change::Heartbeats(facts)),
                }
            }
            Part::Distributed => {
                let table = LockTable::Distributed;
                match reader.rows(&locks::DISTRIBUTED, &mut trackers.distributed, &asks.distributed, rows, |lock| {
                    lock_name(lock, names)
                }) {
                    Ok(delta) => reader.seen.changes.push(Change::SomeLocks(table, delta)),
                    Err(facts) => reader.push("distributed_locks", rows, Change::Locks(table, facts)),
                }
            }
            Part::Vcs => {
                match reader.rows(&locks::VCS, &mut trackers.vcs, &asks.vcs, rows, |lock| lock_name(lock, names)) {
                    Ok(delta) => reader.seen.changes.push(Change::SomeLocks(LockTable::Vcs, delta)),
                    Err(facts) => reader.push("vcs_lock", rows, Change::Locks(LockTable::Vcs, facts)),
                }
            }
            Part::Leaders => {
                let facts = nodes::LEADERS.read(rows, &mut reader.oddities);
                reader.push("lock_leader", rows, Change::Leaders(facts));
            }
            Part::Leases => {
                let facts = locks::LEASES.read(rows, &mut reader.oddities);
                reader.push("mesh_exec_leases", rows, Change::Leases(facts));
            }
            Part::Live(table) => {
                let facts = reading_of(table).read(rows, &mut reader.oddities);
                self.note_vanished(table, &facts);
                reader.push("messages", rows, Change::LiveMessages(table, facts));
            }
            Part::SomeLive(table) => self.take_some_messages(table, rows, reader, asks),
            Part::Acknowledged(table) => {
                let facts = reading_of(table).read(rows, &mut reader.oddities);
                reader.seen.changes.push(Change::AcknowledgedMessages(facts));
            }
            Part::New(history) => self.take_log(history, rows, reader),
        }
    }

    fn take_some_messages(&mut self, table: MessageTable, rows: &Rows, reader: &mut Reader<'_>, asks: &Asks) {
        let Ask::Rows(asked) = &asks.inboxes[table as usize] else { return };
        let facts = reading_of(table).read(rows, &mut reader.oddities);
        reader.read.extend(facts.iter().map(|m| (reading_of(table).table, Text::from(m.id.to_string()))));
        let (acknowledged, changed): (Vec<Message>, Vec<Message>) = facts.into_iter().partition(|m| m.acknowledged);
        let waiting = &mut self.waiting[table as usize];
        waiting.extend(changed.iter().map(|m| m.id));
        let waits: HashSet<i64> = changed.iter().map(|m| m.id).collect();
        // What waited and was asked for is acknowledged or deleted where it does not wait any more.
        let gone: Vec<i64> = asked.iter().copied().filter(|id| !waits.contains(id) && waiting.remove(id)).collect();
        reader.seen.changes.push(Change::SomeMessages(table, Delta { changed, gone }));
        reader.seen.changes.push(Change::AcknowledgedMessages(acknowledged));
    }

    fn note_vanished(&mut self, table: MessageTable, live: &[Message]) {
        let slot = usize::from(table != MessageTable::A2a);
        let now: HashSet<i64> = live.iter().map(|m| m.id).collect();
        let gone = self.waiting[slot].difference(&now).copied();
        self.vanished[slot].extend(gone);
        self.waiting[slot] = now;
    }

    fn take_log(&mut self, history: History, rows: &Rows, reader: &mut Reader<'_>) {
        let start = match self.cursor.get(history) {
            Some(_) => LogStart::Continues,
            None if rows.len() < reader.limits.window => LogStart::Beginning,
            None => LogStart::Window,
        };
        if start == LogStart::Continues && rows.is_empty() {
            return;
        }
        let newest_first = start != LogStart::Continues;
        let newest = rows.iter().filter_map(|row| Some((int(row.first()?)?, row))).max_by_key(|(id, _)| *id);
        let change = match history {
            History::Lineage => {
                let mut facts = log::LINEAGE.read(rows, &mut reader.oddities);
                if newest_first {
                    facts.reverse();
                }
                Change::Lineage(facts)
            }
            _ => {
                let (reading, table) = match history {
                    History::Convergence => (&log::CONVERGENCE, LogTable::Convergence),
                    _ => (&log::OPLOG, LogTable::Agent),
                };
                let mut facts = reading.read(rows, &mut reader.oddities);
                if newest_first {
                    facts.reverse();
                }
                Change::Log(table, facts, start)
            }
        };
        reader.seen.changes.push(change);
        if let Some((id, row)) = newest.filter(|(id, _)| Some(*id) >= self.cursor.get(history)) {
            self.cursor.set(history, Some(id));
            self.witnesses.note(history, row);
        }
    }
}

impl Source for VoxDb {
    fn poll<'a>(&'a mut self, _known: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }

    fn progress(&self) -> Option<Arc<AtomicU64>> {
        self.backend.progress()
    }
}

fn lock_name(lock: &mut Lock, names: &mut Interner) -> trackers::Name {
    for text in [&mut lock.repository_id, &mut lock.holder_node, &mut lock.holder_agent] {
        names.share(text);
    }
    (lock.lock_key.clone(), lock.repository_id.clone())
}

/// What was known of tables that are not there (any more) is void.
fn empty_what_is_gone(schema: &Schema) -> Vec<Change> {
    let tables: [(&str, Change); 9] = [
        ("mesh_heartbeats", Change::Heartbeats(Vec::new())),
        ("distributed_locks", Change::Locks(LockTable::Distributed, Vec::new())),
        ("vcs_lock", Change::Locks(LockTable::Vcs, Vec::new())),
        ("lock_leader", Change::Leaders(Vec::new())),
        ("mesh_exec_leases", Change::Leases(Vec::new())),
        ("a2a_messages", Change::LiveMessages(MessageTable::A2a, Vec::new())),
        ("mesh_a2a_messages", Change::LiveMessages(MessageTable::Mesh, Vec::new())),
        ("agent_oplog", Change::Log(LogTable::Agent, Vec::new(), LogStart::Window)),
        ("convergence_op_log", Change::Log(LogTable::Convergence, Vec::new(), LogStart::Window)),
    ];
    tables.into_iter().filter(|(table, _)| !schema.readable(table)).map(|(_, change)| change).collect()
}

/// The highest id of each history; an empty one counts as zero.
fn heads(plan: &[Query], answers: &[Rows]) -> Vec<(History, i64)> {
    plan.iter()
        .zip(answers)
        .filter_map(|(query, rows)| match query.part {
            Part::Head(history) => Some((history, rows.first().and_then(|row| row.first()).and_then(int).unwrap_or(0))),
            _ => None,
        })
        .collect()
}

fn reading_of(table: MessageTable) -> &'static Reading<Message> {
    if table == MessageTable::A2a { &messages::A2A } else { &messages::MESH }
}

fn cost(spent: Spent, rows: u64, started: Instant) -> Cost {
    let ms = started.elapsed().as_secs_f64() * 1_000.0;
    Cost { round_trips: spent.round_trips, rows, read: spent.read, bytes: spent.bytes, ms }
}
