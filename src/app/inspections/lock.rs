//! A lock.

use super::{as_of, findings, log_entries, messages, named_node};
use crate::app::inspect::Inspection;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Subject;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::messages::MessageState;
use crate::mesh::derive::queues::Confidence;
use crate::model::source::Aspect;
use crate::model::time::{Millis, short};
use crate::model::work::Work;
use crate::model::{Condition, LockTable};

/// Everything about a lock.
pub fn inspect(view: &LockView, snapshot: &Snapshot, now: Millis) -> Inspection {
    let lock = &view.lock;
    let leased = lock.table == LockTable::ExecLease;
    let mut page = Inspection::titled(format!("{} {}", if leased { "lease of" } else { "lock" }, view.name()));
    as_of(&mut page, view.as_of_ms, now);
    page.state("state", &view.state);
    if lock.table.is_fenced() || lock.fence_token.is_some() {
        page.opt("fence token", lock.fence_token);
    }
    if let Some(remark) = &lock.remark {
        page.field("remark", remark);
    }
    page.field("kind", if lock.shared { "shared by readers" } else { "exclusive" });
    page.instant("acquired", view.acquired_ms, now);
    match lock.condition {
        Some(Condition::OpenEnded) => page.field("runs out", "never: it is held until it is given up"),
        _ => page.instant("runs out", view.expires_ms, now),
    }
    if let Some(by) = &lock.ended_by {
        page.field("ended by", by);
    }
    page.field("repository", &lock.repository_id);
    page.field("read from", format!("{} in {}", lock.table, view.source));
    page.heading("Holder");
    if lock.holder_node.is_empty() && lock.holder_agent.is_empty() {
        page.text("nothing says who holds it", Role::Alert);
    } else {
        named_node(&mut page, snapshot, "node", (&lock.holder_node, &lock.repository_id), now);
        page.field("agent", &lock.holder_agent);
    }
    if let Some(lease) = &lock.lease_id {
        page.field("lease", lease);
    }
    queue(&mut page, view, snapshot, now);
    findings(&mut page, snapshot, |subject| matches!(subject, Subject::Lock(key) if *key == view.key()));
    history(&mut page, view, snapshot, now);
    let name = snapshot.names.canonical(view.lock.lock_key.raw());
    messages(&mut page, snapshot, "Messages that name it", now, |m| {
        m.state != MessageState::Acknowledged && m.message.payload.head.contains(name)
    });
    page
}

/// What this machine shows of work on it.
pub fn work(page: &mut Inspection, work: &Work, now: Millis) {
    page.heading("Work on it");
    match &work.changed {
        Some((file, at)) => {
            page.instant("newest change", Some(*at), now);
            page.field("of", file);
        }
        None => page.text("no file below it", Role::Dim),
    }
    match &work.committed {
        Some((commit, at)) => {
            page.instant("last commit", Some(*at), now);
            page.field("its name", commit);
        }
        None => page.text("no commit touched it, as far as git says", Role::Dim),
    }
}

/// Who waits, in order, and who is next.
fn queue(page: &mut Inspection, view: &LockView, snapshot: &Snapshot, now: Millis) {
    let exact = view.waiters.iter().all(|waiter| waiter.confidence == Confidence::Exact);
    let how = if exact && !view.waiters.is_empty() { "exact, first come first served" } else { "inferred" };
    page.heading(format!("Queue, {how} ({})", view.waiters.len()));
    if view.waiters.is_empty() {
        let lacking = snapshot.mesh.lacks(Aspect::Waiters);
        page.text(lacking.map_or_else(|| "no waiters known".into(), |lacking| format!("waiters {lacking}")), Role::Dim);
        return;
    }
    for (place, waiter) in view.waiters.iter().enumerate() {
        let waits = waiter.since_ms.map_or_else(|| "since unknown".into(), |at| format!("{} so far", short(now - at)));
        let evidence: Vec<_> = waiter.evidence.iter().map(ToString::to_string).collect();
        let line = format!("{}. agent {}, {waits}, confidence {}", place + 1, waiter.agent, waiter.confidence);
        page.text(line, Role::Warn);
        page.text(format!("     {}", evidence.join("; ")), Role::Dim);
    }
    let next = snapshot.next_in_line(view);
    let next = match next {
        Some(waiter) => format!("if it is freed now: agent {} is next in line", waiter.agent),
        None => "if it is freed now: nobody who waits is alive".into(),
    };
    page.text(next, Role::Accent);
    if !exact {
        page.text("nobody enforces it: whoever asks first gets it", Role::Dim);
    }
}

/// What the op-log and this console saw of it.
fn history(page: &mut Inspection, view: &LockView, snapshot: &Snapshot, now: Millis) {
    if let Some(fences) = &view.fences {
        page.heading("Holders seen by this console");
        for held in fences.changes.iter().rev() {
            let fence = match held.fence {
                Some(n) => format!(", fence {n}"),
                None if view.lock.table.is_fenced() => ", no fence".into(),
                None => String::new(),
            };
            let nobody = held.node.is_empty() && held.agent.is_empty();
            let who = if nobody { "nobody known".into() } else { format!("{}, agent {}", held.node, held.agent) };
            let line = format!("{who}{fence}, {} ago", short(now - held.at_ms));
            page.text(line, Role::Normal);
        }
        page.field("renewals seen", fences.renewals);
        if let Some(back) = &fences.back {
            let ago = short(now - back.at_ms);
            let line = format!("the fence went back from {} of {} to {}, {ago} ago", back.from, back.node, back.to);
            page.text(line, Role::Dead);
        }
    }
    let name = snapshot.names.canonical(view.lock.lock_key.raw());
    log_entries(page, snapshot, "Op-log", now, |l| l.is_about(name, &snapshot.names));
}
