//! Locks: held, expiring, expired or orphaned, with who waits.

use std::sync::Arc;

use strum::{Display, EnumIter, IntoStaticStr};

use super::context::EvalContext;
use super::queues::Waiter;
use super::staleness::Staleness;
use crate::mesh::fences::Fences;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{Condition, Left, Lock, LockTable};

/// The state of a lock, worst last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum LockState {
    Held,
    /// Within 20 % of its TTL, or 5 s.
    Expiring,
    /// Past its end, but the row is still there: older clients stay blocked until somebody sweeps it.
    Expired,
    /// Its holder is critical or dead.
    Orphaned,
    /// Somebody is about to break it.
    Breaking,
    /// It is taken, and nothing says by whom.
    Unrecorded,
    /// What should say by whom cannot be read.
    Malformed,
    /// What an ended breaker left keeps everybody out.
    #[strum(serialize = "locked out")]
    LockedOut,
    /// Its end cannot be read.
    Unknown,
}

impl LockState {
    /// The state that a condition puts a lock in, whatever the time.
    #[must_use]
    pub fn of(condition: Condition) -> Option<Self> {
        match condition {
            Condition::Unrecorded => Some(Self::Unrecorded),
            Condition::Malformed => Some(Self::Malformed),
            Condition::Breaking => Some(Self::Breaking),
            Condition::LockedOut => Some(Self::LockedOut),
            Condition::OpenEnded => Some(Self::Held),
            Condition::OwnerDead => Some(Self::Orphaned),
            Condition::Contested => None,
        }
    }
}

/// One lock, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct LockView {
    pub lock: Arc<Lock>,
    /// Where it was read.
    pub source: Text,
    pub state: LockState,
    pub holder_staleness: Staleness,
    /// On the console's clock.
    pub acquired_ms: Option<Millis>,
    /// On the console's clock.
    pub expires_ms: Option<Millis>,
    /// How long it lasts at least, on the console's clock.
    pub left: Option<Left>,
    pub waiters: Arc<[Waiter]>,
    /// Whether another repository has a lock of this name.
    pub in_several: bool,
    /// What was seen of its fence token since the console watches.
    pub fences: Option<Arc<Fences>>,
    /// Set where the source is old.
    pub as_of_ms: Option<Millis>,
}

impl LockView {
    /// Whether another result says the same of the same row.
    pub(super) fn same(&self, other: &Self) -> bool {
        let fences = |view: &Self| view.fences.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.lock, &other.lock)
            && fences(self) == fences(other)
            && self.in_several == other.in_several
            && (self.state, self.holder_staleness, self.acquired_ms, self.expires_ms, self.as_of_ms)
                == (other.state, other.holder_staleness, other.acquired_ms, other.expires_ms, other.as_of_ms)
            && (Arc::ptr_eq(&self.waiters, &other.waiters) || self.waiters == other.waiters)
    }

    /// What is left at least of a lease whose renewals nobody sees; nothing once that has passed, or where its end is known.
    #[must_use]
    pub fn least_left(&self, now_ms: Millis) -> Option<Millis> {
        let left = self.left?;
        Some(left.at_least(self.as_of_ms.unwrap_or(now_ms))).filter(|ms| *ms > 0)
    }

    /// Since when this console sees this hold, where nothing tells since when it is.
    #[must_use]
    pub fn seen_since_ms(&self) -> Option<Millis> {
        let fences = self.fences.as_ref().filter(|_| self.acquired_ms.is_none())?;
        fences.changes.last().map(|held| held.at_ms)
    }

    /// What people call it: with its repository where the key alone does not tell it from another.
    #[must_use]
    pub fn name(&self) -> Text {
        let lock = &self.lock;
        if self.in_several {
            format!("{} in {}", lock.lock_key, lock.repository_id).into()
        } else {
            lock.lock_key.clone()
        }
    }

    /// The oldest of those who wait longer than is good.
    pub fn starving(&self, starved_ms: Millis, now_ms: Millis) -> impl Iterator<Item = &Waiter> {
        let now_ms = self.as_of_ms.unwrap_or(now_ms);
        self.waiters.iter().filter(move |w| w.since_ms.is_some_and(|at| now_ms - at > starved_ms))
    }

    /// Whether as many starve now as at the last evaluation.
    pub(super) fn starves_between(&self, before: Option<&Self>, context: &EvalContext<'_>) -> bool {
        let starved_ms = context.thresholds.starved_ms;
        let then = context.before_ms.unwrap_or(context.now_ms);
        let n = |view: &Self, at| view.starving(starved_ms, at).count();
        before.is_some_and(|before| !self.waiters.is_empty() && n(before, then) != n(self, context.now_ms))
    }

    /// What is left of it, in ms; negative once it is over.
    #[must_use]
    pub fn ttl_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.expires_ms.map(|at| at.saturating_sub(self.as_of_ms.unwrap_or(now_ms)))
    }

    /// Since when the first of its waiters waits.
    #[must_use]
    pub fn first_wait_ms(&self) -> Option<Millis> {
        self.waiters.iter().filter_map(|w| w.since_ms).min()
    }

    /// The longest of the waits for it, in ms.
    #[must_use]
    pub fn longest_wait_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.first_wait_ms().map(|since| self.as_of_ms.unwrap_or(now_ms) - since)
    }

    /// How long it has been held, in ms.
    #[must_use]
    pub fn held_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.acquired_ms.map(|at| self.as_of_ms.unwrap_or(now_ms).saturating_sub(at))
    }

    /// A name that stays while the lock does: table, repository and key.
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.source, self.lock.table, &self.lock.repository_id, &self.lock.lock_key)
    }
}

/// The key of a lock's view.
#[must_use]
pub fn key(source: &Text, table: LockTable, repository_id: &Text, lock_key: &Text) -> String {
    format!("{}\u{1}{table}\u{1}{}\u{1}{}", source.raw(), repository_id.raw(), lock_key.raw())
}

/// The state of a lock at an instant.
#[must_use]
pub fn state(
    acquired: Option<Millis>,
    expires: Option<Millis>,
    now: Millis,
    holder: Staleness,
    margin: Millis,
) -> LockState {
    let Some(expires) = expires else {
        return if holder.is_gone() { LockState::Orphaned } else { LockState::Unknown };
    };
    let left = expires.saturating_sub(now);
    if left <= 0 {
        return LockState::Expired;
    }
    if holder.is_gone() {
        return LockState::Orphaned;
    }
    let ttl = acquired.map_or(0, |at| expires.saturating_sub(at).max(0));
    if left <= margin.max(ttl / 5) { LockState::Expiring } else { LockState::Held }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[rstest::rstest]
    #[case(Some(0), Some(30_000), 1_000, Staleness::Healthy, LockState::Held)]
    #[case(Some(0), Some(30_000), 24_000, Staleness::Healthy, LockState::Expiring)]
    #[case(Some(0), Some(10_000), 5_000, Staleness::Healthy, LockState::Expiring)]
    #[case(Some(0), Some(30_000), 30_000, Staleness::Healthy, LockState::Expired)]
    #[case(Some(0), Some(30_000), 1_000, Staleness::Dead, LockState::Orphaned)]
    #[case(Some(0), Some(30_000), 31_000, Staleness::Dead, LockState::Expired)]
    #[case(None, Some(30_000), 1_000, Staleness::Unknown, LockState::Held)]
    #[case(Some(0), None, 1_000, Staleness::Healthy, LockState::Unknown)]
    #[case(Some(0), None, 1_000, Staleness::Critical, LockState::Orphaned)]
    fn states(
        #[case] acquired: Option<Millis>,
        #[case] expires: Option<Millis>,
        #[case] now: Millis,
        #[case] holder: Staleness,
        #[case] expected: LockState,
    ) {
        assert_eq!(state(acquired, expires, now, holder, 5_000), expected);
    }

    proptest! {
        #[test]
        fn an_expired_lock_is_never_called_held(acquired in 0i64..1_000_000, ttl in 0i64..1_000_000, now in 0i64..3_000_000) {
            let evaluated = state(Some(acquired), Some(acquired + ttl), now, Staleness::Healthy, 5_000);
            prop_assert_eq!(evaluated == LockState::Expired, now >= acquired + ttl);
        }
    }
}
