//! Who waits for whom: blockers, how many they block, and agents that lock each other out.
//!
//! An edge leads from a waiter to the holder of the lock it waits for. Locks that ran out block nobody who
//! follows the newer protocol, so they make no edge. Agents are told apart by id alone.

mod deadlock;
mod names;
mod reach;
mod tree;

use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::locks::{LockState, LockView};
use super::queues::Waiter;
use crate::text::Text;
use crate::time::Millis;

/// The wait-for graph of a picture.
#[derive(Debug, Clone, Default)]
pub struct WaitGraph {
    /// The tree of blockers, flattened: whoever blocks stands above those it blocks.
    pub rows: Vec<WaitRow>,
    pub deadlocks: Vec<Deadlock>,
}

/// One agent in the tree. What it waits for is looked up when it is shown: rows are many, and few are seen.
#[derive(Debug, Clone)]
pub struct WaitRow {
    /// Its place in the tree.
    pub order: u32,
    pub depth: u32,
    /// Agents that wait for it, and all that are held up by it, through others too.
    pub direct: u32,
    pub total: u32,
    pub deadlocked: bool,
    shared: Arc<Shared>,
    agent: u32,
    /// The lock it waits for, or the first it blocks others with.
    lock: u32,
    /// Its place in that lock's queue; nothing where it waits for nobody.
    place: Option<u32>,
}

/// What all rows look things up in.
#[derive(Debug)]
struct Shared {
    agents: Vec<Text>,
    locks: Vec<Arc<LockView>>,
}

impl WaitRow {
    /// The agent.
    #[must_use]
    pub fn agent(&self) -> &Text {
        &self.shared.agents[self.agent as usize]
    }

    /// The lock it waits for, or the first it blocks others with.
    #[must_use]
    pub fn lock(&self) -> &LockView {
        &self.shared.locks[self.lock as usize]
    }

    /// Its entry in that lock's queue; nothing where it waits for nobody.
    #[must_use]
    pub fn waiter(&self) -> Option<&Waiter> {
        self.lock().waiters.get(self.place? as usize)
    }

    /// Whether it waits for somebody.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.place.is_some()
    }

    /// Since when it waits, on the console's clock.
    #[must_use]
    pub fn since_ms(&self) -> Option<Millis> {
        self.waiter()?.since_ms
    }

    /// What its wait is inferred from.
    #[must_use]
    pub fn evidence(&self) -> &[Text] {
        self.waiter().map_or(&[], |waiter| &waiter.evidence)
    }

    /// A name that stays while the wait does.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}\u{1}{}\u{1}{}", self.agent().raw(), self.waits(), self.lock().key())
    }
}

/// Agents that wait for each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Deadlock {
    pub agents: Vec<Text>,
    /// The smallest set of locks whose release breaks every circle: keys and names.
    pub breaks: Vec<(String, Text)>,
}

/// One wait: who, for whom, through which lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    waiter: u32,
    holder: u32,
    lock: u32,
    /// In the queue of the lock.
    place: u32,
}

impl Wait {
    fn waiter(self) -> usize {
        self.waiter as usize
    }
    fn holder(self) -> usize {
        self.holder as usize
    }
    fn lock(self) -> usize {
        self.lock as usize
    }
}

/// Places are counted in 32 bits: rows are many.
fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Who waits for whom, agents in the order of their names.
struct Waits<'a> {
    locks: &'a [Arc<LockView>],
    agents: Vec<&'a Text>,
    list: Vec<Wait>,
    /// The waits for each agent, as places in `list`: those of agent `i` from `starts[i]` on.
    behind: Vec<u32>,
    starts: Vec<u32>,
}

/// Builds the graph.
#[must_use]
pub fn build(locks: &[Arc<LockView>]) -> WaitGraph {
    let waits = Waits::collect(locks);
    let mut graph: DiGraph<(), (), u32> = DiGraph::with_capacity(waits.agents.len(), waits.list.len());
    let nodes: Vec<_> = waits.agents.iter().map(|_| graph.add_node(())).collect();
    for wait in &waits.list {
        graph.add_edge(nodes[wait.waiter()], nodes[wait.holder()], ());
    }
    // Components come with holders before those who wait for them.
    let components: Vec<Vec<usize>> =
        kosaraju_scc(&graph).into_iter().map(|c| c.into_iter().map(|n| n.index()).collect()).collect();
    let mut component_of = vec![0; waits.agents.len()];
    for (i, component) in components.iter().enumerate() {
        for &agent in component {
            component_of[agent] = i;
        }
    }
    let totals = reach::held_up(&waits, &components, &component_of);
    let deadlocks = deadlock::find(&waits, &components, &component_of);
    let deadlocked: Vec<bool> = component_of.iter().map(|&c| components[c].len() > 1).collect();
    let agents = waits.agents.iter().map(|agent| (*agent).clone()).collect();
    let shared = Arc::new(Shared { agents, locks: locks.to_vec() });
    let rows = tree::Tree { shared, waits: &waits, totals: &totals, deadlocked: &deadlocked }.flatten();
    WaitGraph { rows, deadlocks }
}

impl<'a> Waits<'a> {
    fn collect(locks: &'a [Arc<LockView>]) -> Self {
        let waited =
            || locks.iter().enumerate().filter(|(_, l)| !l.waiters.is_empty() && l.state != LockState::Expired);
        let n = waited().map(|(_, view)| view.waiters.len()).sum();
        let mut seen = names::Names::default();
        let mut list: Vec<Wait> = Vec::with_capacity(n);
        for (lock, view) in waited() {
            let holder = seen.number(&view.lock.holder_agent);
            for (place, waiter) in view.waiters.iter().enumerate() {
                let waiter = seen.number(&waiter.agent);
                list.push(Wait { waiter, holder, lock: small(lock), place: small(place) });
            }
        }
        let order = seen.sorted();
        let mut place_of = vec![0; order.len()];
        for (place, &was) in order.iter().enumerate() {
            place_of[was as usize] = small(place);
        }
        let agents: Vec<&Text> = order.into_iter().map(|number| seen.met[number as usize]).collect();
        let mut starts = vec![0; agents.len() + 1];
        for wait in &mut list {
            (wait.waiter, wait.holder) = (place_of[wait.waiter()], place_of[wait.holder()]);
            starts[wait.holder() + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let (mut behind, mut filled) = (vec![0; list.len()], starts.clone());
        for (i, wait) in list.iter().enumerate() {
            let at = &mut filled[wait.holder()];
            behind[*at as usize] = small(i);
            *at += 1;
        }
        Self { locks, agents, list, behind, starts }
    }

    /// The waits for an agent, as places in the list.
    fn behind(&self, agent: usize) -> &[u32] {
        &self.behind[self.starts[agent] as usize..self.starts[agent + 1] as usize]
    }
}

#[cfg(test)]
mod tests;
