//! The tree of blockers: whoever blocks stands above those it blocks.

use std::sync::Arc;

use super::{Made, Wait, WaitRow, Waits, reach, small};

/// Depth first from those who wait for nobody, then from circles; the worst blocker first. Each wait stands once.
pub(super) fn flatten(made: &Arc<Made>) -> Vec<WaitRow> {
    let Made { waits, components, component_of } = &**made;
    let totals = reach::held_up(waits, components, component_of);
    let agents = waits.agents.len();
    let mut waiting = vec![false; agents];
    waits.list.iter().for_each(|wait| waiting[wait.waiter()] = true);
    let mut roots: Vec<usize> = (0..agents).filter(|&agent| !waits.behind(agent).is_empty()).collect();
    roots.sort_by_key(|&agent| (waiting[agent], std::cmp::Reverse(totals[agent]), agent));
    let direct = direct(waits);
    let mut rows: Vec<WaitRow> = Vec::with_capacity(waits.list.len() + agents);
    let mut push = |agent: usize, depth: u32, wait: Option<Wait>| {
        let first = || waits.behind(agent).first().map(|&first| waits.list[first as usize]);
        let Some(shown) = wait.or_else(first) else { return };
        rows.push(WaitRow {
            order: small(rows.len()),
            depth,
            direct: direct[agent],
            total: small(totals[agent]),
            deadlocked: components.agents(component_of[agent]).len() > 1,
            made: made.clone(),
            agent: small(agent),
            lock: shown.lock,
            place: wait.map(|wait| wait.place),
        });
    };
    let mut shown = vec![false; waits.list.len()];
    // (wait, depth) still to be shown, the next one last.
    let mut open: Vec<(u32, u32)> = Vec::new();
    for root in roots {
        if waits.behind(root).iter().all(|&wait| shown[wait as usize]) {
            continue;
        }
        push(root, 0, None);
        open.extend(waits.behind(root).iter().rev().map(|&wait| (wait, 1)));
        while let Some((at, depth)) = open.pop() {
            if std::mem::replace(&mut shown[at as usize], true) {
                continue;
            }
            let wait = waits.list[at as usize];
            push(wait.waiter(), depth, Some(wait));
            let next = waits.behind(wait.waiter()).iter().rev().filter(|&&next| !shown[next as usize]);
            open.extend(next.map(|&next| (next, depth + 1)));
        }
    }
    rows
}

/// How many agents wait for each one.
fn direct(waits: &Waits) -> Vec<u32> {
    let mut seen = vec![usize::MAX; waits.agents.len()];
    let count = |agent: usize| {
        let waiters = waits.behind(agent).iter().map(|&wait| waits.list[wait as usize].waiter());
        // A waiter that was counted for this agent carries its number.
        small(waiters.filter(|&waiter| std::mem::replace(&mut seen[waiter], agent) != agent).count())
    };
    (0..waits.agents.len()).map(count).collect()
}
