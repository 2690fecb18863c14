//! An attempt of the journal.

use crate::app::inspect::Inspection;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::model::journal::Entry;
use crate::model::text::Text;
use crate::model::time::Millis;

/// Everything about an attempt.
pub fn inspect(entry: &Entry, _: &Snapshot, now: Millis) -> Inspection {
    let mut page = Inspection::titled(entry.action.summary().to_string());
    match entry.kind {
        Some(kind) => page.state("outcome", &kind),
        None => page.text("its console ended before the outcome was written: it may have been done", Role::Unknown),
    }
    if !entry.summary.is_empty() {
        page.text(Text::new(&entry.summary).to_string(), Role::Title);
    }
    page.instant("tried", Some(entry.at_ms), now);
    page.field("operator", Text::new(&entry.operator));
    page.field("reason", if entry.reason.is_empty() { "none given".into() } else { Text::new(&entry.reason) });
    page.field("place", Text::new(&entry.source));
    let log = match (entry.audited, entry.lacks_audit()) {
        (true, _) => "has an entry of it",
        (false, true) => "has no entry of it yet: it is written when the place can be reached",
        (false, false) => "has no entry: nothing was done",
    };
    page.field("op-log", log);
    page.field("attempt", Text::new(&entry.id));
    page.field("plan", Text::new(&entry.plan));
    page.heading("Decided on");
    page.json(&serde_json::to_string(&entry.action).unwrap_or_default());
    for (name, value) in [("Before", &entry.before), ("After", &entry.after)] {
        if let Some(value) = value {
            page.heading(name);
            page.json(&value.to_string());
        }
    }
    page
}
