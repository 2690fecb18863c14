//! A Vox control plane over HTTP: nodes, execution leases, queue figures and inboxes. Reading only.
//!
//! An inbox is never asked for with `claimer_node_id`: that would claim its messages.

pub mod client;
pub mod inboxes;
pub mod wire;

use std::collections::BTreeSet;
use std::time::Instant;

use self::client::{Answer, Client};
pub use self::inboxes::INBOXES_A_POLL;
use self::inboxes::{Schedule, Turn};
use crate::clock::steady_clock;
use crate::data::source::{PollContext, Polling, Source};
use crate::model::observation::{Change, ClockSample, Observation, Presence, Probe};
use crate::model::source::{Aspect, Fault};
use crate::model::text::Text;
use crate::model::{Lease, MessageTable, QueueStats};

/// Polls after which a call that was absent or denied is tried again: a server may have been upgraded.
const ASK_AGAIN_AFTER: u32 = 300;
/// The most messages of one inbox; the server allows no more.
const INBOX_ROWS: usize = 256;

/// The calls a control plane may or may not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Nodes,
    Leases,
    Queue,
    Inbox,
}

impl Call {
    const ALL: [Self; 4] = [Self::Nodes, Self::Leases, Self::Queue, Self::Inbox];

    fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Leases => "exec leases",
            Self::Queue => "queue stats",
            Self::Inbox => "inbox",
        }
    }
}

/// One control plane.
pub struct ControlPlane {
    client: Client,
    /// How each call stands, and how many polls ago a refusal was heard.
    standing: [(Presence, u32); 4],
    reported: Option<Probe>,
    schedule: Schedule,
    /// Waiting messages of each inbox asked so far.
    inboxes: std::collections::BTreeMap<Text, Vec<crate::model::Message>>,
    /// Agents that the operator names.
    named: Vec<Text>,
}

impl ControlPlane {
    /// Asks through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            standing: std::array::from_fn(|_| (Presence::Present, 0)),
            reported: None,
            schedule: Schedule::default(),
            inboxes: std::collections::BTreeMap::new(),
            named: Vec::new(),
        }
    }

    /// The same, with agents whose inboxes are asked for whatever else names them.
    #[must_use]
    pub fn asking(self, agents: &[String]) -> Self {
        Self { named: agents.iter().map(|agent| Text::new(agent.trim())).collect(), ..self }
    }

    async fn poll_now(&mut self, context: &PollContext) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen = Observation::default();
        let health = self.client.health(&mut seen.cost).await?;
        seen.clock = health.clock;
        if let Some(nodes) = self.ask::<wire::Nodes>(Call::Nodes, &mut seen).await? {
            seen.cost.rows += nodes.nodes.len() as u64;
            seen.changes.push(Change::Registry(nodes.into_facts()));
        }
        if let Some(leases) = self.ask::<wire::Leases>(Call::Leases, &mut seen).await? {
            seen.cost.rows += leases.leases.len() as u64;
            let facts: Vec<Lease> = leases.into_facts();
            seen.changes.push(Change::Leases(facts));
        }
        let stats = self.ask::<wire::Queue>(Call::Queue, &mut seen).await?.map(wire::Queue::into_facts);
        let pending = stats.as_ref().map(|stats| stats.pending_count);
        let waiting = self.ask_inboxes(context, stats.as_ref(), &mut seen).await?;
        seen.changes.extend(stats.map(|stats| Change::Queue(Some(stats))));
        let elsewhere = self.elsewhere(pending.zip(waiting), &mut seen).await?;
        let probe =
            Probe { parts: Call::ALL.iter().map(|&c| (c.name(), self.standing[c as usize].0.clone())).collect() };
        if self.reported.as_ref() != Some(&probe) {
            self.reported = Some(probe.clone());
            seen.probe = Some(probe.into());
        }
        let (denied, absent) = self.denials();
        seen.unseen = Some(denied.into_iter().chain(elsewhere).collect());
        seen.notes = Some(absent.into_iter().chain(self.client.warning()).collect());
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    /// Whether a call is worth making: a 404 or a denial is remembered, not asked for every second.
    fn worth_asking(&mut self, call: Call) -> bool {
        let (presence, ago) = &mut self.standing[call as usize];
        if *presence == Presence::Present {
            return true;
        }
        *ago += 1;
        *ago >= ASK_AGAIN_AFTER
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &mut self,
        call: Call,
        seen: &mut Observation,
    ) -> Result<Option<T>, Fault> {
        if !self.worth_asking(call) {
            return Ok(None);
        }
        let path = match call {
            Call::Nodes => "/v1/populi/nodes",
            Call::Leases => "/v1/populi/exec/leases",
            Call::Queue => "/v1/populi/queue/stats",
            Call::Inbox => "/v1/populi/a2a/inbox",
        };
        let answer = self.client.get(path, &mut seen.cost).await?;
        Ok(self.heard(call, answer, &mut seen.clock))
    }

    fn heard<T>(&mut self, call: Call, answer: Answer<T>, clock: &mut Option<ClockSample>) -> Option<T> {
        let (presence, value) = match answer {
            Answer::Value(value, sample) => {
                *clock = best(*clock, sample);
                (Presence::Present, Some(value))
            }
            Answer::Absent => (Presence::Absent, None),
            Answer::Denied(why) => (Presence::Denied(why), None),
        };
        self.standing[call as usize] = (presence, 0);
        value
    }

    /// Asks those inboxes that may have changed. Answers how many messages wait in all of them, once each was asked.
    async fn ask_inboxes(
        &mut self,
        context: &PollContext,
        stats: Option<&QueueStats>,
        seen: &mut Observation,
    ) -> Result<Option<usize>, Fault> {
        let named = context.agents.iter().chain(&self.named);
        let agents: BTreeSet<Text> = named.filter(|a| is_decimal(a.raw())).cloned().collect();
        if !self.worth_asking(Call::Inbox) {
            return Ok(None);
        }
        let turn = match self.schedule.turn(&agents, stats, context.shown, steady_clock()) {
            Turn::Ask(turn) => turn,
            Turn::Shown => {
                if !self.inboxes.is_empty() {
                    self.inboxes.clear();
                    seen.changes.push(Change::LiveMessages(MessageTable::Inbox, Vec::new()));
                }
                // All of them, but for what came or went between two looks.
                return Ok(stats.and_then(|stats| usize::try_from(stats.pending_count).ok()));
            }
        };
        if agents.is_empty() {
            return Ok(Some(0));
        }
        let before = self.inboxes.len();
        self.inboxes.retain(|agent, _| agents.contains(agent));
        let moved = before != self.inboxes.len() || !turn.is_empty();
        for agent in turn {
            let answer: Answer<wire::Inbox> = self.client.inbox(agent.raw(), INBOX_ROWS, &mut seen.cost).await?;
            let Some(inbox) = self.heard(Call::Inbox, answer, &mut seen.clock) else { return Ok(None) };
            seen.cost.rows += inbox.messages.len() as u64;
            self.schedule.heard(&agent);
            self.inboxes.insert(agent, inbox.into_facts());
        }
        let waiting: Vec<_> = self.inboxes.values().flatten().filter(|m| !m.acknowledged).cloned().collect();
        let count = self.schedule.has_all(&agents).then_some(waiting.len());
        if moved {
            seen.changes.push(Change::LiveMessages(MessageTable::Inbox, waiting));
        }
        Ok(count)
    }

    /// What waits where nobody here looks: the server lists no receivers, it only counts.
    async fn elsewhere(
        &mut self,
        counted: Option<(i64, usize)>,
        seen: &mut Observation,
    ) -> Result<Option<Text>, Fault> {
        let beyond = |(pending, waiting): (i64, usize)| pending.saturating_sub(i64::try_from(waiting).unwrap_or(0));
        let Some(counted) = counted.filter(|counted| beyond(*counted) > 0) else { return Ok(None) };
        // What came or went between the two answers is no difference.
        let again = self.ask::<wire::Queue>(Call::Queue, seen).await?.map(|stats| stats.pending_count);
        let pending = again.map_or(counted.0, |again| again.min(counted.0));
        let n = beyond((pending, counted.1));
        let say = || {
            format!("inbox: {n} of {pending} waiting messages are not seen: name their agents in control_agents").into()
        };
        Ok((n > 0).then(say))
    }

    /// What may not be asked for, and what this server does not offer.
    fn denials(&self) -> (Vec<Text>, Vec<Text>) {
        let (mut denied, mut absent) = (Vec::new(), Vec::new());
        for call in Call::ALL {
            match &self.standing[call as usize].0 {
                Presence::Denied(why) => denied.push(format!("{}: {why}", call.name()).into()),
                Presence::Absent => absent.push(format!("{}: not offered by this server", call.name()).into()),
                _ => {}
            }
        }
        (denied, absent)
    }
}

impl Source for ControlPlane {
    fn poll<'a>(&'a mut self, context: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now(context))
    }
}

/// The control plane's agent ids are decimal strings; it refuses any other.
fn is_decimal(id: &str) -> bool {
    !id.is_empty() && id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit())
}

fn best(a: Option<ClockSample>, b: Option<ClockSample>) -> Option<ClockSample> {
    [a, b].into_iter().flatten().min_by_key(|sample| sample.uncertainty_ms)
}

/// What a control plane provides. Its leases are shown beside the locks.
pub const PROVIDES: &[Aspect] =
    &[Aspect::Nodes, Aspect::Locks, Aspect::Waiters, Aspect::Messages, Aspect::Tasks, Aspect::Leases];

/// What each empty part means to a control plane.
pub const WHY_EMPTY: &[(&str, &str)] = &[
    ("nodes", "no node has joined this control plane since it started"),
    ("exec leases", "no lease is in force"),
    ("inbox", "no known agent has messages waiting here"),
];
