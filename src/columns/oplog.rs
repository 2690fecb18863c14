//! The op-log.

use strum::VariantNames as _;

use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::chain::{ChainState, LogView};
use crate::model::text::{scrub, truncate_bytes};

type Of = Column<LogView>;

/// Every entry in the window.
pub static OPLOG: Columns<LogView> = Columns {
    part: "oplog",
    title: "OP-LOG",
    about: "The latest entries of the op-logs, newest first.",
    is_old: |_| false,
    all: &[
        Of::new("at_ms", Kind::Instant, "When it was written, on the console's clock.", |l, _| Value::Instant(l.at_ms))
            .shown("time", "TIME", (9, 9), 0),
        Of::new("age_ms", Kind::Span, "Since it was written.", |l, now| Value::Span(l.at_ms.map(|at| now - at)))
            .shown("age", "AGE", (7, 8), 4)
            .ascending()
            .dim()
            .sorted(|l| Sort::opt(l.at_ms)),
        Of::new("operation_id", Kind::Name, "The operation.", |l, _| Value::name(&l.entry.operation_id))
            .shown("op", "OPERATION", (9, 14), 1)
            .sorted(|l| Sort::Number(l.entry.id)),
        Of::new("agent_id", Kind::Name, "The agent that did it.", |l, _| Value::name(&l.entry.agent_id))
            .shown("agent", "AGENT", (5, 10), 0)
            .right()
            .sorted(|l| Sort::id(&l.entry.agent_id)),
        Of::new("kind", Kind::Name, "The kind of operation.", |l, _| Value::name(&l.entry.kind))
            .shown("kind", "KIND", (14, 20), 0)
            .drawn(|l, _| kind(l)),
        Of::new("what", Kind::Text, "The fields of the kind, short.", |l, _| Value::text(detail(l)))
            .screen_only()
            .shown("what", "WHAT", (14, 90), 0)
            .sorted(|l| Sort::Text(&l.entry.kind_json)),
        Of::new("chain", Kind::State(ChainState::VARIANTS), "Whether its hash fits those before it.", |l, _| {
            Value::state(&l.chain)
        })
        .shown("chain", "CHAIN", (5, 14), 2),
        Of::new("description", Kind::Name, "What its agent says of it.", |l, _| Value::name(&l.entry.description))
            .shown("description", "DESCRIPTION", (12, 40), 3)
            .dim(),
        Of::new("kind_json", Kind::Text, "The kind with its fields, as it is written.", |l, _| {
            Value::text(&*l.entry.kind_json)
        }),
        Of::new("table", Kind::Text, "The log that has it.", |l, _| Value::text(<&str>::from(l.entry.table))),
        Of::new("id", Kind::Count, "Its number in the log.", |l, _| Value::Count(Some(l.entry.id))).always(),
        Of::new("predecessor_hash", Kind::Name, "The hash that it names as its predecessor's.", |l, _| {
            Value::Name(l.entry.predecessor_hash.as_ref())
        })
        .or_null(),
        Of::new("model_id", Kind::Name, "The model that its agent ran on.", |l, _| {
            Value::Name(l.entry.model_id.as_ref())
        })
        .or_null(),
        Of::new("change_id", Kind::Count, "The change that it belongs to.", |l, _| Value::Count(l.entry.change_id)),
        Of::new("timestamp_ms", Kind::Instant, "When it was written, on its writer's clock.", |l, _| {
            Value::Instant(l.entry.timestamp_ms)
        }),
        Of::new("undone", Kind::Flag, "Whether it was undone.", |l, _| Value::Flag(Some(l.entry.undone))).always(),
        Of::new("repository_id", Kind::Name, "Its repository.", |l, _| Value::name(&l.entry.repository_id)),
        Of::new("chain_note", Kind::Text, "Why it cannot be verified, or what is broken.", |l, _| Value::text(l.why)),
        Of::new("source", Kind::Name, "The source that it was read from.", |l, _| Value::name(&l.source)),
    ],
};

fn kind(l: &LogView) -> Cell {
    let kind = l.entry.kind.as_str();
    let role = match kind {
        "TaskFail" | "ConflictDetected" => Role::Alert,
        "ConflictDeferred" => Role::Warn,
        _ if l.entry.undone => Role::Dim,
        _ => Role::Normal,
    };
    let undone = if l.entry.undone { " (undone)" } else { "" };
    Cell::new(format!("{kind}{undone}"), role)
}

/// The fields of the kind, short: `src/a.rs agent 7`.
fn detail(l: &LogView) -> String {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_str(&l.entry.kind_json) else { return String::new() };
    let Some((_, serde_json::Value::Object(fields))) = map.into_iter().next() else { return String::new() };
    let word = |(name, value): (String, serde_json::Value)| match value {
        serde_json::Value::String(text) if matches!(name.as_str(), "path" | "label") => text,
        serde_json::Value::String(text) => format!("{name} {text}"),
        other => format!("{} {other}", name.trim_end_matches("_id")),
    };
    let joined = fields.into_iter().map(word).collect::<Vec<_>>().join("  ");
    scrub(truncate_bytes(&joined, 300)).into_owned()
}
