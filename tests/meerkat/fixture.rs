//! A realm on disk, written as Meerkat writes it: the tables that are read, and the private ones beside them.

use std::path::{Path, PathBuf};

use libsql::Connection;
use lockkeeper::demo::meerkat::{MOB, OLDER_MOB, WORK, at, create};
use serde_json::{Value, json};

/// What must never leave a realm: it stands in every private place.
pub const SECRET: &str = "s3cret-of-the-realm";

/// One realm.
pub struct Realm {
    pub folder: tempfile::TempDir,
    pub root: PathBuf,
}

/// Milliseconds since 1970, now.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

impl Realm {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("team");
        for part in ["leases", "mobs"] {
            std::fs::create_dir_all(root.join(part)).unwrap();
        }
        std::fs::write(root.join("realm_manifest.json"), r#"{"realm_id":"team","backend":"sqlite"}"#).unwrap();
        std::fs::write(root.join("sessions.sqlite3"), SECRET).unwrap();
        Self { folder, root }
    }

    pub fn path(&self) -> &str {
        self.root.to_str().unwrap()
    }

    /// The lease of a process; `age_s` is how long ago it was renewed.
    pub fn lease(&self, instance: &str, age_s: i64) {
        let now = now_ms() / 1_000;
        let lease = json!({
            "realm_id": "team", "instance_id": instance, "surface": "rkat-rpc", "pid": 4_242,
            "started_at": now - 3_600, "heartbeat_at": now - age_s,
        });
        std::fs::write(self.root.join(format!("leases/{instance}.json")), lease.to_string()).unwrap();
    }

    /// A mob's file; its connection stays open, so that its log is in use.
    pub async fn mob(&self, name: &str) -> MobFile {
        MobFile::create(&self.root.join(format!("mobs/mob--{name}.db")), true).await
    }

    /// The same of version 0.6.
    pub async fn older_mob(&self, name: &str) -> MobFile {
        MobFile::create(&self.root.join(format!("mobs/{name}.db")), false).await
    }

    pub async fn work(&self) -> WorkFile {
        let connection = create(&self.root.join("workgraph.sqlite3"), WORK).await.unwrap();
        WorkFile { connection }
    }

    /// Every file, with its size and time: watching changes none of them and makes none.
    pub fn files(&self) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = std::fs::metadata(&path).unwrap();
                if meta.is_dir() {
                    folders.push(path);
                } else if path.extension().is_none_or(|e| !e.to_string_lossy().ends_with("-shm")) {
                    found.push((path, meta.len(), meta.modified().unwrap()));
                }
            }
        }
        found.sort();
        found
    }
}

/// One mob's file.
pub struct MobFile {
    pub connection: Connection,
    newer: bool,
    cursor: i64,
}

impl MobFile {
    pub async fn create(path: &Path, newer: bool) -> Self {
        let private = format!(
            "CREATE TABLE mob_runtime_supervisors (mob_id TEXT PRIMARY KEY, record_json BLOB NOT NULL);
             CREATE TABLE mob_runtime_callback_claim_verifiers (mob_id TEXT PRIMARY KEY, verifier BLOB NOT NULL);
             INSERT INTO mob_runtime_supervisors VALUES ('m', '{{\"epoch\":3,\"secret_key\":\"{SECRET}\"}}');
             INSERT INTO mob_runtime_callback_claim_verifiers VALUES ('m', '{SECRET}');"
        );
        let tables = if newer { MOB } else { OLDER_MOB };
        let connection = create(path, &format!("{tables}{private}")).await.unwrap();
        Self { connection, newer, cursor: 0 }
    }

    /// Appends an event, `age_s` ago.
    pub async fn event(&mut self, age_s: i64, kind: Value) -> i64 {
        let version = if self.newer { 9 } else { 6 };
        let mut kind = kind;
        kind["bridge_member_ref"] = json!({ "bridge_session_id": SECRET });
        kind["kickoff_prompt"] = SECRET.into();
        kind["output"] = SECRET.into();
        let event = json!({ "schema_version": version, "event": {
            "cursor": self.cursor + 1, "timestamp": at(now_ms() - age_s * 1_000), "mob_id": "m", "kind": kind,
        } });
        self.raw(event.to_string().as_bytes()).await
    }

    /// Appends a row of any content.
    pub async fn raw(&mut self, stored: &[u8]) -> i64 {
        self.cursor += 1;
        let sql = if self.newer {
            "INSERT INTO mob_events (cursor, mob_id, event_json) VALUES (?1, 'm', ?2)"
        } else {
            "INSERT INTO mob_events (cursor, event_json) VALUES (?1, ?2)"
        };
        self.connection.execute(sql, (self.cursor, stored.to_vec())).await.unwrap();
        self.cursor
    }

    pub async fn spawn(&mut self, who: &str, fence: i64) -> i64 {
        let kind = json!({ "type": "member_spawned", "agent_identity": who, "role": "worker", "generation": 0, "fence_token": fence });
        self.event(30, kind).await
    }

    pub async fn run(&self, run_id: &str, status: &str, steps: &[(&str, &str)]) {
        let ledger: Vec<Value> = steps
            .iter()
            .map(|(step, status)| {
                json!({ "step_id": step, "agent_identity": "__flow_system_member__", "status": status, "output": SECRET, "timestamp": at(now_ms() - 20_000) })
            })
            .collect();
        let run = json!({
            "run_id": run_id, "mob_id": "m", "flow_id": "build", "status": status, "created_at": at(now_ms() - 30_000),
            "completed_at": null, "step_ledger": ledger, "flow_authority_inputs": SECRET,
        });
        let sql = "INSERT OR REPLACE INTO mob_runs VALUES (?1, ?2)";
        self.connection.execute(sql, (run_id, run.to_string().into_bytes())).await.unwrap();
    }
}

/// The file of work items.
pub struct WorkFile {
    pub connection: Connection,
}

impl WorkFile {
    /// Writes an item and its event. `claim` is who holds it, and for how many seconds from now.
    pub async fn item(&self, id: &str, status: &str, revision: i64, claim: Option<(&str, Option<i64>)>) {
        let mut item = json!({
            "id": id, "title": format!("Write {id}"), "status": status, "revision": revision,
            "created_at": at(now_ms() - 60_000), "updated_at": at(now_ms() - 10_000),
        });
        if let Some((agent, left)) = claim {
            item["claim"] = json!({
                "owner": { "key": { "kind": "agent", "id": agent } }, "claimed_at": at(now_ms() - 10_000),
                "lease_expires_at": left.map(|s| at(now_ms() + s * 1_000)),
            });
        }
        let sql = "INSERT OR REPLACE INTO workgraph_items VALUES ('mob.m', 'default', ?1, ?2, ?3, ?4)";
        let updated = at(now_ms());
        self.connection.execute(sql, (id, revision, updated.clone(), item.to_string())).await.unwrap();
        let event = json!({ "kind": "claimed", "payload": { "item": item } });
        let sql = "INSERT INTO workgraph_events (realm_id, namespace, item_id, event_kind, at_utc, event_json) \
                   VALUES ('mob.m', 'default', ?1, 'Claimed', ?2, ?3)";
        self.connection.execute(sql, (id, updated, event.to_string())).await.unwrap();
    }

    pub async fn blocks(&self, from: &str, to: &str) {
        let sql = "INSERT INTO workgraph_edges VALUES ('mob.m', 'default', 'Blocks', ?1, ?2, '{}')";
        self.connection.execute(sql, (from, to)).await.unwrap();
    }
}
