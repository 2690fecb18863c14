//! The mesh's state in one sentence: what the top line, the wall and the window's title say.

use std::cmp::Reverse;

use super::App;
use crate::app::workspace::Workspace;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::Finding;
use crate::mesh::derive::scope::Only;
use crate::mesh::derive::sources::SourceHealth;
use crate::model::severity::Severity;
use crate::model::time::{Millis, short};

/// A status: what is said, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshStatus {
    pub glyph: char,
    pub summary: String,
    pub role: Role,
    urgency: Urgency,
}

/// What is said first where there is much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Well,
    Acknowledged,
    Starting,
    NoAnswer,
    Warning,
    Critical,
}

impl MeshStatus {
    fn new(glyph: char, summary: impl Into<String>, role: Role, urgency: Urgency) -> Self {
        Self { glyph, summary: summary.into(), role, urgency }
    }

    /// Glyph and sentence.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.glyph, self.summary)
    }
}

impl App {
    /// The status of the meshes, as far as known, in a line. Where the newest snapshot is not of now, that is the status.
    #[must_use]
    pub fn status(&self) -> (String, Role) {
        // In the past it is what it was; what is wrong now is said beside it.
        let is_past = self.past().is_some();
        let workspace = if is_past { &self.workspace } else { self.latest() };
        if let Some((mesh, since_ms)) = self.stalled().filter(|_| !is_past) {
            return nothing_since(&workspace.prefix(mesh), since_ms, self.now_ms);
        }
        if !workspace.has_answer() {
            return ("· starting".into(), Role::Dim);
        }
        let status = status(workspace);
        let worries: usize = workspace.snapshots().map(|(_, p)| p.counts.critical + p.counts.warnings).sum();
        let open = matches!(status.urgency, Urgency::Warning | Urgency::Critical);
        let more = if open && worries > 1 { format!("  (+{} more)", worries - 1) } else { String::new() };
        (status.line() + &more, status.role)
    }
}

/// What is said where there is no snapshot of now.
#[must_use]
pub fn nothing_since(of: &str, since_ms: Millis, now_ms: Millis) -> (String, Role) {
    (format!("✖ {of}no data for {}", short(now_ms - since_ms)), Role::Dead)
}

/// The status on all meshes: that of the one that is worst off, by name where there are several.
#[must_use]
pub fn status(workspace: &Workspace) -> MeshStatus {
    let Some((mesh, mut worst)) = worst_first(workspace).into_iter().next() else { return starting() };
    if worst.urgency != Urgency::Well {
        worst.summary.insert_str(0, &workspace.prefix(mesh));
    }
    worst
}

/// The status on each mesh, the worst first; of two that are as bad, in the order of the meshes.
#[must_use]
pub fn worst_first(workspace: &Workspace) -> Vec<(usize, MeshStatus)> {
    let mut all: Vec<(usize, MeshStatus)> = (0..workspace.len()).map(|mesh| (mesh, of_mesh(workspace, mesh))).collect();
    all.sort_by_key(|(_, status)| Reverse(status.urgency));
    all
}

fn of_mesh(workspace: &Workspace, mesh: usize) -> MeshStatus {
    workspace.snapshot(mesh).map_or_else(starting, |snapshot| of_snapshot(snapshot))
}

fn starting() -> MeshStatus {
    MeshStatus::new('·', "waiting for the first answers", Role::Dim, Urgency::Starting)
}

/// The status on a mesh. What somebody knows of comes after what nobody does.
#[must_use]
pub fn of_snapshot(snapshot: &Snapshot) -> MeshStatus {
    let answered = snapshot.sources.iter().any(|s| s.health != SourceHealth::Starting);
    if !answered {
        return starting();
    }
    if let Some(summary) = snapshot.only.as_ref().and_then(Only::unknown) {
        return MeshStatus::new('▲', summary, Role::Warn, Urgency::Warning);
    }
    let worries = snapshot.counts.critical + snapshot.counts.warnings;
    let not_live = snapshot.sources.iter().position(|s| s.health != SourceHealth::Live);
    match (first_open(snapshot), not_live) {
        (Some(first), _) => {
            let urgency = if first.severity == Severity::Critical { Urgency::Critical } else { Urgency::Warning };
            MeshStatus::new(first.severity.glyph(), first.sentence.to_string(), first.severity.role(), urgency)
        }
        (None, _) if worries > 0 => {
            let first = snapshot.findings.first().map(|first| first.sentence.to_string()).unwrap_or_default();
            let summary = format!("{worries} acknowledged: {first}");
            MeshStatus::new('◐', summary, Role::Warn, Urgency::Acknowledged)
        }
        (None, Some(_)) if snapshot.sources.iter().any(|s| s.health == SourceHealth::Starting) => {
            MeshStatus::new('·', "waiting for some sources", Role::Dim, Urgency::Starting)
        }
        // It may be nothing; but nobody can say that all is well while somebody does not answer.
        (None, Some(at)) => {
            let name = snapshot.mesh.sources.get(at).map(|source| source.identity.name.to_string());
            let summary = format!("{}: last poll failed", name.unwrap_or_default());
            MeshStatus::new('◐', summary, Role::Warn, Urgency::NoAnswer)
        }
        (None, None) if snapshot.mesh.sources.iter().any(|source| !source.unseen.is_empty()) => {
            let first = snapshot.mesh.sources.iter().find(|source| !source.unseen.is_empty());
            let name = first.map(|source| source.identity.name.to_string()).unwrap_or_default();
            MeshStatus::new('◐', format!("{name}: partly unseen"), Role::Warn, Urgency::NoAnswer)
        }
        (None, None) => MeshStatus::new('●', "all is well", Role::Healthy, Urgency::Well),
    }
}

/// The worst of them.
#[must_use]
pub fn first_open(snapshot: &Snapshot) -> Option<&Finding> {
    snapshot.open_findings().next()
}

/// The worst of all meshes, and which one it is of.
#[must_use]
pub fn first_of_all(workspace: &Workspace) -> Option<(usize, &Finding)> {
    let each = workspace.snapshots().filter_map(|(mesh, snapshot)| Some((mesh, first_open(snapshot)?)));
    each.reduce(|worst, next| if next.1.severity > worst.1.severity { next } else { worst })
}

/// How many troubles nobody has acknowledged: critical ones, and warnings.
#[must_use]
pub fn open(workspace: &Workspace) -> (usize, usize) {
    let each = workspace.snapshots().map(|(_, snapshot)| snapshot.open_counts());
    each.fold((0, 0), |(critical, warnings), (c, w)| (critical + c, warnings + w))
}

/// What the window is called: the counts first, since little of a title is seen.
#[must_use]
pub fn title(workspace: &Workspace) -> String {
    let status = status(workspace);
    let word = match open(workspace) {
        (0, 0) if status.role == Role::Healthy => "● ok".to_owned(),
        (0, 0) => status.line().chars().take(32).collect(),
        (0, warnings) => format!("▲ {warnings}"),
        (critical, 0) => format!("✖ {critical}"),
        (critical, warnings) => format!("✖ {critical} ▲ {warnings}"),
    };
    format!("{word} {} - lockkeeper", workspace.label())
}
