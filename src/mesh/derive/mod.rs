//! Facts into judgements. Pure: no IO, no clock; the instant is an argument.

mod agenda;
pub mod chain;
mod context;
pub mod finding;
pub mod findings;
pub mod graph;
mod holds;
mod homes;
mod judge;
pub mod leases;
pub mod locks;
pub mod messages;
pub mod nodes;
mod notes;
pub mod only;
pub mod picture;
pub mod queues;
mod requests;
pub mod resource;
pub mod rules;
pub mod scope;
pub mod sources;
pub mod staleness;
pub mod tasks;
mod thresholds;

pub use self::judge::Judge;
pub use self::picture::{Counts, Marked, Picture, Stuck};
pub use self::thresholds::Thresholds;
use crate::mesh::Watch;
use crate::model::time::Millis;

/// Judges a mesh at an instant, from scratch.
#[must_use]
pub fn derive(watch: &Watch, now_ms: Millis, thresholds: &Thresholds, interval_ms: Millis) -> Picture {
    Judge::default().judge(watch, &watch.everything(), now_ms, thresholds, interval_ms)
}

#[cfg(test)]
mod tests;
