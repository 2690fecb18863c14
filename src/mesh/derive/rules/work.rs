//! Messages and tasks that do not move.

use super::super::messages::{MessageState, MessageView};
use super::super::tasks::{TaskState, TaskView};
use super::finding;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;

pub(super) fn poison(view: &MessageView) -> Option<Finding> {
    if view.state != MessageState::Poison {
        return None;
    }
    let m = &view.message;
    let n = m.delivery_attempts.unwrap_or_default();
    let sentence = format!(
        "message {}: delivered {n} times without success ({} to agent {})",
        m.name(),
        m.msg_type,
        m.receiver_agent
    );
    let mut evidence = evidence(view);
    evidence.extend(m.last_claim_error.iter().map(|e| format!("last error: {e}").into()));
    Some(finding(Severity::Critical, Subject::Message(view.key()), &message_name(view), sentence, evidence))
}

pub(super) fn stuck(view: &MessageView) -> Option<Finding> {
    if view.state != MessageState::Stuck {
        return None;
    }
    let m = &view.message;
    let sentence = format!("message {}: not acknowledged ({} to agent {})", m.name(), m.msg_type, m.receiver_agent);
    Some(finding(Severity::Warning, Subject::Message(view.key()), &message_name(view), sentence, evidence(view)))
}

pub(super) fn orphaned(task: &TaskView) -> Option<Finding> {
    if task.state != TaskState::Orphaned {
        return None;
    }
    let who = task.owner_node.as_ref().or(task.owner_agent.as_ref()).map_or("unknown", Text::as_str);
    let sentence = format!("task {}: orphaned, worker {who} is {}", task.task, task.owner_staleness);
    Some(finding(Severity::Critical, Subject::Task(task.key()), &task.task, sentence, task.evidence.clone()))
}

fn message_name(view: &MessageView) -> Text {
    format!("message {}", view.message.name()).into()
}

fn evidence(view: &MessageView) -> Vec<Text> {
    let mut lines = vec![Text::from(format!("{} in {}", view.message.table, view.source))];
    lines.extend(view.created_ms.map(|at| format!("written {}", time::utc(at)).into()));
    if let Some(owner) = &view.message.claim_owner {
        let until = view.claim_until_ms.map_or_else(|| "unknown".into(), time::utc);
        lines.push(format!("claimed by {owner} until {until}").into());
    }
    lines
}
