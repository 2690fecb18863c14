//! The JSON Schema of an answer.

use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

use super::{ANSWER, Verdict};
use crate::columns::schema::part;
use crate::columns::{PARTS, WAITS};

/// The schema. The rows are those of a snapshot, and the waits.
#[must_use]
pub fn answer() -> Value {
    let verdicts: Vec<String> = Verdict::iter().map(|verdict| verdict.to_string()).collect();
    let texts = |about: &str| json!({ "type": "array", "items": { "type": "string" }, "description": about });
    let mut properties = json!({
        "mesh": { "type": "string", "description": "Its name." },
        "observed_at_ms": { "type": "integer", "description": "The console's clock. Unix milliseconds." },
        "sentences": texts("The answer in words, the first thing first."),
        "unseen": texts("What may hide more: sources that do not answer, parts that are denied."),
    });
    for part in PARTS {
        properties[part.name()] = part.schema();
    }
    properties[WAITS.part] = part(&WAITS);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": ANSWER,
        "description": "What `lockkeeper who`, `stuck` and `why` print with `--format json`. Fields are only ever added. \
            A part without rows is left out. `null` is unknown.",
        "type": "object",
        "properties": {
            "schema": { "const": ANSWER },
            "question": { "enum": ["who", "stuck", "why"] },
            "name": { "type": ["string", "null"], "description": "What was asked about." },
            "answer": {
                "enum": verdicts,
                "description": "`yes`: somebody holds it, something is stuck, it is known. `no`: not so, and all of it was \
                    seen. `unknown`: not all was seen, and what was seen does not show it.",
            },
            "meshes": { "type": "array", "items": {
                "type": "object",
                "properties": properties,
                "required": ["mesh", "observed_at_ms", "sentences", "unseen"],
                "additionalProperties": false,
            } },
        },
        "required": ["schema", "question", "name", "answer", "meshes"],
        "additionalProperties": false,
    })
}
