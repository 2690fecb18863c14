//! Facts into judgements. Pure: no IO, no clock; the instant is an argument.

mod agenda;
pub mod chain;
pub mod findings;
pub mod graph;
mod holds;
mod homes;
mod judge;
pub mod leases;
pub mod locks;
pub mod messages;
pub mod nodes;
mod notes;
pub mod only;
pub mod queues;
mod requests;
pub mod resource;
pub mod rules;
pub mod sources;
pub mod staleness;
pub mod tasks;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use self::chain::LogView;
use self::graph::WaitGraph;
use self::leases::{LeaderView, LeaseView};
use self::locks::LockView;
use self::messages::MessageView;
use self::nodes::NodeView;
use self::only::Only;
use self::resource::Names;
use self::sources::{SourceHealth, SourceView};
use self::staleness::Staleness;
use self::tasks::TaskView;
use super::shelf::Shelf;
use crate::mesh::clocks::NodeClock;
use crate::mesh::derive::findings::Finding;
use crate::mesh::facts::Tables;
use crate::mesh::{Mesh, Noted, Watch};
use crate::model::action::{Action, Mode, OPERATOR_AGENT};
use crate::model::journal::Entry;
use crate::model::outcome::Verdict as Outcome;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND};

pub use self::judge::Judge;

/// From when on something is worth a word. All of them can be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// A node that misses one of these is stale.
    pub stale_ms: Millis,
    /// An unacknowledged message older than this is stuck.
    pub stuck_ms: Millis,
    /// A message delivered this often is poison.
    pub poison_attempts: i64,
    /// A lock this close to its end is expiring, whatever its TTL.
    pub expiring_ms: Millis,
    /// A source not heard for this long, beyond three of its intervals, is old.
    pub old_ms: Millis,
    /// An agent that waits longer than this is starved.
    pub starved_ms: Millis,
    /// A lock renewed more often than this by one holder is held for long.
    pub renewals: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            stale_ms: MINUTE,
            stuck_ms: MINUTE,
            poison_attempts: 5,
            expiring_ms: 5 * SECOND,
            old_ms: 5 * SECOND,
            starved_ms: 5 * MINUTE,
            renewals: 50,
        }
    }
}

/// A mesh, judged at an instant. Instants in the views are on the console's clock. What is the same in two pictures
/// of one mesh is shared by them.
#[derive(Debug, Clone)]
pub struct Picture {
    pub mesh: Arc<Mesh>,
    /// When it was judged, on the console's clock.
    pub at_ms: Millis,
    /// How resources are named here.
    pub names: Names,
    pub sources: Arc<[SourceView]>,
    pub nodes: Shelf<NodeView>,
    pub locks: Shelf<LockView>,
    /// Execution leases in force, as rows beside the locks.
    pub beside: Arc<[Arc<LockView>]>,
    pub messages: Shelf<MessageView>,
    pub tasks: Shelf<TaskView>,
    pub log: Arc<[LogView]>,
    pub leases: Arc<[LeaseView]>,
    pub leaders: Arc<[LeaderView]>,
    /// Who waits for whom.
    pub waits: Arc<WaitGraph>,
    /// Worst first.
    pub findings: Arc<[Arc<Finding>]>,
    pub counts: Counts,
    pub marked: Marked,
    /// Set where it is of one repository alone.
    pub only: Option<Only>,
    node_places: Arc<HashMap<Text, u32, RandomState>>,
    node_keys: Arc<HashMap<Text, Vec<Text>, RandomState>>,
    agent_places: Arc<HashMap<Text, Vec<u32>, RandomState>>,
}

/// How many there are of what the screen counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub critical: usize,
    pub warnings: usize,
    /// Tasks of which more is expected.
    pub open_tasks: usize,
    /// By [`Staleness`].
    pub nodes: [usize; 6],
}

/// Rows that stand out, so that nobody has to look for them among all.
#[derive(Debug, Clone, Default)]
pub struct Marked {
    /// Locks that somebody waits for, the longest queue first; no more than a screen holds.
    pub contended: Vec<Arc<LockView>>,
    /// Locks that have not ended, the next to end first; no more than a screen holds.
    pub ending: Vec<Arc<LockView>>,
    /// Messages that are stuck or poison, and tasks that are orphaned, the oldest first; no more than a screen holds.
    pub stuck: Vec<Stuck>,
    /// Nodes, the worst first; no more than a screen holds.
    pub worst: Vec<Arc<NodeView>>,
    /// Locks whose fence went back.
    pub back: Vec<Arc<LockView>>,
    /// Locks that are past their end, or whose holder is nobody that is known.
    pub doubtful: Vec<Arc<LockView>>,
    /// Resources that have several locks, and these.
    pub of_one_name: Vec<(Arc<str>, Vec<Arc<LockView>>)>,
}

/// A piece of work that does not move.
#[derive(Debug, Clone)]
pub enum Stuck {
    Message(Arc<MessageView>),
    Task(Arc<TaskView>),
}

impl Counts {
    /// Of findings, worst first: the counts are where the next severity begins.
    fn new(findings: &[Arc<Finding>], open_tasks: usize, nodes: [usize; 6]) -> Self {
        let critical = findings.partition_point(|f| f.severity == Severity::Critical);
        let beyond = findings.partition_point(|f| f.severity != Severity::Info);
        Self { critical, warnings: beyond - critical, open_tasks, nodes }
    }
}

impl Picture {
    /// The locks, and the execution leases in force beside them: everything that somebody holds.
    pub fn holds(&self) -> impl Iterator<Item = &LockView> {
        self.locks.iter().chain(self.beside.iter().map(|view| &**view))
    }

    /// Every agent seen, by name: their inboxes can be asked for.
    #[must_use]
    pub fn agents(&self) -> Arc<[Text]> {
        let of_messages = self.messages.iter().map(|m| &m.message.receiver_agent);
        let agents: BTreeSet<&Text> = self.agent_places.keys().chain(of_messages).filter(|a| !a.is_empty()).collect();
        agents.into_iter().cloned().collect()
    }

    /// Names that may be those of agents with inboxes: every agent that is seen, who wrote to whom, and nodes, which may
    /// be called as their agents are.
    #[must_use]
    pub fn to_ask(&self) -> Arc<[Text]> {
        let wrote = self.messages.iter().flat_map(|m| [&m.message.receiver_agent, &m.message.sender_agent]);
        let nodes = self.nodes.iter().map(|node| &node.node_id);
        let all: BTreeSet<&Text> =
            self.agent_places.keys().chain(wrote).chain(nodes).filter(|a| !a.is_empty()).collect();
        all.into_iter().cloned().collect()
    }

    /// A node by its key.
    #[must_use]
    pub fn node(&self, key: &Text) -> Option<&NodeView> {
        self.nodes.get(*self.node_places.get(key)? as usize).map(|node| &**node)
    }

    /// Every node of a name: several where it sends heartbeats in several repositories.
    pub fn nodes_named(&self, name: &Text) -> impl Iterator<Item = &NodeView> {
        let keys = self.node_keys.get(name).map_or(&[][..], Vec::as_slice);
        keys.iter().filter_map(|key| self.node(key))
    }

    /// The node that a name means in a repository.
    #[must_use]
    pub fn node_in(&self, name: &Text, repository_id: &Text) -> Option<&NodeView> {
        let exact = self.node(&nodes::key_in(name, repository_id));
        exact.or_else(|| self.nodes_named(name).min_by_key(|node| node.staleness))
    }

    /// The key of the node that a name means in a repository; the name where none is known.
    #[must_use]
    pub fn node_key(&self, name: &Text, repository_id: &Text) -> Text {
        self.node_in(name, repository_id).map_or_else(|| name.clone(), |node| node.key.clone())
    }

    /// How alive the node is that an agent was last seen on.
    #[must_use]
    pub fn agent_staleness(&self, agent: &Text) -> Staleness {
        let places = self.agent_places.get(agent).into_iter().flatten();
        let nodes = places.filter_map(|place| self.nodes.get(*place as usize));
        nodes.map(|node| node.staleness).min().unwrap_or(Staleness::Unknown)
    }

    /// The attempt of this journal that fenced a lock off, where an operator holds it since then. A holder that calls
    /// itself as operators do is a holder like any other.
    #[must_use]
    pub fn fenced_off(&self, view: &LockView) -> Option<&Entry> {
        let source = self.mesh.sources.iter().find(|source| source.identity.name == view.source)?;
        let held = &view.lock;
        self.mesh.journal.iter().rev().find(|entry| {
            let Action::Release { lock, mode: Mode::FenceOff, .. } = &entry.action else { return false };
            matches!(entry.verdict, None | Some(Outcome::Done | Outcome::Unknown))
                && entry.place == source.identity.place.raw()
                && (lock.table, lock.lock_key.as_str(), lock.repository_id.as_str())
                    == (held.table, held.lock_key.raw(), held.repository_id.raw())
                && held.holder_agent == OPERATOR_AGENT
                && lock.fence_token.and_then(|fence| fence.checked_add(1)) == held.fence_token
        })
    }

    /// What this picture may not show: sources that do not answer, parts that are denied, and tables that are cut. Without
    /// sight of it nobody can say that all is well.
    #[must_use]
    pub fn unseen(&self) -> Vec<Text> {
        let mut unseen = Vec::new();
        for (source, view) in self.mesh.sources.iter().zip(self.sources.iter()) {
            let name = &source.identity.name;
            if view.health != SourceHealth::Live {
                let why = source.health.trouble.as_ref().map(|trouble| trouble.fault.to_string());
                unseen.push(format!("{name}: {}", why.unwrap_or_else(|| "not heard yet".into())).into());
            }
            unseen.extend(source.unseen.iter().map(|what| format!("{name}: {what}").into()));
        }
        unseen
    }

    /// Whether another picture says anything that need not wait for the next tick of the clock.
    #[must_use]
    pub fn is_news_after(&self, before: &Self) -> bool {
        let facts = |p: &Self| p.mesh.sources.iter().map(|s| s.facts.revision).collect::<Vec<_>>();
        let health = |p: &Self| p.sources.iter().map(|s| s.health).collect::<Vec<_>>();
        let unseen = |p: &Self| p.mesh.sources.iter().map(|s| s.unseen.clone()).collect::<Vec<_>>();
        facts(self) != facts(before)
            || health(self) != health(before)
            || unseen(self) != unseen(before)
            || !Arc::ptr_eq(&self.findings, &before.findings)
            || !Arc::ptr_eq(&self.mesh.journal, &before.mesh.journal)
            || !Arc::ptr_eq(&self.mesh.events, &before.mesh.events)
    }
}

/// What every judgement looks at.
#[derive(Clone, Copy)]
struct Look<'a> {
    mesh: &'a Mesh,
    tables: &'a [Tables],
    clocks: &'a HashMap<Text, NodeClock>,
    noted: &'a HashMap<(usize, u32), Noted>,
    sources: &'a [SourceView],
    thresholds: &'a Thresholds,
    now_ms: Millis,
    /// When it was judged last.
    before_ms: Option<Millis>,
}

/// Judges a mesh at an instant, from scratch.
#[must_use]
pub fn derive(watch: &Watch, now_ms: Millis, thresholds: &Thresholds, interval_ms: Millis) -> Picture {
    Judge::default().judge(watch, &watch.everything(), now_ms, thresholds, interval_ms)
}

#[cfg(test)]
mod tests;
