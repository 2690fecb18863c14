//! The files of a realm, as Meerkat makes them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libsql::{Builder, Connection};
use serde_json::json;

use crate::model::time::{Millis, SECOND};

/// The tables of a mob that are read, as Meerkat 0.9 makes them.
pub const MOB: &str = "
    CREATE TABLE mob_events (cursor INTEGER PRIMARY KEY, mob_id TEXT, event_json BLOB NOT NULL);
    CREATE TABLE mob_runs (run_id TEXT PRIMARY KEY, run_json BLOB NOT NULL);";

/// The same of version 0.6.
pub const OLDER_MOB: &str = "
    CREATE TABLE mob_events (cursor INTEGER PRIMARY KEY, event_json BLOB NOT NULL);
    CREATE TABLE mob_runs (run_id TEXT PRIMARY KEY, run_json BLOB NOT NULL);";

/// The tables of work items that are read.
pub const WORK: &str = "
    CREATE TABLE workgraph_items (realm_id TEXT NOT NULL, namespace TEXT NOT NULL, item_id TEXT NOT NULL,
        revision INTEGER NOT NULL, updated_at_utc TEXT NOT NULL, item_json TEXT NOT NULL,
        PRIMARY KEY (realm_id, namespace, item_id));
    CREATE TABLE workgraph_edges (realm_id TEXT NOT NULL, namespace TEXT NOT NULL, edge_kind TEXT NOT NULL,
        from_id TEXT NOT NULL, to_id TEXT NOT NULL, edge_json TEXT NOT NULL,
        PRIMARY KEY (realm_id, namespace, edge_kind, from_id, to_id));
    CREATE TABLE workgraph_events (seq INTEGER PRIMARY KEY AUTOINCREMENT, realm_id TEXT NOT NULL,
        namespace TEXT NOT NULL, item_id TEXT, event_kind TEXT NOT NULL, at_utc TEXT NOT NULL, event_json TEXT NOT NULL);";

/// An instant as Meerkat writes it.
#[must_use]
pub fn at(ms: Millis) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

/// Opens a file as Meerkat does, and makes its tables.
pub async fn create(path: &Path, tables: &str) -> libsql::Result<Connection> {
    let connection = Builder::new_local(path).build().await?.connect()?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let mut mode = connection.query("PRAGMA journal_mode = WAL", ()).await?;
    while mode.next().await?.is_some() {}
    connection.execute("PRAGMA synchronous = OFF", ()).await?;
    connection.execute_batch(tables).await?;
    Ok(connection)
}

/// Renews the lease of a process, as it does every 5 s.
pub fn lease(root: &Path, instance: &str, started_ms: Millis, now_ms: Millis) -> std::io::Result<()> {
    let lease = json!({
        "realm_id": "fleet", "instance_id": instance, "surface": "rkat-rpc", "pid": std::process::id(),
        "started_at": started_ms / SECOND, "heartbeat_at": now_ms / SECOND,
    });
    let path = root.join("leases").join(format!("{instance}.json"));
    // Renamed into its place, so that nobody reads half of it.
    let part = path.with_extension("part");
    fs::write(&part, lease.to_string())?;
    fs::rename(part, path)
}
