//! Agents, put together from what each source states of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use strum::{Display, EnumIter, IntoStaticStr};

use super::nodes::Nodes;
use super::sources::SourceView;
use super::staleness::Staleness;
use crate::mesh::Mesh;
use crate::model::agent::{Activity, Agent, AgentStatus, GroupStatus};
use crate::model::text::Text;
use crate::model::time::Millis;

/// The state of an agent, the one that needs a person first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum AgentState {
    /// The node that ran it is critical or dead.
    Orphaned,
    Broken,
    /// At work, and without progress for long as this console sees it.
    Stalled,
    Retiring,
    Starting,
    /// Its group is stopped.
    Stopped,
    /// Nothing says whether it is at work.
    Unknown,
    Working,
    Idle,
}

/// One agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    pub agent: Agent,
    pub state: AgentState,
    /// What its group is at.
    pub group: Option<GroupStatus>,
    /// The node that runs it, and how alive that is.
    pub node: Option<Text>,
    pub staleness: Staleness,
    /// Since when this console sees its activity as it is, on the console's clock.
    pub since_ms: Option<Millis>,
    /// Its last progress, on the console's clock.
    pub progress_ms: Option<Millis>,
    /// When this life of it began, on the console's clock.
    pub started_ms: Option<Millis>,
    /// The sources that state it.
    pub sources: Vec<Text>,
    /// Set where all of them are old.
    pub as_of_ms: Option<Millis>,
}

/// The key of an agent.
#[must_use]
pub fn key(repository_id: &Text, agent: &Text) -> String {
    format!("{}\u{1}{}", repository_id.raw(), agent.raw())
}

impl AgentView {
    /// A name that stays: repository and agent.
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.agent.repository_id, &self.agent.agent)
    }
}

/// Every agent that a source states.
pub(super) fn evaluate(mesh: &Mesh, sources: &[SourceView], nodes: &Nodes) -> Vec<Arc<AgentView>> {
    let mut views: BTreeMap<(&Text, &Text), AgentView> = BTreeMap::new();
    for (source, view) in mesh.sources.iter().zip(sources) {
        for agent in source.facts.agents.iter() {
            let entry = views.entry((&agent.repository_id, &agent.agent)).or_insert_with(|| AgentView {
                agent: Agent::default(),
                state: AgentState::Unknown,
                group: None,
                node: None,
                staleness: Staleness::Unknown,
                since_ms: None,
                progress_ms: None,
                started_ms: None,
                sources: Vec::new(),
                as_of_ms: view.as_of_ms,
            });
            entry.started_ms = entry.started_ms.or(agent.started_ms.map(|at| source.to_console(at)));
            if let Some(progress) = agent.progress.as_ref().filter(|_| entry.agent.progress.is_none()) {
                entry.since_ms = Some(source.to_console(progress.since_ms));
                entry.progress_ms = progress.last_ms.map(|at| source.to_console(at));
            }
            entry.as_of_ms = entry.as_of_ms.and(view.as_of_ms);
            entry.sources.push(source.identity.name.clone());
            add(&mut entry.agent, agent);
        }
    }
    let groups = mesh.sources.iter().flat_map(|source| source.facts.groups.iter());
    let mut statuses: BTreeMap<(&Text, &Text), GroupStatus> = BTreeMap::new();
    for group in groups {
        let Some(status) = group.status else { continue };
        let known = statuses.entry((&group.repository_id, &group.name)).or_insert(status);
        // Events of one source, and the answer of another: what stands in the way of work counts.
        if *known == GroupStatus::Running {
            *known = status;
        }
    }
    let placed = |mut view: AgentView| {
        view.group = statuses.get(&(&view.agent.repository_id, &view.agent.group)).copied();
        Arc::new(placed(view, nodes))
    };
    views.into_values().map(placed).collect()
}

/// Adds what another source knows.
fn add(to: &mut Agent, from: &Agent) {
    for (to, from) in [
        (&mut to.agent, &from.agent),
        (&mut to.repository_id, &from.repository_id),
        (&mut to.group, &from.group),
        (&mut to.identity, &from.identity),
        (&mut to.node_id, &from.node_id),
        (&mut to.role, &from.role),
    ] {
        if to.is_empty() {
            to.clone_from(from);
        }
    }
    // What needs a person is not hidden by a source that does not see it.
    let grave = |status: &Option<AgentStatus>| match status {
        None => 0,
        Some(AgentStatus::Active) => 1,
        Some(AgentStatus::Starting) => 2,
        Some(AgentStatus::Retiring) => 3,
        Some(AgentStatus::Broken) => 4,
    };
    if grave(&from.status) > grave(&to.status) {
        to.status = from.status;
        to.why = from.why.clone().or(to.why.take());
    }
    to.why = to.why.take().or_else(|| from.why.clone());
    to.generation = to.generation.or(from.generation);
    to.fence_token = to.fence_token.or(from.fence_token);
    to.started_ms = to.started_ms.or(from.started_ms);
    if to.peers.is_empty() {
        to.peers.clone_from(&from.peers);
    }
    if to.if_dead.is_empty() {
        to.if_dead = from.if_dead;
    }
    to.progress = to.progress.take().or_else(|| from.progress.clone());
}

fn placed(mut view: AgentView, nodes: &Nodes) -> AgentView {
    let home = nodes.home(&view.agent.agent).map(|node| node.node_id.clone());
    view.node = home.or_else(|| Some(view.agent.node_id.clone()).filter(|node| !node.is_empty()));
    let repository = Some(&view.agent.repository_id);
    view.staleness = view.node.as_ref().map_or(Staleness::Unknown, |node| nodes.staleness(node, repository));
    view.state = state(&view.agent, view.group, view.staleness);
    view
}

fn state(agent: &Agent, group: Option<GroupStatus>, staleness: Staleness) -> AgentState {
    if staleness.is_gone() {
        return AgentState::Orphaned;
    }
    match (agent.status, &agent.progress) {
        (Some(AgentStatus::Broken), _) => AgentState::Broken,
        (_, Some(progress)) if progress.is_still => AgentState::Stalled,
        (Some(AgentStatus::Retiring), _) => AgentState::Retiring,
        (Some(AgentStatus::Starting), _) => AgentState::Starting,
        _ if matches!(group, Some(GroupStatus::Stopped | GroupStatus::Over)) => AgentState::Stopped,
        (_, Some(progress)) => match progress.activity {
            Activity::Working => AgentState::Working,
            Activity::Idle => AgentState::Idle,
            Activity::Unknown => AgentState::Unknown,
        },
        (_, None) => AgentState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::agent::Progress;

    fn working(is_still: bool) -> Agent {
        let progress = Progress {
            activity: Activity::Working,
            in_flight: 1,
            last_ms: None,
            health: "unknown".into(),
            since_ms: 0,
            is_still,
            every_ms: 10_000,
        };
        Agent { status: Some(AgentStatus::Active), progress: Some(progress), ..Agent::default() }
    }

    #[test]
    fn what_needs_a_person_decides() {
        assert_eq!(state(&working(false), None, Staleness::Healthy), AgentState::Working);
        assert_eq!(state(&working(true), None, Staleness::Healthy), AgentState::Stalled);
        assert_eq!(state(&working(true), None, Staleness::Dead), AgentState::Orphaned);
        let broken = Agent { status: Some(AgentStatus::Broken), ..working(true) };
        assert_eq!(state(&broken, None, Staleness::Healthy), AgentState::Broken);
        let stopped = Some(GroupStatus::Stopped);
        assert_eq!(state(&working(false), stopped, Staleness::Healthy), AgentState::Stopped);
        assert_eq!(state(&working(true), stopped, Staleness::Healthy), AgentState::Stalled, "it hangs all the same");
        assert_eq!(state(&Agent::default(), None, Staleness::Healthy), AgentState::Unknown);
    }

    #[test]
    fn each_source_adds_what_it_knows() {
        let file = Agent {
            agent: "atlas/w-1".into(),
            generation: Some(2),
            fence_token: Some(7),
            status: Some(AgentStatus::Active),
            ..Agent::default()
        };
        let rpc = Agent { role: "worker".into(), status: Some(AgentStatus::Broken), ..working(false) };
        for (first, second) in [(&file, &rpc), (&rpc, &file)] {
            let mut both = first.clone();
            add(&mut both, second);
            assert_eq!((both.generation, both.fence_token, both.role.raw()), (Some(2), Some(7), "worker"));
            assert!(both.status == Some(AgentStatus::Broken) && both.progress.is_some());
        }
    }
}
