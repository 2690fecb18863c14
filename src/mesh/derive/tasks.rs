//! Tasks, assembled from messages, leases, the op-log and lineage events: there is no task table.

use strum::{Display, EnumIter, IntoStaticStr};

use super::nodes::Nodes;
use super::staleness::Staleness;
use crate::model::stated::Cancel;
use crate::model::text::Text;
use crate::model::time::Millis;

/// The state of a task.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum TaskState {
    Pending,
    Leased,
    /// The message that carries it was acknowledged, and nothing was heard of it since.
    Received,
    Running,
    /// In work, but whoever works on it is critical or dead.
    Orphaned,
    Done,
    Failed,
    Cancelled,
}

impl TaskState {
    /// Whether nothing more is expected of it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// Its number, or what stands for it (`handoff 12`).
    pub task: Text,
    pub repository_id: Text,
    pub state: TaskState,
    pub owner_agent: Option<Text>,
    pub owner_node: Option<Text>,
    pub owner_staleness: Staleness,
    /// First heard of, on the console's clock.
    pub since_ms: Option<Millis>,
    /// Last heard of, on the console's clock.
    pub last_ms: Option<Millis>,
    /// The key of the message that carries it, if one does.
    pub message: Option<String>,
    pub lease_id: Option<Text>,
    /// What its system cancels it by; nothing where it cannot be cancelled.
    pub cancel: Option<Cancel>,
    /// What becomes of it once the node that runs it is dead; may be empty.
    pub if_dead: &'static str,
    /// Set where a source that carries it is old.
    pub as_of_ms: Option<Millis>,
    /// What it was assembled from, oldest first.
    pub evidence: Vec<Text>,
}

impl TaskView {
    /// A name that stays: repository and task.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}\u{1}{}", self.repository_id.raw(), self.task.raw())
    }

    /// How long ago it was first seen, in ms; as of the last answer where a source is old.
    #[must_use]
    pub fn age_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.since_ms.map(|at| self.as_of_ms.unwrap_or(now_ms) - at)
    }
}

/// What one piece of evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoteKind {
    Submitted,
    /// The message that carries it was acknowledged.
    Received,
    Accepted,
    /// It changes nothing: a step, a parent, a blocker.
    Detail,
    Over(TaskState),
}

/// What one message, log entry, event or lease says of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    pub(super) summary: Vec<(Option<Millis>, NoteKind, Text)>,
    pub(super) agent: Option<Text>,
    pub(super) carrier: Option<Carrier>,
    pub(super) lease: Option<Grant>,
    pub(super) cancel: Option<Cancel>,
    pub(super) if_dead: &'static str,
    pub(super) as_of_ms: Option<Millis>,
}

/// The message that carries a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Carrier {
    /// The message's key.
    pub(super) key: String,
    pub(super) claimed: bool,
}

/// A lease on a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grant {
    pub(super) lease_id: Text,
    pub(super) node: Text,
    pub(super) in_force: bool,
}

#[derive(Default)]
struct Draft {
    summary: Vec<(Option<Millis>, NoteKind, Text)>,
    agent: Option<Text>,
    /// Who holds a lease on it, or held one that is over.
    node: Option<Text>,
    last_node: Option<Text>,
    claimed: bool,
    message: Option<String>,
    lease: Option<(Text, bool)>,
    cancel: Option<Cancel>,
    if_dead: &'static str,
    as_of_ms: Option<Millis>,
}

/// Assembles a task from what is said of it: messages first, then logs, events and leases.
pub(super) fn assemble<'a>(
    repository_id: Text,
    task: Text,
    notes: impl Iterator<Item = &'a Note>,
    nodes: &Nodes,
) -> TaskView {
    let mut draft = Draft::default();
    for note in notes {
        draft.summary.extend(note.summary.iter().cloned());
        if let Some(carrier) = &note.carrier {
            draft.claimed |= carrier.claimed;
            draft.message = Some(carrier.key.clone());
            draft.agent.clone_from(&note.agent);
        } else {
            draft.agent = draft.agent.take().or_else(|| note.agent.clone());
        }
        draft.as_of_ms = draft.as_of_ms.or(note.as_of_ms);
        draft.cancel = draft.cancel.take().or_else(|| note.cancel.clone());
        if draft.if_dead.is_empty() {
            draft.if_dead = note.if_dead;
        }
        if let Some(grant) = &note.lease {
            draft.lease = Some((grant.lease_id.clone(), grant.in_force));
            let node = if grant.in_force { &mut draft.node } else { &mut draft.last_node };
            *node = Some(grant.node.clone());
        }
    }
    finish(repository_id, task, draft, nodes)
}

fn finish(repository_id: Text, task: Text, mut draft: Draft, nodes: &Nodes) -> TaskView {
    draft.summary.sort_by_key(|(at, ..)| at.unwrap_or(Millis::MAX));
    let home = draft.agent.as_ref().and_then(|agent| nodes.home(agent));
    let owner_node = draft.node.clone().or_else(|| home.map(|node| node.node_id.clone())).or(draft.last_node.clone());
    let owner_staleness = owner_node.as_ref().map_or(Staleness::Unknown, |node| nodes.staleness(node, None));
    let submitted = draft.summary.iter().filter(|s| s.1 == NoteKind::Submitted).filter_map(|s| s.0).max();
    let over = draft.summary.iter().rev().find_map(|(at, summary, _)| match summary {
        NoteKind::Over(state) if submitted.is_none_or(|s| at.is_none_or(|at| at >= s)) => Some(*state),
        _ => None,
    });
    let accepted = draft.claimed || draft.summary.iter().any(|s| s.1 == NoteKind::Accepted);
    let received = draft.summary.iter().any(|s| s.1 == NoteKind::Received);
    let leased = draft.lease.as_ref().is_some_and(|(_, in_force)| *in_force);
    let lapsed = draft.lease.as_ref().is_some_and(|(_, in_force)| !*in_force);
    let state = match over {
        Some(state) => state,
        None if owner_staleness.is_gone()
            || (lapsed && !accepted && !received && owner_staleness != Staleness::Healthy) =>
        {
            TaskState::Orphaned
        }
        None if accepted || received && leased => TaskState::Running,
        None if received => TaskState::Received,
        None if leased => TaskState::Leased,
        None => TaskState::Pending,
    };
    TaskView {
        task,
        repository_id,
        state,
        owner_agent: draft.agent,
        owner_node,
        owner_staleness,
        since_ms: draft.summary.iter().filter_map(|s| s.0).min(),
        last_ms: draft.summary.iter().filter_map(|s| s.0).max(),
        message: draft.message,
        lease_id: draft.lease.map(|(id, _)| id),
        cancel: draft.cancel,
        if_dead: draft.if_dead,
        as_of_ms: draft.as_of_ms,
        evidence: draft.summary.into_iter().map(|(_, _, note)| note).collect(),
    }
}
