//! An event of a finding's life.

use crate::app::inspect::Inspection;
use crate::app::view_id::ViewId;
use crate::columns::role::{Role, State};
use crate::mesh::alarm::identity;
use crate::mesh::derive::Snapshot;
use crate::model::event::Event;
use crate::model::text::Text;
use crate::model::time::Millis;

/// Everything about an event.
pub fn inspect(event: &Event, snapshot: &Snapshot, now: Millis) -> Inspection {
    let mut page = Inspection::titled(format!("{} {}", event.kind, Text::new(&event.rule)));
    page.state("event", &event.kind);
    page.state("severity", &event.severity);
    page.text(Text::new(&event.sentence).to_string(), event.severity.role());
    page.instant("when", Some(event.at_ms), now);
    if let Some(by) = &event.by {
        page.field("by", Text::new(by).to_string());
    }
    if let Some(until) = event.until_ms {
        page.when("until", until, "");
    }
    page.field("raised", format!("{} times", event.times));
    page.heading("Now");
    match snapshot.findings.iter().find(|finding| identity(finding) == event.key) {
        Some(finding) => {
            page.link(
                ViewId::Findings,
                finding.key(),
                "finding",
                finding.sentence.to_string(),
                finding.severity.role(),
            );
        }
        None => page.text("it does not stand any more", Role::Dim),
    }
    page
}
