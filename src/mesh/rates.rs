//! How much happens: counts in buckets of a few seconds, for sparklines.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use crate::model::time::Millis;

/// The width of one bucket, in milliseconds.
pub const BUCKET: Millis = 5_000;
/// Buckets kept: ten minutes.
pub const BUCKETS: usize = 120;
/// The same as a time span's factor.
const MOST_BEHIND: Millis = 120;

/// What happened between two polls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    pub acquired: u64,
    pub released: u64,
    pub delivered: u64,
    pub acknowledged: u64,
}

impl Tally {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.acquired += other.acquired;
        self.released += other.released;
        self.delivered += other.delivered;
        self.acknowledged += other.acknowledged;
    }
}

/// The last buckets, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    buckets: VecDeque<Tally>,
    /// The bucket number of the newest one.
    newest: Millis,
}

impl Rates {
    /// Counts what happened at an instant. Late counts fall into the newest bucket.
    pub fn count(&mut self, at_ms: Millis, tally: &Tally) {
        self.advance(at_ms);
        if let Some(bucket) = self.buckets.back_mut() {
            bucket.add(tally);
        }
    }

    /// Opens the buckets up to an instant.
    pub fn advance(&mut self, at_ms: Millis) {
        let bucket = at_ms.div_euclid(BUCKET);
        if self.buckets.is_empty() {
            self.newest = bucket;
            self.buckets.push_back(Tally::default());
        }
        let behind = bucket.saturating_sub(self.newest).clamp(0, MOST_BEHIND);
        for _ in 0..behind {
            self.buckets.push_back(Tally::default());
        }
        self.newest = self.newest.max(bucket);
        let beyond = self.buckets.len().saturating_sub(BUCKETS);
        self.buckets.drain(..beyond);
    }

    /// Adds what happened elsewhere in the same buckets.
    pub fn join(&mut self, other: &Self) {
        if other.buckets.is_empty() {
            return;
        }
        self.advance(other.newest.saturating_mul(BUCKET));
        let behind = usize::try_from(self.newest.saturating_sub(other.newest)).unwrap_or(usize::MAX);
        let wanted = behind.saturating_add(other.buckets.len()).min(BUCKETS);
        while self.buckets.len() < wanted {
            self.buckets.push_front(Tally::default());
        }
        for (bucket, more) in self.buckets.iter_mut().rev().skip(behind).zip(other.buckets.iter().rev()) {
            bucket.add(more);
        }
    }

    /// One series, oldest first.
    pub fn series(&self, of: impl Fn(&Tally) -> u64) -> Vec<u64> {
        self.buckets.iter().map(of).collect()
    }

    /// Events a minute over the buckets of the last minute.
    #[must_use]
    pub fn per_minute(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        let minute = usize::try_from(60_000 / BUCKET).unwrap_or(1);
        self.buckets.iter().rev().take(minute).map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_elsewhere_is_added_where_it_happened() {
        let at = |seconds: &[i64]| {
            let mut rates = Rates::default();
            for second in seconds {
                rates.count(second * 1_000, &Tally { acquired: 1, ..Tally::default() });
            }
            rates
        };
        let series = |rates: &Rates| rates.series(|t| t.acquired);
        for (one, other) in [(&[100, 101, 110][..], &[95, 105, 110][..]), (&[100], &[120]), (&[120], &[100, 121])] {
            let mut both: Vec<i64> = one.iter().chain(other).copied().collect();
            both.sort_unstable();
            let (mut there, mut back) = (at(one), at(other));
            there.join(&at(other));
            back.join(&at(one));
            assert_eq!(series(&there), series(&at(&both)), "{one:?} and {other:?}");
            assert_eq!(series(&back), series(&at(&both)), "{other:?} and {one:?}");
        }
    }

    #[test]
    fn buckets_move_with_time_and_are_bounded() {
        let mut rates = Rates::default();
        let one = Tally { acquired: 1, ..Tally::default() };
        for second in 0..600 {
            rates.count(second * 1_000, &one);
        }
        let series = rates.series(|t| t.acquired);
        assert_eq!(series.len(), BUCKETS);
        assert!(series.iter().all(|&n| n == 5));
        assert_eq!(rates.per_minute(|t| t.acquired), 60);
        rates.advance(1_200_000);
        assert_eq!(rates.per_minute(|t| t.acquired), 0);
        rates.count(0, &one);
        assert_eq!(rates.per_minute(|t| t.acquired), 1, "a clock set back loses nothing");
    }
}
