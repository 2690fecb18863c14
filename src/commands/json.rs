//! The JSON of a snapshot. Its parts and their fields are those of the columns.

use serde_json::{Map, Value, json};

use crate::columns::schema::{SNAPSHOT, SNAPSHOTS};
use crate::columns::{PARTS, SOURCES};
use crate::commands::cli::SnapshotView;
use crate::mesh::derive::Snapshot;
use crate::model::text::escape_json;

/// The whole snapshot, or one part of it, as text that is safe to print.
#[must_use]
pub fn snapshot(snapshot: &Snapshot, view: Option<SnapshotView>) -> String {
    print(&of_mesh(snapshot, view))
}

/// Snapshots of several meshes; one alone stands by itself.
#[must_use]
pub fn snapshots(snapshots: &[Snapshot], view: Option<SnapshotView>) -> String {
    if let [only] = snapshots {
        return snapshot(only, view);
    }
    let each: Vec<Value> = snapshots.iter().map(|snapshot| of_mesh(snapshot, view)).collect();
    print(&json!({ "schema": SNAPSHOTS, "meshes": each }))
}

fn print(value: &Value) -> String {
    escape_json(&serde_json::to_string_pretty(value).unwrap_or_default())
}

fn of_mesh(snapshot: &Snapshot, view: Option<SnapshotView>) -> Value {
    let mut out = Map::new();
    out.insert("schema".into(), SNAPSHOT.into());
    out.insert("observed_at_ms".into(), snapshot.at_ms.into());
    out.insert("mesh".into(), snapshot.mesh.name.raw().into());
    if let Some(only) = &snapshot.only {
        out.insert("repository".into(), json!({ "repository_id": only.repository, "known": only.known }));
    }
    let wanted = |name: &str| name == SOURCES.part || view.is_none_or(|view| view.part() == name);
    for part in PARTS.iter().filter(|part| wanted(part.name())) {
        out.insert(part.name().into(), part.json(snapshot).into());
    }
    Value::Object(out)
}
