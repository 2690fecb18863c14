//! Harn: the event log, lock directories, host leases.

mod lock_directories;
mod projects;
#[path = "../support/mod.rs"]
mod support;
