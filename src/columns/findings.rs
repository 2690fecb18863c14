//! Findings.

use serde_json::json;
use strum::VariantNames as _;

use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::finding::Finding;
use crate::model::severity::Severity;
use crate::model::time::{Millis, short};

type Of = Column<Finding>;

/// Everything that is wrong.
pub static FINDINGS: Columns<Finding> =
    Columns {
        part: "findings",
        title: "FINDINGS",
        about: "What is wrong, worst first.",
        is_old: |_| false,
        all: &[
            Of::new("severity", Kind::State(Severity::VARIANTS), "How bad it is.", |f, _| Value::state(&f.severity))
                .shown("severity", "SEVERITY", (10, 10), 0),
            Of::new("sentence", Kind::Name, "What is wrong, state first, evidence after.", |f, _| {
                Value::name(&f.sentence)
            })
            .shown("what", "WHAT", (62, 200), 0),
            Of::new("age_ms", Kind::Span, "Since it was raised, where a dashboard follows it.", |f, now| {
                Value::Span(f.life.as_ref().map(|life| now - life.raised_ms))
            })
            .shown("since", "SINCE", (6, 8), 2)
            .sorted(|f| Sort::since(f.life.as_ref().map(|life| life.raised_ms)))
            .drawn(|f, now| f.life.as_ref().map_or(Cell::dim(""), |life| Cell::plain(short(now - life.raised_ms)))),
            Of::new("acknowledged_by", Kind::Name, "Who acknowledged it.", |f, _| {
                Value::Name(f.acknowledged().map(|ack| &ack.by))
            })
            .or_null()
            .shown("acknowledged", "ACKED BY", (8, 16), 2)
            .drawn(acknowledged),
            Of::new("kind", Kind::Text, "The kind of thing that it is about.", |f, _| Value::text(f.subject.kind()))
                .screen_only()
                .shown("subject", "SUBJECT", (7, 7), 2)
                .dim(),
            Of::new("name", Kind::Name, "The thing that it is about.", |f, _| Value::name(&f.name))
                .screen_only()
                .shown("name", "NAME", (12, 24), 3)
                .dim(),
            Of::new("rule", Kind::Text, "The rule that found it.", |f, _| Value::text(f.rule))
                .shown("rule", "RULE", (12, 16), 1)
                .dim(),
            Of::new("subject", Kind::Json(subject), "The thing that it is about.", |f, _| {
                Value::Json(json!({ "kind": f.subject.kind(), "name": f.name }))
            }),
            Of::new("evidence", Kind::Names, "What it rests on.", |f, _| Value::Names(&f.evidence)),
            Of::new("raised_ms", Kind::Instant, "When it was raised, where a dashboard follows it.", |f, _| {
                Value::Instant(f.life.as_ref().map(|life| life.raised_ms))
            }),
            Of::new("acknowledged_until_ms", Kind::Instant, "When the acknowledgement ends.", |f, _| {
                Value::Instant(f.acknowledged().and_then(|ack| ack.until_ms))
            }),
        ],
    };

fn subject() -> serde_json::Value {
    super::schema::object(&json!({ "kind": { "type": "string" }, "name": { "type": "string" } }))
}

/// Who acknowledged it, and for how much longer that holds.
fn acknowledged(finding: &Finding, now: Millis) -> Cell {
    match finding.acknowledged() {
        None => Cell::dim(""),
        Some(ack) => {
            let left = ack.until_ms.map(|until| format!(" {}", short((until - now).max(0)))).unwrap_or_default();
            Cell::new(format!("{}{left}", ack.by), Role::Accent)
        }
    }
}
