//! Tasks.

use strum::VariantNames as _;

use super::{Cell, Column, Columns, Kind, Sort, Value};
use crate::mesh::derive::staleness::Staleness;
use crate::mesh::derive::tasks::{TaskState, TaskView};

type Of = Column<TaskView>;

/// Every task that could be assembled.
pub static TASKS: Columns<TaskView> = Columns {
    part: "tasks",
    title: "TASKS",
    about: "Tasks, put together from messages, logs and leases.",
    is_old: |t| t.as_of_ms.is_some(),
    all: &[
        Of::new("task_id", Kind::Name, "Its number, or what stands for it.", |t, _| Value::name(&t.task))
            .shown("task", "TASK", (8, 18), 0)
            .descending()
            .sorted(|t| Sort::id(&t.task)),
        Of::new("state", Kind::State(TaskState::VARIANTS), "Its state.", |t, _| Value::state(&t.state))
            .shown("state", "STATE", (11, 11), 0)
            .ascending(),
        Of::new("owner_agent", Kind::Name, "The agent that has it.", |t, _| Value::Name(t.owner_agent.as_ref()))
            .or_null()
            .shown("agent", "AGENT", (5, 14), 1)
            .right()
            .sorted(|t| t.owner_agent.as_ref().map_or(Sort::Unknown, Sort::id)),
        Of::new("owner_node", Kind::Name, "The node that has it.", |t, _| Value::Name(t.owner_node.as_ref()))
            .or_null()
            .shown("node", "NODE", (10, 24), 0)
            .drawn(|t, _| match &t.owner_node {
                Some(node) => Cell::with_state(&t.owner_staleness, node),
                None => Cell::dim("-"),
            }),
        Of::new("age_ms", Kind::Span, "Since it was first heard of.", |t, now| Value::Span(t.age_ms(now)))
            .shown("age", "AGE", (7, 8), 0)
            .sorted(|t| Sort::since(t.since_ms)),
        Of::new("lease_id", Kind::Name, "The lease that it runs under.", |t, _| Value::Name(t.lease_id.as_ref()))
            .or_null()
            .shown("lease", "LEASE", (5, 12), 3)
            .right()
            .sorted(|t| t.lease_id.as_ref().map_or(Sort::Unknown, Sort::id)),
        Of::new("last_evidence", Kind::Name, "The latest evidence.", |t, _| Value::Name(t.evidence.last()))
            .or_null()
            .screen_only()
            .shown("evidence", "LAST EVIDENCE", (16, 80), 2)
            .drawn(|t, _| Cell::dim(t.evidence.last().map(ToString::to_string).unwrap_or_default())),
        Of::new("repository_id", Kind::Name, "Its repository.", |t, _| Value::name(&t.repository_id))
            .shown("repo", "REPOSITORY", (10, 18), 5)
            .dim(),
        Of::new("evidence", Kind::Names, "What it was put together from, oldest first.", |t, _| {
            Value::Names(&t.evidence)
        }),
        Of::new("owner_staleness", Kind::State(Staleness::VARIANTS), "How its node does.", |t, _| {
            Value::state(&t.owner_staleness)
        }),
        Of::new("since_ms", Kind::Instant, "When it was first heard of, on the console's clock.", |t, _| {
            Value::Instant(t.since_ms)
        }),
        Of::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |t, _| Value::Instant(t.as_of_ms)),
    ],
};
