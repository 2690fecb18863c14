//! When to try again: jittered back-off, then a circuit breaker. Pure; the caller brings time and chance.
//!
//! The figures are those the watched systems use themselves, so that the console is never the worse
//! client: 500 ms, 1 s, 2 s ... capped at 30 s, +-250 ms; five failures in a row open the breaker,
//! one probe after 30 s.

use crate::model::report::State;
use crate::model::time::Millis;

/// Failures in a row that open the breaker.
pub const OPENS_AFTER: u32 = 5;
/// How long an open breaker waits before one probe.
pub const OPEN_FOR: Millis = 30_000;
const FIRST_DELAY: Millis = 500;
const LONGEST_DELAY: Millis = 30_000;
const JITTER: Millis = 250;

/// Counts failures in a row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Breaker {
    failures: u32,
}

impl Breaker {
    /// An attempt succeeded.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// An attempt failed. `leave_alone` is for a server that asked for it (429, 503): at least 2 s.
    /// `chance` is uniform in 0..1. Answers how long to wait.
    pub fn fail(&mut self, leave_alone: bool, chance: f64) -> Millis {
        self.failures = self.failures.saturating_add(1);
        let base = match self.state() {
            State::Open { .. } => OPEN_FOR,
            _ => {
                let doubled = FIRST_DELAY << (self.failures - 1).min(8);
                doubled.clamp(if leave_alone { 2_000 } else { 0 }, LONGEST_DELAY)
            }
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most 500")]
        let jitter = (chance.clamp(0.0, 1.0) * (2 * JITTER) as f64) as Millis - JITTER;
        // A server that asked for it is left alone for all of that time.
        (base + jitter).clamp(if leave_alone { 2_000 } else { 0 }, LONGEST_DELAY)
    }

    /// How the source is being tried.
    #[must_use]
    pub fn state(&self) -> State {
        match self.failures {
            0 => State::Closed,
            n if n < OPENS_AFTER => State::BackingOff { failures: n },
            n => State::Open { failures: n },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_then_the_breaker_opens() {
        let mut breaker = Breaker::default();
        let delays: Vec<_> = (0..6).map(|_| breaker.fail(false, 0.5)).collect();
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 30_000, 30_000]);
        assert_eq!(breaker.state(), State::Open { failures: 6 });
        breaker.succeed();
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(breaker.fail(true, 0.5), 2_000);
        assert_eq!(Breaker::default().fail(true, 0.0), 2_000);
    }

    proptest! {
        #[test]
        fn never_a_tight_loop_and_never_beyond_the_cap(fails in 1u32..100, chance in 0.0..1.0, busy: bool) {
            let mut breaker = Breaker::default();
            for _ in 0..fails {
                let delay = breaker.fail(busy, chance);
                prop_assert!((250..=30_000).contains(&delay));
            }
        }
    }
}
