//! `check`: the monitoring-plugins convention. One line, performance data, an exit code.

use clap::CommandFactory as _;

use super::cli::Cli;
use crate::mesh::derive::Snapshot;
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
struct Checked {
    word: &'static str,
    code: u8,
    summary: String,
}

/// Whether a command line that cannot be understood means `check`.
#[must_use]
pub fn is_asked_for() -> bool {
    let command = Cli::command();
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let mut words = std::env::args().skip(1);
    words.find(|word| names.contains(&word.as_str())).is_some_and(|word| word == "check")
}

/// Evaluates a mesh. What was not seen is never called OK.
#[must_use]
pub fn check(snapshot: &Snapshot) -> Answer {
    check_all(std::slice::from_ref(snapshot))
}

/// Evaluates meshes: the worst is said, then the others that are not well.
#[must_use]
pub fn check_all(snapshots: &[Snapshot]) -> Answer {
    let several = snapshots.len() > 1;
    let evaluated: Vec<(String, Checked)> = snapshots
        .iter()
        .map(|snapshot| (if several { format!("{}: ", snapshot.mesh.name) } else { String::new() }, evaluate(snapshot)))
        .collect();
    // What is not known is worse than a warning, and not as bad as what is known to be critical.
    let rank = |code: u8| [0, 1, 3, 2][usize::from(code.min(3))];
    let worst = evaluated.iter().map(|(_, evaluated)| evaluated).max_by_key(|evaluated| rank(evaluated.code));
    let (word, code) = worst.map_or(("UNKNOWN", 3), |evaluated| (evaluated.word, evaluated.code));
    let mut shown: Vec<&(String, Checked)> =
        evaluated.iter().filter(|(_, evaluated)| evaluated.code > 0 || code == 0).collect();
    shown.sort_by_key(|(_, evaluated)| std::cmp::Reverse(rank(evaluated.code)));
    let text: Vec<String> = shown.iter().map(|(mesh, evaluated)| format!("{mesh}{}", evaluated.summary)).collect();
    // The bar divides the text from the figures.
    let text = text.join("; ").replace('|', "/");
    let figures: Vec<String> = snapshots
        .iter()
        .map(|snapshot| figures(snapshot, &if several { label(snapshot.mesh.name.as_str()) } else { String::new() }))
        .collect();
    Answer { line: format!("LOCKKEEPER {word} - {text} | {}", figures.join(" ")), code }
}

/// A mesh's name before the name of a figure, without what would end that.
fn label(mesh: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
    mesh.chars().map(safe).chain(['.']).collect()
}

fn evaluate(snapshot: &Snapshot) -> Checked {
    let silent = snapshot.sources.iter().filter(|s| s.health != SourceHealth::Live).count();
    let unseen = snapshot.unseen();
    let worst = snapshot.findings.first().map(|f| f.severity);
    let nameless = snapshot.only.as_ref().and_then(Only::unknown);
    let (word, code) = match worst {
        _ if silent == snapshot.sources.len() => ("UNKNOWN", 3),
        _ if nameless.is_some() => ("UNKNOWN", 3),
        Some(Severity::Critical) => ("CRITICAL", 2),
        Some(Severity::Warning) => ("WARNING", 1),
        _ if !unseen.is_empty() => ("UNKNOWN", 3),
        _ => ("OK", 0),
    };
    let worries = snapshot.findings.iter().filter(|f| f.severity >= Severity::Warning).count();
    let summary = match (code, snapshot.findings.first()) {
        (3, _) if nameless.is_some() && silent < snapshot.sources.len() => nameless.unwrap_or_default(),
        (0, _) | (_, None) => format!("{} nodes, {} locks, nothing stuck", snapshot.nodes.len(), snapshot.locks.len()),
        (3, _) if !unseen.is_empty() => {
            let all: Vec<String> = unseen.iter().map(ToString::to_string).collect();
            format!("not all is seen: {}", all.join("; "))
        }
        (_, Some(first)) if worries > 1 => format!("{} (and {} more)", first.sentence, worries - 1),
        (_, Some(first)) => first.sentence.to_string(),
    };
    Checked { word, code, summary }
}

fn figures(snapshot: &Snapshot, of: &str) -> String {
    let silent = snapshot.nodes.iter().filter(|n| matches!(n.staleness, Staleness::Critical | Staleness::Dead)).count();
    let orphaned = snapshot.locks.iter().filter(|l| l.state == LockState::Orphaned).count();
    let waiting: usize = snapshot.locks.iter().map(|l| l.waiters.len()).sum();
    let pending = snapshot.messages.iter().filter(|m| m.state != MessageState::Acknowledged).count();
    let stuck =
        snapshot.messages.iter().filter(|m| matches!(m.state, MessageState::Stuck | MessageState::Poison)).count();
    let tasks = snapshot.tasks.iter().filter(|t| t.state == TaskState::Orphaned).count();
    format!(
        "{of}nodes={} {of}nodes_silent={silent} {of}locks={} {of}locks_orphaned={orphaned} {of}waiters={waiting} \
         {of}messages={pending} {of}messages_stuck={stuck} {of}tasks_orphaned={tasks}",
        snapshot.nodes.len(),
        snapshot.locks.len()
    )
}
