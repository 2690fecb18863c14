//! Signs of life: who would lose something, and whether any signal says that they are alive.

use super::Planner;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::staleness::{Staleness, misses};
use crate::model::action::LockGuard;
use crate::model::text::Text;
use crate::model::time::{Millis, short};

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    pub of: Text,
    /// What kind of signal, and where it was read.
    pub what: Text,
    /// On the console's clock; nothing where there is no such signal.
    pub at_ms: Option<Millis>,
    /// Whether it says that its sender is alive.
    pub alive: bool,
}

impl Sign {
    /// How long ago it was, for people.
    #[must_use]
    pub fn age(&self, now: Millis) -> String {
        self.at_ms.map_or_else(|| "never seen".into(), |at| format!("{} ago", short(now - at)))
    }
}

impl Planner<'_> {
    /// Every signal of the holder of a lock; `renewed` is when it was last seen renewed. Its namesakes in other
    /// repositories count: nothing proves that they are other processes.
    pub(super) fn signs_of_holder(&self, lock: &LockGuard, renewed: Option<Millis>) -> Vec<Sign> {
        let node_id = &lock.holder_node;
        let mut signs = self.signs(node_id, &lock.holder_agent);
        signs.extend(self.signs_of_work(&lock.lock_key));
        let what = "renewal seen by this console".into();
        signs.push(Sign { of: Text::new(node_id), what, at_ms: renewed, alive: self.is_recent(renewed) });
        signs
    }

    /// What this machine shows of work on a resource. Work that is old says nothing.
    fn signs_of_work(&self, lock_key: &str) -> Vec<Sign> {
        let name = self.snapshot.names.canonical(lock_key);
        let Some(work) = self.policy.work.get(name) else { return Vec::new() };
        let sign = |what: String, at: Millis| Sign {
            of: Text::new(name),
            what: what.into(),
            at_ms: Some(at),
            alive: self.is_recent(Some(at)),
        };
        let changed = work.changed.as_ref().map(|(file, at)| sign(format!("newest change, {file}"), *at));
        let committed = work.committed.as_ref().map(|(commit, at)| sign(format!("last commit, {commit}"), *at));
        changed.into_iter().chain(committed).collect()
    }

    fn is_recent(&self, at: Option<Millis>) -> bool {
        let now = self.snapshot.at_ms;
        at.is_some_and(|at| !Staleness::of_misses(misses(now - at, self.policy.stale_ms)).is_gone())
    }

    /// Every signal of the nodes of a name, and of an agent on it.
    pub(super) fn signs(&self, node_id: &str, agent: &str) -> Vec<Sign> {
        let snapshot = self.snapshot;
        let mut signs = Vec::new();
        let mut add = |of: String, what: String, at_ms: Option<Millis>| {
            signs.push(Sign { of: of.into(), what: what.into(), at_ms, alive: self.is_recent(at_ms) });
        };
        let named: Vec<&NodeView> = snapshot.nodes_named(&Text::new(node_id)).collect();
        for (node, signal) in named.iter().flat_map(|node| node.signals.iter().map(move |signal| (node, signal))) {
            add(node.name().to_string(), signal.from.to_string(), Some(signal.seen_ms));
        }
        if named.is_empty() {
            add(node_id.to_owned(), "heartbeat or registry".into(), None);
        }
        if !agent.is_empty() {
            let acked = snapshot.messages.iter().filter(|m| m.message.receiver_agent == *agent);
            let acked = acked.filter_map(|m| m.message.processed_at_ms).max();
            add(format!("agent {agent}"), "acknowledgement".into(), acked);
            let logged = snapshot.log.iter().filter(|l| l.entry.agent_id == *agent).filter_map(|l| l.at_ms).max();
            add(format!("agent {agent}"), "op-log entry".into(), logged);
        }
        signs
    }
}

/// Whether any signal says so. No signal at all proves no death.
pub(super) fn may_be_alive(signs: &[Sign]) -> bool {
    signs.iter().any(|sign| sign.alive) || signs.iter().all(|sign| sign.at_ms.is_none())
}
