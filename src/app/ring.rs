//! A deadlock as a ring: who waits for whom, through which lock, and which release cuts it. Pure.

use unicode_width::UnicodeWidthStr as _;

use crate::columns::role::Role;
use crate::mesh::derive::graph::{Deadlock, WaitGraph, WaitRow};
use crate::mesh::derive::locks::LockView;
use crate::model::text::{Text, fit_middle};
use crate::model::time::{Millis, short};

/// A line of the ring.
pub type Line = Vec<(String, Role)>;

/// A wait within a deadlock.
struct Edge<'a> {
    row: &'a WaitRow,
    /// Its release breaks the deadlock, with the others that do.
    cuts: bool,
}

/// Rows that are looked through for a circle: every frame asks for it.
const ROWS: usize = 2_000;

/// One circle of a deadlock, from the wait that is to be cut on. Nothing where the rows do not show it whole, or are many.
fn circle<'a>(waits: &'a WaitGraph, deadlock: &Deadlock) -> Option<Vec<Edge<'a>>> {
    if waits.rows().len() > ROWS {
        return None;
    }
    let of = |agent: &Text| {
        let mut rows = waits.rows().iter().filter(|row| {
            row.waits() && row.agent() == agent && deadlock.agents.contains(&row.lock().lock.holder_agent)
        });
        let cuts = |row: &&WaitRow| deadlock.breaks.iter().any(|(key, _)| *key == row.lock().key());
        // Through a lock that is to be released, where there is one.
        rows.clone().find(cuts).or_else(|| rows.next()).map(|row| Edge { row, cuts: cuts(&row) })
    };
    let mut path: Vec<Edge<'a>> = Vec::new();
    let mut agent = deadlock.agents.first()?;
    loop {
        if let Some(begins) = path.iter().position(|edge| edge.row.agent() == agent) {
            path.drain(..begins);
            break;
        }
        let edge = of(agent)?;
        agent = &edge.row.lock().lock.holder_agent;
        path.push(edge);
    }
    let first = path.iter().position(|edge| edge.cuts).unwrap_or(0);
    path.rotate_left(first);
    Some(path)
}

/// An agent of a circle, and what it waits for.
pub struct Step<'a> {
    pub agent: &'a Text,
    pub lock: &'a LockView,
    pub since_ms: Option<Millis>,
    /// Its release breaks the deadlock.
    pub cuts: bool,
}

/// One circle of a deadlock, from the wait that is to be cut on; empty where none is known.
#[must_use]
pub fn steps<'a>(waits: &'a WaitGraph, deadlock: &Deadlock) -> Vec<Step<'a>> {
    let step = |edge: Edge<'a>| Step {
        agent: edge.row.agent(),
        lock: edge.row.lock(),
        since_ms: edge.row.since_ms(),
        cuts: edge.cuts,
    };
    circle(waits, deadlock).unwrap_or_default().into_iter().map(step).collect()
}

/// The ring in lines of a width: two for each agent, and one that closes it. None where no circle is known.
#[must_use]
pub fn lines(waits: &WaitGraph, deadlock: &Deadlock, width: usize, now: Millis) -> Vec<Line> {
    let Some(circle) = circle(waits, deadlock) else { return Vec::new() };
    let mut lines = Vec::new();
    for (place, edge) in circle.iter().enumerate() {
        let corner = if place == 0 { "╭▸ " } else { "├▸ " };
        lines.push(vec![(corner.to_owned(), Role::Dead), (format!("agent {}", edge.row.agent()), Role::Title)]);
        let since = edge.row.since_ms().map(|at| format!("{} ", short(now - at))).unwrap_or_default();
        let cut = if edge.cuts { "  ✂ release this" } else { "" };
        let before = format!("waits {since}for ");
        let room = width.saturating_sub(before.width() + cut.width() + 6);
        let name = edge.row.lock().name();
        lines.push(vec![
            ("│    ".to_owned(), Role::Dead),
            (before, Role::Normal),
            (fit_middle(name.as_str(), room).into_owned(), Role::Warn),
            (cut.to_owned(), Role::Accent),
        ]);
    }
    let back = circle.first().map(|edge| format!(" held by agent {}", edge.row.agent())).unwrap_or_default();
    lines.push(vec![("╰──".to_owned(), Role::Dead), (back, Role::Dim)]);
    lines
}

/// The deadlock in one line that stays whole: the agents, and what to release.
#[must_use]
pub fn one_line(waits: &WaitGraph, deadlock: &Deadlock, width: usize) -> Line {
    let agents: Vec<&Text> = match circle(waits, deadlock) {
        Some(circle) => circle.iter().map(|edge| edge.row.agent()).collect(),
        None => deadlock.agents.iter().collect(),
    };
    let lock = deadlock.breaks.first().map(|(_, name)| name.to_string()).unwrap_or_default();
    let more = deadlock.breaks.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let said = |n: usize| {
        let named = agents.iter().take(n).map(|agent| agent.as_str()).collect::<Vec<_>>().join(" ▸ ");
        let hidden = agents.len() - n;
        let rest = if hidden > 0 { format!(" ▸ {hidden} more") } else { String::new() };
        format!("✖ deadlock {named}{rest} ▸ {}: release ", agents.first().map_or("", |agent| agent.as_str()))
    };
    // Agents give way to the lock, which is what is acted on.
    let least = lock.width().min(16) + more.width();
    // An agent takes four columns at least.
    let most = agents.len().min(width / 4 + 1);
    let n = (1..=most).rev().find(|n| said(*n).width() + least <= width).unwrap_or(1);
    let head = said(n);
    let room = width.saturating_sub(head.width() + more.width());
    vec![(head, Role::Dead), (format!("{}{more}", fit_middle(&lock, room)), Role::Warn)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, deadlock_of, snapshot};

    fn text(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.iter().map(|(text, _)| text.as_str()).collect()).collect()
    }

    #[test]
    fn a_ring_is_closed_and_says_what_to_release() {
        for n in [2, 3, 12] {
            let p = snapshot(deadlock_of(n), NOW);
            let [deadlock] = p.waits.deadlocks.as_slice() else { panic!("{:?}", p.waits.deadlocks) };
            let ring = text(&lines(&p.waits, deadlock, 60, NOW));
            assert_eq!(ring.len(), 2 * n + 1, "{ring:?}");
            assert!(ring[0].starts_with("╭▸ agent ") && ring[2 * n].starts_with("╰──"), "{ring:?}");
            assert_eq!(ring.iter().filter(|line| line.contains("✂ release this")).count(), 1, "{ring:?}");
            assert!(ring.iter().all(|line| line.width() <= 60), "{ring:?}");
            let line = text(&[one_line(&p.waits, deadlock, 60)]).remove(0);
            assert!(line.width() <= 60 && line.contains("release "), "{line}");
            assert!(!line.ends_with("release "), "{line}");
        }
    }
}
