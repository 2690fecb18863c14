//! The mobs of a realm, as a source. Their files come and go while the console runs, so one source follows all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::its_clock;
use super::mob_file::MobFile;
use super::processes::read_first;
use super::realm::{Realm, mob_of};
use super::rows::about;
use super::shared::{MobSeats, RealmFacts, STILL, Shared, member};
use crate::data::source::{PollContext, Polling, Source};
use crate::model::agent::{Agent, Group};
use crate::model::observation::{Change, LogStart, Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::stated::{Problem, StatedTask};
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND};
use crate::model::{Lock, LockTable, LogEntry, LogTable};

/// Mobs of one realm that are followed at most.
const MOST_MOBS: usize = 1_000;
/// Nobody looked for longer: how long a run stands still is counted anew.
const GAP: Millis = MINUTE;
/// Events of each mob that are read at first, however many mobs there are.
const LEAST: i64 = 50;
/// What time alone changes is looked at this often.
const PACE: Millis = 2 * SECOND;

/// The folder of mobs.
pub struct Mobs {
    realm: Text,
    folder: PathBuf,
    leases: PathBuf,
    window: i64,
    still_ms: Millis,
    shared: Shared,
    files: BTreeMap<String, MobFile>,
    next: i64,
    /// Events that were read and not told yet: a poll that is given up loses none.
    pending: Vec<LogEntry>,
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
    leases: Vec<Lock>,
    agents: Vec<Agent>,
    groups: Vec<Group>,
    tasks: Vec<StatedTask>,
    problems: Vec<Problem>,
    unseen: Vec<Text>,
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
            still_ms: STILL,
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

    /// What is at work and does not move for so long hangs.
    #[must_use]
    pub fn still_after(self, still_ms: Millis) -> Self {
        Self { still_ms, ..self }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        let mut moved = self.find()?;
        // Of many mobs each has a part of the window.
        let window = (self.window / i64::try_from(self.files.len().max(1)).unwrap_or(1)).max(LEAST);
        for file in self.files.values_mut() {
            let read = file.read(&self.realm, window, &mut self.next, &mut self.pending, &mut seen.cost.rows).await;
            moved |= *read.as_ref().unwrap_or(&true);
            file.trouble = read.err().map(|fault| about(&file.mob, &fault));
        }
        let now_ms = (self.clock)();
        read_first(&self.leases, &self.shared, now_ms);
        // Members follow from this source itself.
        let facts = RealmFacts { members: None, seats: None, ..self.shared.facts() };
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
        let names: Vec<String> = entries.iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let older = !names.iter().any(|name| name.starts_with("mob--"));
        let mut mobs: BTreeMap<String, String> =
            names.into_iter().filter_map(|name| mob_of(&name, older).map(|mob| (name, mob))).collect();
        self.is_cut = mobs.len() > MOST_MOBS;
        while mobs.len() > MOST_MOBS {
            mobs.pop_last();
        }
        let before = self.files.len();
        self.files.retain(|name, _| mobs.contains_key(name));
        let mut other = self.files.len() != before;
        for (name, mob) in mobs {
            if !self.files.contains_key(&name) {
                let path = self.folder.join(&name);
                self.files.insert(name, MobFile::new(mob, self.next, path));
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
            self.files.values_mut().for_each(MobFile::look_anew);
        }
        for file in self.files.values_mut() {
            now.locks.extend(file.state().locks(&file.mob, &self.realm, facts));
            now.agents.extend(file.state().agents(&file.mob, &self.realm));
            now.groups.push(file.group(&self.realm));
            now.leases.extend_from_slice(file.leases());
            now.tasks.extend(file.tasks(&self.realm));
            file.state().problems(&file.mob, &self.realm, now_ms, &mut now.problems);
            file.run_problems(&self.realm, facts, self.still_ms, now_ms, &mut now.problems);
            members.extend(file.state().seats.keys().map(|identity| member(&file.mob, identity.raw())));
            whole &= file.is_whole();
            now.unseen.extend(file.unseen());
        }
        let members: Option<Arc<[Text]>> = whole.then(|| members.into());
        let read = self.files.values().filter(|file| file.trouble.is_none());
        let seats: BTreeMap<Text, MobSeats> = read.map(|file| (Text::new(&file.mob), file.seats())).collect();
        self.shared.update(|facts| (facts.members, facts.seats) = (members, Some(seats.into())));
        let mut entries = std::mem::take(&mut self.pending);
        entries.sort_by_key(|entry| (entry.timestamp_ms, entry.id));
        if !self.begun || !entries.is_empty() {
            let start = match (self.begun, self.files.values().any(MobFile::is_windowed)) {
                (true, _) => LogStart::Continues,
                (false, true) => LogStart::Window,
                (false, false) => LogStart::Beginning,
            };
            seen.changes.push(Change::Log(LogTable::Events, entries, start));
        }
        if !self.begun {
            seen.probe = Some(Probe { parts: vec![("mobs", Presence::Present)] }.into());
        }
        if self.begun && self.published == now {
            return;
        }
        seen.changes.push(Change::Locks(LockTable::Seat, now.locks.clone()));
        seen.changes.push(Change::Locks(LockTable::Identity, now.leases.clone()));
        seen.changes.push(Change::Agents(now.agents.clone()));
        seen.changes.push(Change::Groups(now.groups.clone()));
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
