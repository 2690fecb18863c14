//! `check`: the monitoring-plugins convention. One line, performance data, an exit code.

use crate::mesh::derive::Picture;
use crate::mesh::derive::locks::LockState;
use crate::mesh::derive::messages::MessageState;
use crate::mesh::derive::scope::Only;
use crate::mesh::derive::sources::SourceHealth;
use crate::mesh::derive::staleness::Staleness;
use crate::mesh::derive::tasks::TaskState;
use crate::model::severity::Severity;

/// A plugin's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub line: String,
    /// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub code: u8,
}

/// What is known of a mesh.
struct Judged {
    word: &'static str,
    code: u8,
    says: String,
}

/// Judges a mesh. What was not seen is never called OK.
#[must_use]
pub fn check(picture: &Picture) -> Answer {
    check_all(std::slice::from_ref(picture))
}

/// Judges meshes: the worst is said, then the others that are not well.
#[must_use]
pub fn check_all(pictures: &[Picture]) -> Answer {
    let several = pictures.len() > 1;
    let judged: Vec<(String, Judged)> = pictures
        .iter()
        .map(|picture| (if several { format!("{}: ", picture.mesh.name) } else { String::new() }, judge(picture)))
        .collect();
    // What is not known is worse than a warning, and not as bad as what is known to be critical.
    let rank = |code: u8| [0, 1, 3, 2][usize::from(code.min(3))];
    let worst = judged.iter().map(|(_, judged)| judged).max_by_key(|judged| rank(judged.code));
    let (word, code) = worst.map_or(("UNKNOWN", 3), |judged| (judged.word, judged.code));
    let mut shown: Vec<&(String, Judged)> = judged.iter().filter(|(_, judged)| judged.code > 0 || code == 0).collect();
    shown.sort_by_key(|(_, judged)| std::cmp::Reverse(rank(judged.code)));
    let said: Vec<String> = shown.iter().map(|(mesh, judged)| format!("{mesh}{}", judged.says)).collect();
    // The bar divides the text from the figures.
    let said = said.join("; ").replace('|', "/");
    let figures: Vec<String> = pictures
        .iter()
        .map(|picture| figures(picture, &if several { label(picture.mesh.name.as_str()) } else { String::new() }))
        .collect();
    Answer { line: format!("LOCKKEEPER {word} - {said} | {}", figures.join(" ")), code }
}

/// A mesh's name before the name of a figure, without what would end that.
fn label(mesh: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
    mesh.chars().map(safe).chain(['.']).collect()
}

fn judge(picture: &Picture) -> Judged {
    let unheard = picture.sources.iter().filter(|s| s.health != SourceHealth::Live).count();
    let unseen = picture.unseen();
    let worst = picture.findings.first().map(|f| f.severity);
    let nameless = picture.only.as_ref().and_then(Only::unknown);
    let (word, code) = match worst {
        _ if unheard == picture.sources.len() => ("UNKNOWN", 3),
        _ if nameless.is_some() => ("UNKNOWN", 3),
        Some(Severity::Critical) => ("CRITICAL", 2),
        Some(Severity::Warning) => ("WARNING", 1),
        _ if !unseen.is_empty() => ("UNKNOWN", 3),
        _ => ("OK", 0),
    };
    let worries = picture.findings.iter().filter(|f| f.severity >= Severity::Warning).count();
    let says = match (code, picture.findings.first()) {
        (3, _) if nameless.is_some() && unheard < picture.sources.len() => nameless.unwrap_or_default(),
        (0, _) | (_, None) => format!("{} nodes, {} locks, nothing stuck", picture.nodes.len(), picture.locks.len()),
        (3, _) if !unseen.is_empty() => {
            let all: Vec<String> = unseen.iter().map(ToString::to_string).collect();
            format!("not all is seen: {}", all.join("; "))
        }
        (_, Some(first)) if worries > 1 => format!("{} (and {} more)", first.sentence, worries - 1),
        (_, Some(first)) => first.sentence.to_string(),
    };
    Judged { word, code, says }
}

fn figures(picture: &Picture, of: &str) -> String {
    let silent = picture.nodes.iter().filter(|n| matches!(n.staleness, Staleness::Critical | Staleness::Dead)).count();
    let orphaned = picture.locks.iter().filter(|l| l.state == LockState::Orphaned).count();
    let waiting: usize = picture.locks.iter().map(|l| l.waiters.len()).sum();
    let pending = picture.messages.iter().filter(|m| m.state != MessageState::Acknowledged).count();
    let stuck =
        picture.messages.iter().filter(|m| matches!(m.state, MessageState::Stuck | MessageState::Poison)).count();
    let tasks = picture.tasks.iter().filter(|t| t.state == TaskState::Orphaned).count();
    format!(
        "{of}nodes={} {of}nodes_silent={silent} {of}locks={} {of}locks_orphaned={orphaned} {of}waiters={waiting} \
         {of}messages={pending} {of}messages_stuck={stuck} {of}tasks_orphaned={tasks}",
        picture.nodes.len(),
        picture.locks.len()
    )
}
