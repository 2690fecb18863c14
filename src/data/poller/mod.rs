//! One task a source: polls on its own, with its own timeout, back-off and breaker.

pub mod breaker;

use crate::model::report::Report;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{mpsc, watch};

use crate::data::poller::breaker::Breaker;
use crate::data::source::{PollContext, Source};
use crate::model::observation::Observation;
use crate::model::source::{Fault, FaultKind};
use crate::model::time::{Millis, millis};

/// How often to poll, changed while running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From the start of one poll to the start of the next.
    pub interval: Duration,
    /// The same while nobody looks and nothing happens.
    pub idle: Duration,
    /// Whether somebody looks, as far as the terminal tells.
    pub focused: bool,
    /// Whether nothing has happened for a while.
    pub quiet: bool,
    /// Counts up each time the operator asks for a poll now.
    pub nudge: u64,
}

impl Pace {
    /// A pace while somebody looks.
    #[must_use]
    pub fn new(interval: Duration, idle: Duration) -> Self {
        Self { interval, idle, focused: true, quiet: false, nudge: 0 }
    }

    /// From the start of one poll to the start of the next, as things are.
    #[must_use]
    pub fn span(&self) -> Duration {
        if self.focused || !self.quiet { self.interval } else { self.interval.max(self.idle) }
    }
}

/// A large answer that keeps coming may take so many times longer.
const COMING: u32 = 12;

/// One poll that takes no longer than it may: without an answer, or without any more of it.
pub async fn attempt(source: &mut dyn Source, context: &PollContext, limit: Duration) -> Result<Observation, Fault> {
    // A client library that panics on a malformed answer must not take the source down for good.
    let progress = source.progress();
    let came = || progress.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed));
    let mut guarded = std::pin::pin!(AssertUnwindSafe(source.poll(context)).catch_unwind());
    let mut before = came();
    for _ in 0..COMING {
        match tokio::time::timeout(limit, &mut guarded).await {
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(_panic)) => return Err(Fault::transient("the answer could not be understood at all")),
            Err(_) if came() == before => break,
            Err(_) => before = came(),
        }
    }
    Err(Fault::transient(format!("no answer within {} s", limit.as_secs_f32())))
}

/// What a wait may take longer than it should on a busy machine.
const SLACK: Millis = 5_000;

/// A wait that took far longer than it should have: the machine slept, or the process stood still.
fn overslept(from_ms: Millis, to_ms: Millis, wait: Duration) -> Option<(Millis, Millis)> {
    (to_ms - from_ms > millis(wait).saturating_add(SLACK)).then_some((from_ms, to_ms))
}

/// From the begin of the first to the end of the last.
fn join(first: Option<(Millis, Millis)>, last: Option<(Millis, Millis)>) -> Option<(Millis, Millis)> {
    match (first, last) {
        (Some((from, _)), Some((_, to))) => Some((from, to)),
        (first, last) => last.or(first),
    }
}

/// What a poller is given.
pub struct Poller {
    pub index: usize,
    pub source: Box<dyn Source>,
    /// A poll that takes longer has failed.
    pub timeout: Duration,
    pub pace: watch::Receiver<Pace>,
    pub known: watch::Receiver<PollContext>,
    pub reports: mpsc::Sender<Report>,
    /// The console's steady clock, in Unix milliseconds.
    pub clock: fn() -> Millis,
}

impl Poller {
    /// Polls until nobody listens any more.
    pub async fn run(mut self) {
        let mut breaker = Breaker::default();
        let (mut asleep, mut rested) = (None, None);
        loop {
            let started = Instant::now();
            let began_ms = (self.clock)();
            asleep = join(asleep, rested.and_then(|(from, wait)| overslept(from, began_ms, wait)));
            let outcome = self.poll_once().await;
            let at_ms = (self.clock)();
            asleep = join(asleep, overslept(began_ms, at_ms, self.timeout));
            let (report, wait) = match outcome {
                Ok(mut observation) => {
                    observation.asleep = asleep.take();
                    breaker.succeed();
                    let wait = self.pace.borrow().span().saturating_sub(started.elapsed());
                    (Report::Observed { source: self.index, at_ms, observation: Box::new(observation) }, wait)
                }
                Err(fault) => {
                    let delay = breaker.fail(fault.kind == FaultKind::Busy, fastrand::f64());
                    tracing::warn!(source = self.index, %fault, delay, "poll failed");
                    let report = Report::Failed {
                        source: self.index,
                        at_ms,
                        fault,
                        state: breaker.state(),
                        retry_at_ms: at_ms + delay,
                    };
                    (report, Duration::from_millis(delay.unsigned_abs()))
                }
            };
            rested = Some((at_ms, wait));
            if self.reports.send(report).await.is_err() || !self.rest(wait).await {
                return;
            }
        }
    }

    async fn poll_once(&mut self) -> Result<Observation, Fault> {
        let known = self.known.borrow_and_update().clone();
        attempt(self.source.as_mut(), &known, self.timeout).await
    }

    /// Waits, but wakes for a nudge. Answers false when nobody listens any more.
    async fn rest(&mut self, wait: Duration) -> bool {
        let mut end = tokio::time::Instant::now() + wait;
        let before = *self.pace.borrow_and_update();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return true,
                changed = self.pace.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                    let now = *self.pace.borrow_and_update();
                    if now.nudge != before.nudge {
                        return true;
                    }
                    end = end.min(tokio::time::Instant::now() + now.span());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn a_poll_waits_longer_only_where_nobody_looks_and_nothing_happens() {
        let (fast, slow) = (Duration::from_secs(1), Duration::from_secs(5));
        let span = |focused, quiet, interval| Pace { focused, quiet, ..Pace::new(interval, slow) }.span();
        assert_eq!(span(false, true, fast), slow);
        assert_eq!([span(true, true, fast), span(false, false, fast), span(true, false, fast)], [fast; 3]);
        let slower = Duration::from_secs(60);
        assert_eq!(span(false, true, slower), slower, "it never polls faster than it was asked to");
    }

    #[test]
    fn a_wait_that_took_far_too_long_was_slept_through() {
        let second = Duration::from_secs(1);
        assert_eq!(overslept(0, 5_900, second), None, "a busy machine");
        assert_eq!(overslept(0, 3_600_000, second), Some((0, 3_600_000)));
        assert_eq!(join(Some((1, 2)), Some((5, 9))), Some((1, 9)));
        assert_eq!((join(None, Some((5, 9))), join(Some((1, 2)), None)), (Some((5, 9)), Some((1, 2))));
    }

    /// A source whose answer takes so many parts of 300 ms, and says so, or does not.
    struct Large(Arc<AtomicU64>, u32, bool);

    impl Source for Large {
        fn poll<'a>(&'a mut self, _: &'a PollContext) -> crate::data::source::Polling<'a> {
            Box::pin(async move {
                for _ in 0..self.1 {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    self.0.fetch_add(u64::from(self.2), Ordering::Relaxed);
                }
                Ok(Observation::default())
            })
        }

        fn progress(&self) -> Option<Arc<AtomicU64>> {
            Some(self.0.clone())
        }
    }

    #[tokio::test]
    async fn an_answer_that_keeps_coming_is_waited_for() {
        let (limit, context) = (Duration::from_secs(1), PollContext::default());
        let ask = async |comes| attempt(&mut Large(Arc::default(), 5, comes), &context, limit).await;
        assert!(ask(true).await.is_ok());
        assert!(ask(false).await.is_err_and(|fault| fault.what.as_str().contains("no answer within 1 s")));
    }
}
