//! An agent in the wait-for graph.

use super::log_entries;
use crate::app::inspect::Inspection;
use crate::app::ring;
use crate::app::view_id::ViewId;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::graph::WaitRow;
use crate::model::time::Millis;

/// Columns that a ring is drawn in.
const RING: usize = 60;

/// Everything about a wait: what it is for, what the agent holds itself, and how to break a deadlock.
pub fn inspect(row: &WaitRow, snapshot: &Snapshot, now: Millis) -> Inspection {
    let mut page = Inspection::titled(format!("agent {}", row.agent()));
    page.field("blocks directly", row.direct);
    page.field("blocks in all", row.total);
    let lock = |page: &mut Inspection, view: &crate::mesh::derive::locks::LockView| {
        let value = format!(
            "{} {}, held by agent {}, {} wait",
            view.state.glyph(),
            view.state,
            view.lock.holder_agent,
            view.waiters.len()
        );
        page.link(ViewId::Locks, view.key(), view.name().to_string(), value, view.state.role());
    };
    page.heading("Waits for, inferred");
    let mut waits = 0;
    for other in snapshot.waits.rows().iter().filter(|r| r.waits() && r.agent() == row.agent()) {
        // The graph keeps a lock as it was when the wait began.
        let key = other.lock().key();
        let fresh = snapshot.marked.contended.iter().find(|view| view.key() == key);
        lock(&mut page, fresh.map_or(other.lock(), |view| view));
        page.instant("since", other.since_ms(), now);
        other.evidence().iter().for_each(|line| page.text(line.to_string(), Role::Normal));
        waits += 1;
    }
    if waits == 0 {
        page.text("nobody that is known", Role::Dim);
    }
    page.heading("Holds");
    for view in snapshot.locks.iter().filter(|l| l.lock.holder_agent == *row.agent()) {
        lock(&mut page, view);
    }
    for deadlock in snapshot.waits.deadlocks.iter().filter(|d| d.agents.contains(row.agent())) {
        page.heading("Deadlock");
        let line = ring::one_line(&snapshot.waits, deadlock, RING);
        let ring = ring::lines(&snapshot.waits, deadlock, RING, now);
        for line in if ring.is_empty() { vec![line] } else { ring } {
            let role = line.iter().map(|(_, role)| *role).find(|role| *role == Role::Accent).unwrap_or(Role::Dead);
            page.text(line.into_iter().map(|(text, _)| text).collect::<String>(), role);
        }
        page.text("the smallest set of locks whose release breaks it:", Role::Normal);
        for (key, name) in &deadlock.breaks {
            page.link(ViewId::Locks, key.clone(), name.to_string(), "", Role::Dead);
        }
    }
    log_entries(&mut page, snapshot, "Op-log of the agent", now, |l| l.entry.agent_id == *row.agent());
    page
}
