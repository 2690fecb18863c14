//! What changed between two looks at the meshes: findings, locks, nodes, tasks and actions. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::mesh::derive::Snapshot;
use crate::model::time::Millis;

/// The name and version of a line.
pub const SCHEMA: &str = "lockkeeper.change.v1";

/// The kind of what operators did.
const ACTION: &str = "action";

/// What a thing is told by: its kind, its mesh, and its key there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Thing {
    pub kind: String,
    pub mesh: String,
    pub key: String,
}

/// Everything that is followed, with what is compared of it.
pub type State = BTreeMap<Thing, Value>;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub schema: String,
    /// Counts up, without gaps, as long as the log is kept.
    pub cursor: u64,
    pub at_ms: Millis,
    #[serde(flatten)]
    pub thing: Thing,
    /// Its name, for people.
    pub name: String,
    /// `appeared`, `changed` or `gone`.
    pub change: String,
    pub was: Value,
    pub is: Value,
}

/// What a snapshot shows of everything that is followed.
#[must_use]
pub fn state_of(snapshot: &Snapshot) -> State {
    let mesh = snapshot.mesh.name.raw();
    let thing = |kind: &str, key: String| Thing { kind: kind.into(), mesh: mesh.into(), key };
    let mut state = State::new();
    for node in snapshot.nodes.iter() {
        let is = json!({ "name": node.name(), "state": node.staleness.to_string() });
        state.insert(thing("node", node.key.raw().to_owned()), is);
    }
    for view in snapshot.holds() {
        let lock = &view.lock;
        let is = json!({
            "name": view.name(), "state": view.state.to_string(), "holder_node": lock.holder_node,
            "holder_agent": lock.holder_agent, "fence_token": lock.fence_token, "waiters": view.waiters.len(),
        });
        state.insert(thing("lock", view.key()), is);
    }
    for task in snapshot.tasks.iter() {
        let is = json!({ "name": task.task, "state": task.state.to_string(), "owner_node": task.owner_node });
        state.insert(thing("task", task.key()), is);
    }
    for finding in snapshot.findings.iter() {
        let is = json!({
            "name": finding.name, "state": finding.severity.to_string(), "rule": finding.rule,
            "sentence": finding.sentence, "acknowledged": finding.acknowledged().is_some(),
        });
        state.insert(thing("finding", finding.identity()), is);
    }
    for entry in snapshot.mesh.journal.iter() {
        let is = json!({
            "name": entry.action.summary(), "state": entry.kind.map(|kind| kind.to_string()), "operator": entry.operator,
        });
        state.insert(thing(ACTION, entry.id.clone()), is);
    }
    state
}

/// What is different now, with cursors that go on after the last one. What is not there is gone only where all was seen.
#[must_use]
pub fn changes(before: &State, now: &State, mesh: &str, all_seen: bool, last: u64, at_ms: Millis) -> Vec<Change> {
    let mut found = Vec::new();
    let mut add = |thing: &Thing, change: &str, was: Value, is: Value| {
        let name = if is.is_null() { &was["name"] } else { &is["name"] };
        found.push(Change {
            schema: SCHEMA.into(),
            cursor: last + 1 + u64::try_from(found.len()).unwrap_or(0),
            at_ms,
            thing: thing.clone(),
            name: name.as_str().unwrap_or_default().to_owned(),
            change: change.into(),
            was,
            is,
        });
    };
    for (thing, is) in now {
        match before.get(thing) {
            None => add(thing, "appeared", Value::Null, is.clone()),
            Some(was) if was != is => add(thing, "changed", was.clone(), is.clone()),
            Some(_) => {}
        }
    }
    if all_seen {
        // The journal's older part is left out of what is read: an action does not go.
        let goes = |thing: &Thing| thing.mesh == mesh && thing.kind != ACTION && !now.contains_key(thing);
        for (thing, was) in before.iter().filter(|(thing, _)| goes(thing)) {
            add(thing, "gone", was.clone(), Value::Null);
        }
    }
    found
}

/// Takes a change over into a state.
pub fn apply(state: &mut State, change: &Change) {
    if change.is.is_null() {
        state.remove(&change.thing);
    } else {
        state.insert(change.thing.clone(), change.is.clone());
    }
}

/// Which changes are printed: all words have to fit.
#[derive(Debug, Clone, Default)]
pub struct Filter(Vec<String>);

impl Filter {
    /// `kind:`, `mesh:`, `change:` and `state:` with a word, or a part of the name.
    #[must_use]
    pub fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// Whether a change passes.
    #[must_use]
    pub fn passes(&self, change: &Change) -> bool {
        let state = |value: &Value| value["state"].as_str().unwrap_or_default().to_owned();
        self.0.iter().all(|word| match word.split_once(':') {
            Some(("kind", kind)) => change.thing.kind == kind,
            Some(("mesh", mesh)) => change.thing.mesh == mesh,
            Some(("change", what)) => change.change == what,
            Some(("state", wanted)) => state(&change.is) == wanted,
            _ => change.name.contains(word),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{NOW, mesh, snapshot, starting_mesh};

    #[test]
    fn what_comes_changes_and_goes_is_told_once() {
        let (none, some) = (state_of(&snapshot(starting_mesh(), NOW)), state_of(&snapshot(mesh(), NOW)));
        let all = changes(&none, &some, "prod", true, 7, NOW);
        assert_eq!(all.iter().map(|c| c.cursor).collect::<Vec<_>>(), (8..8 + all.len() as u64).collect::<Vec<_>>());
        assert!(all.iter().all(|change| change.change == "appeared"));
        for kind in ["node", "lock", "task", "finding", "action"] {
            assert!(all.iter().any(|change| change.thing.kind == kind), "{kind}");
        }
        assert!(changes(&some, &some, "prod", true, 0, NOW).is_empty());
        assert!(changes(&some, &none, "prod", false, 0, NOW).is_empty(), "nobody saw that they are gone");
        assert!(changes(&some, &none, "other", true, 0, NOW).is_empty(), "another mesh says nothing of this one");
        let gone = changes(&some, &none, "prod", true, 0, NOW);
        let stay = some.keys().filter(|thing| thing.kind == ACTION).count();
        assert!(gone.len() == some.len() - stay && gone.iter().all(|change| change.change == "gone"));
    }

    #[test]
    fn filters_look_at_what_a_change_is_of() {
        let some = state_of(&snapshot(mesh(), NOW));
        let all = changes(&State::new(), &some, "prod", true, 0, NOW);
        let pass = |words: &[&str]| {
            let filter = Filter::new(words.iter().map(|word| (*word).to_owned()).collect());
            all.iter().filter(|change| filter.passes(change)).count()
        };
        assert_eq!(pass(&[]), all.len());
        assert_eq!(pass(&["kind:lock", "lexer"]), 1);
        assert_eq!(pass(&["kind:node", "state:dead"]), 1);
        assert_eq!(pass(&["mesh:other"]), 0);
    }

    proptest! {
        /// Whatever happens, the changes lead from one state to the other.
        #[test]
        fn changes_lead_from_one_state_to_the_other(
            before in prop::collection::btree_map(0u8..20, 0u8..4, 0..12),
            now in prop::collection::btree_map(0u8..20, 0u8..4, 0..12),
        ) {
            let state = |of: &BTreeMap<u8, u8>| -> State {
                let thing = |n: &u8| Thing { kind: "lock".into(), mesh: "m".into(), key: n.to_string() };
                of.iter().map(|(n, v)| (thing(n), json!({ "name": "n", "state": v }))).collect()
            };
            let (mut before, now) = (state(&before), state(&now));
            for change in changes(&before.clone(), &now, "m", true, 0, 1) {
                apply(&mut before, &change);
            }
            prop_assert_eq!(before, now);
        }
    }
}
