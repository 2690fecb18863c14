//! What an operator does: plans, and carrying them out.

pub mod executor;
pub mod plan;
pub mod run;
