//! A simulated Harn project: a real event log with its chain, real lock directories, a real file of host leases.
//!
//! Its story: lanes at work, two that claim the same piece, one that stops answering with a lock in hand, a lock that
//! nobody wrote his name into, a reader that does not read, and a queue for a machine.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use libsql::{Builder, Connection, params};
use serde_json::{Map, Value, json};

use super::{Run, Simulation, Starting, Wanted, scaled};
use crate::clock::wall_clock;
use crate::config::Layers;
use crate::config::locate::HostEnv;
use crate::data::harn::event::{Event, PROVENANCE};
use crate::data::harn::lockdir::{RECORD, SCHEMA as LOCK_SCHEMA};
use crate::data::harn::message::SCHEMA as MESSAGE_SCHEMA;
use crate::data::harn::places;
use crate::data::harn::system::HarnPlaces;
use crate::model::time::{MINUTE, Millis, SECOND};

/// What simulates Harn.
pub struct Simulated;

impl Simulation for Simulated {
    fn name(&self) -> &'static str {
        "harn"
    }

    fn start<'a>(&'a self, folder: &'a Path, wanted: &'a Wanted, layers: &'a Layers, run: &'a Run) -> Starting<'a> {
        Box::pin(start(folder, wanted, layers, run))
    }
}

async fn start(folder: &Path, wanted: &Wanted, layers: &Layers, run: &Run) -> anyhow::Result<super::Simulated> {
    let mut simulated = Project::create(folder, wanted.speed, wall_clock()).await?;
    let (tree, leases) = (simulated.tree.clone(), simulated.leases.clone());
    let mut steps = run.steps();
    run.spawn(async move {
        while steps.next().await {
            if let Err(error) = simulated.step(wall_clock()).await {
                tracing::warn!(%error, "the simulated project could not write");
            }
        }
    });
    let watched_by = vec![format!("--harn {} (host leases: {})", tree.display(), leases.display())];
    let projects = vec![places::Project::at(&tree, None, None)];
    let mut places = HarnPlaces::new(layers, &HostEnv::default(), projects);
    places.host_leases = Some(leases);
    Ok(super::Simulated { mesh: "project", places: Arc::new(places), watched_by })
}

/// The tables of an event log, as Harn makes them.
pub const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS _harn_sqlite_schema_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL CHECK(version > 0));
    INSERT OR IGNORE INTO _harn_sqlite_schema_versions VALUES ('event_log', 1);
    CREATE TABLE IF NOT EXISTS topic_heads (topic TEXT PRIMARY KEY, last_id INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS events (topic TEXT NOT NULL, event_id INTEGER NOT NULL, kind TEXT NOT NULL,
        payload BLOB NOT NULL, headers TEXT NOT NULL, occurred_at_ms INTEGER NOT NULL, PRIMARY KEY (topic, event_id));
    CREATE TABLE IF NOT EXISTS consumers (topic TEXT NOT NULL, consumer_id TEXT NOT NULL, cursor INTEGER NOT NULL,
        updated_at_ms INTEGER NOT NULL, PRIMARY KEY (topic, consumer_id));";

/// The tables of host leases, as Harn makes them.
pub const LEASES: &str = "
    CREATE TABLE IF NOT EXISTS host_leases (host TEXT NOT NULL, resource_class TEXT NOT NULL, domain TEXT NOT NULL,
        lease_id TEXT NOT NULL, owner TEXT NOT NULL, priority_class TEXT NOT NULL, acquired_at_ms INTEGER NOT NULL,
        updated_at_ms INTEGER NOT NULL, expires_at_ms INTEGER, owner_pid INTEGER, owner_process_identity INTEGER,
        reason TEXT, metadata_json TEXT NOT NULL, execution_context_json TEXT, PRIMARY KEY (host, resource_class, domain));
    CREATE TABLE IF NOT EXISTS host_lease_waiters (waiter_id TEXT PRIMARY KEY, host TEXT NOT NULL,
        resource_class TEXT NOT NULL, domain TEXT NOT NULL, priority_class TEXT NOT NULL, priority_rank INTEGER NOT NULL,
        requested_at_ms INTEGER NOT NULL, deadline_at_ms INTEGER NOT NULL, owner_pid INTEGER,
        owner_process_identity INTEGER, recoverable INTEGER NOT NULL);";

/// The room of the story.
pub const ROOM: &str = "channels.tenant.default.coord.workspace.demo.fleet";

/// Lanes; the last one stops answering.
const LANES: &[&str] = &["planner", "builder", "reviewer", "tester"];

/// An event log that somebody writes to.
pub struct Log {
    connection: Connection,
    /// The last event of each topic, and its hash.
    heads: HashMap<String, (i64, Option<String>)>,
    next: u64,
}

impl Log {
    /// Makes the file.
    pub async fn create(path: &Path) -> libsql::Result<Self> {
        let connection = Builder::new_local(path).build().await?.connect()?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let mut mode = connection.query("PRAGMA journal_mode = WAL", ()).await?;
        while mode.next().await?.is_some() {}
        connection.execute("PRAGMA synchronous = OFF", ()).await?;
        connection.execute_batch(SCHEMA).await?;
        Ok(Self { connection, heads: HashMap::new(), next: 1 })
    }

    /// Says something in a room. Answers the message's id. `more` are fields of the message beyond the usual ones.
    pub async fn send(
        &mut self,
        topic: &str,
        kind: &str,
        from: &str,
        more: Value,
        at_ms: Millis,
    ) -> libsql::Result<String> {
        let id = format!("coord-{:012}", self.next);
        self.next += 1;
        let mut message = json!({
            "schema": MESSAGE_SCHEMA, "id": id, "kind": kind, "room": topic.rsplit('.').next(), "scope": "workspace",
            "scope_id": "demo", "subject": kind, "body": "", "refs": [], "related_ids": [],
            "from": {"agent": from, "session_id": format!("sess-{from}")},
        });
        if let (Some(message), Value::Object(more)) = (message.as_object_mut(), more) {
            message.extend(more);
        }
        let payload = json!({
            "id": id, "name": topic, "payload": message, "emitted_at": {"at_ms": at_ms}, "emitted_by": from,
            "scope": "tenant", "scope_id": "default", "retention": "tenant_event_log",
        });
        self.append(topic, "channel.emit", payload, at_ms).await?;
        Ok(id)
    }

    /// Adds an event to a topic, tied to the one before it.
    pub async fn append(&mut self, topic: &str, kind: &str, payload: Value, at_ms: Millis) -> libsql::Result<()> {
        let (last, before) = self.heads.get(topic).cloned().unwrap_or_default();
        let mut headers = Map::new();
        headers.insert("harn.provenance.schema".into(), PROVENANCE.into());
        if let Some(before) = before {
            headers.insert("harn.provenance.prev_hash".into(), before.into());
        }
        let mut event = Event {
            topic: topic.into(),
            event_id: last + 1,
            kind: kind.into(),
            payload,
            headers,
            occurred_at_ms: at_ms,
        };
        let hash = event.hash();
        event.headers.insert("harn.provenance.record_hash".into(), hash.clone().into());
        let (payload, headers) = (event.payload.to_string().into_bytes(), Value::Object(event.headers).to_string());
        let transaction = self.connection.transaction().await?;
        transaction
            .execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
                params![topic, event.event_id, kind, payload, headers, at_ms],
            )
            .await?;
        transaction.execute("INSERT OR REPLACE INTO topic_heads VALUES (?, ?)", params![topic, event.event_id]).await?;
        transaction.commit().await?;
        self.heads.insert(topic.into(), (event.event_id, Some(hash)));
        Ok(())
    }

    /// A reader says how far it is.
    pub async fn read_up_to(&self, topic: &str, reader: &str, cursor: i64, at_ms: Millis) -> libsql::Result<()> {
        let sql = "INSERT OR REPLACE INTO consumers VALUES (?, ?, ?, ?)";
        self.connection.execute(sql, params![topic, reader, cursor, at_ms]).await.map(|_| ())
    }

    /// The last event of a topic.
    #[must_use]
    pub fn head(&self, topic: &str) -> i64 {
        self.heads.get(topic).map_or(0, |(last, _)| *last)
    }
}

/// Takes a lock as Harn does: the directory first, the record at once after.
pub fn take_lock(path: &Path, owner: &str, reason: &str, at_ms: Millis, ttl_ms: Millis) -> std::io::Result<()> {
    fs::create_dir(path)?;
    let record = json!({
        "schema": LOCK_SCHEMA, "token": format!("coord-lock-token-{at_ms}-{owner}"),
        "owner": {"id": owner, "agent": owner, "session_id": format!("sess-{owner}")}, "reason": reason, "refs": [],
        "acquired_at_ms": at_ms, "updated_at_ms": at_ms, "ttl_ms": ttl_ms, "expires_at_ms": at_ms + ttl_ms,
    });
    fs::write(path.join(RECORD), record.to_string())
}

/// The project and its story.
pub struct Project {
    /// The work tree.
    pub tree: PathBuf,
    /// The file of host leases.
    pub leases: PathBuf,
    log: Log,
    speed: f64,
    began_ms: Millis,
    beaten_ms: Millis,
    played: usize,
    /// The claim that is acknowledged and done.
    claim: String,
}

impl Project {
    /// Makes a project in a folder.
    pub async fn create(folder: &Path, speed: f64, now_ms: Millis) -> anyhow::Result<Self> {
        let tree = folder.join("project");
        fs::create_dir_all(tree.join("src")).context("cannot make the demo's project")?;
        fs::create_dir_all(tree.join(".harn"))?;
        for file in ["parser.rs", "lexer.rs", "codec.rs", "ledger.rs"] {
            fs::write(tree.join("src").join(file), "// simulated\n")?;
        }
        let log = Log::create(&tree.join(".harn/events.sqlite")).await?;
        let leases = folder.join("host-leases.sqlite");
        let (began_ms, beaten_ms) = (now_ms, 0);
        let mut project = Self { tree, leases, log, speed, began_ms, beaten_ms, played: 0, claim: String::new() };
        project.begin(now_ms).await?;
        Ok(project)
    }

    fn span(&self, ms: Millis) -> Millis {
        scaled(ms, self.speed).max(1)
    }

    fn lock(&self, file: &str) -> PathBuf {
        self.tree.join(format!("src/{file}.lock.d"))
    }

    async fn begin(&mut self, now_ms: Millis) -> anyhow::Result<()> {
        take_lock(&self.lock("parser.rs"), "planner", "edit the parser", now_ms, 10 * MINUTE)?;
        take_lock(&self.lock("lexer.rs"), "tester", "quick fix", now_ms, self.span(2 * MINUTE))?;
        let connection = Builder::new_local(&self.leases).build().await?.connect()?;
        connection.execute_batch(LEASES).await?;
        let until = now_ms + 60 * MINUTE;
        connection
            .execute(
                "INSERT INTO host_leases VALUES ('build-1', 'whole-machine', 'default', 'lease-1', 'builder', 'deferrable',
                 ?, ?, ?, ?, NULL, 'bench run', '{}', NULL)",
                // A process that lives as long as the demo does.
                params![now_ms, now_ms, until, std::process::id()],
            )
            .await?;
        for (n, class) in [(1, "deferrable"), (2, "interactive")] {
            connection
                .execute(
                    "INSERT INTO host_lease_waiters VALUES (?, 'build-1', 'whole-machine', 'default', ?, ?, ?, ?, NULL, NULL, 1)",
                    params![format!("waiter-{n}"), class, 2 - n, now_ms + n, until],
                )
                .await?;
        }
        self.step(now_ms).await
    }

    /// Plays on.
    pub async fn step(&mut self, now_ms: Millis) -> anyhow::Result<()> {
        let age = now_ms - self.began_ms;
        if now_ms - self.beaten_ms >= self.span(10 * SECOND) {
            self.beaten_ms = now_ms;
            let silent = age >= self.span(MINUTE);
            for lane in LANES.iter().filter(|lane| !silent || **lane != "tester") {
                let data = json!({
                    "schema": "harn.fleet.heartbeat.v1", "state": if *lane == "reviewer" { "waiting" } else { "busy" },
                    "lease_ms": self.span(30 * SECOND), "expected_silence_ms": self.span(20 * SECOND),
                    "current_claim_ids": [], "resource_ids": [],
                });
                let more = json!({"subject": "Heartbeat", "data": data});
                self.log.send(ROOM, "heartbeat", lane, more, now_ms).await?;
            }
            let head = self.log.head(ROOM);
            self.log.read_up_to(ROOM, "sess-planner", head, now_ms).await?;
        }
        // When each turn of the story comes, on the mesh's own clock.
        let turns = [0, 20, 30, 40, 70, 90, 120];
        while turns.get(self.played).is_some_and(|at| age >= self.span(at * SECOND)) {
            self.turn(self.played, now_ms).await?;
            self.played += 1;
        }
        Ok(())
    }

    async fn turn(&mut self, turn: usize, now_ms: Millis) -> anyhow::Result<()> {
        let claim = |key: &str, ack: bool| {
            json!({"subject": format!("Claim {key}"), "data": {"schema": "harn.fleet.claim.v1", "work_key": key,
                "lease_ms": 30 * MINUTE, "requires_ack": ack}})
        };
        let log = &mut self.log;
        match turn {
            0 => {
                log.send(ROOM, "claim", "planner", claim("file:src/parser.rs", false), now_ms).await?;
                self.claim = log.send(ROOM, "claim", "reviewer", claim("task:docs", true), now_ms).await?;
                log.read_up_to(ROOM, "sess-tester", 1, now_ms).await?;
            }
            1 => {
                let data = json!({"schema": "harn.fleet.ack.v1", "target_id": self.claim, "decision": "accepted"});
                log.send(ROOM, "ack", "planner", json!({"data": data, "reply_to": self.claim}), now_ms).await?;
            }
            2 => {
                let more = json!({"subject": "need src/parser.rs", "body": "please let src/parser.rs go",
                    "to": "sess-planner"});
                log.send(ROOM, "request", "builder", more, now_ms).await?;
            }
            // A taker that dies between the directory and the record.
            3 => fs::create_dir(self.lock("codec.rs"))?,
            4 => {
                log.send(ROOM, "claim", "builder", claim("file:src/parser.rs", false), now_ms).await?;
            }
            5 => {
                let more = json!({"subject": "take the tests", "to": "sess-tester"});
                log.send(ROOM, "handoff", "planner", more, now_ms).await?;
            }
            _ => {
                let data = json!({"schema": "harn.fleet.done.v1", "claim_id": self.claim, "work_key": "task:docs",
                    "outcome": "completed"});
                log.send(ROOM, "done", "reviewer", json!({"data": data, "reply_to": self.claim}), now_ms).await?;
            }
        }
        Ok(())
    }
}
