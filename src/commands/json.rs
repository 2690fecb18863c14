//! Documents as JSON that is safe to print.

use serde::Serialize;

use crate::columns::document;
use crate::commands::cli::SnapshotView;
use crate::mesh::derive::Snapshot;
use crate::model::text::escape_json;

/// A document as text, with the end of its last line.
#[must_use]
pub fn text(document: &impl Serialize) -> String {
    escape_json(serde_json::to_string_pretty(document).unwrap_or_default()) + "\n"
}

/// Snapshots of meshes, or one part of each. One alone stands by itself.
#[must_use]
pub fn snapshots(snapshots: &[Snapshot], view: Option<SnapshotView>) -> String {
    text(&document::snapshots(snapshots.iter(), view.map(SnapshotView::part)))
}
