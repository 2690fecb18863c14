//! Sources.

use std::sync::Arc;

use serde_json::{Map, json};
use strum::VariantNames as _;

use super::{Column, Columns, Kind, Value};
use crate::mesh::SourceState;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::sources::SourceHealth;
use crate::model::observation::{Cost, Presence, Probe};
use crate::model::source::Identity;
use crate::model::text::Text;
use crate::model::time::Millis;

/// What is said of a source.
pub struct SourceRow {
    identity: Arc<Identity>,
    probe: Option<Arc<Probe>>,
    health: SourceHealth,
    last_ok_ms: Option<Millis>,
    error: Option<Text>,
    offset_ms: Option<Millis>,
    cost: Cost,
}

impl SourceRow {
    /// The sources of a snapshot.
    pub fn all(snapshot: &Snapshot) -> Vec<Self> {
        let row = |(state, view): (&SourceState, &crate::mesh::derive::sources::SourceView)| Self {
            identity: Arc::clone(&state.identity),
            probe: state.probe.clone(),
            health: view.health,
            last_ok_ms: state.health.last_ok_ms,
            error: state.health.trouble.as_ref().map(|t| t.fault.to_string().into()),
            offset_ms: state.clock.best().map(|s| s.offset_ms),
            cost: state.total_cost,
        };
        snapshot.mesh.sources.iter().zip(snapshot.sources.iter()).map(row).collect()
    }
}

type Of = Column<SourceRow>;

/// Every source of a mesh.
pub static SOURCES: Columns<SourceRow> = Columns {
    part: "sources",
    title: "SOURCES",
    about: "Where everything else was read.",
    is_old: |_| false,
    all: &[
        Of::new("name", Kind::Name, "Its name, unique in the mesh.", |s, _| Value::name(&s.identity.name))
            .listed("NAME"),
        Of::new("kind", Kind::Text, "What it is.", |s, _| Value::text(s.identity.kind)).listed("KIND"),
        Of::new("read_by", Kind::Text, "How it is read.", |s, _| Value::text(s.identity.how)).listed("READ BY"),
        Of::new("health", Kind::State(SourceHealth::VARIANTS), "How it does.", |s, _| Value::state(&s.health))
            .listed("HEALTH"),
        Of::new("place", Kind::Name, "Where it is, without secrets.", |s, _| Value::name(&s.identity.place)),
        Of::new("provides", Kind::Json(words), "What it can tell of at all.", |s, _| {
            Value::Json(s.identity.provides.iter().map(ToString::to_string).collect())
        }),
        Of::new("last_heard_ms", Kind::Instant, "Its last answer, on the console's clock.", |s, _| {
            Value::Instant(s.last_ok_ms)
        }),
        Of::new("clock_offset_ms", Kind::Span, "Its clock minus the console's.", |s, _| Value::Span(s.offset_ms)),
        Of::new("cost", Kind::Json(cost), "What reading it has cost so far.", |s, _| {
            Value::Json(json!({
                "round_trips": s.cost.round_trips,
                "rows": s.cost.rows,
                "rows_read": s.cost.read,
                "bytes": s.cost.bytes,
                "ms": (s.cost.ms * 10.0).round() / 10.0,
            }))
        }),
        Of::new("parts", Kind::Json(parts), "Its tables or calls: what each has.", |s, _| {
            Value::Json(serde_json::Value::Object(presence(s)))
        }),
        Of::new("cost_in_words", Kind::Text, "What reading it has cost so far, in words.", |s, _| {
            Value::text(in_words(&s.cost))
        })
        .screen_only()
        .listed("COST"),
        Of::new("error", Kind::Name, "Why it does not answer.", |s, _| Value::Name(s.error.as_ref()))
            .or_null()
            .listed("ERROR"),
    ],
};

fn in_words(cost: &Cost) -> String {
    let Cost { round_trips, rows, bytes, ms, .. } = cost;
    format!("{round_trips} round trips, {rows} rows, {bytes} bytes, {ms:.0} ms")
}

fn presence(source: &SourceRow) -> Map<String, serde_json::Value> {
    let parts = source.probe.iter().flat_map(|probe| probe.parts.iter());
    let word = |presence: &Presence| match presence {
        Presence::Present => json!("present"),
        Presence::Partial(missing) => json!({ "without": missing }),
        Presence::Absent => json!("absent"),
        Presence::Denied(why) => json!({ "denied": why }),
    };
    parts.map(|(name, presence)| ((*name).to_owned(), word(presence))).collect()
}

fn words() -> serde_json::Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn cost() -> serde_json::Value {
    super::schema::object(&json!({
        "round_trips": { "type": "integer", "description": "Requests sent, each with its answer." },
        "rows": { "type": "integer", "description": "Rows returned." },
        "rows_read": {
            "type": ["integer", "null"],
            "description": "Rows that the server says it read for them; null where it does not say.",
        },
        "bytes": { "type": "integer", "description": "Bytes received, or copied from a file." },
        "ms": { "type": "number" },
    }))
}

fn parts() -> serde_json::Value {
    json!({ "type": "object", "additionalProperties": { "oneOf": [
        { "enum": ["present", "absent"] },
        super::schema::object(&json!({ "without": words() })),
        super::schema::object(&json!({ "denied": { "type": "string" } })),
    ] } })
}
