//! Locks: held, expiring, expired or orphaned, with who waits.

use std::collections::HashMap;
use std::sync::Arc;

use strum::{Display, EnumIter, IntoStaticStr};

use super::queues::{Waiter, Waiters};
use super::sources::SourceView;
use super::staleness::Staleness;
use super::{Liveness, Thresholds};
use crate::data::action::{OPERATOR_AGENT, OPERATOR_NODE};
use crate::data::mesh::Mesh;
use crate::data::mesh::fences::Fences;
use crate::data::model::Lock;
use crate::text::Text;
use crate::time::Millis;

/// The state of a lock, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum LockState {
    Held,
    /// Within 20 % of its TTL, or 5 s.
    Expiring,
    /// Past its end, but the row is still there: older clients stay blocked until somebody sweeps it.
    Expired,
    /// Its holder is critical or dead.
    Orphaned,
    /// Its end cannot be read.
    Unknown,
}

/// One lock, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct LockView {
    pub lock: Lock,
    /// Where it was read.
    pub source: Text,
    pub state: LockState,
    pub holder_staleness: Staleness,
    /// On the console's clock.
    pub acquired_ms: Option<Millis>,
    /// On the console's clock.
    pub expires_ms: Option<Millis>,
    pub waiters: Vec<Waiter>,
    /// What was seen of its fence token since the console watches.
    pub fences: Option<Arc<Fences>>,
    /// Set where the source is old.
    pub as_of_ms: Option<Millis>,
}

impl LockView {
    /// What is left of it, in ms; negative once it is over.
    #[must_use]
    pub fn ttl_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.expires_ms.map(|at| at - self.as_of_ms.unwrap_or(now_ms))
    }

    /// How long it has been held, in ms.
    #[must_use]
    pub fn held_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.acquired_ms.map(|at| self.as_of_ms.unwrap_or(now_ms) - at)
    }

    /// The first in the queue that is not on a node that is gone.
    #[must_use]
    pub fn next_in_line(&self, picture: &super::Picture) -> Option<&Waiter> {
        self.waiters.iter().find(|w| !picture.agent_staleness(&w.agent).is_gone())
    }

    /// Whether an operator holds it, after fencing it off.
    #[must_use]
    pub fn is_operators(&self) -> bool {
        self.lock.holder_node.raw().starts_with(OPERATOR_NODE) && self.lock.holder_agent == OPERATOR_AGENT
    }

    /// A name that stays while the lock does: table, repository and key.
    #[must_use]
    pub fn key(&self) -> String {
        format!(
            "{}\u{1}{}\u{1}{}\u{1}{}",
            self.source.raw(),
            self.lock.table,
            self.lock.repository_id.raw(),
            self.lock.lock_key.raw()
        )
    }
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
    let left = expires - now;
    if left <= 0 {
        return LockState::Expired;
    }
    if holder.is_gone() {
        return LockState::Orphaned;
    }
    let ttl = acquired.map_or(0, |at| (expires - at).max(0));
    if left <= margin.max(ttl / 5) { LockState::Expiring } else { LockState::Held }
}

/// Judges every lock.
pub(super) fn judge(
    mesh: &Mesh,
    sources: &[SourceView],
    now_ms: Millis,
    thresholds: &Thresholds,
    liveness: &Liveness,
    waiters: &Waiters,
) -> Vec<LockView> {
    let mut repositories: HashMap<&str, (&Text, bool)> = HashMap::new();
    // Only names that somebody waits for can be mistaken.
    let all = mesh.sources.iter().flat_map(|s| s.facts.locks.iter()).flat_map(|table| table.iter());
    for lock in all.filter(|lock| waiters.names_any(lock)) {
        let (first, alone) =
            repositories.entry(waiters.canonical(lock.lock_key.raw())).or_insert((&lock.repository_id, true));
        *alone &= *first == &lock.repository_id;
    }
    let alone = |lock: &Lock| repositories.get(waiters.canonical(lock.lock_key.raw())).is_none_or(|(_, alone)| *alone);
    let mut views = Vec::new();
    for (source, view) in mesh.sources.iter().zip(sources) {
        for lock in source.facts.locks.iter().flat_map(|table| table.iter()) {
            let holder = liveness.node(&lock.holder_node);
            let acquired_ms = lock.acquired_at_ms.map(|ms| source.to_console(ms));
            let expires_ms = lock.expires_at_ms.map(|ms| source.to_console(ms));
            views.push(LockView {
                state: state(acquired_ms, expires_ms, view.at(now_ms), holder, thresholds.expiring_ms),
                waiters: waiters.of(lock, acquired_ms, alone(lock)),
                fences: source.facts.fences.of(lock).cloned(),
                lock: lock.clone(),
                source: source.identity.name.clone(),
                holder_staleness: holder,
                acquired_ms,
                expires_ms,
                as_of_ms: view.as_of_ms,
            });
        }
    }
    views
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
            let judged = state(Some(acquired), Some(acquired + ttl), now, Staleness::Healthy, 5_000);
            prop_assert_eq!(judged == LockState::Expired, now >= acquired + ttl);
        }
    }
}
