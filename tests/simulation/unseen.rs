//! What is printed of a mesh whose sources come, go, are denied, and show a part of what they have.

use fastrand::Rng;
use lockkeeper::app::status::of_snapshot;
use lockkeeper::mesh::derive::{Thresholds, derive};
use lockkeeper::mesh::{MeshState, facts};
use lockkeeper::model::action::Abilities;
use lockkeeper::model::observation::Observation;
use lockkeeper::model::report::{Report, State};
use lockkeeper::model::source::{Fault, Identity};
use lockkeeper::model::time::Millis;

use crate::BEGIN;

const INTERVAL: Millis = 1_000;
/// Long enough for any source to be old.
const LONG: Millis = 60_000;

/// What is so of a source, kept apart from what the program makes of it.
#[derive(Default)]
struct Truth {
    /// Of when its facts are.
    of: Option<Millis>,
    fails: bool,
    hides: bool,
}

fn identity(at: usize) -> Identity {
    Identity {
        system: if at == 2 { "Harn" } else { "Vox" },
        name: format!("source-{at}").into(),
        kind: "database",
        place: format!("/{at}").into(),
        how: "simulated",
        provides: &[],
        rules: &[],
        why_empty: &[],
        can: Abilities::default(),
        cannot: None,
    }
}

fn report(source: usize, now: Millis, truth: &mut Truth, random: &mut Rng) -> Report {
    let fault =
        [Fault::transient("lost"), Fault::busy("later"), Fault::setup("denied", "ask")][random.usize(..3)].clone();
    match random.u8(..8) {
        0 | 1 => {
            truth.fails = true;
            let state = [State::BackingOff { failures: 1 }, State::Open { failures: 9 }][random.usize(..2)];
            Report::Failed { source, at_ms: now, fault, state, retry_at_ms: now + INTERVAL }
        }
        // It answers, with what it knew before.
        2 => {
            let of = now - i64::from(random.u32(..120_000));
            (truth.of, truth.fails) = (Some(of), true);
            let observation = Observation { old: Some((of, fault)), ..Observation::default() };
            Report::Observed { source, at_ms: now, observation: Box::new(observation) }
        }
        does => {
            truth.hides = match does {
                3 => true,
                4 | 5 => false,
                _ => truth.hides,
            };
            (truth.of, truth.fails) = (Some(now), false);
            let unseen = match does {
                3 => Some(vec!["leases: denied".into()]),
                4 | 5 => Some(Vec::new()),
                _ => None,
            };
            let observation = Observation { unseen, ..Observation::default() };
            Report::Observed { source, at_ms: now, observation: Box::new(observation) }
        }
    }
}

/// One schedule: after each thing that happens, "all is well" is printed only with sight of everything.
pub fn schedule(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let count = random.usize(1..4);
    let mut watch = MeshState::new("m".into(), (0..count).map(identity).collect(), facts::WINDOW);
    let mut truths: Vec<Truth> = (0..count).map(|_| Truth::default()).collect();
    let mut now = BEGIN;
    for _ in 0..random.usize(2..10) {
        if random.u8(..6) == 0 {
            now += LONG;
        } else {
            let source = random.usize(..count);
            watch.apply(report(source, now, &mut truths[source], &mut random));
            now += i64::from(random.u16(..2_000));
        }
        let snapshot = derive(&watch, now, &Thresholds::default(), INTERVAL);
        let status = of_snapshot(&snapshot).summary;
        let blind = truths.iter().any(|t| t.fails || t.hides || t.of.is_none_or(|of| now - of >= LONG));
        let printed = status == "all is well" || snapshot.unseen().is_empty();
        assert!(!(blind && printed), "schedule {seed}: {status:?} with {:?}; SIMULATE={seed}", snapshot.unseen());
        let sighted = truths.iter().all(|t| !t.fails && !t.hides && t.of.is_some_and(|of| now - of <= 3_000));
        assert!(!sighted || status == "all is well", "schedule {seed}: {status:?} with sight of all; SIMULATE={seed}");
    }
}
