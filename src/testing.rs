//! A mesh made by hand for tests: a little of everything, some of it hostile, at a fixed instant.

pub mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::action::plan::Policy;
use crate::app::keymap::Keymap;
use crate::app::theme::Themes;
use crate::app::{Calls, MeshConfig, Options};
use crate::data::vox::schema::PROVIDES;
use crate::mesh::MeshState;
use crate::mesh::derive::{Snapshot, Thresholds, derive};
use crate::model::action::Abilities;
use crate::model::action::{Action, Kind as ActionKind, LeaseGuard};
use crate::model::agent::{Activity, Agent, AgentStatus, Group, GroupStatus, Progress};
use crate::model::chain::link;
use crate::model::event::{Event, Kind, SCHEMA};
use crate::model::journal::{Entry, Process};
use crate::model::observation::{Change, ClockSample, Cost, LogStart, Observation, Presence, Probe};
use crate::model::outcome::OutcomeKind;
use crate::model::report::{Report, State};
use crate::model::severity::Severity;
use crate::model::source::{Fault, Identity};
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND};
use crate::model::{
    Heartbeat, Leader, Lease, Lock, LockTable, LogEntry, LogTable, Message, MessageTable, Payload, QueueStats,
    RegistryNode,
};

/// The instant of every snapshot here.
pub const NOW: Millis = 1_795_237_725_000;

/// What an attacker would write into every text column.
pub const HOSTILE: &str = "x\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\u{7f}\u{7}\ny";

pub fn heartbeat(node: &str, agent: &str, age: Millis) -> Heartbeat {
    Heartbeat {
        node_id: node.into(),
        agent_id: agent.into(),
        last_seen_ms: Some(NOW - age),
        activity: "writing".into(),
        repository_id: "9f2c41d07ab8e635".into(),
        ..Default::default()
    }
}

pub fn lock(key: &str, node: &str, agent: &str, left: Millis) -> Lock {
    Lock {
        table: LockTable::Distributed,
        lock_key: key.into(),
        repository_id: "9f2c41d07ab8e635".into(),
        holder_node: node.into(),
        holder_agent: agent.into(),
        fence_token: Some(7),
        acquired_at_ms: Some(NOW - 40 * SECOND),
        expires_at_ms: Some(NOW + left),
        ..Lock::default()
    }
}

pub fn registered(id: &str, age: Millis) -> RegistryNode {
    RegistryNode { node_id: id.into(), last_seen_ms: Some(NOW - age), version: "1".into(), ..Default::default() }
}

pub fn message(id: i64, to: &str, kind: &str, payload: &str, age: Millis) -> Message {
    Message {
        table: MessageTable::A2a,
        id,
        sender_agent: "1".into(),
        receiver_agent: to.into(),
        msg_type: kind.into(),
        payload: Payload { head: payload.into(), full_len: i64::try_from(payload.len()).ok() },
        priority: Some(2),
        thread_id: Some("thread-1".into()),
        created_at_ms: Some(NOW - age),
        repository_id: "9f2c41d07ab8e635".into(),
        delivery_attempts: Some(0),
        ..Default::default()
    }
}

fn agent(name: &str, activity: Activity, is_still: bool) -> Agent {
    Agent {
        agent: name.into(),
        repository_id: "9f2c41d07ab8e635".into(),
        group: "atlas".into(),
        identity: name.strip_prefix("atlas/").unwrap_or_default().into(),
        node_id: "desktop-488".into(),
        role: "worker".into(),
        status: Some(AgentStatus::Active),
        generation: Some(0),
        fence_token: Some(4),
        started_ms: Some(NOW - 10 * MINUTE),
        progress: Some(Progress {
            activity,
            in_flight: 0,
            last_ms: Some(NOW - 6 * MINUTE),
            health: "unknown".into(),
            since_ms: NOW - 6 * MINUTE,
            is_still,
            every_ms: 10 * SECOND,
        }),
        ..Agent::default()
    }
}

fn log() -> Vec<LogEntry> {
    let kinds = [
        r#"{"TaskSubmit":{"task_id":42}}"#,
        r#"{"LockAcquire":{"path":"src/parser.rs","agent_id":1}}"#,
        r#"{"ConflictDetected":{"path":"src/parser.rs","severity":"high","sides":[1,2]}}"#,
        r#""Rebalance""#,
    ];
    let mut before: Option<String> = None;
    (1u64..)
        .zip(kinds)
        .map(|(number, kind)| {
            let at = NOW - 30 * SECOND + i64::try_from(number).unwrap() * SECOND;
            let hash = before.replace(link(number, at, before.as_deref()));
            LogEntry {
                table: LogTable::Agent,
                id: i64::try_from(number).unwrap(),
                agent_id: "1".into(),
                operation_id: format!("OP-{number:06}").into(),
                kind: kind.trim_matches(['{', '"']).split('"').next().unwrap().into(),
                kind_json: kind.into(),
                description: format!("operation {number}").into(),
                predecessor_hash: hash.as_deref().map(Text::new),
                timestamp_ms: Some(at),
                repository_id: "9f2c41d07ab8e635".into(),
                ..Default::default()
            }
        })
        .collect()
}

fn abilities(kind: &str) -> Abilities {
    let kinds: &[ActionKind] = match kind {
        "database" => &[
            ActionKind::Release,
            ActionKind::Restore,
            ActionKind::Reroute,
            ActionKind::Unclaim,
            ActionKind::Acknowledge,
            ActionKind::Send,
        ],
        _ => &[
            ActionKind::Deliver,
            ActionKind::Retire,
            ActionKind::Acknowledge,
            ActionKind::Send,
            ActionKind::Revoke,
            ActionKind::Drain,
            ActionKind::Quarantine,
        ],
    };
    Abilities { kinds, records: kind == "database" }
}

fn identity(name: &str, kind: &'static str, how: &'static str) -> Identity {
    let why_empty: &[(&str, &str)] = &[("vcs_lock", "today's Vox takes no locks here")];
    Identity {
        system: "Vox",
        name: name.into(),
        kind,
        place: format!("/var/{name}").into(),
        how,
        provides: PROVIDES,
        rules: &[],
        why_empty,
        can: abilities(kind),
        cannot: None,
    }
}

/// A mesh of two sources that have not been heard yet.
pub fn starting_mesh() -> MeshState {
    MeshState::new(
        "prod".into(),
        vec![identity("vox.db", "database", "snapshot copy"), identity("10.0.0.5:9847", "control plane", "HTTP")],
        crate::mesh::facts::WINDOW,
    )
}

fn observed(source: usize, at_ms: Millis, changes: Vec<Change>, parts: &[(&'static str, Presence)]) -> Report {
    let observation = Observation {
        asleep: None,
        changes,
        cost: Cost { round_trips: 0, rows: 31, read: None, bytes: 16_512, ms: 1.9 },
        clock: Some(ClockSample { offset_ms: 0, uncertainty_ms: 3 }),
        probe: Some(Arc::new(Probe { parts: parts.to_vec() })),
        oddities: None,
        old: None,
        unseen: None,
        notes: None,
    };
    Report::Observed { source, at_ms, observation: Box::new(observation) }
}

/// So many agents, each of which waits for the next one.
pub fn deadlock_of(agents: usize) -> MeshState {
    let key = |i: usize| format!("file:src/a/rather/long/way/to/part{:02}.rs", i % agents);
    let held = (0..agents).map(|i| lock(&key(i), "n", &(i + 1).to_string(), 5 * MINUTE)).collect();
    let asked = |i: usize| {
        let payload = format!(r#"{{"resource_id":"{}"}}"#, key(i + 1));
        let id = i64::try_from(i).unwrap_or(0) + 1;
        let mut request =
            message(id, &((i + 1) % agents + 1).to_string(), "resource_lock_request", &payload, 5 * SECOND);
        request.sender_agent = (i + 1).to_string().into();
        request
    };
    let changes = vec![
        Change::Heartbeats(vec![heartbeat("n", "1", 0)]),
        Change::Locks(LockTable::Distributed, held),
        Change::LiveMessages(MessageTable::A2a, (0..agents).map(asked).collect()),
    ];
    starting_mesh().after(observed(0, NOW, changes, &[]))
}

/// A little of everything.
pub fn mesh() -> MeshState {
    let mut claimed = message(2, "2", "plan_handoff", r#"{"plan":"refactor","steps":[1,2,3]}"#, 20 * SECOND);
    (claimed.claim_owner, claimed.claim_until_ms) = (Some("laptop-192:pid9".into()), Some(NOW + MINUTE));
    let mut poison = message(3, "3", "plan_handoff", "{}", 90 * SECOND);
    (poison.delivery_attempts, poison.last_claim_error) = (Some(6), Some("worker ended with signal 9".into()));
    let mut acknowledged = message(1, "2", "free_form", "done", 3 * MINUTE);
    acknowledged.acknowledged = true;
    let envelope = r#"{"idempotency_key":"k42","task_id":42,"repository_id":"9f2c41d07ab8e635","payload":"run tests"}"#;
    let request = r#"{"resource_id":"file:src/lexer.rs"}"#;
    let present = [
        ("mesh_heartbeats", Presence::Present),
        ("distributed_locks", Presence::Present),
        ("vcs_lock", Presence::Present),
        ("a2a_messages", Presence::Partial(vec!["claim_owner"])),
        ("agent_oplog", Presence::Present),
    ];
    let database = vec![
        Change::Heartbeats(vec![
            heartbeat("desktop-488", "1", 8 * SECOND),
            heartbeat("laptop-192", "2", 65 * SECOND),
            heartbeat("ci-7", "3", 11 * MINUTE),
            heartbeat(HOSTILE, HOSTILE, 4 * MINUTE),
        ]),
        Change::Locks(
            LockTable::Distributed,
            vec![
                lock("file:src/parser.rs", "desktop-488", "1", 4 * SECOND),
                lock("file:src/lexer.rs", "ci-7", "3", 4 * MINUTE),
                lock("file:docs/guide.md", "laptop-192", "2", 3 * MINUTE),
                lock(HOSTILE, HOSTILE, HOSTILE, -MINUTE),
            ],
        ),
        Change::Locks(LockTable::Vcs, Vec::new()),
        Change::LiveMessages(
            MessageTable::A2a,
            vec![
                claimed,
                poison,
                message(4, "1", "resource_lock_request", request, 30 * SECOND),
                message(5, "3", "remote_task_envelope", envelope, 25 * SECOND),
                message(6, HOSTILE, HOSTILE, HOSTILE, 2 * SECOND),
            ],
        ),
        Change::AcknowledgedMessages(vec![acknowledged]),
        Change::Agents(vec![
            agent("atlas/worker-1", Activity::Working, true),
            agent("atlas/worker-2", Activity::Idle, false),
            Agent { agent: HOSTILE.into(), why: Some(HOSTILE.into()), ..agent("", Activity::Unknown, false) },
        ]),
        Change::Groups(vec![Group {
            name: "atlas".into(),
            repository_id: "9f2c41d07ab8e635".into(),
            status: Some(GroupStatus::Running),
            supervisor: None,
            quorum: None,
            remark: Text::default(),
        }]),
        Change::Leaders(vec![Leader {
            repository_id: "9f2c41d07ab8e635".into(),
            leader_node_id: "desktop-488".into(),
            elected_at_ms: Some(NOW - MINUTE),
            heartbeat_at_ms: Some(NOW - SECOND),
            expires_at_ms: Some(NOW + 8 * SECOND),
            epoch: Some(12),
        }]),
        Change::Log(LogTable::Agent, log(), LogStart::Beginning),
    ];
    let plane = vec![
        Change::Registry(
            ["desktop-488", "ci-7", "gpu-3"]
                .map(|id| RegistryNode {
                    node_id: id.into(),
                    last_seen_ms: Some(NOW - if id == "ci-7" { 11 * MINUTE } else { 5 * SECOND }),
                    version: "0.5.0".into(),
                    listen_addr: Some("http://10.0.0.1:9847".into()),
                    labels: vec!["gpu".into(), "pool=train".into()],
                    quarantined: id == "ci-7",
                    ..Default::default()
                })
                .into(),
        ),
        Change::Leases(vec![Lease {
            lease_id: "2".into(),
            task_id: Some("42".into()),
            scope_key: "task:42".into(),
            holder_node_id: "ci-7".into(),
            expires_at_ms: Some(NOW + MINUTE),
            state: "granted".into(),
            authoritative: true,
            ..Default::default()
        }]),
        Change::Queue(Some(QueueStats { pending_count: 3, ..QueueStats::default() })),
    ];
    let answered = [("nodes", Presence::Present), ("exec leases", Presence::Present)];
    let mut mesh =
        starting_mesh().after(observed(0, NOW, database, &present)).after(observed(1, NOW, plane, &answered));
    mesh.mesh.journal = journal().into();
    mesh.mesh.events = events().into_iter().map(Arc::new).collect();
    mesh
}

/// A finding's life, and one of a hostile name.
pub fn events() -> Vec<Event> {
    let event = |age: Millis, kind, name: &str, severity, seq| Event {
        schema: SCHEMA.into(),
        at_ms: NOW - age,
        place: String::new(),
        mesh: "prod".into(),
        kind,
        key: format!("node-dead\u{1}node\u{1}{name}"),
        rule: "node-dead".into(),
        severity,
        subject: "node".into(),
        name: name.into(),
        sentence: format!("{name}: dead, holds 1 lock"),
        times: 1,
        by: (kind == Kind::Acknowledged).then(|| "ada".into()),
        until_ms: (kind == Kind::Acknowledged).then_some(NOW + MINUTE),
        seq,
    };
    vec![
        event(3 * MINUTE, Kind::Raised, "ci-7", Severity::Critical, 1),
        event(2 * MINUTE, Kind::Acknowledged, "ci-7", Severity::Critical, 2),
        event(MINUTE, Kind::Cleared, "gpu-3", Severity::Warning, 0),
        event(SECOND, Kind::Worse, HOSTILE, Severity::Critical, 3),
    ]
}

/// An attempt that was done, and one whose console ended at it.
fn journal() -> Vec<Entry> {
    let lease = |id: &str| LeaseGuard { lease_id: id.into(), scope_key: "task:7".into(), holder_node: "ci-7".into() };
    let entry = |id: &str, age: Millis, lease, kind, summary: &str| Entry {
        id: id.into(),
        plan: "p".into(),
        at_ms: NOW - age,
        mesh: "prod".into(),
        source: "10.0.0.5:9847".into(),
        place: "/var/10.0.0.5:9847".into(),
        process: Process::default(),
        operator: "ada".into(),
        reason: HOSTILE.into(),
        action: Action::Revoke { lease },
        kind,
        summary: summary.into(),
        before: None,
        after: kind.map(|_| serde_json::json!({ "lease_id": HOSTILE })),
        audited: kind.is_some(),
        journal_only: false,
        not_reread: false,
        closed: false,
        abandoned: false,
    };
    vec![
        entry("a1", MINUTE, lease("1"), Some(OutcomeKind::Done), "not in force any more"),
        entry("a2", 2 * SECOND, lease(HOSTILE), None, ""),
    ]
}

/// The mesh after its database stopped answering a minute ago.
pub fn silent_mesh() -> (MeshState, Millis) {
    let later = NOW + MINUTE;
    let fault = Fault::transient("cannot copy /var/vox.db: permission denied");
    let failed =
        Report::Failed { source: 0, at_ms: later, fault, state: State::Open { failures: 9 }, retry_at_ms: later };
    (mesh().after(observed(1, later, Vec::new(), &[("nodes", Presence::Present)])).after(failed), later)
}

/// A snapshot of a mesh.
pub fn snapshot(mesh: MeshState, now: Millis) -> Arc<Snapshot> {
    Arc::new(derive(&mesh, now, &Thresholds::default(), SECOND))
}

/// A mesh that is open, by its name.
pub fn mesh_config(name: &str) -> MeshConfig {
    MeshConfig { name: name.into(), policy: Policy::default() }
}

/// What a console is started with.
pub fn options() -> Options {
    Options {
        theme: "dark".into(),
        themes: Themes::default(),
        columns: BTreeMap::new(),
        own: Arc::default(),
        interval: Duration::from_secs(1),
        mouse: true,
        repo: None,
        open: vec![mesh_config("prod")],
        meshes: vec!["prod".into(), "staging".into()],
        calls: Calls::default(),
        wall: None,
        replay: false,
        frames: true,
        local_clock: false,
        local: |_| 2 * 3_600_000,
        keymap: Keymap::default(),
        banner: None,
    }
}
