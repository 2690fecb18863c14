//! The mesh: everything observed, as an immutable picture. [`Mesh::apply`] makes the next one.
//! No IO and no clock: instants come with what is applied.

pub mod clocks;
pub mod facts;
pub mod fences;
pub mod rates;

use std::collections::HashMap;
use std::sync::Arc;

use self::clocks::{NodeClock, SourceClock};
use self::facts::Facts;
use self::rates::{Rates, Tally};
use super::action::journal::Entry;
use super::model::{Heartbeat, Oddity};
use super::observation::{Cost, Observation, Probe};
use super::poller::Report;
use super::poller::breaker;
use super::source::{Fault, Identity};
use crate::text::Text;
use crate::time::Millis;

/// Everything observed of one mesh.
#[derive(Debug, Clone)]
pub struct Mesh {
    pub name: Text,
    pub sources: Vec<SourceState>,
    pub rates: Rates,
    /// Clocks of nodes, from their heartbeats.
    pub node_clocks: Arc<HashMap<Text, NodeClock>>,
    /// What operators did from this console's journal, oldest first.
    pub journal: Arc<[Entry]>,
}

/// One source: what it is, how it does, and what it holds.
#[derive(Debug, Clone)]
pub struct SourceState {
    pub identity: Arc<Identity>,
    pub health: Health,
    pub probe: Option<Arc<Probe>>,
    pub notes: Arc<[Text]>,
    pub oddities: Arc<[Oddity]>,
    pub clock: SourceClock,
    pub polls: u64,
    pub last_cost: Cost,
    pub total_cost: Cost,
    pub facts: Facts,
}

/// How a source does.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// The console's clock at the last answer.
    pub last_ok_ms: Option<Millis>,
    /// The answer before that.
    pub previous_ok_ms: Option<Millis>,
    /// The last failure, while it lasts, and since when.
    pub trouble: Option<Trouble>,
}

/// A source that fails.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub fault: Fault,
    pub state: breaker::State,
    pub since_ms: Millis,
    pub retry_at_ms: Millis,
}

impl Mesh {
    /// A mesh of which nothing is known yet.
    #[must_use]
    pub fn new(name: Text, sources: Vec<Identity>) -> Self {
        let sources = sources.into_iter().map(SourceState::new).collect();
        Self { name, sources, rates: Rates::default(), node_clocks: Arc::default(), journal: Arc::default() }
    }

    /// The mesh after one report. What did not change is shared with the mesh before.
    #[must_use]
    pub fn apply(&self, report: Report) -> Self {
        let mut next = self.clone();
        match report {
            Report::Observed { source, at_ms, observation } => next.observe(source, at_ms, *observation),
            Report::Failed { source, at_ms, fault, state, retry_at_ms } => {
                if let Some(source) = next.sources.get_mut(source) {
                    let since_ms = source.health.trouble.as_ref().map_or(at_ms, |t| t.since_ms);
                    source.health.trouble = Some(Trouble { fault, state, since_ms, retry_at_ms });
                }
            }
        }
        next
    }

    fn observe(&mut self, index: usize, at_ms: Millis, observation: Observation) {
        let Some(source) = self.sources.get_mut(index) else { return };
        let Observation { changes, cost, clock, probe, oddities, notes } = observation;
        source.health.previous_ok_ms = source.health.last_ok_ms;
        source.health.last_ok_ms = Some(at_ms);
        source.health.trouble = None;
        source.polls += 1;
        source.last_cost = cost;
        source.total_cost += cost;
        if let Some(sample) = clock {
            source.clock.sample(sample);
        }
        source.probe = probe.or_else(|| source.probe.take());
        if let Some(found) = oddities {
            source.oddities = found.into();
        }
        if let Some(notes) = notes {
            source.notes = notes.into();
        }
        let before = source.facts.heartbeats.clone();
        let mut tally = Tally::default();
        source.facts.apply(changes, &mut tally, at_ms);
        let after = source.facts.heartbeats.clone();
        let last_look = source.health.previous_ok_ms;
        self.rates.count(at_ms, &tally);
        if let Some(last_look) = last_look {
            self.compare_clocks(&before, &after, last_look, at_ms);
        }
    }

    /// Learns about nodes' clocks from the heartbeats that appeared between two looks.
    fn compare_clocks(&mut self, before: &Arc<[Heartbeat]>, after: &Arc<[Heartbeat]>, last: Millis, now: Millis) {
        if Arc::ptr_eq(before, after) {
            return;
        }
        let known: HashMap<_, _> = before.iter().map(|h| ((&h.node_id, &h.repository_id), h.last_seen_ms)).collect();
        let clocks = Arc::make_mut(&mut self.node_clocks);
        for beat in after.iter() {
            let Some(seen) = beat.last_seen_ms else { continue };
            match known.get(&(&beat.node_id, &beat.repository_id)) {
                Some(Some(earlier)) if *earlier < seen => {
                    clocks.entry(beat.node_id.clone()).or_default().sample(seen, last, now);
                }
                _ => {}
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
            oddities: Arc::default(),
            clock: SourceClock::default(),
            polls: 0,
            last_cost: Cost::default(),
            total_cost: Cost::default(),
            facts: Facts::default(),
        }
    }

    /// An instant on this source's clock, on the console's.
    #[must_use]
    pub fn to_console(&self, ms: Millis) -> Millis {
        ms - self.clock.offset_ms()
    }
}
