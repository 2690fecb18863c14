//! Nodes: heartbeats and registries of all sources, joined by name, and judged by the freshest signal.

use std::collections::{BTreeMap, HashMap};

use super::Thresholds;
use super::leases::LeaseView;
use super::locks::LockView;
use super::messages::{MessageState, MessageView};
use super::sources::SourceView;
use super::staleness::{Staleness, misses};
use super::tasks::TaskView;
use crate::data::mesh::Mesh;
use crate::data::model::RegistryNode;
use crate::text::Text;
use crate::time::Millis;

/// One node, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeView {
    pub node_id: Text,
    /// Of the freshest heartbeat; empty where only a registry knows the node.
    pub agent_id: Text,
    pub repository_id: Text,
    pub activity: Text,
    pub agents: Vec<Text>,
    pub repositories: Vec<Text>,
    /// As the freshest signal wrote it, on its writer's clock.
    pub last_seen_ms: Option<Millis>,
    /// The same on the console's clock.
    pub seen_ms: Option<Millis>,
    /// Set where the signal comes from a source that is old.
    pub as_of_ms: Option<Millis>,
    pub misses: Option<i64>,
    pub staleness: Staleness,
    /// Every signal of life: where it was read, and when on the console's clock.
    pub signals: Vec<Signal>,
    pub registry: Option<RegistryNode>,
    /// The node's own clock minus the console's, where that is worth a word.
    pub skew_ms: Option<Millis>,
    /// Sources of nodes that answer, but do not know it. Only where another one knows it.
    pub missing_in: Vec<Text>,
    pub holds: Holdings,
}

/// One sign of life.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Where it was read, e.g. `mesh_heartbeats in vox.db`.
    pub from: Text,
    pub seen_ms: Millis,
}

/// What a node has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    pub locks: usize,
    pub leases: usize,
    /// Messages that wait for its agents.
    pub inbox: usize,
    pub tasks: usize,
}

impl NodeView {
    /// Age of the freshest signal, in ms; as of the last look where the source is old.
    #[must_use]
    pub fn age_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.seen_ms.map(|seen| (self.as_of_ms.unwrap_or(now_ms) - seen).max(0))
    }
}

struct Draft {
    view: NodeView,
    beats: bool,
    registered: bool,
}

/// Joins and judges.
pub(super) fn judge(mesh: &Mesh, sources: &[SourceView], now_ms: Millis, thresholds: &Thresholds) -> Vec<NodeView> {
    let mut nodes: BTreeMap<Text, Draft> = BTreeMap::new();
    for (source, view) in mesh.sources.iter().zip(sources) {
        for beat in source.facts.heartbeats.iter() {
            let draft = draft(&mut nodes, &beat.node_id);
            draft.beats = true;
            push_new(&mut draft.view.agents, &beat.agent_id);
            push_new(&mut draft.view.repositories, &beat.repository_id);
            let skew = mesh.node_clocks.get(&beat.node_id).and_then(|clock| clock.skew_ms());
            draft.view.skew_ms = skew.or(draft.view.skew_ms);
            let Some(last_seen) = beat.last_seen_ms else { continue };
            // The node wrote it by its own clock, which is the console's unless shown otherwise.
            let seen = last_seen - skew.unwrap_or(0);
            let from = format!("mesh_heartbeats in {}", source.identity.name);
            if signal(&mut draft.view, from, seen, last_seen, view, now_ms) {
                draft.view.agent_id = beat.agent_id.clone();
                draft.view.repository_id = beat.repository_id.clone();
            }
            if !beat.activity.is_empty() {
                draft.view.activity = beat.activity.clone();
            }
        }
        for node in source.facts.registry.iter() {
            let draft = draft(&mut nodes, &node.node_id);
            draft.registered = true;
            draft.view.registry = Some(node.clone());
            let Some(last_seen) = node.last_seen_ms else { continue };
            let from = format!("registry of {}", source.identity.name);
            signal(&mut draft.view, from, source.to_console(last_seen), last_seen, view, now_ms);
        }
    }
    let beats_from = names(mesh, sources, |facts| !facts.heartbeats.is_empty());
    let registries = names(mesh, sources, |facts| !facts.registry.is_empty());
    nodes
        .into_values()
        .map(|draft| {
            let mut view = draft.view;
            if !draft.beats {
                view.missing_in.extend(beats_from.iter().cloned());
            }
            if !draft.registered {
                view.missing_in.extend(registries.iter().cloned());
            }
            if let Some(age) = view.age_ms(now_ms) {
                let n = misses(age, thresholds.stale_ms);
                view.misses = Some(n);
                view.staleness = Staleness::of_misses(n);
            }
            view
        })
        .collect()
}

/// Sources that answer and know nodes of this kind. The silence of one that is down says nothing.
fn names(mesh: &Mesh, sources: &[SourceView], knows: impl Fn(&crate::data::mesh::facts::Facts) -> bool) -> Vec<Text> {
    let answering =
        mesh.sources.iter().zip(sources).filter(|(source, view)| view.as_of_ms.is_none() && knows(&source.facts));
    answering.map(|(source, _)| source.identity.name.clone()).collect()
}

fn draft<'a>(nodes: &'a mut BTreeMap<Text, Draft>, node_id: &Text) -> &'a mut Draft {
    nodes.entry(node_id.clone()).or_insert_with(|| Draft {
        view: NodeView {
            node_id: node_id.clone(),
            agent_id: Text::default(),
            repository_id: Text::default(),
            activity: Text::default(),
            agents: Vec::new(),
            repositories: Vec::new(),
            last_seen_ms: None,
            seen_ms: None,
            as_of_ms: None,
            misses: None,
            staleness: Staleness::Unknown,
            signals: Vec::new(),
            registry: None,
            skew_ms: None,
            missing_in: Vec::new(),
            holds: Holdings::default(),
        },
        beats: false,
        registered: false,
    })
}

/// Notes a sign of life; answers whether it is the one to judge by.
fn signal(
    node: &mut NodeView,
    from: String,
    seen: Millis,
    last_seen: Millis,
    source: &SourceView,
    now: Millis,
) -> bool {
    node.signals.push(Signal { from: from.into(), seen_ms: seen });
    // Compared by how old each was when its source was last heard, so that a source
    // that fell silent cannot make a node look more dead than the other one says.
    let age = source.at(now) - seen;
    let better = match (node.seen_ms, node.as_of_ms) {
        (None, _) => true,
        // A source that still speaks is believed over one that does not.
        (Some(_), Some(_)) if source.as_of_ms.is_none() => true,
        (Some(_), None) if source.as_of_ms.is_some() => false,
        (Some(other), as_of) => age < as_of.unwrap_or(now) - other,
    };
    if better {
        node.seen_ms = Some(seen);
        node.last_seen_ms = Some(last_seen);
        node.as_of_ms = source.as_of_ms;
    }
    better
}

fn push_new(list: &mut Vec<Text>, item: &Text) {
    if !item.is_empty() && !list.contains(item) {
        list.push(item.clone());
    }
}

/// Counts what each node has in hand.
pub(super) fn count_holdings(
    mut nodes: Vec<NodeView>,
    locks: &[LockView],
    leases: &[LeaseView],
    messages: &[MessageView],
    tasks: &[TaskView],
) -> Vec<NodeView> {
    let mut by_node: HashMap<&Text, Holdings> = HashMap::new();
    for lock in locks {
        by_node.entry(&lock.lock.holder_node).or_default().locks += 1;
    }
    for lease in leases {
        by_node.entry(&lease.lease.holder_node_id).or_default().leases += usize::from(lease.in_force);
    }
    for task in tasks.iter().filter(|t| !t.state.is_over()) {
        if let Some(node) = &task.owner_node {
            by_node.entry(node).or_default().tasks += 1;
        }
    }
    let mut inboxes: HashMap<&Text, usize> = HashMap::new();
    for message in messages.iter().filter(|m| m.state != MessageState::Acknowledged) {
        *inboxes.entry(&message.message.receiver_agent).or_default() += 1;
    }
    for node in &mut nodes {
        let mut holds = by_node.get(&node.node_id).copied().unwrap_or_default();
        holds.inbox = node.agents.iter().filter_map(|agent| inboxes.get(agent)).sum();
        node.holds = holds;
    }
    nodes
}
