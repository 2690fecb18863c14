//! The mesh: everything observed. [`MeshState::apply`] takes a report. No IO and no clock: instants come with what is
//! applied.

pub mod alarm;
pub mod clocks;
pub mod derive;
pub mod facts;
pub mod fences;
pub mod meter;
pub mod rates;
pub mod slab;
pub mod table;

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use self::clocks::{NodeClock, SourceClock};
use self::facts::{Facts, Tables};
use self::meter::Meter;
use self::rates::{Rates, Tally};
use self::table::{RowChange, Table};
use super::model::{Heartbeat, LockTable, Oddity};
use crate::model::encoding::pairs;
use crate::model::event::Event;
use crate::model::journal::Entry;
use crate::model::observation::{Cost, Observation, Probe};
use crate::model::report::Report;
use crate::model::report::State;
use crate::model::source::{Aspect, Fault, Identity};
use crate::model::text::Text;
use crate::model::time::Millis;

/// What is observed of one mesh, but for its large tables: cheap to copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mesh {
    pub name: Text,
    pub sources: Vec<SourceState>,
    pub rates: Rates,
    /// What operators did from this console's journal, oldest first.
    pub journal: Arc<[Entry]>,
    /// What became of findings, oldest first.
    pub events: Arc<[Arc<Event>]>,
    /// Why they cannot be kept, while they cannot.
    pub unkept: Option<Text>,
}

impl Mesh {
    /// Said of what no source of this mesh can tell of; nothing where one can.
    #[must_use]
    pub fn lacks(&self, aspect: Aspect) -> Option<String> {
        if self.sources.iter().any(|source| source.identity.provides.contains(&aspect)) {
            return None;
        }
        let mut systems: Vec<&str> = self.sources.iter().map(|source| source.identity.system).collect();
        systems.sort_unstable();
        systems.dedup();
        Some(format!("not provided by {}", systems.join(" and ")))
    }
}

/// One source: what it is, how it does, and what it holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceState {
    pub identity: Arc<Identity>,
    pub health: Health,
    pub probe: Option<Arc<Probe>>,
    pub notes: Arc<[Text]>,
    /// What it may not show, or does not show whole.
    pub unseen: Arc<[Text]>,
    pub oddities: Arc<[Oddity]>,
    pub clock: SourceClock,
    /// When nobody looked although somebody should have, the latest last.
    pub asleep: Vec<(Millis, Millis)>,
    pub polls: u64,
    pub last_cost: Cost,
    pub total_cost: Cost,
    pub meter: Meter,
    pub facts: Facts,
}

/// How a source does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// The console's clock at the last answer.
    pub last_ok_ms: Option<Millis>,
    /// The answer before that.
    pub previous_ok_ms: Option<Millis>,
    /// The last failure, while it lasts, and since when.
    pub trouble: Option<Trouble>,
}

/// A source that fails.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trouble {
    pub fault: Fault,
    pub state: State,
    pub since_ms: Millis,
    pub retry_at_ms: Millis,
}

/// Spans that nobody looked that are remembered.
const NAPS: usize = 8;

/// Everything observed of one mesh, kept up to date.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeshState {
    pub mesh: Mesh,
    /// By source.
    pub tables: Vec<Tables>,
    /// Clocks of nodes, from their heartbeats.
    #[serde(with = "pairs")]
    pub clocks: HashMap<Text, NodeClock, RandomState>,
    /// When each heartbeat was seen as it is, by source and place.
    #[serde(with = "pairs")]
    pub arrivals: HashMap<(usize, u32), Arrival, RandomState>,
    /// Nodes whose clocks were learnt about since somebody looked.
    #[serde(skip)]
    clocks_moved: Vec<Text>,
}

/// When a heartbeat was first seen as it is. It was written before, whatever its own clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    pub at_ms: Millis,
    /// Whether it was seen to move: else it may be of any time before.
    pub moved: bool,
}

/// What changed since somebody looked: places of rows, by source.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    pub sources: Vec<TouchedTables>,
    /// Nodes whose clocks were learnt about.
    pub clocks: Vec<Text>,
}

/// The same of one source.
#[derive(Debug, Clone, Default)]
pub struct TouchedTables {
    pub heartbeats: Vec<u32>,
    pub locks: [Vec<u32>; LockTable::TABLES],
    /// Places of locks that may stand for another lock now, or for none.
    pub locks_moved: [Vec<u32>; LockTable::TABLES],
    pub messages: Vec<u32>,
}

impl MeshState {
    /// A mesh of which nothing is known yet. History is kept in windows of so many rows of each kind.
    #[must_use]
    pub fn new(name: Text, sources: Vec<Identity>, window: usize) -> Self {
        let tables = sources.iter().map(|_| Tables::new(window)).collect();
        let sources = sources.into_iter().map(SourceState::new).collect();
        let mesh = Mesh {
            name,
            sources,
            rates: Rates::default(),
            journal: Arc::default(),
            events: Arc::default(),
            unkept: None,
        };
        Self { mesh, tables, clocks: HashMap::default(), arrivals: HashMap::default(), clocks_moved: Vec::new() }
    }

    /// Takes one report.
    pub fn apply(&mut self, report: Report) {
        match report {
            Report::Observed { source, at_ms, observation } => self.observe(source, at_ms, *observation),
            Report::Failed { source, at_ms, fault, state, retry_at_ms } => {
                if let Some(source) = self.mesh.sources.get_mut(source) {
                    let since_ms = source.health.trouble.as_ref().map_or(at_ms, |t| t.since_ms);
                    source.health.trouble = Some(Trouble { fault, state, since_ms, retry_at_ms });
                }
            }
        }
    }

    /// The same watch after one report.
    #[must_use]
    pub fn after(mut self, report: Report) -> Self {
        self.apply(report);
        self
    }

    /// What changed since this was asked for the last time.
    pub fn take_touched(&mut self) -> Touched {
        let of = |tables: &mut Tables| {
            let mut locks = tables.locks.each_mut().map(Table::take_touched);
            TouchedTables {
                heartbeats: tables.heartbeats.take_touched().all,
                locks_moved: locks.each_mut().map(|places| std::mem::take(&mut places.moved)),
                locks: locks.map(|places| places.all),
                messages: tables.messages.take_touched().all,
            }
        };
        Touched { sources: self.tables.iter_mut().map(of).collect(), clocks: std::mem::take(&mut self.clocks_moved) }
    }

    /// Everything, as if all of it had changed.
    #[must_use]
    pub fn everything(&self) -> Touched {
        let of = |tables: &Tables| {
            let locks = tables.locks.each_ref().map(|table| table.places().collect::<Vec<u32>>());
            TouchedTables {
                heartbeats: tables.heartbeats.places().collect(),
                locks_moved: locks.clone(),
                locks,
                messages: tables.messages.places().collect(),
            }
        };
        Touched { sources: self.tables.iter().map(of).collect(), clocks: Vec::new() }
    }

    fn observe(&mut self, index: usize, at_ms: Millis, observation: Observation) {
        let (Some(source), Some(tables)) = (self.mesh.sources.get_mut(index), self.tables.get_mut(index)) else {
            return;
        };
        let Observation { changes, cost, clock, probe, oddities, old, asleep, unseen, notes } = observation;
        source.health.previous_ok_ms = source.health.last_ok_ms;
        match old {
            None => {
                source.health.last_ok_ms = Some(at_ms);
                source.health.trouble = None;
            }
            // It answers, with what it knew before it could not ask any more.
            Some((of_ms, fault)) => {
                source.health.last_ok_ms = Some(of_ms.min(at_ms));
                let since_ms = source.health.trouble.as_ref().map_or(at_ms, |t| t.since_ms);
                let state = State::BackingOff { failures: 1 };
                source.health.trouble = Some(Trouble { fault, state, since_ms, retry_at_ms: at_ms });
            }
        }
        source.polls += 1;
        source.last_cost = cost;
        source.total_cost += cost;
        source.meter.note(at_ms, cost);
        if let Some(sample) = clock {
            source.clock.sample(sample);
        }
        source.probe = probe.or_else(|| source.probe.take());
        if let Some(found) = oddities {
            source.oddities = found.into();
        }
        if let Some(unseen) = unseen {
            source.unseen = unseen.into();
        }
        if let Some(notes) = notes {
            source.notes = notes.into();
        }
        let mut tally = Tally::default();
        let beats = tables.apply(&mut source.facts, changes, &mut tally, at_ms);
        let last_poll = source.health.previous_ok_ms;
        self.mesh.rates.count(at_ms, &tally);
        if let Some(slept) = asleep {
            let surplus = (source.asleep.len() + 1).saturating_sub(NAPS);
            source.asleep.drain(..surplus);
            source.asleep.push(slept);
            let names = self.tables[index].heartbeats.iter().map(|beat| beat.node_id.clone());
            self.clocks_moved.extend(names.chain(source.facts.registry.iter().map(|node| node.node_id.clone())));
        }
        self.note_beats(index, &beats, at_ms);
        if let Some(last_poll) = last_poll {
            self.compare_clocks(&beats, last_poll, at_ms);
        }
    }

    fn note_beats(&mut self, source: usize, beats: &[RowChange<Heartbeat>], at_ms: Millis) {
        for (place, before, after) in beats {
            let [was, is] = [before, after].map(|beat| beat.as_ref().map(|beat| (&beat.node_id, beat.last_seen_ms)));
            match (was, is) {
                (_, None) => drop(self.arrivals.remove(&(source, *place))),
                (before, after) if before == after => {}
                (before, Some((name, _))) => {
                    let moved = before.is_some_and(|(known, _)| known == name);
                    self.arrivals.insert((source, *place), Arrival { at_ms, moved });
                }
            }
        }
    }

    /// Learns about nodes' clocks from the heartbeats that appeared between two polls.
    fn compare_clocks(&mut self, beats: &[RowChange<Heartbeat>], last: Millis, now: Millis) {
        for (_, before, after) in beats {
            let (Some(before), Some(after)) = (before, after) else { continue };
            let (Some(earlier), Some(seen)) = (before.last_seen_ms, after.last_seen_ms) else { continue };
            if earlier != seen {
                let clock = self.clocks.entry(after.node_id.clone()).or_default();
                let skew = clock.skew_ms();
                clock.sample(seen, last, now);
                if clock.skew_ms() != skew {
                    self.clocks_moved.push(after.node_id.clone());
                }
            }
        }
    }
}

impl SourceState {
    fn new(identity: Identity) -> Self {
        Self {
            identity: Arc::new(identity),
            health: Health::default(),
            probe: None,
            notes: Arc::default(),
            unseen: Arc::default(),
            oddities: Arc::default(),
            clock: SourceClock::default(),
            asleep: Vec::new(),
            polls: 0,
            last_cost: Cost::default(),
            total_cost: Cost::default(),
            meter: Meter::default(),
            facts: Facts::default(),
        }
    }

    /// An instant on this source's clock, on the console's.
    #[must_use]
    pub fn to_console(&self, ms: Millis) -> Millis {
        ms.saturating_sub(self.clock.offset_ms())
    }

    /// How long nobody looked since an instant.
    #[must_use]
    pub fn slept_ms(&self, since_ms: Millis) -> Millis {
        self.asleep.iter().map(|(from, to)| (to - (*from).max(since_ms)).max(0)).sum()
    }
}
