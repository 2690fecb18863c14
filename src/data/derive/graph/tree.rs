//! The tree of blockers: whoever blocks stands above those it blocks.

use std::sync::Arc;

use super::{Wait, WaitRow, Waits};
use crate::data::derive::locks::LockView;

/// What a tree is made from.
pub(super) struct Tree<'a> {
    pub locks: &'a Arc<[LockView]>,
    pub waits: &'a Waits<'a>,
    pub totals: &'a [usize],
    pub deadlocked: &'a [bool],
}

impl Tree<'_> {
    /// Depth first from those who wait for nobody, then from circles; the worst blocker first. Each wait stands once.
    pub(super) fn flatten(&self) -> Vec<WaitRow> {
        let waits = self.waits;
        let agents = waits.agents.len();
        let mut waiting = vec![false; agents];
        waits.list.iter().for_each(|wait| waiting[wait.waiter] = true);
        let mut roots: Vec<usize> = (0..agents).filter(|&agent| !waits.behind(agent).is_empty()).collect();
        roots.sort_by_key(|&agent| (waiting[agent], std::cmp::Reverse(self.totals[agent]), agent));
        let mut rows = Rows::new(self);
        let mut shown = vec![false; waits.list.len()];
        // (wait, depth) still to be shown, the next one last.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for root in roots {
            if waits.behind(root).iter().all(|&wait| shown[wait]) {
                continue;
            }
            rows.push(root, 0, None);
            open.extend(waits.behind(root).iter().rev().map(|&wait| (wait, 1)));
            while let Some((wait, depth)) = open.pop() {
                if std::mem::replace(&mut shown[wait], true) {
                    continue;
                }
                let waiter = waits.list[wait].waiter;
                rows.push(waiter, depth, Some(waits.list[wait]));
                let next = waits.behind(waiter).iter().rev().filter(|&&next| !shown[next]);
                open.extend(next.map(|&next| (next, depth + 1)));
            }
        }
        rows.all
    }
}

/// The rows so far.
struct Rows<'a> {
    tree: &'a Tree<'a>,
    all: Vec<WaitRow>,
    direct: Vec<usize>,
}

impl<'a> Rows<'a> {
    fn new(tree: &'a Tree<'a>) -> Self {
        let waits = tree.waits;
        let mut seen = vec![usize::MAX; waits.agents.len()];
        let count = |agent: usize| {
            let waiters = waits.behind(agent).iter().map(|&wait| waits.list[wait].waiter);
            // A waiter that was counted for this agent carries its number.
            waiters.filter(|&waiter| std::mem::replace(&mut seen[waiter], agent) != agent).count()
        };
        let direct = (0..waits.agents.len()).map(count).collect();
        Self { tree, all: Vec::with_capacity(waits.list.len() + waits.agents.len()), direct }
    }

    fn push(&mut self, agent: usize, depth: usize, wait: Option<Wait>) {
        let waits = self.tree.waits;
        let Some(shown) = wait.or_else(|| waits.behind(agent).first().map(|&first| waits.list[first])) else { return };
        self.all.push(WaitRow {
            order: self.all.len(),
            depth,
            direct: self.direct[agent],
            total: self.tree.totals[agent],
            deadlocked: self.tree.deadlocked[agent],
            agents: waits.agents.clone(),
            locks: self.tree.locks.clone(),
            agent,
            lock: shown.lock,
            place: wait.map(|wait| wait.place),
        });
    }
}
