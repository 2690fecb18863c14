//! When what was evaluated must be evaluated again because time alone changes it.

use std::collections::BTreeMap;

use crate::model::time::Millis;

/// Places by the instant from when on another result may be due.
#[derive(Debug, Clone, Default)]
pub(super) struct TimerQueue(BTreeMap<Millis, Vec<u32>>);

/// Instants are kept in steps of so many ms: few entries, and nothing is late by more.
const STEP: Millis = 50;

impl TimerQueue {
    /// Notes the first of these instants that is still to come.
    pub(super) fn note(&mut self, place: u32, now_ms: Millis, instants: impl IntoIterator<Item = Millis>) {
        if let Some(next) = instants.into_iter().filter(|at| *at > now_ms).min() {
            self.0.entry(next.div_euclid(STEP)).or_default().push(place);
        }
    }

    /// What is due by now.
    pub(super) fn due(&mut self, now_ms: Millis) -> Vec<u32> {
        // What is due within the step that has begun is evaluated now and, since that may be early, noted again.
        let later = self.0.split_off(&(now_ms.div_euclid(STEP) + 1));
        let due = std::mem::replace(&mut self.0, later);
        due.into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_forgotten_and_nothing_comes_late(
            notes in prop::collection::vec((0u32..9, -200i64..2_000), 0..30), step in 1i64..400,
        ) {
            let mut timers = TimerQueue::default();
            for (place, at) in &notes {
                timers.note(*place, 0, [*at]);
            }
            let mut open: Vec<(u32, i64)> = notes.into_iter().filter(|(_, at)| *at > 0).collect();
            let mut now = 0;
            while now < 2_500 {
                now += step;
                let due = timers.due(now);
                for (place, at) in open.iter().filter(|(_, at)| *at <= now) {
                    prop_assert!(due.contains(place), "{place} at {at} by {now}");
                }
                // What came early is noted again, as the evaluator does.
                let early: Vec<(u32, i64)> =
                    open.iter().copied().filter(|(place, at)| *at > now && due.contains(place)).collect();
                for (place, at) in &early {
                    timers.note(*place, now, [*at]);
                }
                open.retain(|(_, at)| *at > now);
            }
        }
    }
}
