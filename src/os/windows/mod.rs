//! Windows.

pub mod disk;
pub mod file;
pub mod process;
pub mod signals;
pub mod terminal;
pub mod time;
