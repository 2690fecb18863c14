//! How many agents each one holds up, through others too.
//!
//! Sets of agents are rows of bits. They are worked out for a block of agents at a time, so that the rows of a
//! block stay in the processor's cache however many agents there are.

use super::Waits;

/// Words of 64 agents that are worked out at a time.
const BLOCK: usize = 16;

/// How many agents each one holds up; itself not counted.
pub(super) fn held_up(waits: &Waits<'_>, components: &[Vec<usize>], component_of: &[usize]) -> Vec<usize> {
    // From the component that is waited for to the one that waits, in the order in which sets grow.
    let mut edges: Vec<(u32, u32)> = waits
        .list
        .iter()
        .map(|wait| (number(component_of[wait.holder]), number(component_of[wait.waiter])))
        .filter(|(holder, waiter)| holder != waiter)
        .collect();
    // Those who wait come last in the list of components: begin with them.
    edges.sort_unstable_by(|a, b| b.cmp(a));
    edges.dedup();
    let mut counts = vec![0usize; components.len()];
    let words = waits.agents.len().div_ceil(64);
    let mut sets = vec![[0u64; BLOCK]; components.len()];
    for first in (0..words).step_by(BLOCK) {
        sets.fill([0; BLOCK]);
        for agent in first * 64..((first + BLOCK) * 64).min(waits.agents.len()) {
            let bit = agent - first * 64;
            sets[component_of[agent]][bit / 64] |= 1 << (bit % 64);
        }
        for &(holder, waiter) in &edges {
            let from = sets[waiter as usize];
            for (word, more) in sets[holder as usize].iter_mut().zip(from) {
                *word |= more;
            }
        }
        for (count, set) in counts.iter_mut().zip(&sets) {
            *count += set.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        }
    }
    component_of.iter().map(|&component| counts[component] - 1).collect()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
