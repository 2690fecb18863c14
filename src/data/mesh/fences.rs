//! Fence tokens as they were seen, so that one that goes backwards is noticed whoever did it, and however
//! often a holder renewed. A record outlives its row: a deleted row restarts the count.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

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
    /// As it is now.
    pub fence: Option<i64>,
    /// That it went back, until it is past where it was.
    pub back: Option<Back>,
    /// How often the holder that is there now was seen to renew.
    pub renewals: i64,
    /// When that was seen last, on the console's clock.
    pub renewed_ms: Option<Millis>,
    /// Holders in turn, oldest first.
    pub changes: Vec<Held>,
}

/// A fence token that went backwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    pub from: i64,
    pub to: i64,
    /// On the console's clock.
    pub at_ms: Millis,
    /// Who had the higher token.
    pub node: Text,
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
pub struct FenceBook(Arc<HashMap<Key, Arc<Fences>, RandomState>>);

impl FenceBook {
    /// What was seen of a lock's fence.
    #[must_use]
    pub fn of(&self, lock: &Lock) -> Option<&Arc<Fences>> {
        self.0.get(&key(lock))
    }

    /// Notes what changed between two looks at a table.
    pub fn note(&mut self, before: &[Lock], after: &[Lock], at_ms: Millis) {
        let known: HashMap<Key, &Lock, RandomState> = before.iter().map(|lock| (key(lock), lock)).collect();
        let book = Arc::make_mut(&mut self.0);
        for lock in after {
            let key = key(lock);
            let old = known.get(&key);
            if old.is_some_and(|old| *old == lock) && book.contains_key(&key) {
                continue;
            }
            let fences = book.entry(key).or_insert_with(|| Arc::new(begin(lock, at_ms)));
            note_one(Arc::make_mut(fences), lock, old.copied(), at_ms);
        }
        if book.len() > MOST {
            let mut ages: Vec<Millis> = book.values().map(|fences| last_change(fences)).collect();
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
    Fences { fence: lock.fence_token, back: None, renewals: 0, renewed_ms: None, changes: vec![held(lock, at_ms)] }
}

fn note_one(fences: &mut Fences, lock: &Lock, old: Option<&Lock>, at_ms: Millis) {
    if let (Some(to), Some(from)) = (lock.fence_token, fences.fence) {
        if fences.back.as_ref().is_some_and(|back| to > back.from) {
            fences.back = None;
        }
        let highest = fences.back.as_ref().map_or(from, |back| back.from.max(from));
        if to < from {
            let node = fences.changes.last().map(|held| held.node.clone()).unwrap_or_default();
            fences.back = Some(Back { from: highest, to, at_ms, node });
        }
    }
    fences.fence = lock.fence_token.or(fences.fence);
    let same = fences.changes.last().is_some_and(|h| h.node == lock.holder_node && h.agent == lock.holder_agent);
    if same {
        let renewed =
            old.is_some_and(|old| old.fence_token < lock.fence_token || old.expires_at_ms < lock.expires_at_ms);
        if renewed {
            fences.renewals += 1;
            fences.renewed_ms = Some(at_ms);
        }
        return;
    }
    (fences.renewals, fences.renewed_ms) = (0, None);
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
        book.of(&lock("k", "", "", 0)).expect("a record").as_ref().clone()
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
        assert_eq!(fences.back, Some(Back { from: 41, to: 1, at_ms: 2, node: "a".into() }));
        assert_eq!(seen(&[("a", 3), ("", 0), ("b", 1), ("b", 2), ("b", 4)]).back, None, "it caught up");
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
