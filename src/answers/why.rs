//! What a node, an agent or a task waits for, and what waits for it.

use super::{OfMesh, listed, who};
use crate::columns::{LOCKS, MESSAGES, NODES, TASKS, WAITS};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::graph::WaitRow;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::messages::MessageState;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::tasks::TaskView;
use crate::model::text::Text;
use crate::model::time::short;

/// Locks, messages and waits that are listed at most.
const MOST: usize = 200;

/// Looks for nodes, agents and tasks of a name: there may be one of each.
pub fn answer(snapshot: &Snapshot, name: &str) -> OfMesh {
    let mut out = OfMesh::new(snapshot);
    let (now, text) = (snapshot.at_ms, Text::new(name));
    let nodes: Vec<&NodeView> = snapshot.nodes_named(&text).collect();
    let tasks: Vec<&TaskView> = snapshot.tasks.iter().filter(|task| task.task == text).collect();
    let waits: Vec<&WaitRow> =
        snapshot.waits.rows().iter().filter(|row| row.waits() && *row.agent() == text).take(MOST).collect();
    let of_agent: Vec<&LockView> = snapshot.holds().filter(|l| l.lock.holder_agent == text).take(MOST).collect();
    for node in &nodes {
        let seen = node.age_ms(now).map_or_else(|| "never seen".to_owned(), |age| format!("seen {} ago", short(age)));
        let holds = &node.holds;
        out.sentence(format!(
            "node {} is {}, {seen}; it holds {} locks and {} tasks",
            node.name(),
            node.staleness,
            holds.locks + holds.leases,
            holds.tasks
        ));
        let contended = snapshot.marked.contended.iter().map(|l| &**l);
        let waited: Vec<&LockView> = contended.filter(|l| node.is_holder_of(&l.lock)).take(MOST).collect();
        for view in &waited {
            out.sentence(who::sentence(snapshot, view, now));
        }
        out.add(&LOCKS, waited);
        out.add(&TASKS, snapshot.tasks.iter().filter(|t| t.owner_node.as_ref() == Some(&node.node_id)).take(MOST));
    }
    for row in &waits {
        let since = row.since_ms().map(|at| format!(" for {}", short(now - at))).unwrap_or_default();
        out.sentence(format!("agent {name} waits for {}{since} (inferred)", row.lock().name()));
        out.sentence(who::sentence(snapshot, row.lock(), now));
    }
    for view in of_agent.iter().filter(|view| !view.waiters.is_empty()) {
        let agents = listed(view.waiters.iter().map(|waiter| &waiter.agent));
        out.sentence(format!("agent {name} holds {}, which agents {agents} wait for", view.name()));
    }
    for deadlock in snapshot.waits.deadlocks.iter().filter(|deadlock| deadlock.agents.contains(&text)) {
        let breaks = listed(deadlock.breaks.iter().map(|(_, name)| name));
        out.sentence(format!("it is in a deadlock of {}: release {breaks}", listed(deadlock.agents.iter())));
    }
    for task in &tasks {
        let age = task.age_ms(now).map(|age| format!(", {} old", short(age))).unwrap_or_default();
        let owner = task.owner_node.as_ref().map(|node| format!(", with {node} ({})", task.owner_staleness));
        out.sentence(format!("task {} is {}{age}{}", task.task, task.state, owner.unwrap_or_default()));
        task.evidence.iter().for_each(|evidence| out.sentence(evidence));
    }
    let inbox: Vec<_> = snapshot
        .messages
        .iter()
        .filter(|m| m.message.receiver_agent == text && m.state != MessageState::Acknowledged)
        .take(MOST)
        .collect();
    out.found = !(nodes.is_empty() && tasks.is_empty() && waits.is_empty() && of_agent.is_empty() && inbox.is_empty());
    if out.sentences.is_empty() {
        let quiet = "it waits for nothing, and nothing is seen to wait for it";
        out.sentence(if out.found { quiet } else { "nothing of this name is seen" });
    }
    out.add(&NODES, nodes);
    out.add(&WAITS, waits);
    if !out.rows.iter().any(|rows| rows.part == LOCKS.part) {
        out.add(&LOCKS, of_agent);
    }
    if !out.rows.iter().any(|rows| rows.part == TASKS.part) {
        out.add(&TASKS, tasks);
    }
    out.add(&MESSAGES, inbox);
    out
}
