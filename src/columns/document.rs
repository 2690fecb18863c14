//! Snapshots as JSON documents. Their parts and fields are those of the columns. A document is written as it is read: the
//! rows of a large mesh are not held twice.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::part::Rows;
use super::schema::{SNAPSHOT, SNAPSHOTS};
use super::{PARTS, SOURCES};
use crate::mesh::derive::Snapshot;

/// A whole snapshot, or one part of it and the sources.
struct Document<'a> {
    snapshot: &'a Snapshot,
    part: Option<&'a str>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("schema", SNAPSHOT)?;
        out.serialize_entry("observed_at_ms", &self.snapshot.at_ms)?;
        out.serialize_entry("mesh", self.snapshot.mesh.name.raw())?;
        if let Some(only) = &self.snapshot.only {
            out.serialize_entry("repository", &json!({ "repository_id": only.repository, "known": only.known }))?;
        }
        let wanted = |name: &str| name == SOURCES.part || self.part.is_none_or(|part| part == name);
        for part in PARTS.iter().filter(|part| wanted(part.name())) {
            out.serialize_entry(part.name(), &Rows { part: *part, snapshot: self.snapshot })?;
        }
        out.end()
    }
}

/// Snapshots of meshes. One alone stands by itself.
pub struct Documents<'a>(Vec<Document<'a>>);

impl Serialize for Documents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let [one] = self.0.as_slice() {
            return one.serialize(serializer);
        }
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("schema", SNAPSHOTS)?;
        out.serialize_entry("meshes", &self.0)?;
        out.end()
    }
}

/// Snapshots of meshes, or one part of each and the sources.
#[must_use]
pub fn snapshots<'a>(all: impl IntoIterator<Item = &'a Snapshot>, part: Option<&'a str>) -> Documents<'a> {
    Documents(all.into_iter().map(|snapshot| Document { snapshot, part }).collect())
}

/// The name and version of the JSON of an error.
pub const ERROR: &str = "lockkeeper.error.v1";

/// An error: a word for programs, and a sentence for people that says what to do.
#[must_use]
pub fn error(code: &str, message: &str) -> Value {
    json!({ "schema": ERROR, "error": { "code": code, "message": message } })
}
