//! Recordings: what the console knew, written down as it changed, and played again.
//!
//! Reports are recorded, and when the mesh was evaluated. Snapshots are made of them anew, by the same code. Only the lives of
//! findings are written down as they were, since they rest on everything that was before.

pub mod cut;
pub mod frame;
pub mod line;
pub mod pack;
pub mod playback;
pub mod recorder;
pub mod redact;
pub mod ring;
pub mod tape;

#[cfg(test)]
mod tests;
