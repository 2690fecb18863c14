//! The fleet as its own messages tell it: lanes with heartbeats, and claims with what became of them. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use strum::{Display, EnumString};

use super::message::{Actor, Said};
use crate::text::Text;
use crate::time::{LONGEST, MINUTE, Millis};

/// A lane that missed its deadline is late for so long, then it does not answer.
pub const GRACE: Millis = MINUTE;
/// A lane that said nothing for so long, and for ten times its promise, and left no work open, is gone for good: nobody
/// says goodbye.
const GONE: Millis = 60 * MINUTE;
/// A claim that names no lease has this one.
const LEASE: Millis = 5 * MINUTE;
/// Claims that are remembered; beyond, those that are over go first, the oldest of them before others.
const MOST_CLAIMS: usize = 10_000;
/// Lanes that are remembered; beyond, those heard of longest ago go.
const MOST_LANES: usize = 10_000;

/// One actor.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    pub actor: Actor,
    pub beat: Option<Beat>,
    /// When it said anything at all.
    pub heard_ms: Millis,
}

/// Its last heartbeat, and how long it said that it may be silent.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    pub at_ms: Millis,
    pub silence_ms: Millis,
    pub state: Text,
}

/// A claim on a piece of work.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub id: String,
    pub actor: Actor,
    pub work_key: String,
    pub proposed_ms: Millis,
    pub expires_ms: Millis,
    pub requires_ack: bool,
    pub decision: Option<(Decision, Millis)>,
    pub outcome: Option<(Outcome, Millis)>,
}

/// What another said of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Decision {
    Accepted,
    Rejected,
    NeedsChanges,
}

/// How the work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    Completed,
    Failed,
    Abandoned,
}

/// The state of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
#[strum(serialize_all = "snake_case")]
pub enum ClaimState {
    Proposed,
    Active,
    Conflicted,
    Stale,
    Rejected,
    NeedsChanges,
    Completed,
    Failed,
    Abandoned,
}

impl ClaimState {
    /// Whether it keeps others from the work.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Proposed | Self::Active | Self::Conflicted)
    }
}

/// How alive a lane is, by its own promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
#[strum(serialize_all = "snake_case")]
pub enum Liveness {
    Active,
    Late,
    Unresponsive,
    Unknown,
}

impl Lane {
    /// How alive it is: until its deadline, a grace longer, then not at all.
    #[must_use]
    pub fn liveness(&self, now_ms: Millis) -> Liveness {
        let Some(beat) = &self.beat else { return Liveness::Unknown };
        match now_ms.saturating_sub(beat.at_ms.saturating_add(beat.silence_ms)) {
            ..=0 => Liveness::Active,
            over if over <= GRACE => Liveness::Late,
            _ => Liveness::Unresponsive,
        }
    }
}

impl Lane {
    /// From when on it is gone for good, if it left no work open.
    fn leaves_ms(&self) -> Millis {
        let promise = self.beat.as_ref().map_or(0, |beat| beat.silence_ms.saturating_add(GRACE));
        self.heard_ms.saturating_add(GONE.max(promise.saturating_mul(10)))
    }
}

impl Claim {
    /// Its state but for what others claim.
    fn alone(&self, now_ms: Millis) -> ClaimState {
        match (self.outcome, self.decision) {
            (Some((Outcome::Completed, _)), _) => ClaimState::Completed,
            (Some((Outcome::Failed, _)), _) => ClaimState::Failed,
            (Some((Outcome::Abandoned, _)), _) => ClaimState::Abandoned,
            (None, Some((Decision::Rejected, _))) => ClaimState::Rejected,
            (None, Some((Decision::NeedsChanges, _))) => ClaimState::NeedsChanges,
            _ if self.expires_ms <= now_ms => ClaimState::Stale,
            (None, None) if self.requires_ack => ClaimState::Proposed,
            _ => ClaimState::Active,
        }
    }
}

/// Everything that was said of lanes and claims.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    pub lanes: BTreeMap<Text, Lane>,
    /// In the order in which they were made.
    pub claims: Vec<Claim>,
    place: HashMap<String, usize>,
}

impl Fleet {
    /// Takes a message. Messages of one topic come in its order.
    pub fn take(&mut self, said: &Said) {
        let lane = self.lanes.entry(said.from.id.clone()).or_insert_with(|| Lane {
            actor: said.from.clone(),
            beat: None,
            heard_ms: said.at_ms,
        });
        lane.heard_ms = lane.heard_ms.max(said.at_ms);
        let ms = |data: &Value, name: &str| data.get(name).and_then(Value::as_i64).map(|n| n.clamp(0, LONGEST));
        if let Some(data) = said.fleet("harn.fleet.heartbeat.v1") {
            if lane.beat.as_ref().is_none_or(|beat| beat.at_ms <= said.at_ms) {
                lane.actor = said.from.clone();
                lane.beat = Some(Beat {
                    at_ms: said.at_ms,
                    silence_ms: ms(data, "lease_ms").max(ms(data, "expected_silence_ms")).unwrap_or(0),
                    state: Text::new(data.get("state").and_then(Value::as_str).unwrap_or_default()),
                });
            }
        } else if let Some(data) = said.fleet("harn.fleet.claim.v1") {
            self.claim(said, data, ms(data, "lease_ms").unwrap_or(LEASE));
        } else if let Some(data) = said.fleet("harn.fleet.ack.v1") {
            let word = data.get("decision").and_then(Value::as_str).and_then(|word| word.parse().ok());
            if let (Some(claim), Some(decision)) = (self.of(data, "target_id"), word) {
                claim.decision = Some((decision, said.at_ms));
            }
        } else if let Some(data) = said.fleet("harn.fleet.done.v1") {
            let word = data.get("outcome").and_then(Value::as_str).and_then(|word| word.parse().ok());
            if let (Some(claim), Some(outcome)) = (self.of(data, "claim_id"), word) {
                claim.outcome = Some((outcome, said.at_ms));
            }
        }
        if self.lanes.len() > MOST_LANES
            && let Some(oldest) = self.lanes.iter().min_by_key(|(_, lane)| lane.heard_ms).map(|(id, _)| id.clone())
        {
            self.lanes.remove(&oldest);
        }
    }

    fn of(&mut self, data: &Value, name: &str) -> Option<&mut Claim> {
        let place = self.place.get(data.get(name)?.as_str()?)?;
        self.claims.get_mut(*place)
    }

    fn claim(&mut self, said: &Said, data: &Value, lease_ms: Millis) {
        let Some(work_key) = data.get("work_key").and_then(Value::as_str).filter(|key| !key.is_empty()) else { return };
        if self.place.contains_key(&said.id) {
            return;
        }
        self.place.insert(said.id.clone(), self.claims.len());
        self.claims.push(Claim {
            id: said.id.clone(),
            actor: said.from.clone(),
            work_key: work_key.to_owned(),
            proposed_ms: said.at_ms,
            expires_ms: said.at_ms.saturating_add(lease_ms),
            requires_ack: data.get("requires_ack").and_then(Value::as_bool).unwrap_or(false),
            decision: None,
            outcome: None,
        });
        if self.claims.len() > MOST_CLAIMS {
            let over = |claim: &Claim| !claim.alone(said.at_ms).is_live();
            let place = self.claims.iter().position(over).unwrap_or(0);
            self.claims.remove(place);
            self.place = self.claims.iter().enumerate().map(|(place, claim)| (claim.id.clone(), place)).collect();
        }
    }

    /// Every claim with its state at an instant.
    #[must_use]
    pub fn states(&self, now_ms: Millis) -> Vec<(&Claim, ClaimState)> {
        let mut live: HashMap<&str, u32> = HashMap::new();
        let alone: Vec<ClaimState> = self.claims.iter().map(|claim| claim.alone(now_ms)).collect();
        for (claim, state) in self.claims.iter().zip(&alone) {
            *live.entry(&claim.work_key).or_default() += u32::from(state.is_live());
        }
        let judged = self.claims.iter().zip(alone).map(|(claim, state)| {
            let conflicted = state.is_live() && live.get(claim.work_key.as_str()).is_some_and(|n| *n > 1);
            (claim, if conflicted { ClaimState::Conflicted } else { state })
        });
        judged.collect()
    }

    /// Lanes that are about, or that left work open.
    #[must_use]
    pub fn about(&self, now_ms: Millis) -> Vec<&Lane> {
        let open: HashSet<&Text> = self
            .claims
            .iter()
            .filter(|claim| {
                let state = claim.alone(now_ms);
                state.is_live() || state == ClaimState::Stale
            })
            .map(|claim| &claim.actor.id)
            .collect();
        let about = |lane: &&Lane| lane.leaves_ms() > now_ms || open.contains(&lane.actor.id);
        self.lanes.values().filter(about).collect()
    }

    /// The next instant at which time alone changes a state.
    #[must_use]
    pub fn next_change(&self, now_ms: Millis) -> Option<Millis> {
        let ends = self.claims.iter().map(|claim| claim.expires_ms);
        let leaves = self.lanes.values().map(Lane::leaves_ms);
        ends.chain(leaves).filter(|at| *at > now_ms).min()
    }
}

#[cfg(test)]
mod tests;
