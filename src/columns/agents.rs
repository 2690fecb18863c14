//! Agents that a source states.

use strum::VariantNames as _;

use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::agents::{AgentState, AgentView};
use crate::mesh::derive::staleness::Staleness;
use crate::model::agent::Progress;
use crate::model::time::Millis;

type Of = Column<AgentView>;

/// Every agent that a source states.
pub static AGENTS: Columns<AgentView> = Columns {
    part: "agents",
    title: "AGENTS",
    about: "Agents as their systems state them: what they are at, and how they do.",
    is_old: |a| a.as_of_ms.is_some(),
    all: &[
        Of::new("agent_id", Kind::Name, "The agent's name.", |a, _| Value::name(&a.agent.agent)).shown(
            "agent",
            "AGENT",
            (18, 40),
            0,
        ),
        Of::new("state", Kind::State(AgentState::VARIANTS), "Its state, by all that is known of it.", |a, _| {
            Value::state(&a.state)
        })
        .shown("state", "STATE", (10, 10), 0)
        .ascending(),
        Of::new("so_for_ms", Kind::Span, "Since this console sees its activity as it is.", |a, now| {
            Value::Span(since(a, a.since_ms, now))
        })
        .shown("since", "SO FOR", (7, 8), 0)
        .sorted(|a| Sort::since(a.since_ms)),
        Of::new("progress_age_ms", Kind::Span, "Since its last progress, by its system's clock.", |a, now| {
            Value::Span(since(a, a.progress_ms, now))
        })
        .shown("progress", "PROGRESS", (8, 8), 1)
        .sorted(|a| Sort::since(a.progress_ms)),
        Of::new("node_id", Kind::Name, "The node that runs it.", |a, _| Value::Name(a.node.as_ref()))
            .or_null()
            .shown("node", "NODE", (10, 24), 1)
            .drawn(|a, _| match &a.node {
                Some(node) => Cell::with_state(&a.staleness, node),
                None => Cell::dim("-"),
            }),
        Of::new("role", Kind::Name, "What it is for.", |a, _| Value::name(&a.agent.role))
            .shown("role", "ROLE", (8, 16), 2)
            .dim(),
        Of::new("health", Kind::Name, "Its system's own word on how it does.", |a, _| {
            Value::Name(progress(a).map(|progress| &progress.health))
        })
        .or_null()
        .shown("health", "HEALTH", (8, 10), 3)
        .dim(),
        Of::new("in_flight", Kind::Count, "Pieces of work that it has at once.", |a, _| {
            Value::Count(progress(a).map(|progress| progress.in_flight))
        })
        .shown("flight", "FLIGHT", (6, 6), 5),
        Of::new("generation", Kind::Count, "Counts its lives.", |a, _| Value::Count(a.agent.generation)).shown(
            "generation",
            "GEN",
            (3, 5),
            4,
        ),
        Of::new("fence_token", Kind::Count, "The fence token of this life.", |a, _| Value::Count(a.agent.fence_token))
            .shown("fence", "FENCE", (5, 8), 4),
        Of::new("repository_id", Kind::Name, "Its repository.", |a, _| Value::name(&a.agent.repository_id))
            .shown("repo", "REPOSITORY", (10, 18), 6)
            .dim(),
        Of::new("why", Kind::Name, "Why it is as it is, where its system says so.", |a, _| {
            Value::Name(a.agent.why.as_ref())
        })
        .or_null()
        .shown("why", "WHY", (12, 50), 5)
        .drawn(|a, _| a.agent.why.as_ref().map_or_else(|| Cell::dim(""), |why| Cell::new(why, Role::Alert))),
        Of::new("group", Kind::Name, "What it belongs to, e.g. a mob.", |a, _| Value::name(&a.agent.group)),
        Of::new("group_status", Kind::Text, "What its group is at, or unknown.", |a, _| {
            Value::text(a.group.map_or_else(|| "unknown".to_owned(), |status| status.to_string()))
        }),
        Of::new("node_staleness", Kind::State(Staleness::VARIANTS), "How its node does.", |a, _| {
            Value::state(&a.staleness)
        }),
        Of::new("activity", Kind::Text, "idle, working or unknown, as it answered.", |a, _| {
            Value::text(progress(a).map_or_else(|| "unknown".to_owned(), |progress| progress.activity.to_string()))
        }),
        Of::new("peers", Kind::Names, "Agents that it exchanges messages with.", |a, _| Value::Names(&a.agent.peers)),
        Of::new("started_ms", Kind::Instant, "When this life of it began, on the console's clock.", |a, _| {
            Value::Instant(a.started_ms)
        }),
        Of::new("since_ms", Kind::Instant, "Since when its activity is as it is, on the console's clock.", |a, _| {
            Value::Instant(a.since_ms)
        }),
        Of::new("progress_ms", Kind::Instant, "Its last progress, on the console's clock.", |a, _| {
            Value::Instant(a.progress_ms)
        }),
        Of::new("asked_every_ms", Kind::Span, "How often it is asked.", |a, _| {
            Value::Span(progress(a).map(|progress| progress.every_ms))
        }),
        Of::new("sources", Kind::Names, "The sources that state it.", |a, _| Value::Names(&a.sources)),
        Of::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |a, _| Value::Instant(a.as_of_ms)),
    ],
};

fn progress(a: &AgentView) -> Option<&Progress> {
    a.agent.progress.as_ref()
}

/// How long ago an instant was; as of the last answer where its sources are old.
fn since(a: &AgentView, at: Option<Millis>, now: Millis) -> Option<Millis> {
    at.map(|at| a.as_of_ms.unwrap_or(now) - at)
}
