//! Facts into results. Pure: no IO, no clock; the instant is an argument.

pub mod agents;
pub mod chain;
mod context;
mod evaluator;
pub mod finding;
pub mod findings;
pub mod graph;
pub mod groups;
mod holds;
pub mod leases;
pub mod locks;
pub mod messages;
pub mod nodes;
mod notes;
pub mod only;
pub mod queues;
mod requests;
pub mod resource;
pub mod rules;
pub mod scope;
mod slot_map;
pub mod snapshot;
pub mod sources;
pub mod staleness;
pub mod tasks;
mod thresholds;
mod timer_queue;

pub use self::thresholds::Thresholds;
use crate::mesh::MeshState;
pub use crate::mesh::derive::evaluator::Evaluator;
pub use crate::mesh::derive::snapshot::{Counts, Marked, Snapshot, Stuck};
use crate::model::time::Millis;

/// Evaluates a mesh at an instant, from scratch.
#[must_use]
pub fn derive(watch: &MeshState, now_ms: Millis, thresholds: &Thresholds, interval_ms: Millis) -> Snapshot {
    Evaluator::default().evaluate(watch, &watch.everything(), now_ms, thresholds, interval_ms)
}

#[cfg(test)]
mod tests;
