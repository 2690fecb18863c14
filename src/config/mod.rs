//! Configuration: defaults < file < environment < flags, each value with its origin.
//!
//! A mesh that is asked for by name outranks the environment: its name is a flag.

pub mod address;
pub mod environment;
pub mod file;
pub mod keys;
pub mod layers;
pub mod locate;
pub mod token;

pub use self::layers::{Layers, Origin};

/// A configuration that cannot be used: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}; {todo}")]
pub struct ConfigError {
    pub place: String,
    pub what: String,
    pub todo: String,
}

impl ConfigError {
    /// A mistake at a place.
    pub fn new(place: impl ToString, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { place: place.to_string(), what: what.into(), todo: todo.into() }
    }
}
