//! The work items of a realm, as a source: claims, blockers and events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use libsql::Connection;
use serde_json::Value;

use super::processes::read_first;
use super::realm::Realm;
use super::rows::{newest, number, rows, word};
use super::shared::{RealmFacts, Shared};
use super::work::Item;
use super::{instant, its_clock};
use crate::data::followed::{Followed, Reading};
use crate::data::source::{PollContext, Polling, Source};
use crate::model::observation::{Change, LogStart, Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::stated::{Problem, StatedTask};
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND};
use crate::model::{Lock, LockTable, LogEntry, LogTable};

/// Items that are read at most.
const MOST_ITEMS: usize = 10_000;
/// Edges that are read at most.
const MOST_EDGES: usize = 50_000;
/// Bytes of one item or event that are read at most.
const MOST_BYTES: usize = 64 << 10;
/// Events that one poll reads at most.
const MOST_AT_ONCE: usize = 5_000;

/// What time alone changes is looked at this often.
const PACE: Millis = 2 * SECOND;

/// What was told last: claims, tasks, problems, and what is not seen.
type Published = (Vec<Lock>, Vec<StatedTask>, Vec<Problem>, Vec<Text>);

/// An item: its realm, namespace and id.
type Key = (String, String, String);

/// The file of work items. It may be made long after the console started.
pub struct WorkGraph {
    realm: Text,
    leases: PathBuf,
    window: i64,
    shared: Shared,
    followed: Followed,
    items: BTreeMap<Key, Item>,
    /// Who waits, and for whom.
    blocks: HashMap<Key, Vec<Key>>,
    /// The last event read; nothing before the first poll.
    last: Option<i64>,
    cut: bool,
    /// Items that are too large, or are none.
    unread: BTreeSet<Key>,
    /// What was told before is void, and that is to be told.
    is_void: bool,
    published: Option<Published>,
    /// What the last result rests on beside the file, and when it was made.
    based_on: (RealmFacts, Millis),
    clock: fn() -> Millis,
}

impl WorkGraph {
    /// Follows the work items of a realm. `window` is how many events are read at first.
    #[must_use]
    pub fn new(realm: &Realm, window: usize, shared: Shared, clock: fn() -> Millis) -> Self {
        Self {
            realm: Text::new(&realm.name),
            followed: Followed::new(realm.workgraph()),
            leases: realm.leases(),
            window: i64::try_from(window).unwrap_or(i64::MAX),
            shared,
            items: BTreeMap::new(),
            blocks: HashMap::new(),
            last: None,
            cut: false,
            unread: BTreeSet::new(),
            is_void: false,
            published: None,
            based_on: (RealmFacts::default(), 0),
            clock,
        }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        let moved = match self.followed.read().await? {
            // No agent has made an item yet, or the file was taken away with all that was in it.
            Reading::Missing => {
                self.forget();
                self.tell_reset(&mut seen);
                false
            }
            Reading::Unchanged => false,
            Reading::Changed { connection, replaced } => {
                self.read(&connection, replaced, &mut seen).await?;
                true
            }
        };
        if self.published.is_none() {
            seen.probe = Some(Probe { parts: vec![("work items", Presence::Present)] }.into());
        }
        let now_ms = (self.clock)();
        read_first(&self.leases, &self.shared, now_ms);
        let facts = self.shared.facts();
        let same = self.published.is_some() && facts == self.based_on.0;
        if moved || !same || now_ms.saturating_sub(self.based_on.1) >= PACE {
            self.publish(&mut seen, &facts, now_ms);
            self.based_on = (facts, now_ms);
        }
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    /// Reads what is new.
    async fn read(&mut self, connection: &Connection, replaced: bool, seen: &mut Observation) -> Result<(), Fault> {
        let cost = &mut seen.cost.rows;
        let newest = newest(connection, "workgraph_events", "seq", cost).await?;
        if replaced || self.last.is_some_and(|last| newest < last) {
            self.forget();
        }
        let begins = self.last.is_none();
        let from = self.last.unwrap_or_else(|| newest.saturating_sub(self.window).max(0));
        let (entries, touched, last, is_behind) = self.events(connection, from, cost).await?;
        if begins {
            (self.items, self.unread, self.cut) = all_items(connection, cost).await?;
        } else {
            for key in touched {
                self.unread.remove(&key);
                match item(connection, &key, cost).await? {
                    Found::Item(item) => _ = self.items.insert(key, *item),
                    Found::Unread => {
                        self.items.remove(&key);
                        self.unread.insert(key);
                    }
                    Found::Nothing => _ = self.items.remove(&key),
                }
            }
        }
        self.blocks = blocks(connection, cost).await?;
        self.followed.seen(is_behind)?;
        self.last = Some(last);
        if begins {
            self.tell_reset(seen);
            let start = if from == 0 { LogStart::Beginning } else { LogStart::Window };
            seen.changes.push(Change::Log(LogTable::Events, entries, start));
        } else if !entries.is_empty() {
            seen.changes.push(Change::Log(LogTable::Events, entries, LogStart::Continues));
        }
        Ok(())
    }

    /// What was read is of a file that is gone.
    fn forget(&mut self) {
        self.is_void |= self.last.is_some();
        self.items.clear();
        self.blocks.clear();
        self.unread.clear();
        (self.last, self.cut) = (None, false);
    }

    /// What was told before is void: everything is told anew.
    fn tell_reset(&mut self, seen: &mut Observation) {
        if std::mem::take(&mut self.is_void) {
            seen.changes.push(Change::Reset);
            self.published = None;
        }
    }

    fn unseen(&self) -> Vec<Text> {
        let cut = self.cut.then(|| format!("work items beyond the first {MOST_ITEMS}"));
        let unread = self.unread.iter().map(|(.., id)| format!("work item {id}, of which nothing can be read"));
        cut.into_iter().chain(unread.take(10)).map(Text::from).collect()
    }

    /// Events after one, the items that they are about, the last of them, and whether more stand after it.
    async fn events(
        &self,
        connection: &Connection,
        from: i64,
        cost: &mut u64,
    ) -> Result<(Vec<LogEntry>, BTreeSet<Key>, i64, bool), Fault> {
        let sql = format!(
            "SELECT seq, realm_id, namespace, item_id, at_utc, CASE WHEN length(event_json) <= {MOST_BYTES} \
             THEN event_json END FROM workgraph_events WHERE seq > {from} ORDER BY seq LIMIT {MOST_AT_ONCE}"
        );
        let found = rows(connection, "workgraph_events", &sql, cost).await?.unwrap_or_default();
        let (mut entries, mut touched, mut last) = (Vec::new(), BTreeSet::new(), from);
        for row in &found {
            let Some(seq) = number(row, 0) else { continue };
            last = last.max(seq);
            let key = [1, 2, 3].map(|at| word(row, at).unwrap_or_default().to_owned());
            entries.push(entry(seq, &key, word(row, 4), word(row, 5), &self.realm));
            touched.insert(key.into());
        }
        Ok((entries, touched, last, found.len() >= MOST_AT_ONCE))
    }

    fn publish(&mut self, seen: &mut Observation, facts: &RealmFacts, now_ms: Millis) {
        let mut problems = Vec::new();
        let locks: Vec<Lock> = self.items.values().filter_map(|item| item.lock(&self.realm, facts)).collect();
        let waits_for = |key: &Key| -> Vec<Text> {
            let blockers = self.blocks.get(key).into_iter().flatten();
            let open = blockers.filter_map(|blocker| self.items.get(blocker)).filter(|item| !item.is_over());
            open.map(Item::name).collect()
        };
        let tasks: Vec<StatedTask> =
            self.items.iter().map(|(key, item)| item.stated(&self.realm, &waits_for(key))).collect();
        for item in self.items.values() {
            item.problems(&self.realm, facts, now_ms, &mut problems);
        }
        let now = (locks, tasks, problems, self.unseen());
        if self.published.as_ref() != Some(&now) {
            seen.changes.push(Change::Locks(LockTable::Claim, now.0.clone()));
            seen.changes.push(Change::Tasks(now.1.clone()));
            seen.changes.push(Change::Problems(now.2.clone()));
            seen.unseen = Some(now.3.clone());
            self.published = Some(now);
        }
    }
}

const COLUMNS: &str = "realm_id, namespace, item_id, revision, CASE WHEN length(item_json) <= 65536 THEN item_json END";

/// What is there of one item.
enum Found {
    Item(Box<Item>),
    /// A row that is no item, or too large.
    Unread,
    Nothing,
}

type Items = (BTreeMap<Key, Item>, BTreeSet<Key>, bool);

/// All items, those that cannot be read, and whether there are more.
async fn all_items(connection: &Connection, cost: &mut u64) -> Result<Items, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM workgraph_items ORDER BY updated_at_utc DESC LIMIT {}", MOST_ITEMS + 1);
    let found = rows(connection, "workgraph_items", &sql, cost).await?.unwrap_or_default();
    let (mut items, mut unread) = (BTreeMap::new(), BTreeSet::new());
    for row in found.iter().take(MOST_ITEMS) {
        let Some(key) = key(row) else { continue };
        match read(row, &key) {
            Some(item) => _ = items.insert(key, item),
            None => _ = unread.insert(key),
        }
    }
    Ok((items, unread, found.len() > MOST_ITEMS))
}

async fn item(connection: &Connection, key: &Key, cost: &mut u64) -> Result<Found, Fault> {
    let quoted = [&key.0, &key.1, &key.2].map(|text| format!("'{}'", text.replace('\'', "''")));
    let [realm, namespace, id] = quoted;
    let sql = format!(
        "SELECT {COLUMNS} FROM workgraph_items WHERE realm_id = {realm} AND namespace = {namespace} AND item_id = {id}"
    );
    let found = rows(connection, "workgraph_items", &sql, cost).await?.unwrap_or_default();
    let Some(row) = found.first() else { return Ok(Found::Nothing) };
    Ok(read(row, key).map_or(Found::Unread, |item| Found::Item(Box::new(item))))
}

fn key(row: &[libsql::Value]) -> Option<Key> {
    Some((word(row, 0)?.to_owned(), word(row, 1)?.to_owned(), word(row, 2)?.to_owned()))
}

fn read(row: &[libsql::Value], key: &Key) -> Option<Item> {
    Item::read(&key.0, &key.2, number(row, 3)?, word(row, 4)?)
}

/// Who blocks whom. The kind is written in several spellings.
async fn blocks(connection: &Connection, cost: &mut u64) -> Result<HashMap<Key, Vec<Key>>, Fault> {
    let sql = format!(
        "SELECT realm_id, namespace, from_id, to_id FROM workgraph_edges WHERE lower(edge_kind) = 'blocks' \
         ORDER BY from_id LIMIT {MOST_EDGES}"
    );
    let found = rows(connection, "workgraph_edges", &sql, cost).await?.unwrap_or_default();
    let mut blocks: HashMap<Key, Vec<Key>> = HashMap::new();
    for row in &found {
        let [realm, namespace, from, to] = [0, 1, 2, 3].map(|at| word(row, at).unwrap_or_default().to_owned());
        blocks.entry((realm.clone(), namespace.clone(), to)).or_default().push((realm, namespace, from));
    }
    Ok(blocks)
}

fn entry(seq: i64, key: &[String; 3], at: Option<&str>, json: Option<&str>, realm: &Text) -> LogEntry {
    let event: Value = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    // The column and the JSON spell the kind differently; the JSON counts.
    let kind = Text::bounded(event["kind"].as_str().unwrap_or("(unreadable)"), 80);
    let owner = &event["payload"]["item"]["claim"]["owner"]["key"]["id"];
    let title = event["payload"]["item"]["title"].as_str().map(|title| Text::bounded(title, 120));
    let mob = key[0].strip_prefix("mob.").unwrap_or(&key[0]);
    let agent = owner.as_str().map_or_else(|| Text::new(mob), |owner| super::shared::member(mob, owner));
    let fields = serde_json::json!({ kind.as_str(): { "path": title.as_ref().map(Text::as_str), "item_id": key[2] } });
    LogEntry {
        table: LogTable::Events,
        id: seq,
        agent_id: agent,
        operation_id: format!("work#{seq}").into(),
        kind,
        kind_json: fields.to_string().into(),
        description: title.unwrap_or_default(),
        timestamp_ms: at.and_then(instant),
        repository_id: realm.clone(),
        ..LogEntry::default()
    }
}

impl Source for WorkGraph {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}
