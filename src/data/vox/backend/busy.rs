//! How a remote is read in which much changes all the time. Pure.
//!
//! Nothing tells which rows of a remote changed: after a commit, all that is live is read again. Where that is many rows at
//! each poll, a private replica is kept instead, which brings the pages that changed. Where none can be kept, readings are
//! made less often, so that they take no more than a small part of a core.

use std::time::{Duration, Instant};

/// Readings of so many rows, in so many polls running, make a replica worth it.
const MANY_ROWS: u64 = 1_000;
const STREAK: u8 = 3;
/// The largest database of which a replica is kept unasked, in bytes.
pub const LARGEST: u64 = 256 << 20;
/// The first sync brings everything. It goes on beside the polls, for so long at most.
const FIRST_SYNC: Duration = Duration::from_secs(120);
/// Syncs that take longer than this, so many running, do not keep up.
const SLOW: Duration = Duration::from_millis(400);
const SLOW_STREAK: u8 = 5;
/// How long a replica that failed is not tried again.
const PAUSE: Duration = Duration::from_secs(600);
/// Readings rest for so many times what taking an answer apart took. Making facts of it and judging them takes twice that.
const REST: u32 = 30;
/// Fewer rows than this are read at each poll.
const REST_ROWS: u64 = 20_000;

/// What is known of how busy a remote is.
#[derive(Debug, Default)]
pub struct Busy {
    streak: u8,
    slow: u8,
    begun: Option<Instant>,
    /// No replica before then.
    paused: Option<Instant>,
    /// What the last reading leads to.
    rest: Option<Duration>,
}

impl Busy {
    /// Takes a reading: its rows, and how long it took to take its answer apart.
    pub fn read(&mut self, rows: u64, took: Duration) {
        self.streak = if rows >= MANY_ROWS { self.streak.saturating_add(1) } else { 0 };
        self.rest = (rows >= REST_ROWS).then(|| took * REST);
    }

    /// Whether a replica is worth it now.
    #[must_use]
    pub fn wants_replica(&self, now: Instant) -> bool {
        self.streak >= STREAK && self.begun.is_none() && self.paused.is_none_or(|until| now >= until)
    }

    /// A replica is begun.
    pub fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    /// Whether the first sync has taken too long by now.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.begun.is_some_and(|begun| now.duration_since(begun) > FIRST_SYNC)
    }

    /// A sync ended. Answers whether the replica keeps up.
    pub fn synced(&mut self, took: Duration) -> bool {
        let is_first = self.begun.take().is_some();
        self.slow = if took > SLOW && !is_first { self.slow + 1 } else { 0 };
        self.slow < SLOW_STREAK
    }

    /// The replica is given up for a while.
    pub fn give_up(&mut self, now: Instant) {
        (self.begun, self.slow, self.streak, self.paused) = (None, 0, 0, Some(now + PAUSE));
    }

    /// How long nothing is read after the last reading.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn many_rows_again_and_again_ask_for_a_replica() {
        let (mut busy, now) = (Busy::default(), Instant::now());
        for rows in [5_000, 5_000, 10, 5_000, 5_000] {
            busy.read(rows, MS);
            assert!(!busy.wants_replica(now));
        }
        busy.read(5_000, MS);
        assert!(busy.wants_replica(now));
        busy.give_up(now);
        for _ in 0..STREAK {
            busy.read(5_000, MS);
        }
        assert!(!busy.wants_replica(now + PAUSE / 2), "it failed a moment ago");
        assert!(busy.wants_replica(now + PAUSE));
    }

    #[test]
    fn a_replica_that_does_not_keep_up_is_given_up() {
        let (mut busy, now) = (Busy::default(), Instant::now());
        busy.begin(now);
        assert!(!busy.is_overdue(now + FIRST_SYNC) && busy.is_overdue(now + FIRST_SYNC + MS));
        assert!(busy.synced(SLOW * 10), "the first sync brings everything");
        for _ in 1..SLOW_STREAK {
            assert!(busy.synced(SLOW + MS));
        }
        assert!(!busy.synced(SLOW + MS));
    }

    #[test]
    fn a_large_answer_rests() {
        let mut busy = Busy::default();
        busy.read(5_000, MS * 100);
        assert_eq!(busy.rest(), None);
        busy.read(120_000, MS * 400);
        assert_eq!(busy.rest(), Some(Duration::from_secs(12)));
    }
}
