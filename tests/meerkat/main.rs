//! Meerkat: realms on disk, as versions 0.6 and 0.9 write them.

mod acting;
mod fixture;
mod realms;
mod rpc;
mod served;
#[path = "../support/mod.rs"]
mod support;
