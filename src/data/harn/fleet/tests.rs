//! The fleet's rules, beside a straightforward model of them.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn msg(at_ms: Millis, id: &str, from: &str, data: Value) -> CoordMessage {
    CoordMessage {
        id: id.into(),
        topic: "t".into(),
        event_id: at_ms,
        room: "r".into(),
        kind: data["schema"].as_str().and_then(|schema| schema.split('.').nth(2)).unwrap_or("x").into(),
        from: Actor { id: from.into(), agent: from.into() },
        to: Vec::new(),
        to_list: false,
        subject: String::new(),
        body: String::new(),
        data,
        refs: Vec::new(),
        reply_to: None,
        thread_id: None,
        at_ms,
    }
}

fn beat(lease: Millis, silence: Millis) -> Value {
    json!({"schema": "harn.fleet.heartbeat.v1", "state": "busy", "lease_ms": lease, "expected_silence_ms": silence,
        "current_claim_ids": [], "resource_ids": []})
}

#[rstest::rstest]
#[case(30_000, 60_000, 60_000, Liveness::Active)]
#[case(60_000, 30_000, 60_000, Liveness::Active)]
#[case(30_000, 60_000, 60_001, Liveness::Late)]
#[case(30_000, 60_000, 120_000, Liveness::Late)]
#[case(30_000, 60_000, 120_001, Liveness::Unresponsive)]
#[case(0, 0, 0, Liveness::Active)]
#[case(i64::MAX, 0, LONGEST, Liveness::Active)]
fn a_lane_is_as_alive_as_it_promised(
    #[case] lease: Millis,
    #[case] silence: Millis,
    #[case] now: Millis,
    #[case] expected: Liveness,
) {
    let mut fleet = Fleet::default();
    fleet.take(&msg(0, "b", "a", beat(lease, silence)));
    assert_eq!(fleet.lanes[&Text::from("a")].liveness(now), expected);
}

#[test]
fn a_lane_without_a_heartbeat_is_unknown() {
    let mut fleet = Fleet::default();
    fleet.take(&msg(5, "m", "a", Value::Null));
    assert_eq!(fleet.lanes[&Text::from("a")].liveness(99), Liveness::Unknown);
}

#[test]
fn a_lane_that_left_no_work_open_is_gone_after_an_hour() {
    let hour = 60 * MINUTE;
    let mut fleet = Fleet::default();
    fleet.take(&msg(0, "b", "a", beat(1_000, 0)));
    fleet.take(&msg(
        0,
        "c",
        "w",
        json!({"schema": "harn.fleet.claim.v1", "work_key": "k", "lease_ms": 5, "requires_ack": false}),
    ));
    fleet.take(&msg(0, "d", "p", beat(12 * hour, 0)));
    let names = |fleet: &Fleet, now| fleet.about(now).iter().map(|lane| lane.actor.id.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&fleet, hour - 1), ["a", "p", "w"]);
    assert_eq!(fleet.next_change(6), Some(hour));
    assert_eq!(names(&fleet, hour), ["p", "w"], "work is open, and a promise may be long");
    let done = json!({"schema": "harn.fleet.done.v1", "claim_id": "c", "work_key": "k", "outcome": "completed"});
    fleet.take(&msg(hour, "e", "x", done));
    assert_eq!(names(&fleet, hour + 1), ["p", "x"]);
}

/// D6: as Harn's own projection has it.
#[test]
fn d6_a_claim_lives_by_its_heartbeats_alone_on_its_key_and_ends_by_its_own_work() {
    let claim = |key: &str, lease: Millis, ack: bool| json!({"schema": "harn.fleet.claim.v1", "work_key": key, "lease_ms": lease, "requires_ack": ack});
    let states = |fleet: &Fleet, now| -> Vec<(String, ClaimState)> {
        fleet.states(now).iter().map(|(claim, state)| (claim.id.clone(), *state)).collect()
    };
    let mut fleet = Fleet::default();
    fleet.take(&msg(0, "listed", "a", claim("k", 10_000, false)));
    fleet.take(&msg(0, "asked", "b", claim("k", 10_000, true)));
    let at = |fleet: &Fleet, now, id: &str| states(fleet, now).into_iter().find(|(of, _)| of == id).unwrap().1;
    assert_eq!(at(&fleet, 11_000, "listed"), ClaimState::Stale);
    // A heartbeat that lists it extends it; a proposal beside it is no conflict, and never goes stale.
    let mut beat = beat(60_000, 0);
    beat["current_claim_ids"] = json!(["listed"]);
    fleet.take(&msg(9_000, "beat", "a", beat));
    assert_eq!(at(&fleet, 60_000, "listed"), ClaimState::Active);
    assert_eq!(at(&fleet, 60_000, "asked"), ClaimState::Proposed);
    let done = |key: &str| json!({"schema": "harn.fleet.done.v1", "claim_id": "listed", "work_key": key, "outcome": "completed"});
    fleet.take(&msg(20_000, "other", "a", done("another")));
    assert_eq!(at(&fleet, 60_000, "listed"), ClaimState::Active);
    fleet.take(&msg(21_000, "own", "a", done("k")));
    assert_eq!(at(&fleet, 60_000, "listed"), ClaimState::Completed);
}

/// What may be printed of claims.
#[derive(Debug, Clone)]
enum Step {
    Claim { key: u8, lease: Millis, ack: bool },
    Ack { of: usize, decision: &'static str },
    Done { of: usize, outcome: &'static str },
    Wait(Millis),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..3, 0i64..100, any::<bool>()).prop_map(|(key, lease, ack)| Step::Claim { key, lease, ack }),
        2 => (0usize..8, prop::sample::select(vec!["accepted", "rejected", "needs_changes", "odd"]))
            .prop_map(|(of, decision)| Step::Ack { of, decision }),
        1 => (0usize..8, prop::sample::select(vec!["completed", "failed", "abandoned", "odd"]))
            .prop_map(|(of, outcome)| Step::Done { of, outcome }),
        2 => (0i64..60).prop_map(Step::Wait),
    ]
}

proptest! {
    /// The states are those that the words of the contract give, claim by claim.
    #[test]
    fn claims_are_what_was_said_of_them(steps in prop::collection::vec(step(), 0..30), later in 0i64..120) {
        let (mut fleet, mut now) = (Fleet::default(), 0);
        // (work key, end, needs an ack, last word of others, last word of its own)
        let mut model: Vec<(u8, Millis, bool, &str, &str)> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Claim { key, lease, ack } => {
                    let data = json!({"schema": "harn.fleet.claim.v1", "work_key": format!("k{key}"), "lease_ms": lease,
                        "requires_ack": ack});
                    fleet.take(&msg(now, &format!("c{}", model.len()), "a", data));
                    model.push((key, now + lease, ack, "", ""));
                }
                Step::Ack { of, decision } => {
                    let data = json!({"schema": "harn.fleet.ack.v1", "target_id": format!("c{of}"), "decision": decision});
                    fleet.take(&msg(now, &format!("s{n}"), "b", data));
                    if let Some(claim) = model.get_mut(of).filter(|_| decision != "odd") {
                        claim.3 = decision;
                    }
                }
                Step::Done { of, outcome } => {
                    let data = json!({"schema": "harn.fleet.done.v1", "claim_id": format!("c{of}"),
                        "work_key": model.get(of).map_or_else(String::new, |claim| format!("k{}", claim.0)), "outcome": outcome});
                    fleet.take(&msg(now, &format!("s{n}"), "a", data));
                    if let Some(claim) = model.get_mut(of).filter(|_| outcome != "odd") {
                        claim.4 = outcome;
                    }
                }
                Step::Wait(ms) => now += ms,
            }
        }
        now += later;
        let live = |claim: &(u8, Millis, bool, &str, &str)| {
            let answered = !claim.2 || claim.3 == "accepted";
            claim.4.is_empty() && claim.3 != "rejected" && claim.3 != "needs_changes" && answered && claim.1 >= now
        };
        let expected: Vec<String> = model.iter().map(|claim| {
            let rivals = model.iter().filter(|other| other.0 == claim.0 && live(other)).count();
            let word = match claim {
                (.., done) if !done.is_empty() => done,
                (_, _, _, word @ ("rejected" | "needs_changes"), _) => word,
                (_, _, true, "", _) => "proposed",
                _ if claim.1 < now => "stale",
                _ if rivals > 1 => "conflicted",
                _ => "active",
            };
            word.to_owned()
        }).collect();
        let seen: Vec<String> = fleet.states(now).iter().map(|(_, state)| state.to_string()).collect();
        prop_assert_eq!(seen, expected);
        // Nothing changes before the instant that is named.
        if let Some(next) = fleet.next_change(now) {
            prop_assert!(next > now);
            let same = |at| fleet.states(at).iter().map(|(_, state)| *state).collect::<Vec<_>>();
            prop_assert_eq!(same(now), same(next - 1));
        } else {
            prop_assert!(fleet.claims.iter().all(|claim| claim.expires_ms < now) && fleet.about(now).is_empty());
        }
    }
}
