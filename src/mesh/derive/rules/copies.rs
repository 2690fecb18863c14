//! Copies of messages that operators delivered, where more than one agent may run the work.

use std::collections::BTreeMap;

use super::super::messages::MessageView;
use super::super::thresholds::Thresholds;
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;
use crate::model::time::{Millis, SECOND};

/// A console that gives a message to another agent needs a moment between its steps.
const MOMENT: Millis = 10 * SECOND;

/// An operator's steps were not all done, or two operators acted at once.
pub(super) fn several(snapshot: &Snapshot, _: &Thresholds, found: &mut Vec<Finding>) {
    let mut by_original: BTreeMap<(i64, Millis), Vec<&MessageView>> = BTreeMap::new();
    for view in &snapshot.marked.copies {
        if let Some(original) = view.original() {
            by_original.entry(original).or_default().push(view);
        }
    }
    for (original, mut all) in by_original {
        let fresh = |view: &&MessageView| view.age_ms(snapshot.at_ms).is_some_and(|age| age < MOMENT);
        if all.iter().any(fresh) {
            continue;
        }
        let is_original = |view: &&MessageView| (view.message.id, view.message.created_at_ms.unwrap_or(0)) == original;
        all.extend(snapshot.messages.iter().filter(|view| view.waits_in_plane()).filter(is_original));
        let mut agents: Vec<&Text> = all.iter().map(|view| &view.message.receiver_agent).collect();
        agents.sort_unstable();
        agents.dedup();
        if agents.len() < 2 {
            continue;
        }
        let names: Vec<&str> = agents.iter().map(|agent| agent.as_str()).collect();
        let id = original.0;
        let sentence = format!("message {id}: waiting for {} agents at once ({})", names.len(), names.join(", "));
        let mut evidence: Vec<Text> = all.iter().map(|view| line(view, id)).collect();
        evidence.sort_unstable();
        evidence.dedup();
        evidence.push("acknowledge it for all but one, or each agent runs it".into());
        let subject = Subject::Message(all[0].key());
        found.push(finding(Severity::Warning, subject, &format!("message {id}").into(), sentence, evidence));
    }
}

fn line(view: &MessageView, original: i64) -> Text {
    let m = &view.message;
    let what = if m.id == original { "the original" } else { "a copy" };
    let since = view.created_ms.map_or_else(|| "unknown".into(), time::utc);
    format!("{what}, message {}, waits for agent {} since {since}", m.id, m.receiver_agent).into()
}
