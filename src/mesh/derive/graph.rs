//! Who waits for whom: blockers, how many they block, and agents that lock each other out.
//!
//! An edge leads from a waiter to the holder of the lock it waits for. Locks that ran out block nobody who
//! follows the newer protocol, so they make no edge. Agents are distinguished by id alone.

mod deadlock;
mod names;
mod reach;
mod tree;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::locks::LockView;
use super::queues::Waiter;

use self::names::small;
pub use self::names::{Line, Numbers};
use crate::mesh::slab::SharedSlab;
use crate::model::text::Text;
use crate::model::time::Millis;

/// The wait-for graph of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct WaitGraph {
    pub deadlocks: Vec<Deadlock>,
    rows: OnceLock<Vec<WaitRow>>,
    made: Arc<Made>,
}

impl WaitGraph {
    /// The tree of blockers, flattened: whoever blocks stands above those it blocks. It is made when somebody looks for the
    /// first time: nearly always nobody does.
    #[must_use]
    pub fn rows(&self) -> &[WaitRow] {
        self.rows.get_or_init(|| tree::flatten(&self.made))
    }

    /// Leaves the other rows away.
    pub fn keep(&mut self, wanted: impl Fn(&WaitRow) -> bool) {
        let mut rows = self.rows.take().unwrap_or_else(|| tree::flatten(&self.made));
        rows.retain(wanted);
        self.rows = rows.into();
    }
}

/// What the rows are made from, and what they look things up in.
#[derive(Debug, Default)]
struct Made {
    waits: Waits,
    components: Components,
    component_of: Vec<usize>,
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
    made: Arc<Made>,
    agent: u32,
    /// The lock it waits for, or the first it blocks others with.
    lock: u32,
    /// Its place in that lock's queue; nothing where it waits for nobody.
    place: Option<u32>,
}

impl WaitRow {
    /// The agent.
    #[must_use]
    pub fn agent(&self) -> &Text {
        self.made.waits.name(self.agent as usize)
    }

    /// The lock it waits for, or the first it blocks others with.
    #[must_use]
    pub fn lock(&self) -> &LockView {
        &self.made.waits.locks[self.lock as usize]
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

/// Who waits for whom, agents in the order of their names.
#[derive(Debug, Default)]
struct Waits {
    locks: SharedSlab<LockView>,
    /// Their numbers.
    agents: Vec<u32>,
    names: Arc<Vec<Text>>,
    list: Vec<Wait>,
    /// The waits for each agent, as places in `list`: those of agent `i` from `starts[i]` on.
    behind: Vec<u32>,
    starts: Vec<u32>,
}

/// Agents that wait for each other, together; nearly all stand alone.
#[derive(Debug, Default)]
struct Components {
    agents: Vec<usize>,
    /// Where each ends among the agents.
    ends: Vec<usize>,
}

impl Components {
    fn push(&mut self, agents: impl IntoIterator<Item = usize>) {
        self.agents.extend(agents);
        self.ends.push(self.agents.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn agents(&self, component: usize) -> &[usize] {
        let start = component.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.agents[start..self.ends[component]]
    }

    /// The component of each of so many agents.
    fn of_each(&self, agents: usize) -> Vec<usize> {
        let mut of = vec![0; agents];
        for component in 0..self.len() {
            self.agents(component).iter().for_each(|&agent| of[agent] = component);
        }
        of
    }
}

/// Builds the graph of locks and of their lines, which are by the places of the locks.
#[must_use]
pub fn build(locks: &SharedSlab<LockView>, lines: &BTreeMap<u32, Line>, numbers: &mut Numbers) -> WaitGraph {
    let waits = Waits::collect(locks, lines, numbers);
    let components = waits.components();
    let component_of = components.of_each(waits.agents.len());
    let deadlocks = deadlock::find(&waits, &components, &component_of);
    WaitGraph { deadlocks, rows: OnceLock::new(), made: Arc::new(Made { waits, components, component_of }) }
}

impl Waits {
    fn name(&self, agent: usize) -> &Text {
        &self.names[self.agents[agent] as usize]
    }

    fn collect(locks: &SharedSlab<LockView>, lines: &BTreeMap<u32, Line>, numbers: &mut Numbers) -> Self {
        let waited = || lines.iter().map(|(lock, line)| (*lock, line)).filter(|(_, line)| !line.over);
        let ranks = numbers.ranks();
        let mut place_of = vec![u32::MAX; ranks.len()];
        let mut agents: Vec<u32> = Vec::new();
        let mut meet = |number: u32| {
            if std::mem::replace(&mut place_of[number as usize], 0) == u32::MAX {
                agents.push(number);
            }
        };
        let mut n = 0;
        for (_, line) in waited() {
            meet(line.holder);
            line.waiters.iter().for_each(|waiter| meet(*waiter));
            n += line.waiters.len();
        }
        agents.sort_unstable_by_key(|number| ranks[*number as usize]);
        for (place, number) in (0..).zip(&agents) {
            place_of[*number as usize] = place;
        }
        let mut list: Vec<Wait> = Vec::with_capacity(n);
        for (lock, line) in waited() {
            let holder = place_of[line.holder as usize];
            for (place, waiter) in (0..).zip(&line.waiters) {
                list.push(Wait { waiter: place_of[*waiter as usize], holder, lock, place });
            }
        }
        let mut starts = vec![0; agents.len() + 1];
        for wait in &list {
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
        let names = numbers.names().clone();
        Self { locks: locks.clone(), agents, names, list, behind, starts }
    }

    /// Agents that wait for each other, together; holders before those who wait for them. Nearly all stand alone, and
    /// are told by taking those away who wait for nobody that is left; what remains is searched for circles.
    fn components(&self) -> Components {
        let mut waits_for = vec![0u32; self.agents.len()];
        self.list.iter().for_each(|wait| waits_for[wait.waiter()] += 1);
        let mut components = Components::default();
        let mut free: Vec<usize> = (0..self.agents.len()).filter(|&agent| waits_for[agent] == 0).collect();
        while let Some(agent) = free.pop() {
            components.push([agent]);
            for &wait in self.behind(agent) {
                let waiter = self.list[wait as usize].waiter();
                waits_for[waiter] -= 1;
                if waits_for[waiter] == 0 {
                    free.push(waiter);
                }
            }
        }
        if components.len() == self.agents.len() {
            return components;
        }
        let mut rest: DiGraph<usize, (), u32> = DiGraph::new();
        let mut node_of = vec![None; self.agents.len()];
        for agent in (0..self.agents.len()).filter(|&agent| waits_for[agent] > 0) {
            node_of[agent] = Some(rest.add_node(agent));
        }
        for wait in &self.list {
            if let (Some(waiter), Some(holder)) = (node_of[wait.waiter()], node_of[wait.holder()]) {
                rest.add_edge(waiter, holder, ());
            }
        }
        // These come with holders before those who wait for them, too.
        for circle in kosaraju_scc(&rest) {
            components.push(circle.into_iter().map(|node| rest[node]));
        }
        components
    }

    /// The waits for an agent, as places in the list.
    fn behind(&self, agent: usize) -> &[u32] {
        &self.behind[self.starts[agent] as usize..self.starts[agent + 1] as usize]
    }
}

#[cfg(test)]
mod tests;
