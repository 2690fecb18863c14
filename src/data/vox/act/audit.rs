//! The op-log's entry of an action, as Vox itself can load it, with a chain that verifies.
//!
//! Upstream refuses its whole log if one kind does not parse, so the kind is `Custom`, the agent's id decimal and
//! the operation's id `OP-` and a number. Upstream counts its own operations from one, and a number that is taken
//! makes its later inserts fail: the console's numbers are Unix milliseconds, far above any count.

use libsql::Value;

use super::sql::quote;
use crate::action::executor::ActionRequest;
use crate::data::vox::schema::Schema;
use crate::model::action::OPERATOR_AGENT;
use crate::model::chain::{link, operation_number};
use crate::model::text::{scrub, truncate_bytes};
use crate::model::time::Millis;

const LOG: &str = "agent_oplog";
/// The most bytes of what an operator writes that an entry takes.
const MOST: usize = 300;

/// Whether entries can be added to this op-log at all.
#[must_use]
pub fn possible(schema: &Schema) -> bool {
    ["agent_id", "operation_id", "kind", "description", "timestamp_ms", "predecessor_hash"]
        .into_iter()
        .all(|column| schema.has(LOG, column))
}

/// The newest entry of the log: an appended entry is chained to it. In upstream's own list an entry without a
/// predecessor is a break.
#[must_use]
pub fn last_sql() -> String {
    format!("SELECT operation_id, timestamp_ms, predecessor_hash FROM {LOG} ORDER BY id DESC LIMIT 1")
}

/// Whether an attempt has its entry.
#[must_use]
pub fn is_there_sql(request: &ActionRequest) -> String {
    format!(
        "SELECT count(*) FROM {LOG} WHERE agent_id = '{OPERATOR_AGENT}' AND description LIKE {}",
        quote(&format!("lockkeeper {} %", request.id))
    )
}

/// What follows the newest entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    number: u64,
    predecessor_hash: Option<String>,
}

impl Next {
    /// Reads the answer to [`last_sql`].
    #[must_use]
    pub fn after(row: Option<&Vec<Value>>, now_ms: Millis) -> Self {
        let now = now_ms.unsigned_abs();
        let Some([Value::Text(id), Value::Integer(at), hash]) = row.map(Vec::as_slice) else {
            return Self { number: now, predecessor_hash: None };
        };
        let Some(number) = operation_number(id) else { return Self { number: now, predecessor_hash: None } };
        let hash = if let Value::Text(hash) = hash { Some(hash.as_str()) } else { None };
        Self { number: now.max(number.saturating_add(1)), predecessor_hash: Some(link(number, *at, hash)) }
    }

    /// The same, should the number be taken by another console.
    #[must_use]
    pub fn another(&self, by: u64) -> Self {
        Self { number: self.number.saturating_add(by), ..self.clone() }
    }

    /// Adds the entry, unless the attempt has one; with `if_changed`, only if the statement before changed something.
    #[must_use]
    pub fn insert(&self, request: &ActionRequest, schema: &Schema, if_changed: bool) -> String {
        let summary = request.action.summary();
        let reason = scrub(truncate_bytes(&request.reason, MOST)).into_owned();
        let operator = scrub(truncate_bytes(&request.operator, MOST)).into_owned();
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let label = format!("lockkeeper: {operator}: {summary}{why}");
        let kind = serde_json::json!({ "Custom": { "label": label } }).to_string();
        let description = format!("lockkeeper {} {summary}, by {operator}{why}", request.id);
        let mut row = vec![
            ("agent_id", quote(OPERATOR_AGENT)),
            ("operation_id", quote(&format!("OP-{}", self.number))),
            ("kind", quote(&kind)),
            ("description", quote(&description)),
            ("predecessor_hash", self.predecessor_hash.as_deref().map_or_else(|| "NULL".into(), quote)),
            ("timestamp_ms", request.at_ms.to_string()),
        ];
        if schema.has(LOG, "repository_id") {
            row.push(("repository_id", quote(request.action.repository())));
        }
        if schema.has(LOG, "undone") {
            row.push(("undone", "0".into()));
        }
        let (names, values): (Vec<&str>, Vec<String>) = row.into_iter().unzip();
        format!(
            "INSERT INTO {LOG} ({}) SELECT {} WHERE {}NOT EXISTS (SELECT 1 FROM {LOG} WHERE \
             agent_id = '{OPERATOR_AGENT}' AND description LIKE {})",
            names.join(", "),
            values.join(", "),
            if if_changed { "changes() > 0 AND " } else { "" },
            quote(&format!("lockkeeper {} %", request.id))
        )
    }
}
