//! The JSON Schema of a part's rows, from its columns.

use serde_json::{Map, Value, json};

use super::column::{Column, Columns};
use super::part::PARTS;
use super::sources::SOURCES;
use super::value::Kind;

/// What every `as_of_ms` says.
pub(super) const AS_OF: &str = "Set where the source is old: everything about it is as of this instant.";

/// The schema of a part: an array of its rows.
pub fn part<T>(columns: &Columns<T>) -> Value {
    let mut schema = rows(columns.all);
    schema["description"] = columns.about.into();
    schema
}

/// An array of rows.
pub(super) fn rows<T>(columns: &[Column<T>]) -> Value {
    let each: Map<String, Value> = columns.iter().filter(|c| c.in_json).map(|c| (c.name.to_owned(), of(c))).collect();
    objects(&Value::Object(each))
}

/// An array of objects of these properties, each of which is always there.
pub(super) fn objects(properties: &Value) -> Value {
    json!({ "type": "array", "items": object(properties) })
}

/// An object of these properties, each of which is always there.
pub fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flat_map(Map::keys).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn of<T>(column: &Column<T>) -> Value {
    let simple = |name: &str| {
        if column.nullable { json!({ "type": [name, "null"] }) } else { json!({ "type": name }) }
    };
    let mut schema = match column.kind {
        Kind::Instant | Kind::Span | Kind::Count => simple("integer"),
        Kind::Flag => simple("boolean"),
        Kind::Name | Kind::Text => simple("string"),
        Kind::Names => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::State(words) => {
            let null = column.nullable.then_some(Value::Null);
            json!({ "enum": words.iter().map(|word| json!(word)).chain(null).collect::<Vec<_>>() })
        }
        Kind::Json(schema) => schema(),
    };
    let unit = match column.kind {
        Kind::Instant => " Unix milliseconds.",
        Kind::Span => " Milliseconds.",
        _ => "",
    };
    schema["description"] = format!("{}{unit}", column.about).into();
    schema
}

/// The name and version of the JSON of a snapshot.
pub const SNAPSHOT: &str = "lockkeeper.snapshot.v1";

/// The same of several meshes.
pub const SNAPSHOTS: &str = "lockkeeper.snapshots.v1";

/// The schema of a snapshot. With `--view` all parts but one and the sources are left out.
#[must_use]
pub fn snapshot() -> Value {
    let mut properties = json!({
        "schema": { "const": SNAPSHOT },
        "observed_at_ms": { "type": "integer", "description": "The console's clock. Unix milliseconds." },
        "mesh": { "type": "string", "description": "Its name." },
        "repository": object(&json!({
            "repository_id": { "type": "string" },
            "known": { "type": "boolean", "description": "Whether anything names it." },
        })),
    });
    properties["repository"]["description"] =
        "Only with `--repo`: the parts hold what may be of that repository.".into();
    for part in PARTS {
        properties[part.name()] = part.schema();
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SNAPSHOT,
        "description": "What `lockkeeper snapshot --format json` prints. Fields are only ever added. `null` is unknown.",
        "type": "object",
        "properties": properties,
        "required": ["schema", "observed_at_ms", "mesh", SOURCES.part],
        "additionalProperties": false,
    })
}

/// The schema of snapshots of several meshes.
#[must_use]
pub fn snapshots() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SNAPSHOTS,
        "description": "Snapshots of several meshes, in the order in which they were named.",
        "type": "object",
        "properties": {
            "schema": { "const": SNAPSHOTS },
            "meshes": { "type": "array", "items": { "$ref": "lockkeeper.snapshot.v1.json" } },
        },
        "required": ["schema", "meshes"],
        "additionalProperties": false,
    })
}
