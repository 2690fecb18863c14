//! A mesh, evaluated at an instant.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;

use super::agents::AgentView;
use super::chain::LogView;
use super::graph::WaitGraph;
use super::groups::GroupRow;
use super::leases::{LeaderView, LeaseView};
use super::locks::LockView;
use super::messages::MessageView;
use super::nodes::{NodeView, key_in};
use super::queues::Waiter;
use super::resource::Names;
use super::scope::Only;
use super::sources::{SourceHealth, SourceView};
use super::staleness::Staleness;
use super::tasks::TaskView;
use crate::mesh::Mesh;
use crate::mesh::derive::finding::Finding;
use crate::mesh::slab::SharedSlab;
use crate::model::MessageTable;
use crate::model::action::{Action, Mode, OPERATOR_AGENT};
use crate::model::journal::Entry;
use crate::model::observation::Presence;
use crate::model::outcome::OutcomeKind as Outcome;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time::Millis;

/// Nodes on one screen: a glyph each.
pub(super) const NODES: usize = 4_096;

/// Rows that stand out are kept to this many: more than any screen shows at once.
pub(super) const SCREENFUL: usize = 64;

/// A mesh, evaluated at an instant. Instants in the views are on the console's clock. What is the same in two snapshots
/// of one mesh is shared by them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub mesh: Arc<Mesh>,
    /// When it was evaluated, on the console's clock.
    pub at_ms: Millis,
    /// How resources are named here.
    pub names: Names,
    pub sources: Arc<[SourceView]>,
    pub nodes: SharedSlab<NodeView>,
    pub agents: Arc<[Arc<AgentView>]>,
    /// Consensus groups, and other systems' leaders.
    pub groups: Arc<[Arc<GroupRow>]>,
    pub locks: SharedSlab<LockView>,
    /// Execution leases in force, as rows beside the locks.
    pub beside: Arc<[Arc<LockView>]>,
    pub messages: SharedSlab<MessageView>,
    pub tasks: SharedSlab<TaskView>,
    pub log: Arc<[LogView]>,
    pub leases: Arc<[LeaseView]>,
    pub leaders: Arc<[LeaderView]>,
    /// Who waits for whom.
    pub waits: Arc<WaitGraph>,
    /// Worst first.
    pub findings: Arc<[Arc<Finding>]>,
    pub counts: Counts,
    /// Troubles that nobody has acknowledged: critical ones, and warnings. Counted once, when somebody asks.
    pub open: Arc<OnceLock<(usize, usize)>>,
    pub marked: Marked,
    /// Set where it is of one repository alone.
    pub only: Option<Only>,
    pub(super) node_places: Arc<HashMap<Text, u32, RandomState>>,
    pub(super) node_keys: Arc<HashMap<Text, Vec<Text>, RandomState>>,
    pub(super) agent_places: Arc<HashMap<Text, Vec<u32>, RandomState>>,
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
    /// Messages that wait and are copies of others, in the order of their places.
    pub copies: Vec<Arc<MessageView>>,
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
    pub(super) fn new(findings: &[Arc<Finding>], open_tasks: usize, nodes: [usize; 6]) -> Self {
        let critical = findings.partition_point(|f| f.severity == Severity::Critical);
        let beyond = findings.partition_point(|f| f.severity != Severity::Info);
        Self { critical, warnings: beyond - critical, open_tasks, nodes }
    }
}

impl Snapshot {
    /// The locks, and the execution leases in force beside them: everything that somebody holds.
    pub fn holds(&self) -> impl Iterator<Item = &LockView> {
        self.locks.iter().chain(self.beside.iter().map(|view| &**view))
    }

    /// A lock or a lease by its key: among those that somebody waits for first, which are few.
    #[must_use]
    pub fn lock(&self, key: &str) -> Option<&LockView> {
        let few = self.marked.contended.iter().map(|view| &**view);
        // A key is made for those alone that it may be of.
        few.chain(self.holds()).find(|view| key.contains(view.lock.lock_key.raw()) && view.key() == key)
    }

    /// Troubles that nobody has acknowledged, the worst first.
    pub fn open_findings(&self) -> impl Iterator<Item = &Finding> {
        let worth = self.findings.iter().take_while(|f| f.severity >= Severity::Warning);
        worth.map(|finding| &**finding).filter(|finding| finding.acknowledged().is_none())
    }

    /// How many of them there are: critical ones, and warnings.
    #[must_use]
    pub fn open_counts(&self) -> (usize, usize) {
        *self.open.get_or_init(|| {
            let critical = self.open_findings().take_while(|f| f.severity == Severity::Critical).count();
            (critical, self.open_findings().count() - critical)
        })
    }

    /// An agent that a source states, by its key.
    #[must_use]
    pub fn agent(&self, key: &str) -> Option<&AgentView> {
        self.agents.iter().find(|view| view.key() == key).map(|view| &**view)
    }

    /// Every agent seen, by name: their inboxes can be asked for.
    #[must_use]
    pub fn agents_seen(&self) -> Arc<[Text]> {
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

    /// How many messages that wait in control planes the databases show, where one does now.
    #[must_use]
    pub fn waiting_in_databases(&self) -> Option<i64> {
        let mut sources = self.mesh.sources.iter().zip(self.sources.iter());
        let shows = sources.any(|(state, view)| {
            let part = state.probe.as_ref().and_then(|probe| probe.of("mesh_a2a_messages"));
            view.as_of_ms.is_none() && matches!(part, Some(Presence::Present))
        });
        let waits = |m: &&MessageView| m.message.table == MessageTable::Mesh && !m.message.acknowledged;
        let n = self.messages.iter().filter(waits).filter(|m| m.as_of_ms.is_none()).count();
        shows.then(|| i64::try_from(n).unwrap_or(i64::MAX))
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
        let several = self.node_keys.get(name).is_some_and(|keys| keys.len() > 1);
        let exact = several.then(|| self.node(&key_in(name, repository_id))).flatten();
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

    /// The first in a lock's queue that is not on a node that is gone.
    #[must_use]
    pub fn next_in_line<'a>(&self, lock: &'a LockView) -> Option<&'a Waiter> {
        lock.waiters.iter().find(|w| !self.agent_staleness(&w.agent).is_gone())
    }

    /// The attempt of this journal that fenced a lock off, where an operator holds it since then. A holder that calls
    /// itself as operators do is a holder like any other.
    #[must_use]
    pub fn fenced_off(&self, view: &LockView) -> Option<&Entry> {
        let source = self.mesh.sources.iter().find(|source| source.identity.name == view.source)?;
        let held = &view.lock;
        self.mesh.journal.iter().rev().find(|entry| {
            let Action::Release { lock, mode: Mode::FenceOff, .. } = &entry.action else { return false };
            matches!(entry.kind, None | Some(Outcome::Done | Outcome::Unknown))
                && entry.place == source.identity.place.raw()
                && (lock.table, lock.lock_key.as_str(), lock.repository_id.as_str())
                    == (held.table, held.lock_key.raw(), held.repository_id.raw())
                && held.holder_agent == OPERATOR_AGENT
                && lock.fence_token.and_then(|fence| fence.checked_add(1)) == held.fence_token
        })
    }

    /// What this snapshot may not show: sources that do not answer, parts that are denied, and tables that are cut. Without
    /// sight of it nobody can say that all is well.
    #[must_use]
    pub fn unseen(&self) -> Vec<Text> {
        let mut unseen = Vec::new();
        for (source, view) in self.mesh.sources.iter().zip(self.sources.iter()) {
            let name = &source.identity.name;
            if view.health != SourceHealth::Live {
                let why = source.health.trouble.as_ref().map(|trouble| trouble.fault.to_string());
                unseen.push(format!("{name}: {}", why.unwrap_or_else(|| "no answer yet".into())).into());
            }
            unseen.extend(source.unseen.iter().map(|what| format!("{name}: {what}").into()));
        }
        unseen
    }

    /// Whether another snapshot says anything that need not wait for the next tick of the clock.
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
