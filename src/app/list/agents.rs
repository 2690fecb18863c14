//! Agents.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::agents::AgentView;
use crate::model::source::Aspect;

/// Every agent that a source states.
pub static AGENTS: Rows<AgentView> = Rows {
    items: |p| Items::Shared(&p.agents),
    key: AgentView::key,
    tie: |a, b| (&a.agent.repository_id, &a.agent.agent).cmp(&(&b.agent.repository_id, &b.agent.agent)),
    repo: |a| (!a.agent.repository_id.is_empty()).then_some(&a.agent.repository_id),
    inspect: inspections::agent::inspect,
    aspect: Some(Aspect::Agents),
    parts: &["mobs", "mob/members"],
    caveat: |_| None,
    name_column: 0,
    first_sort: (1, false),
    follows: false,
    tree: false,
    columns: &columns::AGENTS,
};
