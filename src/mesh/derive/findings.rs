//! The findings of a mesh, kept as the things change that they are about.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::agents;
use super::finding::{Finding, Subject};
use super::graph::WaitGraph;
use super::locks::{self, LockView};
use super::messages::{MessageView, RowChange};
use super::nodes::NodeView;
use super::rules::Check;
use super::rules::RULES;
use super::tasks::TaskView;
use super::thresholds::Thresholds;
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::severity::Severity;
use crate::model::stated::{About, Problem};
use crate::model::text::Text;
use crate::model::time::Millis;

/// A finding in its order: worst first, then by rule and name, so that nothing jumps.
#[derive(Debug, Clone)]
struct Ranked(Arc<Finding>, usize, u32);

impl Ranked {
    /// `place` tells apart two things of one name.
    fn new(finding: Arc<Finding>, place: u32) -> Self {
        let order = finding.order;
        Self(finding, order, place)
    }

    /// All of what it says comes before the place, which depends on what came and went before.
    fn rank(&self) -> (Reverse<Severity>, usize, &str, &str, &str, &[Text], u32) {
        let f = &self.0;
        (Reverse(f.severity), self.1, f.name.as_str(), f.subject.key(), f.sentence.raw(), &f.evidence, self.2)
    }
}
impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}
impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// The findings about single things, kept as those change.
#[derive(Debug, Default)]
pub(super) struct FindingIndex {
    ranked: BTreeSet<Ranked>,
    of_nodes: HashMap<u32, Vec<Arc<Finding>>, RandomState>,
    of_locks: HashMap<u32, Vec<Arc<Finding>>, RandomState>,
    of_messages: HashMap<u32, Vec<Arc<Finding>>, RandomState>,
    of_tasks: HashMap<u32, Vec<Arc<Finding>>, RandomState>,
    of_mesh: Vec<Arc<Finding>>,
    /// What was found in the graph of waits, and the graph.
    of_waits: Vec<Arc<Finding>>,
    waits: Arc<WaitGraph>,
    changed: bool,
    shown: Arc<[Arc<Finding>]>,
}

impl FindingIndex {
    pub(super) fn nodes(&mut self, changes: &[RowChange<NodeView>]) {
        let checks = RULES.iter().filter_map(|rule| match rule.check {
            Check::Node(check) => Some((rule.name, check)),
            _ => None,
        });
        let checks: Vec<_> = checks.collect();
        take(&mut self.ranked, &mut self.of_nodes, &mut self.changed, changes, &checks, |check, view| check(view));
    }

    pub(super) fn locks(&mut self, changes: &[RowChange<LockView>], thresholds: &Thresholds, now_ms: Millis) {
        let checks = RULES.iter().filter_map(|rule| match rule.check {
            Check::Lock(check) => Some((rule.name, check)),
            _ => None,
        });
        let checks: Vec<_> = checks.collect();
        let ask = |check: &fn(&LockView, &Thresholds, Millis) -> Option<Finding>, view: &LockView| {
            check(view, thresholds, now_ms)
        };
        take(&mut self.ranked, &mut self.of_locks, &mut self.changed, changes, &checks, ask);
    }

    pub(super) fn messages(&mut self, changes: &[RowChange<MessageView>]) {
        let checks = RULES.iter().filter_map(|rule| match rule.check {
            Check::Message(check) => Some((rule.name, check)),
            _ => None,
        });
        let checks: Vec<_> = checks.collect();
        take(&mut self.ranked, &mut self.of_messages, &mut self.changed, changes, &checks, |check, view| check(view));
    }

    pub(super) fn tasks(&mut self, changes: &[RowChange<TaskView>]) {
        let checks = RULES.iter().filter_map(|rule| match rule.check {
            Check::Task(check) => Some((rule.name, check)),
            _ => None,
        });
        let checks: Vec<_> = checks.collect();
        take(&mut self.ranked, &mut self.of_tasks, &mut self.changed, changes, &checks, |check, view| check(view));
    }

    /// Asks the rules that look at the whole, and answers everything that was found. What is the same stays shared.
    pub(super) fn all(&mut self, snapshot: &Snapshot, thresholds: &Thresholds) -> Arc<[Arc<Finding>]> {
        let mut found = Vec::new();
        for rule in RULES {
            let from = found.len();
            if let Check::Mesh(check) = rule.check {
                check(snapshot, thresholds, &mut found);
            }
            for finding in &mut found[from..] {
                (finding.rule, finding.order) = (rule.name, order(rule.name));
            }
        }
        self.look_at_waits(&snapshot.waits);
        for source in &snapshot.mesh.sources {
            found.extend(source.facts.problems.iter().map(|problem| stated(&source.identity.name, problem)));
        }
        let same = found.len() == self.of_mesh.len() && found.iter().zip(&self.of_mesh).all(|(a, b)| *a == **b);
        if same && !self.changed {
            return self.shown.clone();
        }
        self.changed = false;
        if !same {
            self.of_mesh = found.into_iter().map(Arc::new).collect();
        }
        let of_mesh = self.of_mesh.iter().chain(&self.of_waits).cloned();
        let mut of_mesh: Vec<Ranked> = of_mesh.map(|f| Ranked::new(f, 0)).collect();
        of_mesh.sort();
        let mut all = Vec::with_capacity(self.ranked.len() + of_mesh.len());
        let mut of_mesh = of_mesh.into_iter().peekable();
        for finding in &self.ranked {
            while let Some(first) = of_mesh.next_if(|first| first < finding) {
                all.push(first.0);
            }
            all.push(finding.0.clone());
        }
        all.extend(of_mesh.map(|finding| finding.0));
        self.shown = all.into();
        self.shown.clone()
    }
}

impl FindingIndex {
    /// Asks the rules about who waits for whom, if that is not the graph that they were asked about last.
    fn look_at_waits(&mut self, waits: &Arc<WaitGraph>) {
        if Arc::ptr_eq(waits, &self.waits) {
            return;
        }
        self.waits = waits.clone();
        let mut found = Vec::new();
        for rule in RULES {
            let Check::Waits(check) = rule.check else { continue };
            let from = found.len();
            check(waits, &mut found);
            for finding in &mut found[from..] {
                (finding.rule, finding.order) = (rule.name, order(rule.name));
            }
        }
        let same = found.len() == self.of_waits.len() && found.iter().zip(&self.of_waits).all(|(a, b)| *a == **b);
        if !same {
            self.of_waits = found.into_iter().map(Arc::new).collect();
            self.changed = true;
        }
    }
}

/// Asks the rules again about the things that changed.
fn take<V, C>(
    ranked: &mut BTreeSet<Ranked>,
    known: &mut HashMap<u32, Vec<Arc<Finding>>, RandomState>,
    changed: &mut bool,
    changes: &[RowChange<V>],
    checks: &[(&'static str, C)],
    ask: impl Fn(&C, &V) -> Option<Finding>,
) {
    for (place, _, now) in changes {
        let named = |(rule, check): &(&'static str, C)| {
            let finding = ask(check, now.as_ref()?)?;
            Some(Finding { rule, order: order(rule), ..finding })
        };
        let found: Vec<Finding> = checks.iter().filter_map(named).collect();
        let before = known.remove(place).unwrap_or_default();
        if before.len() == found.len() && before.iter().zip(&found).all(|(a, b)| **a == *b) {
            if !before.is_empty() {
                known.insert(*place, before);
            }
            continue;
        }
        *changed = true;
        for finding in before {
            ranked.remove(&Ranked::new(finding, *place));
        }
        let found: Vec<Arc<Finding>> = found.into_iter().map(Arc::new).collect();
        ranked.extend(found.iter().cloned().map(|f| Ranked::new(f, *place)));
        if !found.is_empty() {
            known.insert(*place, found);
        }
    }
}

/// What a system's own rule found, in the words of everybody's.
fn stated(source: &Text, problem: &Problem) -> Finding {
    let subject = match &problem.about {
        About::Source => Subject::Source(source.clone()),
        About::Node(node) => Subject::Node(node.clone()),
        About::Agent { agent, repository_id } => Subject::Agent(agents::key(repository_id, agent)),
        About::Lock { table, lock_key, repository_id } => {
            Subject::Lock(locks::key(source, *table, repository_id, lock_key))
        }
        About::Task { task, repository_id } => Subject::Task(format!("{}\u{1}{}", repository_id.raw(), task.raw())),
    };
    Finding {
        rule: problem.rule,
        order: RULES.len(),
        severity: problem.severity,
        subject,
        part: problem.name.clone(),
        name: problem.name.clone(),
        sentence: problem.sentence.clone(),
        evidence: problem.evidence.clone(),
        life: None,
    }
}

fn order(rule: &str) -> usize {
    RULES.iter().position(|r| r.name == rule).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_things_of_one_source_with_the_same_trouble_are_two_findings() {
        let of = |name: &str| {
            stated(
                &"mobs".into(),
                &Problem {
                    rule: "stop-stuck",
                    severity: Severity::Warning,
                    about: About::Source,
                    name: name.into(),
                    sentence: "told to stop".into(),
                    evidence: Vec::new(),
                },
            )
        };
        let (atlas, beacon) = (of("atlas"), of("beacon"));
        assert_ne!(atlas.identity(), beacon.identity());
        assert_ne!(atlas.key(), beacon.key());
        assert_eq!(atlas.identity(), of("atlas").identity());
    }
}
