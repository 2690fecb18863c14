//! The graph against a brute-force oracle.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::mesh::derive::locks::LockState;
use crate::mesh::derive::queues::Waiter;
use crate::mesh::derive::staleness::Staleness;
use crate::testing::{NOW, lock};

fn view(key: &str, holder: &str, waiters: &[&str]) -> Arc<LockView> {
    Arc::new(LockView {
        in_several: false,
        lock: Arc::new(lock(key, "n", holder, 60_000)),
        source: "s".into(),
        state: LockState::Held,
        holder_staleness: Staleness::Healthy,
        acquired_ms: Some(NOW),
        expires_ms: Some(NOW + 60_000),
        left: None,
        waiters: waiters.iter().map(|agent| Waiter::inferred((*agent).into(), Some(NOW), "test")).collect(),
        fences: None,
        as_of_ms: None,
    })
}

fn built(locks: &[Arc<LockView>]) -> WaitGraph {
    let mut numbers = Numbers::default();
    let lines = (0..).zip(locks).map(|(place, view)| (place, numbers.line(view))).collect();
    build(&locks.iter().map(|view| (**view).clone()).collect(), &lines, &mut numbers)
}

fn shape(graph: &WaitGraph) -> Vec<(usize, String, usize, usize)> {
    graph
        .rows()
        .iter()
        .map(|r| (r.depth as usize, r.agent().to_string(), r.direct as usize, r.total as usize))
        .collect()
}

#[test]
fn a_queue_behind_a_queue_is_a_tree() {
    let graph = built(&[view("x", "1", &["2", "3"]), view("y", "2", &["4"])]);
    let row = |depth, agent: &str, direct, total| (depth, agent.to_owned(), direct, total);
    assert_eq!(shape(&graph), [row(0, "1", 2, 3), row(1, "2", 1, 1), row(2, "4", 0, 0), row(1, "3", 0, 0)]);
    assert!(graph.deadlocks.is_empty());
}

#[test]
fn two_that_lock_each_other_out_are_named_and_one_lock_frees_them() {
    let graph = built(&[view("x", "1", &["2"]), view("y", "2", &["1"]), view("z", "1", &["5"])]);
    assert_eq!(graph.deadlocks.len(), 1);
    assert_eq!(graph.deadlocks[0].agents, ["1", "2"]);
    assert_eq!(graph.deadlocks[0].breaks.len(), 1);
    assert!(graph.rows().iter().any(|r| *r.agent() == "5" && !r.deadlocked));
}

#[test]
fn a_lock_that_ran_out_blocks_nobody() {
    let mut expired = view("x", "1", &["2"]);
    Arc::make_mut(&mut expired).state = LockState::Expired;
    assert!(built(&[expired]).rows().is_empty());
}

#[test]
fn a_long_chain_needs_no_deep_stack() {
    let names: Vec<String> = (0..10_000).map(|i| format!("{i:05}")).collect();
    let locks: Vec<Arc<LockView>> = names.windows(2).map(|pair| view(&pair[0], &pair[0], &[&pair[1]])).collect();
    let graph = built(&locks);
    assert_eq!(graph.rows().len(), 10_000);
    assert_eq!(graph.rows()[0].total, 9_999);
}

proptest! {
    #[test]
    fn it_agrees_with_brute_force(rows in prop::collection::vec((0u8..8, prop::collection::btree_set(0u8..8, 0..4)), 0..10)) {
        let locks: Vec<Arc<LockView>> = rows.iter().enumerate().map(|(i, (holder, waiters))| {
            let waiters: Vec<String> = waiters.iter().filter(|w| *w != holder).map(ToString::to_string).collect();
            let waiters: Vec<&str> = waiters.iter().map(String::as_str).collect();
            view(&format!("k{i}"), &holder.to_string(), &waiters)
        }).collect();
        let graph = built(&locks);

        // The oracle: everybody's waiters, to a fixed point.
        let waits: Vec<(String, String, usize)> = locks.iter().enumerate().flat_map(|(i, l)| {
            l.waiters.iter().map(move |w| (w.agent.to_string(), l.lock.holder_agent.to_string(), i))
        }).collect();
        let reach = |without: &BTreeSet<usize>| {
            let mut held: HashMap<String, BTreeSet<String>> = HashMap::new();
            loop {
                let before = held.values().map(BTreeSet::len).sum::<usize>();
                for (waiter, holder, lock) in waits.iter().filter(|(_, _, lock)| !without.contains(lock)) {
                    let _ = lock;
                    let mut more = held.get(waiter).cloned().unwrap_or_default();
                    more.insert(waiter.clone());
                    held.entry(holder.clone()).or_default().extend(more);
                }
                if held.values().map(BTreeSet::len).sum::<usize>() == before {
                    return held;
                }
            }
        };
        let circles = |without: &BTreeSet<usize>| -> BTreeSet<String> {
            reach(without).into_iter().filter(|(agent, held)| held.contains(agent)).map(|(agent, _)| agent).collect()
        };
        let all = reach(&BTreeSet::new());
        for row in graph.rows() {
            let agent = row.agent().to_string();
            let held = all.get(&agent).cloned().unwrap_or_default();
            prop_assert_eq!(row.total as usize, held.iter().filter(|a| **a != agent).count(), "{}", agent);
            prop_assert_eq!(row.deadlocked, held.contains(&agent));
        }
        let named: BTreeSet<String> = graph.deadlocks.iter().flat_map(|d| d.agents.iter().map(ToString::to_string)).collect();
        prop_assert_eq!(&named, &circles(&BTreeSet::new()));
        // Every wait stands in the tree once.
        prop_assert_eq!(graph.rows().iter().filter(|r| r.waits()).count(), waits.len());
        // What is printed to break the deadlocks does, and nothing smaller would.
        let keys: HashMap<String, usize> = locks.iter().enumerate().map(|(i, l)| (l.key(), i)).collect();
        let broken: BTreeSet<usize> = graph.deadlocks.iter().flat_map(|d| d.breaks.iter().map(|(key, _)| keys[key])).collect();
        prop_assert!(circles(&broken).is_empty());
        let smaller = (0u32..1 << locks.len()).filter(|set| (set.count_ones() as usize) < broken.len());
        for set in smaller {
            let without = (0..locks.len()).filter(|i| set >> i & 1 == 1).collect();
            prop_assert!(!circles(&without).is_empty(), "{:?} is enough", without);
        }
    }
}
