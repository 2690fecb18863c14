//! Meerkat: realms on disk, as versions 0.6 and 0.9 write them.

mod fixture;
mod realms;
mod rpc;
#[path = "../support/mod.rs"]
mod support;
