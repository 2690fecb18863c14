//! Documents of one group that several of its nodes publish, each its own. A node is what it says of itself; locks, barriers
//! and the log are those of one document, so that nothing is told twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::document::{Document, DocumentEntry, Node};
use super::invariants::{STALE, log_entries_that_differ};
use crate::model::stated::Problem;

/// The newest document of each place.
pub type Published = BTreeMap<usize, Arc<Document>>;

/// How long the first looks of others are waited for.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// What the places of one configuration published.
#[derive(Clone)]
pub struct Peers(Arc<Shared>);

struct Shared {
    places: usize,
    documents: Mutex<Published>,
    /// Places that were looked at, whether or not there was a document.
    looked_at: watch::Sender<BTreeSet<usize>>,
}

impl Peers {
    /// So many places.
    #[must_use]
    pub fn of(places: usize) -> Self {
        Self(Arc::new(Shared { places, documents: Mutex::default(), looked_at: watch::Sender::default() }))
    }

    /// Takes the newest document of a place.
    pub fn take(&self, place: usize, document: Arc<Document>) {
        self.0.documents.lock().unwrap_or_else(PoisonError::into_inner).insert(place, document);
    }

    /// Those of all.
    #[must_use]
    pub fn all(&self) -> Published {
        self.0.documents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A place was looked at. The first time, the others are waited for: who tells of a group depends on them.
    pub async fn looked_at(&self, place: usize) {
        let is_first = self.0.looked_at.send_if_modified(|all| all.insert(place));
        if is_first {
            let mut looked_at = self.0.looked_at.subscribe();
            let all = looked_at.wait_for(|all| all.len() >= self.0.places);
            // One that takes longer is heard later.
            let _ = tokio::time::timeout(FIRST_WITHIN, all).await;
        }
    }
}

/// What a node says of itself in its own document.
fn own(document: &Document) -> Option<&Node> {
    let by = document.written_by.as_ref()?;
    document.nodes.iter().find(|node| node.node_id == *by)
}

/// Documents of the same group as that of a place, by their places.
fn of_group(place: usize, all: &Published) -> Vec<(usize, &Document)> {
    let Some(mine) = all.get(&place) else { return Vec::new() };
    all.iter().filter(|(_, other)| other.group() == mine.group()).map(|(at, of)| (*at, &**of)).collect()
}

/// The place whose document tells what is not a single node's: the leader's by its own word, if it is fresh.
fn speaker(group: &[(usize, &Document)]) -> Option<usize> {
    let newest = group.iter().filter_map(|(_, of)| of.observed_at_ms).max();
    let is_fresh = |of: &Document| match (newest, of.observed_at_ms) {
        (Some(newest), Some(at)) => newest.saturating_sub(at) <= STALE,
        _ => true,
    };
    let leads = |of: &Document| {
        let node = own(of).filter(|node| node.role.as_deref() == Some("leader"));
        node.map(|node| node.current_term.unwrap_or(0))
    };
    let fresh = group.iter().filter(|(_, of)| is_fresh(of));
    fresh.max_by_key(|(at, of)| (leads(of), std::cmp::Reverse(*at))).map(|(at, _)| *at)
}

/// What a place tells of its group, with the words of all: nothing where another place tells it.
#[must_use]
pub fn merged(place: usize, all: &Published) -> Option<Document> {
    let group = of_group(place, all);
    if speaker(&group) != Some(place) {
        return None;
    }
    let mut document = all.get(&place)?.as_ref().clone();
    for (_, other) in group.iter().filter(|(at, _)| *at != place) {
        let Some(node) = own(other) else { continue };
        // It was heard when it wrote that.
        let node = Node { heard_at_ms: other.observed_at_ms, ..node.clone() };
        match document.nodes.iter_mut().find(|known| known.node_id == node.node_id) {
            Some(known) => *known = node,
            None => document.nodes.push(node),
        }
    }
    Some(document)
}

/// Entries of one index and term that are not the same in two documents of a group.
#[must_use]
pub fn torn(place: usize, all: &Published) -> Vec<Problem> {
    let Some(mine) = all.get(&place) else { return Vec::new() };
    let others = of_group(place, all).into_iter().filter(|(at, of)| *at != place && of.incarnation == mine.incarnation);
    others.flat_map(|(_, other)| log_entries_that_differ(mine, other)).collect()
}

/// Whether two entries are of one place and differ.
#[must_use]
pub fn differ(one: &DocumentEntry, other: &DocumentEntry) -> bool {
    one.index.is_some()
        && one.index == other.index
        && one.term == other.term
        && (one.kind != other.kind || one.text != other.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document(by: &str, leads: bool, at: i64, text: &str) -> Arc<Document> {
        let value: Value = json!({
            "schema": "consensus-snapshot/v1", "system": "s", "cluster_id": "c", "incarnation": "i", "written_by": by,
            "observed_at_ms": 1_795_644_000_000_i64 + at,
            "nodes": [
                { "node_id": "a", "role": if by == "a" && leads { "leader" } else { "follower" }, "current_term": 3 },
                { "node_id": "b", "role": if by == "b" && leads { "leader" } else { "follower" }, "current_term": 3 },
            ],
            "locks": [{ "lock_id": format!("of-{by}"), "state": "locked", "holder": "x" }],
            "log": [{ "index": 5, "term": 3, "kind": "command", "text": text }],
        });
        Arc::new(Document::read(value.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn a_node_is_what_it_says_of_itself_and_the_leader_tells_the_rest() {
        let all: Published = [(0, document("a", false, 0, "")), (1, document("b", true, 5, ""))].into();
        assert_eq!(merged(0, &all), None);
        let told = merged(1, &all).unwrap();
        assert_eq!((told.locks.len(), told.locks[0].lock_id.as_str()), (1, "of-b"));
        let role = |id: &str| told.nodes.iter().find(|node| node.node_id == id).unwrap().role.clone();
        assert_eq!((role("a").as_deref(), role("b").as_deref()), (Some("follower"), Some("leader")));
        // Both say that they lead: both are shown so.
        let all: Published = [(0, document("a", true, 0, "")), (1, document("b", true, 0, ""))].into();
        let told = merged(0, &all).unwrap();
        assert!(told.nodes.iter().all(|node| node.role.as_deref() == Some("leader")));
        assert_eq!(merged(1, &all), None);
        // A leader that wrote nothing for long does not tell.
        let all: Published = [(0, document("a", false, 60_000, "")), (1, document("b", true, 0, ""))].into();
        assert!(merged(0, &all).is_some() && merged(1, &all).is_none());
    }

    #[test]
    fn entries_of_one_place_in_two_logs_are_one() {
        let all: Published = [(0, document("a", true, 0, "x")), (1, document("b", false, 0, "y"))].into();
        assert_eq!(torn(0, &all).len(), 1);
        let all: Published = [(0, document("a", true, 0, "x")), (1, document("b", false, 0, "x"))].into();
        assert_eq!(torn(0, &all).len(), 0);
    }
}
