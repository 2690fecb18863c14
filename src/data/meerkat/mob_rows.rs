//! The rows of one mob's file: events and runs, each no larger than is wanted.

use libsql::{Connection, Value};

use super::event::{Event, Kind, Version};
use super::rows::{number, rows, word};
use super::run::Run;
use super::shared::member;
use crate::data::sqlite;
use crate::model::agent::Supervisor;
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::plausible;
use crate::model::{Lock, LockTable};

/// Events that one poll reads at most.
pub const MOST_AT_ONCE: usize = 5_000;

/// Bytes of one event that are read as they are. Of a larger one only what members follow from is read.
const MOST_BYTES: usize = 64 << 10;
/// Bytes of an event or a run that is looked into at most.
const LARGEST: usize = 16 << 20;
/// Bytes of a run whose steps are read.
const LEDGER: usize = 1 << 20;
/// Runs that are shown, the latest first, and of older ones that are open.
const MOST_RUNS: usize = 200;
/// Leases on names of one mob that are read at most.
const MOST_LEASES: usize = 10_000;
/// Older events that one poll goes through, in search of members.
const STEP: i64 = 50_000;

/// Events of a range, in an order, as many as are read at once.
pub async fn events(connection: &Connection, range: &str, order: &str, cost: &mut u64) -> Result<Vec<Event>, Fault> {
    let sql = format!(
        "SELECT cursor, CASE WHEN length(event_json) <= {MOST_BYTES} THEN CAST(event_json AS TEXT) \
         WHEN length(event_json) <= {LARGEST} AND json_valid(CAST(event_json AS TEXT)) THEN {} END \
         FROM mob_events WHERE {range} ORDER BY {order} LIMIT {MOST_AT_ONCE}",
        abridged()
    );
    let found = rows(connection, "mob_events", &sql, cost).await?.unwrap_or_default();
    let event = |row: &Vec<Value>| {
        let cursor = number(row, 0)?;
        Some(word(row, 1).and_then(|json| Event::read(cursor, json)).unwrap_or_else(|| opaque(cursor)))
    };
    Ok(found.iter().filter_map(event).collect())
}

/// Of a large event, what the state of its mob follows from.
fn abridged() -> String {
    let field = |path: &str| format!("json_extract(CAST(event_json AS TEXT), '$.{path}')");
    let text = |path: &str| format!("substr({}, 1, 300)", field(path));
    let kind = |name: &str| format!("'{name}', {}", text(&format!("event.kind.{name}")));
    let texts = ["type", "agent_identity", "role", "run_id", "flow_id", "step_id", "cause", "reason", "escalated_to"];
    let numbers = ["generation", "new_generation", "fence_token"];
    let kinds = texts.iter().map(|name| kind(name));
    let kinds = kinds.chain(numbers.iter().map(|name| format!("'{name}', {}", field(&format!("event.kind.{name}")))));
    format!(
        "json_object('schema_version', {}, 'event', json_object('timestamp', {}, 'kind', json_object({}, \
         'kickoff', json_object('phase', {}, 'error', {}))))",
        field("schema_version"),
        text("event.timestamp"),
        kinds.collect::<Vec<_>>().join(", "),
        text("event.kind.kickoff.phase"),
        text("event.kind.kickoff.error"),
    )
}

/// Some of what stands before an event and matters to the state of its mob, and how far back that goes.
pub async fn older(connection: &Connection, first: i64, cost: &mut u64) -> Result<(Vec<Event>, i64), Fault> {
    if first <= 1 {
        return Ok((Vec::new(), first));
    }
    let from = first.saturating_sub(STEP).max(1);
    let kinds = ["m", "placed_", "flow_failed", "supervisor_", "topology_"];
    let kinds = kinds.map(|kind| format!("instr(event_json, CAST('\"type\":\"{kind}' AS BLOB))")).join(" OR ");
    let range = format!("cursor >= {from} AND cursor < {first} AND ({kinds})");
    let found = events(connection, &range, "cursor DESC", cost).await?;
    let least = found.last().map(|event| event.cursor).filter(|_| found.len() >= MOST_AT_ONCE);
    Ok((found, least.unwrap_or(from)))
}

/// An event that is no event, or too large to be read.
fn opaque(cursor: i64) -> Event {
    Event {
        cursor,
        at_ms: None,
        name: "(unreadable)".into(),
        kind: Kind::Other,
        shown: serde_json::Map::new(),
        version: Version::Unread,
    }
}

/// Leases on the names of declared members, as locks, and who supervises the mob. Its secrets are not selected.
pub async fn beside(
    connection: &Connection,
    mob: &str,
    realm: &Text,
    cost: &mut u64,
) -> Result<(Vec<Lock>, Option<Supervisor>), Fault> {
    let sql = format!(
        "SELECT agent_identity, active_holder_id, active_incarnation_id, active_epoch, active_renewed_at_ms, \
         active_expires_at_ms FROM mob_identity_leases WHERE active_holder_id IS NOT NULL LIMIT {MOST_LEASES}"
    );
    let leases = rows(connection, "mob_identity_leases", &sql, cost).await?.unwrap_or_default();
    let text = |row: &[Value], at| word(row, at).map(|word| Text::bounded(word, 120));
    let lease = |row: &Vec<Value>| {
        Some(Lock {
            table: LockTable::Identity,
            lock_key: member(mob, text(row, 0)?.raw()),
            repository_id: realm.clone(),
            holder_agent: text(row, 1)?,
            lease_id: text(row, 2),
            fence_token: unsigned(row, 3),
            acquired_at_ms: unsigned(row, 4).filter(|at| plausible(*at)),
            expires_at_ms: unsigned(row, 5).filter(|at| plausible(*at)),
            remark: Some("taken is when it was renewed last".into()),
            ended_by: Some("its end: Meerkat renews it every few seconds".into()),
            ..Lock::default()
        })
    };
    let field = |name: &str| format!("json_extract(CAST(record_json AS TEXT), '$.{name}')");
    let sql = format!(
        "SELECT {}, {}, {} FROM mob_runtime_supervisors WHERE json_valid(CAST(record_json AS TEXT)) LIMIT 1",
        field("epoch"),
        field("public_peer_id"),
        field("pending_rotation.epoch")
    );
    let supervisors = rows(connection, "mob_runtime_supervisors", &sql, cost).await?.unwrap_or_default();
    let supervisor = supervisors.first().and_then(|row| {
        Some(Supervisor { name: text(row, 1).unwrap_or_default(), epoch: number(row, 0)?, next_epoch: number(row, 2) })
    });
    Ok((leases.iter().filter_map(lease).collect(), supervisor))
}

/// A number that is stored as eight bytes, the largest first.
fn unsigned(row: &[Value], at: usize) -> Option<i64> {
    match row.get(at)? {
        Value::Blob(bytes) => i64::try_from(u64::from_be_bytes(bytes.as_slice().try_into().ok()?)).ok(),
        value => sqlite::int(value),
    }
}

/// The latest runs, and those that were open when they were read last; at first, all that may be open.
pub async fn runs(connection: &Connection, open: Option<&[&str]>, cost: &mut u64) -> Result<Vec<Run>, Fault> {
    let field = |name: &str| format!("json_extract(run, '$.{name}')");
    let more = match open {
        Some(open) => {
            let quoted: Vec<String> = open.iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
            format!("run_id IN ({})", quoted.join(", "))
        }
        None => ["pending", "running"]
            .map(|status| format!("instr(run_json, CAST('\"status\":\"{status}\"' AS BLOB))"))
            .join(" OR "),
    };
    let sql = format!(
        "SELECT run_id, {}, {}, {}, {}, CASE WHEN size <= {LEDGER} THEN {} END, size FROM (SELECT run_id, \
         length(run_json) AS size, CASE WHEN length(run_json) <= {LARGEST} AND json_valid(CAST(run_json AS TEXT)) \
         THEN CAST(run_json AS TEXT) END AS run FROM mob_runs WHERE rowid IN (SELECT rowid FROM mob_runs \
         ORDER BY rowid DESC LIMIT {MOST_RUNS}) OR {more} ORDER BY rowid DESC LIMIT {})",
        field("flow_id"),
        field("status"),
        field("created_at"),
        field("completed_at"),
        field("step_ledger"),
        2 * MOST_RUNS
    );
    let found = rows(connection, "mob_runs", &sql, cost).await?.unwrap_or_default();
    let size = |row: &[Value]| number(row, 6).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    Ok(found.iter().filter_map(|row| Run::read([0, 1, 2, 3, 4, 5].map(|at| word(row, at)), size(row))).collect())
}
