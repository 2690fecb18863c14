//! Agents that wait for each other, and the locks whose release frees them.

use std::collections::HashMap;

use petgraph::algo::feedback_arc_set::greedy_feedback_arc_set;
use petgraph::algo::toposort;
use petgraph::graph::DiGraph;
use petgraph::visit::EdgeRef;

use super::{Components, Deadlock, Wait, Waits};
use crate::model::text::Text;

/// Locks among which the smallest set that breaks a deadlock is searched for; beyond, it is only a small one.
const SEARCHED: usize = 10;
/// Locks among which a small set is looked for one by one; beyond, a heuristic of linear time takes them.
const TRIED: usize = 64;

/// Every circle of agents, by the names of its agents.
pub(super) fn find(waits: &Waits, components: &Components, component_of: &[usize]) -> Vec<Deadlock> {
    let mut inside: HashMap<usize, Vec<Wait>> = HashMap::new();
    for wait in &waits.list {
        let component = component_of[wait.waiter()];
        if component == component_of[wait.holder()] && components.agents(component).len() > 1 {
            inside.entry(component).or_default().push(*wait);
        }
    }
    let mut found: Vec<Deadlock> = inside
        .into_iter()
        .map(|(component, inside)| {
            let mut agents: Vec<Text> =
                components.agents(component).iter().map(|&agent| waits.name(agent).clone()).collect();
            agents.sort();
            let (inside, locks) = in_order(waits, inside);
            Deadlock { agents, breaks: smallest_break(&inside).into_iter().map(|lock| locks[lock].clone()).collect() }
        })
        .collect();
    found.sort_by(|a, b| a.agents.cmp(&b.agents));
    found
}

/// The waits by locks that are numbered in the order of their names, so that of equals always the same one is chosen;
/// and those locks' keys and names.
fn in_order(waits: &Waits, mut inside: Vec<Wait>) -> (Vec<Wait>, Vec<(String, Text)>) {
    let mut locks: Vec<u32> = inside.iter().map(|wait| wait.lock).collect();
    locks.sort_unstable();
    locks.dedup();
    let named = |lock: u32| {
        let view = &waits.locks[lock as usize];
        (view.lock.lock_key.clone(), view.key(), lock)
    };
    let mut locks: Vec<(Text, String, u32)> = locks.into_iter().map(named).collect();
    locks.sort();
    let ranks: HashMap<u32, u32> = (0..).zip(&locks).map(|(rank, (.., lock))| (*lock, rank)).collect();
    for wait in &mut inside {
        wait.lock = ranks[&wait.lock];
    }
    inside.sort_by_key(|wait| (wait.lock, wait.place));
    (inside, locks.into_iter().map(|(name, key, _)| (key, name)).collect())
}

/// The smallest set of locks without which no circle is left; the first in order among equals.
fn smallest_break(waits: &[Wait]) -> Vec<usize> {
    let mut locks: Vec<usize> = waits.iter().map(|w| w.lock()).collect();
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
    if locks.len() > TRIED {
        return feedback(waits);
    }
    // Too many to search: take the lock with the most waits, again and again, until no circle is left.
    let mut taken = Vec::new();
    while has_circle(waits, &taken) {
        let count = |lock: usize| waits.iter().filter(|w| w.lock() == lock).count();
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
    for wait in waits.iter().filter(|w| !without.contains(&w.lock())) {
        let [from, to] =
            [wait.waiter, wait.holder].map(|agent| *nodes.entry(agent).or_insert_with(|| graph.add_node(())));
        graph.add_edge(from, to, ());
    }
    toposort(&graph, None).is_err()
}

/// The locks of waits without which no circle is left, found in linear time.
fn feedback(waits: &[Wait]) -> Vec<usize> {
    let mut graph: DiGraph<(), usize> = DiGraph::new();
    let mut nodes = HashMap::new();
    for wait in waits {
        let [from, to] =
            [wait.waiter, wait.holder].map(|agent| *nodes.entry(agent).or_insert_with(|| graph.add_node(())));
        graph.add_edge(from, to, wait.lock());
    }
    let mut locks: Vec<usize> = greedy_feedback_arc_set(&graph).map(|edge| graph[edge.id()]).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}
