//! Vox: databases, copies of files, Hrana, the control plane, TLS.

mod control_plane;
mod files;
mod following;
mod remote;
mod schemas;
#[path = "../support/mod.rs"]
mod support;
mod tls;
