//! Findings have a life: raised, acknowledged, cleared, raised again. Pure: findings and an instant go in, events come
//! out.
//!
//! A finding is raised once it has stood for a while and cleared once it has been gone for a while, so that what
//! flickers raises no second alarm. Nothing is cleared while a source is silent: not seeing is not the same as gone.
//! What comes back then is raised again all the same.
//! Several consoles may share one history: what another one wrote is taken over, not said again.

pub mod lives;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::{FixedState, RandomState};

use crate::mesh::derive::finding::{Acknowledged, Finding, Life};
use crate::model::event::{Event, Kind, SCHEMA};
use crate::model::severity::Severity;
use crate::model::text::{Text, truncate_bytes};
use crate::model::time::Millis;
use crate::model::whose::Whose;

/// Findings that are followed at once, the worst first; more than this are one trouble, not many.
const CASES: usize = 2_000;
/// Findings that are remembered after they were cleared, to tell one that comes back.
const PAST: usize = 2_000;

/// The most bytes of a text that is kept in an event.
const MOST: usize = 1_024;

/// From when on something is worth an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Findings below it have no life of their own.
    pub from: Severity,
    /// A finding that stands for so long is raised.
    pub raise_after_ms: Millis,
    /// One that is gone for so long is cleared.
    pub clear_after_ms: Millis,
}

impl Default for Rules {
    fn default() -> Self {
        Self { from: Severity::Warning, raise_after_ms: 2_000, clear_after_ms: 10_000 }
    }
}

/// One finding that is followed.
#[derive(Debug)]
struct Case {
    /// What is known of it from the history, or from looking.
    last: Event,
    seen_ms: Millis,
    gone_ms: Option<Millis>,
    /// Some source was silent since it was seen last: that it is gone is not certain.
    unsure: bool,
    life: Option<Arc<Life>>,
    /// At which look it was seen last.
    look: u64,
}

/// The identity of a finding that was looked at. While the finding is kept, no other has its address.
#[derive(Debug)]
struct Looked {
    _finding: Arc<Finding>,
    key: Arc<str>,
}

/// Every finding that is followed.
#[derive(Debug, Default)]
pub struct Alarms {
    rules: Rules,
    whose: Whose,
    cases: HashMap<Arc<str>, Case, RandomState>,
    /// By the address of each finding of the last look: most are the same ones the next time.
    looked: HashMap<usize, Looked, RandomState>,
    looks: u64,
    /// How often each was raised before, and when it was cleared.
    past: HashMap<String, (u32, Millis)>,
    /// The same by when they were cleared, the oldest first.
    cleared: BTreeSet<(Millis, String)>,
    /// Those whose lives changed since somebody asked: see [`fingerprint`].
    moved: HashSet<u64>,
}

/// What tells one finding from another, whatever the program's version.
#[must_use]
pub fn identity(finding: &Finding) -> String {
    finding.identity()
}

/// An identity as a number: two that differ may have the same one.
fn fingerprint(identity: &str) -> u64 {
    FixedState::with_seed(0).hash_one(identity)
}

impl Alarms {
    /// Alarms of a mesh.
    #[must_use]
    pub fn new(whose: Whose, rules: Rules) -> Self {
        Self { rules, whose, ..Self::default() }
    }

    /// Whose findings they are.
    #[must_use]
    pub fn whose(&self) -> &Whose {
        &self.whose
    }

    /// Findings of which [`Alarms::life`] may answer otherwise since this was asked for the last time.
    pub(super) fn take_moved(&mut self) -> HashSet<u64> {
        std::mem::take(&mut self.moved)
    }

    /// Where a finding is in its life; nothing before it is raised.
    #[must_use]
    pub fn life(&self, finding: &Finding) -> Option<Arc<Life>> {
        if self.cases.is_empty() || finding.severity < self.rules.from {
            return None;
        }
        self.cases.get(identity(finding).as_str())?.life.clone()
    }

    /// A finding with its life.
    #[must_use]
    pub fn with_life(&self, finding: &Arc<Finding>) -> Arc<Finding> {
        match self.life(finding) {
            Some(life) => Arc::new(Finding { life: Some(life), ..(**finding).clone() }),
            None => finding.clone(),
        }
    }

    /// Looks at what is wrong now, worst first. `blind` says that some source is not heard. Answers what happened.
    pub fn observe(&mut self, findings: &[Arc<Finding>], blind: bool, now_ms: Millis) -> Vec<Event> {
        let mut events = Vec::new();
        for case in self.cases.values_mut() {
            // A clock that was set back must not hold anything up until it is where it was.
            case.seen_ms = case.seen_ms.min(now_ms);
            case.gone_ms = case.gone_ms.map(|at| at.min(now_ms));
        }
        let worth = findings.iter().take_while(|finding| finding.severity >= self.rules.from).take(CASES);
        self.looks += 1;
        let mut looked = HashMap::with_capacity_and_hasher(self.looked.len(), RandomState::default());
        for finding in worth {
            let at = Arc::as_ptr(finding) as usize;
            let known = self.looked.remove(&at);
            let key = known.map_or_else(|| identity(finding).into(), |known| known.key);
            looked.insert(at, Looked { _finding: finding.clone(), key: Arc::clone(&key) });
            let case = match self.cases.entry(Arc::clone(&key)) {
                Entry::Occupied(case) => case.into_mut(),
                Entry::Vacant(place) => {
                    let last = event(Kind::Raised, &self.whose, &key, finding, now_ms);
                    place.insert(Case { last, seen_ms: now_ms, gone_ms: None, unsure: false, life: None, look: 0 })
                }
            };
            // Of several that bear one identity, the worst counts.
            if std::mem::replace(&mut case.look, self.looks) == self.looks {
                continue;
            }
            let gone = case.gone_ms.take().map_or(0, |since| now_ms - since);
            case.unsure = false;
            let (times, due) = match &case.life {
                None => {
                    let times = self.past.get(&*key).map_or(0, |(times, _)| *times);
                    (times, now_ms - case.seen_ms >= self.rules.raise_after_ms)
                }
                // It was gone for long, and only not cleared because nobody could be sure.
                Some(life) => (life.times, gone >= self.rules.clear_after_ms),
            };
            let raised = Life { raised_ms: now_ms, times: times + 1, acknowledged: None };
            let (kind, life) = match &case.life {
                _ if due && times == 0 => (Kind::Raised, raised),
                _ if due => (Kind::Again, raised),
                // What was acknowledged was something milder.
                Some(life) if finding.severity > case.last.severity => {
                    (Kind::Worse, Life { acknowledged: None, ..(**life).clone() })
                }
                _ => continue,
            };
            case.last = Event { times: life.times, ..event(kind, &self.whose, &key, finding, now_ms) };
            case.life = Some(Arc::new(life));
            events.push(case.last.clone());
            self.moved.insert(fingerprint(&key));
        }
        self.looked = looked;
        in_order(&mut events);
        for more in [self.let_go(blind, now_ms), self.run_out(now_ms)] {
            events.extend(more);
        }
        events
    }

    /// Clears what has been gone for long enough.
    fn let_go(&mut self, blind: bool, now_ms: Millis) -> Vec<Event> {
        let mut events = Vec::new();
        let gone = self.cases.iter().filter(|(_, case)| case.look != self.looks);
        let gone: Vec<Arc<str>> = gone.map(|(key, _)| Arc::clone(key)).collect();
        for key in gone {
            let Some(case) = self.cases.get_mut(&key) else { continue };
            let Some(life) = &case.life else {
                self.cases.remove(&key);
                continue;
            };
            if !blind && std::mem::take(&mut case.unsure) {
                case.gone_ms = None;
            }
            case.unsure |= blind;
            let since = *case.gone_ms.get_or_insert(now_ms);
            if blind {
                continue;
            }
            if now_ms - since >= self.rules.clear_after_ms {
                let event = Event { kind: Kind::Cleared, at_ms: now_ms, times: life.times, ..case.last.plain() };
                self.forget(&key, &event);
                events.push(event);
            }
        }
        in_order(&mut events);
        events
    }

    /// Acknowledgements that ran out leave a finding as it was raised.
    fn run_out(&mut self, now_ms: Millis) -> Vec<Event> {
        let mut events = Vec::new();
        for (key, case) in &mut self.cases {
            let Some(life) = &case.life else { continue };
            let over = |ack: &Acknowledged| ack.until_ms.is_some_and(|until| until <= now_ms);
            if life.acknowledged.as_ref().is_some_and(over) {
                events.push(Event { kind: Kind::Reopened, at_ms: now_ms, times: life.times, ..case.last.plain() });
                case.life = Some(Arc::new(Life { acknowledged: None, ..(**life).clone() }));
                self.moved.insert(fingerprint(key));
            }
        }
        in_order(&mut events);
        events
    }

    /// Somebody knows of it, or takes that back. Answers what happened; nothing if there is no such alarm.
    pub fn acknowledge(
        &mut self,
        key: &str,
        by: &str,
        until_ms: Option<Millis>,
        on: bool,
        now_ms: Millis,
    ) -> Option<Event> {
        let case = self.cases.get_mut(key)?;
        let life = case.life.as_ref()?;
        if !on && life.acknowledged.is_none() {
            return None;
        }
        let kind = if on { Kind::Acknowledged } else { Kind::Reopened };
        let acknowledged = on.then(|| Acknowledged { by: Text::new(by), until_ms });
        let event = Event {
            kind,
            at_ms: now_ms,
            by: Some(by.to_owned()),
            until_ms: until_ms.filter(|_| on),
            times: life.times,
            ..case.last.plain()
        };
        case.life = Some(Arc::new(Life { acknowledged, ..(**life).clone() }));
        self.moved.insert(fingerprint(key));
        Some(event)
    }

    /// Takes over what the history says: of an earlier run, or of another console.
    pub fn adopt(&mut self, event: &Event) {
        if !self.whose.is(event) {
            return;
        }
        let key = &event.key;
        match event.kind {
            Kind::Raised | Kind::Again | Kind::Worse => {
                let known = self.cases.get(key.as_str());
                let acknowledged = known
                    .and_then(|case| case.life.as_ref()?.acknowledged.clone())
                    .filter(|_| event.kind != Kind::Worse);
                let raised_ms = known.and_then(|case| case.life.as_ref()).map_or(event.at_ms, |life| life.raised_ms);
                let life = Arc::new(Life { raised_ms, times: event.times.max(1), acknowledged });
                let seen_ms = known.map_or(event.at_ms, |case| case.seen_ms);
                let look = self.looks;
                let case = Case { last: event.clone(), seen_ms, gone_ms: None, unsure: false, life: Some(life), look };
                if self.cases.len() < CASES || self.cases.contains_key(key.as_str()) {
                    self.cases.insert(key.as_str().into(), case);
                }
            }
            Kind::Acknowledged | Kind::Reopened => {
                let Some(case) = self.cases.get_mut(key.as_str()) else { return };
                let Some(life) = &case.life else { return };
                let by = event.by.as_deref().unwrap_or("unknown");
                let acknowledged = (event.kind == Kind::Acknowledged)
                    .then(|| Acknowledged { by: Text::new(by), until_ms: event.until_ms });
                case.life = Some(Arc::new(Life { acknowledged, ..(**life).clone() }));
            }
            Kind::Cleared => self.forget(key, event),
        }
        self.moved.insert(fingerprint(key));
    }

    fn forget(&mut self, key: &str, event: &Event) {
        self.cases.remove(key);
        self.moved.insert(fingerprint(key));
        if let Some((_, before)) = self.past.insert(key.to_owned(), (event.times.max(1), event.at_ms)) {
            self.cleared.remove(&(before, key.to_owned()));
        }
        self.cleared.insert((event.at_ms, key.to_owned()));
        if self.past.len() > PAST
            && let Some((_, oldest)) = self.cleared.pop_first()
        {
            self.past.remove(&oldest);
        }
    }

    /// Whether something may happen without any finding changing: then it is worth looking again.
    #[must_use]
    pub fn waits(&self) -> bool {
        let ends = |life: &Arc<Life>| life.acknowledged.as_ref().is_some_and(|ack| ack.until_ms.is_some());
        self.cases.values().any(|case| case.gone_ms.is_some() || case.life.as_ref().is_none_or(ends))
    }
}

/// The order that a look's events have, whatever the order of the findings.
fn in_order(events: &mut [Event]) {
    events.sort_by(|a, b| a.key.cmp(&b.key));
}

/// What happened to a finding, as an event.
fn event(kind: Kind, whose: &Whose, key: &str, finding: &Finding, at_ms: Millis) -> Event {
    let short = |text: &str| truncate_bytes(text, MOST).to_owned();
    Event {
        schema: SCHEMA.to_owned(),
        at_ms,
        mesh: whose.mesh.clone(),
        place: whose.place.clone(),
        kind,
        key: key.to_owned(),
        rule: finding.rule.to_owned(),
        severity: finding.severity,
        subject: finding.subject.kind().to_owned(),
        name: short(finding.name.as_str()),
        sentence: short(finding.sentence.as_str()),
        times: 1,
        by: None,
        until_ms: None,
        seq: 0,
    }
}

#[cfg(test)]
mod tests;
