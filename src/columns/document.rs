//! Snapshots as JSON documents. Their parts and fields are those of the columns.

use serde_json::{Map, Value, json};

use super::schema::{SNAPSHOT, SNAPSHOTS};
use super::{PARTS, SOURCES};
use crate::mesh::derive::Snapshot;

/// A whole snapshot, or one part of it and the sources.
#[must_use]
pub fn snapshot(snapshot: &Snapshot, part: Option<&str>) -> Value {
    let mut out = Map::new();
    out.insert("schema".into(), SNAPSHOT.into());
    out.insert("observed_at_ms".into(), snapshot.at_ms.into());
    out.insert("mesh".into(), snapshot.mesh.name.raw().into());
    if let Some(only) = &snapshot.only {
        out.insert("repository".into(), json!({ "repository_id": only.repository, "known": only.known }));
    }
    let wanted = |name: &str| name == SOURCES.part || part.is_none_or(|part| part == name);
    for part in PARTS.iter().filter(|part| wanted(part.name())) {
        out.insert(part.name().into(), part.json(snapshot).into());
    }
    Value::Object(out)
}

/// Snapshots of several meshes; one alone stands by itself.
#[must_use]
pub fn snapshots<'a>(all: impl ExactSizeIterator<Item = &'a Snapshot>, part: Option<&str>) -> Value {
    let mut each: Vec<Value> = all.map(|one| snapshot(one, part)).collect();
    match each.len() {
        1 => each.swap_remove(0),
        _ => json!({ "schema": SNAPSHOTS, "meshes": each }),
    }
}
