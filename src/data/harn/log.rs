//! The event log as a source.

use std::path::PathBuf;
use std::time::Instant;

use super::its_clock;
use super::ledger::Ledger;
use super::places::LogPlace;
use super::store::Store;
use crate::data::source::{PollContext, Polling, Source};
use crate::model::observation::{Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::time::Millis;

/// Parts that the log has.
const PARTS: &[&str] = &["events", "topic_heads", "consumers"];

/// One project's log.
pub struct EventLog {
    store: Store,
    ledger: Ledger,
    odd: u64,
    /// Where events lie as well.
    other: Option<PathBuf>,
    reported: Option<u64>,
    clock: fn() -> Millis,
}

impl EventLog {
    /// Follows the log at a place; of each topic a window of so many events is kept. `clock` is the console's wall
    /// clock, by which Harn evaluates as well.
    #[must_use]
    pub fn new(place: LogPlace, window: usize, clock: fn() -> Millis) -> Self {
        Self {
            store: Store::new(place, window),
            ledger: Ledger::new(window),
            odd: 0,
            other: None,
            reported: None,
            clock,
        }
    }

    /// The same, beside events in another place that are not read.
    #[must_use]
    pub fn beside(self, other: Option<PathBuf>) -> Self {
        Self { other, ..self }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        let news = self.store.news(&mut seen.cost).await?;
        self.odd = if news.reset { news.odd } else { self.odd + news.odd };
        if self.reported.is_none() {
            let parts = PARTS.iter().map(|part| (*part, Presence::Present)).collect();
            seen.probe = Some(Probe { parts }.into());
        }
        if self.reported != Some(self.odd) {
            let note = format!("{} rows are no events, or larger than an event may be", self.odd);
            let odd = (self.odd > 0).then(|| note.into());
            let other = self.other.as_ref().map(|other| {
                let other = other.display();
                format!("{other} holds events as well, and is not read: HARN_EVENT_LOG_BACKEND, then the newer decides")
                    .into()
            });
            seen.notes = Some(odd.into_iter().chain(other).collect());
            self.reported = Some(self.odd);
        }
        seen.changes = self.ledger.take(news, (self.clock)());
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }
}

impl Source for EventLog {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}
