//! Results as a whole: clocks, sources that disagree, and facts of any kind.

use proptest::prelude::*;

use super::locks::LockState;
use super::sources::SourceHealth;
use super::*;
use crate::mesh::derive::staleness::Staleness;
use crate::model::observation::{Change, ClockSample, Observation};
use crate::model::report::Report;
use crate::model::time::MINUTE;
use crate::model::{LockTable, MessageTable};
use crate::testing::{HOSTILE, NOW, heartbeat, lock, mesh, message, registered, silent_mesh, snapshot, starting_mesh};

fn observed(source: usize, changes: Vec<Change>, offset_ms: Millis) -> Report {
    let clock = Some(ClockSample { offset_ms, uncertainty_ms: 5 });
    let observation = Observation { changes, clock, ..Observation::default() };
    Report::Observed { source, at_ms: NOW, observation: Box::new(observation) }
}

fn rules(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.findings.iter().map(|f| f.rule).collect()
}

#[test]
fn a_skewed_database_clock_neither_expires_locks_nor_hides_their_end() {
    for skew in [-HOUR, -10_000, 0, 10_000, HOUR] {
        // On the database's clock the lock has 20 s left.
        let mut held = lock("k", "n", "1", 0);
        held.acquired_at_ms = Some(NOW + skew - 1_000);
        held.expires_at_ms = Some(NOW + skew + 20_000);
        let evaluated = snapshot(
            starting_mesh().after(observed(0, vec![Change::Locks(LockTable::Distributed, vec![held])], skew)),
            NOW,
        );
        assert_eq!(evaluated.locks.get(0).unwrap().ttl_ms(NOW), Some(20_000), "{skew}");
        assert_eq!(evaluated.locks.get(0).unwrap().state, LockState::Held);
        assert_eq!(rules(&evaluated).contains(&"clock-skew"), skew != 0, "{skew}");
    }
}

const HOUR: Millis = 60 * MINUTE;

#[test]
fn the_freshest_signal_counts_and_a_node_of_one_source_is_a_finding() {
    let mesh = starting_mesh()
        .after(observed(0, vec![Change::Heartbeats(vec![heartbeat("both", "1", HOUR), heartbeat("beats", "2", 0)])], 0))
        .after(observed(1, vec![Change::Registry(vec![registered("both", 1_000), registered("joined", 0)])], 0));
    let evaluated = snapshot(mesh, NOW);
    let both = evaluated.nodes.iter().find(|n| n.node_id == "both").unwrap();
    assert_eq!((both.staleness, both.age_ms(NOW)), (staleness::Staleness::Healthy, Some(1_000)));
    assert_eq!(both.signals.len(), 2, "both are shown");
    let missing: Vec<_> =
        evaluated.findings.iter().filter(|f| f.rule == "node-missing").map(|f| f.name.to_string()).collect();
    assert_eq!(missing, ["beats", "joined"]);
}

#[test]
fn what_a_silent_source_said_is_judged_as_of_its_last_answer() {
    let (mesh, later) = silent_mesh();
    let now = later + HOUR;
    let heard = Report::Observed { source: 1, at_ms: now, observation: Box::default() };
    let evaluated = snapshot(mesh.after(heard), now);
    assert_eq!(evaluated.sources[0].health, SourceHealth::Old);
    let laptop = evaluated.nodes.iter().find(|n| n.node_id == "laptop-192").unwrap();
    assert_eq!(laptop.staleness, staleness::Staleness::Warn, "an hour of our own deafness is not its death");
    assert_eq!(laptop.as_of_ms, Some(NOW));
    assert!(rules(&evaluated).contains(&"source-old"));
    // The registry still speaks, and is believed.
    let desktop = evaluated.nodes.iter().find(|n| n.node_id == "desktop-488").unwrap();
    assert_eq!(desktop.staleness, staleness::Staleness::Dead);
    assert_eq!(desktop.as_of_ms, None);
}

#[test]
fn every_rule_that_fits_the_hand_made_mesh_speaks() {
    let evaluated = snapshot(mesh(), NOW);
    let found = rules(&evaluated);
    for rule in ["node-dead", "lock-orphaned", "message-poison", "task-orphaned", "node-missing", "lock-expired"] {
        assert!(found.contains(&rule), "{rule}");
    }
    for finding in evaluated.findings.iter() {
        assert!(!finding.sentence.is_empty() && !finding.rule.is_empty());
        let safe = finding.sentence.as_str().chars().all(|c| !c.is_control() && !crate::model::text::is_hidden(c));
        assert!(safe, "{:?}", finding.sentence);
    }
}

#[test]
fn one_message_seen_in_a_database_and_an_inbox_is_one() {
    let mut row = message(7, "2", "free_form", "x", 1_000);
    row.table = MessageTable::Mesh;
    let mut seen = row.clone();
    seen.table = MessageTable::Inbox;
    let mesh = starting_mesh()
        .after(observed(0, vec![Change::LiveMessages(MessageTable::Mesh, vec![row])], 0))
        .after(observed(1, vec![Change::LiveMessages(MessageTable::Inbox, vec![seen])], 0));
    assert_eq!(snapshot(mesh, NOW).messages.len(), 1);
}

#[test]
fn a_message_that_operators_gave_to_several_is_a_finding_after_a_moment() {
    let of = |id: i64, to: &str, key: Option<String>, age: Millis| {
        let mut sent = message(id, to, "plan_handoff", "{}", age);
        (sent.table, sent.idempotency_key) = (MessageTable::Inbox, key.map(|key| key.as_str().into()));
        sent
    };
    let key = |to: &str| Some(format!("lockkeeper-8-{}-{to}", NOW - MINUTE));
    let found = |waits: Vec<crate::model::Message>| {
        let seen = derive(
            &starting_mesh().after(observed(1, vec![Change::LiveMessages(MessageTable::Inbox, waits)], 0)),
            NOW,
            &Thresholds::default(),
            1_000,
        );
        let found = seen.findings.iter().find(|finding| finding.rule == "message-twice");
        found.map(|finding| finding.sentence.to_string())
    };
    let (original, copy) = (of(8, "3", None, MINUTE), of(9, "4", key("4"), 30_000));
    assert_eq!(found(vec![original.clone(), copy.clone()]).unwrap(), "message 8: waiting for 2 agents at once (3, 4)");
    assert_eq!(
        found(vec![copy.clone(), of(11, "5", key("5"), 20_000)]).unwrap(),
        "message 8: waiting for 2 agents at once (4, 5)"
    );
    // One is as it should be, and what was delivered just now is not over.
    assert_eq!(found(vec![copy]), None);
    assert_eq!(found(vec![original, of(9, "4", key("4"), 2_000)]), None);
}

#[test]
fn a_grant_answers_the_requests_before_it_and_none_after() {
    let wanted = r#"{"resource_id":"file:a.rs"}"#;
    let held = || Change::Locks(LockTable::Distributed, vec![lock("a.rs", "n", "9", 60_000)]);
    for (kind, from, to, id, waits) in [
        ("resource_lock_grant", "9", "1", 5, false),
        ("resource_lock_grant", "9", "1", 3, true),
        ("resource_lock_grant", "9", "2", 5, true),
        ("cancel_request", "1", "9", 5, false),
        ("cancel_request", "2", "9", 5, true),
    ] {
        let mut answer = message(id, to, kind, r#"{"lock_key":"a.rs"}"#, 0);
        answer.sender_agent = from.into();
        let rows = vec![message(4, "9", "resource_lock_request", wanted, 0), answer];
        let evaluated = snapshot(
            starting_mesh().after(observed(0, vec![held(), Change::LiveMessages(MessageTable::A2a, rows)], 0)),
            NOW,
        );
        assert_eq!(!evaluated.locks.get(0).unwrap().waiters.is_empty(), waits, "{kind} {from} {to} {id}");
    }
}

#[test]
fn a_log_that_stands_still_while_tasks_go_on_is_a_finding() {
    let event = |at| crate::model::LineageEvent {
        id: 1,
        repository_id: "r".into(),
        kind: "task_submitted".into(),
        task: Some("1".into()),
        agent_id: None,
        session_id: None,
        created_at_ms: Some(at),
    };
    for (later, stopped) in [(4 * MINUTE, false), (6 * MINUTE, true)] {
        let evaluated =
            snapshot(mesh().after(observed(0, vec![Change::Lineage(vec![event(NOW - 26_000 + later)])], 0)), NOW);
        assert_eq!(rules(&evaluated).contains(&"log-stopped"), stopped);
    }
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("1".to_owned()),
        Just("2".to_owned()),
        Just("n".to_owned()),
        Just(HOSTILE.to_owned()),
        "[a-z]{0,4}"
    ]
}

fn instants() -> impl Strategy<Value = Option<Millis>> {
    prop::option::of(prop_oneof![Just(NOW), 0i64..253_402_300_799_999, NOW - 700_000..NOW + 700_000])
}

prop_compose! {
    fn any_message()(id in any::<i64>(), to in words(), kind in prop_oneof![Just("resource_lock_request".to_owned()),
        Just("resource_lock_grant".to_owned()), Just("remote_task_envelope".to_owned()), Just("plan_handoff".to_owned()), words()],
        payload in prop_oneof![Just(r#"{"resource_id":"k"}"#.to_owned()), Just(r#"{"task_id":1,"idempotency_key":"a"}"#.to_owned()), words()],
        created in instants(), claim in instants(), attempts in prop::option::of(any::<i64>())) -> crate::model::Message {
        let mut m = message(id, &to, &kind, &payload, 0);
        (m.created_at_ms, m.claim_until_ms, m.delivery_attempts) = (created, claim, attempts);
        m
    }
}

proptest! {
    /// Whatever was read: no panic, every lock and message is there, a waiter waits once and never for itself.
    #[test]
    fn any_facts_can_be_judged(
        locks in prop::collection::vec((words(), words(), words(), instants(), instants()), 0..12),
        messages in prop::collection::vec(any_message(), 0..20),
        beats in prop::collection::vec((words(), words(), instants()), 0..8),
        skew in -100_000i64..100_000,
    ) {
        let rows: Vec<_> = locks.iter().map(|(key, node, agent, acquired, expires)| {
            let mut row = lock(key, node, agent, 0);
            (row.acquired_at_ms, row.expires_at_ms) = (*acquired, *expires);
            row
        }).collect();
        let hearts = beats.iter().map(|(node, agent, seen)| {
            let mut beat = heartbeat(node, agent, 0);
            beat.last_seen_ms = *seen;
            beat
        }).collect();
        let (lock_count, message_count) = (rows.len(), messages.len());
        let mesh = starting_mesh().after(observed(0, vec![
            Change::Heartbeats(hearts),
            Change::Locks(LockTable::Distributed, rows),
            Change::LiveMessages(MessageTable::A2a, messages),
        ], skew));
        let evaluated = snapshot(mesh, NOW);
        prop_assert_eq!(evaluated.locks.len(), lock_count);
        prop_assert_eq!(evaluated.messages.len(), message_count);
        for lock in evaluated.locks.iter() {
            let mut agents: Vec<_> = lock.waiters.iter().map(|w| w.agent.clone()).collect();
            prop_assert!(!agents.contains(&lock.lock.holder_agent));
            let queue: Vec<_> = lock.waiters.iter().map(|w| (-w.priority, w.since_ms.unwrap_or(Millis::MAX))).collect();
            prop_assert!(queue.is_sorted(), "{queue:?}");
            let n = agents.len();
            agents.sort();
            agents.dedup();
            prop_assert_eq!(agents.len(), n);
            prop_assert!(lock.waiters.iter().all(|w| !w.evidence.is_empty()));
        }
    }
}

fn locks(rows: Vec<(LockTable, crate::model::Lock)>) -> Vec<Change> {
    let of = |table| rows.iter().filter(|(t, _)| *t == table).map(|(_, lock)| lock.clone()).collect();
    vec![
        Change::Locks(LockTable::Distributed, of(LockTable::Distributed)),
        Change::Locks(LockTable::Vcs, of(LockTable::Vcs)),
    ]
}

#[test]
fn a_fence_that_goes_back_is_found_whoever_did_it() {
    let mut row = lock("k", "a", "1", MINUTE);
    row.fence_token = Some(41);
    let held = locks(vec![(LockTable::Distributed, row.clone())]);
    row.fence_token = Some(1);
    row.holder_node = "b".into();
    let anew = locks(vec![(LockTable::Distributed, row)]);
    let mesh = starting_mesh().after(observed(0, held, 0)).after(observed(0, locks(Vec::new()), 0));
    let evaluated = snapshot(mesh.after(observed(0, anew, 0)), NOW);
    let found = evaluated.findings.iter().find(|f| f.rule == "fence-back").expect("a finding");
    assert!(found.sentence.as_str().contains("from 41 to 1"), "{}", found.sentence);
}

#[test]
fn one_resource_in_two_tables_is_a_finding_unless_one_holds_both() {
    let first = lock("file:src/a.rs", "a", "1", MINUTE);
    let mut second = lock("src/a.rs", "b", "2", MINUTE);
    second.table = LockTable::Vcs;
    let both = |other| locks(vec![(LockTable::Distributed, first.clone()), (LockTable::Vcs, other)]);
    let evaluated = snapshot(starting_mesh().after(observed(0, both(second.clone()), 0)), NOW);
    assert!(rules(&evaluated).contains(&"lock-twice"));
    (second.holder_node, second.holder_agent) = ("a".into(), "1".into());
    let evaluated = snapshot(starting_mesh().after(observed(0, both(second), 0)), NOW);
    assert!(!rules(&evaluated).contains(&"lock-twice"));
}

#[test]
fn two_databases_with_a_leader_each_are_a_finding() {
    let leader = |node: &str| {
        Change::Leaders(vec![crate::model::Leader {
            repository_id: "r".into(),
            leader_node_id: node.into(),
            elected_at_ms: None,
            heartbeat_at_ms: Some(NOW),
            expires_at_ms: Some(NOW + 9_000),
            epoch: Some(3),
        }])
    };
    let mesh = |other: &str| {
        snapshot(
            starting_mesh().after(observed(0, vec![leader("a")], 0)).after(observed(1, vec![leader(other)], 0)),
            NOW,
        )
    };
    assert!(rules(&mesh("b")).contains(&"leader-twice"));
    assert!(!rules(&mesh("a")).contains(&"leader-twice"));
}

#[test]
fn a_waiter_starves_and_a_renewer_is_noticed_by_the_configured_thresholds() {
    let ask = message(1, "3", "resource_lock_request", r#"{"resource_id":"k"}"#, 6 * MINUTE);
    let mut row = lock("k", "a", "3", MINUTE);
    let mut mesh = starting_mesh().after(observed(0, vec![Change::LiveMessages(MessageTable::A2a, vec![ask])], 0));
    for renewal in 0..3 {
        row.fence_token = Some(renewal);
        mesh = mesh.after(observed(0, locks(vec![(LockTable::Distributed, row.clone())]), 0));
    }
    let evaluated = |t: &Thresholds| derive(&mesh, NOW, t, 1_000);
    assert!(rules(&evaluated(&Thresholds::default())).contains(&"waiter-starved"));
    assert!(!rules(&evaluated(&Thresholds::default())).contains(&"lock-held-long"));
    let lax = Thresholds { starved_ms: HOUR, renewals: 1, ..Thresholds::default() };
    assert!(!rules(&evaluated(&lax)).contains(&"waiter-starved"));
    assert!(rules(&evaluated(&lax)).contains(&"lock-held-long"));
}

/// One database with one heartbeat, looked at three times.
fn beating(printed: [Millis; 2], asleep: Option<(Millis, Millis)>) -> MeshState {
    let mut watch = starting_mesh();
    for (at_ms, printed) in [(NOW, printed[0]), (NOW + 10_000, printed[1])] {
        let beat = crate::model::Heartbeat { last_seen_ms: Some(printed), ..heartbeat("n", "1", 0) };
        let observation = Observation {
            changes: vec![Change::Heartbeats(vec![beat])],
            asleep: asleep.filter(|(_, to)| *to == at_ms),
            ..Observation::default()
        };
        watch = watch.after(Report::Observed { source: 0, at_ms, observation: Box::new(observation) });
    }
    watch
}

fn node_at(watch: &MeshState, now_ms: Millis) -> (Staleness, Vec<String>) {
    // Nothing but the heartbeat is of interest: the source is looked at right now.
    let observation = Box::<Observation>::default();
    let watch = watch.clone().after(Report::Observed { source: 0, at_ms: now_ms, observation });
    let snapshot = derive(&watch, now_ms, &Thresholds::default(), 1_000);
    let found = snapshot.findings.iter().filter(|f| f.rule == "clock-skew" && f.subject.kind() == "node");
    (snapshot.nodes.iter().next().unwrap().staleness, found.map(|f| f.sentence.to_string()).collect())
}

/// F1: a heartbeat from the future, then silence.
#[rstest::rstest]
#[case(60 * MINUTE)]
#[case(24 * 60 * MINUTE)]
#[case(253_402_300_799_000 - NOW)]
fn a_heartbeat_of_the_future_proves_no_life(#[case] ahead: Millis) {
    let watch = beating([NOW + ahead; 2], None);
    let (staleness, found) = node_at(&watch, NOW + 20_000);
    assert_eq!((staleness, found.len()), (Staleness::Unknown, 1), "{found:?}");
    assert!(found[0].contains("in the future"), "{found:?}");
    let after = |ms: Millis| node_at(&watch, NOW + ms).0;
    assert_eq!(after(2 * MINUTE), Staleness::Warn, "it is silent for as long as it is watched");
    assert_eq!((after(6 * MINUTE), after(11 * MINUTE)), (Staleness::Critical, Staleness::Dead));
    // One that was seen to move is as old as that.
    let watch = beating([NOW + ahead - 5_000, NOW + ahead], None);
    let (staleness, found) = node_at(&watch, NOW + 20_000);
    assert_eq!(staleness, Staleness::Healthy);
    assert!(found[0].contains("ahead"), "{found:?}");
    assert_eq!(node_at(&watch, NOW + 10_000 + 6 * MINUTE).0, Staleness::Critical);
}

/// F2: a node's clock is set by two hours, and back, while it sends heartbeats.
#[test]
fn a_clock_that_is_set_and_set_back_makes_nobody_dead() {
    let mut watch = starting_mesh();
    for n in 0..40 {
        let set = if (10..20).contains(&n) { 120 * MINUTE } else { 0 };
        let at_ms = NOW + n * 5_000;
        let beat = crate::model::Heartbeat { last_seen_ms: Some(at_ms - 300 + set), ..heartbeat("n", "1", 0) };
        let observation = Observation { changes: vec![Change::Heartbeats(vec![beat])], ..Observation::default() };
        watch = watch.after(Report::Observed { source: 0, at_ms, observation: Box::new(observation) });
        assert_eq!(node_at(&watch, at_ms + 100).0, Staleness::Healthy, "look {n}");
    }
}

/// F3: nobody looked for an hour, because the machine slept.
#[test]
fn silence_while_nobody_looked_is_no_silence() {
    let wakes = NOW + 10_000;
    let seen_before = wakes - 60 * MINUTE - 5_000;
    let slept = beating([seen_before; 2], Some((wakes - 60 * MINUTE, wakes)));
    assert_eq!(node_at(&slept, wakes + 1_000).0, Staleness::Healthy);
    assert_eq!(node_at(&slept, wakes + 6 * MINUTE).0, Staleness::Critical, "what is silent from then on is silent");
    let awake = beating([seen_before; 2], None);
    assert_eq!(node_at(&awake, wakes + 1_000).0, Staleness::Dead);
}
