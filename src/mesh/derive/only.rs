//! A snapshot of one repository: the rest is left out of lists, counts, findings and what stands out.
//!
//! One repository has several names (a hash in most tables, a path or `default` in messages), so only another hash is
//! surely another repository. Nothing is left out on a guess, and what names no repository stays.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use super::agents::AgentView;
use super::locks::{LockState, LockView};
use super::messages::{MessageState, MessageView};
use super::nodes::NodeView;
use super::scope::{Only, may_be_of};
use super::tasks::TaskState;
use crate::mesh::derive::snapshot::{Counts, Marked, Snapshot, Stuck};
use crate::mesh::derive::snapshot::{NODES, SCREENFUL};
use crate::mesh::slab::SharedSlab;
use crate::model::text::Text;
use crate::model::time::Millis;

impl Snapshot {
    /// The same of one repository. `before` is an earlier whole snapshot, and what it was made into: what did not change
    /// since then is not looked at again.
    #[must_use]
    pub fn only(&self, repository: &str, before: Option<(&Self, &Self)>) -> Self {
        let fits = |id: &Text| may_be_of(id, repository);
        let of_node = |node: &NodeView| node.repositories.is_empty() || node.repositories.iter().any(fits);
        let of_lock = |view: &LockView| fits(&view.lock.repository_id);
        let of_message = |view: &MessageView| fits(&view.message.repository_id);
        let same = before.filter(|(_, made)| made.only.as_ref().is_some_and(|only| only.repository == *repository));
        let mut snapshot = Self {
            nodes: pick(&self.nodes, same.map(|(whole, made)| (&whole.nodes, &made.nodes)), of_node),
            locks: pick(&self.locks, same.map(|(whole, made)| (&whole.locks, &made.locks)), of_lock),
            messages: pick(&self.messages, same.map(|(whole, made)| (&whole.messages, &made.messages)), of_message),
            tasks: pick(&self.tasks, same.map(|(whole, made)| (&whole.tasks, &made.tasks)), |t| fits(&t.repository_id)),
            agents: self.agents.iter().filter(|view| fits(&view.agent.repository_id)).cloned().collect(),
            groups: self.groups.iter().filter(|row| fits(&row.repository_id)).cloned().collect(),
            log: self.log.iter().filter(|view| fits(&view.entry.repository_id)).cloned().collect(),
            beside: self.beside.iter().filter(|view| of_lock(view)).cloned().collect(),
            leaders: self.leaders.iter().filter(|view| fits(&view.leader.repository_id)).cloned().collect(),
            only: Some(Only { repository: Text::new(repository), known: self.names_repository(repository) }),
            ..self.clone()
        };
        let gone = self.left_out(&snapshot, repository);
        let waits = Arc::make_mut(&mut snapshot.waits);
        waits.keep(|row| of_lock(row.lock()));
        waits.deadlocks.retain(|deadlock| !deadlock.breaks.iter().all(|(key, _)| gone.contains(key.as_str())));
        snapshot.findings = self.findings.iter().filter(|f| !gone.contains(f.subject.key())).cloned().collect();
        snapshot.counts = snapshot.count();
        snapshot.open = Arc::default();
        snapshot.marked = snapshot.mark_all();
        snapshot
    }

    fn names_repository(&self, repository: &str) -> bool {
        self.nodes.iter().any(|node| node.repositories.iter().any(|id| *id == repository))
            || self.locks.iter().any(|view| view.lock.repository_id == *repository)
            || self.messages.iter().any(|view| view.message.repository_id == *repository)
            || self.tasks.iter().any(|task| task.repository_id == *repository)
            || self.agents.iter().any(|view| view.agent.repository_id == *repository)
            || self.log.iter().any(|view| view.entry.repository_id == *repository)
            || self.leaders.iter().any(|view| view.leader.repository_id == *repository)
    }

    /// Keys of what is in this snapshot and not in the other, of those kinds that findings are about.
    fn left_out(&self, other: &Self, repository: &str) -> HashSet<String> {
        let mut gone = HashSet::new();
        let locks = other.locks.changed_since(&self.locks).filter_map(|at| self.locks.get(at));
        gone.extend(locks.map(|view| view.key()));
        let nodes = other.nodes.changed_since(&self.nodes).filter_map(|at| self.nodes.get(at));
        gone.extend(nodes.map(|node| node.key.raw().to_owned()));
        let messages = other.messages.changed_since(&self.messages).filter_map(|at| self.messages.get(at));
        gone.extend(messages.map(|view| view.key()));
        let tasks = other.tasks.changed_since(&self.tasks).filter_map(|at| self.tasks.get(at));
        gone.extend(tasks.map(|task| task.key()));
        let of_other = |agent: &Arc<AgentView>| !may_be_of(&agent.agent.repository_id, repository);
        gone.extend(self.agents.iter().filter(|agent| of_other(agent)).map(|agent| agent.key()));
        gone
    }

    fn count(&self) -> Counts {
        let mut nodes = [0; 6];
        for node in self.nodes.iter() {
            nodes[node.staleness as usize] += 1;
        }
        let open_tasks = self.tasks.iter().filter(|task| !task.state.is_over()).count();
        Counts::new(&self.findings, open_tasks, nodes)
    }

    /// What stands out, of what is left.
    fn mark_all(&self) -> Marked {
        let longest = |view: &&Arc<LockView>| (Reverse(view.waiters.len()), view.first_wait_ms());
        let waited_for = self.locks.shared().filter(|view| !view.waiters.is_empty());
        let to_end = self.locks.shared().filter(|view| view.state != LockState::Expired && view.expires_ms.is_some());
        let messages = self.messages.shared().filter(|m| matches!(m.state, MessageState::Stuck | MessageState::Poison));
        let messages = messages.map(|m| (m.created_ms.unwrap_or(Millis::MAX), Stuck::Message(m.clone())));
        let tasks = self.tasks.shared().filter(|task| task.state == TaskState::Orphaned);
        let tasks = tasks.map(|task| (task.since_ms.unwrap_or(Millis::MAX), Stuck::Task(task.clone())));
        let mut stuck: Vec<(Millis, Stuck)> = messages.chain(tasks).collect();
        stuck.sort_by_key(|(since, _)| *since);
        Marked {
            contended: first(waited_for, SCREENFUL, longest),
            ending: first(to_end, SCREENFUL, |view| view.expires_ms),
            stuck: stuck.into_iter().take(SCREENFUL).map(|(_, stuck)| stuck).collect(),
            worst: first(self.nodes.shared(), NODES, |node| (Reverse(node.staleness.rank()), node.key.clone())),
            // Only rules look at these, and they looked at the whole mesh.
            back: Vec::new(),
            copies: Vec::new(),
            doubtful: Vec::new(),
            of_one_name: Vec::new(),
        }
    }
}

/// The first few, in an order.
fn first<'a, T: 'a, K: Ord>(
    all: impl Iterator<Item = &'a Arc<T>>,
    most: usize,
    by: impl Fn(&&'a Arc<T>) -> K,
) -> Vec<Arc<T>> {
    let mut all: Vec<&Arc<T>> = all.collect();
    all.sort_by_cached_key(by);
    all.into_iter().take(most).cloned().collect()
}

/// What fits, in the places that it has in the whole.
fn pick<T>(
    whole: &SharedSlab<T>,
    before: Option<(&SharedSlab<T>, &SharedSlab<T>)>,
    fits: impl Fn(&T) -> bool,
) -> SharedSlab<T> {
    let (changed, mut picked): (Vec<usize>, _) = match before {
        Some((old, made)) => (whole.changed_since(old).collect(), made.clone()),
        None => ((0..whole.places()).collect(), SharedSlab::default()),
    };
    for place in changed {
        let thing = whole.get(place).filter(|thing| fits(thing)).cloned();
        if thing.is_some() || picked.get(place).is_some() {
            picked.put(place, thing);
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LockTable;
    use crate::model::observation::{Change, Observation};
    use crate::model::report::Report;
    use crate::model::time::MINUTE;
    use crate::testing::{NOW, heartbeat, lock, snapshot, starting_mesh};

    fn report(changes: Vec<Change>) -> Report {
        let observation = Observation { changes, ..Observation::default() };
        Report::Observed { source: 0, at_ms: NOW, observation: Box::new(observation) }
    }

    /// E4: one repository, with what is wrong in it and nothing of the others.
    #[test]
    fn what_is_of_another_repository_is_left_out_of_everything() {
        let beat = |node: &str, repository: &str, age| crate::model::Heartbeat {
            repository_id: repository.into(),
            ..heartbeat(node, "1", age)
        };
        let held = |key: &str, node: &str, repository: &str| crate::model::Lock {
            repository_id: repository.into(),
            ..lock(key, node, "1", MINUTE)
        };
        let beats = vec![beat("well", "one", 1_000), beat("gone", "two", 60 * MINUTE)];
        let locks = vec![held("a", "well", "one"), held("b", "gone", "two")];
        let mesh = starting_mesh()
            .after(report(vec![Change::Heartbeats(beats.clone()), Change::Locks(LockTable::Distributed, locks)]));
        let whole = snapshot(mesh.clone(), NOW);
        assert!(whole.counts.critical > 0, "{:#?}", whole.findings);

        let one = whole.only("one", None);
        assert_eq!((one.counts.critical, one.nodes.len(), one.locks.len(), one.marked.ending.len()), (0, 1, 1, 1));
        assert!(one.only.as_ref().unwrap().known);
        let two = whole.only("two", None);
        assert_eq!((two.counts.critical, two.nodes.len(), two.locks.len()), (whole.counts.critical, 1, 1));
        let none = whole.only("nope", None);
        assert!(!none.only.as_ref().unwrap().known && none.locks.is_empty());

        // What changed since the last snapshot is all that is looked at, and it comes to the same.
        let mesh = mesh.after(report(vec![Change::Locks(LockTable::Distributed, vec![held("c", "well", "one")])]));
        let next = snapshot(mesh, NOW);
        let (fast, slow) = (next.only("one", Some((&whole, &one))), next.only("one", None));
        let names = |p: &Snapshot| p.locks.iter().map(|l| l.lock.lock_key.to_string()).collect::<Vec<_>>();
        assert_eq!((names(&fast), fast.counts), (names(&slow), slow.counts));
        assert_eq!(names(&fast), ["c"]);
    }
}
