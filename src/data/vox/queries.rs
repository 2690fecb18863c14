//! The statements of one poll. Pure: what was found by the probe and what was read before go in, SQL comes out.
//!
//! Live tables are read whole; messages are read while they wait, and once more when they are acknowledged;
//! logs are followed by id. Nothing here scans a history table.

use strum::IntoEnumIterator;

use super::schema::Schema;
use super::tables::Reading;
use crate::data::vox::trackers::Ask;
use crate::model::MessageTable;

/// Bounds of a poll, in rows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of each live table.
    pub live_rows: usize,
    /// Of history at the first look, and of what is kept.
    pub window: usize,
    /// Of history in one later poll.
    pub page: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { live_rows: 200_000, window: 2_000, page: 5_000 }
    }
}

/// A table that only grows, and is followed by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter)]
pub enum History {
    A2a,
    Mesh,
    Oplog,
    Convergence,
    Lineage,
}

impl History {
    /// Its table, and its id column.
    #[must_use]
    pub fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::A2a => ("a2a_messages", "id"),
            Self::Mesh => ("mesh_a2a_messages", "id"),
            Self::Oplog => ("agent_oplog", "id"),
            Self::Convergence => ("convergence_op_log", "op_id"),
            Self::Lineage => ("orchestration_lineage_events", "id"),
        }
    }
}

/// How far each history was read: the highest id seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor([Option<i64>; 5]);

impl Cursor {
    /// The highest id seen, if the table was read at all.
    #[must_use]
    pub fn get(&self, history: History) -> Option<i64> {
        self.0[history as usize]
    }

    /// Remembers the highest id seen; `None` reads the window again.
    pub fn set(&mut self, history: History, id: Option<i64>) {
        self.0[history as usize] = id;
    }
}

/// What a statement's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Clock,
    Heartbeats,
    Distributed,
    Vcs,
    Leaders,
    Leases,
    /// The highest id of a history.
    Head(History),
    /// The row that a log was read up to: in another database another one stands there.
    Witness(History),
    /// Messages that wait, and messages first seen already acknowledged.
    Live(MessageTable),
    /// Some messages that waited, whatever became of them, and new ones that wait.
    SomeLive(MessageTable),
    Acknowledged(MessageTable),
    /// What is new in a log.
    New(History),
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub part: Part,
    pub sql: String,
}

/// The database's clock in whole milliseconds. (`unixepoch('subsec')` is missing before SQLite 3.42.)
pub const CLOCK_SQL: &str = "SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)";

/// What to read of the tables that may be large.
#[derive(Debug, Clone)]
pub struct Asks {
    pub heartbeats: Ask,
    pub distributed: Ask,
    pub vcs: Ask,
    /// By table.
    pub inboxes: [Ask; 2],
}

impl Asks {
    /// Everything.
    #[must_use]
    pub fn whole() -> Self {
        let whole = || Ask::Whole { named: false };
        Self { heartbeats: whole(), distributed: whole(), vcs: whole(), inboxes: [whole(), whole()] }
    }

    /// Whether only some rows of a table are asked for.
    #[must_use]
    pub fn is_partial(&self, table: &str) -> bool {
        let ask = match table {
            "mesh_heartbeats" => &self.heartbeats,
            "distributed_locks" => &self.distributed,
            "vcs_lock" => &self.vcs,
            "a2a_messages" => &self.inboxes[0],
            "mesh_a2a_messages" => &self.inboxes[1],
            _ => return false,
        };
        matches!(ask, Ask::Rows(_))
    }
}

/// A table, or the rows of it that are asked for. Nothing where none is.
fn asked<T>(reading: &Reading<T>, schema: &Schema, ask: &Ask, all: usize) -> Option<String> {
    match ask {
        Ask::Whole { named: false } => Some(format!("{} LIMIT {all}", reading.select(schema))),
        Ask::Whole { named: true } => Some(format!("{} LIMIT {all}", reading.select_named(schema))),
        Ask::Rows(rows) if rows.is_empty() => None,
        Ask::Rows(rows) => Some(format!("{} WHERE rowid IN ({})", reading.select_named(schema), list(rows))),
    }
}

fn list(ids: &[i64]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    ids.join(", ")
}

/// All statements of one poll, in the order in which they must run.
#[must_use]
pub fn poll(schema: &Schema, cursor: &Cursor, limits: Limits, asks: &Asks) -> Vec<Query> {
    use super::tables::{locks, log, messages, nodes};
    let mut queries = vec![Query { part: Part::Clock, sql: CLOCK_SQL.into() }];
    let all = limits.live_rows;
    let large = [
        ("mesh_heartbeats", Part::Heartbeats, asked(&nodes::HEARTBEATS, schema, &asks.heartbeats, all)),
        ("distributed_locks", Part::Distributed, asked(&locks::DISTRIBUTED, schema, &asks.distributed, all)),
        ("vcs_lock", Part::Vcs, asked(&locks::VCS, schema, &asks.vcs, all)),
    ];
    let large = large.into_iter().filter(|(table, ..)| schema.readable(table));
    queries.extend(large.filter_map(|(_, part, sql)| Some(Query { part, sql: sql? })));
    let mut add = |table: &str, part: Part, sql: String| {
        if schema.readable(table) {
            queries.push(Query { part, sql });
        }
    };
    add("lock_leader", Part::Leaders, format!("{} LIMIT {all}", nodes::LEADERS.select(schema)));
    add("mesh_exec_leases", Part::Leases, leases(&locks::LEASES.select(schema), schema, all));
    // Heads come first: what arrives between two statements is then read again, not missed.
    for history in History::iter() {
        let (table, id) = history.table();
        add(table, Part::Head(history), format!("SELECT max({id}) FROM {table}"));
    }
    for (reading, table, history) in
        [(&messages::A2A, MessageTable::A2a, History::A2a), (&messages::MESH, MessageTable::Mesh, History::Mesh)]
    {
        let (name, select) = (reading.table, reading.select(schema));
        match (&asks.inboxes[table as usize], cursor.get(history)) {
            (Ask::Rows(rows), Some(after)) => {
                let new = format!("SELECT * FROM ({select} WHERE id > {after} AND acknowledged = 0 LIMIT {all})");
                let known = format!("{select} WHERE id IN ({})", list(rows));
                add(name, Part::SomeLive(table), format!("{new} UNION ALL {known}"));
            }
            _ => add(name, Part::Live(table), live(&select, table, all)),
        }
        let from = match cursor.get(history) {
            Some(id) => id.to_string(),
            None => format!("coalesce((SELECT max(id) FROM {name}), 0) - {}", limits.window),
        };
        add(
            name,
            Part::Acknowledged(table),
            format!("{select} WHERE id > {from} AND acknowledged IS NOT 0 ORDER BY id DESC LIMIT {}", limits.window),
        );
    }
    let mut follow = |select: String, history: History| {
        let (table, id) = history.table();
        let tail = match cursor.get(history) {
            Some(after) => {
                add(table, Part::Witness(history), format!("{select} WHERE {id} = {after}"));
                format!("WHERE {id} > {after} ORDER BY {id} LIMIT {}", limits.page)
            }
            None => format!("ORDER BY {id} DESC LIMIT {}", limits.window),
        };
        add(table, Part::New(history), format!("{select} {tail}"));
    };
    follow(log::OPLOG.select(schema), History::Oplog);
    follow(log::CONVERGENCE.select(schema), History::Convergence);
    follow(log::LINEAGE.select(schema), History::Lineage);
    queries
}

/// Rows in force by the index on (state, expires_at). Expiry never updates a row, so those that ran out
/// pile up: only the last ones of each state are read.
fn leases(select: &str, schema: &Schema, all: usize) -> String {
    if !schema.has("mesh_exec_leases", "state") || !schema.has("mesh_exec_leases", "expires_at") {
        return format!("{select} LIMIT {all}");
    }
    let newest = |state: &str| {
        format!(
            "SELECT * FROM ({select} WHERE state = '{state}' ORDER BY expires_at DESC LIMIT {})",
            all.min(NEWEST_LEASES)
        )
    };
    format!("{} UNION ALL {}", newest("granted"), newest("renewed"))
}

/// How many leases of each state are read at most.
const NEWEST_LEASES: usize = 10_000;

/// Messages that wait. `a2a_messages` has an index on `acknowledged`; `mesh_a2a_messages` has one on
/// (receiver, acknowledged), so its receivers are gone through one by one, which skips all that is settled.
fn live(select: &str, table: MessageTable, all: usize) -> String {
    if table == MessageTable::A2a {
        return format!("{select} WHERE acknowledged = 0 LIMIT {all}");
    }
    format!(
        "WITH RECURSIVE receivers(name) AS (SELECT min(receiver_agent_id) FROM mesh_a2a_messages UNION ALL \
         SELECT (SELECT min(receiver_agent_id) FROM mesh_a2a_messages WHERE receiver_agent_id > name) FROM receivers \
         WHERE name IS NOT NULL) \
         {select} WHERE receiver_agent_id IN (SELECT name FROM receivers) AND acknowledged = 0 LIMIT {all}"
    )
}

/// Looks up messages that are no longer waiting: acknowledged, or deleted.
#[must_use]
pub fn lookup(reading: &Reading<crate::model::Message>, schema: &Schema, ids: &[i64]) -> String {
    format!("{} WHERE id IN ({})", reading.select(schema), list(ids))
}
