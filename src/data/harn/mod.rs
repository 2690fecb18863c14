//! Harn: an append-only event log, lock directories in a work tree, and a file of host leases.
//!
//! It has no heartbeat table and no fence counter: who is alive follows from messages, and a lock is distinguished by its
//! token and the instant it was taken.

pub mod act;
pub mod event;
pub mod fleet;
pub mod hosts;
pub mod ledger;
pub mod lockdir;
pub mod locks;
pub mod log;
pub mod message;
pub mod places;
pub mod process;
pub mod store;
pub mod system;
pub mod walk;

use crate::model::observation::ClockSample;
use crate::model::source::Aspect;

/// What an event log provides.
pub const OF_LOG: &[Aspect] =
    &[Aspect::Nodes, Aspect::Locks, Aspect::Waiters, Aspect::Messages, Aspect::Tasks, Aspect::Log, Aspect::Chain];

/// What each empty table means to Harn.
pub const WHY_EMPTY: &[(&str, &str)] = &[
    ("mesh_heartbeats", "lanes are seen in the heartbeats and messages of rooms; none were written"),
    ("lock directories", "no lock directory stands in the work tree"),
    ("host leases", "no machine is leased"),
];

/// Why nothing is done to an event log.
pub const LOG_CANNOT: &str = "the log is only added to, and what stands in it is signed by who wrote it";

/// Why a host lease is not released here.
pub const LEASES_CANNOT: &str = "a host lease is released by Harn's own command";

/// What people call it.
pub const NAME: &str = "Harn";

/// The clock of this machine, by which Harn writes and evaluates.
fn its_clock() -> ClockSample {
    ClockSample { offset_ms: crate::clock::set_ahead(), uncertainty_ms: 1 }
}
