//! A simulated Meerkat realm: real lease files, a real file of a mob, a real graph of work items.
//!
//! Its story: a flow goes on step by step, another one fails, a member is retired while its claim lasts, a second process
//! serves the realm, and the member is spawned again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use libsql::{Builder, Connection, params};
use serde_json::{Value, json};

use super::{Run, Simulation, Starting, Wanted, scaled};
use crate::clock::wall_clock;
use crate::config::Layers;
use crate::data::meerkat::realm::Realm as Place;
use crate::data::meerkat::system::MeerkatPlaces;
use crate::model::time::{MINUTE, Millis, SECOND};

/// What simulates Meerkat.
pub struct Simulated;

impl Simulation for Simulated {
    fn name(&self) -> &'static str {
        "meerkat"
    }

    fn start<'a>(&'a self, folder: &'a Path, wanted: &'a Wanted, layers: &'a Layers, run: &'a Run) -> Starting<'a> {
        Box::pin(start(folder, wanted, layers, run))
    }
}

async fn start(folder: &Path, wanted: &Wanted, layers: &Layers, run: &Run) -> anyhow::Result<super::Simulated> {
    let mut realm = Realm::create(&folder.join("realms/fleet"), wanted.speed, wall_clock()).await?;
    let root = realm.root.clone();
    let mut steps = run.steps();
    run.spawn(async move {
        while steps.next().await {
            if let Err(error) = realm.step(wall_clock()).await {
                tracing::warn!(%error, "the simulated realm could not write");
            }
        }
    });
    let places = MeerkatPlaces::new(layers, Place::at(&root));
    let watched_by = vec![format!("--meerkat {}", root.display())];
    Ok(super::Simulated { mesh: "realm", places: Arc::new(places), watched_by })
}

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

/// Members of the mob.
const MEMBERS: &[(&str, &str)] = &[
    ("lead-1", "lead"),
    ("worker-1", "worker"),
    ("worker-2", "worker"),
    ("worker-3", "worker"),
    ("reviewer-1", "reviewer"),
];

/// The runs of the story.
const BUILD: &str = "8d245e25-6e03-419b-86f8-799fab904d89";
const BROKEN: &str = "8823a883-4f67-44a6-8a85-71df30cedcb7";

/// The realm and its story.
pub struct Realm {
    pub root: PathBuf,
    mob: Connection,
    work: Connection,
    speed: f64,
    began_ms: Millis,
    renewed_ms: Millis,
    played: usize,
    cursor: i64,
    fence: i64,
    ledger: Vec<Value>,
}

impl Realm {
    /// Makes a realm in a folder.
    pub async fn create(root: &Path, speed: f64, now_ms: Millis) -> anyhow::Result<Self> {
        for part in ["leases", "mobs"] {
            fs::create_dir_all(root.join(part)).context("cannot make the demo's realm")?;
        }
        fs::write(root.join("realm_manifest.json"), r#"{"realm_id":"fleet","backend":"sqlite"}"#)?;
        let mob = create(&root.join("mobs/mob--atlas.db"), MOB).await?;
        let work = create(&root.join("workgraph.sqlite3"), WORK).await?;
        let root = root.to_owned();
        let (began_ms, ledger) = (now_ms, Vec::new());
        let mut realm =
            Self { root, mob, work, speed, began_ms, renewed_ms: 0, played: 0, cursor: 0, fence: 0, ledger };
        realm.step(now_ms).await?;
        Ok(realm)
    }

    fn span(&self, ms: Millis) -> Millis {
        scaled(ms, self.speed)
    }

    /// Plays on.
    pub async fn step(&mut self, now_ms: Millis) -> anyhow::Result<()> {
        if now_ms - self.renewed_ms >= 5 * SECOND {
            self.renewed_ms = now_ms;
            lease(&self.root, "desk-1", self.began_ms, now_ms)?;
            if self.root.join("leases/desk-2.json").exists() {
                lease(&self.root, "desk-2", self.began_ms, now_ms)?;
            }
        }
        // When each part of the story comes, on the realm's own clock.
        let parts = [0, 15, 30, 45, 60, 75, 95, 110];
        let age = now_ms - self.began_ms;
        while parts.get(self.played).is_some_and(|at| age >= self.span(at * SECOND)) {
            self.play(self.played, now_ms).await?;
            self.played += 1;
        }
        Ok(())
    }

    async fn play(&mut self, part: usize, now_ms: Millis) -> anyhow::Result<()> {
        match part {
            0 => self.begin(now_ms).await?,
            1 => {
                self.step_of(BUILD, "build", "plan", "completed", "lead-1", now_ms).await?;
                self.step_of(BUILD, "build", "code", "dispatched", "worker-2", now_ms).await?;
            }
            2 => {
                let started = json!({ "type": "flow_started", "run_id": BROKEN, "flow_id": "publish" });
                self.event(started, now_ms).await?;
                let failed = json!({ "type": "flow_failed", "run_id": BROKEN, "flow_id": "publish", "cause": "step_error",
                    "reason": "step upload: the registry answered 503" });
                self.event(failed, now_ms).await?;
                self.run(BROKEN, "publish", "failed", Vec::new(), now_ms).await?;
            }
            3 => self.item("work-3", "Write the docs", 2, Some(("worker-3", None)), now_ms).await?,
            4 => {
                self.member("member_retirement_started", "worker-1", now_ms).await?;
                self.member("member_retired", "worker-1", now_ms).await?;
            }
            5 => lease(&self.root, "desk-2", now_ms, now_ms)?,
            6 => fs::remove_file(self.root.join("leases/desk-2.json"))?,
            _ => self.spawn("worker-1", "worker", 1, now_ms).await?,
        }
        Ok(())
    }

    async fn begin(&mut self, now_ms: Millis) -> anyhow::Result<()> {
        self.event(json!({ "type": "mob_created" }), now_ms).await?;
        for (identity, role) in MEMBERS {
            self.spawn(identity, role, 0, now_ms).await?;
        }
        self.event(json!({ "type": "flow_started", "run_id": BUILD, "flow_id": "build" }), now_ms).await?;
        self.step_of(BUILD, "build", "plan", "dispatched", "lead-1", now_ms).await?;
        let until = now_ms + self.span(10 * MINUTE);
        self.item("work-1", "Write the lexer", 2, Some(("worker-1", Some(until))), now_ms).await?;
        self.item("work-2", "Write the parser", 1, None, now_ms).await?;
        let sql = "INSERT INTO workgraph_edges VALUES ('mob.atlas', 'default', 'Blocks', 'work-1', 'work-2', '{}')";
        self.work.execute(sql, ()).await?;
        Ok(())
    }

    async fn spawn(&mut self, identity: &str, role: &str, generation: i64, now_ms: Millis) -> libsql::Result<()> {
        self.fence += 1;
        let kind = json!({ "type": "member_spawned", "agent_identity": identity, "role": role,
            "generation": generation, "fence_token": self.fence, "runtime_mode": "turn_driven" });
        self.event(kind, now_ms).await
    }

    async fn member(&mut self, kind: &str, identity: &str, now_ms: Millis) -> libsql::Result<()> {
        self.event(json!({ "type": kind, "agent_identity": identity, "generation": 0 }), now_ms).await
    }

    async fn event(&mut self, kind: Value, now_ms: Millis) -> libsql::Result<()> {
        self.cursor += 1;
        let event = json!({ "schema_version": 9, "event": {
            "cursor": self.cursor, "timestamp": at(now_ms), "mob_id": "atlas", "kind": kind } });
        let sql = "INSERT INTO mob_events VALUES (?, 'atlas', ?)";
        self.mob.execute(sql, params![self.cursor, event.to_string().into_bytes()]).await.map(|_| ())
    }

    /// A step of a run goes on: an event, and a row of the ledger.
    async fn step_of(
        &mut self,
        run: &str,
        flow: &str,
        step: &str,
        status: &str,
        who: &str,
        now_ms: Millis,
    ) -> libsql::Result<()> {
        let kind = if status == "dispatched" { "step_dispatched" } else { "step_target_completed" };
        let target = json!({ "identity": who, "generation": 0 });
        self.event(json!({ "type": kind, "run_id": run, "step_id": step, "target": target }), now_ms).await?;
        self.ledger.push(json!({ "step_id": step, "agent_identity": "__flow_system_member__", "status": status,
            "timestamp": at(now_ms) }));
        self.run(run, flow, "running", self.ledger.clone(), now_ms).await
    }

    async fn run(&self, run: &str, flow: &str, status: &str, ledger: Vec<Value>, now_ms: Millis) -> libsql::Result<()> {
        let completed = (status != "running").then(|| at(now_ms));
        let row = json!({ "run_id": run, "mob_id": "atlas", "flow_id": flow, "status": status,
            "created_at": at(self.began_ms), "completed_at": completed, "step_ledger": ledger });
        let sql = "INSERT OR REPLACE INTO mob_runs VALUES (?, ?)";
        self.mob.execute(sql, params![run, row.to_string().into_bytes()]).await.map(|_| ())
    }

    /// Writes an item, and its event. A claim names who has it, and until when.
    async fn item(
        &self,
        id: &str,
        title: &str,
        revision: i64,
        claim: Option<(&str, Option<Millis>)>,
        now_ms: Millis,
    ) -> libsql::Result<()> {
        let claim = claim.map(|(who, until)| {
            json!({ "owner": { "key": { "kind": "agent", "id": who } }, "claimed_at": at(now_ms),
                "lease_expires_at": until.map(at) })
        });
        let (kind, status) = if claim.is_some() { ("claimed", "in_progress") } else { ("created", "open") };
        let item = json!({ "id": id, "title": title, "status": status, "revision": revision, "claim": claim,
            "created_at": at(self.began_ms), "updated_at": at(now_ms) });
        let sql = "INSERT OR REPLACE INTO workgraph_items VALUES ('mob.atlas', 'default', ?, ?, ?, ?)";
        self.work.execute(sql, params![id, revision, at(now_ms), item.to_string()]).await?;
        let event = json!({ "kind": kind, "payload": { "item": item } });
        let sql = "INSERT INTO workgraph_events (realm_id, namespace, item_id, event_kind, at_utc, event_json) \
                   VALUES ('mob.atlas', 'default', ?, ?, ?, ?)";
        self.work.execute(sql, params![id, kind, at(now_ms), event.to_string()]).await.map(|_| ())
    }
}
