//! Whether a source still speaks, and until when what it said is true.

use strum::{Display, IntoStaticStr};

use super::thresholds::Thresholds;
use crate::mesh::Mesh;
use crate::model::report::State;
use crate::model::time::Millis;

/// How a source does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum SourceHealth {
    /// No answer yet, and not failed yet.
    Starting,
    Live,
    /// The last try failed, but what it said is recent.
    Failing,
    /// What it said is old.
    Old,
    /// Never answered.
    Down,
}

/// One source, evaluated.
#[derive(Debug, Clone)]
pub struct SourceView {
    pub health: SourceHealth,
    /// Set where its facts are old: they are as of this instant.
    pub as_of_ms: Option<Millis>,
    /// Its clock minus the console's, where that is worth mentioning.
    pub skew_ms: Option<Millis>,
    /// The breaker is open: one try in 30 s.
    pub open: bool,
}

impl SourceView {
    /// The instant to evaluate its facts at: now, or when it was last seen.
    #[must_use]
    pub fn at(&self, now_ms: Millis) -> Millis {
        self.as_of_ms.unwrap_or(now_ms)
    }
}

/// Evaluates every source.
pub(super) fn evaluate(mesh: &Mesh, now_ms: Millis, thresholds: &Thresholds, interval_ms: Millis) -> Vec<SourceView> {
    let patience = thresholds.old_ms.max(3 * interval_ms);
    let evaluate_one = |source: &crate::mesh::SourceState| {
        let failing = source.health.trouble.as_ref();
        let health = match (source.health.last_ok_ms, failing) {
            (None, None) => SourceHealth::Starting,
            (None, Some(_)) => SourceHealth::Down,
            (Some(ok), _) if now_ms - ok > patience => SourceHealth::Old,
            (Some(_), Some(_)) => SourceHealth::Failing,
            (Some(_), None) => SourceHealth::Live,
        };
        SourceView {
            health,
            as_of_ms: if health == SourceHealth::Old { source.health.last_ok_ms } else { None },
            skew_ms: source.clock.skew_ms(),
            open: failing.is_some_and(|t| matches!(t.state, State::Open { .. })),
        }
    };
    mesh.sources.iter().map(evaluate_one).collect()
}
