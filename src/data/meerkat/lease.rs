//! The lease of a process that serves a realm: the only heartbeat there is. Pure.

use serde::Deserialize;

use crate::model::text::Text;
use crate::model::time::{Millis, SECOND, plausible};
use crate::model::{Heartbeat, Patience};

/// A lease is rewritten every 5 s, in whole seconds, and stale when it is older than 30 s.
const SILENCE: Millis = 36 * SECOND;
const GRACE: Millis = 30 * SECOND;
/// By Meerkat's own rule it is stale from here on.
pub const STALE: Millis = 31 * SECOND;

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

    /// Whether its process is alive, as Meerkat tells it.
    #[must_use]
    pub fn is_live(&self, now_ms: Millis) -> bool {
        self.heartbeat_ms().is_some_and(|at| now_ms.saturating_sub(at) < STALE)
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
        assert!(lease.is_live(1_795_646_871_000 + 30 * SECOND) && !lease.is_live(1_795_646_871_000 + 31 * SECOND));
        for cut in 1..DESK.len() {
            assert_eq!(Lease::read(&DESK.as_bytes()[..cut]), None, "caught in the middle of a write");
        }
        let future = Lease { heartbeat_at: i64::MAX, ..lease };
        assert_eq!(future.heartbeat_ms(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_lease_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
            let _ = Lease::read(&bytes).map(|lease| lease.is_live(now));
        }
    }
}
