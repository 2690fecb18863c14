//! Agents as numbers, kept from graph to graph: strings are looked at when a lock is evaluated, not when a graph is made.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::mesh::derive::locks::{LockState, LockView};
use crate::model::text::Text;

/// The numbers given so far.
#[derive(Debug, Default)]
pub struct Numbers {
    of: HashMap<Text, u32, RandomState>,
    names: Arc<Vec<Text>>,
    /// The place of each name among all names, where that is known.
    ranks: Vec<u32>,
}

/// Who holds a lock and who waits for it, by number.
#[derive(Debug, Clone)]
pub struct Line {
    pub(super) holder: u32,
    /// Whether the lock has expired: then it blocks nobody.
    pub(super) over: bool,
    pub(super) waiters: Box<[u32]>,
}

impl Numbers {
    /// How many names have a number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn number(&mut self, name: &Text) -> u32 {
        if let Some(number) = self.of.get(name) {
            return *number;
        }
        let number = small(self.names.len());
        Arc::make_mut(&mut self.names).push(name.clone());
        self.of.insert(name.clone(), number);
        number
    }

    /// The line of a lock.
    #[must_use]
    pub fn line(&mut self, view: &LockView) -> Line {
        let holder = self.number(&view.lock.holder_agent);
        Line {
            holder,
            over: view.state == LockState::Expired,
            waiters: view.waiters.iter().map(|waiter| self.number(&waiter.agent)).collect(),
        }
    }

    pub(super) fn names(&self) -> &Arc<Vec<Text>> {
        &self.names
    }

    /// The place of each name among all names.
    pub(super) fn ranks(&mut self) -> &[u32] {
        if self.ranks.len() != self.names.len() {
            let mut order: Vec<u32> = (0..small(self.names.len())).collect();
            order.sort_unstable_by(|a, b| self.names[*a as usize].cmp(&self.names[*b as usize]));
            self.ranks = vec![0; order.len()];
            for (rank, number) in (0..).zip(order) {
                self.ranks[number as usize] = rank;
            }
        }
        &self.ranks
    }
}

/// Places are counted in 32 bits: rows are many.
pub(super) fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
