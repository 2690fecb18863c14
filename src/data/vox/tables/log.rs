//! The two op-logs and lineage events.

use super::Reading;
use crate::model::text::Text;
use crate::model::{LineageEvent, LogEntry, LogTable};

/// How much of a kind's JSON is kept, in bytes.
const MAX_KIND: usize = 4_096;

/// `agent_oplog`.
pub const OPLOG: Reading<LogEntry> = Reading {
    table: "agent_oplog",
    columns: &[
        ("id", ""),
        ("agent_id", ""),
        ("operation_id", ""),
        ("kind", ""),
        ("description", ""),
        ("predecessor_hash", ""),
        ("model_id", ""),
        ("change_id", ""),
        ("timestamp_ms", ""),
        ("undone", ""),
        ("repository_id", ""),
    ],
    row: |r| {
        let id = r.int("id")?;
        let (agent_id, operation_id, kind_json) = (r.text("agent_id"), r.text("operation_id"), r.raw(MAX_KIND));
        Some(LogEntry {
            table: LogTable::Agent,
            id,
            agent_id,
            operation_id,
            kind: kind_name(&kind_json),
            kind_json,
            description: r.text("description"),
            predecessor_hash: r.opt_text("predecessor_hash"),
            model_id: r.opt_text("model_id"),
            change_id: r.int("change_id"),
            timestamp_ms: r.millis("timestamp_ms"),
            undone: r.flag("undone"),
            repository_id: r.text("repository_id"),
            ..Default::default()
        })
    },
};

/// `convergence_op_log`.
pub const CONVERGENCE: Reading<LogEntry> = Reading {
    table: "convergence_op_log",
    columns: &[
        ("op_id", ""),
        ("agent_id", ""),
        ("kind_json", ""),
        ("description", ""),
        ("predecessor_hash", ""),
        ("model_id", ""),
        ("change_id", ""),
        ("produced_at", ""),
        ("undone", ""),
    ],
    row: |r| {
        let id = r.int("op_id")?;
        let (agent_id, kind_json) = (r.text("agent_id"), r.raw(MAX_KIND));
        Some(LogEntry {
            table: LogTable::Convergence,
            id,
            agent_id,
            operation_id: Text::from(id.to_string()),
            kind: kind_name(&kind_json),
            kind_json,
            description: r.text("description"),
            predecessor_hash: r.opt_text("predecessor_hash"),
            model_id: r.opt_text("model_id"),
            change_id: r.int("change_id"),
            timestamp_ms: r.millis("produced_at"),
            undone: r.flag("undone"),
            ..Default::default()
        })
    },
};

/// `orchestration_lineage_events`.
pub const LINEAGE: Reading<LineageEvent> = Reading {
    table: "orchestration_lineage_events",
    columns: &[
        ("id", ""),
        ("repository_id", ""),
        ("kind", ""),
        ("task_id", ""),
        ("agent_id", ""),
        ("session_id", ""),
        ("created_at_ms", ""),
    ],
    row: |r| {
        Some(LineageEvent {
            id: r.int("id")?,
            repository_id: r.text("repository_id"),
            kind: r.text("kind"),
            // Zero stands for no task.
            task: r.int("task_id").filter(|&id| id != 0).map(|id| id.to_string().into()),
            agent_id: r.opt_text("agent_id"),
            session_id: r.opt_text("session_id"),
            created_at_ms: r.millis("created_at_ms"),
        })
    },
};

/// The name of an externally tagged enum's variant; unknown kinds and broken JSON are shown, not dropped.
fn kind_name(json: &str) -> Text {
    match serde_json::from_str::<serde_json::Value>(json) {
        Ok(serde_json::Value::String(name)) => Text::bounded(&name, 64),
        Ok(serde_json::Value::Object(map)) if map.len() == 1 => {
            map.keys().next().map(|name| Text::bounded(name, 64)).unwrap_or_default()
        }
        _ => Text::bounded(json, 64),
    }
}
