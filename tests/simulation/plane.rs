//! Consoles that act through a control plane. It has no transactions: what a console looks at may be another at its next
//! call, so what must hold is less than with a database, and all of it is held to.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use fastrand::Rng;
use lockkeeper::action::executor::{Executor, Purpose, Working, WriteAccess};
use lockkeeper::action::plan::{Confirm, Intent, Plan, Policy, plan};
use lockkeeper::action::run::journal::JournalFile;
use lockkeeper::action::run::{Operator, Stop};
use lockkeeper::data::vox::act;
use lockkeeper::data::vox::act::control_plane::{Caller, ControlPlaneExecutor};
use lockkeeper::data::vox::control_plane::client::{CallError, Response};
use lockkeeper::data::vox::control_plane::wire;
use lockkeeper::demo::vox::control::{Plane, Shared, Tokens, router};
use lockkeeper::mesh::derive::{Snapshot, Thresholds, derive};
use lockkeeper::mesh::{MeshState, facts};
use lockkeeper::model::MessageTable;
use lockkeeper::model::action::Action;
use lockkeeper::model::journal::Entry;
use lockkeeper::model::observation::{Change, Observation};
use lockkeeper::model::outcome::OutcomeKind;
use lockkeeper::model::report::Report;
use lockkeeper::model::source::Identity;
use lockkeeper::model::text::Text;
use serde_json::{Value, json};
use tower_service::Service;

use crate::course::{Course, Fate};
use crate::{clock, pass};

thread_local! {
    /// Kinds of actions that were done in any schedule.
    static DONE: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The kinds of actions that the schedules of this thread saw done.
pub fn done() -> Vec<String> {
    DONE.with_borrow(|kinds| kinds.iter().cloned().collect())
}

/// A request that may change something, and was carried out.
#[derive(Debug, Clone)]
struct Carried {
    console: usize,
    path: String,
    body: Value,
    status: u16,
    /// Whether anything was another after it.
    changed: bool,
}

/// What the consoles of one schedule share.
struct Place {
    course: Course,
    plane: Shared,
    routes: Router,
    carried: Mutex<Vec<Carried>>,
    /// Requests that are still on their way.
    late: Mutex<Vec<(usize, String, Value)>>,
}

/// One console's line to it.
struct Line {
    console: usize,
    place: Arc<Place>,
}

/// Only these look and change nothing.
fn looks(path: &str) -> bool {
    ["/nodes", "/leases", "/inbox"].iter().any(|end| path.ends_with(end))
}

impl Caller for Line {
    fn call<'a>(&'a mut self, path: &'a str, body: Option<Value>) -> Working<'a, Result<Response, CallError>> {
        Box::pin(async move {
            let fate = self.place.course.turn(self.console).await;
            self.place.agents().await;
            match fate {
                Fate::Before => return Err(CallError::NotSent("no way there".into())),
                Fate::Busy => return Ok(Response::new(503, b"busy")),
                Fate::LostBefore => return Err(CallError::Unclear("lost".into())),
                Fate::KilledBefore => self.place.course.die(self.console).await,
                Fate::Late if !looks(path) => {
                    let late = (self.console, path.to_owned(), body.unwrap_or_default());
                    self.place.late.lock().unwrap().push(late);
                    return Err(CallError::Unclear("no answer".into()));
                }
                _ => {}
            }
            let printed = self.place.carry_out(self.console, path, body).await;
            match fate {
                Fate::KilledAfter => self.place.course.die(self.console).await,
                Fate::LostAfter => Err(CallError::Unclear("lost".into())),
                // Something between answers for it.
                Fate::RereadLost | Fate::Late => Ok(Response::new(502, b"bad gateway")),
                _ => Ok(printed),
            }
        })
    }
}

impl Place {
    fn state(&self) -> String {
        let plane = self.plane.lock().unwrap();
        json!([plane.nodes, plane.leases, plane.messages]).to_string()
    }

    async fn carry_out(&self, console: usize, path: &str, body: Option<Value>) -> Response {
        let before = self.state();
        let request = match &body {
            Some(body) => {
                Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => Request::get(path).body(Body::empty()),
        };
        let answer = self.routes.clone().call(request.unwrap()).await.expect("an answer");
        let status = answer.status().as_u16();
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        if !looks(path) {
            let (path, body) = (path.to_owned(), body.unwrap_or_default());
            let changed = before != self.state();
            self.carried.lock().unwrap().push(Carried { console, path, body, status, changed });
        }
        Response::new(status, &bytes)
    }

    /// What was still on its way arrives.
    async fn arrive(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        for (console, path, body) in late {
            self.carry_out(console, &path, Some(body)).await;
        }
    }

    /// Agents go on whatever the consoles do.
    async fn agents(&self) {
        let does = self.course.draw(24);
        if does == 6 {
            return self.arrive().await;
        }
        let mut plane = self.plane.lock().unwrap();
        let plane = &mut *plane;
        let claim = |message: &mut Value, until: i64| {
            message["lease_holder_node_id"] = "n".into();
            message["lease_expires_unix_ms"] = until.into();
        };
        match does {
            0 => plane.messages[0]["acknowledged"] = true.into(),
            1 => claim(&mut plane.messages[0], 7),
            // Whoever has a copy takes it.
            2 => plane.messages.iter_mut().skip(3).for_each(|message| message["acknowledged"] = true.into()),
            3 => plane.leases.clear(),
            // It restarted: what it numbers starts again.
            4 => plane.leases.iter_mut().for_each(|lease| lease["scope_key"] = "task:8".into()),
            5 => plane.nodes[0]["quarantined"] = true.into(),
            _ => {}
        }
    }
}

fn plane() -> Shared {
    let mut plane = Plane::new(Tokens::default());
    plane.nodes = vec![json!({ "id": "n", "quarantined": false, "maintenance": false })];
    plane.leases = vec![json!({ "lease_id": "1", "scope_key": "task:7", "holder_node_id": "n" })];
    let message = |id: u8, from: &str, to: &str| {
        json!({
            "id": id, "sender_agent_id": from, "receiver_agent_id": to, "message_type": "plan_handoff", "payload": "{}",
            "created_unix_ms": crate::BEGIN - 60_000, "acknowledged": false, "priority": 128,
        })
    };
    // The first is what is acted on; the others are how the agents are known that it may be given to.
    plane.messages = vec![message(1, "9", "3"), message(2, "9", "4"), message(3, "9", "5")];
    plane.set_next_message(4);
    Arc::new(Mutex::new(plane))
}

/// What a console sees, with its own journal; without the inboxes of agents that nothing else names where `all` is not set.
fn snapshot(place: &Place, journal: &[Entry], all: bool) -> Snapshot {
    let plane = place.plane.lock().unwrap();
    let mut waiting: Vec<&Value> = plane.messages.iter().filter(|message| message["acknowledged"] == false).collect();
    if !all {
        waiting.retain(|message| message["id"].as_i64() < Some(4));
    }
    let nodes: wire::Nodes = serde_json::from_value(json!({ "nodes": plane.nodes })).unwrap();
    let leases: wire::Leases = serde_json::from_value(json!({ "leases": plane.leases })).unwrap();
    let inbox: wire::Inbox = serde_json::from_value(json!({ "messages": waiting })).unwrap();
    let changes = vec![
        Change::Registry(nodes.into_facts()),
        Change::Leases(leases.into_facts()),
        Change::LiveMessages(MessageTable::Inbox, inbox.into_facts()),
    ];
    let observation = Box::new(Observation { changes, ..Observation::default() });
    let mut watch = MeshState::new("m".into(), vec![identity()], facts::WINDOW);
    watch.apply(Report::Observed { source: 0, at_ms: clock(), observation });
    watch.mesh.journal = journal.to_vec().into();
    derive(&watch, clock(), &Thresholds::default(), 1_000)
}

/// What an operator decides on what is there now, as the planner makes it.
fn decide(place: &Place, journal: &[Entry], random: &mut Rng) -> Result<Option<Plan>, String> {
    let all = random.u8(..4) > 0;
    let snapshot = snapshot(place, journal, all);
    let Some(node) = snapshot.nodes.iter().next() else { return Ok(None) };
    let guard = &node.key;
    let messages: Vec<String> =
        snapshot.messages.iter().filter(|view| view.message.id == 1).map(|view| view.key()).collect();
    let intent = match random.u8(..10) {
        0 => Intent::Revoke { leases: snapshot.holds().map(|lease| lease.key()).collect() },
        1 => Intent::Quarantine { nodes: vec![guard.clone()], on: random.bool() },
        2 => Intent::Drain { nodes: vec![guard.clone()], on: random.bool(), for_ms: None },
        3 => Intent::Acknowledge { messages },
        4 => Intent::Evacuate { node: guard.clone() },
        _ => Intent::Reroute { messages, to: Some(["4", "5"][random.usize(..2)].into()) },
    };
    let Ok(plan) = plan(&intent, &snapshot, &Policy::default()) else { return Ok(None) };
    warns(&plan, place, journal, all)?;
    Ok(Some(plan))
}

fn identity() -> Identity {
    Identity {
        system: "Vox",
        name: "db".into(),
        kind: "control plane",
        place: "there".into(),
        how: "simulated",
        provides: &[],
        rules: &[],
        why_empty: &[],
        can: act::CONTROL_PLANE,
        cannot: None,
    }
}

fn operator(console: usize, place: &Arc<Place>, journal: &Path) -> Operator {
    let access = WriteAccess::decide(Purpose::Act, false).unwrap();
    let executor = ControlPlaneExecutor::new(Line { console, place: place.clone() }, access);
    let executors: Vec<(Text, Box<dyn Executor>)> = vec![("db".into(), Box::new(executor))];
    let journal = JournalFile::new(journal.to_owned());
    Operator::new(executors, &[identity()], journal, access, "ada".into(), "m".into(), clock)
}

/// Where an action's request goes, and what distinguishes it from others that go there.
fn request_of(action: &Action) -> (&'static str, &'static str, Value) {
    match action {
        Action::Deliver { key, .. } => ("/v1/populi/a2a/deliver", "idempotency_key", json!(key)),
        Action::Send { outbound } => ("/v1/populi/a2a/deliver", "message_type", json!(outbound.msg_type)),
        Action::Retire { message, .. } | Action::Acknowledge { message } => {
            ("/v1/populi/a2a/ack", "message_id", json!(message.id))
        }
        Action::Revoke { lease } => ("/v1/populi/admin/exec-lease/revoke", "lease_id", json!(lease.lease_id)),
        Action::Quarantine { node, .. } => ("/v1/populi/admin/quarantine", "node_id", json!(node.node_id)),
        Action::Drain { node, .. } => ("/v1/populi/admin/maintenance", "node_id", json!(node.node_id)),
        other => unreachable!("{other:?}"),
    }
}

fn is_of(action: &Action, carried: &Carried) -> bool {
    let (path, field, value) = request_of(action);
    carried.path == path && carried.body[field] == value
}

/// Whether what was printed of a step is what became of it.
fn holds(action: &Action, carried: &[Carried], printed: OutcomeKind) -> Result<(), String> {
    let mine: Vec<&Carried> = carried.iter().filter(|one| is_of(action, one)).collect();
    if mine.len() > 1 {
        return Err(format!("{action:?} was asked for {} times", mine.len()));
    }
    let confirmed = mine.iter().any(|one| matches!(one.status, 200 | 204));
    // A copy that is found after a lost answer is one that this attempt or another delivered under its key.
    let found = matches!(action, Action::Deliver { .. });
    match printed {
        OutcomeKind::Done if !confirmed && !found => Err(format!("{action:?} is called done and was not: {mine:?}")),
        OutcomeKind::Failed | OutcomeKind::Refused | OutcomeKind::ReadOnly | OutcomeKind::Skipped
            if mine.iter().any(|one| one.changed) =>
        {
            Err(format!("{action:?} is called {printed} and was done: {mine:?}"))
        }
        _ => Ok(()),
    }
}

/// The key of a delivery, as the server keeps it.
fn bare_key(message: &Value) -> &str {
    let key = message["idempotency_dedupe_key"].as_str().unwrap_or_default();
    key.rsplit('\u{1f}').next().unwrap_or_default()
}

/// Whether a plan says so where it may give work to somebody although a copy is out: one that this journal knows of, or
/// one that waits where the console looks.
fn warns(plan: &Plan, place: &Place, journal: &[Entry], sees_all: bool) -> Result<(), String> {
    let plane = place.plane.lock().unwrap();
    let taken_back = |id: &Value| {
        let of_copy = |entry: &&Entry| match &entry.action {
            Action::Acknowledge { message } | Action::Retire { message, .. } => *id == message.id,
            _ => false,
        };
        journal.iter().filter(of_copy).any(|entry| entry.kind == Some(OutcomeKind::Done))
    };
    let may_be_out =
        |kind| matches!(kind, None | Some(OutcomeKind::Done | OutcomeKind::Already | OutcomeKind::Unknown));
    for step in &plan.steps {
        let Action::Deliver { message, to, .. } = &step.action else { continue };
        let known = |key: &str| {
            journal.iter().any(|entry| {
                matches!(&entry.action, Action::Deliver { key: tried, .. } if tried == key) && may_be_out(entry.kind)
            })
        };
        let of_this = plane.messages.iter().filter(|copy| {
            let key = bare_key(copy);
            let waits_elsewhere = copy["acknowledged"] == false && copy["receiver_agent_id"] != **to;
            key.starts_with(&format!("lockkeeper-{}-", message.id)) && (known(key) || sees_all && waits_elsewhere)
        });
        let out = of_this.into_iter().find(|copy| !taken_back(&copy["id"]));
        if let (Some(copy), Confirm::Key, false) = (out, &plan.confirm, plan.may_repeat) {
            return Err(format!("{copy} is out, and nothing is printed of it: {plan:?}"));
        }
    }
    Ok(())
}

/// One schedule, as with a database.
pub async fn schedule(seed: u64, folder: &Path) -> Result<(), String> {
    let mut random = Rng::with_seed(seed);
    let consoles = 1 + usize::from(random.bool());
    let journals = if random.bool() { 1 } else { consoles };
    let journals: Vec<_> = (0..journals).map(|n| folder.join(format!("plane-{n}.jsonl"))).collect();
    for journal in &journals {
        let _ = std::fs::remove_file(journal);
    }
    let journal_of = |console: usize| &journals[console % journals.len()];
    let course = Course::new(random.fork(), consoles);
    let plane = plane();
    let (carried, late) = (Mutex::default(), Mutex::default());
    let place = Arc::new(Place { course: course.clone(), routes: router(plane.clone()), plane, carried, late });
    let mut all: Vec<Operator> = (0..consoles).map(|console| operator(console, &place, journal_of(console))).collect();
    for _ in 0..random.usize(1..3) {
        let mut plans: Vec<Option<Plan>> = Vec::new();
        for console in 0..consoles {
            let (journal, _) = JournalFile::new(journal_of(console).clone()).entries().expect("the journal");
            plans.push(decide(&place, &journal, &mut random)?);
        }
        place.agents().await;
        let before = place.carried.lock().unwrap().len();
        let stop = Stop::default();
        let acting = all.iter_mut().zip(&plans).enumerate().filter_map(|(console, (operator, plan))| {
            let (plan, stop) = (plan.as_ref()?, &stop);
            Some((console, async move { operator.run(plan, "", stop, |_| {}).await }))
        });
        let mut printed = course.run(acting).await.into_iter();
        place.arrive().await;
        let carried: Vec<Carried> = place.carried.lock().unwrap()[before..].to_vec();
        for (console, plan) in plans.iter().enumerate() {
            let Some(plan) = plan else { continue };
            let Some(outcomes) = printed.next().expect("an answer of each") else {
                all[console] = operator(console, &place, journal_of(console));
                continue;
            };
            let mine: Vec<Carried> = carried.iter().filter(|one| one.console == console).cloned().collect();
            for (step, outcome) in plan.steps.iter().zip(&outcomes) {
                holds(&step.action, &mine, outcome.kind)?;
            }
        }
        pass(if random.u8(..4) == 0 { 3_600_000 } else { 1_000 });
    }
    course.calm();
    pass(3_600_000);
    for journal in &journals {
        let mut later = operator(0, &place, journal);
        let before = place.carried.lock().unwrap().len();
        course.run([(0, later.recover())]).await;
        if place.carried.lock().unwrap().len() > before {
            return Err("looking into what was left asked for a change".into());
        }
    }
    evaluate(&place, &journals)
}

/// No request without its intent, and no message that is lost or doubled.
fn evaluate(place: &Place, journals: &[std::path::PathBuf]) -> Result<(), String> {
    let carried = place.carried.lock().unwrap();
    let messages = place.plane.lock().unwrap().messages.clone();
    let mut attempts = Vec::new();
    for journal in journals {
        attempts.extend(JournalFile::new(journal.clone()).entries().map_err(|e| e.to_string())?.0);
    }
    for one in carried.iter() {
        let asked = carried.iter().filter(|other| other.path == one.path && other.body == one.body).count();
        let intended = attempts.iter().filter(|entry| is_of(&entry.action, one)).count();
        if asked > intended {
            return Err(format!("{one:?} was asked for {asked} times, and intended {intended} times"));
        }
    }
    let done = attempts.iter().filter(|entry| entry.kind == Some(OutcomeKind::Done));
    DONE.with_borrow_mut(|kinds| kinds.extend(done.map(|entry| entry.action.kind().to_string())));
    let retired =
        |entry: &&Entry| matches!(entry.action, Action::Retire { .. }) && entry.kind == Some(OutcomeKind::Done);
    // Two consoles that give one message to two agents at once may leave none with it: the last one says so.
    let sent = attempts
        .iter()
        .any(|entry| entry.not_reread || entry.after.as_ref().is_some_and(|after| after.get("copy").is_some()));
    for entry in attempts.iter().filter(retired) {
        let Action::Retire { key, .. } = &entry.action else { continue };
        if sent {
            break;
        }
        let taken_back =
            |id: &Value| carried.iter().any(|one| one.path == "/v1/populi/a2a/ack" && one.body["message_id"] == *id);
        let stem = &key[..=key.rfind('-').unwrap_or_default()];
        let copied = messages.iter().any(|copy| bare_key(copy).starts_with(stem) && !taken_back(&copy["id"]));
        if !copied {
            return Err(format!("the original is acknowledged, and nobody has a copy: {attempts:?}"));
        }
    }
    Ok(())
}
