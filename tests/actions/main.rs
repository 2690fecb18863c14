//! Actions on databases and control planes: from the command line, evacuations, what earlier attempts left, races.

mod commands;
mod evacuation;
mod races;
mod recovery;
#[path = "../support/mod.rs"]
mod support;
