//! Tasks, assembled from messages, leases, the op-log and lineage events: there is no task table.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use strum::{Display, EnumIter, IntoStaticStr};

use super::Liveness;
use super::chain::LogView;
use super::leases::LeaseView;
use super::messages::{MessageState, MessageView};
use super::staleness::Staleness;
use crate::data::mesh::Mesh;
use crate::text::Text;
use crate::time::Millis;

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum TaskState {
    Pending,
    Leased,
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

    /// How long ago it was first heard of, in ms; as of the last answer where a source is old.
    #[must_use]
    pub fn age_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.since_ms.map(|at| self.as_of_ms.unwrap_or(now_ms) - at)
    }
}

/// What one piece of evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Submitted,
    Accepted,
    Over(TaskState),
}

#[derive(Default)]
struct Draft {
    says: Vec<(Option<Millis>, Says, Text)>,
    agent: Option<Text>,
    /// Who holds a lease on it, or held one that is over.
    node: Option<Text>,
    last_node: Option<Text>,
    claimed: bool,
    message: Option<String>,
    lease: Option<(Text, bool)>,
    as_of_ms: Option<Millis>,
}

type Key = (Text, Text);

/// Assembles every task known.
pub(super) fn judge(
    mesh: &Mesh,
    messages: &[MessageView],
    leases: &[LeaseView],
    log: &[LogView],
    liveness: &Liveness,
) -> Vec<TaskView> {
    let mut drafts: BTreeMap<Key, Draft> = BTreeMap::new();
    let mut by_idempotency: HashMap<String, Key> = HashMap::new();
    for view in messages {
        envelope(view, &mut drafts, &mut by_idempotency);
    }
    for view in messages {
        answer(view, &mut drafts, &by_idempotency);
    }
    for view in log {
        logged(view, &mut drafts);
    }
    for source in &mesh.sources {
        for event in source.facts.lineage.iter() {
            let Some(id) = event.task_id else { continue };
            let Some(says) = lineage_says(event.kind.raw()) else { continue };
            let draft = drafts.entry((event.repository_id.clone(), id.to_string().into())).or_default();
            draft.says.push((
                event.created_at_ms.map(|ms| source.to_console(ms)),
                says,
                format!("lineage {} {}", event.kind, event.id).into(),
            ));
            draft.agent = draft.agent.take().or_else(|| event.agent_id.clone());
        }
    }
    for view in leases {
        leased(view, &mut drafts);
    }
    drafts.into_iter().map(|((repository_id, task), draft)| settle(repository_id, task, draft, liveness)).collect()
}

fn envelope(view: &MessageView, drafts: &mut BTreeMap<Key, Draft>, by_idempotency: &mut HashMap<String, Key>) {
    let message = &view.message;
    let payload: Value = match message.msg_type.raw() {
        "remote_task_envelope" => serde_json::from_str(&message.payload.head).unwrap_or(Value::Null),
        "plan_handoff" => Value::Null,
        _ => return,
    };
    let handoff = message.msg_type == "plan_handoff";
    let task: Text = match payload["task_id"].as_i64() {
        Some(id) => id.to_string().into(),
        None if handoff => format!("handoff {}", message.id).into(),
        None => format!("envelope {}", message.id).into(),
    };
    let repository_id = payload["repository_id"].as_str().map_or_else(|| message.repository_id.clone(), Text::new);
    let key = (repository_id, task);
    if let Some(idempotency_key) = payload["idempotency_key"].as_str() {
        by_idempotency.insert(idempotency_key.to_owned(), key.clone());
    }
    let draft = drafts.entry(key).or_default();
    let note = format!("{} {}", message.msg_type, message.id);
    draft.says.push((view.created_ms, Says::Submitted, note.clone().into()));
    match view.state {
        MessageState::Acknowledged if handoff => {
            draft.says.push((view.created_ms, Says::Over(TaskState::Done), format!("{note} acknowledged").into()));
        }
        MessageState::Acknowledged => {
            draft.says.push((view.created_ms, Says::Accepted, format!("{note} acknowledged").into()));
        }
        _ => draft.claimed |= view.claim_until_ms.is_some() && view.state != MessageState::Lapsed,
    }
    draft.agent = Some(message.receiver_agent.clone());
    draft.message = Some(view.key());
    draft.as_of_ms = draft.as_of_ms.or(view.as_of_ms);
}

fn answer(view: &MessageView, drafts: &mut BTreeMap<Key, Draft>, by_idempotency: &HashMap<String, Key>) {
    let message = &view.message;
    let kind = message.msg_type.raw();
    if !matches!(kind, "remote_task_ack" | "remote_task_result" | "remote_task_cancel" | "job_result" | "job_fail") {
        return;
    }
    let Ok(payload) = serde_json::from_str::<Value>(&message.payload.head) else { return };
    let Some(key) = payload["idempotency_key"].as_str().and_then(|k| by_idempotency.get(k)) else { return };
    let Some(draft) = drafts.get_mut(key) else { return };
    let says = match kind {
        "remote_task_ack" if payload["accepted"] == false => Says::Over(TaskState::Failed),
        "remote_task_ack" => Says::Accepted,
        "remote_task_cancel" => Says::Over(TaskState::Cancelled),
        "job_fail" => Says::Over(TaskState::Failed),
        _ => Says::Over(TaskState::Done),
    };
    draft.says.push((view.created_ms, says, format!("{kind} {}", message.id).into()));
}

fn logged(view: &LogView, drafts: &mut BTreeMap<Key, Draft>) {
    let says = match view.entry.kind.raw() {
        "TaskSubmit" => Says::Submitted,
        "TaskComplete" => Says::Over(TaskState::Done),
        "TaskFail" => Says::Over(TaskState::Failed),
        _ => return,
    };
    let Ok(kind) = serde_json::from_str::<Value>(&view.entry.kind_json) else { return };
    let Some(id) = kind[view.entry.kind.raw()]["task_id"].as_i64() else { return };
    let draft = drafts.entry((view.entry.repository_id.clone(), id.to_string().into())).or_default();
    draft.says.push((view.at_ms, says, format!("{} {}", view.entry.kind, view.entry.operation_id).into()));
    draft.agent = draft.agent.take().or_else(|| Some(view.entry.agent_id.clone()));
}

fn lineage_says(kind: &str) -> Option<Says> {
    match kind {
        "task_submitted" => Some(Says::Submitted),
        "task_delegated" => Some(Says::Accepted),
        "task_completed" => Some(Says::Over(TaskState::Done)),
        "task_failed" => Some(Says::Over(TaskState::Failed)),
        _ => None,
    }
}

/// A lease names a task but no repository: it joins the one task of that number, or stands for its own.
fn leased(view: &LeaseView, drafts: &mut BTreeMap<Key, Draft>) {
    let lease = &view.lease;
    let Some(task) = lease.scope_key.raw().strip_prefix("task:").map(Text::new).or_else(|| lease.task_id.clone())
    else {
        return;
    };
    let mut candidates = drafts.keys().filter(|(_, id)| *id == task);
    let key = match (candidates.next().cloned(), candidates.next()) {
        (Some(only), None) => only,
        _ if view.in_force => (Text::default(), task),
        _ => return,
    };
    let draft = drafts.entry(key).or_default();
    let word = if view.in_force { "in force" } else { "over" };
    draft.says.push((
        None,
        Says::Submitted,
        format!("lease {} of {} {word}", lease.lease_id, lease.holder_node_id).into(),
    ));
    draft.lease = Some((lease.lease_id.clone(), view.in_force));
    draft.as_of_ms = draft.as_of_ms.or(view.as_of_ms);
    if view.in_force {
        draft.node = Some(lease.holder_node_id.clone());
    } else {
        draft.last_node = Some(lease.holder_node_id.clone());
    }
}

fn settle(repository_id: Text, task: Text, mut draft: Draft, liveness: &Liveness) -> TaskView {
    draft.says.sort_by_key(|(at, ..)| at.unwrap_or(Millis::MAX));
    let home = draft.agent.as_ref().and_then(|agent| liveness.agent(agent));
    let owner_node = draft.node.clone().or_else(|| home.map(|(node, _)| node.clone())).or(draft.last_node.clone());
    let owner_staleness = owner_node.as_ref().map_or(Staleness::Unknown, |node| liveness.node(node));
    let submitted = draft.says.iter().filter(|s| s.1 == Says::Submitted).filter_map(|s| s.0).max();
    let over = draft.says.iter().rev().find_map(|(at, says, _)| match says {
        Says::Over(state) if submitted.is_none_or(|s| at.is_none_or(|at| at >= s)) => Some(*state),
        _ => None,
    });
    let accepted = draft.claimed || draft.says.iter().any(|s| s.1 == Says::Accepted);
    let leased = draft.lease.as_ref().is_some_and(|(_, in_force)| *in_force);
    let lapsed = draft.lease.as_ref().is_some_and(|(_, in_force)| !*in_force);
    let state = match over {
        Some(state) => state,
        None if owner_staleness.is_gone() || (lapsed && !accepted && owner_staleness != Staleness::Healthy) => {
            TaskState::Orphaned
        }
        None if accepted => TaskState::Running,
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
        since_ms: draft.says.iter().filter_map(|s| s.0).min(),
        last_ms: draft.says.iter().filter_map(|s| s.0).max(),
        message: draft.message,
        lease_id: draft.lease.map(|(id, _)| id),
        as_of_ms: draft.as_of_ms,
        evidence: draft.says.into_iter().map(|(_, _, note)| note).collect(),
    }
}
