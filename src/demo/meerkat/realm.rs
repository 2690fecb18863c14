//! The realm: its members, the runs that they are at, its flows and its claims, and the story that is played with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use libsql::{Connection, params};
use serde_json::{Value, json};

use super::super::scaled;
use super::files::{MOB, WORK, at, create, lease};
use crate::model::time::{MINUTE, Millis, SECOND};

/// The one mob of the realm.
pub const MOB_ID: &str = "atlas";

/// Its members at first.
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

/// A member, and what it is at.
#[derive(Debug, Clone, Default)]
pub struct Member {
    pub role: String,
    pub generation: i64,
    pub fence: i64,
    /// The run that it is at.
    pub run: Option<String>,
    /// It hangs in its model's call: it makes no progress, and a cancel does not reach it.
    pub hangs: bool,
    pub progress_ms: Millis,
    pub wired_to: BTreeSet<String>,
}

/// A run of a flow.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    pub name: String,
    pub status: String,
    ledger: Vec<Value>,
    begun_ms: Millis,
    /// It was told to end, and does so at the next step.
    cancelled: bool,
}

/// The realm and its story.
pub struct Realm {
    pub root: PathBuf,
    pub members: BTreeMap<String, Member>,
    pub flows: BTreeMap<String, Flow>,
    pub is_stopped: bool,
    /// The last event's cursor.
    pub cursor: i64,
    mob: Connection,
    work: Connection,
    speed: f64,
    began_ms: Millis,
    renewed_ms: Millis,
    played: usize,
    fence: i64,
    runs: u64,
}

impl Realm {
    /// Makes a realm in a folder, and plays the first part of its story.
    pub async fn create(root: &Path, speed: f64, now_ms: Millis) -> anyhow::Result<Self> {
        for part in ["leases", "mobs"] {
            fs::create_dir_all(root.join(part)).context("cannot make the demo's realm")?;
        }
        fs::write(root.join("realm_manifest.json"), r#"{"realm_id":"fleet","backend":"sqlite"}"#)?;
        let mob = create(&root.join("mobs/mob--atlas.db"), MOB).await?;
        let work = create(&root.join("workgraph.sqlite3"), WORK).await?;
        let mut realm = Self {
            root: root.to_owned(),
            members: BTreeMap::new(),
            flows: BTreeMap::new(),
            is_stopped: false,
            cursor: 0,
            mob,
            work,
            speed,
            began_ms: now_ms,
            renewed_ms: 0,
            played: 0,
            fence: 0,
            runs: 0,
        };
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
        let parts = [0, 15, 20, 30, 45, 60, 75, 95, 110];
        let age = now_ms - self.began_ms;
        while parts.get(self.played).is_some_and(|at| age >= self.span(at * SECOND)) {
            self.play(self.played, now_ms).await?;
            self.played += 1;
        }
        // Whoever is at work and does not hang gets on.
        for member in self.members.values_mut().filter(|member| member.run.is_some() && !member.hangs) {
            member.progress_ms = now_ms;
        }
        let ended: Vec<String> =
            self.flows.iter().filter(|(_, flow)| flow.cancelled).map(|(run, _)| run.clone()).collect();
        for run in ended {
            self.end_flow(&run, "canceled", json!({ "type": "flow_canceled", "cause": "cancel_requested" }), now_ms)
                .await?;
        }
        Ok(())
    }

    async fn play(&mut self, part: usize, now_ms: Millis) -> anyhow::Result<()> {
        match part {
            0 => self.begin(now_ms).await?,
            1 => {
                self.step_of(BUILD, "plan", "completed", "lead-1", now_ms).await?;
                self.step_of(BUILD, "code", "dispatched", "worker-2", now_ms).await?;
            }
            2 => self.start_run("worker-3", true, now_ms),
            3 => {
                self.begin_flow(BROKEN, "publish", now_ms).await?;
                let failed = json!({ "type": "flow_failed", "cause": "step_error",
                    "reason": "step upload: the registry answered 503" });
                self.end_flow(BROKEN, "failed", failed, now_ms).await?;
            }
            4 => self.item("work-3", "Write the docs", 2, Some(("worker-3", None)), now_ms).await?,
            5 => self.retire("worker-1", now_ms).await?,
            6 => lease(&self.root, "desk-2", now_ms, now_ms)?,
            7 => fs::remove_file(self.root.join("leases/desk-2.json"))?,
            _ => self.spawn("worker-1", "worker", 1, now_ms).await?,
        }
        Ok(())
    }

    async fn begin(&mut self, now_ms: Millis) -> anyhow::Result<()> {
        self.event(json!({ "type": "mob_created" }), now_ms).await?;
        for (identity, role) in MEMBERS {
            self.spawn(identity, role, 0, now_ms).await?;
        }
        self.wire("lead-1", "worker-2", true, now_ms).await?;
        self.begin_flow(BUILD, "build", now_ms).await?;
        self.step_of(BUILD, "plan", "dispatched", "lead-1", now_ms).await?;
        let until = now_ms + self.span(10 * MINUTE);
        self.item("work-1", "Write the lexer", 2, Some(("worker-1", Some(until))), now_ms).await?;
        self.item("work-2", "Write the parser", 1, None, now_ms).await?;
        let sql = "INSERT INTO workgraph_edges VALUES ('mob.atlas', 'default', 'Blocks', 'work-1', 'work-2', '{}')";
        self.work.execute(sql, ()).await?;
        Ok(())
    }

    /// Spawns a member, as its next life.
    pub async fn spawn(&mut self, identity: &str, role: &str, generation: i64, now_ms: Millis) -> libsql::Result<()> {
        self.fence += 1;
        let kind = json!({ "type": "member_spawned", "agent_identity": identity, "role": role,
            "generation": generation, "fence_token": self.fence, "runtime_mode": "turn_driven" });
        let life =
            Member { role: role.into(), generation, fence: self.fence, progress_ms: now_ms, ..Member::default() };
        self.members.insert(identity.to_owned(), life);
        self.event(kind, now_ms).await
    }

    /// Retires a member, and what it is at.
    pub async fn retire(&mut self, identity: &str, now_ms: Millis) -> libsql::Result<()> {
        let generation = self.members.remove(identity).map_or(0, |member| member.generation);
        for member in self.members.values_mut() {
            member.wired_to.remove(identity);
        }
        for kind in ["member_retirement_started", "member_retired"] {
            self.event(json!({ "type": kind, "agent_identity": identity, "generation": generation }), now_ms).await?;
        }
        Ok(())
    }

    /// Ends a member and starts it again; its wires stay. Answers whether there is such a member.
    pub async fn respawn(&mut self, identity: &str, now_ms: Millis) -> libsql::Result<bool> {
        let Some(before) = self.members.get(identity).cloned() else { return Ok(false) };
        self.retire(identity, now_ms).await?;
        self.spawn(identity, &before.role, before.generation + 1, now_ms).await?;
        for peer in &before.wired_to {
            self.connect(identity, peer, true);
        }
        Ok(true)
    }

    /// Wires two members, or unwires them.
    pub async fn wire(&mut self, a: &str, b: &str, on: bool, now_ms: Millis) -> libsql::Result<()> {
        self.connect(a, b, on);
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        let kind = if on { "members_wired" } else { "members_unwired" };
        self.event(json!({ "type": kind, "a": a, "b": b }), now_ms).await
    }

    fn connect(&mut self, a: &str, b: &str, on: bool) {
        for (one, other) in [(a, b), (b, a)] {
            let Some(member) = self.members.get_mut(one) else { continue };
            if on {
                member.wired_to.insert(other.to_owned());
            } else {
                member.wired_to.remove(other);
            }
        }
    }

    /// Lets a member begin a run. One that hangs in it makes no progress.
    pub fn start_run(&mut self, identity: &str, hangs: bool, now_ms: Millis) {
        self.runs += 1;
        let run = format!("01a214e3-0000-7000-8000-{:012x}", self.runs);
        if let Some(member) = self.members.get_mut(identity) {
            (member.run, member.hangs, member.progress_ms) = (Some(run), hangs, now_ms);
        }
    }

    /// Ends the run that a member is at.
    pub fn end_run(&mut self, identity: &str, now_ms: Millis) {
        if let Some(member) = self.members.get_mut(identity) {
            (member.run, member.hangs, member.progress_ms) = (None, false, now_ms);
        }
    }

    /// Stops the mob, or lets it go on. Answers whether it did: a member that hangs keeps a stop from ending.
    pub async fn stop(&mut self, on: bool, now_ms: Millis) -> libsql::Result<bool> {
        let quiesce =
            |end: &str| json!({ "type": format!("placed_completion_lifecycle_quiesce_{end}"), "intent": "Stop" });
        if !on {
            self.is_stopped = false;
            return self.event(quiesce("ended"), now_ms).await.map(|()| true);
        }
        self.event(quiesce("started"), now_ms).await?;
        if self.members.values().any(|member| member.hangs) {
            return Ok(false);
        }
        self.is_stopped = true;
        self.event(json!({ "type": "mob_stopped" }), now_ms).await.map(|()| true)
    }

    /// Tells a flow to end. Answers whether there is such a run.
    pub fn cancel_flow(&mut self, run: &str) -> bool {
        let Some(flow) = self.flows.get_mut(run) else { return false };
        flow.cancelled = flow.status == "running";
        true
    }

    /// Events after a cursor, as the RPC answers them.
    pub async fn events_after(&self, cursor: i64, most: i64) -> libsql::Result<Vec<Value>> {
        let sql = "SELECT CAST(event_json AS TEXT) FROM mob_events WHERE cursor > ? ORDER BY cursor LIMIT ?";
        let mut rows = self.mob.query(sql, params![cursor, most]).await?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().await? {
            let stored: Value = serde_json::from_str(&row.get::<String>(0)?).unwrap_or_default();
            events.push(stored["event"].clone());
        }
        Ok(events)
    }

    async fn event(&mut self, kind: Value, now_ms: Millis) -> libsql::Result<()> {
        self.cursor += 1;
        let event = json!({ "schema_version": 9, "event": {
            "cursor": self.cursor, "timestamp": at(now_ms), "mob_id": MOB_ID, "kind": kind } });
        let sql = "INSERT INTO mob_events VALUES (?, ?, ?)";
        self.mob.execute(sql, params![self.cursor, MOB_ID, event.to_string().into_bytes()]).await.map(|_| ())
    }

    /// Begins a run of a flow.
    pub async fn begin_flow(&mut self, run: &str, name: &str, now_ms: Millis) -> libsql::Result<()> {
        let flow = Flow { name: name.into(), status: "running".into(), begun_ms: now_ms, ..Flow::default() };
        self.flows.insert(run.to_owned(), flow);
        self.event(json!({ "type": "flow_started", "run_id": run, "flow_id": name }), now_ms).await?;
        self.write_flow(run, now_ms).await
    }

    async fn end_flow(&mut self, run: &str, status: &str, mut kind: Value, now_ms: Millis) -> libsql::Result<()> {
        let Some(flow) = self.flows.get_mut(run) else { return Ok(()) };
        (flow.status, flow.cancelled) = (status.to_owned(), false);
        (kind["run_id"], kind["flow_id"]) = (run.into(), flow.name.as_str().into());
        self.event(kind, now_ms).await?;
        self.write_flow(run, now_ms).await
    }

    /// A step of a run goes on: an event, a row of the ledger, and the member's own run.
    async fn step_of(&mut self, run: &str, step: &str, status: &str, who: &str, now_ms: Millis) -> libsql::Result<()> {
        let begins = status == "dispatched";
        let kind = if begins { "step_dispatched" } else { "step_target_completed" };
        let target = json!({ "identity": who, "generation": 0 });
        self.event(json!({ "type": kind, "run_id": run, "step_id": step, "target": target }), now_ms).await?;
        if begins {
            self.start_run(who, false, now_ms);
        } else {
            self.end_run(who, now_ms);
        }
        if let Some(flow) = self.flows.get_mut(run) {
            flow.ledger.push(json!({ "step_id": step, "agent_identity": "__flow_system_member__", "status": status,
                "timestamp": at(now_ms) }));
        }
        self.write_flow(run, now_ms).await
    }

    async fn write_flow(&self, run: &str, now_ms: Millis) -> libsql::Result<()> {
        let Some(flow) = self.flows.get(run) else { return Ok(()) };
        let completed = (flow.status != "running").then(|| at(now_ms));
        let row = json!({ "run_id": run, "mob_id": MOB_ID, "flow_id": flow.name, "status": flow.status,
            "created_at": at(flow.begun_ms), "completed_at": completed, "step_ledger": flow.ledger });
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
