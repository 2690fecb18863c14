//! What a source costs: what was really read in the last minute, and what that comes to in a month.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

use crate::model::observation::Cost;
use crate::model::time::{MINUTE, Millis};

/// Minutes of a month of thirty days.
const MINUTES_A_MONTH: u64 = 30 * 24 * 60;

/// The polls of the last minute.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Meter {
    /// When each poll ended, on the console's clock, and what it cost, oldest first.
    polls: VecDeque<(Millis, Cost)>,
    /// The end of the poll before those.
    since_ms: Option<Millis>,
}

/// What a source costs while it goes on as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Each for a minute.
    pub rows: u64,
    pub round_trips: u64,
    pub bytes: u64,
    /// Whether rows are those that the server says it read; otherwise they are the rows it returned.
    pub counted_by_server: bool,
}

impl Rate {
    /// Rows in a month of thirty days.
    #[must_use]
    pub fn rows_a_month(self) -> u64 {
        self.rows.saturating_mul(MINUTES_A_MONTH)
    }
}

impl Meter {
    /// Notes a poll.
    pub fn note(&mut self, at_ms: Millis, cost: Cost) {
        if self.since_ms.is_none() {
            // The first look reads what none after it reads again.
            self.since_ms = Some(at_ms);
            return;
        }
        self.polls.push_back((at_ms, cost));
        while self.polls.front().is_some_and(|(at, _)| at_ms - at >= MINUTE) {
            self.since_ms = self.polls.pop_front().map(|(at, _)| at);
        }
    }

    /// What a minute costs, by the last one; by what there is of it while it is young. Nothing after one look.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        let (from, (to, _)) = (self.since_ms?, self.polls.back()?);
        let span = u64::try_from(to - from).ok().filter(|span| *span > 0)?;
        let sum = |of: fn(&Cost) -> u64| self.polls.iter().map(|(_, cost)| of(cost)).sum::<u64>();
        let minute = MINUTE.unsigned_abs();
        let a_minute = |n: u64| n.saturating_mul(minute).div_ceil(span);
        Some(Rate {
            rows: a_minute(sum(|cost| cost.read.unwrap_or(cost.rows))),
            round_trips: a_minute(sum(|cost| cost.round_trips)),
            bytes: a_minute(sum(|cost| cost.bytes)),
            counted_by_server: self.polls.iter().all(|(_, cost)| cost.read.is_some()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(rows: u64, read: Option<u64>) -> Cost {
        Cost { round_trips: 1, rows, read, bytes: 100, ms: 1.0 }
    }

    #[test]
    fn a_minute_is_what_the_last_minute_was() {
        let mut meter = Meter::default();
        for second in 0..200 {
            let read = if second < 100 { 50 } else { 10 };
            meter.note(second * 1_000, cost(2, Some(read)));
        }
        let rate = meter.rate().expect("a rate");
        assert_eq!(rate, Rate { rows: 600, round_trips: 60, bytes: 6_000, counted_by_server: true });
        assert_eq!(rate.rows_a_month(), 25_920_000);
    }

    #[test]
    fn a_young_minute_is_scaled_and_the_first_look_does_not_count() {
        let mut meter = Meter::default();
        meter.note(0, cost(1_000_000, None));
        assert_eq!(meter.rate(), None);
        meter.note(2_000, cost(3, None));
        assert_eq!(meter.rate(), Some(Rate { rows: 90, round_trips: 30, bytes: 3_000, counted_by_server: false }));
    }
}
