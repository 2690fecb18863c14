//! The command line: commands, exit codes, documents, secrets, and cases that went wrong once.

mod cases;
mod commands;
mod compatibility;
mod documents;
mod recordings;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
