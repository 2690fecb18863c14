//! What an operator does: plans, and carrying them out.

pub mod hand;
pub mod plan;
pub mod run;
