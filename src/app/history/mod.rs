//! How silent each node was over the last minutes, in steps. What was not observed stays unknown. Pure.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::mesh::derive::Snapshot;
use crate::mesh::derive::staleness::Staleness;
use crate::model::text::Text;
use crate::model::time::Millis;

/// The width of a step, in ms.
pub const STEP: Millis = 10_000;
/// Steps that are kept: ten minutes.
pub const STEPS: usize = 60;

/// The last steps of one node, the newest last.
#[derive(Debug, Clone, Default)]
struct Strip {
    /// The number of the newest step.
    newest: Millis,
    levels: Vec<Option<Staleness>>,
}

/// The nodes of one mesh.
#[derive(Debug, Clone, Default)]
pub struct History {
    step: Option<Millis>,
    nodes: HashMap<Text, Strip, RandomState>,
}

impl History {
    /// Takes a snapshot: once in each step.
    pub fn take(&mut self, snapshot: &Snapshot, now: Millis) {
        let step = now.div_euclid(STEP);
        if self.step == Some(step) {
            return;
        }
        self.step = Some(step);
        for node in snapshot.nodes.iter() {
            // What an old source said is not what is.
            let level = node.as_of_ms.is_none().then_some(node.staleness);
            let strip = self.nodes.entry(node.key.clone()).or_default();
            strip.push(step, level);
        }
        // A clock that was set back begins anew.
        let oldest = step - Millis::try_from(STEPS).unwrap_or(Millis::MAX);
        self.nodes.retain(|_, strip| (oldest..=step).contains(&strip.newest));
    }

    /// The last steps of a node, the newest last; fewer where it is not known for so long.
    #[must_use]
    pub fn of(&self, node: &Text, most: usize) -> Vec<Option<Staleness>> {
        let Some((strip, now)) = self.nodes.get(node).zip(self.step) else { return Vec::new() };
        let behind = usize::try_from(now - strip.newest).unwrap_or(0).min(STEPS);
        let all = strip.levels.iter().copied().chain(std::iter::repeat_n(None, behind));
        let skip = (strip.levels.len() + behind).saturating_sub(most);
        all.skip(skip).collect()
    }
}

impl Strip {
    fn push(&mut self, step: Millis, level: Option<Staleness>) {
        let missed = if self.levels.is_empty() { 0 } else { usize::try_from(step - self.newest - 1).unwrap_or(STEPS) };
        if missed >= STEPS {
            self.levels.clear();
        } else {
            self.levels.extend(std::iter::repeat_n(None, missed));
        }
        self.levels.push(level);
        let beyond = self.levels.len().saturating_sub(STEPS);
        self.levels.drain(..beyond);
        self.newest = step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_saw_stays_unknown() {
        let mut strip = Strip::default();
        strip.push(7, Some(Staleness::Healthy));
        strip.push(10, Some(Staleness::Dead));
        assert_eq!(strip.levels, [Some(Staleness::Healthy), None, None, Some(Staleness::Dead)]);
        for step in 11..200 {
            strip.push(step, Some(Staleness::Warn));
        }
        assert_eq!(strip.levels.len(), STEPS);
        strip.push(10_000, Some(Staleness::Warn));
        assert_eq!(strip.levels.len(), 1, "all of it is long ago");
        // A clock that was set back.
        strip.push(3, None);
        assert_eq!(strip.newest, 3);
    }

    #[test]
    fn a_node_that_is_gone_goes_on_as_unknown() {
        let mut history = History { step: Some(12), ..History::default() };
        history.nodes.insert("n".into(), Strip { newest: 10, levels: vec![Some(Staleness::Healthy); 3] });
        let healthy = Some(Staleness::Healthy);
        assert_eq!(history.of(&"n".into(), 9), [healthy, healthy, healthy, None, None]);
        assert_eq!(history.of(&"n".into(), 3), [healthy, None, None]);
        assert!(history.of(&"other".into(), 3).is_empty());
    }
}
