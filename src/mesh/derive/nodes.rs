//! Nodes: heartbeats and registries of all sources, joined by name, and evaluated by the freshest signal.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::context::EvalContext;
use super::messages::RowChange;
use super::sources::SourceView;
use super::staleness::{Staleness, by_patience, changes, misses, window};
use crate::mesh::Touched;
use crate::mesh::clocks::SKEW;
use crate::mesh::derive::timer_queue::TimerQueue;
use crate::mesh::slab::SharedSlab;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{Lock, Patience, RegistryNode};

/// One node, evaluated. Where one name sends heartbeats in several repositories, it is one node in each of them: it may be
/// alive in one and silent in another.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeView {
    /// What distinguishes it from others: its name, and its repository where the name alone does not.
    pub key: Text,
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
    /// How long it said that it may be silent; then that is the rule, and no other.
    pub patience: Option<Patience>,
    /// Every signal of life: where it was read, and when on the console's clock.
    pub signals: Vec<Signal>,
    pub registry: Option<RegistryNode>,
    /// The node's own clock minus the console's, where that is worth mentioning.
    pub skew_ms: Option<Millis>,
    /// How far its last heartbeat is in the future, where it was not seen to be sent: nobody knows when it was.
    pub ahead_ms: Option<Millis>,
    /// Sources of nodes that answer, but do not know it. Only where another one knows it.
    pub missing_in: Vec<Text>,
    pub holds: Holdings,
}

/// One sign of life.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Where it was read, e.g. `heartbeats in vox.db`.
    pub from: Text,
    pub seen_ms: Millis,
}

/// What a node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    pub locks: usize,
    pub leases: usize,
    /// Messages that wait for its agents.
    pub inbox: usize,
    pub tasks: usize,
}

/// The key of a node in one of several repositories.
#[must_use]
pub fn key_in(node_id: &Text, repository_id: &Text) -> Text {
    format!("{}\u{1}{}", node_id.raw(), repository_id.raw()).into()
}

impl NodeView {
    /// What people call it: with its repository where the name alone does not tell it from another.
    #[must_use]
    pub fn name(&self) -> Text {
        if self.is_alone() {
            self.node_id.clone()
        } else {
            format!("{} in {}", self.node_id, self.repository_id).into()
        }
    }

    /// Whether its name stands for it alone.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.key == self.node_id
    }

    /// Whether it holds a lock: where there are several of its name, the one of the lock's repository does.
    #[must_use]
    pub fn is_holder_of(&self, lock: &Lock) -> bool {
        lock.holder_node == self.node_id && (self.is_alone() || lock.repository_id == self.repository_id)
    }

    /// Age of the freshest signal, in ms; as of the last poll where the source is old.
    #[must_use]
    pub fn age_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.seen_ms.map(|seen| (self.as_of_ms.unwrap_or(now_ms) - seen).max(0))
    }
}

/// Every node known, evaluated, and kept so.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub(super) slab: SharedSlab<NodeView>,
    /// Places of nodes by key, and of the nodes that an agent was seen on.
    pub(super) by_key: Arc<HashMap<Text, u32, RandomState>>,
    /// Keys of the nodes of each name.
    pub(super) keys_of: Arc<HashMap<Text, Vec<Text>, RandomState>>,
    pub(super) by_agent: Arc<HashMap<Text, Vec<u32>, RandomState>>,
    free: Vec<u32>,
    next: u32,
    /// Rows of heartbeats by node, and the node of each row.
    beats: HashMap<Text, Vec<(usize, u32)>, RandomState>,
    node_of: HashMap<(usize, u32), Text, RandomState>,
    /// Registries as they were at the last poll, by source, and the place of each node in them.
    registries: Vec<Registry>,
    timers: TimerQueue,
}

/// A registry, and the place of each node in it.
type Registry = (Arc<[RegistryNode]>, HashMap<Text, usize, RandomState>);

/// What the nodes' signals are called, and who should know them; it changes rarely.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Places {
    beats: Vec<Text>,
    registries: Vec<Text>,
    /// Sources that answer and have heartbeats, or a registry, and the systems they are of.
    beats_from: Vec<(&'static str, Text)>,
    registries_from: Vec<(&'static str, Text)>,
}

impl Places {
    pub(super) fn of(context: &EvalContext<'_>) -> Self {
        let sources = &context.mesh.sources;
        let all = |what: &str| sources.iter().map(|s| format!("{what} {}", s.identity.name).into()).collect();
        // The silence of a source that is down says nothing.
        let answering = |knows: &dyn Fn(usize) -> bool| {
            let known = (0..sources.len()).filter(|&i| context.sources[i].as_of_ms.is_none() && knows(i));
            known.map(|i| (sources[i].identity.system, sources[i].identity.name.clone())).collect()
        };
        Self {
            beats: all("heartbeats in"),
            registries: all("registry of"),
            beats_from: answering(&|i| !context.tables[i].heartbeats.is_empty()),
            registries_from: answering(&|i| !sources[i].facts.registry.is_empty()),
        }
    }
}

impl Nodes {
    /// Evaluates what was touched and what is due. Answers which results changed; what nodes hold is left as it was.
    pub(super) fn step(
        &mut self,
        context: &EvalContext<'_>,
        touched: &Touched,
        places: &Places,
    ) -> Vec<RowChange<NodeView>> {
        let mut dirty: BTreeSet<Text> = touched.clocks.iter().cloned().collect();
        for (source, tables) in touched.sources.iter().enumerate() {
            for &place in &tables.heartbeats {
                self.move_beat(context, (source, place), &mut dirty);
            }
        }
        self.compare_registries(context, &mut dirty);
        for place in self.timers.due(context.now_ms) {
            dirty.extend(self.slab.get(place as usize).map(|node| node.node_id.clone()));
        }
        dirty.into_iter().flat_map(|name| self.evaluate_named(context, places, &name)).collect()
    }

    fn move_beat(&mut self, context: &EvalContext<'_>, at: (usize, u32), dirty: &mut BTreeSet<Text>) {
        let now = context.tables[at.0].heartbeats.at(at.1).map(|beat| &beat.node_id);
        let before = self.node_of.get(&at);
        if before != now {
            if let Some(before) = before {
                if let Some(rows) = self.beats.get_mut(before) {
                    rows.retain(|row| *row != at);
                }
                dirty.insert(before.clone());
            }
            match now {
                Some(name) => {
                    let rows = self.beats.entry(name.clone()).or_default();
                    rows.push(at);
                    rows.sort_unstable();
                    self.node_of.insert(at, name.clone());
                }
                None => {
                    self.node_of.remove(&at);
                }
            }
        }
        dirty.extend(now.cloned());
    }

    fn compare_registries(&mut self, context: &EvalContext<'_>, dirty: &mut BTreeSet<Text>) {
        self.registries.resize_with(context.mesh.sources.len(), Default::default);
        for (known, source) in self.registries.iter_mut().zip(&context.mesh.sources) {
            let now = &source.facts.registry;
            if Arc::ptr_eq(&known.0, now) {
                continue;
            }
            let index: HashMap<Text, usize, RandomState> =
                now.iter().enumerate().map(|(i, node)| (node.node_id.clone(), i)).collect();
            for (name, i) in &index {
                if known.1.get(name).is_none_or(|before| known.0[*before] != now[*i]) {
                    dirty.insert(name.clone());
                }
            }
            dirty.extend(known.1.keys().filter(|name| !index.contains_key(*name)).cloned());
            *known = (now.clone(), index);
        }
    }

    /// Evaluates every node of a name: one, or one in each repository that it sends heartbeats in.
    fn evaluate_named(&mut self, context: &EvalContext<'_>, places: &Places, name: &Text) -> Vec<RowChange<NodeView>> {
        let rows = self.beats.get(name).map_or(&[][..], Vec::as_slice);
        let rows = rows.iter().filter_map(|(source, place)| context.tables[*source].heartbeats.at(*place));
        let repositories: BTreeSet<&Text> = rows.map(|beat| &beat.repository_id).collect();
        let known = self.keys_of.get(name).map(Vec::as_slice);
        if repositories.len() < 2 && known == Some(std::slice::from_ref(name)) {
            // Nearly every name stands for one node, before and after.
            let draft = self.draft(context, places, name, None);
            if draft.is_some() {
                return Vec::from_iter(self.evaluate(context, name, draft));
            }
        }
        let now: Vec<(Text, Option<Text>)> = match repositories.len() {
            0 | 1 => vec![(name.clone(), None)],
            _ => repositories.into_iter().map(|r| (key_in(name, r), Some(r.clone()))).collect(),
        };
        let before = self.keys_of.get(name).cloned().unwrap_or_default();
        let keys: Vec<Text> = now.iter().map(|(key, _)| key.clone()).collect();
        let gone = before.iter().filter(|key| !keys.contains(key));
        let mut changes: Vec<RowChange<NodeView>> = gone.filter_map(|key| self.evaluate(context, key, None)).collect();
        for (key, repository) in &now {
            let draft = self
                .draft(context, places, name, repository.as_ref())
                .map(|view| NodeView { key: key.clone(), ..view });
            changes.extend(self.evaluate(context, key, draft));
        }
        let there: Vec<Text> = keys.into_iter().filter(|key| self.by_key.contains_key(key)).collect();
        if there != before {
            let keys_of = Arc::make_mut(&mut self.keys_of);
            if there.is_empty() {
                keys_of.remove(name);
                self.beats.remove(name);
            } else {
                keys_of.insert(name.clone(), there);
            }
        }
        changes
    }

    fn evaluate(
        &mut self,
        context: &EvalContext<'_>,
        name: &Text,
        evaluated: Option<NodeView>,
    ) -> Option<RowChange<NodeView>> {
        let home = self.by_key.get(name).copied();
        let before = home.and_then(|home| self.slab.get(home as usize).cloned());
        let Some(mut evaluated) = evaluated else {
            let (home, before) = (home?, before?);
            Arc::make_mut(&mut self.by_key).remove(name);
            self.move_agents(home, &before.agents, &[]);
            self.free.push(home);
            self.slab.put(home as usize, None);
            return Some((home, Some(before), None));
        };
        let home = home.unwrap_or_else(|| {
            let home = self.free.pop().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
            Arc::make_mut(&mut self.by_key).insert(name.clone(), home);
            home
        });
        if let (Some(seen), Some(misses), None) = (evaluated.seen_ms, evaluated.misses, evaluated.as_of_ms) {
            let window = evaluated.patience.map_or(context.thresholds.stale_ms.max(1), window);
            let next = seen.saturating_add((misses + 1).saturating_mul(window));
            let changes = evaluated.patience.into_iter().flat_map(changes).map(|age| seen.saturating_add(age));
            self.timers.note(home, context.now_ms, changes.chain([next]));
        }
        if let Some(before) = &before {
            evaluated.holds = before.holds;
            if **before == evaluated {
                return None;
            }
        }
        let known = before.as_ref().map_or(&[][..], |before| &before.agents);
        self.move_agents(home, known, &evaluated.agents);
        let evaluated = Arc::new(evaluated);
        self.slab.put(home as usize, Some(evaluated.clone()));
        Some((home, before, Some(evaluated)))
    }

    fn move_agents(&mut self, home: u32, before: &[Text], now: &[Text]) {
        if before == now {
            return;
        }
        let by_agent = Arc::make_mut(&mut self.by_agent);
        for agent in before.iter().filter(|agent| !now.contains(agent)) {
            if let Some(slots) = by_agent.get_mut(agent) {
                slots.retain(|at| *at != home);
                if slots.is_empty() {
                    by_agent.remove(agent);
                }
            }
        }
        for agent in now.iter().filter(|agent| !before.contains(agent)) {
            by_agent.entry(agent.clone()).or_default().push(home);
        }
    }

    /// Joins all that is known of a node, in one repository where it is one of several; nothing where nothing is.
    fn draft(&self, context: &EvalContext<'_>, places: &Places, name: &Text, only: Option<&Text>) -> Option<NodeView> {
        let mut view = bare(name);
        let rows = self.beats.get(name).map_or(&[][..], Vec::as_slice);
        let (mut beats, mut registered) = (false, false);
        let mut systems: Vec<&'static str> = Vec::new();
        let skew = context.clocks.get(name).and_then(|clock| clock.skew_ms());
        for (index, source) in context.mesh.sources.iter().enumerate() {
            let evaluated = &context.sources[index];
            let here = rows.iter().filter(|row| row.0 == index);
            let beats_here = here.filter_map(|row| Some((row.1, context.tables[index].heartbeats.at(row.1)?)));
            for (place, beat) in beats_here.filter(|(_, beat)| only.is_none_or(|only| beat.repository_id == *only)) {
                beats = true;
                systems.push(source.identity.system);
                push_new(&mut view.agents, &beat.agent_id);
                push_new(&mut view.repositories, &beat.repository_id);
                view.skew_ms = skew.or(view.skew_ms);
                let Some(last_seen) = beat.last_seen_ms else { continue };
                // The node wrote it by its own clock, which is the console's unless shown otherwise; and before it was
                // seen, whatever that clock says.
                let stated = last_seen.saturating_sub(skew.unwrap_or(0));
                let arrival = context.arrivals.get(&(index, place)).copied();
                let seen = arrival.map_or(stated, |arrival| stated.min(arrival.at_ms));
                let ahead = stated.saturating_sub(seen);
                let seen = seen + source.slept_ms(seen);
                if signal(&mut view, &places.beats[index], seen, last_seen, evaluated, context.now_ms) {
                    let sure = arrival.is_some_and(|arrival| arrival.moved);
                    view.ahead_ms = Some(ahead).filter(|ahead| *ahead > SKEW && !sure);
                    view.agent_id = beat.agent_id.clone();
                    view.repository_id = beat.repository_id.clone();
                    view.patience = beat.patience;
                }
                if !beat.activity.is_empty() {
                    view.activity = beat.activity.clone();
                }
            }
            let (registry, index_of) = &self.registries[index];
            let Some(node) = index_of.get(name).map(|place| &registry[*place]) else { continue };
            registered = true;
            systems.push(source.identity.system);
            view.registry = Some(node.clone());
            // A registry knows a name once: its sign of life may be of any of several nodes of that name.
            let Some(last_seen) = node.last_seen_ms.filter(|_| only.is_none()) else { continue };
            let from = &places.registries[index];
            let seen = source.to_console(last_seen);
            let seen = seen + source.slept_ms(seen);
            if signal(&mut view, from, seen, last_seen, evaluated, context.now_ms) {
                (view.patience, view.ahead_ms) = (None, None);
            }
        }
        if !beats && !registered {
            return None;
        }
        // Only those of a system that knows it at all should know it as well.
        let of = |from: &[(&'static str, Text)]| -> Vec<Text> {
            from.iter().filter(|(system, _)| systems.contains(system)).map(|(_, name)| name.clone()).collect()
        };
        if !beats {
            view.missing_in.extend(of(&places.beats_from));
        }
        if !registered {
            view.missing_in.extend(of(&places.registries_from));
        }
        if let Some(age) = view.age_ms(context.now_ms) {
            let n = misses(age, view.patience.map_or(context.thresholds.stale_ms, window));
            view.misses = Some(n);
            // Of the future: how long it is silent is not known before it was silent for as long as it is watched.
            let unknown = view.ahead_ms.is_some() && n == 0;
            view.staleness = if unknown {
                Staleness::Unknown
            } else {
                view.patience.map_or(Staleness::of_misses(n), |patience| by_patience(age, patience))
            };
        }
        Some(view)
    }

    /// How alive a node is: the one of a repository where there are several of its name, else the one that is most alive.
    pub(super) fn staleness(&self, name: &Text, repository_id: Option<&Text>) -> Staleness {
        let at = |key: &Text| self.by_key.get(key).and_then(|place| self.slab.get(*place as usize));
        let keys = self.keys_of.get(name).map_or(&[][..], Vec::as_slice);
        let there = repository_id.filter(|_| keys.len() > 1).and_then(|repository| at(&key_in(name, repository)));
        there
            .or_else(|| keys.iter().filter_map(at).min_by_key(|node| node.staleness))
            .map_or(Staleness::Unknown, |node| node.staleness)
    }

    /// Places of every node of a name.
    pub(super) fn places_of(&self, name: &Text) -> impl Iterator<Item = u32> {
        let keys = self.keys_of.get(name).map_or(&[][..], Vec::as_slice);
        keys.iter().filter_map(|key| self.by_key.get(key).copied())
    }

    /// The node an agent was last seen on: of several, the one that is more alive.
    pub(super) fn home(&self, agent: &Text) -> Option<&NodeView> {
        let nodes = self.by_agent.get(agent)?.iter().filter_map(|place| self.slab.get(*place as usize));
        nodes.map(|node| &**node).min_by_key(|node| (node.staleness, &node.node_id))
    }

    /// Notes what a node holds.
    pub(super) fn hold(&mut self, place: u32, holds: Holdings) -> Option<RowChange<NodeView>> {
        let before = self.slab.get(place as usize)?.clone();
        if before.holds == holds {
            return None;
        }
        let now = Arc::new(NodeView { holds, ..(*before).clone() });
        self.slab.put(place as usize, Some(now.clone()));
        Some((place, Some(before), Some(now)))
    }
}

fn bare(name: &Text) -> NodeView {
    NodeView {
        key: name.clone(),
        node_id: name.clone(),
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
        patience: None,
        signals: Vec::new(),
        registry: None,
        skew_ms: None,
        ahead_ms: None,
        missing_in: Vec::new(),
        holds: Holdings::default(),
    }
}

/// Notes a sign of life; answers whether it is the one to go by.
fn signal(node: &mut NodeView, from: &Text, seen: Millis, last_seen: Millis, source: &SourceView, now: Millis) -> bool {
    node.signals.push(Signal { from: from.clone(), seen_ms: seen });
    // Compared by how old each was when its source was last seen, so that a source
    // that stopped answering cannot make a node look more dead than the other one says.
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
