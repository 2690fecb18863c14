//! The JSON of snapshots and errors as text.

use crate::columns::document;
use crate::commands::cli::SnapshotView;
use crate::mesh::derive::Snapshot;
use crate::model::text::escape_json;

/// An error as text that is safe to print.
#[must_use]
pub fn error(code: &str, message: &str) -> String {
    escape_json(serde_json::to_string_pretty(&document::error(code, message)).unwrap_or_default()) + "\n"
}

/// Snapshots of meshes, or one part of each, as text that is safe to print. One alone stands by itself.
#[must_use]
pub fn snapshots(snapshots: &[Snapshot], view: Option<SnapshotView>) -> String {
    let document = document::snapshots(snapshots.iter(), view.map(SnapshotView::part));
    escape_json(serde_json::to_string_pretty(&document).unwrap_or_default())
}
