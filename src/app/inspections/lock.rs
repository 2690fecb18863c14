//! A lock.

use super::{as_of, findings, log_entries, messages, node_link};
use crate::app::inspect::Inspection;
use crate::app::role::Role;
use crate::data::derive::Picture;
use crate::data::derive::findings::Subject;
use crate::data::derive::locks::LockView;
use crate::data::derive::messages::MessageState;
use crate::data::derive::resource::canonical;
use crate::data::model::LockTable;
use crate::time::{Millis, short};

/// Everything about a lock.
pub fn inspect(view: &LockView, picture: &Picture, now: Millis) -> Inspection {
    let lock = &view.lock;
    let leased = lock.table == LockTable::ExecLease;
    let mut page = Inspection::titled(format!("{} {}", if leased { "lease of" } else { "lock" }, lock.lock_key));
    as_of(&mut page, view.as_of_ms, now);
    page.state("state", &view.state);
    if !leased {
        page.opt("fence token", lock.fence_token);
    }
    page.field("kind", if lock.shared { "shared by readers" } else { "exclusive" });
    page.instant("acquired", view.acquired_ms, now);
    page.instant("runs out", view.expires_ms, now);
    page.field("repository", &lock.repository_id);
    page.field("read from", format!("{} in {}", lock.table, view.source));
    page.heading("Holder");
    node_link(&mut page, picture, "node", &lock.holder_node, now);
    page.field("agent", &lock.holder_agent);
    if let Some(lease) = &lock.lease_id {
        page.field("lease", lease);
    }
    page.heading(format!("Queue, inferred ({})", view.waiters.len()));
    if view.waiters.is_empty() {
        page.text("no waiters known", Role::Dim);
    }
    for (place, waiter) in view.waiters.iter().enumerate() {
        let waits = waiter.since_ms.map_or_else(|| "since unknown".into(), |at| format!("{} so far", short(now - at)));
        let evidence: Vec<_> = waiter.evidence.iter().map(ToString::to_string).collect();
        page.text(format!("{}. agent {}, {waits} ({})", place + 1, waiter.agent, evidence.join("; ")), Role::Warn);
    }
    findings(&mut page, picture, |subject| matches!(subject, Subject::Lock(key) if *key == view.key()));
    let name = canonical(lock.lock_key.raw());
    messages(&mut page, picture, "Messages that name it", now, |m| {
        m.state != MessageState::Acknowledged && m.message.payload.head.contains(name)
    });
    log_entries(&mut page, picture, "Op-log entries that name it", now, |l| l.entry.kind_json.contains(name));
    page
}
