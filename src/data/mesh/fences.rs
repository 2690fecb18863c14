//! Fence tokens as they were seen, so that one that goes backwards is noticed whoever did it, and however
//! often a holder renewed. A record outlives its row: a deleted row restarts the count.

use std::collections::HashMap;
use std::sync::Arc;

use crate::data::model::{Lock, LockTable};
use crate::text::Text;
use crate::time::Millis;

/// The most locks that are remembered; the ones changed longest ago go first.
const MOST: usize = 50_000;
/// Changes that are kept of one lock.
const CHANGES: usize = 8;

/// What was seen of one lock's fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fences {
    pub highest: i64,
    /// The last time it went back: from, to, and when on the console's clock.
    pub back: Option<(i64, i64, Millis)>,
    /// How often the holder that is there now was seen to renew.
    pub renewals: i64,
    /// Holders in turn, oldest first.
    pub changes: Vec<Held>,
}

/// One holder, as it was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub at_ms: Millis,
    pub node: Text,
    pub agent: Text,
    pub fence: Option<i64>,
}

type Key = (LockTable, Text, Text);

/// The fences of one source.
#[derive(Debug, Clone, Default)]
pub struct FenceBook(Arc<HashMap<Key, Fences>>);

impl FenceBook {
    /// What was seen of a lock's fence.
    #[must_use]
    pub fn of(&self, lock: &Lock) -> Option<&Fences> {
        self.0.get(&key(lock))
    }

    /// Notes what changed between two looks at a table.
    pub fn note(&mut self, before: &[Lock], after: &[Lock], at_ms: Millis) {
        let known: HashMap<Key, &Lock> = before.iter().map(|lock| (key(lock), lock)).collect();
        let book = Arc::make_mut(&mut self.0);
        for lock in after {
            let key = key(lock);
            let old = known.get(&key);
            if old.is_some_and(|old| *old == lock) && book.contains_key(&key) {
                continue;
            }
            note_one(book.entry(key).or_insert_with(|| begin(lock, at_ms)), lock, old.copied(), at_ms);
        }
        if book.len() > MOST {
            let mut ages: Vec<Millis> = book.values().map(last_change).collect();
            ages.sort_unstable();
            let oldest = ages[book.len() - MOST / 2];
            book.retain(|_, fences| last_change(fences) >= oldest);
        }
    }
}

fn key(lock: &Lock) -> Key {
    (lock.table, lock.lock_key.clone(), lock.repository_id.clone())
}

fn held(lock: &Lock, at_ms: Millis) -> Held {
    Held { at_ms, node: lock.holder_node.clone(), agent: lock.holder_agent.clone(), fence: lock.fence_token }
}

fn begin(lock: &Lock, at_ms: Millis) -> Fences {
    Fences {
        highest: lock.fence_token.unwrap_or(i64::MIN),
        back: None,
        renewals: 0,
        changes: vec![held(lock, at_ms)],
    }
}

fn note_one(fences: &mut Fences, lock: &Lock, old: Option<&Lock>, at_ms: Millis) {
    if let Some(fence) = lock.fence_token {
        if fence < fences.highest {
            fences.back = Some((fences.highest, fence, at_ms));
        }
        // What is there now is what counts from here on: one step back is told once.
        fences.highest = fence;
    }
    let same = fences.changes.last().is_some_and(|h| h.node == lock.holder_node && h.agent == lock.holder_agent);
    if same {
        let renewed = old.is_some_and(|old| {
            old.fence_token < lock.fence_token || old.expires_at_ms < lock.expires_at_ms
        });
        fences.renewals += i64::from(renewed);
        return;
    }
    fences.renewals = 0;
    fences.changes.push(held(lock, at_ms));
    let beyond = fences.changes.len().saturating_sub(CHANGES);
    fences.changes.drain(..beyond);
}

fn last_change(fences: &Fences) -> Millis {
    fences.changes.last().map_or(0, |held| held.at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lock;

    fn seen(steps: &[(&str, i64)]) -> Fences {
        let mut book = FenceBook::default();
        let mut before: Vec<Lock> = Vec::new();
        for (at, (node, fence)) in (0..).zip(steps) {
            let mut row = lock("k", node, node, 0);
            row.fence_token = Some(*fence);
            let after = if *fence == 0 { Vec::new() } else { vec![row] };
            book.note(&before, &after, at);
            before = after;
        }
        book.of(&lock("k", "", "", 0)).cloned().expect("a record")
    }

    #[test]
    fn a_renewal_is_counted_and_a_new_holder_begins_anew() {
        assert_eq!(seen(&[("a", 1), ("a", 2), ("a", 3)]).renewals, 2);
        let fences = seen(&[("a", 1), ("a", 2), ("b", 3)]);
        assert_eq!((fences.renewals, fences.changes.len(), fences.back), (0, 2, None));
    }

    #[test]
    fn a_count_that_restarts_after_a_deletion_is_noticed() {
        let fences = seen(&[("a", 41), ("", 0), ("b", 1)]);
        assert_eq!(fences.back, Some((41, 1, 2)));
        assert_eq!(seen(&[("a", 41), ("", 0), ("b", 42)]).back, None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut book = FenceBook::default();
        for batch in 0..6i64 {
            let rows: Vec<Lock> = (0..10_000).map(|i| lock(&format!("{batch}-{i}"), "n", "1", 0)).collect();
            book.note(&[], &rows, batch);
        }
        assert!(book.0.len() <= MOST);
        assert!(book.of(&lock("5-9", "n", "1", 0)).is_some(), "the newest stay");
    }
}
