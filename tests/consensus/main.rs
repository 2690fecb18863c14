//! Consensus groups: a cluster that answers as etcd does, and published documents.

mod cluster;
mod documents;
#[path = "../support/mod.rs"]
mod support;
