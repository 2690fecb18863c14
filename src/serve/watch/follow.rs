//! Follows a mesh from snapshot to snapshot: only what may be another than it was is looked at. Pure.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Value, json};

use super::changes::{State, Thing};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Finding;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::tasks::TaskView;
use crate::mesh::slab::SharedSlab;
use crate::model::journal::Entry;

/// The kind of what operators did. The journal's older part is left out of what is read, so that an action never goes.
const ACTION: &str = "action";

/// What is followed of one mesh.
#[derive(Debug, Default)]
pub struct Follower {
    last: Option<Arc<Snapshot>>,
    /// How many there are of each thing, by a number: what has gone in one place may stand in another.
    there: HashMap<u64, u32, RandomState>,
    hashes: RandomState,
    /// What was reported and cannot be seen now. It is gone only if all sources were seen.
    unsure: State,
}

/// What may have changed: as it was reported, and as it is.
#[derive(Debug, Default)]
pub struct Step {
    pub was: State,
    pub is: State,
}

impl Follower {
    /// Follows a mesh whose state was reported already.
    #[must_use]
    pub fn after(reported: State) -> Self {
        Self { unsure: reported, ..Self::default() }
    }

    /// Goes on to a newer snapshot.
    pub fn step(&mut self, now: &Arc<Snapshot>) -> Step {
        let before = self.last.replace(now.clone());
        let mut step = self.between(before.as_deref(), now);
        for thing in step.is.keys() {
            if let Some(was) = self.unsure.remove(thing) {
                step.was.insert(thing.clone(), was);
            }
        }
        let (hashes, there) = (&self.hashes, &self.there);
        step.was.retain(|thing, _| step.is.contains_key(thing) || !there.contains_key(&hashes.hash_one(thing)));
        if now.unseen().is_empty() {
            let goes = |(thing, _): &(Thing, Value)| thing.kind != ACTION;
            let (gone, stay) = std::mem::take(&mut self.unsure).into_iter().partition(goes);
            self.unsure = stay;
            step.was.extend::<State>(gone);
        } else {
            let (stay, unsure) =
                std::mem::take(&mut step.was).into_iter().partition(|(thing, _)| step.is.contains_key(thing));
            step.was = stay;
            self.unsure.extend::<State>(unsure);
        }
        step
    }

    fn between(&mut self, before: Option<&Snapshot>, now: &Snapshot) -> Step {
        let mesh = now.mesh.name.raw();
        let mut walk = Walk { mesh, hashes: &self.hashes, there: &mut self.there, step: Step::default() };
        walk.slab(before.map(|before| &before.nodes), &now.nodes, of_node);
        walk.slab(before.map(|before| &before.locks), &now.locks, of_lock);
        walk.slab(before.map(|before| &before.tasks), &now.tasks, of_task);
        walk.list(before.map(|before| &*before.beside), &now.beside, of_lock);
        walk.list(before.map(|before| &*before.findings), &now.findings, of_finding);
        if before.is_none_or(|before| !Arc::ptr_eq(&before.mesh.journal, &now.mesh.journal)) {
            let known: HashMap<&str, &Entry> =
                before.iter().flat_map(|before| before.mesh.journal.iter()).map(|entry| (&*entry.id, entry)).collect();
            for entry in now.mesh.journal.iter() {
                if let Some(known) = known.get(&*entry.id) {
                    walk.note(of_action(known), false);
                }
                walk.note(of_action(entry), true);
            }
        }
        walk.step
    }
}

/// What is collected on the way from one snapshot to the next.
struct Walk<'a> {
    mesh: &'a str,
    hashes: &'a RandomState,
    there: &'a mut HashMap<u64, u32, RandomState>,
    step: Step,
}

/// The kind of a thing, its key, and what is compared of it.
type Followed = (&'static str, String, Value);

impl Walk<'_> {
    fn slab<T>(&mut self, before: Option<&SharedSlab<T>>, now: &SharedSlab<T>, of: impl Fn(&T) -> Followed) {
        let none = SharedSlab::default();
        let before = before.unwrap_or(&none);
        for place in now.changed_since(before) {
            for (slab, is) in [(before, false), (now, true)] {
                if let Some(view) = slab.get(place) {
                    self.take(of(view), is);
                }
            }
        }
    }

    fn list<T>(&mut self, before: Option<&[Arc<T>]>, now: &[Arc<T>], of: impl Fn(&T) -> Followed) {
        let before = before.unwrap_or_default();
        if std::ptr::eq(before, now) {
            return;
        }
        let all = |list: &[Arc<T>]| list.iter().map(Arc::as_ptr).collect::<std::collections::HashSet<_, RandomState>>();
        let (old, new) = (all(before), all(now));
        before.iter().filter(|one| !new.contains(&Arc::as_ptr(one))).for_each(|one| self.take(of(one), false));
        now.iter().filter(|one| !old.contains(&Arc::as_ptr(one))).for_each(|one| self.take(of(one), true));
    }

    /// Takes a thing as it was or is, and counts it.
    fn take(&mut self, followed: Followed, is: bool) {
        let number = self.hashes.hash_one(self.note(followed, is));
        let n = self.there.entry(number).or_default();
        *n = if is { *n + 1 } else { n.saturating_sub(1) };
        if *n == 0 {
            self.there.remove(&number);
        }
    }

    fn note(&mut self, (kind, key, value): Followed, is: bool) -> Thing {
        let thing = Thing { kind: kind.into(), mesh: self.mesh.into(), key };
        let state = if is { &mut self.step.is } else { &mut self.step.was };
        state.insert(thing.clone(), value);
        thing
    }
}

fn of_node(node: &NodeView) -> Followed {
    ("node", node.key.raw().to_owned(), json!({ "name": node.name(), "state": node.staleness.to_string() }))
}

fn of_lock(view: &LockView) -> Followed {
    let lock = &view.lock;
    let is = json!({
        "name": view.name(), "state": view.state.to_string(), "holder_node": lock.holder_node,
        "holder_agent": lock.holder_agent, "fence_token": lock.fence_token, "waiters": view.waiters.len(),
    });
    ("lock", view.key(), is)
}

fn of_task(task: &TaskView) -> Followed {
    let is = json!({ "name": task.task, "state": task.state.to_string(), "owner_node": task.owner_node });
    ("task", task.key(), is)
}

fn of_finding(finding: &Finding) -> Followed {
    let is = json!({
        "name": finding.name, "state": finding.severity.to_string(), "rule": finding.rule,
        "sentence": finding.sentence, "acknowledged": finding.acknowledged().is_some(),
    });
    ("finding", finding.identity(), is)
}

fn of_action(entry: &Entry) -> Followed {
    let state = entry.kind.map(|kind| kind.to_string());
    (ACTION, entry.id.clone(), json!({ "name": entry.action.summary(), "state": state, "operator": entry.operator }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::changes::{apply, changes};
    use super::*;
    use crate::mesh::MeshState;
    use crate::mesh::derive::{Evaluator, Thresholds};
    use crate::model::LockTable;
    use crate::model::observation::{Change, Observation};
    use crate::model::report::{Report, State as Backing};
    use crate::model::source::Fault;
    use crate::testing::{NOW, heartbeat, lock, mesh, snapshot, starting_mesh};

    fn whole(snapshot: &Arc<Snapshot>) -> State {
        Follower::default().between(None, snapshot).is
    }

    #[test]
    fn what_comes_and_goes_is_told_and_what_was_told_is_not_told_again() {
        let (none, some) = (Arc::new(snapshot(starting_mesh(), NOW)), Arc::new(snapshot(mesh(), NOW)));
        let first = Follower::default().step(&some);
        assert!(first.was.is_empty());
        for kind in ["node", "lock", "task", "finding", "action"] {
            assert!(first.is.keys().any(|thing| thing.kind == kind), "{kind}");
        }
        let again = Follower::after(first.is.clone()).step(&some);
        assert!(changes(&again.was, &again.is, 0, NOW).is_empty());
        let mut follower = Follower::after(first.is.clone());
        let step = follower.step(&none);
        assert!(step.was.is_empty(), "nobody saw that they are gone");
        assert_eq!(follower.unsure.len(), first.is.len());
    }

    proptest! {
        /// Whatever happens, whoever takes the changes over has what the last snapshot shows, once all was seen.
        #[test]
        fn steps_lead_to_what_a_snapshot_shows(
            steps in prop::collection::vec(
                (prop::collection::btree_map(0u8..9, (0u8..4, 1i64..4), 0..7), prop::collection::btree_map(0u8..5, 0i64..90, 0..5), any::<bool>()),
                1..12,
            ),
        ) {
            let (mut watch, mut evaluator): (MeshState, _) = (starting_mesh(), Evaluator::default());
            let (mut follower, mut told) = (Follower::default(), State::new());
            let mut now = NOW;
            let count = steps.len();
            for (i, (locks, beats, heard)) in steps.into_iter().enumerate() {
                now += 1_000;
                for source in 0..watch.mesh.sources.len() {
                    let report = if source > 0 || heard || i + 1 == count {
                        let held = |(key, (node, fence)): (&u8, &(u8, i64))| {
                            let row = lock(&format!("k{key}"), &format!("n{node}"), "1", 60_000);
                            crate::model::Lock { fence_token: Some(*fence), ..row }
                        };
                        let beats = beats.iter().map(|(node, age)| heartbeat(&format!("n{node}"), "1", age * 1_000));
                        let changes = if source == 0 {
                            vec![Change::Locks(LockTable::Distributed, locks.iter().map(held).collect()), Change::Heartbeats(beats.collect())]
                        } else { Vec::new() };
                        Report::Observed { source, at_ms: now, observation: Box::new(Observation { changes, ..Observation::default() }) }
                    } else {
                        let (fault, state) = (Fault::transient("away"), Backing::BackingOff { failures: 1 });
                        Report::Failed { source, at_ms: now, fault, state, retry_at_ms: now }
                    };
                    watch.apply(report);
                }
                let touched = watch.take_touched();
                let snapshot = Arc::new(evaluator.evaluate(&watch, &touched, now, &Thresholds::default(), 1_000));
                let step = follower.step(&snapshot);
                for change in changes(&step.was, &step.is, 0, now) {
                    prop_assert_eq!(told.get(&change.thing).cloned().unwrap_or_default(), change.was.clone());
                    apply(&mut told, &change);
                }
                if snapshot.unseen().is_empty() {
                    prop_assert_eq!(&told, &whole(&snapshot));
                }
            }
        }
    }
}
