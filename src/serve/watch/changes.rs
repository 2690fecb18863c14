//! Changes of what is followed: findings, locks, nodes, tasks and actions. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::time::Millis;

/// The name and version of a line.
pub const SCHEMA: &str = "lockkeeper.change.v1";

/// What a thing is told by: its kind, its mesh, and its key there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// What leads from one state to the other, with cursors that go on after the last one.
#[must_use]
pub fn changes(before: &State, now: &State, last: u64, at_ms: Millis) -> Vec<Change> {
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
    for (thing, was) in before.iter().filter(|(thing, _)| !now.contains_key(thing)) {
        add(thing, "gone", was.clone(), Value::Null);
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
    use serde_json::json;

    use super::*;

    fn change(kind: &str, name: &str, state: &str) -> Change {
        let thing = Thing { kind: kind.into(), mesh: "prod".into(), key: name.into() };
        let before = State::new();
        let now = State::from([(thing, json!({ "name": name, "state": state }))]);
        changes(&before, &now, 7, 1).remove(0)
    }

    #[test]
    fn filters_look_at_what_a_change_is_of() {
        let all =
            [change("lock", "src/lexer.rs", "held"), change("node", "n1", "dead"), change("node", "n2", "healthy")];
        let pass = |words: &[&str]| {
            let filter = Filter::new(words.iter().map(|word| (*word).to_owned()).collect());
            all.iter().filter(|change| filter.passes(change)).count()
        };
        assert_eq!(pass(&[]), all.len());
        assert_eq!(pass(&["kind:lock", "lexer"]), 1);
        assert_eq!(pass(&["kind:node", "state:dead"]), 1);
        assert_eq!(pass(&["mesh:other"]), 0);
        assert_eq!(all[0].cursor, 8);
    }

    proptest! {
        /// Whatever happens, the changes lead from one state to the other, and their cursors have no gap.
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
            let found = changes(&before.clone(), &now, 4, 1);
            prop_assert!(found.iter().map(|change| change.cursor).eq(5..5 + found.len() as u64));
            for change in found {
                apply(&mut before, &change);
            }
            prop_assert_eq!(before, now);
        }
    }
}
