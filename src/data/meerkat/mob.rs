//! A mob as its events tell it: members with their seats, what it is at, and what is wrong. Pure.

use std::collections::BTreeMap;

use super::MEMBER_IF_DEAD;
use super::event::{Event, Kind, Version};
use super::shared::{RealmFacts, is_past, member};
use crate::model::agent::{Agent, AgentStatus, Group, GroupStatus};
use crate::model::severity::Severity;
use crate::model::stated::{About, Problem};
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, utc};
use crate::model::{Condition, Lock, LockTable};

/// Events that the state follows from which are kept at most; of more, the oldest go.
pub const MOST_KEPT: usize = 50_000;

/// What is over stays a finding for so long.
const RECENT: Millis = 60 * MINUTE;
/// A retirement, or a stop, that takes longer hangs.
const SLOW: Millis = MINUTE;
/// A member that starts for longer hangs.
const SLOW_START: Millis = 5 * MINUTE;
/// Retirements that follow an escalation within so long are its doing.
const FOLLOWS: Millis = 30_000;

/// The events of one mob that its state follows from, by cursor.
#[derive(Debug, Default)]
pub struct Mob {
    kept: BTreeMap<i64, (Option<Millis>, Kind)>,
    /// An event of a version that is not known.
    unknown: Option<i64>,
    /// An event that could not be read.
    pub unread: Option<i64>,
    /// Older ones were dropped.
    pub is_cut: bool,
}

/// What follows from them.
#[derive(Debug, Default, PartialEq)]
pub struct State {
    pub seats: BTreeMap<Text, Seat>,
    /// Nothing stands in the way of work.
    pub phase: Phase,
    stopping: Option<Millis>,
    twice: Vec<Twice>,
    failed: Vec<Failed>,
    escalated: Vec<Escalated>,
    violations: Vec<(Option<Millis>, Text, Text)>,
    unknown: Option<i64>,
}

/// What a mob is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Running,
    Stopped,
    Completed,
}

/// An active member: one process at a time hosts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    pub role: Text,
    pub generation: i64,
    pub fence: Option<i64>,
    pub spawned_ms: Option<Millis>,
    cursor: i64,
    retiring: Option<(i64, Option<Millis>)>,
    kickoff: Option<(Option<Millis>, Text, Option<Text>)>,
}

impl Seat {
    /// Where its member is in its life, and why.
    fn status(&self) -> (AgentStatus, Option<Text>) {
        match &self.kickoff {
            _ if self.retiring.is_some() => (AgentStatus::Retiring, None),
            Some((_, phase, why)) => match phase.raw() {
                "failed" => (AgentStatus::Active, why.clone()),
                "pending" | "starting" | "callback_pending" => (AgentStatus::Starting, None),
                _ => (AgentStatus::Active, None),
            },
            None => (AgentStatus::Active, None),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Twice {
    identity: Text,
    fence: i64,
    cursors: (i64, i64),
    at_ms: Option<Millis>,
}

#[derive(Debug, PartialEq)]
struct Failed {
    cursor: i64,
    at_ms: Option<Millis>,
    run: Text,
    flow: Text,
    cause: Text,
    reason: Text,
}

#[derive(Debug, PartialEq)]
struct Escalated {
    cursor: i64,
    at_ms: Option<Millis>,
    run: Text,
    step: Text,
    to: Text,
    retired: Vec<Text>,
}

impl Mob {
    /// Takes an event, whichever way it was come to: the latest first, or older ones later.
    pub fn take(&mut self, event: &Event) {
        match event.version {
            Version::Known => {}
            Version::Unknown => self.unknown = self.unknown.max(Some(event.cursor)),
            Version::Unread => self.unread = self.unread.max(Some(event.cursor)),
        }
        if event.kind.counts() {
            self.kept.insert(event.cursor, (event.at_ms, event.kind.clone()));
        }
        while self.kept.len() > MOST_KEPT {
            self.kept.pop_first();
            self.is_cut = true;
        }
    }

    /// Whether all that was taken could be understood, so that nothing which follows from it is missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.is_cut && self.unknown.is_none() && self.unread.is_none()
    }

    /// What follows from all events that were taken.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State { unknown: self.unknown, ..State::default() };
        for (cursor, (at_ms, kind)) in &self.kept {
            state.apply(*cursor, *at_ms, kind);
        }
        state
    }
}

impl State {
    fn apply(&mut self, cursor: i64, at_ms: Option<Millis>, kind: &Kind) {
        match kind {
            Kind::Spawned { identity, role, generation, fence } => {
                let before = self.seats.get(identity);
                if let (Some(before), Some(fence)) = (before.filter(|seat| seat.fence == *fence), fence) {
                    let cursors = (before.cursor, cursor);
                    self.twice.push(Twice { identity: identity.clone(), fence: *fence, cursors, at_ms });
                }
                let seat = Seat {
                    role: role.clone(),
                    generation: *generation,
                    fence: *fence,
                    spawned_ms: at_ms,
                    cursor,
                    retiring: None,
                    kickoff: None,
                };
                self.seats.insert(identity.clone(), seat);
            }
            Kind::Reset { identity, generation, fence } => {
                if let Some(seat) = self.seats.get_mut(identity) {
                    (seat.generation, seat.fence) = (*generation, *fence);
                }
            }
            Kind::RetirementStarted { identity } => {
                if let Some(seat) = self.seats.get_mut(identity) {
                    seat.retiring = Some((cursor, at_ms));
                }
            }
            Kind::Retired { identity } => {
                self.seats.remove(identity);
                let cause = self.escalated.last_mut().filter(|cause| match (cause.at_ms, at_ms) {
                    (Some(from), Some(at)) => at.saturating_sub(from) <= FOLLOWS,
                    _ => false,
                });
                if let Some(cause) = cause {
                    cause.retired.push(identity.clone());
                }
            }
            Kind::Kickoff { identity, phase, error } => {
                if let Some(seat) = self.seats.get_mut(identity) {
                    seat.kickoff = Some((at_ms, phase.clone(), error.clone()));
                }
            }
            Kind::Created | Kind::Restarted | Kind::StopEnded => (self.phase, self.stopping) = (Phase::Running, None),
            Kind::StopStarted => self.stopping = at_ms,
            Kind::Stopped => (self.phase, self.stopping) = (Phase::Stopped, None),
            Kind::Completed => (self.phase, self.stopping) = (Phase::Completed, None),
            Kind::FlowFailed { run, flow, cause, reason } => self.failed.push(Failed {
                cursor,
                at_ms,
                run: run.clone(),
                flow: flow.clone(),
                cause: cause.clone(),
                reason: reason.clone(),
            }),
            Kind::Escalated { run, step, to } => {
                let (run, step, to) = (run.clone(), step.clone(), to.clone());
                self.escalated.push(Escalated { cursor, at_ms, run, step, to, retired: Vec::new() });
            }
            Kind::TopologyViolated { from, to } => self.violations.push((at_ms, from.clone(), to.clone())),
            Kind::Dispatched { .. } | Kind::Other => {}
        }
    }

    /// Its seats as locks: one process at a time hosts a member, under the fence of its last spawn.
    pub fn locks<'a>(
        &'a self,
        mob: &'a str,
        realm: &'a Text,
        facts: &'a RealmFacts,
    ) -> impl Iterator<Item = Lock> + 'a {
        self.seats.iter().map(move |(identity, seat)| Lock {
            table: LockTable::Seat,
            lock_key: seat_key(mob, identity),
            repository_id: realm.clone(),
            holder_node: facts.server().cloned().unwrap_or_default(),
            holder_agent: member(mob, identity.raw()),
            fence_token: seat.fence,
            acquired_at_ms: seat.spawned_ms,
            condition: (facts.is_served() == Some(true)).then_some(Condition::OpenEnded),
            remark: Some(format!("{}, generation {}", seat.role, seat.generation).into()),
            ended_by: Some("retiring the member".into()),
            ..Lock::default()
        })
    }

    /// Its members, as far as events tell of them: not whether they are at work.
    pub fn agents<'a>(&'a self, mob: &'a str, realm: &'a Text) -> impl Iterator<Item = Agent> + 'a {
        self.seats.iter().map(move |(identity, seat)| {
            let (status, why) = seat.status();
            Agent {
                agent: member(mob, identity.raw()),
                repository_id: realm.clone(),
                group: mob.into(),
                identity: identity.clone(),
                role: seat.role.clone(),
                status: Some(status),
                why,
                generation: Some(seat.generation),
                fence_token: seat.fence,
                started_ms: seat.spawned_ms,
                if_dead: MEMBER_IF_DEAD,
                ..Agent::default()
            }
        })
    }

    /// The mob, as a group of agents.
    #[must_use]
    pub fn group(&self, mob: &str, realm: &Text) -> Group {
        let status = match self.phase {
            Phase::Running if self.stopping.is_some() => GroupStatus::Stopping,
            Phase::Running => GroupStatus::Running,
            Phase::Stopped => GroupStatus::Stopped,
            Phase::Completed => GroupStatus::Over,
        };
        Group { name: mob.into(), repository_id: realm.clone(), status: Some(status), ..Group::default() }
    }

    /// What is wrong with it at an instant of its own clock.
    pub fn problems(&self, mob: &str, realm: &Text, now_ms: Millis, found: &mut Vec<Problem>) {
        let recent = |at: Option<Millis>| at.is_some() && !is_past(at, RECENT, now_ms);
        let about_seat = |identity: &Text| About::Lock {
            table: LockTable::Seat,
            lock_key: seat_key(mob, identity),
            repository_id: realm.clone(),
        };
        let mut add = |rule, severity, about, name: Text, sentence: String, evidence: Vec<String>| {
            let evidence = evidence.into_iter().map(Text::from).collect();
            found.push(Problem { rule, severity, about, name, sentence: sentence.into(), evidence });
        };
        for twice in &self.twice {
            let seated = self.seats.get(&twice.identity).is_some_and(|seat| seat.cursor == twice.cursors.1);
            if !seated && !recent(twice.at_ms) {
                continue;
            }
            let name = member(mob, twice.identity.raw());
            let sentence = format!("{name}: spawned twice under fence {}, two processes may host it", twice.fence);
            let evidence = vec![
                format!(
                    "member_spawned {mob}#{} and {mob}#{}, no member_retired between",
                    twice.cursors.0, twice.cursors.1
                ),
                format!("the second {}", when(twice.at_ms)),
            ];
            add("seat-twice", Severity::Critical, about_seat(&twice.identity), name, sentence, evidence);
        }
        for escalated in self.escalated.iter().filter(|escalated| recent(escalated.at_ms)) {
            let names: Vec<&str> = escalated.retired.iter().map(Text::as_str).collect();
            let did = if names.is_empty() {
                "retired nobody so far".to_owned()
            } else {
                format!("retired {} members: {}", names.len(), names.join(", "))
            };
            let sentence = format!("{mob}: supervisor escalation {did}");
            let evidence = vec![
                format!(
                    "supervisor_escalation {mob}#{} to {} {}",
                    escalated.cursor,
                    escalated.to,
                    when(escalated.at_ms)
                ),
                format!("step {} of run {} failed", escalated.step, escalated.run),
            ];
            let severity = if names.is_empty() { Severity::Warning } else { Severity::Critical };
            // One mob may escalate several times.
            let name = format!("{mob}#{}", escalated.cursor).into();
            add("mob-escalated", severity, About::Source, name, sentence, evidence);
        }
        for failed in self.failed.iter().filter(|failed| recent(failed.at_ms)) {
            let name = super::run::task(&failed.flow, &failed.run);
            let sentence = format!("{mob}: flow {} failed, {}", failed.flow, failed.cause);
            let evidence =
                vec![format!("flow_failed {mob}#{} {}", failed.cursor, when(failed.at_ms)), failed.reason.to_string()];
            let about = About::Task { task: name.clone(), repository_id: realm.clone() };
            add("flow-failed", Severity::Warning, about, name, sentence, evidence);
        }
        if let Some((at, from, to)) = self.violations.iter().rev().find(|(at, ..)| recent(*at)) {
            let n = self.violations.iter().filter(|(at, ..)| recent(*at)).count();
            let sentence = format!("{mob}: {n} messages against its topology, last from {from} to {to}");
            let evidence = vec![format!("topology_violation {}", when(*at))];
            add("topology-violated", Severity::Warning, About::Source, mob.into(), sentence, evidence);
        }
        if is_past(self.stopping, SLOW, now_ms) {
            let sentence = format!("{mob}: told to stop and has not stopped");
            let evidence = vec![format!("quiesce_started{{Stop}} {}, no mob_stopped since", when(self.stopping))];
            add("stop-stuck", Severity::Warning, About::Source, mob.into(), sentence, evidence);
        }
        if let Some(cursor) = self.unknown {
            let sentence = format!("{mob}: events of an unknown version, shown as they are");
            let evidence = vec![format!("{mob}#{cursor} has another schema_version than 6 or 9")];
            add("schema-unknown", Severity::Warning, About::Source, mob.into(), sentence, evidence);
        }
        for (identity, seat) in &self.seats {
            let name = member(mob, identity.raw());
            if let Some((cursor, at)) = seat.retiring.filter(|(_, at)| is_past(*at, SLOW, now_ms)) {
                let sentence = format!("{name}: retiring, and not retired after a minute");
                let evidence = vec![format!("member_retirement_started {mob}#{cursor} {}", when(at))];
                add("retirement-stuck", Severity::Warning, about_seat(identity), name.clone(), sentence, evidence);
            }
            let Some((at, phase, error)) = &seat.kickoff else { continue };
            let evidence = || {
                let error = error.as_ref().map(|error| format!("error: {error}"));
                [format!("kickoff {phase} {}", when(*at))].into_iter().chain(error).collect()
            };
            match phase.raw() {
                "failed" => {
                    let sentence = format!("{name}: could not be started");
                    add("kickoff-failed", Severity::Warning, about_seat(identity), name, sentence, evidence());
                }
                "pending" | "starting" if is_past(*at, SLOW_START, now_ms) => {
                    let sentence = format!("{name}: {phase}, and not started after 5 minutes");
                    add("kickoff-slow", Severity::Warning, about_seat(identity), name, sentence, evidence());
                }
                _ => {}
            }
        }
    }
}

fn when(at: Option<Millis>) -> String {
    at.map_or_else(|| "at an unknown time".into(), |at| format!("at {}", utc(at)))
}

fn seat_key(mob: &str, identity: &Text) -> Text {
    member(mob, identity.raw())
}

#[cfg(test)]
mod tests;
