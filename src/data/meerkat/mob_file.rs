//! One mob's file, as it is read poll by poll.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use super::event::{Event, Kind};
use super::mob::{Mob, State};
use super::mob_rows::{MOST_AT_ONCE, beside, events, older, runs};
use super::rows::newest;
use super::run::{Run, task};
use super::shared::{MobSeats, RealmFacts, is_past};
use crate::data::followed::{Followed, Reading};
use crate::model::agent::{Group, Supervisor};
use crate::model::severity::Severity;
use crate::model::source::Fault;
use crate::model::stated::{About, Problem, StatedTask};
use crate::model::text::Text;
use crate::model::time::{Millis, short};
use crate::model::{Lock, LogEntry};

/// Steps whose members are kept at most.
const MOST_STEPS: usize = 10_000;
/// Numbers of events of one mob; the mob's own place stands above them.
const PLACES: u32 = 40;

/// One file.
pub struct MobFile {
    pub mob: String,
    /// Tells its events from those of other mobs.
    place: i64,
    followed: Followed,
    read: Read,
    /// Since when a run stands as it does, on the clock of this machine.
    still: HashMap<Text, (usize, Text, Millis)>,
    /// Why it could not be read.
    pub trouble: Option<Text>,
}

/// What was read of it.
#[derive(Default)]
struct Read {
    events: Mob,
    state: State,
    /// The last event read.
    last: i64,
    /// The first event read; nothing before any was.
    first: Option<i64>,
    /// Older events stand before the first one that the log was given.
    is_windowed: bool,
    runs: Vec<Run>,
    /// Leases on names of its members.
    leases: Vec<Lock>,
    supervisor: Option<Supervisor>,
    at_work: BTreeMap<(Text, Text), BTreeSet<Text>>,
}

impl MobFile {
    /// Follows the file of a mob. `place` tells its events from those of others.
    #[must_use]
    pub fn new(mob: String, place: i64, path: PathBuf) -> Self {
        let followed = Followed::new(path);
        Self { mob, place, followed, read: Read::default(), still: HashMap::new(), trouble: None }
    }

    /// Reads what is new into `log`, and some of what is older. Answers whether anything was.
    pub async fn read(
        &mut self,
        realm: &Text,
        window: i64,
        next: &mut i64,
        log: &mut Vec<LogEntry>,
        cost: &mut u64,
    ) -> Result<bool, Fault> {
        let (connection, replaced) = match self.followed.read().await? {
            Reading::Missing => return Err(self.followed.missing()),
            Reading::Unchanged => return Ok(false),
            Reading::Changed { connection, replaced } => (connection, replaced),
        };
        let newest = newest(&connection, "mob_events", "cursor", cost).await?;
        if replaced || newest < self.read.last {
            // Its numbers begin anew as well, in a place of its own.
            self.place = *next;
            *next += 1;
            self.read = Read::default();
            self.still.clear();
        }
        let begins = self.read.first.is_none();
        let (first, last) = self.read.first.map_or_else(
            || {
                let last = newest.saturating_sub(window).max(0);
                (last.saturating_add(1), last)
            },
            |first| (first, self.read.last),
        );
        let news = events(&connection, &format!("cursor > {last}"), "cursor", cost).await?;
        let (older, from) = older(&connection, first, cost).await?;
        let open: Vec<&str> = self.read.runs.iter().filter(|run| run.is_open()).map(|run| run.run_id.raw()).collect();
        let runs = if begins || !open.is_empty() || news.iter().any(is_of_run) {
            Some(runs(&connection, (!begins).then_some(&open), cost).await?)
        } else {
            None
        };
        let (leases, supervisor) = beside(&connection, &self.mob, realm, cost).await?;
        // What was read counts only where nobody wrote over it meanwhile.
        self.followed.seen(news.len() >= MOST_AT_ONCE || from > 1)?;
        let read = &mut self.read;
        read.is_windowed |= begins && last > 0;
        (read.first, read.last) = (Some(from), last);
        for event in older {
            read.take(&event);
        }
        for event in news {
            read.last = read.last.max(event.cursor);
            read.take(&event);
            let number = (self.place << PLACES).saturating_add(event.cursor);
            log.push(event.entry(&self.mob, number, realm));
        }
        if let Some(runs) = runs {
            read.runs = runs;
        }
        (read.leases, read.supervisor) = (leases, supervisor);
        read.state = read.events.state();
        Ok(true)
    }

    /// What follows from its events.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.read.state
    }

    /// Leases on names of its members, as locks.
    #[must_use]
    pub fn leases(&self) -> &[Lock] {
        &self.read.leases
    }

    /// The mob, as a group of agents.
    #[must_use]
    pub fn group(&self, realm: &Text) -> Group {
        Group { supervisor: self.read.supervisor.clone(), ..self.read.state.group(&self.mob, realm) }
    }

    /// Its seats, and the last event that they follow from.
    #[must_use]
    pub fn seats(&self) -> MobSeats {
        let seats = &self.read.state.seats;
        let seats = seats.iter().map(|(identity, seat)| (identity.clone(), (seat.generation, seat.fence)));
        MobSeats { last: self.read.last, seats: seats.collect() }
    }

    /// Whether older events stand before the first one that the log was given.
    #[must_use]
    pub fn is_windowed(&self) -> bool {
        self.read.is_windowed
    }

    /// Nobody looked for a while: how long a run stands still is counted from now.
    pub fn look_anew(&mut self) {
        self.still.clear();
    }

    /// Whether every event that members follow from was read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.read.first.is_some_and(|first| first <= 1) && self.read.events.is_whole() && self.trouble.is_none()
    }

    /// What it may tell, and is not known.
    pub fn unseen(&self) -> impl Iterator<Item = Text> + '_ {
        let (mob, events) = (&self.mob, &self.read.events);
        let first = self.read.first.filter(|first| *first > 1 && self.trouble.is_none());
        let older = first.map(|first| format!("{mob}: members that events before #{first} name"));
        let unread = events.unread.map(|cursor| format!("{mob}: event #{cursor}, of which nothing can be read"));
        let cut = events.is_cut.then(|| format!("{mob}: members that only its oldest events name"));
        self.trouble.clone().into_iter().chain([older, unread, cut].into_iter().flatten().map(Text::from))
    }

    /// Its runs as tasks.
    pub fn tasks<'a>(&'a self, realm: &'a Text) -> impl Iterator<Item = StatedTask> + 'a {
        let at_work =
            |run: &Text, step: &Text| self.read.at_work.get(&(run.clone(), step.clone())).cloned().unwrap_or_default();
        self.read.runs.iter().map(move |run| run.stated(&self.mob, realm, |step| at_work(&run.run_id, step)))
    }

    /// What is wrong with its runs. How long one stands still follows from this machine's clock.
    pub fn run_problems(
        &mut self,
        realm: &Text,
        facts: &RealmFacts,
        still_ms: Millis,
        now_ms: Millis,
        found: &mut Vec<Problem>,
    ) {
        if self.trouble.is_some() {
            self.still.clear();
            return;
        }
        let open: Vec<&Run> = self.read.runs.iter().filter(|run| run.is_open()).collect();
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
            } else if is_past(Some(since), still_ms, now_ms) {
                let sentence = format!("{}: flow {} is open and does not move", self.mob, run.flow_id);
                let evidence =
                    format!("run {} is {}, no step for {} as seen from here", run.run_id, run.status, short(still_ms));
                add("run-still", sentence, vec![evidence.into()]);
            }
        }
    }
}

impl Read {
    fn take(&mut self, event: &Event) {
        if let Kind::Dispatched { run, step, identity } = &event.kind {
            self.at_work.entry((run.clone(), step.clone())).or_default().insert(identity.clone());
            if self.at_work.len() > MOST_STEPS {
                self.at_work.pop_first();
            }
        }
        self.events.take(event);
    }
}

fn is_of_run(event: &Event) -> bool {
    event.name.raw().starts_with("flow_") || event.name.raw().starts_with("step_")
}
