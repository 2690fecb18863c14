//! Vox mens: its coordination tables in libSQL, and its control plane over HTTP.

pub mod act;
pub mod backend;
pub mod connector;
pub mod control_plane;
pub mod db;
pub mod file_copy;
pub mod hrana;
pub mod pages;
pub mod places;
pub mod queries;
pub mod reader;
pub mod registry;
pub mod row;
pub mod schema;
pub mod system;
pub mod tables;
pub mod trackers;
mod witness;

/// What people call it.
pub const NAME: &str = "Vox";
