//! An evaluator that followed every report comes to the snapshot that a new one comes to.

use proptest::prelude::*;

use super::*;
use crate::mesh::MeshState;
use crate::mesh::derive::derive;
use crate::model::LockTable;
use crate::model::observation::{Change, Delta};
use crate::model::time::SECOND;
use crate::testing::steps::{Step, report, step};
use crate::testing::{NOW, lock, starting_mesh};

/// Everything a snapshot says, in one order.
fn printed(p: &Snapshot) -> Vec<String> {
    let mut all: Vec<String> = p.nodes.iter().map(|v| format!("{v:?}")).collect();
    all.extend(p.agents.iter().map(|v| format!("{v:?}")));
    all.extend(p.locks.iter().map(|v| format!("{v:?}")));
    all.extend(p.beside.iter().map(|v| format!("{v:?}")));
    all.extend(p.messages.iter().map(|v| format!("{v:?}")));
    all.extend(p.tasks.iter().map(|v| format!("{v:?}")));
    all.extend(p.waits.rows().iter().map(|r| format!("wait {} {} {}", r.agent(), r.direct, r.total)));
    all.extend(p.waits.deadlocks.iter().map(|d| format!("deadlock {:?}", d.agents)));
    let marked = &p.marked;
    all.extend(
        marked.contended.iter().chain(&marked.ending).chain(&marked.back).map(|v| format!("marked {}", v.key())),
    );
    all.extend(marked.stuck.iter().map(|v| format!("{v:?}")));
    all.extend(marked.worst.iter().map(|v| format!("worst {v:?}")));
    all.extend(marked.of_one_name.iter().map(|(name, locks)| format!("{name} {}", locks.len())));
    all.extend(p.agents_seen().iter().map(|agent| format!("agent {agent} {:?}", p.agent_staleness(agent))));
    all.push(format!("{:?} {:?}", p.counts, p.names));
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]
    #[test]
    fn following_comes_to_the_same_as_starting_afresh(steps in prop::collection::vec(step(), 1..14)) {
        let (mut state, mut evaluator, mut now) = (starting_mesh(), Evaluator::default(), NOW);
        let thresholds = Thresholds { renewals: 1, ..Thresholds::default() };
        for step in &steps {
            now += step.pass;
            state.apply(report(step, now));
            let touched = state.take_touched();
            let followed = evaluator.evaluate(&state, &touched, now, &thresholds, SECOND);
            let fresh = derive(&state, now, &thresholds, SECOND);
            let (by_following, from_new) = (printed(&followed), printed(&fresh));
            let only = |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
            let differ = (only(&by_following, &from_new), only(&from_new, &by_following));
            prop_assert_eq!(differ, (Vec::new(), Vec::new()));
            prop_assert_eq!(by_following.len(), from_new.len());
            prop_assert_eq!(&*followed.findings, &*fresh.findings);
        }
    }
}

#[test]
fn what_did_not_change_is_shared_between_snapshots() {
    let (mut state, mut evaluator) = (crate::testing::mesh(), Evaluator::default());
    let mut evaluate = |state: &mut MeshState, now| {
        let touched = state.take_touched();
        evaluator.evaluate(state, &touched, now, &Thresholds::default(), SECOND)
    };
    let first = evaluate(&mut state, NOW);
    let mut held = lock("file:src/parser.rs", "desktop-488", "1", 4 * SECOND);
    held.fence_token = Some(8);
    let delta = Delta { changed: vec![held], gone: Vec::new() };
    let step =
        Step { source: 0, changes: vec![Change::SomeLocks(LockTable::Distributed, delta)], fails: false, pass: 0 };
    state.apply(report(&step, NOW + 1));
    let then = evaluate(&mut state, NOW + 1);
    assert_eq!(then.locks.changed_since(&first.locks).count(), 1, "one lock was renewed");
    assert_eq!(then.messages.changed_since(&first.messages).count(), 0);
    assert_eq!(then.nodes.changed_since(&first.nodes).count(), 0);
    assert!(Arc::ptr_eq(&first.findings, &then.findings), "nothing new was found");
}
