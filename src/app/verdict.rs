//! The mesh's state in one sentence: what the top line, the wall and the window's title say.

use super::App;
use super::role::{Role, State};
use crate::data::derive::Picture;
use crate::data::derive::findings::{Finding, Severity};
use crate::data::derive::sources::SourceHealth;
use crate::time::{Millis, short};

impl App {
    /// The verdict on what is known now. Where the newest picture is not of now, that is the verdict.
    #[must_use]
    pub fn verdict(&self) -> (String, Role) {
        match (self.stalled_ms(), self.latest()) {
            (Some(since_ms), _) => nothing_since(since_ms, self.now_ms),
            (None, Some(picture)) => verdict(picture),
            (None, None) => ("· starting".into(), Role::Dim),
        }
    }
}

/// What is said where there is no picture of now.
#[must_use]
pub fn nothing_since(since_ms: Millis, now_ms: Millis) -> (String, Role) {
    (format!("✖ nothing was heard for {}", short(now_ms - since_ms)), Role::Dead)
}

/// The verdict and what it means. What somebody knows of comes after what nobody does.
#[must_use]
pub fn verdict(picture: &Picture) -> (String, Role) {
    let heard = picture.sources.iter().any(|s| s.health != SourceHealth::Starting);
    if !heard {
        return ("· asking the sources".into(), Role::Dim);
    }
    let counts = &picture.counts;
    let worries = counts.critical + counts.warnings;
    match first_open(picture) {
        Some(first) => {
            let more = if worries > 1 { format!("  (+{} more)", worries - 1) } else { String::new() };
            (format!("{} {}{more}", first.severity.glyph(), first.sentence), first.severity.role())
        }
        None if worries > 0 => {
            let first = picture.findings.first().map(|first| first.sentence.to_string()).unwrap_or_default();
            (format!("◐ {worries} acknowledged: {first}"), Role::Warn)
        }
        None if picture.sources.iter().any(|s| s.health == SourceHealth::Starting) => {
            ("· some sources were not heard yet".into(), Role::Dim)
        }
        None => match picture.sources.iter().position(|s| s.health != SourceHealth::Live) {
            // It may be nothing; but nobody can say that all is well while somebody does not answer.
            Some(at) => {
                let name = picture.mesh.sources.get(at).map(|source| source.identity.name.to_string());
                (format!("◐ {} did not answer the last time", name.unwrap_or_default()), Role::Warn)
            }
            None => ("● all is well".into(), Role::Healthy),
        },
    }
}

/// Troubles that nobody has acknowledged, the worst first.
fn all_open(picture: &Picture) -> impl Iterator<Item = &Finding> {
    let worth = picture.findings.iter().take_while(|f| f.severity >= Severity::Warning);
    worth.map(|finding| &**finding).filter(|finding| finding.acknowledged().is_none())
}

/// The worst of them.
#[must_use]
pub fn first_open(picture: &Picture) -> Option<&Finding> {
    all_open(picture).next()
}

/// How many troubles nobody has acknowledged: critical ones, and warnings.
#[must_use]
pub fn open(picture: &Picture) -> (usize, usize) {
    all_open(picture).fold((0, 0), |(critical, warnings), finding| match finding.severity {
        Severity::Critical => (critical + 1, warnings),
        _ => (critical, warnings + 1),
    })
}

/// What the window is called: the counts first, since little of a title is seen.
#[must_use]
pub fn title(picture: &Picture, mesh: &str) -> String {
    let mesh = crate::text::scrub(mesh);
    let (text, role) = verdict(picture);
    let word = match open(picture) {
        (0, 0) if role == Role::Healthy => "● ok".to_owned(),
        (0, 0) => text.chars().take(32).collect(),
        (0, warnings) => format!("▲ {warnings}"),
        (critical, 0) => format!("✖ {critical}"),
        (critical, warnings) => format!("✖ {critical} ▲ {warnings}"),
    };
    format!("{word} {mesh} - lockkeeper")
}
