//! Estimates of other clocks: a source's from timed exchanges, a node's from when its heartbeats appear.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use crate::model::observation::ClockSample;
use crate::model::time::Millis;

const SAMPLES: usize = 16;

/// A source's clock against the console's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceClock {
    samples: VecDeque<ClockSample>,
    /// The offset that is gone by: it moves only where the estimate does, so that a millisecond up and down does not
    /// change everything that was read.
    adopted_ms: Option<Millis>,
}

impl SourceClock {
    /// Takes one exchange.
    pub fn sample(&mut self, sample: ClockSample) {
        // One of the clocks was set: what was measured before says nothing any more.
        let agrees = |old: &ClockSample| {
            (old.offset_ms - sample.offset_ms).abs() <= old.uncertainty_ms + sample.uncertainty_ms + STEADY
        };
        if !self.samples.back().is_none_or(agrees) {
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        let Some(best) = self.best() else { return };
        let off = (best.offset_ms - self.offset_ms()).abs();
        if off > best.uncertainty_ms + STEADY {
            self.adopted_ms = Some(best.offset_ms);
        }
    }

    /// The exchange with the least delay among the last ones: the surest estimate.
    #[must_use]
    pub fn best(&self) -> Option<ClockSample> {
        self.samples.iter().rev().min_by_key(|s| s.uncertainty_ms).copied()
    }

    /// The source's clock minus the console's; zero while unknown.
    #[must_use]
    pub fn offset_ms(&self) -> Millis {
        self.adopted_ms.unwrap_or(0)
    }

    /// The offset, if it is larger than what the measurement itself may be off by 2 s or more.
    #[must_use]
    pub fn skew_ms(&self) -> Option<Millis> {
        let best = self.best()?;
        (best.offset_ms.abs() > SKEW + best.uncertainty_ms).then_some(best.offset_ms)
    }
}

/// An offset that moves less than this, beyond what it may be off, has not moved.
const STEADY: Millis = 100;
/// Skew below this is not worth mentioning.
pub const SKEW: Millis = 2_000;

/// A node's own clock against the console's, from its heartbeats alone.
///
/// A heartbeat that appeared between two polls was written between them, so the node's clock minus
/// the console's is at least `seen - this poll` and at most `seen - last poll`. Heartbeats that were
/// held up only make the lower bound lower; the highest lower bound is the best one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeClock {
    bounds: VecDeque<(Millis, Millis)>,
}

impl NodeClock {
    /// Takes a heartbeat that was not there at the last poll.
    pub fn sample(&mut self, seen_ms: Millis, last_poll_ms: Millis, this_poll_ms: Millis) {
        let (low, high) = (seen_ms - this_poll_ms, seen_ms - last_poll_ms);
        // A clock that was set back: it cannot have been ahead all the same.
        if self.bounds.iter().any(|(known, _)| *known > high.saturating_add(SKEW)) {
            self.bounds.clear();
        }
        if self.bounds.len() == SAMPLES {
            self.bounds.pop_front();
        }
        self.bounds.push_back((low, high));
    }

    /// The node's clock minus the console's, if it is surely more than 2 s.
    #[must_use]
    pub fn skew_ms(&self) -> Option<Millis> {
        let (low, high) = self.bounds.iter().max_by_key(|(low, _)| *low).copied()?;
        if low > SKEW {
            Some(low)
        } else if high < -SKEW && self.bounds.len() >= 3 {
            // One late heartbeat looks like a slow clock; three in a row do not.
            Some(high)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_delay_wins() {
        let mut clock = SourceClock::default();
        clock.sample(ClockSample { offset_ms: 900, uncertainty_ms: 1_000 });
        clock.sample(ClockSample { offset_ms: 3_000, uncertainty_ms: 5 });
        clock.sample(ClockSample { offset_ms: 3_500, uncertainty_ms: 400 });
        assert_eq!(clock.offset_ms(), 3_000);
        assert_eq!(clock.skew_ms(), Some(3_000));
    }

    /// F2: a clock is set by two hours, and back.
    #[test]
    fn a_clock_that_was_set_is_measured_anew() {
        let mut clock = SourceClock::default();
        for offset_ms in [0, 7_200_000, 0] {
            clock.sample(ClockSample { offset_ms, uncertainty_ms: if offset_ms == 0 { 1 } else { 40 } });
            assert_eq!(clock.offset_ms(), offset_ms);
        }
        let mut clock = NodeClock::default();
        clock.sample(7_200_000 + 500, 0, 1_000);
        assert_eq!(clock.skew_ms(), Some(7_199_500));
        clock.sample(1_500, 1_000, 2_000);
        assert_eq!(clock.skew_ms(), None, "it was set back");
    }

    #[test]
    fn a_late_heartbeat_is_not_a_slow_clock() {
        let mut clock = NodeClock::default();
        clock.sample(0, 20_000, 21_000);
        assert_eq!(clock.skew_ms(), None);
        clock.sample(40_500, 40_000, 41_000);
        assert_eq!(clock.skew_ms(), None);
    }

    proptest! {
        #[test]
        fn a_skewed_node_is_found_and_a_true_one_is_not(skew in -100_000i64..100_000, writes in prop::collection::vec(0i64..999, 5..20)) {
            let mut clock = NodeClock::default();
            for (i, at) in writes.iter().enumerate() {
                let look = i64::try_from(i).unwrap() * 15_000;
                clock.sample(look + at + skew, look, look + 1_000);
            }
            match clock.skew_ms() {
                Some(found) => {
                    prop_assert!(skew.abs() > 2_000);
                    prop_assert!((found - skew).abs() <= 1_000);
                }
                None => prop_assert!(skew.abs() <= 3_000),
            }
        }
    }
}
