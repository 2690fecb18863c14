//! Findings with their lives, put together anew only where a finding or its life changed: they are many, and few change.

use std::sync::{Arc, OnceLock};

use super::{Alarms, fingerprint};
use crate::mesh::derive::finding::Finding;

/// Findings as a snapshot has them.
type Findings = Arc<[Arc<Finding>]>;

/// How far ahead a finding is looked for among those before: so many may have gone between two that stayed.
const AHEAD: usize = 64;

/// Findings with their lives.
#[derive(Debug, Default)]
pub struct Lives {
    /// The same without them.
    evaluated: Findings,
    findings: Findings,
    /// Of each, its identity as a number.
    fingerprints: Vec<u64>,
    open: Arc<OnceLock<(usize, usize)>>,
}

impl Lives {
    /// Whether these are the findings that were looked at last.
    #[must_use]
    pub fn is_of(&self, evaluated: &Findings) -> bool {
        Arc::ptr_eq(&self.evaluated, evaluated)
    }

    /// Brings the lives of findings up to date. Answers the findings, and a place for what is counted of them.
    pub fn bring(&mut self, evaluated: &Findings, alarms: &mut Alarms) -> (Findings, Arc<OnceLock<(usize, usize)>>) {
        let moved = alarms.take_moved();
        if self.is_of(evaluated) && moved.is_empty() {
            return (self.findings.clone(), self.open.clone());
        }
        let (mut next, mut fingerprints) = (0, Vec::with_capacity(evaluated.len()));
        let with_life = |finding: &Arc<Finding>| {
            // Both stand in one order. Those before are alive here, so that no other stands where one of them does.
            let ahead = self.evaluated[next..].iter().take(AHEAD).position(|known| Arc::ptr_eq(known, finding));
            let same = ahead.map(|ahead| next + ahead);
            next = same.map_or(next, |at| at + 1);
            let number = same.map_or_else(|| fingerprint(&finding.identity()), |at| self.fingerprints[at]);
            fingerprints.push(number);
            match same {
                Some(at) if !moved.contains(&number) => self.findings[at].clone(),
                _ => alarms.with_life(finding),
            }
        };
        let findings = evaluated.iter().map(with_life).collect();
        *self = Self { evaluated: evaluated.clone(), findings, fingerprints, open: Arc::default() };
        (self.findings.clone(), self.open.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::alarm::Rules;
    use crate::mesh::derive::finding::Subject;
    use crate::model::severity::Severity;
    use crate::model::text::Text;
    use crate::model::whose::Whose;
    use proptest::prelude::*;

    fn finding(name: u8, severity: Severity) -> Arc<Finding> {
        let name: Text = name.to_string().into();
        Arc::new(Finding {
            rule: "node-dead",
            order: 0,
            severity,
            subject: Subject::Node(name.clone()),
            part: Text::default(),
            name,
            sentence: "silent".into(),
            evidence: Vec::new(),
            life: None,
        })
    }

    proptest! {
        #[test]
        fn lives_that_are_brought_up_to_date_are_lives_that_are_asked_for(
            steps in prop::collection::vec((prop::collection::btree_map(0u8..12, 0u8..3, 0..10), 0u8..14, any::<bool>()), 1..25),
        ) {
            let mut alarms = Alarms::new(Whose::default(), Rules::default());
            let mut lives = Lives::default();
            let mut kept: Vec<((u8, u8), Arc<Finding>)> = Vec::new();
            for (at, (there, known, on)) in (0i64..).zip(steps) {
                // What is found again is the same finding.
                let found = |(name, severity): (u8, u8)| {
                    let same = kept.iter().find(|(key, _)| *key == (name, severity)).map(|(_, finding)| finding.clone());
                    let word = [Severity::Info, Severity::Warning, Severity::Critical][usize::from(severity)];
                    ((name, severity), same.unwrap_or_else(|| finding(name, word)))
                };
                kept = there.into_iter().map(found).collect();
                kept.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
                let evaluated: Findings = kept.iter().map(|(_, finding)| finding.clone()).collect();
                alarms.observe(&evaluated, false, at * 1_500);
                alarms.acknowledge(&finding(known, Severity::Warning).identity(), "dana", Some(at * 1_500 + 4_000), on, at * 1_500);
                let (brought, _) = lives.bring(&evaluated, &mut alarms);
                let asked: Findings = evaluated.iter().map(|finding| alarms.with_life(finding)).collect();
                prop_assert_eq!(brought, asked);
            }
        }
    }
}
