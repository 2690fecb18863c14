//! How long a node has been silent, in missed windows.

use strum::{Display, EnumIter, IntoStaticStr};

use crate::model::Patience;
use crate::model::time::Millis;

/// Levels of silence, mildest first. `Unknown` sorts last: it says nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Staleness {
    Healthy,
    Warn,
    Alert,
    Critical,
    Dead,
    Unknown,
}

impl Staleness {
    /// By missed windows: 0 healthy, 1 warn, 3 alert, 5 critical, 10 dead.
    #[must_use]
    pub fn of_misses(misses: i64) -> Self {
        match misses {
            ..1 => Self::Healthy,
            1..3 => Self::Warn,
            3..5 => Self::Alert,
            5..10 => Self::Critical,
            10.. => Self::Dead,
        }
    }

    /// How bad it is: the worst is the highest. What is unknown is a little worse than what is well.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Unknown => 1,
            Self::Warn => 2,
            Self::Alert => 3,
            Self::Critical => 4,
            Self::Dead => 5,
        }
    }

    /// Whether what it holds is orphaned.
    #[must_use]
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Critical | Self::Dead)
    }
}

/// By the word of whoever is silent: well within what it promised, late for a grace, then gone.
#[must_use]
pub fn by_patience(age_ms: Millis, patience: Patience) -> Staleness {
    let whole = window(patience);
    match age_ms {
        age if age <= patience.silence_ms => Staleness::Healthy,
        age if age <= whole => Staleness::Alert,
        age if age < whole.saturating_mul(10) => Staleness::Critical,
        _ => Staleness::Dead,
    }
}

/// The silence that is promised and the grace beyond it: what counts as one missed window.
#[must_use]
pub fn window(patience: Patience) -> Millis {
    patience.silence_ms.saturating_add(patience.grace_ms).max(1)
}

/// The ages from which on somebody who made a promise is evaluated otherwise.
#[must_use]
pub fn changes(patience: Patience) -> [Millis; 3] {
    let whole = window(patience);
    [patience.silence_ms.saturating_add(1), whole.saturating_add(1), whole.saturating_mul(10)]
}

/// Missed windows after `age_ms` of silence. A heartbeat from the future has missed none.
#[must_use]
pub fn misses(age_ms: Millis, stale_ms: Millis) -> i64 {
    age_ms.max(0) / stale_ms.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[rstest::rstest]
    #[case(0, "healthy")]
    #[case(59_999, "healthy")]
    #[case(60_000, "warn")]
    #[case(179_999, "warn")]
    #[case(180_000, "alert")]
    #[case(300_000, "critical")]
    #[case(600_000, "dead")]
    #[case(-5_000, "healthy")]
    fn levels(#[case] age_ms: Millis, #[case] level: &str) {
        assert_eq!(Staleness::of_misses(misses(age_ms, 60_000)).to_string(), level);
    }

    #[rstest::rstest]
    #[case(30_000, "healthy")]
    #[case(30_001, "alert")]
    #[case(90_000, "alert")]
    #[case(90_001, "critical")]
    #[case(900_000, "dead")]
    fn levels_by_promise(#[case] age_ms: Millis, #[case] level: &str) {
        let patience = Patience { silence_ms: 30_000, grace_ms: 60_000 };
        assert_eq!(by_patience(age_ms, patience).to_string(), level);
    }

    proptest! {
        #[test]
        fn a_promise_is_judged_otherwise_only_where_it_is_said(age in 0i64..3_000_000, silence in 0i64..200_000, grace in 0i64..100_000) {
            let patience = Patience { silence_ms: silence, grace_ms: grace };
            let changes = changes(patience);
            let changed = age > 0 && by_patience(age, patience) != by_patience(age - 1, patience);
            prop_assert!(!changed || changes.contains(&age), "{age} is none of {changes:?}");
        }

        #[test]
        fn silence_only_makes_it_worse(a in 0i64..10_000_000, b in 0i64..10_000_000, window in 1i64..1_000_000) {
            let (short, long) = (a.min(b), a.max(b));
            prop_assert!(Staleness::of_misses(misses(short, window)) <= Staleness::of_misses(misses(long, window)));
        }
    }
}
