//! The built program in a pty: keys, signals, stories, alarms, several meshes.

mod alarms;
mod meshes;
mod past;
mod shaping;
mod stories;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
