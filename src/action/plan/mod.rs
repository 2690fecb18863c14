//! Intents into plans: what exactly would run, on what evidence, and what cannot be known. Pure.

mod agents;
pub mod document;
mod evacuate;
mod evidence;
mod groups;
mod locks;
mod messages;
mod nodes;
mod receivers;

use std::collections::BTreeMap;

use crate::mesh::derive::Snapshot;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::messages::MessageView;
use crate::model::action::{Action, Answer, Kind, MemberChange, Mode, Question};
use crate::model::journal::Entry;
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND};
use crate::model::work::Works;

pub use self::evidence::Sign;
pub use self::messages::labels;
pub use self::receivers::{Receiver, rank as rank_receivers};

/// What an operator wants. Things are named by the keys of their views, so a list of them is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    Release {
        locks: Vec<String>,
        mode: Option<Mode>,
        notify_holder: bool,
        notify_next: bool,
    },
    /// Gives locks that the operator holds back.
    Restore {
        locks: Vec<String>,
    },
    Reroute {
        messages: Vec<String>,
        to: Option<Text>,
    },
    Unclaim {
        messages: Vec<String>,
    },
    Acknowledge {
        messages: Vec<String>,
    },
    Revoke {
        leases: Vec<String>,
    },
    Drain {
        nodes: Vec<Text>,
        on: bool,
        for_ms: Option<Millis>,
    },
    Quarantine {
        nodes: Vec<Text>,
        on: bool,
    },
    Evacuate {
        node: Text,
    },
    /// Ends what agents are at. `runs` is what their places answered when they were asked for it.
    StopRuns {
        agents: Vec<String>,
        how: Interrupt,
        runs: BTreeMap<String, Answer>,
    },
    CancelTasks {
        tasks: Vec<String>,
    },
    /// Ends agents, and starts them again where `again` says so.
    RetireAgents {
        agents: Vec<String>,
        again: bool,
    },
    /// Lets two agents exchange messages, or no longer.
    Wire {
        agents: Vec<String>,
        on: bool,
    },
    /// Stops groups of agents, by repository and name, or lets them go on.
    StopGroups {
        groups: Vec<(Text, Text)>,
        on: bool,
    },
    /// Changes a member of a group, by the key of its row.
    ChangeMember {
        member: String,
        change: MemberChange,
    },
    OpenBarriers {
        barriers: Vec<String>,
    },
    /// Ends the leases that locks' keys belong to. `keys` is what their places answered when they were asked for the keys.
    EndLeases {
        locks: Vec<String>,
        keys: BTreeMap<String, Answer>,
    },
}

impl Intent {
    /// Whether it waits for one of these answers.
    #[must_use]
    pub fn needs(&self, answers: &BTreeMap<String, Answer>) -> bool {
        match self {
            Self::StopRuns { agents: keys, .. } | Self::EndLeases { locks: keys, .. } => {
                keys.iter().any(|key| answers.contains_key(key))
            }
            _ => false,
        }
    }

    /// The same with what places answered.
    #[must_use]
    pub fn with_answers(mut self, answers: &BTreeMap<String, Answer>) -> Self {
        match &mut self {
            Self::StopRuns { runs: known, .. } | Self::EndLeases { keys: known, .. } => known.clone_from(answers),
            _ => {}
        }
        self
    }
}

/// How an agent is made to end what it is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum Interrupt {
    /// The run that is named, and no other.
    StopRun,
    /// Whatever it is at.
    ForceCancel,
    /// Whatever it has.
    AllWork,
}

impl Interrupt {
    fn title(self) -> &'static str {
        match self {
            Self::StopRun => "Stop the run",
            Self::ForceCancel => "Force-cancel the run",
            Self::AllWork => "Cancel all work",
        }
    }

    /// What it does, and what guards it.
    fn explain(self) -> &'static str {
        match self {
            Self::StopRun => {
                "stop the run: it is named, and its place stops no other; if it is over by then, nothing is touched"
            }
            Self::ForceCancel => {
                "force-cancel: asks the agent to drop what it is at; accepted as well where that has no effect, so its run is looked at again afterwards"
            }
            Self::AllWork => {
                "cancel all work: what is queued for the agent goes too; accepted as well where its run goes on, so that is looked at again afterwards"
            }
        }
    }
}

/// What a plan is made by, beyond the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long the operator holds a lock that is fenced off.
    pub hold_ms: Millis,
    /// One missed window of a node.
    pub stale_ms: Millis,
    /// Who acts.
    pub operator: String,
    pub read_only: bool,
    /// What this machine shows of work on resources, by their names.
    pub work: Works,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hold_ms: 5 * SECOND,
            stale_ms: 60 * SECOND,
            operator: "operator".into(),
            read_only: false,
            work: Works::new(),
        }
    }
}

/// Resources of one plan that signs of work are looked for.
const MOST_WORK: usize = 20;

/// What would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub title: Text,
    /// What it means, in a sentence or two.
    pub about: Vec<Text>,
    pub steps: Vec<Step>,
    /// Signs of life of those who would lose something.
    pub evidence: Vec<Sign>,
    /// What nobody can know beforehand.
    pub unknowns: Vec<Text>,
    /// Things that were asked for and are left alone: name and reason.
    pub left_out: Vec<(Text, Text)>,
    pub confirm: Confirm,
    /// It may repeat what an earlier try did: only a person who read that may run it.
    pub may_repeat: bool,
    /// The mode in which locks are taken, where there are any.
    pub mode: Option<Mode>,
    /// How runs are ended, where there are any.
    pub interrupt: Option<Interrupt>,
}

/// What it takes to run a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// One key.
    Key,
    /// This name, typed: something of it may be alive.
    Typed(Text),
}

/// One action of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub action: Action,
    /// The place it is carried out on.
    pub source: Text,
    /// What it will change, if its guard holds.
    pub effect: Vec<Text>,
    /// A step that must be done first.
    pub after: Option<usize>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    pub why: Text,
    pub read_only: bool,
    /// Everything is already as it was asked for.
    pub nothing_left: bool,
}

impl Refusal {
    /// The world is not such that it can be done.
    #[must_use]
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into().into(), read_only: false, nothing_left: false }
    }
}

impl Plan {
    fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into().into(),
            about: Vec::new(),
            steps: Vec::new(),
            evidence: Vec::new(),
            unknowns: Vec::new(),
            left_out: Vec::new(),
            confirm: Confirm::Key,
            may_repeat: false,
            mode: None,
            interrupt: None,
        }
    }

    fn step(&mut self, source: &Text, action: Action, effect: impl Into<String>) -> usize {
        let effect = vec![effect.into().into()];
        self.steps.push(Step { action, source: source.clone(), effect, after: None });
        self.steps.len() - 1
    }

    fn leave(&mut self, name: impl Into<Text>, why: impl Into<String>) {
        self.left_out.push((name.into(), why.into().into()));
    }

    fn note(&mut self, what: impl Into<String>) {
        let what: Text = what.into().into();
        if !self.about.contains(&what) {
            self.about.push(what);
        }
    }

    fn unknown(&mut self, what: impl Into<String>) {
        let what: Text = what.into().into();
        if !self.unknowns.contains(&what) {
            self.unknowns.push(what);
        }
    }

    /// What it would release, by the names of the resources; a few of many.
    #[must_use]
    pub fn resources(&self, snapshot: &Snapshot) -> Vec<String> {
        let released = self.steps.iter().filter_map(|step| match &step.action {
            Action::Release { lock, .. } => Some(snapshot.names.canonical(&lock.lock_key).to_owned()),
            _ => None,
        });
        released.take(MOST_WORK).collect()
    }

    /// Whether both would do the same to the same.
    #[must_use]
    pub fn does_the_same(&self, other: &Self) -> bool {
        self.steps == other.steps
    }

    /// Whether the other does the same, but for the fence, end or claim having moved on in the same hands.
    #[must_use]
    pub fn is_renewed_by(&self, other: &Self) -> bool {
        let bare = |plan: &Self| plan.steps.iter().map(|step| bare(&step.action)).collect::<Vec<_>>();
        bare(self) == bare(other)
    }

    /// Nothing is left to do, or nothing can be done.
    fn or_refusal(self) -> Result<Self, Refusal> {
        if !self.steps.is_empty() {
            return Ok(self);
        }
        let whys: Vec<String> = self.left_out.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        Err(Refusal::because(if whys.is_empty() { "there is nothing to do".into() } else { whys.join("; ") }))
    }
}

/// An action without what a renewal moves.
fn bare(action: &Action) -> Action {
    let mut action = action.clone();
    if let Action::Release { lock, .. } = &mut action {
        (lock.fence_token, lock.expires_at_ms, lock.acquired_at_ms) = (None, None, None);
    }
    action
}

/// What a planner works with.
struct Planner<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
}

/// Turns an intent into a plan, or says why there is none.
pub fn plan(intent: &Intent, snapshot: &Snapshot, policy: &Policy) -> Result<Plan, Refusal> {
    if policy.read_only {
        let why = "this console is read-only: it was started with --read-only, or its configuration says so";
        return Err(Refusal { why: why.into(), read_only: true, nothing_left: false });
    }
    let planner = Planner { snapshot, policy };
    match intent {
        Intent::Release { locks, mode, notify_holder, notify_next } => {
            planner.release(locks, *mode, *notify_holder, *notify_next)
        }
        Intent::Restore { locks } => planner.restore(locks),
        Intent::Reroute { messages, to } => planner.reroute(messages, to.as_ref()),
        Intent::Unclaim { messages } => planner.unclaim(messages),
        Intent::Acknowledge { messages } => planner.acknowledge(messages),
        Intent::Revoke { leases } => planner.revoke(leases),
        Intent::Drain { nodes, on, for_ms } => planner.drain(nodes, *on, *for_ms),
        Intent::Quarantine { nodes, on } => planner.quarantine(nodes, *on),
        Intent::Evacuate { node } => planner.evacuate(node),
        Intent::StopRuns { agents, how, runs } => planner.stop_runs(agents, *how, runs),
        Intent::CancelTasks { tasks } => planner.cancel_tasks(tasks),
        Intent::RetireAgents { agents, again } => planner.retire_agents(agents, *again),
        Intent::Wire { agents, on } => planner.wire(agents, *on),
        Intent::StopGroups { groups, on } => planner.stop_groups(groups, *on),
        Intent::ChangeMember { member, change } => planner.change_member(member, *change),
        Intent::OpenBarriers { barriers } => planner.open_barriers(barriers),
        Intent::EndLeases { locks, keys } => planner.end_leases(locks, keys),
    }
}

/// What places must be asked before there can be a plan; nothing where they were asked.
#[must_use]
pub fn to_ask(intent: &Intent, snapshot: &Snapshot, policy: &Policy) -> Vec<ToAsk> {
    let planner = Planner { snapshot, policy };
    match intent {
        Intent::StopRuns { agents, how: Interrupt::StopRun, runs } if runs.is_empty() => planner.runs_to_ask(agents),
        Intent::EndLeases { locks, keys } if keys.is_empty() => planner.keys_to_ask(locks),
        _ => Vec::new(),
    }
}

/// The place to ask, the key of what it is about, and the question.
pub type ToAsk = (Text, String, Question);

impl<'a> Planner<'a> {
    /// Whether a place does a kind of action; else why not.
    fn able(&self, source: &Text, kind: Kind) -> Result<(), String> {
        let places = self.snapshot.mesh.sources.iter().zip(self.snapshot.sources.iter());
        let Some((state, view)) = places.into_iter().find(|(state, _)| state.identity.name == *source) else {
            return Err(format!("{source} is not watched any more"));
        };
        if view.as_of_ms.is_some() {
            return Err(format!("{source} does not answer: what is shown of it is old"));
        }
        let can = &state.identity.can;
        if can.kinds.contains(&kind) {
            return Ok(());
        }
        Err(match state.identity.cannot.as_ref() {
            Some(why) => why.to_string(),
            None => format!("{source} ({}) does not offer it", state.identity.kind),
        })
    }

    /// The first place that answers and does a kind of action.
    fn place_for(&self, kind: Kind) -> Option<&'a Text> {
        let names = self.snapshot.mesh.sources.iter().map(|state| &state.identity.name);
        names.into_iter().find(|name| self.able(name, kind).is_ok())
    }

    /// Whether an attempt was made at a place that is watched now.
    fn is_from(&self, entry: &Entry, source: &Text) -> bool {
        let state = self.snapshot.mesh.sources.iter().find(|state| state.identity.name == *source);
        state.is_some_and(|state| state.identity.place.raw() == entry.place)
    }

    fn lock(&self, key: &str) -> Option<&'a LockView> {
        self.snapshot.holds().find(|lock| lock.key() == key)
    }

    fn message(&self, key: &str) -> Option<&'a MessageView> {
        self.snapshot.messages.iter().find(|message| message.key() == key)
    }
}

/// `1 lock`, `2 locks`.
fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
