//! How many agents each one holds up, through others too.
//!
//! Sets of agents are rows of bits. They are worked out for a block of agents at a time, so that the rows of a
//! block stay in the processor's cache however many agents there are.

use std::ops::Range;

use super::{Components, Wait, Waits, small};

/// Words of 64 agents that are worked out at a time.
const BLOCK: usize = 16;
/// From so many words on it is worth a second thread.
const SHARED: usize = 4 * BLOCK;

/// How many agents each one holds up; itself not counted.
pub(super) fn held_up(waits: &Waits, components: &Components, component_of: &[usize]) -> Vec<usize> {
    let edges = Edges::between(waits, components.len(), component_of);
    // Whoever is waited for only by agents whom nobody waits for holds up these and no others: they are counted one
    // by one. Sets are only for the rest, and for what is behind those.
    let mut deep: Vec<bool> = (0..components.len())
        .map(|holder| edges.waiters(holder).iter().any(|&waiter| !edges.waiters(waiter as usize).is_empty()))
        .collect();
    let mut counts = edges.shallow(components);
    // Holders come before those who wait: what is behind them is marked in one pass.
    for holder in 0..components.len() {
        if deep[holder] {
            for &waiter in edges.waiters(holder) {
                deep[waiter as usize] = true;
            }
        }
    }
    let few: Vec<usize> = (0..components.len()).filter(|&component| deep[component]).collect();
    let mut place = vec![usize::MAX; components.len()];
    few.iter().enumerate().for_each(|(i, &component)| place[component] = i);
    let of: Vec<usize> =
        component_of.iter().filter(|&&component| deep[component]).map(|&component| place[component]).collect();
    let edges = edges.among(&few, &place);
    for (component, n) in few.iter().zip(by_sets(&of, few.len(), &edges)) {
        counts[*component] = n;
    }
    component_of.iter().map(|&component| counts[component].saturating_sub(1)).collect()
}

/// How many agents each component holds up, its own among them.
fn by_sets(component_of: &[usize], components: usize, edges: &Edges) -> Vec<usize> {
    let words = component_of.len().div_ceil(64);
    let part = |words: Range<usize>| count(words, component_of.len(), components, component_of, edges);
    if words < SHARED {
        part(0..words)
    } else {
        // Blocks do not touch one another: two threads take half of them each.
        let half = words / 2 / BLOCK * BLOCK;
        std::thread::scope(|scope| {
            let other = scope.spawn(|| part(half..words));
            let mut counts = part(0..half);
            // A thread that panicked has told why already.
            let more = other.join().unwrap_or_default();
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            counts
        })
    }
}

/// How many agents of some words of the sets each component holds up.
fn count(words: Range<usize>, agents: usize, components: usize, component_of: &[usize], edges: &Edges) -> Vec<usize> {
    let mut counts = vec![0usize; components];
    let mut sets = vec![[0u64; BLOCK]; components];
    for first in words.clone().step_by(BLOCK) {
        sets.fill([0; BLOCK]);
        for agent in first * 64..((first + BLOCK).min(words.end) * 64).min(agents) {
            let bit = agent - first * 64;
            sets[component_of[agent]][bit / 64] |= 1 << (bit % 64);
        }
        // Those who wait come last in the list of components: begin with them. The set of one holder is gathered
        // before it is put back.
        for holder in (0..components).rev() {
            let mut set = sets[holder];
            for &waiter in edges.waiters(holder) {
                for (word, more) in set.iter_mut().zip(&sets[waiter as usize]) {
                    *word |= more;
                }
            }
            sets[holder] = set;
        }
        for (count, set) in counts.iter_mut().zip(&sets) {
            *count += set.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        }
    }
    counts
}

/// Which components wait for which: those that wait for component `i` stand from `starts[i]` on.
struct Edges {
    starts: Vec<u32>,
    waiters: Vec<u32>,
}

impl Edges {
    fn between(waits: &Waits, components: usize, component_of: &[usize]) -> Self {
        let pairs = || {
            let pair = |wait: &Wait| (component_of[wait.holder()], component_of[wait.waiter()]);
            waits.list.iter().map(pair).filter(|(holder, waiter)| holder != waiter)
        };
        let mut starts = vec![0; components + 1];
        pairs().for_each(|(holder, _)| starts[holder + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut filled: Vec<u32> = starts.clone();
        let mut waiters = vec![0; starts.last().map_or(0, |n| *n as usize)];
        for (holder, waiter) in pairs() {
            waiters[filled[holder] as usize] = small(waiter);
            filled[holder] += 1;
        }
        Self { starts, waiters }
    }

    /// Agents of each component and of those that wait for it directly.
    fn shallow(&self, components: &Components) -> Vec<usize> {
        let mut seen = vec![usize::MAX; components.len()];
        let count = |holder: usize| {
            let direct = self.waiters(holder).iter().map(|&waiter| waiter as usize);
            // A component that was counted for this holder carries its number.
            let direct = direct.filter(|&waiter| std::mem::replace(&mut seen[waiter], holder) != holder);
            components.agents(holder).len() + direct.map(|waiter| components.agents(waiter).len()).sum::<usize>()
        };
        (0..components.len()).map(count).collect()
    }

    /// The edges among some components, which have other places.
    fn among(&self, few: &[usize], place: &[usize]) -> Self {
        let (mut starts, mut waiters) = (vec![0], Vec::new());
        for &holder in few {
            waiters.extend(self.waiters(holder).iter().map(|&waiter| small(place[waiter as usize])));
            starts.push(small(waiters.len()));
        }
        Self { starts, waiters }
    }

    fn waiters(&self, holder: usize) -> &[u32] {
        &self.waiters[self.starts[holder] as usize..self.starts[holder + 1] as usize]
    }
}
