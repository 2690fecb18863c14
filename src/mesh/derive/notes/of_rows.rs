//! What one row says of a task.

use serde_json::Value;

use crate::mesh::derive::chain::LogView;
use crate::mesh::derive::leases::LeaseView;
use crate::mesh::derive::messages::{MessageState, MessageView};
use crate::mesh::derive::tasks::{Carrier, Grant, Note, NoteKind, TaskState};
use crate::model::LineageEvent;
use crate::model::stated::{Stage, StatedTask, TaskEvent};
use crate::model::text::Text;
use crate::model::time::Millis;

/// A task: its repository and its number.
type Key = (Text, Text);

pub(super) fn carrier(view: &MessageView) -> Note {
    let message = &view.message;
    let text = format!("{} {}", message.msg_type, message.id);
    let mut summary = vec![(view.created_ms, NoteKind::Submitted, text.clone().into())];
    let acknowledged = view.state == MessageState::Acknowledged;
    if acknowledged {
        let over = message.msg_type == "plan_handoff";
        // Whether it was run is not said by that.
        let meaning = if over { NoteKind::Over(TaskState::Done) } else { NoteKind::Received };
        summary.push((view.created_ms, meaning, format!("{text} acknowledged").into()));
    }
    let claimed = !acknowledged && view.claim_until_ms.is_some() && view.state != MessageState::Lapsed;
    Note {
        summary,
        agent: Some(message.receiver_agent.clone()),
        carrier: Some(Carrier { key: view.key(), claimed }),
        lease: None,
        cancel: None,
        if_dead: "",
        as_of_ms: view.as_of_ms,
    }
}

pub(super) fn plain(at: Option<Millis>, summary: NoteKind, text: String, agent: Option<Text>) -> Note {
    Note {
        summary: vec![(at, summary, text.into())],
        agent,
        carrier: None,
        lease: None,
        cancel: None,
        if_dead: "",
        as_of_ms: None,
    }
}

pub(super) fn answer(view: &MessageView, payload: &Value) -> Note {
    let kind = view.message.msg_type.raw();
    let failed = payload["success"] == false;
    let summary = match kind {
        "remote_task_result" | "job_result" if failed => NoteKind::Over(TaskState::Failed),
        "remote_task_ack" if payload["accepted"] == false => NoteKind::Over(TaskState::Failed),
        "remote_task_ack" => NoteKind::Accepted,
        "remote_task_cancel" => NoteKind::Over(TaskState::Cancelled),
        "job_fail" => NoteKind::Over(TaskState::Failed),
        _ => NoteKind::Over(TaskState::Done),
    };
    let error = payload["error"].as_str().filter(|_| failed).map(|error| Text::bounded(error, 200));
    let why = error.map_or_else(String::new, |error| format!(": {error}"));
    plain(view.created_ms, summary, format!("{kind} {}{why}", view.message.id), None)
}

pub(super) fn logged(view: &LogView) -> Option<(Key, Note)> {
    let entry = &view.entry;
    let summary = match entry.kind.raw() {
        "TaskSubmit" => NoteKind::Submitted,
        "TaskComplete" => NoteKind::Over(TaskState::Done),
        "TaskFail" => NoteKind::Over(TaskState::Failed),
        _ => return None,
    };
    let kind = serde_json::from_str::<Value>(&entry.kind_json).ok()?;
    let id = kind[entry.kind.raw()]["task_id"].as_i64()?;
    let text = format!("{} {}", entry.kind, entry.operation_id);
    let key = (entry.repository_id.clone(), id.to_string().into());
    Some((key, plain(view.at_ms, summary, text, Some(entry.agent_id.clone()))))
}

pub(super) fn note_of_event(event: &LineageEvent, to_console: impl Fn(Millis) -> Millis) -> Option<(Key, Note)> {
    let summary = match event.kind.raw() {
        "task_submitted" => NoteKind::Submitted,
        "task_delegated" => NoteKind::Accepted,
        "task_completed" => NoteKind::Over(TaskState::Done),
        "task_failed" => NoteKind::Over(TaskState::Failed),
        _ => return None,
    };
    let key = (event.repository_id.clone(), event.task.clone()?);
    let text = format!("lineage {} {}", event.kind, event.id);
    Some((key, plain(event.created_at_ms.map(to_console), summary, text, event.agent_id.clone())))
}

pub(super) fn stated(task: &StatedTask, to_console: impl Fn(Millis) -> Millis) -> Note {
    let kind = |stage: Stage| match stage {
        Stage::Submitted => NoteKind::Submitted,
        Stage::Running => NoteKind::Accepted,
        Stage::Detail => NoteKind::Detail,
        Stage::Done => NoteKind::Over(TaskState::Done),
        Stage::Failed => NoteKind::Over(TaskState::Failed),
        Stage::Cancelled => NoteKind::Over(TaskState::Cancelled),
    };
    let line = |event: &TaskEvent| (event.at_ms.map(&to_console), kind(event.stage), event.text.clone());
    Note {
        summary: task.story.iter().map(line).collect(),
        agent: task.agent.clone(),
        carrier: None,
        lease: None,
        cancel: task.cancel.clone(),
        if_dead: task.if_dead,
        as_of_ms: None,
    }
}

pub(super) fn leased(view: &LeaseView) -> Note {
    let lease = &view.lease;
    let word = if view.in_force { "in force" } else { "over" };
    let text = format!("lease {} of {} {word}", lease.lease_id, lease.holder_node_id);
    let grant = Grant { lease_id: lease.lease_id.clone(), node: lease.holder_node_id.clone(), in_force: view.in_force };
    Note { lease: Some(grant), as_of_ms: view.as_of_ms, ..plain(None, NoteKind::Submitted, text, None) }
}
