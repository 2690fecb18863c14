//! What a recording is made of: lines of JSON, each one thing that happened to what the console knows, in order.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::mesh::MeshState;
use crate::mesh::derive::Thresholds;
use crate::mesh::derive::finding::Life;
use crate::model::event::Event;
use crate::model::journal::Entry;
use crate::model::report::Report;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time::Millis;

/// The name and version of the form.
pub const SCHEMA: &str = "lockkeeper.recording.v1";

/// What is recorded, and by what. Every full state begins with it, so that a recording can be cut in front of any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    pub schema: String,
    /// The version of the program that wrote it.
    pub version: String,
    pub thresholds: Thresholds,
    /// Findings that are milder have no life.
    #[serde(default = "usual")]
    pub lives_from: Severity,
    /// Whether names and texts were replaced by stand-ins.
    #[serde(default)]
    pub redacted: bool,
}

/// From which severity on findings have a life, where nothing else is configured.
fn usual() -> Severity {
    Severity::Warning
}

/// A finding, by what distinguishes it from others, and its life; nothing before it is raised.
pub type LifeOf = (String, Option<Arc<Life>>);

/// One line, as it is read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    Start(Start),
    /// Everything that is known, in place of everything before.
    State(Box<State>),
    Report(Report),
    /// The journal moved on.
    Journal(Splice<Entry>),
    /// Findings were raised, acknowledged or cleared.
    Events(Splice<Arc<Event>>),
    /// Why the history of findings cannot be kept, from here on.
    Unkept(Option<Text>),
    Lives(Vec<LifeOf>),
    /// The mesh was evaluated: what came before is one moment.
    Evaluated(Evaluated),
}

/// Everything that is known at an instant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub mesh: MeshState,
    pub lives: Vec<LifeOf>,
}

/// When the mesh was evaluated, on the console's clock, and how often it was polled then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluated {
    pub at_ms: Millis,
    pub interval_ms: Millis,
}

/// How a list became another one: some left at its front, some were kept, and others follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Splice<T> {
    pub skip: usize,
    pub keep: usize,
    pub add: Vec<T>,
}

impl<T: Clone + PartialEq> Splice<T> {
    /// How one list became another; nothing where both are the same.
    pub fn between(before: &[T], after: &[T]) -> Option<Self> {
        let skip = after.first().and_then(|first| before.iter().position(|old| old == first)).unwrap_or(before.len());
        let keep = before[skip..].iter().zip(after).take_while(|(old, new)| old == new).count();
        let is_same = skip == 0 && keep == before.len() && keep == after.len();
        (!is_same).then(|| Self { skip, keep, add: after[keep..].to_vec() })
    }

    /// The list that it makes of another; nothing where that is not the one it was made from.
    #[must_use]
    pub fn of(self, before: &[T]) -> Option<Arc<[T]>> {
        let end = self.skip.checked_add(self.keep)?;
        Some(before.get(self.skip..end)?.iter().cloned().chain(self.add).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_splice_leads_from_one_list_to_the_other(
            before in prop::collection::vec(0u8..6, 0..12), after in prop::collection::vec(0u8..6, 0..12)
        ) {
            match Splice::between(&before, &after) {
                None => prop_assert_eq!(before, after),
                Some(splice) => {
                    let made = splice.of(&before).map(|list| list.to_vec());
                    prop_assert_eq!(made, Some(after));
                }
            }
        }
    }

    #[test]
    fn a_list_that_grows_and_forgets_writes_only_what_is_new() {
        let splice = Splice::between(&[1, 2, 3], &[2, 3, 4]);
        assert_eq!(splice, Some(Splice { skip: 1, keep: 2, add: vec![4] }));
        assert_eq!(Splice { skip: 2, keep: usize::MAX, add: vec![1] }.of(&[1]), None);
    }
}
