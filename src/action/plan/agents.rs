//! Agents, their groups and what they are at: stopping a run, cancelling, retiring, respawning, wiring.
//!
//! A run is stopped by its id, which the place guards. Other calls name neither a run nor a generation: they are guarded by
//! reading both again just before, and a plan says so.

use std::collections::BTreeMap;

use super::{Confirm, Interrupt, Plan, Planner, Refusal, Sign, ToAsk, count};
use crate::mesh::derive::agents::{AgentState, AgentView};
use crate::model::action::{Action, AgentGuard, Answer, CurrentRun, GroupGuard, Kind, Question, TaskGuard};
use crate::model::agent::{Activity, GroupStatus};
use crate::model::text::Text;

/// What guards a call that names no generation.
const WINDOW: &str = "nothing in the call names the agent's generation: it is read again just before, so one that \
                      respawns in between (a round trip, and the server's queue) would be hit";

/// An agent, as its guard needs it.
fn guard(view: &AgentView) -> AgentGuard {
    let agent = &view.agent;
    AgentGuard {
        agent: agent.agent.raw().to_owned(),
        group: agent.group.raw().to_owned(),
        identity: agent.identity.raw().to_owned(),
        repository_id: agent.repository_id.raw().to_owned(),
        generation: agent.generation,
        fence_token: agent.fence_token,
    }
}

/// Whether a stop would cut work short, as far as is seen.
fn gets_on(view: &AgentView) -> bool {
    let progress = view.agent.progress.as_ref();
    progress.is_none_or(|progress| progress.activity != Activity::Idle && !progress.is_still)
        && view.state != AgentState::Orphaned
}

impl Planner<'_> {
    /// The place that acts on a group of agents.
    fn place_of_group(&self, kind: Kind, repository_id: &Text, group: &Text) -> Result<Text, String> {
        let states = |state: &&crate::mesh::SourceState| {
            state.facts.groups.iter().any(|g| g.repository_id == *repository_id && g.name == *group)
        };
        let mut why = None;
        for state in self.snapshot.mesh.sources.iter().filter(states) {
            match self.able(&state.identity.name, kind) {
                Ok(()) => return Ok(state.identity.name.clone()),
                Err(error) => why = why.or(Some(error)),
            }
        }
        Err(why.unwrap_or_else(|| format!("no source states {group}")))
    }

    fn agent(&self, key: &str) -> Result<&AgentView, String> {
        self.snapshot.agent(key).ok_or_else(|| "it is not there any more".into())
    }

    fn place_of_agent(&self, kind: Kind, view: &AgentView) -> Result<Text, String> {
        self.place_of_group(kind, &view.agent.repository_id, &view.agent.group)
    }

    /// The agents whose runs must be asked for, and where.
    pub(super) fn runs_to_ask(&self, agents: &[String]) -> Vec<ToAsk> {
        let ask = |key: &String| {
            let view = self.agent(key).ok()?;
            Some((self.place_of_agent(Kind::StopRun, view).ok()?, key.clone(), Question::Run(guard(view))))
        };
        agents.iter().filter_map(ask).collect()
    }

    pub(super) fn stop_runs(
        &self,
        agents: &[String],
        how: Interrupt,
        runs: &BTreeMap<String, Answer>,
    ) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let (mut names, mut alive) = (Vec::new(), Vec::new());
        for key in agents {
            let view = match self.agent(key) {
                Ok(view) => view,
                Err(why) => {
                    plan.leave("an agent", why);
                    continue;
                }
            };
            let name = &view.agent.agent;
            match self.stop_one(&mut plan, view, how, runs.get(key)) {
                Ok(()) => {
                    names.push(name.clone());
                    plan.evidence.push(sign_of(view));
                    if gets_on(view) {
                        alive.push(name.clone());
                    }
                }
                Err(why) => plan.leave(name.clone(), why),
            }
        }
        plan.interrupt = Some(how);
        plan.title = match names.as_slice() {
            [only] => format!("{} of {only}", how.title()).into(),
            many => format!("{} of {}", how.title(), count(many.len(), "agent")).into(),
        };
        plan.note(how.explain());
        if how != Interrupt::StopRun {
            plan.note(WINDOW);
        }
        plan.unknown("what the run has done already: files that it was writing may be half done");
        Self::type_agents(&mut plan, &alive);
        plan.or_refusal()
    }

    fn stop_one(&self, plan: &mut Plan, view: &AgentView, how: Interrupt, run: Option<&Answer>) -> Result<(), String> {
        if how != Interrupt::StopRun {
            let source = self.place_of_agent(Kind::CancelWork, view)?;
            let agent = known(view)?;
            let all = how == Interrupt::AllWork;
            let effect = "accepted for a run that hangs as well, which may go on: whether it ended is read back";
            plan.step(&source, Action::CancelWork { agent, all }, effect);
            return Ok(());
        }
        let source = self.place_of_agent(Kind::StopRun, view)?;
        let run = match run {
            Some(Answer::Run(CurrentRun::At(run))) => run.clone(),
            Some(Answer::Run(CurrentRun::Idle)) => return Err("it is at no run now".into()),
            Some(Answer::Run(CurrentRun::Unknown(why)) | Answer::Unknown(why)) => {
                return Err(format!("its run is not known: {why}"));
            }
            Some(Answer::Keys(_)) => return Err("its run is not known".into()),
            None => return Err("its run was not asked for: name it, or let this console ask when it may act".into()),
        };
        let effect = "this run ends as cancelled, and no other; work that is queued for the agent starts next";
        plan.step(&source, Action::StopRun { agent: guard(view), run }, effect);
        Ok(())
    }

    pub(super) fn cancel_tasks(&self, tasks: &[String]) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        for key in tasks {
            let Some(task) = self.snapshot.tasks.iter().find(|task| task.key() == *key) else {
                plan.leave("a task", "it is not there any more");
                continue;
            };
            let Some(cancel) = task.cancel.as_ref() else {
                plan.leave(format!("task {}", task.task), "no call of its system cancels it");
                continue;
            };
            if task.state.is_over() {
                plan.leave(format!("task {}", task.task), format!("it is {} already", task.state));
                continue;
            }
            match self.place_of_group(Kind::CancelTask, &task.repository_id, &cancel.group) {
                Err(why) => plan.leave(format!("task {}", task.task), why),
                Ok(source) => {
                    let guard = TaskGuard {
                        task: task.task.raw().to_owned(),
                        group: cancel.group.raw().to_owned(),
                        id: cancel.id.raw().to_owned(),
                        repository_id: task.repository_id.raw().to_owned(),
                    };
                    plan.step(&source, Action::CancelTask { task: guard }, "it gives out no further step");
                    if let Some(agent) = &task.owner_agent {
                        plan.leave(agent.clone(), "the run that it is at goes on: stop that as well, in Agents");
                    }
                }
            }
        }
        plan.title = match plan.steps.as_slice() {
            [only] => format!("Cancel {}", only.action.subject()).into(),
            many => format!("Cancel {}", count(many.len(), "task")).into(),
        };
        plan.unknown("what its finished steps have changed: nothing is undone");
        plan.or_refusal()
    }

    /// Ends agents, and starts them again where that is wanted.
    pub(super) fn retire_agents(&self, agents: &[String], again: bool) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let kind = if again { Kind::RespawnAgent } else { Kind::RetireAgent };
        for key in agents {
            let view = match self.agent(key) {
                Ok(view) => view,
                Err(why) => {
                    plan.leave("an agent", why);
                    continue;
                }
            };
            let name = &view.agent.agent;
            let (source, agent) = match self.place_of_agent(kind, view).and_then(|source| Ok((source, known(view)?))) {
                Ok(known) => known,
                Err(why) => {
                    plan.leave(name.clone(), why);
                    continue;
                }
            };
            if again {
                let next = agent.generation.map_or_else(|| "the next".into(), |n| (n.saturating_add(1)).to_string());
                let effect = format!("it ends, and starts again as generation {next} under a new fence token");
                plan.step(&source, Action::RespawnAgent { agent }, effect);
            } else {
                plan.step(
                    &source,
                    Action::RetireAgent { agent },
                    "it ends and leaves its group; it cannot be respawned",
                );
            }
            plan.evidence.push(sign_of(view));
            self.leave_holdings(&mut plan, view);
        }
        let verb = if again { "Respawn" } else { "Retire" };
        plan.title = match plan.steps.as_slice() {
            [only] => format!("{verb} {}", only.action.subject()).into(),
            many => format!("{verb} {}", count(many.len(), "agent")).into(),
        };
        plan.note("the run that it is at ends with it");
        plan.note(WINDOW);
        let named: Vec<Text> = plan.steps.iter().map(|step| step.action.subject()).collect();
        Self::type_agents(&mut plan, &named);
        plan.or_refusal()
    }

    /// What an agent holds stays when it ends.
    fn leave_holdings(&self, plan: &mut Plan, view: &AgentView) {
        let agent = &view.agent;
        let held = |l: &&crate::mesh::derive::locks::LockView| {
            l.lock.holder_agent == agent.agent
                && l.lock.repository_id == agent.repository_id
                && l.lock.lock_key != agent.agent
        };
        for lock in self.snapshot.holds().filter(held) {
            let by = lock.lock.ended_by.as_ref().map(|by| format!(": {by} ends it")).unwrap_or_default();
            plan.leave(lock.name(), format!("stays with the name of {}{by}", agent.agent));
        }
    }

    /// Lets two agents exchange messages, or no longer.
    pub(super) fn wire(&self, agents: &[String], on: bool) -> Result<Plan, Refusal> {
        let verb = if on { "wire" } else { "unwire" };
        let [first, second] = agents else {
            return Err(Refusal::because(format!("mark the two agents to {verb}")));
        };
        let (one, other) = match (self.agent(first), self.agent(second)) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(why), _) | (_, Err(why)) => return Err(Refusal::because(why)),
        };
        if (&one.agent.repository_id, &one.agent.group) != (&other.agent.repository_id, &other.agent.group) {
            return Err(Refusal::because("they are of two groups: only agents of one group are wired here"));
        }
        let wired = one.agent.peers.contains(&other.agent.identity);
        if wired == on && one.agent.progress.is_some() {
            let why = if on { "they are wired already" } else { "they are not wired" };
            return Err(Refusal { nothing_left: true, ..Refusal::because(why) });
        }
        let mut plan = Plan::new(format!(
            "{}{} {} and {}",
            verb[..1].to_uppercase(),
            &verb[1..],
            one.agent.agent,
            other.agent.agent
        ));
        let known = self.place_of_agent(Kind::Wire, one).and_then(|source| Ok((source, known(one)?)));
        let (source, agent) = known.map_err(Refusal::because)?;
        let peer = other.agent.identity.raw().to_owned();
        let effect = if on { "they may message each other" } else { "they cannot message each other any more" };
        plan.step(&source, Action::Wire { agent, peer, on }, effect);
        plan.note(WINDOW);
        plan.or_refusal()
    }

    /// Stops the groups of agents, or lets them go on.
    pub(super) fn stop_groups(&self, groups: &[(Text, Text)], on: bool) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let mut named = Vec::new();
        for (repository_id, group) in groups {
            let members: Vec<&AgentView> = self
                .snapshot
                .agents
                .iter()
                .map(|view| &**view)
                .filter(|view| view.agent.repository_id == *repository_id && view.agent.group == *group)
                .collect();
            let status = members.iter().find_map(|view| view.group);
            if on && status == Some(GroupStatus::Stopped) || !on && status == Some(GroupStatus::Running) {
                plan.leave(
                    group.clone(),
                    format!("it is {} already", status.map(|s| s.to_string()).unwrap_or_default()),
                );
                continue;
            }
            let source = match self.place_of_group(Kind::StopGroup, repository_id, group) {
                Ok(source) => source,
                Err(why) => {
                    plan.leave(group.clone(), why);
                    continue;
                }
            };
            let guard = GroupGuard {
                group: group.raw().to_owned(),
                repository_id: repository_id.raw().to_owned(),
                status: status.map_or_else(|| "unknown".into(), |status| status.to_string()),
            };
            let n = count(members.len(), "agent");
            let effect =
                if on { format!("its {n} start no run any more") } else { format!("its {n} start runs again") };
            plan.step(&source, Action::StopGroup { group: guard, on }, effect);
            named.push(group.clone());
            if on {
                let at_work: Vec<&&AgentView> = members
                    .iter()
                    .filter(|view| {
                        matches!(view.state, AgentState::Working | AgentState::Stalled | AgentState::Starting)
                    })
                    .collect();
                if !at_work.is_empty() {
                    let names: Vec<&str> = at_work.iter().take(5).map(|view| view.agent.identity.as_str()).collect();
                    plan.unknown(format!(
                        "whether it ends: {} at work ({}), and one that hangs keeps a stop from ending; stop its run first",
                        count(at_work.len(), "agent"),
                        names.join(", ")
                    ));
                }
            }
        }
        let verb = if on { "Stop" } else { "Resume" };
        plan.title = match named.as_slice() {
            [only] => format!("{verb} {only}").into(),
            many => format!("{verb} {}", count(many.len(), "group")).into(),
        };
        plan.note("a call without an answer is unknown until its group is read again");
        plan.confirm = match named.as_slice() {
            [only] => Confirm::Typed(only.clone()),
            many => Confirm::Typed(count(many.len(), "group").into()),
        };
        plan.or_refusal()
    }

    fn type_agents(plan: &mut Plan, named: &[Text]) {
        plan.confirm = match named {
            [] => Confirm::Key,
            [only] if plan.steps.len() == 1 => Confirm::Typed(only.clone()),
            _ => Confirm::Typed(count(plan.steps.len(), "agent").into()),
        };
    }
}

/// What is known of how an agent gets on.
fn sign_of(view: &AgentView) -> Sign {
    let what = view.agent.progress.as_ref().map_or_else(
        || "progress, which nobody was asked for".to_owned(),
        |progress| format!("progress, {}", progress.activity),
    );
    Sign { of: view.agent.agent.clone(), what: what.into(), at_ms: view.progress_ms, alive: gets_on(view) }
}

/// The guard of a call that names no generation: it must be known.
fn known(view: &AgentView) -> Result<AgentGuard, String> {
    if view.agent.generation.is_none() {
        return Err(
            "its generation is not known: watch a source that tells it as well, e.g. the files of its realm".into()
        );
    }
    Ok(guard(view))
}

#[cfg(test)]
mod tests;
