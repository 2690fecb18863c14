//! The mobs of a realm, as a source. Their files come and go while the console runs, so one source follows all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use libsql::Connection;

use super::event::{Event, Kind, Version};
use super::followed::{Followed, Open, about, number, rows, word};
use super::its_clock;
use super::mob::{Mob, State};
use super::processes::read_first;
use super::realm::{Realm, mob_of};
use super::run::{Run, task};
use super::shared::{RealmFacts, Shared, is_past, member};
use crate::data::source::{PollContext, Polling, Source};
use crate::model::observation::{Change, LogStart, Observation, Presence, Probe};
use crate::model::severity::Severity;
use crate::model::source::Fault;
use crate::model::stated::{About, Problem, StatedTask};
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND};
use crate::model::{Lock, LockTable, LogEntry};

/// Mobs of one realm that are followed at most.
const MOST_MOBS: usize = 1_000;
/// Bytes of one event that are read as they are. Of a larger one only what members follow from is read.
const MOST_BYTES: usize = 64 << 10;
/// Bytes of an event that is looked into at most.
const LARGEST: usize = 16 << 20;
/// Events of one mob that one poll reads at most.
const MOST_AT_ONCE: usize = 5_000;
/// Nobody looked for longer: how long a run stands still is counted anew.
const GAP: Millis = MINUTE;
/// Events of each mob that are read at first, however many mobs there are.
const LEAST: i64 = 50;
/// Bytes of a run whose steps are read.
const LEDGER: usize = 1 << 20;
/// Runs of one mob that are shown, the latest first, and of older ones that are open.
const MOST_RUNS: usize = 200;
/// Older events that one poll goes through, in search of members.
const STEP: i64 = 50_000;
/// Steps whose members are kept at most.
const MOST_STEPS: usize = 10_000;
/// A run that does not move for so long, as this console sees it, is worth mentioning.
const STILL: Millis = 5 * MINUTE;
/// What time alone changes is looked at this often.
const PACE: Millis = 2 * SECOND;
/// Numbers of events of one mob; the mob's own place stands above them.
const PLACES: u32 = 40;

/// The folder of mobs.
pub struct Mobs {
    realm: Text,
    folder: PathBuf,
    leases: PathBuf,
    window: i64,
    shared: Shared,
    files: BTreeMap<String, File>,
    next: i64,
    /// Events that were read and not told yet: a poll that is given up loses none.
    pending: Vec<(i64, Event)>,
    begun: bool,
    /// There are more mobs than are followed.
    is_cut: bool,
    /// When runs were looked at last.
    looked_ms: Millis,
    published: Published,
    /// What the last result rests on beside the files, and when it was made.
    based_on: (RealmFacts, Millis),
    clock: fn() -> Millis,
}

/// What was told last.
#[derive(Default, PartialEq, Clone)]
struct Published {
    locks: Vec<Lock>,
    tasks: Vec<StatedTask>,
    problems: Vec<Problem>,
    unseen: Vec<Text>,
}

/// One mob's file.
struct File {
    mob: String,
    /// Tells its events from those of other mobs.
    place: i64,
    followed: Followed,
    events: Mob,
    state: State,
    /// The last event read, and the first.
    last: i64,
    first: i64,
    /// Older events stand before the first one that the log was given.
    windowed: bool,
    runs: Vec<Run>,
    /// Since when a run stands as it does, on the clock of this machine.
    still: HashMap<Text, (usize, Text, Millis)>,
    at_work: BTreeMap<(Text, Text), BTreeSet<Text>>,
    trouble: Option<Text>,
}

impl File {
    fn new(mob: String, place: i64, path: PathBuf) -> Self {
        Self {
            mob,
            place,
            followed: Followed::new(path),
            events: Mob::default(),
            state: State::default(),
            last: 0,
            first: i64::MAX,
            windowed: false,
            runs: Vec::new(),
            still: HashMap::new(),
            at_work: BTreeMap::new(),
            trouble: None,
        }
    }

    /// Reads what is new into `log`, and some of what is older. Answers whether anything was.
    async fn read(
        &mut self,
        window: i64,
        next: &mut i64,
        log: &mut Vec<(i64, Event)>,
        cost: &mut u64,
    ) -> Result<bool, Fault> {
        let Open::Changed { connection, replaced } = self.followed.open().await? else { return Ok(false) };
        let newest = rows(&connection, "mob_events", "SELECT max(cursor) FROM mob_events", cost).await?;
        let newest = newest.as_deref().and_then(|rows| number(rows.first()?, 0)).unwrap_or(0);
        if replaced || newest < self.last {
            // Its numbers begin anew as well, in a place of its own.
            let (mob, place) = (std::mem::take(&mut self.mob), *next);
            *next += 1;
            let followed = std::mem::replace(&mut self.followed, Followed::new(PathBuf::new()));
            *self = Self { followed, ..Self::new(mob, place, PathBuf::new()) };
        }
        let begins = self.first == i64::MAX;
        let (last, first) = if begins {
            let last = newest.saturating_sub(window).max(0);
            (last, last.saturating_add(1))
        } else {
            (self.last, self.first)
        };
        let news = events(&connection, &format!("cursor > {last}"), "cursor", cost).await?;
        let (older, from) = older(&connection, first, cost).await?;
        let due = begins || news.iter().any(|event| is_of_run(&event.name)) || self.runs.iter().any(Run::is_open);
        let runs = if due {
            let open = self.runs.iter().filter(|run| run.is_open()).map(|run| run.run_id.raw()).collect();
            Some(runs(&connection, (!begins).then_some(&open), cost).await?)
        } else {
            None
        };
        // What was read counts only where nobody wrote over it meanwhile.
        let is_behind = news.len() >= MOST_AT_ONCE || from > 1;
        self.followed.seen(is_behind)?;
        self.windowed |= begins && last > 0;
        (self.first, self.last) = (from, last);
        for event in older {
            self.take(&event);
        }
        for event in news {
            self.last = self.last.max(event.cursor);
            self.take(&event);
            log.push((self.place, event));
        }
        self.runs = runs.unwrap_or_else(|| std::mem::take(&mut self.runs));
        self.state = self.events.state();
        Ok(true)
    }

    fn take(&mut self, event: &Event) {
        if let Kind::Dispatched { run, step, identity } = &event.kind {
            self.at_work.entry((run.clone(), step.clone())).or_default().insert(identity.clone());
            if self.at_work.len() > MOST_STEPS {
                self.at_work.pop_first();
            }
        }
        self.events.take(event);
    }

    /// Whether every event that members follow from was read.
    fn is_whole(&self) -> bool {
        self.first <= 1 && self.events.is_whole() && self.trouble.is_none()
    }

    /// What its events may tell, and is not known.
    fn unseen(&self) -> impl Iterator<Item = Text> + '_ {
        let mob = &self.mob;
        let unread = self.events.unread.map(|cursor| format!("{mob}: event #{cursor}, of which nothing can be read"));
        let cut = self.events.is_cut.then(|| format!("{mob}: members that only its oldest events name"));
        unread.into_iter().chain(cut).map(Text::from)
    }

    fn tasks<'a>(&'a self, realm: &'a Text) -> impl Iterator<Item = StatedTask> + 'a {
        let at_work =
            |run: &Text, step: &Text| self.at_work.get(&(run.clone(), step.clone())).cloned().unwrap_or_default();
        self.runs.iter().map(move |run| run.stated(&self.mob, realm, |step| at_work(&run.run_id, step)))
    }

    /// What is wrong with its runs. How long one stands still follows from this machine's clock.
    fn run_problems(&mut self, realm: &Text, facts: &RealmFacts, now_ms: Millis, found: &mut Vec<Problem>) {
        let open: Vec<&Run> = self.runs.iter().filter(|run| run.is_open()).collect();
        self.still.retain(|id, _| open.iter().any(|run| run.run_id == *id));
        for run in open {
            let stands = self.still.entry(run.run_id.clone()).or_insert((run.rows, run.status.clone(), now_ms));
            if (stands.0, &stands.1) != (run.rows, &run.status) {
                *stands = (run.rows, run.status.clone(), now_ms);
            }
            let since = stands.2;
            let name = task(&run.flow_id, &run.run_id);
            let mut add = |rule, sentence: String, evidence: Vec<Text>| {
                let about = About::Task { task: name.clone(), repository_id: realm.clone() };
                let severity = Severity::Warning;
                found.push(Problem { rule, severity, about, name: name.clone(), sentence: sentence.into(), evidence });
            };
            if facts.is_unserved() {
                let sentence = format!("{}: flow {} is open, and no process serves the realm", self.mob, run.flow_id);
                add("run-unserved", sentence, vec![format!("run {} is {}", run.run_id, run.status).into()]);
            } else if is_past(Some(since), STILL, now_ms) {
                let sentence = format!("{}: flow {} is open and does not move", self.mob, run.flow_id);
                let evidence = format!("run {} is {}, no step for 5 minutes as seen from here", run.run_id, run.status);
                add("run-still", sentence, vec![evidence.into()]);
            }
        }
    }
}

/// Events of a range, in an order, as many as are read at once.
async fn events(connection: &Connection, range: &str, order: &str, cost: &mut u64) -> Result<Vec<Event>, Fault> {
    let sql = format!(
        "SELECT cursor, CASE WHEN length(event_json) <= {MOST_BYTES} THEN CAST(event_json AS TEXT) \
         WHEN length(event_json) <= {LARGEST} AND json_valid(CAST(event_json AS TEXT)) THEN {} END \
         FROM mob_events WHERE {range} ORDER BY {order} LIMIT {MOST_AT_ONCE}",
        abridged()
    );
    let found = rows(connection, "mob_events", &sql, cost).await?.unwrap_or_default();
    let event = |row: &Vec<libsql::Value>| {
        let cursor = number(row, 0)?;
        Some(word(row, 1).and_then(|json| Event::read(cursor, json)).unwrap_or_else(|| opaque(cursor)))
    };
    Ok(found.iter().filter_map(event).collect())
}

/// Of a large event, what the state of its mob follows from.
fn abridged() -> String {
    let field = |path: &str| format!("json_extract(CAST(event_json AS TEXT), '$.{path}')");
    let text = |path: &str| format!("substr({}, 1, 300)", field(path));
    let kind = |name: &str| format!("'{name}', {}", text(&format!("event.kind.{name}")));
    let texts = ["type", "agent_identity", "role", "run_id", "flow_id", "step_id", "cause", "reason", "escalated_to"];
    let numbers = ["generation", "new_generation", "fence_token"];
    let kinds = texts.iter().map(|name| kind(name));
    let kinds = kinds.chain(numbers.iter().map(|name| format!("'{name}', {}", field(&format!("event.kind.{name}")))));
    format!(
        "json_object('schema_version', {}, 'event', json_object('timestamp', {}, 'kind', json_object({}, \
         'kickoff', json_object('phase', {}, 'error', {}))))",
        field("schema_version"),
        text("event.timestamp"),
        kinds.collect::<Vec<_>>().join(", "),
        text("event.kind.kickoff.phase"),
        text("event.kind.kickoff.error"),
    )
}

/// Some of what stands before an event and matters to the state of its mob, and how far back that goes.
async fn older(connection: &Connection, first: i64, cost: &mut u64) -> Result<(Vec<Event>, i64), Fault> {
    if first <= 1 {
        return Ok((Vec::new(), first));
    }
    let from = first.saturating_sub(STEP).max(1);
    let kinds = ["m", "placed_", "flow_failed", "supervisor_", "topology_"];
    let kinds = kinds.map(|kind| format!("instr(event_json, CAST('\"type\":\"{kind}' AS BLOB))")).join(" OR ");
    let range = format!("cursor >= {from} AND cursor < {first} AND ({kinds})");
    let found = events(connection, &range, "cursor DESC", cost).await?;
    let least = found.last().map(|event| event.cursor).filter(|_| found.len() >= MOST_AT_ONCE);
    Ok((found, least.unwrap_or(from)))
}

/// An event that is no event, or too large to be read.
fn opaque(cursor: i64) -> Event {
    Event {
        cursor,
        at_ms: None,
        name: "(unreadable)".into(),
        kind: Kind::Other,
        shown: serde_json::Map::new(),
        version: Version::Unread,
    }
}

fn is_of_run(name: &Text) -> bool {
    name.raw().starts_with("flow_") || name.raw().starts_with("step_")
}

/// The latest runs, and those that were open when they were read last; at first, all that may be open.
async fn runs(connection: &Connection, open: Option<&Vec<&str>>, cost: &mut u64) -> Result<Vec<Run>, Fault> {
    let field = |name: &str| format!("json_extract(run, '$.{name}')");
    let more = match open {
        Some(open) => {
            let quoted: Vec<String> = open.iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
            format!("run_id IN ({})", quoted.join(", "))
        }
        None => ["pending", "running"]
            .map(|status| format!("instr(run_json, CAST('\"status\":\"{status}\"' AS BLOB))"))
            .join(" OR "),
    };
    let sql = format!(
        "SELECT run_id, {}, {}, {}, {}, CASE WHEN size <= {LEDGER} THEN {} END, size FROM (SELECT run_id, \
         length(run_json) AS size, CASE WHEN length(run_json) <= {LARGEST} AND json_valid(CAST(run_json AS TEXT)) \
         THEN CAST(run_json AS TEXT) END AS run FROM mob_runs WHERE rowid IN (SELECT rowid FROM mob_runs \
         ORDER BY rowid DESC LIMIT {MOST_RUNS}) OR {more} ORDER BY rowid DESC LIMIT {})",
        field("flow_id"),
        field("status"),
        field("created_at"),
        field("completed_at"),
        field("step_ledger"),
        2 * MOST_RUNS
    );
    let found = rows(connection, "mob_runs", &sql, cost).await?.unwrap_or_default();
    let size = |row: &[libsql::Value]| number(row, 6).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    Ok(found.iter().filter_map(|row| Run::read([0, 1, 2, 3, 4, 5].map(|at| word(row, at)), size(row))).collect())
}

impl Mobs {
    /// Follows the mobs of a realm. `window` is how many events of each are read at first.
    #[must_use]
    pub fn new(realm: &Realm, window: usize, shared: Shared, clock: fn() -> Millis) -> Self {
        Self {
            realm: Text::new(&realm.name),
            folder: realm.mobs(),
            leases: realm.leases(),
            window: i64::try_from(window).unwrap_or(i64::MAX),
            shared,
            files: BTreeMap::new(),
            next: 0,
            pending: Vec::new(),
            begun: false,
            is_cut: false,
            looked_ms: 0,
            published: Published::default(),
            based_on: (RealmFacts::default(), 0),
            clock,
        }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        let mut moved = self.find()?;
        // Of many mobs each has a part of the window.
        let window = (self.window / i64::try_from(self.files.len().max(1)).unwrap_or(1)).max(LEAST);
        for file in self.files.values_mut() {
            let read = file.read(window, &mut self.next, &mut self.pending, &mut seen.cost.rows).await;
            if read.is_err() {
                file.followed.close();
            }
            moved |= *read.as_ref().unwrap_or(&true);
            file.trouble = read.err().map(|fault| about(&file.mob, &fault));
        }
        let now_ms = (self.clock)();
        read_first(&self.leases, &self.shared, now_ms);
        // Members follow from this source itself.
        let facts = RealmFacts { members: None, ..self.shared.facts() };
        if moved || !self.begun || facts != self.based_on.0 || now_ms.saturating_sub(self.based_on.1) >= PACE {
            self.publish(&mut seen, &facts, now_ms);
            self.based_on = (facts, now_ms);
        }
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    /// Finds the files of mobs. Answers whether others are there than before.
    fn find(&mut self) -> Result<bool, Fault> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries.flatten().collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Fault::transient(format!("cannot read {}: {error}", self.folder.display()))),
        };
        let names: BTreeSet<String> = entries.iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let older = !names.iter().any(|name| name.starts_with("mob--"));
        let mobs = names.into_iter().filter_map(|name| Some((name.clone(), mob_of(&name, older)?)));
        let mut mobs: Vec<(String, String)> = mobs.take(MOST_MOBS + 1).collect();
        self.is_cut = mobs.len() > MOST_MOBS;
        mobs.truncate(MOST_MOBS);
        let before = self.files.len();
        self.files.retain(|name, _| mobs.iter().any(|(there, _)| there == name));
        let mut other = self.files.len() != before;
        for (name, mob) in mobs {
            if !self.files.contains_key(&name) {
                let path = self.folder.join(&name);
                self.files.insert(name, File::new(mob, self.next, path));
                self.next += 1;
                other = true;
            }
        }
        Ok(other)
    }

    fn publish(&mut self, seen: &mut Observation, facts: &RealmFacts, now_ms: Millis) {
        let mut now = Published::default();
        let (mut members, mut whole) = (Vec::new(), !self.is_cut);
        if self.is_cut {
            now.unseen.push(format!("mobs beyond the first {MOST_MOBS}").into());
        }
        let looked = now_ms.saturating_sub(self.looked_ms);
        self.looked_ms = now_ms;
        if !(0..=GAP).contains(&looked) {
            self.files.values_mut().for_each(|file| file.still.clear());
        }
        for file in self.files.values_mut() {
            now.locks.extend(file.state.locks(&file.mob, &self.realm, facts));
            now.tasks.extend(file.tasks(&self.realm));
            file.state.problems(&file.mob, &self.realm, now_ms, &mut now.problems);
            if file.trouble.is_none() {
                file.run_problems(&self.realm, facts, now_ms, &mut now.problems);
            } else {
                file.still.clear();
            }
            members.extend(file.state.seats.keys().map(|identity| member(&file.mob, identity.raw())));
            whole &= file.is_whole();
            now.unseen.extend(file.trouble.clone());
            if file.first > 1 && file.trouble.is_none() {
                now.unseen.push(format!("{}: members that events before #{} name", file.mob, file.first).into());
            }
            now.unseen.extend(file.unseen());
        }
        let members: Option<Arc<[Text]>> = whole.then(|| members.into());
        self.shared.update(|facts| facts.members = members);
        let of = |place: i64| self.files.values().find(|file| file.place == place);
        let entry = |(place, event): &(i64, Event)| {
            let number = (place << PLACES).saturating_add(event.cursor);
            Some(event.entry(&of(*place)?.mob, number, &self.realm))
        };
        let mut entries: Vec<LogEntry> = self.pending.iter().filter_map(entry).collect();
        entries.sort_by_key(|entry| (entry.timestamp_ms, entry.id));
        if !self.begun || !entries.is_empty() {
            let start = match (self.begun, self.files.values().any(|file| file.windowed)) {
                (true, _) => LogStart::Continues,
                (false, true) => LogStart::Window,
                (false, false) => LogStart::Beginning,
            };
            seen.changes.push(Change::Log(crate::model::LogTable::Events, entries, start));
        }
        self.pending.clear();
        if !self.begun {
            seen.probe = Some(Probe { parts: vec![("mobs", Presence::Present)] }.into());
        }
        if self.begun && self.published == now {
            return;
        }
        seen.changes.push(Change::Locks(LockTable::Seat, now.locks.clone()));
        seen.changes.push(Change::Tasks(now.tasks.clone()));
        seen.changes.push(Change::Problems(now.problems.clone()));
        seen.unseen = Some(now.unseen.clone());
        (self.published, self.begun) = (now, true);
    }
}

impl Source for Mobs {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}
