//! The lease of a process that serves a realm: the only heartbeat there is. Pure.

use serde::Deserialize;

use crate::model::text::Text;
use crate::model::time::{Millis, SECOND, plausible};
use crate::model::{Heartbeat, Patience};

/// A lease is rewritten every 5 s, in whole seconds, and stale when it is older than 30 s.
pub const SILENCE: Millis = 36 * SECOND;
const GRACE: Millis = 30 * SECOND;

/// Bytes of a lease that are read at most.
pub const MOST_BYTES: u64 = 64 << 10;

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lease {
    pub instance_id: String,
    #[serde(default)]
    pub surface: String,
    #[serde(default)]
    pub pid: i64,
    /// Unix seconds.
    pub started_at: i64,
    /// Unix seconds.
    pub heartbeat_at: i64,
}

impl Lease {
    /// Reads a file; one that is caught while it is written is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Its last heartbeat; nothing where it cannot be an instant.
    #[must_use]
    pub fn heartbeat_ms(&self) -> Option<Millis> {
        self.heartbeat_at.checked_mul(SECOND).filter(|at| plausible(*at))
    }

    /// Whether its process is alive; nothing where its heartbeat is none, or lies in the future.
    #[must_use]
    pub fn is_live(&self, now_ms: Millis) -> Option<bool> {
        let age = now_ms.saturating_sub(self.heartbeat_ms()?);
        (age > -SILENCE).then_some(age < SILENCE)
    }

    /// Whether its process was alive after another one had started: one that was killed just before was not.
    #[must_use]
    pub fn outlives(&self, other: &Self) -> bool {
        self.instance_id == other.instance_id || self.heartbeat_at > other.started_at
    }

    /// The process, once for each agent that it runs.
    #[must_use]
    pub fn heartbeat(&self, realm: &Text, agent: Text) -> Heartbeat {
        let surface = if self.surface.is_empty() { "process" } else { &self.surface };
        Heartbeat {
            node_id: Text::new(&self.instance_id),
            agent_id: agent,
            last_seen_ms: self.heartbeat_ms(),
            activity: format!("{surface}, pid {}", self.pid).into(),
            repository_id: realm.clone(),
            patience: Some(Patience { silence_ms: SILENCE, grace_ms: GRACE }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DESK: &str = r#"{"realm_id":"team","instance_id":"desk-1","surface":"rkat-rpc","pid":25169,
        "started_at":1795646666,"heartbeat_at":1795646871}"#;

    #[test]
    fn a_lease_is_a_heartbeat_in_seconds() {
        let lease = Lease::read(DESK.as_bytes()).unwrap();
        let beat = lease.heartbeat(&"team".into(), "atlas/lead-1".into());
        assert_eq!((beat.node_id.raw(), beat.last_seen_ms), ("desk-1", Some(1_795_646_871_000)));
        let after = |seconds| lease.is_live(1_795_646_871_000 + seconds * SECOND);
        assert_eq!([after(35), after(36), after(-36)], [Some(true), Some(false), None]);
        for cut in 1..DESK.len() {
            assert_eq!(Lease::read(&DESK.as_bytes()[..cut]), None, "caught in the middle of a write");
        }
        let future = Lease { heartbeat_at: i64::MAX, ..lease };
        assert_eq!((future.heartbeat_ms(), future.is_live(0)), (None, None));
    }

    #[test]
    fn a_process_that_was_killed_before_another_one_started_does_not_serve_beside_it() {
        let first = Lease::read(DESK.as_bytes()).unwrap();
        let second = |started_at| Lease { instance_id: "desk-2".into(), started_at, ..first.clone() };
        assert!(!first.outlives(&second(first.heartbeat_at + 3)) && first.outlives(&second(first.heartbeat_at - 3)));
        assert!(first.outlives(&first));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_lease_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
            let _ = Lease::read(&bytes).map(|lease| lease.is_live(now));
        }
    }
}
