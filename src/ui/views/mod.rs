//! How the views are drawn.

pub mod overview;
pub mod sources;
pub mod table;
