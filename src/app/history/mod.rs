//! What was observed of nodes, locks and tasks over the last minutes, in memory. What nobody saw stays unknown. Pure.

mod strip;

use std::collections::HashMap;

use foldhash::fast::RandomState;

pub use self::strip::STEPS;
use self::strip::Strip;
use crate::columns::role::{Role, State as _};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::staleness::Staleness;
use crate::mesh::derive::tasks::TaskState;
use crate::model::text::Text;
use crate::model::time::Millis;

/// The width of a step, in ms.
pub const STEP: Millis = 10_000;
/// How far all steps reach back, in ms.
pub const SPAN: Millis = 600_000;
/// Locks that are followed at most, and tasks.
const LOCKS: usize = 2_000;
const TASKS: usize = 5_000;
/// Changes that are kept of one task.
const CHANGES: usize = 12;

/// A lock in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockStep {
    pub waiters: usize,
    /// Renewals that its holder of then was seen to make in all.
    pub renewals: i64,
}

/// A task from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskChange {
    pub at_ms: Millis,
    pub state: TaskState,
    pub node: Option<Text>,
}

/// How a step of a node is drawn: the more silent, the higher; `·` where nobody looked.
#[must_use]
pub fn drawn(level: Option<Staleness>) -> (char, Role) {
    let Some(level) = level else { return ('·', Role::Dim) };
    let role = if level == Staleness::Healthy { Role::Dim } else { level.role() };
    let glyph = match level {
        Staleness::Healthy => '▁',
        Staleness::Warn => '▃',
        Staleness::Alert => '▅',
        Staleness::Critical => '▇',
        Staleness::Dead => '█',
        Staleness::Unknown => '?',
    };
    (glyph, role)
}

/// What was observed in one mesh.
#[derive(Debug, Clone, Default)]
pub struct History {
    step: Option<Millis>,
    nodes: HashMap<Text, Strip<Staleness>, RandomState>,
    /// Locks that somebody waits for, and the one that is looked at.
    locks: HashMap<String, Strip<LockStep>, RandomState>,
    tasks: HashMap<String, Vec<TaskChange>, RandomState>,
    /// Since when tasks are followed.
    pub since_ms: Option<Millis>,
}

impl History {
    /// Takes a snapshot, and the one before. Of one lock the operator looks at more is kept.
    pub fn take(&mut self, before: Option<&Snapshot>, snapshot: &Snapshot, looked_at: Option<&str>, now: Millis) {
        self.since_ms.get_or_insert(now);
        self.take_tasks(before, snapshot, now);
        let step = now.div_euclid(STEP);
        if self.step == Some(step) {
            return;
        }
        self.step = Some(step);
        for node in snapshot.nodes.iter() {
            // What an old source said is not what is.
            let level = node.as_of_ms.is_none().then_some(node.staleness);
            self.nodes.entry(node.key.clone()).or_default().push(step, level);
        }
        let looked_at = looked_at.and_then(|key| snapshot.lock(key));
        let followed = snapshot.marked.contended.iter().map(|view| &**view).take(LOCKS).chain(looked_at);
        for view in followed {
            let seen = view.as_of_ms.is_none().then(|| LockStep {
                waiters: view.waiters.len(),
                renewals: view.fences.as_ref().map_or(0, |fences| fences.renewals),
            });
            self.locks.entry(view.key()).or_default().push(step, seen);
        }
        // A clock that was set back begins anew.
        let oldest = step - Millis::try_from(STEPS).unwrap_or(Millis::MAX);
        self.nodes.retain(|_, strip| (oldest..=step).contains(&strip.newest));
        self.locks.retain(|_, strip| (oldest..=step).contains(&strip.newest));
    }

    /// Notes what became of the tasks that changed.
    fn take_tasks(&mut self, before: Option<&Snapshot>, snapshot: &Snapshot, now: Millis) {
        let Some(before) = before else { return };
        for place in snapshot.tasks.changed_since(&before.tasks) {
            let Some(task) = snapshot.tasks.get(place) else {
                if let Some(gone) = before.tasks.get(place) {
                    self.tasks.remove(&gone.key());
                }
                continue;
            };
            let key = task.key();
            // Another task may have stood there.
            if let Some(gone) = before.tasks.get(place).map(|gone| gone.key()).filter(|gone| *gone != key) {
                self.tasks.remove(&gone);
            }
            if self.tasks.len() >= TASKS && !self.tasks.contains_key(&key) {
                continue;
            }
            let since = self.since_ms.unwrap_or(now);
            let changes = self.tasks.entry(key).or_insert_with(|| {
                let was = before
                    .tasks
                    .get(place)
                    .filter(|was| (&was.task, &was.repository_id) == (&task.task, &task.repository_id));
                let was = was.map(|was| TaskChange { at_ms: since, state: was.state, node: was.owner_node.clone() });
                was.into_iter().collect()
            });
            let (state, node) = (task.state, task.owner_node.clone());
            if changes.last().is_none_or(|last| (last.state, &last.node) != (state, &node)) {
                changes.push(TaskChange { at_ms: now, state, node });
                let beyond = changes.len().saturating_sub(CHANGES);
                changes.drain(..beyond);
            }
        }
    }

    /// The last steps of a node, the newest last; fewer where it is not known for so long.
    #[must_use]
    pub fn of(&self, node: &Text, most: usize) -> Vec<Option<Staleness>> {
        self.nodes.get(node).zip(self.step).map(|(strip, now)| strip.last(now, most)).unwrap_or_default()
    }

    /// The last steps of a lock, the newest last; none for one that was not followed.
    #[must_use]
    pub fn of_lock(&self, key: &str, most: usize) -> Vec<Option<LockStep>> {
        self.locks.get(key).zip(self.step).map(|(strip, now)| strip.last(now, most)).unwrap_or_default()
    }

    /// What was seen of a task, the oldest first.
    #[must_use]
    pub fn of_task(&self, key: &str) -> &[TaskChange] {
        self.tasks.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, mesh, snapshot};

    #[test]
    fn a_node_that_is_gone_goes_on_as_unknown() {
        let mut history = History { step: Some(12), ..History::default() };
        let healthy = Some(Staleness::Healthy);
        let mut strip = Strip::default();
        (8..=10).for_each(|step| strip.push(step, healthy));
        history.nodes.insert("n".into(), strip);
        assert_eq!(history.of(&"n".into(), 9), [healthy, healthy, healthy, None, None]);
        assert_eq!(history.of(&"n".into(), 3), [healthy, None, None]);
        assert!(history.of(&"other".into(), 3).is_empty());
    }

    #[test]
    fn contended_locks_are_followed_and_one_that_is_looked_at() {
        let mut history = History::default();
        let seen = snapshot(mesh(), NOW);
        history.take(None, &seen, None, NOW);
        let key = |name: &str| seen.locks.iter().find(|l| l.lock.lock_key.raw() == name).unwrap().key();
        let (contended, quiet) = (key("file:src/lexer.rs"), key("file:docs/guide.md"));
        assert_eq!(history.of_lock(&contended, 9).len(), 1);
        assert!(history.of_lock(&quiet, 9).is_empty());
        history.take(None, &seen, Some(&quiet), NOW + STEP);
        assert_eq!(history.of_lock(&quiet, 9), [Some(LockStep { waiters: 0, renewals: 0 })]);
        assert_eq!(history.of_lock(&contended, 9).len(), 2);
    }

    #[test]
    fn a_task_has_its_changes_and_each_once() {
        let mut history = History::default();
        let (first, later) = (snapshot(crate::testing::starting_mesh(), NOW), snapshot(mesh(), NOW));
        for _ in 0..3 {
            history.take(Some(&first), &later, None, NOW);
        }
        let task = later.tasks.iter().next().unwrap();
        let changes = history.of_task(&task.key());
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].state, changes[0].at_ms), (task.state, NOW));
    }
}
