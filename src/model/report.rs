//! What became of one poll of one source.

use super::observation::Observation;
use super::source::Fault;
use super::time::Millis;
use serde::{Deserialize, Serialize};

/// What a poller tells the mesh, in order.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    Observed { source: usize, at_ms: Millis, observation: Box<Observation> },
    Failed { source: usize, at_ms: Millis, fault: Fault, state: State, retry_at_ms: Millis },
}

/// How a source is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// The last try succeeded, or none was made yet.
    Closed,
    /// Failing, and tried again with growing delays.
    BackingOff { failures: u32 },
    /// Failing for so long that it is left alone but for one probe every 30 s.
    Open { failures: u32 },
}
