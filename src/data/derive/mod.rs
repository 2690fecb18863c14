//! Facts into judgements. Pure: no IO, no clock; the instant is an argument.

pub mod chain;
pub mod findings;
pub mod graph;
pub mod leases;
pub mod locks;
pub mod messages;
pub mod nodes;
pub mod queues;
pub mod resource;
pub mod rules;
pub mod sources;
pub mod staleness;
pub mod tasks;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use self::chain::LogView;
use self::findings::Finding;
use self::graph::WaitGraph;
use self::leases::{LeaderView, LeaseView};
use self::locks::LockView;
use self::messages::MessageView;
use self::nodes::NodeView;
use self::resource::Names;
use self::sources::SourceView;
use self::staleness::Staleness;
use self::tasks::TaskView;
use super::mesh::Mesh;
use crate::text::Text;
use crate::time::{MINUTE, Millis, SECOND};

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

/// A mesh, judged at an instant. Instants in the views are on the console's clock.
#[derive(Debug, Clone)]
pub struct Picture {
    pub mesh: Arc<Mesh>,
    /// When it was judged, on the console's clock.
    pub at_ms: Millis,
    /// How resources are named here.
    pub names: Names,
    pub sources: Arc<[SourceView]>,
    pub nodes: Arc<[NodeView]>,
    pub locks: Arc<[LockView]>,
    /// The locks, and the execution leases in force beside them: everything that somebody holds.
    pub holds: Arc<[LockView]>,
    pub messages: Arc<[MessageView]>,
    pub tasks: Arc<[TaskView]>,
    pub log: Arc<[LogView]>,
    pub leases: Arc<[LeaseView]>,
    pub leaders: Arc<[LeaderView]>,
    /// Who waits for whom.
    pub waits: Arc<WaitGraph>,
    /// Worst first.
    pub findings: Arc<[Finding]>,
}

impl Picture {
    /// Every agent seen, by name: their inboxes can be asked for.
    #[must_use]
    pub fn agents(&self) -> Arc<[Text]> {
        let of_nodes = self.nodes.iter().flat_map(|n| n.agents.iter());
        let of_messages = self.messages.iter().map(|m| &m.message.receiver_agent);
        let agents: BTreeSet<&Text> = of_nodes.chain(of_messages).filter(|agent| !agent.is_empty()).collect();
        agents.into_iter().cloned().collect()
    }

    /// How alive the node is that an agent was last seen on.
    #[must_use]
    pub fn agent_staleness(&self, agent: &Text) -> Staleness {
        let on = self.nodes.iter().filter(|node| node.agents.contains(agent));
        on.map(|node| node.staleness).min().unwrap_or(Staleness::Unknown)
    }

    /// Whether another picture says anything that need not wait for the next tick of the clock.
    #[must_use]
    pub fn is_news_after(&self, before: &Self) -> bool {
        let facts = |p: &Self| p.mesh.sources.iter().map(|s| s.facts.revision).collect::<Vec<_>>();
        let health = |p: &Self| p.sources.iter().map(|s| s.health).collect::<Vec<_>>();
        facts(self) != facts(before)
            || health(self) != health(before)
            || self.findings != before.findings
            || !Arc::ptr_eq(&self.mesh.journal, &before.mesh.journal)
    }
}

/// Judges a mesh at an instant. `before` is the last picture: what it shares is not judged again.
#[must_use]
pub fn derive(
    mesh: Arc<Mesh>,
    now_ms: Millis,
    thresholds: &Thresholds,
    interval_ms: Millis,
    before: Option<&Picture>,
) -> Picture {
    let sources = sources::judge(&mesh, now_ms, thresholds, interval_ms);
    let log = match before {
        Some(before) if chain::same_logs(&before.mesh, &mesh) => before.log.clone(),
        _ => chain::judge(&mesh).into(),
    };
    let nodes = nodes::judge(&mesh, &sources, now_ms, thresholds);
    let index = Liveness::new(&nodes);
    let messages = messages::judge(&mesh, &sources, now_ms, thresholds);
    let names = Names::of(&messages);
    let waiters = queues::waiters(&messages, &log, names.clone());
    let locks = locks::judge(&mesh, &sources, now_ms, thresholds, &index, &waiters);
    let leases = leases::judge(&mesh, &sources, now_ms, &index);
    let leaders = leases::leaders(&mesh, &sources, now_ms, &index);
    let tasks = tasks::judge(&mesh, &messages, &leases, &log, &index);
    let nodes = nodes::count_holdings(nodes, &locks, &leases, &messages, &tasks);
    let beside = leases::as_locks(&leases, now_ms, thresholds.expiring_ms);
    let holds: Vec<LockView> = locks.iter().cloned().chain(beside).collect();
    let locks: Arc<[LockView]> = locks.into();
    let waits = graph::build(&locks);
    let mut picture = Picture {
        mesh,
        at_ms: now_ms,
        names,
        sources: sources.into(),
        nodes: nodes.into(),
        locks,
        holds: holds.into(),
        messages: messages.into(),
        tasks: tasks.into(),
        log,
        leases: leases.into(),
        leaders: leaders.into(),
        waits: Arc::new(waits),
        findings: Arc::default(),
    };
    picture.findings = findings::find(&picture, thresholds).into();
    picture
}

/// How alive each node and agent is, by name.
#[derive(Debug, Default)]
pub struct Liveness {
    nodes: HashMap<Text, Staleness>,
    agents: HashMap<Text, (Text, Staleness)>,
}

impl Liveness {
    fn new(nodes: &[NodeView]) -> Self {
        let mut index = Self::default();
        for node in nodes {
            index.nodes.insert(node.node_id.clone(), node.staleness);
            for agent in &node.agents {
                // An agent seen on two nodes is on the one that is more alive.
                let entry = index.agents.entry(agent.clone()).or_insert_with(|| (node.node_id.clone(), node.staleness));
                if node.staleness < entry.1 {
                    *entry = (node.node_id.clone(), node.staleness);
                }
            }
        }
        index
    }

    /// How alive a node is.
    #[must_use]
    pub fn node(&self, node_id: &Text) -> Staleness {
        self.nodes.get(node_id).copied().unwrap_or(Staleness::Unknown)
    }

    /// The node an agent was last seen on, and how alive that is.
    #[must_use]
    pub fn agent(&self, agent_id: &Text) -> Option<&(Text, Staleness)> {
        self.agents.get(agent_id)
    }
}

#[cfg(test)]
mod tests;
