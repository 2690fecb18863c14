//! A control plane in memory.

use std::sync::{Arc, Mutex};

use axum::Router;
use lockkeeper::clock::wall_clock;
use lockkeeper::demo::vox::control;
use lockkeeper::demo::vox::control::{Plane, Tokens};
use serde_json::json;

/// Two nodes that were heard of just now.
pub fn router() -> Router {
    let mut plane = Plane::new(Tokens::default());
    for id in ["alpha", "beta"] {
        plane.nodes.push(json!({"id": id, "capabilities": {}, "version": "1", "last_seen_unix_ms": wall_clock()}));
    }
    control::router(Arc::new(Mutex::new(plane)))
}
