//! Reusable pieces.

pub mod big;
pub mod chain;
pub mod heatmap;
pub mod scrollbar;
pub mod sparkline;
