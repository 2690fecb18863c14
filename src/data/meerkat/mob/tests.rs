//! Mobs from their events, in any order of reading.

use proptest::prelude::*;

use super::*;
use serde_json::json;

const AT: Millis = 1_795_646_668_000;

fn event(cursor: i64, seconds: i64, kind: serde_json::Value) -> Event {
    let at = chrono::DateTime::from_timestamp_millis(AT + seconds * 1_000).unwrap().to_rfc3339();
    let stored = json!({ "schema_version": 9, "event": { "cursor": cursor, "timestamp": at, "kind": kind } });
    Event::read(cursor, &stored.to_string()).unwrap()
}

fn spawned(cursor: i64, seconds: i64, who: &str, fence: i64) -> Event {
    let kind = json!({ "type": "member_spawned", "agent_identity": who, "role": "worker", "generation": 0, "fence_token": fence });
    event(cursor, seconds, kind)
}

fn of(kind: &str, cursor: i64, seconds: i64, who: &str) -> Event {
    event(cursor, seconds, json!({ "type": kind, "agent_identity": who, "generation": 0 }))
}

fn state(events: &[Event]) -> State {
    let mut mob = Mob::default();
    for event in events {
        mob.take(event);
    }
    mob.state()
}

fn rules(state: &State, seconds: i64) -> Vec<(&'static str, Severity, String)> {
    let mut found = Vec::new();
    state.problems("atlas", &"team".into(), AT + seconds * 1_000, &mut found);
    found.iter().map(|problem| (problem.rule, problem.severity, problem.sentence.raw().to_owned())).collect()
}

#[test]
fn a_respawn_moves_the_seat_under_a_new_fence() {
    let state = state(&[
        spawned(1, 0, "w-1", 1),
        of("member_retirement_started", 2, 10, "w-1"),
        of("member_retired", 3, 11, "w-1"),
        spawned(4, 12, "w-1", 2),
    ]);
    let facts = RealmFacts { processes: Some(vec![("desk".into(), true)]), ..RealmFacts::default() };
    let locks: Vec<Lock> = state.locks("atlas", &"team".into(), &facts).collect();
    assert_eq!(locks.len(), 1);
    assert_eq!((locks[0].lock_key.raw(), locks[0].fence_token), ("atlas/w-1", Some(2)));
    assert_eq!((locks[0].holder_node.raw(), locks[0].condition), ("desk", Some(Condition::OpenEnded)));
    assert_eq!(rules(&state, 20), []);
}

#[test]
fn two_spawns_under_one_fence_are_critical_while_either_sits() {
    let twice = [spawned(1, 0, "w-9", 4), spawned(2, 1, "w-9", 4)];
    let (rule, severity, sentence) = rules(&state(&twice), 90_000).remove(0);
    assert_eq!((rule, severity), ("seat-twice", Severity::Critical));
    assert_eq!(sentence, "atlas/w-9: spawned twice under fence 4, two processes may host it");
    let over = [&twice[..], &[of("member_retired", 3, 2, "w-9")]].concat();
    assert_eq!(rules(&state(&over), 60).len(), 1, "it was so a minute ago");
    assert_eq!(rules(&state(&over), 90_000), []);
}

#[test]
fn an_escalation_is_named_as_the_cause_of_retirements() {
    let escalated = event(
        3,
        10,
        json!({ "type": "supervisor_escalation", "run_id": "r", "step_id": "plan", "escalated_to": "lead-1" }),
    );
    let events = [
        spawned(1, 0, "w-1", 1),
        spawned(2, 1, "w-2", 2),
        escalated,
        of("member_retired", 4, 11, "w-1"),
        of("member_retired", 5, 12, "w-2"),
    ];
    let (rule, severity, sentence) = rules(&state(&events), 20).remove(0);
    assert_eq!((rule, severity), ("mob-escalated", Severity::Critical));
    assert_eq!(sentence, "atlas: supervisor escalation retired 2 members: w-1, w-2");
}

#[test]
fn what_hangs_is_found_by_the_clock() {
    let kickoff = |phase: &str| {
        event(2, 5, json!({ "type": "member_kickoff_updated", "member": "w-1", "kickoff": { "phase": phase } }))
    };
    let names =
        |events: &[Event], seconds| rules(&state(events), seconds).into_iter().map(|rule| rule.0).collect::<Vec<_>>();
    assert_eq!(names(&[spawned(1, 0, "w-1", 1), kickoff("starting")], 100), Vec::<&str>::new());
    assert_eq!(names(&[spawned(1, 0, "w-1", 1), kickoff("starting")], 400), ["kickoff-slow"]);
    assert_eq!(names(&[spawned(1, 0, "w-1", 1), kickoff("failed")], 6), ["kickoff-failed"]);
    assert_eq!(
        names(&[spawned(1, 0, "w-1", 1), of("member_retirement_started", 2, 0, "w-1")], 61),
        ["retirement-stuck"]
    );
    let stop = event(1, 0, json!({ "type": "placed_completion_lifecycle_quiesce_started", "intent": "Stop" }));
    assert_eq!(names(std::slice::from_ref(&stop), 61), ["stop-stuck"]);
    assert_eq!(names(&[stop, of("mob_stopped", 2, 1, "")], 61), Vec::<&str>::new());
}

proptest! {
    /// Older events are read after newer ones: the state is the same as if they had been read in order.
    #[test]
    fn the_order_of_reading_does_not_matter(kinds in prop::collection::vec((0usize..5, 0usize..3, 0i64..3), 0..30), split in 0usize..30) {
        let events: Vec<Event> = kinds.iter().enumerate().map(|(i, (kind, who, fence))| {
            let (cursor, who) = (i64::try_from(i).unwrap() + 1, ["a", "b", "c"][*who]);
            match kind {
                0 | 1 => spawned(cursor, cursor, who, *fence),
                2 => of("member_retirement_started", cursor, cursor, who),
                3 => of("member_retired", cursor, cursor, who),
                _ => of("mob_stopped", cursor, cursor, who),
            }
        }).collect();
        let at = split.min(events.len());
        let later_first: Vec<Event> = [&events[at..], &events[..at]].concat();
        prop_assert_eq!(state(&events), state(&later_first));
    }
}
