//! `check`: the monitoring-plugins convention. One line, performance data, an exit code.

use crate::data::derive::Picture;
use crate::data::derive::findings::Severity;
use crate::data::derive::locks::LockState;
use crate::data::derive::messages::MessageState;
use crate::data::derive::sources::SourceHealth;
use crate::data::derive::staleness::Staleness;
use crate::data::derive::tasks::TaskState;

/// A plugin's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub line: String,
    /// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub code: u8,
}

/// Judges a picture. What was not seen is never called OK.
#[must_use]
pub fn check(picture: &Picture) -> Answer {
    let unheard = picture.sources.iter().filter(|s| s.health != SourceHealth::Live).count();
    let worst = picture.findings.first().map(|f| f.severity);
    let (word, code) = match worst {
        _ if unheard == picture.sources.len() => ("UNKNOWN", 3),
        Some(Severity::Critical) => ("CRITICAL", 2),
        Some(Severity::Warning) => ("WARNING", 1),
        _ if unheard > 0 => ("UNKNOWN", 3),
        _ => ("OK", 0),
    };
    let worries = picture.findings.iter().filter(|f| f.severity >= Severity::Warning).count();
    let said = match (code, picture.findings.first()) {
        (0, _) | (_, None) => format!("{} nodes, {} locks, nothing stuck", picture.nodes.len(), picture.locks.len()),
        (_, Some(first)) if worries > 1 => format!("{} (and {} more)", first.sentence, worries - 1),
        (_, Some(first)) => first.sentence.to_string(),
    };
    // The bar divides the text from the figures.
    let said = said.replace('|', "/");
    Answer { line: format!("LOCKKEEPER {word} - {said} | {}", figures(picture)), code }
}

fn figures(picture: &Picture) -> String {
    let silent = picture.nodes.iter().filter(|n| matches!(n.staleness, Staleness::Critical | Staleness::Dead)).count();
    let orphaned = picture.locks.iter().filter(|l| l.state == LockState::Orphaned).count();
    let waiting: usize = picture.locks.iter().map(|l| l.waiters.len()).sum();
    let pending = picture.messages.iter().filter(|m| m.state != MessageState::Acknowledged).count();
    let stuck =
        picture.messages.iter().filter(|m| matches!(m.state, MessageState::Stuck | MessageState::Poison)).count();
    let tasks = picture.tasks.iter().filter(|t| t.state == TaskState::Orphaned).count();
    format!(
        "nodes={} nodes_silent={silent} locks={} locks_orphaned={orphaned} waiters={waiting} messages={pending} \
         messages_stuck={stuck} tasks_orphaned={tasks}",
        picture.nodes.len(),
        picture.locks.len()
    )
}
