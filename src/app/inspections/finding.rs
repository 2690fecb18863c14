//! A finding.

use crate::app::inspect::Inspection;
use crate::app::view_id::ViewId;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Finding;
use crate::mesh::derive::rules::RULES;
use crate::model::time::{Millis, short};

/// Everything about a finding.
pub fn inspect(finding: &Finding, snapshot: &Snapshot, now: Millis) -> Inspection {
    let mut page = Inspection::titled(format!("finding {}", finding.rule));
    page.state("severity", &finding.severity);
    page.text(finding.sentence.to_string(), Role::Title);
    let own = snapshot.mesh.sources.iter().flat_map(|source| source.identity.rules);
    let all = RULES.iter().map(|rule| (rule.name, rule.summary)).chain(own.map(|rule| (rule.name, rule.summary)));
    if let Some((name, summary)) = all.into_iter().find(|(name, _)| *name == finding.rule) {
        page.field("rule", format!("{name}: {summary}"));
    }
    if let Some(life) = &finding.life {
        let rest = format!("  {} ago, {} times", short(now - life.raised_ms), life.times);
        page.when("raised", life.raised_ms, &rest);
        if let Some(ack) = &life.acknowledged {
            page.field("acknowledged by", &ack.by);
            match ack.until_ms {
                Some(until) => page.when("until", until, ""),
                None => page.field("until", "it is cleared"),
            }
        }
    }
    page.heading("Evidence");
    for line in &finding.evidence {
        page.text(line.to_string(), Role::Normal);
    }
    if finding.evidence.is_empty() {
        page.text("none beyond the sentence", Role::Dim);
    }
    let view = ViewId::of(&finding.subject).unwrap_or(ViewId::Overview);
    page.heading("About");
    page.link(view, finding.subject.key().to_owned(), finding.subject.kind(), finding.name.to_string(), Role::Normal);
    page
}
