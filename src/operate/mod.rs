//! Carries plans out, step by step: the journal first, then the hand, then the journal again and the op-log.

pub mod history;
pub mod journal;
pub mod lines;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;

use self::journal::{JournalFile, Stamp};
use crate::data::action::hand::{Hand, Order};
use crate::data::action::journal::{Entry, Event, Line, Process, SCHEMA};
use crate::data::action::outcome::{Outcome, Progress, Verdict};
use crate::data::action::plan::{Plan, Step};
use crate::data::source::Identity;
use crate::text::Text;
use crate::time::{MINUTE, Millis};

/// An attempt without an outcome is taken up only when it is this old: another console may be at it.
const ABANDONED: Millis = MINUTE;

/// Tells a running plan to stop before its next step.
pub type Stop = Arc<AtomicBool>;

/// Who acts, and with what.
pub struct Operator {
    hands: Vec<(Text, Box<dyn Hand>)>,
    /// Of each place: the one whose op-log takes entries of what was done there, of the same system.
    recorders: HashMap<Text, Text>,
    /// Where each place is.
    places: Vec<(Text, Text)>,
    journal: JournalFile,
    /// The journal as it was when nothing was left to take up.
    settled: Option<Stamp>,
    /// An outcome could not be written.
    torn: bool,
    host: String,
    name: String,
    mesh: String,
    clock: fn() -> Millis,
}

impl Operator {
    /// An operator of a mesh.
    #[must_use]
    pub fn new(
        hands: Vec<(Text, Box<dyn Hand>)>,
        identities: &[Identity],
        journal: JournalFile,
        name: String,
        mesh: String,
        clock: fn() -> Millis,
    ) -> Self {
        let recorder = |i: &Identity| -> Option<Text> {
            let keeps = |other: &&Identity| other.can.records && other.system == i.system;
            if i.can.records {
                Some(i.name.clone())
            } else {
                identities.iter().find(keeps).map(|other| other.name.clone())
            }
        };
        let recorders = identities.iter().filter_map(|i| Some((i.name.clone(), recorder(i)?))).collect();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let places = identities.iter().map(|i| (i.name.clone(), i.place.clone())).collect();
        Self { hands, recorders, places, journal, settled: None, torn: false, host, name, mesh, clock }
    }

    /// Runs a plan to its end, or until it is stopped. A step that failed does not keep those that do not need it.
    pub async fn run(
        &mut self,
        plan: &Plan,
        reason: &str,
        stop: &Stop,
        mut tell: impl FnMut(Progress),
    ) -> Vec<Outcome> {
        let plan_id = new_id((self.clock)());
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(plan.steps.len());
        for (index, step) in plan.steps.iter().enumerate() {
            let needed = step.after.and_then(|at| outcomes.get(at));
            let outcome = if stop.load(Ordering::Relaxed) {
                Outcome::skipped("the operator stopped before it")
            } else if needed.is_some_and(|outcome| outcome.verdict != Verdict::Done) {
                Outcome::skipped("the step that it needs was not done")
            } else {
                tell(Progress::Started(index));
                self.step(step, &plan_id, reason).await
            };
            tell(Progress::Ended(index, outcome.clone()));
            outcomes.push(outcome);
        }
        // What was written since is this run's own, and complete unless an outcome says otherwise.
        let whole = outcomes.iter().all(|o| o.audited || o.verdict != Verdict::Done) && !self.torn;
        self.settled = self.settled.filter(|_| whole).map(|_| self.journal.stamp());
        tell(Progress::Finished);
        self.settle().await;
        outcomes
    }

    fn place_of(&self, source: &Text) -> String {
        let place = self.places.iter().find(|(name, _)| name == source);
        place.map(|(_, place)| place.raw().to_owned()).unwrap_or_default()
    }

    async fn step(&mut self, step: &Step, plan_id: &str, reason: &str) -> Outcome {
        let at_ms = (self.clock)();
        let order = Order {
            id: new_id(at_ms),
            action: step.action.clone(),
            operator: self.name.clone(),
            reason: reason.to_owned(),
            at_ms,
        };
        let intent = Event::Intent {
            mesh: self.mesh.clone(),
            source: step.source.raw().to_owned(),
            place: self.place_of(&step.source),
            process: Process { host: self.host.clone(), pid: std::process::id() },
            operator: order.operator.clone(),
            reason: order.reason.clone(),
            action: step.action.clone(),
        };
        if let Err(error) = self.write(&order.id, plan_id, intent).await {
            let path = self.journal.path().display();
            return Outcome::failed(format!("nothing was done, because the journal {path} cannot be written: {error}"));
        }
        let mut outcome = self.execute(&step.source, &order).await;
        if outcome.verdict == Verdict::Done && !outcome.audited {
            outcome.audited = self.record(&step.source, &order).await;
        }
        let told = Event::Outcome {
            verdict: outcome.verdict,
            says: outcome.says.raw().to_owned(),
            before: outcome.before.clone(),
            after: outcome.after.clone(),
            audited: outcome.audited,
        };
        if let Err(error) = self.write(&order.id, plan_id, told).await {
            self.torn = true;
            outcome.says = format!("{}; the journal could not take the outcome: {error}", outcome.says).into();
        }
        outcome
    }

    async fn execute(&mut self, source: &Text, order: &Order) -> Outcome {
        let Some((_, hand)) = self.hands.iter_mut().find(|(name, _)| name == source) else {
            return Outcome::read_only(format!("this console may not write to {source}"));
        };
        // A client library that panics on a malformed answer has sent its request.
        match AssertUnwindSafe(hand.execute(order)).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(_panic) => Outcome::unknown("the answer could not be understood at all: it may have been done"),
        }
    }

    /// Adds the op-log's entry, at the place itself or at the first of its system that keeps an op-log.
    async fn record(&mut self, source: &Text, order: &Order) -> bool {
        let place = self.recorders.get(source);
        let Some((_, hand)) = place.and_then(|place| self.hands.iter_mut().find(|(name, _)| name == place)) else {
            return false;
        };
        match AssertUnwindSafe(hand.record(order)).catch_unwind().await {
            Ok(Ok(())) => true,
            Ok(Err(why)) => {
                tracing::warn!(why, "the op-log has no entry yet");
                false
            }
            Err(_panic) => false,
        }
    }

    /// Takes up what earlier runs left: entries that the op-log lacks, and attempts without an outcome.
    pub async fn settle(&mut self) {
        let stamp = self.journal.stamp();
        if self.settled == Some(stamp) {
            return;
        }
        let journal = self.journal.clone();
        let read = tokio::task::spawn_blocking(move || journal.entries()).await;
        let Ok(Ok((entries, _))) = read else { return };
        let here = |entry: &Entry| entry.mesh == self.mesh && self.place_of(&Text::new(&entry.source)) == entry.place;
        let mine = entries.into_iter().filter(here).collect::<Vec<_>>();
        let open = |entry: &Entry| entry.verdict.is_none() || entry.lacks_audit();
        self.settled = (!mine.iter().any(open)).then_some(stamp);
        // A place that does not answer is not asked again for each entry.
        let mut silent: Vec<String> = Vec::new();
        for entry in mine.into_iter().filter(open) {
            if silent.contains(&entry.source) {
                continue;
            }
            if entry.lacks_audit() {
                if self.record(&Text::new(&entry.source), &order_of(&entry)).await {
                    let _ = self.write(&entry.id, &entry.plan, Event::Audited).await;
                } else {
                    silent.push(entry.source.clone());
                }
            } else if entry.verdict.is_none() && self.is_abandoned(&entry) {
                self.take_up(&entry).await;
            }
        }
    }

    /// Whether nobody is at an attempt any more.
    fn is_abandoned(&self, entry: &Entry) -> bool {
        let pid = rustix::process::Pid::from_raw(entry.process.pid.cast_signed());
        let here = entry.process.host == self.host && !self.host.is_empty();
        let ended = pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH));
        (here && ended) || (self.clock)() - entry.at_ms > ABANDONED
    }

    /// An attempt whose console ended at it: the place itself tells whether it was done.
    async fn take_up(&mut self, entry: &Entry) {
        let Some((_, hand)) = self.hands.iter_mut().find(|(name, _)| *name == *entry.source.as_str()) else { return };
        let order = order_of(entry);
        let (verdict, says) = match hand.recall(&order).await {
            Some(true) => (Verdict::Done, "its console ended at it; it was found done"),
            Some(false) => (Verdict::Failed, "its console ended at it; it was found not done"),
            None => return,
        };
        let audited = verdict == Verdict::Done && self.record(&Text::new(&entry.source), &order).await;
        let told = Event::Outcome { verdict, says: says.into(), before: None, after: None, audited };
        let _ = self.write(&entry.id, &entry.plan, told).await;
    }

    async fn write(&mut self, id: &str, plan: &str, event: Event) -> Result<(), String> {
        let at_ms = (self.clock)();
        let line = Line { schema: SCHEMA.into(), id: id.to_owned(), plan: plan.to_owned(), at_ms, event };
        let journal = self.journal.clone();
        let written = tokio::task::spawn_blocking(move || journal.append(&line)).await;
        written.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }
}

fn order_of(entry: &Entry) -> Order {
    Order {
        id: entry.id.clone(),
        action: entry.action.clone(),
        operator: entry.operator.clone(),
        reason: entry.reason.clone(),
        at_ms: entry.at_ms,
    }
}

/// A name of its own, in the order of time.
fn new_id(at_ms: Millis) -> String {
    format!("{at_ms:012x}-{:08x}", fastrand::u32(..))
}
