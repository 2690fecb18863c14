//! The service for machines: metrics, documents, answers, events, over real HTTP on loopback.

mod agents;
mod documents;
mod requests;
mod shipped;
#[path = "../support/mod.rs"]
mod support;
mod watch;
