//! Who holds a lock, and who waits for it.

use super::{OfMesh, listed};
use crate::columns::{LOCKS, QUEUES};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::locks::{LockState, LockView};
use crate::model::time::{Millis, short};

/// Looks a lock up under any spelling of its name, in every table and repository.
pub fn answer(snapshot: &Snapshot, key: &str) -> OfMesh {
    let mut out = OfMesh::new(snapshot);
    let name = snapshot.names.canonical(key);
    let is_it = |view: &&LockView| snapshot.names.canonical(view.lock.lock_key.raw()) == name;
    let found: Vec<&LockView> = snapshot.holds().filter(is_it).collect();
    for view in &found {
        out.sentence(sentence(snapshot, view, snapshot.at_ms));
    }
    // One that ran out is there, and held by nobody.
    out.found = found.iter().any(|view| view.state != LockState::Expired);
    if found.is_empty() {
        out.sentence("nobody is seen to hold it");
    }
    out.add(&LOCKS, found.iter().copied());
    out.add(&QUEUES, found.iter().copied().filter(|view| !view.waiters.is_empty()));
    out
}

/// Who holds it, since when, and who is next.
pub fn sentence(snapshot: &Snapshot, view: &LockView, now: Millis) -> String {
    let lock = &view.lock;
    let holder = match (lock.holder_node.is_empty(), lock.holder_agent.is_empty()) {
        (false, false) => format!("{} (agent {}, {})", lock.holder_node, lock.holder_agent, view.holder_staleness),
        (false, true) => format!("{} ({})", lock.holder_node, view.holder_staleness),
        (true, false) => format!("agent {}", lock.holder_agent),
        (true, true) => "nobody known".to_owned(),
    };
    let held = view.held_ms(now).map(|ms| format!(" for {}", short(ms))).unwrap_or_default();
    let fence = lock.fence_token.map(|fence| format!(", fence {fence}")).unwrap_or_default();
    let old = if view.as_of_ms.is_some() { ", as of the last answer of its source" } else { "" };
    let waits = match (view.waiters.len(), view.longest_wait_ms(now)) {
        (0, _) => String::new(),
        (n, longest) => {
            let longest = longest.map(|ms| format!(" (longest {})", short(ms))).unwrap_or_default();
            let next = snapshot.next_in_line(view).map(|next| format!("; agent {} is next", next.agent));
            let who = listed(view.waiters.iter().map(|waiter| &waiter.agent));
            format!("; {n} wait{longest}: {who}{}", next.unwrap_or_default())
        }
    };
    format!("{}: {}, held by {holder}{held}{fence}{old}{waits}", view.name(), view.state)
}
