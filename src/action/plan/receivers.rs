//! Who could take a message over, best first.

use std::collections::HashMap;

use crate::mesh::derive::Snapshot;
use crate::mesh::derive::messages::MessageState;
use crate::mesh::derive::staleness::Staleness;
use crate::model::text::Text;

/// One agent that could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    pub agent: Text,
    pub node: Text,
    pub staleness: Staleness,
    /// Labels that the work asks for, and this agent's node has.
    pub fits: usize,
    /// How many labels the work asks for.
    pub asked: usize,
    /// Messages that wait for it.
    pub inbox: usize,
    /// Shut out, or takes no new work.
    pub closed: bool,
}

/// Every agent of a node, by whether it may take work, how alive its node is, how many of the labels it has, how
/// few messages wait for it, and its id.
#[must_use]
pub fn rank(snapshot: &Snapshot, labels: &[String], without: &[Text]) -> Vec<Receiver> {
    let mut inboxes = HashMap::new();
    for message in snapshot.messages.iter().filter(|m| m.state != MessageState::Acknowledged) {
        *inboxes.entry(&message.message.receiver_agent).or_insert(0usize) += 1;
    }
    let mut all: Vec<Receiver> = Vec::new();
    let mut known: HashMap<&Text, usize> = HashMap::new();
    for node in snapshot.nodes.iter() {
        let registry = node.registry.as_ref();
        let has = |label: &&String| registry.is_some_and(|r| r.labels.iter().any(|l| l == label.as_str()));
        for agent in node.agents.iter().filter(|agent| !without.contains(agent)) {
            let one = Receiver {
                agent: agent.clone(),
                node: node.node_id.clone(),
                staleness: node.staleness,
                fits: labels.iter().filter(has).count(),
                asked: labels.len(),
                inbox: inboxes.get(agent).copied().unwrap_or(0),
                closed: registry.is_some_and(|r| r.maintenance || r.quarantined),
            };
            match known.get(agent).map(|place| &mut all[*place]) {
                // An agent seen on two nodes is on the one that is more alive.
                Some(before) if one.staleness < before.staleness => *before = one,
                Some(_) => {}
                None => {
                    known.insert(agent, all.len());
                    all.push(one);
                }
            }
        }
    }
    all.sort_by_key(|r| {
        let number = r.agent.raw().parse::<u64>().unwrap_or(u64::MAX);
        (r.closed, r.staleness, r.asked - r.fits, r.inbox, number, r.agent.clone())
    });
    all
}

/// Those that may be given work without a second thought.
pub(super) fn fit(receivers: Vec<Receiver>) -> Vec<Receiver> {
    let able = |r: &Receiver| !r.closed && matches!(r.staleness, Staleness::Healthy | Staleness::Warn);
    receivers.into_iter().filter(able).collect()
}
