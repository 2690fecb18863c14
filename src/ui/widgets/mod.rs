//! Reusable pieces.

pub mod heatmap;
pub mod scrollbar;
pub mod sparkline;
