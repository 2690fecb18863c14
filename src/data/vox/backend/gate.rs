//! When a remote is read: by the count of commits that its server sends with each answer. Pure.
//!
//! The count of an answer is that at its end: rows that were read before may be older. So what is known is as of the count
//! *before* a reading, and equal counts mean that nothing was written since.

/// After so many polls running that saw something new, nothing is asked before a reading any more.
const LIVE: u8 = 2;

/// What is known of the count.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// The count before the last whole reading.
    known: Option<u64>,
    /// Polls running that saw something new.
    streak: u8,
}

impl Gate {
    /// Whether to ask for the count before a reading. Where something is new at each poll, that would be a round trip more.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.known.is_some() && self.streak < LIVE
    }

    /// Takes the count that was asked for; answers whether something may be new.
    pub fn moved(&mut self, now: Option<u64>) -> bool {
        let moved = now.is_none() || now != self.known;
        self.streak = if moved { self.streak.saturating_add(1) } else { 0 };
        moved
    }

    /// A whole reading was taken, before which the count was this.
    pub fn read(&mut self, before: Option<u64>) {
        if self.streak >= LIVE && self.known == before {
            self.streak = 0;
        }
        self.known = before;
    }

    /// A reading failed, or is not whole: the next poll reads, whatever the count.
    pub fn forget(&mut self) {
        self.known = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever happens between two requests, and whichever fail: a poll that reads nothing is one after which
        /// everything that was written is known.
        #[test]
        fn nothing_is_missed(polls in prop::collection::vec((0u64..3, 0u64..3, 0u64..3, prop::bool::weighted(0.2)), 1..60)) {
            let (mut gate, mut count, mut seen) = (Gate::default(), 1, 0);
            for (before, within, after, fails) in polls {
                count += before;
                if gate.is_asked() && !gate.moved(Some(count)) {
                    prop_assert_eq!(seen, count, "something was written and not read");
                    continue;
                }
                count += within;
                let first = count;
                // The rows are read somewhere in between: at the latest as of the end, at the earliest as of here.
                count += after;
                if fails {
                    gate.forget();
                    continue;
                }
                seen = first;
                gate.read(Some(first));
            }
        }
    }

    #[test]
    fn at_rest_it_asks_and_live_it_reads() {
        let mut gate = Gate::default();
        assert!(!gate.is_asked(), "nothing is known yet");
        gate.read(Some(5));
        assert!(gate.is_asked() && !gate.moved(Some(5)));
        for count in [6, 7] {
            assert!(gate.is_asked() && gate.moved(Some(count)));
            gate.read(Some(count));
        }
        assert!(!gate.is_asked(), "it is live");
        gate.read(Some(8));
        assert!(!gate.is_asked());
        gate.read(Some(8));
        assert!(gate.is_asked(), "it rests");
        // A server that does not count is read at each poll.
        let mut none = Gate::default();
        none.read(None);
        assert!(!none.is_asked());
    }
}
