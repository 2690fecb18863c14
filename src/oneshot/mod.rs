//! Commands that poll once and print.

pub mod act;
pub mod check;
pub mod json;
pub mod observe;
pub mod table;
