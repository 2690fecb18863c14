//! Fence tokens as they were seen, so that one that goes backwards is noticed whoever did it, and however
//! often a holder renewed. A record outlives its row: a deleted row restarts the count.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::clocks::SKEW;
use crate::model::action::OPERATOR_NODE;
use crate::model::encoding::{by_table, pairs};
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{Lock, LockTable};

/// The most locks that are remembered beyond those that are there; the ones that went first are forgotten first.
const MOST_GONE: usize = 20_000;
/// Changes that are kept of one lock.
const CHANGES: usize = 8;

/// What was seen of one lock's fence. There is one a lock, so what is rare stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fences {
    /// As it is now.
    pub fence: Option<i64>,
    /// That it went back, until it is past where it was.
    pub back: Option<Box<FenceReset>>,
    /// How often the holder that is there now was seen to renew.
    pub renewals: i64,
    /// When that was seen last, on the console's clock.
    pub renewed_ms: Option<Millis>,
    /// Holders in change, oldest first.
    pub changes: Vec<Held>,
    /// That the holder that is there now took it before the end of the one before.
    pub early: Option<Box<Early>>,
}

/// A lock that was taken over before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Early {
    /// On the console's clock.
    pub at_ms: Millis,
    /// Who had it.
    pub node: Text,
    /// For how much longer it was held then.
    pub left_ms: Millis,
}

/// A fence token that went backwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceReset {
    pub from: i64,
    pub to: i64,
    /// On the console's clock.
    pub at_ms: Millis,
    /// Who had the higher token.
    pub node: Text,
}

/// One holder, as it was first seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub at_ms: Millis,
    pub node: Text,
    pub agent: Text,
    pub fence: Option<i64>,
}

type Key = (LockTable, Text, Text);

/// The fences of one source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FenceHistory {
    /// By table and place there.
    #[serde(with = "by_table")]
    there: [Vec<Option<Arc<Fences>>>; LockTable::TABLES],
    /// Of locks whose rows went, and when each did, in change.
    #[serde(with = "pairs")]
    gone: HashMap<Key, (u64, Arc<Fences>), RandomState>,
    /// The same locks, the one that went first at the front. One that came back is in neither.
    left: BTreeMap<u64, Key>,
    change: u64,
}

impl FenceHistory {
    /// What was seen of the fence of the lock at a place.
    #[must_use]
    pub fn of(&self, table: usize, place: u32) -> Option<&Arc<Fences>> {
        self.there.get(table)?.get(place as usize)?.as_ref()
    }

    /// Notes what the row at a place was and is.
    pub fn note(&mut self, table: usize, place: u32, before: Option<&Lock>, after: Option<&Lock>, at_ms: Millis) {
        let Some(there) = self.there.get_mut(table) else { return };
        there.resize(there.len().max(place as usize + 1), None);
        let slot = &mut there[place as usize];
        match (before, after) {
            (_, Some(lock)) => {
                let fences = slot.get_or_insert_with(|| match self.gone.remove(&key(lock)) {
                    Some((change, fences)) => {
                        self.left.remove(&change);
                        fences
                    }
                    None => Arc::new(begin(lock, at_ms)),
                });
                note_one(Arc::make_mut(fences), lock, before, at_ms);
            }
            (Some(lock), None) => {
                if let Some(fences) = slot.take() {
                    self.change += 1;
                    if let Some((before, _)) = self.gone.insert(key(lock), (self.change, fences)) {
                        self.left.remove(&before);
                    }
                    self.left.insert(self.change, key(lock));
                }
                while self.left.len() > MOST_GONE {
                    let Some((_, key)) = self.left.pop_first() else { return };
                    self.gone.remove(&key);
                }
            }
            (None, None) => {}
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
        fence: lock.fence_token,
        back: None,
        renewals: 0,
        renewed_ms: None,
        changes: vec![held(lock, at_ms)],
        early: None,
    }
}

fn note_one(fences: &mut Fences, lock: &Lock, old: Option<&Lock>, at_ms: Millis) {
    // The fence of a seat begins anew with its mob.
    if let (Some(to), Some(from)) = (lock.fence_token, fences.fence)
        && lock.table != LockTable::Seat
    {
        if fences.back.as_ref().is_some_and(|back| to > back.from) {
            fences.back = None;
        }
        let highest = fences.back.as_ref().map_or(from, |back| back.from.max(from));
        if to < from {
            let node = fences.changes.last().map(|held| held.node.clone()).unwrap_or_default();
            fences.back = Some(Box::new(FenceReset { from: highest, to, at_ms, node }));
        }
    }
    fences.fence = lock.fence_token.or(fences.fence);
    let same = fences.changes.last().is_some_and(|h| h.node == lock.holder_node && h.agent == lock.holder_agent);
    if same {
        let rose = |old: &Lock| counts_takeovers(lock) && old.fence_token < lock.fence_token;
        let renewed = old.is_some_and(|old| rose(old) || old.expires_at_ms < lock.expires_at_ms);
        if renewed {
            fences.renewals += 1;
            fences.renewed_ms = Some(at_ms);
            // Whoever had it before renewed nothing meanwhile.
            fences.early = None;
        }
        return;
    }
    (fences.renewals, fences.renewed_ms) = (0, None);
    fences.early = old.and_then(|old| taken_early(old, lock, at_ms));
    fences.changes.push(held(lock, at_ms));
    let beyond = fences.changes.len().saturating_sub(CHANGES);
    fences.changes.drain(..beyond);
}

/// Whether its fence counts who took it. That of a claim counts every change of its item.
fn counts_takeovers(lock: &Lock) -> bool {
    lock.table.is_fenced()
}

/// A row whose fence token rose was taken over, not released and taken anew: that begins the count again. Both instants
/// are of one clock.
fn taken_early(old: &Lock, new: &Lock, at_ms: Millis) -> Option<Box<Early>> {
    let left_ms = old.expires_at_ms?.saturating_sub(new.acquired_at_ms?);
    let rose = counts_takeovers(new) && old.fence_token? < new.fence_token?;
    let by_operator = [old, new].iter().any(|lock| lock.holder_node == *OPERATOR_NODE);
    let taken = rose && !by_operator && !old.shared && !new.shared && left_ms > SKEW;
    taken.then(|| Box::new(Early { at_ms, node: old.holder_node.clone(), left_ms }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lock;

    fn seen(steps: &[(&str, i64)]) -> Fences {
        let mut history = FenceHistory::default();
        let mut before: Option<Lock> = None;
        for (at, (node, fence)) in (0..).zip(steps) {
            let mut row = lock("k", node, node, 0);
            row.fence_token = Some(*fence);
            let after = (*fence != 0).then_some(row);
            history.note(0, 0, before.as_ref(), after.as_ref(), at);
            before = after;
        }
        history.of(0, 0).expect("a record").as_ref().clone()
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
        assert_eq!(fences.back, Some(Box::new(FenceReset { from: 41, to: 1, at_ms: 2, node: "a".into() })));
        assert_eq!(seen(&[("a", 3), ("", 0), ("b", 1), ("b", 2), ("b", 4)]).back, None, "it caught up");
        assert_eq!(seen(&[("a", 41), ("", 0), ("b", 42)]).back, None);
    }

    #[test]
    fn a_lock_that_is_taken_before_its_end_is_noticed() {
        let taken = |left: i64, node: &str, fence: i64| {
            let mut history = FenceHistory::default();
            let old = lock("k", "a", "1", left);
            let mut new = lock("k", node, "2", 600_000);
            (new.fence_token, new.acquired_at_ms) = (Some(fence), Some(crate::testing::NOW));
            history.note(0, 0, None, Some(&old), 1);
            history.note(0, 0, Some(&old), Some(&new), 2);
            history.of(0, 0).and_then(|fences| fences.early.clone())
        };
        let mut items = FenceHistory::default();
        let claim = |node: &str, fence| {
            let mut lock = lock("k", node, "1", 60_000);
            (lock.table, lock.fence_token, lock.acquired_at_ms) =
                (LockTable::Claim, Some(fence), Some(crate::testing::NOW));
            lock
        };
        items.note(0, 0, None, Some(&claim("a", 2)), 1);
        items.note(0, 0, Some(&claim("a", 2)), Some(&claim("a", 3)), 2);
        items.note(0, 0, Some(&claim("a", 3)), Some(&claim("b", 5)), 3);
        let of = items.of(0, 0).unwrap();
        assert_eq!((&of.early, of.renewals), (&None, 0), "the item was released between, and taken anew");
        assert_eq!(taken(60_000, "b", 8), Some(Box::new(Early { at_ms: 2, node: "a".into(), left_ms: 60_000 })));
        assert_eq!(taken(-1_000, "b", 8), None, "it had run out");
        assert_eq!(taken(60_000, "b", 1), None, "it was released, and taken anew");
        assert_eq!(taken(60_000, OPERATOR_NODE, 8), None, "an operator says so elsewhere");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut history = FenceHistory::default();
        for i in 0..MOST_GONE + 10 {
            let row = lock(&format!("{i}"), "n", "1", 0);
            history.note(0, 0, None, Some(&row), 0);
            history.note(0, 0, Some(&row), None, 1);
        }
        assert_eq!((history.gone.len(), history.left.len()), (MOST_GONE, MOST_GONE));
        // One that comes and goes all the time takes no more room than one that went once.
        let mut busy = FenceHistory::default();
        let row = lock("k", "n", "1", 0);
        for at in 0..100 {
            busy.note(0, 0, None, Some(&row), at);
            assert_eq!((busy.gone.len(), busy.left.len()), (0, 0));
            busy.note(0, 0, Some(&row), None, at);
            assert_eq!((busy.gone.len(), busy.left.len()), (1, 1));
        }
        let mut again = lock(&format!("{}", MOST_GONE + 9), "n", "1", 0);
        again.fence_token = Some(1);
        history.note(0, 0, None, Some(&again), 2);
        assert!(history.of(0, 0).is_some_and(|fences| fences.back.is_some()), "the last ones are remembered");
    }
}
