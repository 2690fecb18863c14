//! Who waits for whom: blockers, how many they block, and agents that lock each other out.
//!
//! An edge leads from a waiter to the holder of the lock it waits for. Locks that ran out block nobody who
//! follows the newer protocol, so they make no edge. Agents are told apart by id alone.

use std::collections::{BTreeMap, HashMap};

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::DiGraph;

use super::locks::{LockState, LockView};
use crate::text::Text;
use crate::time::Millis;

/// Locks among which the smallest set that breaks a deadlock is searched for; beyond, it is only a small one.
const SEARCHED: usize = 10;

/// The wait-for graph of a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WaitGraph {
    /// The tree of blockers, flattened: whoever blocks stands above those it blocks.
    pub rows: Vec<WaitRow>,
    pub deadlocks: Vec<Deadlock>,
}

/// One agent in the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitRow {
    /// Its place in the tree.
    pub order: usize,
    pub depth: usize,
    pub agent: Text,
    /// Where its lock is shown: the key of the lock it waits for, or of the first it blocks others with.
    pub lock: String,
    pub lock_name: Text,
    /// Since when it waits, on the console's clock; nothing where it waits for nobody.
    pub since_ms: Option<Millis>,
    pub waits: bool,
    /// Agents that wait for it, and all that are held up by it, through others too.
    pub direct: usize,
    pub total: usize,
    pub deadlocked: bool,
    pub evidence: Vec<Text>,
}

impl WaitRow {
    /// A name that stays while the wait does.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}\u{1}{}\u{1}{}", self.agent.raw(), self.waits, self.lock)
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
    waiter: usize,
    holder: usize,
    lock: usize,
    place: usize,
}

/// Builds the graph.
#[must_use]
pub fn build(locks: &[LockView]) -> WaitGraph {
    let (agents, waits) = edges(locks);
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(agents.len(), waits.len());
    let nodes: Vec<_> = agents.iter().map(|_| graph.add_node(())).collect();
    for wait in &waits {
        graph.add_edge(nodes[wait.waiter], nodes[wait.holder], ());
    }
    // Components come with holders before those who wait for them.
    let components: Vec<Vec<usize>> =
        kosaraju_scc(&graph).into_iter().map(|c| c.into_iter().map(|n| n.index()).collect()).collect();
    let mut component_of = vec![0; agents.len()];
    for (i, component) in components.iter().enumerate() {
        for &agent in component {
            component_of[agent] = i;
        }
    }
    let totals = held_up(&agents, &waits, &components, &component_of);
    let deadlocks = deadlocks(locks, &agents, &waits, &components, &component_of);
    let deadlocked: Vec<bool> = component_of.iter().map(|&c| components[c].len() > 1).collect();
    let rows = Tree { locks, agents: &agents, waits: &waits, totals: &totals, deadlocked: &deadlocked }.flatten();
    WaitGraph { rows, deadlocks }
}

fn edges(locks: &[LockView]) -> (Vec<Text>, Vec<Wait>) {
    let mut index: BTreeMap<&Text, usize> = BTreeMap::new();
    let waited: Vec<(usize, &LockView)> =
        locks.iter().enumerate().filter(|(_, l)| !l.waiters.is_empty() && l.state != LockState::Expired).collect();
    for (_, lock) in &waited {
        for agent in lock.waiters.iter().map(|w| &w.agent).chain([&lock.lock.holder_agent]) {
            index.entry(agent).or_insert(0);
        }
    }
    let agents: Vec<Text> = index.keys().map(|agent| (*agent).clone()).collect();
    index.values_mut().enumerate().for_each(|(i, slot)| *slot = i);
    let mut waits = Vec::new();
    for (lock, view) in waited {
        for (place, waiter) in view.waiters.iter().enumerate() {
            waits.push(Wait { waiter: index[&waiter.agent], holder: index[&view.lock.holder_agent], lock, place });
        }
    }
    (agents, waits)
}

/// How many agents each one holds up, through others too; itself not counted.
fn held_up(agents: &[Text], waits: &[Wait], components: &[Vec<usize>], component_of: &[usize]) -> Vec<usize> {
    let words = agents.len().div_ceil(64);
    let mut sets: Vec<Vec<u64>> = vec![Vec::new(); components.len()];
    let mut waiting_on: HashMap<usize, Vec<usize>> = HashMap::new();
    for wait in waits {
        waiting_on.entry(component_of[wait.holder]).or_default().push(component_of[wait.waiter]);
    }
    let mut totals = vec![0; agents.len()];
    // Those who wait come last in the list of components: begin with them.
    for c in (0..components.len()).rev() {
        let mut set = vec![0u64; words];
        components[c].iter().for_each(|&agent| set[agent / 64] |= 1 << (agent % 64));
        for &waiter in waiting_on.get(&c).into_iter().flatten().filter(|&&waiter| waiter != c) {
            set.iter_mut().zip(&sets[waiter]).for_each(|(word, more)| *word |= more);
        }
        let n: usize = set.iter().map(|word| word.count_ones() as usize).sum();
        components[c].iter().for_each(|&agent| totals[agent] = n - 1);
        sets[c] = set;
    }
    totals
}

fn deadlocks(
    locks: &[LockView],
    agents: &[Text],
    waits: &[Wait],
    components: &[Vec<usize>],
    component_of: &[usize],
) -> Vec<Deadlock> {
    let mut found = Vec::new();
    for (c, component) in components.iter().enumerate().filter(|(_, component)| component.len() > 1) {
        let inside: Vec<Wait> =
            waits.iter().filter(|w| component_of[w.waiter] == c && component_of[w.holder] == c).copied().collect();
        let mut names: Vec<Text> = component.iter().map(|&agent| agents[agent].clone()).collect();
        names.sort();
        let breaks =
            smallest_break(&inside).into_iter().map(|lock| (locks[lock].key(), locks[lock].lock.lock_key.clone()));
        found.push(Deadlock { agents: names, breaks: breaks.collect() });
    }
    found.sort_by(|a, b| a.agents.cmp(&b.agents));
    found
}

/// The smallest set of locks without which no circle is left; the first in order among equals.
fn smallest_break(waits: &[Wait]) -> Vec<usize> {
    let mut locks: Vec<usize> = waits.iter().map(|w| w.lock).collect();
    locks.sort_unstable();
    locks.dedup();
    if locks.len() <= SEARCHED {
        let mut sets: Vec<u32> = (1..1u32 << locks.len()).collect();
        sets.sort_by_key(|set| set.count_ones());
        let chosen = |set: u32| {
            locks.iter().enumerate().filter(move |(i, _)| set >> i & 1 == 1).map(|(_, &lock)| lock).collect::<Vec<_>>()
        };
        let smallest = sets.into_iter().find(|&set| !has_circle(waits, &chosen(set)));
        return smallest.map(chosen).unwrap_or_default();
    }
    // Too many to search: take the lock with the most waits, again and again, until no circle is left.
    let mut taken = Vec::new();
    while has_circle(waits, &taken) {
        let count = |lock: usize| waits.iter().filter(|w| w.lock == lock).count();
        let Some(&next) = locks
            .iter()
            .filter(|lock| !taken.contains(*lock))
            .max_by_key(|&&lock| (count(lock), std::cmp::Reverse(lock)))
        else {
            break;
        };
        taken.push(next);
    }
    taken
}

fn has_circle(waits: &[Wait], without: &[usize]) -> bool {
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    let mut nodes = HashMap::new();
    for wait in waits.iter().filter(|w| !without.contains(&w.lock)) {
        let [from, to] =
            [wait.waiter, wait.holder].map(|agent| *nodes.entry(agent).or_insert_with(|| graph.add_node(())));
        graph.add_edge(from, to, ());
    }
    toposort(&graph, None).is_err()
}

struct Tree<'a> {
    locks: &'a [LockView],
    agents: &'a [Text],
    waits: &'a [Wait],
    totals: &'a [usize],
    deadlocked: &'a [bool],
}

impl Tree<'_> {
    /// Depth first from those who wait for nobody, then from circles; the worst blocker first. Each wait stands once.
    fn flatten(&self) -> Vec<WaitRow> {
        let mut behind: Vec<Vec<usize>> = vec![Vec::new(); self.agents.len()];
        let mut waiting = vec![false; self.agents.len()];
        for (i, wait) in self.waits.iter().enumerate() {
            behind[wait.holder].push(i);
            waiting[wait.waiter] = true;
        }
        let mut roots: Vec<usize> = (0..self.agents.len()).filter(|&a| !behind[a].is_empty()).collect();
        roots.sort_by_key(|&a| (waiting[a], std::cmp::Reverse(self.totals[a]), a));
        let (mut rows, mut shown) = (Vec::new(), vec![false; self.waits.len()]);
        for root in roots {
            let fresh = behind[root].iter().any(|&wait| !shown[wait]);
            if !fresh {
                continue;
            }
            self.push(&mut rows, root, 0, None, &behind);
            // (agent, depth) whose waiters are still to be shown, the next one last.
            let mut open: Vec<(usize, usize)> = behind[root].iter().rev().map(|&wait| (wait, 1)).collect();
            while let Some((wait, depth)) = open.pop() {
                if std::mem::replace(&mut shown[wait], true) {
                    continue;
                }
                let waiter = self.waits[wait].waiter;
                self.push(&mut rows, waiter, depth, Some(self.waits[wait]), &behind);
                open.extend(behind[waiter].iter().rev().filter(|&&next| !shown[next]).map(|&next| (next, depth + 1)));
            }
        }
        rows
    }

    fn push(&self, rows: &mut Vec<WaitRow>, agent: usize, depth: usize, wait: Option<Wait>, behind: &[Vec<usize>]) {
        let lock = wait.or_else(|| behind[agent].first().map(|&first| self.waits[first])).map(|w| &self.locks[w.lock]);
        let waiter = wait.and_then(|w| self.locks[w.lock].waiters.get(w.place));
        let mut direct: Vec<usize> = behind[agent].iter().map(|&w| self.waits[w].waiter).collect();
        direct.sort_unstable();
        direct.dedup();
        rows.push(WaitRow {
            order: rows.len(),
            depth,
            agent: self.agents[agent].clone(),
            lock: lock.map(LockView::key).unwrap_or_default(),
            lock_name: lock.map(|l| l.lock.lock_key.clone()).unwrap_or_default(),
            since_ms: waiter.and_then(|w| w.since_ms),
            waits: waiter.is_some(),
            direct: direct.len(),
            total: self.totals[agent],
            deadlocked: self.deadlocked[agent],
            evidence: waiter.map(|w| w.evidence.clone()).unwrap_or_default(),
        });
    }
}

#[cfg(test)]
mod tests;
