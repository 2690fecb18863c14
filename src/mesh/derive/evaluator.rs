//! Results kept up to date: what a report or the clock changed is evaluated again, and nothing else.
//!
//! A new evaluator comes to the same snapshot from the same facts; the tests hold it to that.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::agents::{self, AgentView};
use super::chain::{self, LogView};
use super::context::EvalContext;
use super::findings::FindingIndex;
use super::graph::WaitGraph;
use super::groups::{self, GroupRow};
use super::holds::{Locks, Reasons};
use super::leases::{self, LeaderView, LeaseView};
use super::locks::LockView;
use super::messages::{MessageState, MessageView, Messages, RowChange};
use super::nodes::{Holdings, NodeView, Nodes, Places};
use super::notes::{Changes, Tasks};
use super::queues::Queues;
use super::resource::Names;
use super::sources;
use super::tasks::{TaskState, TaskView};
use super::thresholds::Thresholds;
use crate::mesh::derive::snapshot::{Counts, Marked, NODES, SCREENFUL, Snapshot, Stuck};
use crate::mesh::{Mesh, MeshState, Touched};
use crate::model::agent::{Agent, Group};
use crate::model::text::Text;
use crate::model::time::Millis;

/// The agents and groups of one source.
type Stated = (Arc<[Agent]>, Arc<[Group]>);

/// Names of agents that are kept; beyond, everything is evaluated anew, without those that are gone.
const NAMES: usize = 500_000;

/// Everything evaluated so far.
#[derive(Debug, Default)]
pub struct Evaluator {
    key: Option<EvalKey>,
    before_ms: Option<Millis>,
    messages: Messages,
    nodes: Nodes,
    queues: Queues,
    locks: Locks,
    tasks: Tasks,
    index: FindingIndex,
    agents: Arc<[Arc<AgentView>]>,
    groups: Arc<[Arc<GroupRow>]>,
    /// What they were put together from.
    stated: Vec<Stated>,
    log: Arc<[LogView]>,
    logged: Option<Arc<Mesh>>,
    waits: Arc<WaitGraph>,
    repositories: HashMap<Text, usize, RandomState>,
    inboxes: HashMap<Text, usize, RandomState>,
    tasks_of: HashMap<Text, usize, RandomState>,
    leases_of: HashMap<Text, usize, RandomState>,
    stuck: BTreeSet<(Millis, bool, u32)>,
    /// Places of messages that wait and are copies of others.
    copies: BTreeSet<u32>,
    alive: BTreeSet<(Reverse<u8>, Text, u32)>,
    open_tasks: usize,
    levels: [usize; 6],
}

/// What all results rest on. Where it changes, which is rare, everything is evaluated anew.
#[derive(Debug, Clone, PartialEq)]
struct EvalKey {
    thresholds: Thresholds,
    /// By source: until when what it said is true, and its clock.
    sources: Vec<(Option<Millis>, Millis)>,
    places: Places,
    names: Names,
}

impl Evaluator {
    /// Evaluates a mesh at an instant. `touched` is what changed since it was evaluated last.
    pub fn evaluate(
        &mut self,
        watch: &MeshState,
        touched: &Touched,
        now_ms: Millis,
        thresholds: &Thresholds,
        interval_ms: Millis,
    ) -> Snapshot {
        let sources = sources::evaluate(&watch.mesh, now_ms, thresholds, interval_ms);
        let context = EvalContext {
            mesh: &watch.mesh,
            tables: &watch.tables,
            clocks: &watch.clocks,
            arrivals: &watch.arrivals,
            sources: &sources,
            thresholds,
            now_ms,
            before_ms: self.before_ms,
        };
        let mut key = EvalKey {
            thresholds: thresholds.clone(),
            sources: sources.iter().zip(&watch.mesh.sources).map(|(s, m)| (s.as_of_ms, m.clock.offset_ms())).collect(),
            places: Places::of(&context),
            names: self.queues.names().clone(),
        };
        let all;
        let mut touched = touched;
        // What is due is kept by the clock; one that was set back makes all of it void.
        let back = self.before_ms.is_some_and(|before| now_ms < before);
        if self.key.as_ref() != Some(&key) || back || self.locks.numbered() > NAMES {
            all = watch.everything();
            touched = &all;
            *self = Self { queues: Queues::new(key.names.clone()), ..Self::default() };
        }
        let messages = self.messages.step(&context, touched);
        self.count_messages(&messages);
        let names = Names::of(self.repositories.keys());
        if names != key.names {
            // Resources are called otherwise from here on.
            key.names = names;
            *self = Self { queues: Queues::new(key.names.clone()), key: Some(key), ..Self::default() };
            return self.evaluate(watch, &watch.everything(), now_ms, thresholds, interval_ms);
        }
        self.key = Some(key);
        self.before_ms = Some(now_ms);
        self.go_on(context, touched, &messages)
    }

    fn go_on(&mut self, context: EvalContext<'_>, touched: &Touched, messages: &[RowChange<MessageView>]) -> Snapshot {
        let log_changed = self.logged.as_ref().is_none_or(|before| !chain::same_logs(before, context.mesh));
        let mesh = Arc::new(context.mesh.clone());
        if log_changed {
            self.log = chain::evaluate(context.mesh).into();
            self.logged = Some(mesh.clone());
        }
        let places = self.key.as_ref().map(|key| key.places.clone()).unwrap_or_default();
        let nodes = self.nodes.step(&context, touched, &places);
        self.take_agents(&context, !nodes.is_empty());

        let mut resources = self.queues.take_messages(messages);
        if log_changed {
            resources.extend(self.queues.take_log(&self.log));
        }
        let moved = |(_, before, now): &&RowChange<NodeView>| {
            before.as_ref().map(|node| node.staleness) != now.as_ref().map(|node| node.staleness)
        };
        let name =
            |change: &RowChange<NodeView>| change.1.as_ref().or(change.2.as_ref()).map(|node| node.node_id.clone());
        let holders: Vec<Text> = nodes.iter().filter(moved).filter_map(name).collect();
        resources.extend(self.queues.take_waits(context.mesh));
        let why = Reasons { touched, holders: &holders, resources: &resources };
        let locks = self.locks.step(&context, &self.nodes, &self.queues, &why);
        if let Some(waits) = self.locks.graph() {
            self.waits = Arc::new(waits);
        }
        let rest = self.finish(&context, messages, &nodes, &locks, log_changed);
        self.snapshot(context, mesh, rest)
    }

    /// What is left to evaluate once nodes, messages and locks are: leases, tasks, what nodes hold, and findings.
    fn finish(
        &mut self,
        context: &EvalContext<'_>,
        messages: &[RowChange<MessageView>],
        nodes: &[RowChange<NodeView>],
        locks: &[RowChange<LockView>],
        log_changed: bool,
    ) -> (Vec<LeaseView>, Vec<LeaderView>) {
        let leases = leases::evaluate(context.mesh, context.sources, context.now_ms, &self.nodes);
        let leaders = leases::leaders(context.mesh, context.sources, context.now_ms, &self.nodes);
        let log = log_changed.then(|| self.log.clone());
        let changes = Changes { messages, nodes, log: log.as_deref(), leases: &leases };
        let tasks = self.tasks.step(context, &self.nodes, &changes);
        self.count_tasks(&tasks);
        let held = self.hold(nodes, messages, locks, &tasks, &leases);
        self.count_nodes(nodes);

        self.index.messages(messages);
        self.index.locks(locks, context.thresholds, context.now_ms);
        self.index.tasks(&tasks);
        self.index.nodes(nodes);
        self.index.nodes(&held);
        (leases, leaders)
    }

    fn snapshot(
        &mut self,
        context: EvalContext<'_>,
        mesh: Arc<Mesh>,
        (leases, leaders): (Vec<LeaseView>, Vec<LeaderView>),
    ) -> Snapshot {
        let groups = groups::evaluate(context.mesh, context.sources, &leaders, context.now_ms);
        if *self.groups != *groups {
            self.groups = groups.into();
        }
        let beside = leases::as_locks(&leases, context.now_ms, context.thresholds.expiring_ms);
        let mut snapshot = Snapshot {
            mesh,
            at_ms: context.now_ms,
            names: self.queues.names().clone(),
            sources: context.sources.to_vec().into(),
            nodes: self.nodes.slab.clone(),
            agents: self.agents.clone(),
            groups: self.groups.clone(),
            locks: self.locks.slab.clone(),
            beside: beside.into_iter().map(Arc::new).collect(),
            messages: self.messages.slab.clone(),
            tasks: self.tasks.slab.clone(),
            log: self.log.clone(),
            leases: leases.into(),
            leaders: leaders.into(),
            waits: self.waits.clone(),
            findings: Arc::default(),
            counts: Counts::default(),
            open: Arc::default(),
            marked: self.mark(),
            only: None,
            node_places: self.nodes.by_key.clone(),
            node_keys: self.nodes.keys_of.clone(),
            agent_places: self.nodes.by_agent.clone(),
        };
        snapshot.findings = self.index.all(&snapshot, context.thresholds);
        snapshot.counts = self.counts(&snapshot);
        snapshot
    }

    fn counts(&self, snapshot: &Snapshot) -> Counts {
        Counts::new(&snapshot.findings, self.open_tasks, self.levels)
    }

    /// Puts agents together where a source states others, or a node moved.
    fn take_agents(&mut self, context: &EvalContext<'_>, moved: bool) {
        let stated = || context.mesh.sources.iter().map(|source| (&source.facts.agents, &source.facts.groups));
        let same = stated().len() == self.stated.len()
            && stated().zip(&self.stated).all(|(a, b)| Arc::ptr_eq(a.0, &b.0) && Arc::ptr_eq(a.1, &b.1));
        if same && !moved {
            return;
        }
        self.stated = stated().map(|(agents, groups)| (agents.clone(), groups.clone())).collect();
        let agents = agents::evaluate(context.mesh, context.sources, &self.nodes);
        if *self.agents != *agents {
            self.agents = agents.into();
        }
    }

    fn mark(&self) -> Marked {
        let stuck = self.stuck.iter().take(SCREENFUL).filter_map(|(_, task, place)| {
            let place = *place as usize;
            if *task {
                self.tasks.slab.get(place).cloned().map(Stuck::Task)
            } else {
                self.messages.slab.get(place).cloned().map(Stuck::Message)
            }
        });
        let worst = self.alive.iter().take(NODES).filter_map(|(.., place)| self.nodes.slab.get(*place as usize));
        Marked {
            contended: self.locks.at(self.locks.queues.iter().take(SCREENFUL).map(|(.., place)| *place)),
            ending: self.locks.at(self.locks.ends.iter().take(SCREENFUL).map(|(_, place)| *place)),
            stuck: stuck.collect(),
            worst: worst.cloned().collect(),
            back: self.locks.at(self.locks.back.iter().copied()),
            copies: self.copies.iter().filter_map(|at| self.messages.slab.get(*at as usize).cloned()).collect(),
            doubtful: self.locks.at(self.locks.doubtful.iter().copied()),
            of_one_name: self.locks.of_one_name(),
        }
    }

    fn count_messages(&mut self, changes: &[RowChange<MessageView>]) {
        for (place, before, now) in changes {
            for (view, by) in [(before, -1), (now, 1)] {
                let Some(view) = view else { continue };
                let message = &view.message;
                add(&mut self.repositories, &message.repository_id, by);
                if view.state != MessageState::Acknowledged {
                    add(&mut self.inboxes, &message.receiver_agent, by);
                }
                if view.waits_as_copy() {
                    mark(&mut self.copies, *place, by);
                }
                if matches!(view.state, MessageState::Stuck | MessageState::Poison) {
                    mark(&mut self.stuck, (view.created_ms.unwrap_or(Millis::MAX), false, *place), by);
                }
            }
        }
    }

    fn count_tasks(&mut self, changes: &[RowChange<TaskView>]) {
        for (place, before, now) in changes {
            for (view, by) in [(before, -1), (now, 1)] {
                let Some(view) = view else { continue };
                if !view.state.is_over() {
                    self.open_tasks = self.open_tasks.saturating_add_signed(by);
                    if let Some(node) = &view.owner_node {
                        add(&mut self.tasks_of, node, by);
                    }
                }
                if view.state == TaskState::Orphaned {
                    mark(&mut self.stuck, (view.since_ms.unwrap_or(Millis::MAX), true, *place), by);
                }
            }
        }
    }

    fn count_nodes(&mut self, changes: &[RowChange<NodeView>]) {
        for (place, before, now) in changes {
            for (view, by) in [(before, -1), (now, 1)] {
                let Some(view) = view else { continue };
                let level = &mut self.levels[view.staleness as usize];
                *level = level.saturating_add_signed(by);
                mark(&mut self.alive, (Reverse(view.staleness.rank()), view.key.clone(), *place), by);
            }
        }
    }

    /// Brings what nodes hold up to date. Answers the nodes for which that changed.
    fn hold(
        &mut self,
        nodes: &[RowChange<NodeView>],
        messages: &[RowChange<MessageView>],
        locks: &[RowChange<LockView>],
        tasks: &[RowChange<TaskView>],
        leases: &[LeaseView],
    ) -> Vec<RowChange<NodeView>> {
        let mut changed: Vec<u32> = nodes.iter().map(|(place, ..)| *place).collect();
        let at = |name: &Text, changed: &mut Vec<u32>| changed.extend(self.nodes.places_of(name));
        for view in messages.iter().flat_map(|(_, before, now)| [before, now]).flatten() {
            changed.extend(self.nodes.by_agent.get(&view.message.receiver_agent).into_iter().flatten());
        }
        for (_, before, now) in locks {
            let [was, is] =
                [before, now].map(|view| view.as_ref().map(|view| (&view.lock.holder_node, &view.lock.repository_id)));
            if was != is {
                [was, is].into_iter().flatten().for_each(|(name, _)| at(name, &mut changed));
            }
        }
        for view in tasks.iter().flat_map(|(_, before, now)| [before, now]).flatten() {
            if let Some(name) = &view.owner_node {
                at(name, &mut changed);
            }
        }
        let mut leases_of: HashMap<Text, usize, RandomState> = HashMap::default();
        for lease in leases.iter().filter(|lease| lease.in_force) {
            *leases_of.entry(lease.lease.holder_node_id.clone()).or_default() += 1;
        }
        if leases_of != self.leases_of {
            for name in leases_of.keys().chain(self.leases_of.keys()) {
                at(name, &mut changed);
            }
            self.leases_of = leases_of;
        }
        let of = |counts: &HashMap<Text, usize, RandomState>, name: &Text| counts.get(name).copied().unwrap_or(0);
        let change = |place: u32| {
            let node = self.nodes.slab.get(place as usize)?.clone();
            let repository_id = node.repositories.first().unwrap_or(&node.repository_id);
            let holds = Holdings {
                // What bears no repository is of every node of the name.
                locks: self.locks.held_by(&node.node_id, (!node.is_alone()).then_some(repository_id)),
                leases: of(&self.leases_of, &node.node_id),
                inbox: node.agents.iter().map(|agent| of(&self.inboxes, agent)).sum(),
                tasks: of(&self.tasks_of, &node.node_id),
            };
            self.nodes.hold(place, holds)
        };
        changed.sort_unstable();
        changed.dedup();
        changed.into_iter().filter_map(change).collect()
    }
}

fn add(counts: &mut HashMap<Text, usize, RandomState>, name: &Text, by: isize) {
    match counts.get_mut(name) {
        Some(n) => {
            *n = n.saturating_add_signed(by);
            if *n == 0 {
                counts.remove(name);
            }
        }
        None if by > 0 => drop(counts.insert(name.clone(), by.unsigned_abs())),
        None => {}
    }
}

fn mark<K: Ord>(set: &mut BTreeSet<K>, key: K, by: isize) {
    if by > 0 {
        set.insert(key);
    } else {
        set.remove(&key);
    }
}

#[cfg(test)]
mod tests;
