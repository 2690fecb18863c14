//! Plans, made from snapshots of meshes.

use super::*;
use crate::mesh::MeshState;
use crate::mesh::derive::locks::LockState;
use crate::model::action::{LockGuard, MessageGuard, NodeGuard};
use crate::model::observation::{Change, ClockSample, Observation, Presence, Probe};
use crate::model::outcome::OutcomeKind;
use crate::model::report::Report;
use crate::model::time::MINUTE;
use crate::model::{Lease, Lock, LockTable, Message, MessageTable, RegistryNode};
use crate::testing::{NOW, heartbeat, lock, message, snapshot, starting_mesh};

const REPO: &str = "9f2c41d07ab8e635";

fn observed(source: usize, changes: Vec<Change>, tables: &[&'static str]) -> Report {
    let parts = tables.iter().map(|table| (*table, Presence::Present)).collect();
    let observation = Observation {
        changes,
        clock: Some(ClockSample { offset_ms: 0, uncertainty_ms: 1 }),
        probe: Some(std::sync::Arc::new(Probe { parts })),
        ..Observation::default()
    };
    Report::Observed { source, at_ms: NOW, observation: Box::new(observation) }
}

fn registered(id: &str, age: Millis, labels: &[&str]) -> RegistryNode {
    RegistryNode {
        node_id: id.into(),
        last_seen_ms: Some(NOW - age),
        version: "1".into(),
        labels: labels.iter().map(|label| Text::new(label)).collect(),
        ..Default::default()
    }
}

fn envelope(id: i64, to: &str, task: i64) -> Message {
    let payload = format!(
        r#"{{"idempotency_key":"k{task}","task_id":{task},"repository_id":"{REPO}","capability_requirements_json":"{{\"labels\":[\"gpu\"]}}"}}"#
    );
    message(id, to, "remote_task_envelope", &payload, MINUTE)
}

/// `dead` (agents 3 and 33) is gone, `quick` (1) and `busy` (2) are alive, `gpu` (4) too and has the label.
fn mesh(locks: Vec<Lock>, messages: Vec<Message>, inbox: Vec<Message>) -> MeshState {
    let beats = vec![
        heartbeat("quick", "1", 1_000),
        heartbeat("busy", "2", 1_000),
        heartbeat("dead", "3", 20 * MINUTE),
        heartbeat("gpu", "4", 1_000),
    ];
    let of = |table| locks.iter().filter(|l: &&Lock| l.table == table).cloned().collect();
    let lease = Lease {
        lease_id: "7".into(),
        task_id: Some("42".into()),
        scope_key: "task:42".into(),
        holder_node_id: "dead".into(),
        expires_at_ms: Some(NOW + MINUTE),
        state: "granted".into(),
        authoritative: true,
        ..Default::default()
    };
    let nodes = vec![
        registered("quick", 1_000, &[]),
        registered("busy", 1_000, &[]),
        registered("dead", 20 * MINUTE, &[]),
        registered("gpu", 1_000, &["gpu"]),
    ];
    let database = vec![
        Change::Heartbeats(beats),
        Change::Locks(LockTable::Distributed, of(LockTable::Distributed)),
        Change::Locks(LockTable::Vcs, of(LockTable::Vcs)),
        Change::LiveMessages(MessageTable::A2a, messages),
    ];
    let plane =
        vec![Change::Registry(nodes), Change::Leases(vec![lease]), Change::LiveMessages(MessageTable::Inbox, inbox)];
    starting_mesh().after(observed(0, database, &["distributed_locks", "vcs_lock", "a2a_messages"])).after(observed(
        1,
        plane,
        &["nodes", "exec leases", "inbox"],
    ))
}

fn made(intent: &Intent, mesh: MeshState) -> Result<Plan, Refusal> {
    plan(intent, &snapshot(mesh, NOW), &Policy::default())
}

fn release(snapshot: &Snapshot, mode: Option<Mode>) -> Intent {
    let locks = snapshot.locks.iter().map(LockView::key).collect();
    Intent::Release { locks, mode, notify_holder: false, notify_next: false }
}

fn summary(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.action.summary().to_string()).collect()
}

/// An attempt of this journal at the control plane.
fn attempt(action: Action) -> Entry {
    Entry {
        id: "a".into(),
        plan: "p".into(),
        at_ms: NOW,
        mesh: "prod".into(),
        source: "10.0.0.5:9847".into(),
        place: "/var/10.0.0.5:9847".into(),
        process: crate::model::journal::Process::default(),
        operator: "ada".into(),
        reason: String::new(),
        action,
        kind: None,
        summary: String::new(),
        before: None,
        after: None,
        audited: false,
        journal_only: false,
        not_reread: false,
        closed: false,
        abandoned: false,
    }
}

#[test]
fn a_dead_holder_takes_one_key_and_a_living_one_its_name() {
    let dead = mesh(vec![lock("k", "dead", "3", MINUTE)], Vec::new(), Vec::new());
    let seen = snapshot(dead, NOW);
    let plan_of = |snapshot: &Snapshot, mode| plan(&release(snapshot, mode), snapshot, &Policy::default()).unwrap();
    let evaluated = plan_of(&seen, None);
    assert_eq!((evaluated.confirm.clone(), evaluated.mode), (Confirm::Key, Some(Mode::Expire)));
    assert!(evaluated.evidence.iter().all(|sign| !sign.alive));

    let alive = snapshot(mesh(vec![lock("k", "quick", "1", MINUTE)], Vec::new(), Vec::new()), NOW);
    let evaluated = plan_of(&alive, None);
    assert_eq!((evaluated.confirm.clone(), evaluated.mode), (Confirm::Typed("k".into()), Some(Mode::FenceOff)));
    let guard = LockGuard {
        table: LockTable::Distributed,
        lock_key: "k".into(),
        repository_id: REPO.into(),
        holder_node: "quick".into(),
        holder_agent: "1".into(),
        fence_token: Some(7),
        acquired_at_ms: Some(NOW - 40_000),
        expires_at_ms: Some(NOW + MINUTE),
        expires_at: None,
        token: None,
    };
    assert_eq!(evaluated.steps[0].action, Action::Release { lock: guard, mode: Mode::FenceOff, hold_ms: 5_000 });
    let deleted = plan_of(&alive, Some(Mode::Delete));
    assert!(deleted.unknowns.iter().any(|line| line.as_str().contains("restart at 1")), "the fence trap is told");
}

#[test]
fn one_signal_of_life_is_enough_and_none_at_all_proves_no_death() {
    // Its heartbeats stopped, but its agent acknowledged something a moment ago.
    let mut acked = message(9, "3", "free_form", "x", MINUTE);
    (acked.acknowledged, acked.processed_at_ms) = (true, Some(NOW - 2_000));
    let base = mesh(vec![lock("k", "dead", "3", MINUTE)], Vec::new(), Vec::new());
    let mesh =
        base.after(observed(0, vec![Change::AcknowledgedMessages(vec![acked])], &["distributed_locks", "vcs_lock"]));
    let seen = snapshot(mesh, NOW);
    let evaluated = plan(&release(&seen, None), &seen, &Policy::default()).unwrap();
    assert_eq!((evaluated.confirm, evaluated.mode), (Confirm::Typed("k".into()), Some(Mode::FenceOff)));

    let nobody = snapshot(self::mesh(vec![lock("k", "ghost", "99", MINUTE)], Vec::new(), Vec::new()), NOW);
    let evaluated = plan(&release(&nobody, None), &nobody, &Policy::default()).unwrap();
    assert_eq!(evaluated.confirm, Confirm::Typed("k".into()));
}

#[test]
fn deleting_is_the_default_only_where_older_clients_are_alone() {
    let older = mesh(vec![lock("k", "dead", "3", MINUTE)], Vec::new(), Vec::new());
    let older = older.after(observed(0, Vec::new(), &["distributed_locks"]));
    let seen = snapshot(older, NOW);
    assert_eq!(plan(&release(&seen, None), &seen, &Policy::default()).unwrap().mode, Some(Mode::Delete));
}

#[test]
fn a_read_only_console_plans_nothing() {
    let seen = snapshot(mesh(vec![lock("k", "dead", "3", MINUTE)], Vec::new(), Vec::new()), NOW);
    let policy = Policy { read_only: true, ..Policy::default() };
    for intent in [
        release(&seen, None),
        Intent::Evacuate { node: "dead".into() },
        Intent::Drain { nodes: vec!["quick".into()], on: true, for_ms: None },
    ] {
        assert!(plan(&intent, &seen, &policy).unwrap_err().read_only);
    }
}

#[test]
fn an_old_source_is_not_acted_on() {
    let (mesh, later) = crate::testing::silent_mesh();
    let seen = snapshot(mesh, later);
    let refusal = plan(&release(&seen, None), &seen, &Policy::default()).unwrap_err();
    assert!(refusal.why.as_str().contains("does not answer"), "{refusal}");
}

#[test]
fn a_bulk_is_the_list_that_was_marked_and_says_what_it_leaves() {
    let locks = vec![lock("a", "dead", "3", MINUTE), lock("b", "quick", "1", MINUTE), lock("c", "quick", "1", MINUTE)];
    let seen = snapshot(mesh(locks, Vec::new(), Vec::new()), NOW);
    let mut marked: Vec<String> = seen.locks.iter().take(2).map(LockView::key).collect();
    marked.push("gone".into());
    let intent = Intent::Release { locks: marked, mode: None, notify_holder: false, notify_next: false };
    let evaluated = plan(&intent, &seen, &Policy::default()).unwrap();
    assert_eq!(evaluated.steps.len(), 2, "{:?}", summary(&evaluated));
    assert_eq!(evaluated.left_out.len(), 1);
    assert_eq!(evaluated.confirm, Confirm::Typed("1 lock".into()), "as many as may be alive");
}

#[test]
fn a_renewal_is_the_same_plan_renewed_and_another_holder_is_not() {
    let with = |node: &str, agent: &str, fence| {
        let mut row = lock("k", node, agent, MINUTE);
        row.fence_token = Some(fence);
        let seen = snapshot(mesh(vec![row], Vec::new(), Vec::new()), NOW);
        plan(&release(&seen, Some(Mode::FenceOff)), &seen, &Policy::default()).unwrap()
    };
    let first = with("quick", "1", 4);
    assert!(first.does_the_same(&with("quick", "1", 4)));
    let renewed = with("quick", "1", 5);
    assert!(!first.does_the_same(&renewed) && first.is_renewed_by(&renewed));
    let other = with("busy", "2", 5);
    assert!(!first.does_the_same(&other) && !first.is_renewed_by(&other));
}

#[test]
fn work_goes_to_a_living_agent_that_has_the_labels() {
    let seen = snapshot(mesh(Vec::new(), vec![envelope(5, "3", 41)], Vec::new()), NOW);
    let keys = vec![seen.messages.get(0).unwrap().key()];
    let evaluated = plan(&Intent::Reroute { messages: keys.clone(), to: None }, &seen, &Policy::default()).unwrap();
    assert_eq!(summary(&evaluated), ["give message 5 from agent 3 to agent 4"]);
    let ranked = rank_receivers(&seen, &["gpu".into()], &[]);
    let order: Vec<&str> = ranked.iter().map(|r| r.agent.as_str()).collect();
    assert_eq!(order, ["4", "1", "2", "3"], "labels, then the inbox, then the number; the dead last");
    let nobody = Intent::Reroute { messages: keys, to: Some("777".into()) };
    assert!(plan(&nobody, &seen, &Policy::default()).unwrap_err().why.as_str().contains("no agent 777"));
}

#[test]
fn a_live_claim_is_typed_for_and_its_worker_told() {
    let mut claimed = envelope(5, "1", 42);
    (claimed.claim_owner, claimed.claim_until_ms) = (Some("quick:77".into()), Some(NOW + MINUTE));
    let seen = snapshot(mesh(Vec::new(), vec![claimed], Vec::new()), NOW);
    let intent = Intent::Reroute { messages: vec![seen.messages.get(0).unwrap().key()], to: Some("4".into()) };
    let evaluated = plan(&intent, &seen, &Policy::default()).unwrap();
    assert_eq!(evaluated.confirm, Confirm::Typed("message 5".into()));
    assert_eq!(
        summary(&evaluated),
        [
            "revoke lease 7 of task:42, held by dead",
            "message agent 1 (remote_task_cancel)",
            "give message 5 from agent 1 to agent 4"
        ],
        "the lease goes first"
    );
    assert_eq!(evaluated.steps[2].after, Some(0));
}

#[test]
fn the_lease_of_a_living_node_takes_the_name_and_a_dead_receiver_is_told() {
    let leased = |holder: &str| {
        let lease = Lease {
            lease_id: "7".into(),
            task_id: Some("42".into()),
            scope_key: "task:42".into(),
            holder_node_id: holder.into(),
            expires_at_ms: Some(NOW + MINUTE),
            state: "granted".into(),
            authoritative: true,
            ..Default::default()
        };
        let base = mesh(Vec::new(), vec![envelope(5, "1", 42)], Vec::new());
        let mesh = base.after(observed(1, vec![Change::Leases(vec![lease])], &["nodes", "exec leases", "inbox"]));
        let seen = snapshot(mesh, NOW);
        let messages = vec![seen.messages.get(0).unwrap().key()];
        plan(&Intent::Reroute { messages, to: Some("3".into()) }, &seen, &Policy::default()).unwrap()
    };
    assert_eq!(leased("dead").confirm, Confirm::Key);
    let evaluated = leased("quick");
    assert_eq!(evaluated.confirm, Confirm::Typed("message 5".into()), "it may be at work on it without a claim");
    assert!(
        evaluated.unknowns.iter().any(|line| line.as_str().contains("its node dead is dead")),
        "{:?}",
        evaluated.unknowns
    );
}

#[test]
fn a_sent_message_is_delivered_before_its_original_is_retired_and_taken_up_where_it_stopped() {
    let mut sent = envelope(8, "3", 43);
    sent.table = MessageTable::Inbox;
    let mut base = mesh(Vec::new(), Vec::new(), vec![sent]);
    let seen = snapshot(base.clone(), NOW);
    let intent = Intent::Reroute { messages: vec![seen.messages.get(0).unwrap().key()], to: Some("4".into()) };
    let evaluated = plan(&intent, &seen, &Policy::default()).unwrap();
    let kinds: Vec<Kind> = evaluated.steps.iter().map(|step| step.action.kind()).collect();
    assert_eq!(kinds, [Kind::Deliver, Kind::Retire]);
    assert_eq!((evaluated.steps[1].after, evaluated.confirm.clone()), (Some(0), Confirm::Key));

    let entry = |kind| Entry { kind, ..attempt(evaluated.steps[0].action.clone()) };
    base.mesh.journal = vec![entry(Some(OutcomeKind::Done))].into();
    let after_done = made(&intent, base.clone()).unwrap();
    assert_eq!(after_done.steps.len(), 1, "what was delivered is not delivered again");
    base.mesh.journal = vec![entry(Some(OutcomeKind::Unknown))].into();
    let after_unclear = made(&intent, base).unwrap();
    assert_eq!(after_unclear.steps.len(), 2);
    assert_eq!(after_unclear.confirm, Confirm::Typed("message 8".into()), "it might run twice");
}

#[test]
fn poison_is_retired_by_one_key_and_anything_else_by_name() {
    let mut poison = message(3, "1", "plan_handoff", "{}", MINUTE);
    poison.delivery_attempts = Some(6);
    let seen = snapshot(mesh(Vec::new(), vec![poison, message(4, "1", "free_form", "x", 1_000)], Vec::new()), NOW);
    let of = |id: i64| {
        let view = seen.messages.iter().find(|m| m.message.id == id).unwrap();
        plan(&Intent::Acknowledge { messages: vec![view.key()] }, &seen, &Policy::default()).unwrap().confirm
    };
    assert_eq!(of(3), Confirm::Key);
    assert_eq!(of(4), Confirm::Typed("message 4".into()));
}

#[test]
fn an_evacuation_is_one_plan_in_order_and_leaves_the_living_alone() {
    let mut claimed = message(6, "1", "plan_handoff", "{}", MINUTE);
    (claimed.claim_owner, claimed.claim_until_ms) = (Some("dead:1".into()), Some(NOW - 1_000));
    let locks = vec![lock("a", "dead", "3", MINUTE), lock("b", "quick", "1", MINUTE)];
    let messages = vec![envelope(5, "3", 42), claimed, message(7, "3", "progress_update", "x", MINUTE)];
    let base = mesh(locks, messages, Vec::new());
    let evaluated = made(&Intent::Evacuate { node: "dead".into() }, base.clone()).unwrap();
    assert_eq!(
        summary(&evaluated),
        [
            "quarantine dead: it is shut out",
            "revoke lease 7 of task:42, held by dead",
            "expire a, held by dead (fence 7)",
            "take the claim of dead:1 off message 6",
            "give message 5 from agent 3 to agent 4",
        ]
    );
    assert_eq!(evaluated.steps[4].after, Some(1), "the task's lease was found twice and is revoked once");
    assert_eq!(evaluated.confirm, Confirm::Key);
    assert!(evaluated.left_out.iter().any(|(name, _)| name.as_str().starts_with("1 other")));
    let refusal = made(&Intent::Evacuate { node: "quick".into() }, base).unwrap_err();
    assert!(refusal.why.as_str().contains("healthy: drain it"), "{refusal}");
}

#[test]
fn flags_are_set_once_and_by_who_keeps_them() {
    let base = mesh(Vec::new(), Vec::new(), Vec::new());
    let drain = |node: &str, on| Intent::Drain { nodes: vec![node.into()], on, for_ms: Some(MINUTE) };
    let evaluated = made(&drain("quick", true), base.clone()).unwrap();
    assert_eq!(evaluated.steps[0].source, "10.0.0.5:9847");
    assert!(made(&drain("quick", false), base.clone()).unwrap_err().why.as_str().contains("not drained"));
    assert!(made(&drain("ghost", true), base).unwrap_err().why.as_str().contains("does not know it"));
}

#[test]
fn a_guard_keeps_what_was_really_there() {
    let mut hostile = message(5, "3", "free_form", "x", MINUTE);
    hostile.sender_agent = crate::testing::HOSTILE.into();
    let seen = snapshot(mesh(Vec::new(), vec![hostile], Vec::new()), NOW);
    let intent = Intent::Reroute { messages: vec![seen.messages.get(0).unwrap().key()], to: Some("1".into()) };
    let evaluated = plan(&intent, &seen, &Policy::default()).unwrap();
    let Action::Reroute { message: MessageGuard { sender, .. }, .. } = &evaluated.steps[0].action else {
        panic!("{:?}", evaluated.steps)
    };
    assert_eq!(sender, crate::testing::HOSTILE);
    assert!(!summary(&evaluated).concat().contains('\u{1b}'));
}

/// E2: one name that sends heartbeats in two repositories is a node in each.
#[test]
fn a_node_that_is_gone_in_one_repository_is_evacuated_there_and_nowhere_else() {
    let there = |age, repository: &str| crate::model::Heartbeat {
        repository_id: repository.into(),
        ..heartbeat("dead", if repository == REPO { "3" } else { "33" }, age)
    };
    let held = |key, repository: &str| Lock { repository_id: repository.into(), ..lock(key, "dead", "3", MINUTE) };
    let beats = vec![there(1_000, REPO), there(60 * MINUTE, "other"), heartbeat("gpu", "4", 1_000)];
    let mesh = mesh(vec![held("here", REPO), held("there", "other")], Vec::new(), Vec::new()).after(observed(
        0,
        vec![Change::Heartbeats(beats)],
        &["distributed_locks", "vcs_lock"],
    ));
    let seen = snapshot(mesh, NOW);

    let nodes: Vec<_> = seen.nodes_named(&"dead".into()).map(|n| (n.name().to_string(), n.holds.locks)).collect();
    assert_eq!(nodes, [(format!("dead in {REPO}"), 1), ("dead in other".into(), 1)]);
    let holder = |key: &str| seen.locks.iter().find(|l| l.lock.lock_key == *key).unwrap().state;
    assert_eq!((holder("here"), holder("there")), (LockState::Held, LockState::Orphaned));
    assert!(seen.findings.iter().any(|f| f.sentence.as_str().contains("dead in other")), "{:#?}", seen.findings);

    let evacuate = |repository: &str| {
        let node = seen.node_key(&"dead".into(), &repository.into());
        plan(&Intent::Evacuate { node }, &seen, &Policy::default())
    };
    assert!(evacuate(REPO).unwrap_err().why.as_str().contains("is healthy"), "the one that lives keeps what it has");
    let plan = evacuate("other").unwrap();
    let taken: Vec<_> = plan.steps.iter().map(|step| step.action.subject().to_string()).collect();
    assert_eq!(taken, ["there"]);
    assert_eq!(plan.confirm, Confirm::Typed("dead in other".into()), "its namesake lives");
    let left: Vec<_> = plan.left_out.iter().map(|(name, _)| name.as_str()).collect();
    assert!(left.contains(&"quarantine of dead") && left.contains(&"lease 7"), "{left:?}");
}

/// E3: the same key in two repositories.
#[test]
fn a_lock_that_two_repositories_have_is_named_with_its_own() {
    let other = Lock { repository_id: "other".into(), ..lock("k", "dead", "3", MINUTE) };
    let alone = lock("alone", "dead", "3", MINUTE);
    let seen = snapshot(mesh(vec![lock("k", "dead", "3", MINUTE), other, alone], Vec::new(), Vec::new()), NOW);
    let names: Vec<_> = seen.locks.iter().map(|l| l.name().to_string()).collect();
    assert!(names.contains(&"k in other".into()) && names.contains(&format!("k in {REPO}")), "{names:?}");
    assert!(names.contains(&"alone".into()));
    let one = seen.locks.iter().find(|l| l.lock.repository_id == "other").unwrap();
    let intent = Intent::Release { locks: vec![one.key()], mode: None, notify_holder: false, notify_next: false };
    let plan = plan(&intent, &seen, &Policy::default()).unwrap();
    assert_eq!(plan.title, "Release k in other");
    assert_eq!(plan.steps[0].effect[0], "of repository other; another repository has a lock of this name");
}

/// G5: what nobody would look for, because nobody is left to complain.
#[test]
fn leases_of_nodes_that_left_and_marks_that_were_forgotten_are_findings() {
    let sentences = |mesh: MeshState| {
        let seen = snapshot(mesh, NOW);
        let of = |f: &&std::sync::Arc<crate::mesh::derive::finding::Finding>| {
            matches!(f.rule, "lease-orphaned" | "mark-forgotten")
        };
        seen.findings.iter().filter(of).map(|f| f.sentence.to_string()).collect::<Vec<_>>()
    };
    let dead = mesh(Vec::new(), Vec::new(), Vec::new());
    assert!(sentences(dead.clone()).is_empty(), "that it is dead is said of the node");
    let left = vec![heartbeat("quick", "1", 1_000)];
    let registry = vec![registered("quick", 1_000, &[])];
    let mut left = dead
        .after(observed(0, vec![Change::Heartbeats(left)], &["distributed_locks", "vcs_lock"]))
        .after(observed(1, vec![Change::Registry(registry)], &["nodes", "exec leases", "inbox"]));
    assert_eq!(sentences(left.clone()), ["task:42: leased to dead, a node that no source knows"]);

    let node = NodeGuard { node_id: "quick".into(), quarantined: false, maintenance: false };
    let place = left.mesh.sources[1].identity.place.raw().to_owned();
    let entry = |on| Entry {
        place: place.clone(),
        kind: Some(OutcomeKind::Done),
        ..attempt(Action::Quarantine { node: node.clone(), on })
    };
    left.mesh.journal = vec![entry(true)].into();
    assert!(sentences(left.clone()).iter().any(|s| s.starts_with("quick: not quarantined any more")));
    left.mesh.journal = vec![entry(true), entry(false)].into();
    assert!(!sentences(left).iter().any(|s| s.contains("quarantined")));
}

/// Claims that contradict each other are findings, and an ordinary mesh has none.
#[test]
fn claims_that_lie_are_findings() {
    let lies = |mesh: MeshState| {
        let seen = snapshot(mesh, NOW);
        let rules = ["heartbeat-idle", "lock-early", "lease-twice", "holder-unheard"];
        let of = |f: &&std::sync::Arc<crate::mesh::derive::finding::Finding>| rules.contains(&f.rule);
        seen.findings.iter().filter(of).map(|f| f.sentence.to_string()).collect::<Vec<_>>()
    };
    let held =
        |key: &str, node: &str, left, since| Lock { acquired_at_ms: Some(NOW - since), ..lock(key, node, "1", left) };
    let ordinary = vec![held("k", "quick", MINUTE, MINUTE), held("just", "busy", -5_000, 2 * MINUTE)];
    assert_eq!(lies(mesh(ordinary, Vec::new(), Vec::new())), [] as [&str; 0]);
    let idle = mesh(vec![held("k", "quick", -5 * MINUTE, 10 * MINUTE)], Vec::new(), Vec::new());
    assert_eq!(lies(idle), ["quick: sends heartbeats but renews nothing, k expired"]);
    let starting_mesh = mesh(vec![held("k", "ghost", MINUTE, 10 * MINUTE)], Vec::new(), Vec::new());
    assert_eq!(lies(starting_mesh), ["ghost: no heartbeat ever, holds k"]);
    let lease = |id: &str, holder: &str, state: &str| Lease {
        lease_id: id.into(),
        scope_key: "task:9".into(),
        holder_node_id: holder.into(),
        expires_at_ms: Some(NOW + MINUTE),
        state: state.into(),
        authoritative: true,
        ..Default::default()
    };
    let leased =
        |leases| mesh(Vec::new(), Vec::new(), Vec::new()).after(observed(1, vec![Change::Leases(leases)], &[]));
    let twice = leased(vec![lease("1", "quick", "granted"), lease("2", "busy", "renewed")]);
    assert_eq!(lies(twice), ["task:9: leased to 2 nodes at once (busy, quick)"]);
    assert_eq!(lies(leased(vec![lease("1", "quick", "granted"), lease("1", "quick", "renewed")])), [] as [&str; 0]);
}

/// Work that goes on under a lock is a sign of life, whatever the coordination layer says.
#[test]
fn a_fresh_change_under_a_lock_asks_for_its_name() {
    let seen = snapshot(mesh(vec![lock("file:src/a.rs", "dead", "3", MINUTE)], Vec::new(), Vec::new()), NOW);
    let with = |age: Millis| {
        let work = crate::model::work::Work { changed: Some(("src/a.rs".into(), NOW - age)), committed: None };
        let work = [("src/a.rs".to_owned(), work)].into();
        plan(&release(&seen, None), &seen, &Policy { work, ..Policy::default() }).unwrap()
    };
    let fresh = with(10_000);
    assert_eq!((fresh.confirm.clone(), fresh.mode), (Confirm::Typed("file:src/a.rs".into()), Some(Mode::FenceOff)));
    assert!(fresh.evidence.iter().any(|sign| sign.alive && sign.what == "newest change, src/a.rs"), "{fresh:#?}");
    let old = with(20 * MINUTE);
    assert_eq!((old.confirm, old.mode), (Confirm::Key, Some(Mode::Expire)));
}

/// What a plan is about, each thing once; and the resources that signs of work are looked for.
#[test]
fn a_plan_says_what_it_is_about_once_and_names_its_resources() {
    let locks = ["file:src/a.rs", "file:src/b.rs"].map(|key| lock(key, "dead", "3", MINUTE));
    let seen = snapshot(mesh(locks.into(), Vec::new(), Vec::new()), NOW);
    let plan = plan(&release(&seen, Some(Mode::Expire)), &seen, &Policy::default()).unwrap();
    let of_clients = plan.about.iter().filter(|what| what.as_str().contains("shows newer clients")).count();
    assert_eq!(of_clients, 1, "{:?}", plan.about);
    let mut resources = plan.resources(&seen);
    resources.sort();
    assert_eq!(resources, ["src/a.rs", "src/b.rs"]);
}

/// C2: a copy that an earlier try delivered is named before another agent gets one.
#[test]
fn a_copy_that_was_taken_is_not_given_to_another() {
    let mut sent = envelope(8, "3", 43);
    sent.table = MessageTable::Inbox;
    let mut base = mesh(Vec::new(), Vec::new(), vec![sent]);
    let seen = snapshot(base.clone(), NOW);
    let reroute =
        |to: &str| Intent::Reroute { messages: vec![seen.messages.get(0).unwrap().key()], to: Some(to.into()) };
    let first = plan(&reroute("1"), &seen, &Policy::default()).unwrap();
    base.mesh.journal = vec![Entry { kind: Some(OutcomeKind::Done), ..attempt(first.steps[0].action.clone()) }].into();
    let why = made(&reroute("2"), base.clone()).unwrap_err().why;
    assert!(why.as_str().contains("agent 1 took it"), "{why}");
    // Where it is not known whether it arrived, a person decides.
    base.mesh.journal =
        vec![Entry { kind: Some(OutcomeKind::Unknown), ..attempt(first.steps[0].action.clone()) }].into();
    let unclear = made(&reroute("2"), base).unwrap();
    assert!(unclear.may_repeat && matches!(unclear.confirm, Confirm::Typed(_)), "{unclear:#?}");
}

/// C2: a copy that any console delivered goes once another agent has one, and before the original does.
#[test]
fn a_copy_that_waits_goes_after_the_next_one_is_there() {
    let mut sent = envelope(8, "3", 43);
    sent.table = MessageTable::Inbox;
    let mut copy = envelope(9, "1", 43);
    copy.table = MessageTable::Inbox;
    copy.idempotency_key =
        Some(format!("9\u{1f}1\u{1f}lockkeeper-8-{}-1", sent.created_at_ms.unwrap()).as_str().into());
    let base = mesh(Vec::new(), Vec::new(), vec![sent, copy]);
    let seen = snapshot(base.clone(), NOW);
    let original = seen.messages.iter().find(|view| view.message.id == 8).unwrap().key();
    let plan = made(&Intent::Reroute { messages: vec![original], to: Some("2".into()) }, base).unwrap();
    let steps: Vec<(Kind, Option<usize>)> = plan.steps.iter().map(|step| (step.action.kind(), step.after)).collect();
    assert_eq!(steps, [(Kind::Deliver, None), (Kind::Retire, Some(0)), (Kind::Retire, Some(1))]);
    assert!(matches!(&plan.steps[0].action, Action::Deliver { beside, .. } if beside[0].id == 9), "{plan:#?}");
    assert!(matches!(&plan.steps[1].action, Action::Retire { message, .. } if message.id == 9), "{plan:#?}");
    assert!(matches!(plan.confirm, Confirm::Typed(_)));
}

/// C2: a copy that the operator took back is not there; what failed later does not make an unclear delivery clear.
#[test]
fn what_became_of_each_delivery_counts() {
    let mut sent = envelope(8, "3", 43);
    sent.table = MessageTable::Inbox;
    let mut base = mesh(Vec::new(), Vec::new(), vec![sent]);
    let seen = snapshot(base.clone(), NOW);
    let intent = Intent::Reroute { messages: vec![seen.messages.get(0).unwrap().key()], to: Some("1".into()) };
    let deliver = plan(&intent, &seen, &Policy::default()).unwrap().steps[0].action.clone();
    let Action::Deliver { message, key, .. } = deliver.clone() else { panic!("{deliver:?}") };
    let tried = |kind| Entry { kind: Some(kind), ..attempt(deliver.clone()) };
    let kinds = |base: &MeshState| {
        let plan = made(&intent, base.clone()).unwrap();
        (plan.steps.iter().map(|step| step.action.kind()).collect::<Vec<_>>(), plan.may_repeat)
    };
    let after = Some(serde_json::json!({ "message_id": 21 }));
    let delivered = Entry { after, ..tried(OutcomeKind::Done) };
    base.mesh.journal = vec![delivered.clone()].into();
    assert_eq!(kinds(&base), (vec![Kind::Retire], false));
    let copy = MessageGuard { id: 21, receiver: "1".into(), ..message };
    let taken_back = Action::Retire { message: copy, to: "2".into(), key };
    let taken_back = Entry { kind: Some(OutcomeKind::Done), ..attempt(taken_back) };
    base.mesh.journal = vec![delivered, taken_back].into();
    assert_eq!(kinds(&base), (vec![Kind::Deliver, Kind::Retire], false));
    base.mesh.journal = vec![tried(OutcomeKind::Unknown), tried(OutcomeKind::Failed)].into();
    assert_eq!(kinds(&base), (vec![Kind::Deliver, Kind::Retire], true));
}

/// C5, C9: what a drain costs, and that its deadline can be moved.
#[test]
fn a_drain_says_what_it_costs_and_moves_its_deadline() {
    let seen = mesh(Vec::new(), Vec::new(), Vec::new());
    let drain = |for_ms| Intent::Drain { nodes: vec!["dead".into()], on: true, for_ms };
    let effect = |plan: &Plan| plan.steps[0].effect[0].to_string();
    let first = made(&drain(None), seen.clone()).unwrap();
    assert!(effect(&first).contains("refuses to renew its 1 lease"), "{}", effect(&first));
    let drained = RegistryNode { maintenance: true, ..registered("dead", 20 * MINUTE, &[]) };
    let seen = seen.after(observed(1, vec![Change::Registry(vec![drained])], &["nodes", "exec leases", "inbox"]));
    assert!(made(&drain(None), seen.clone()).is_err(), "it is drained already");
    let moved = made(&drain(Some(5 * MINUTE)), seen).unwrap();
    assert!(effect(&moved).contains("deadline is moved"), "{}", effect(&moved));
}

/// C6, C7: what an evacuation cannot move is printed, and that a task may be run twice.
#[test]
fn an_evacuation_leaves_nothing_behind_in_silence() {
    let mut claimed = envelope(9, "4", 77);
    (claimed.table, claimed.claim_owner, claimed.claim_until_ms) =
        (MessageTable::Inbox, Some("dead:1".into()), Some(NOW + MINUTE));
    let seen = mesh(Vec::new(), Vec::new(), vec![claimed]);
    let plan = made(&Intent::Evacuate { node: "dead".into() }, seen).unwrap();
    assert!(plan.left_out.iter().any(|(name, _)| name.as_str().starts_with("message 9")), "{:?}", plan.left_out);
    assert!(plan.unknowns.iter().any(|what| what.as_str().contains("runs the task itself")), "{:?}", plan.unknowns);
    let revoke = plan.steps.iter().find(|step| matches!(step.action, Action::Revoke { .. })).unwrap();
    assert_eq!(revoke.after, Some(0), "a lease that its holder renews is in force again");
}
