//! The fleet as its own messages tell it: lanes with heartbeats, and claims with what became of them. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use strum::{Display, EnumString};

use super::message::{Actor, CoordMessage, FleetKind};
use crate::model::text::Text;
use crate::model::time::{LONGEST, MINUTE, Millis};

/// A lane that missed its deadline is late for so long, then it does not answer.
pub const GRACE: Millis = MINUTE;
/// A lane that said nothing for so long, and for ten times its promise, and left no work open, is gone for good: nobody
/// says goodbye.
const GONE: Millis = 60 * MINUTE;
/// A claim that names no lease has this one.
const LEASE: Millis = 5 * MINUTE;
/// Claims that are remembered; beyond, those that are over go first, the oldest of them before others.
const MOST_CLAIMS: usize = 10_000;
/// Claims of one heartbeat, findings and check-ins that are remembered.
const MOST_NAMED: usize = 1_000;
/// Lanes that are remembered; beyond, those heard of longest ago go.
const MOST_LANES: usize = 10_000;

/// One actor.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    pub actor: Actor,
    pub beat: Option<Beat>,
    /// When it said anything at all.
    pub seen_ms: Millis,
}

/// Its last heartbeat, and how long it said that it may be silent.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    pub at_ms: Millis,
    pub silence_ms: Millis,
    pub state: Text,
    /// Claims that it says it is still at.
    pub claims: Vec<String>,
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
    /// The last word on how it ended, where that names the same work.
    pub outcome: Option<(Outcome, Millis)>,
}

/// Something that a reviewer found.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    pub id: String,
    pub actor: Actor,
    pub subject: String,
    pub overturned: bool,
    pub action: String,
    pub at_ms: Millis,
}

/// What a lane said of its work at its last check-in.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkin {
    pub actor: Actor,
    pub grade: String,
    pub shipped: String,
    pub next: String,
    pub at_ms: Millis,
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
    /// Whether it keeps others from the work. One that waits for an answer does not.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Conflicted)
    }

    /// Whether it may still come to something.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.is_live() || matches!(self, Self::Proposed | Self::Stale)
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
        self.seen_ms.saturating_add(GONE.max(promise.saturating_mul(10)))
    }
}

impl Claim {
    /// Its state but for what others claim. `until` is its end, as its lane's heartbeat may have moved it.
    fn alone(&self, until_ms: Millis, now_ms: Millis) -> ClaimState {
        match (self.outcome, self.decision) {
            (Some((Outcome::Completed, _)), _) => ClaimState::Completed,
            (Some((Outcome::Failed, _)), _) => ClaimState::Failed,
            (Some((Outcome::Abandoned, _)), _) => ClaimState::Abandoned,
            (None, Some((Decision::Rejected, _))) => ClaimState::Rejected,
            (None, Some((Decision::NeedsChanges, _))) => ClaimState::NeedsChanges,
            // What was not answered yet does not run out.
            (None, None) if self.requires_ack => ClaimState::Proposed,
            _ if now_ms > until_ms => ClaimState::Stale,
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
    /// Findings that ask for an answer and have none, in the order in which they were made.
    pub reviews: Vec<Review>,
    /// Ids that were answered.
    acknowledged: HashSet<String>,
    pub checkins: BTreeMap<Text, Checkin>,
}

impl Fleet {
    /// Takes a message. Messages of one topic come in its order.
    pub fn take(&mut self, msg: &CoordMessage) {
        let lane = self.lanes.entry(msg.from.id.clone()).or_insert_with(|| Lane {
            actor: msg.from.clone(),
            beat: None,
            seen_ms: msg.at_ms,
        });
        lane.seen_ms = lane.seen_ms.max(msg.at_ms);
        let ms = |data: &Value, name: &str| data.get(name).and_then(Value::as_i64).map(|n| n.clamp(0, LONGEST));
        let word = |data: &Value, name: &str| data[name].as_str().unwrap_or_default().to_owned();
        if let Some(data) = msg.fleet(FleetKind::Heartbeat) {
            if lane.beat.as_ref().is_none_or(|beat| beat.at_ms <= msg.at_ms) {
                let claims = data["current_claim_ids"].as_array().into_iter().flatten();
                lane.actor = msg.from.clone();
                lane.beat = Some(Beat {
                    at_ms: msg.at_ms,
                    silence_ms: ms(data, "lease_ms").max(ms(data, "expected_silence_ms")).unwrap_or(0),
                    state: Text::new(data["state"].as_str().unwrap_or_default()),
                    claims: claims.filter_map(Value::as_str).take(MOST_NAMED).map(str::to_owned).collect(),
                });
            }
        } else if let Some(data) = msg.fleet(FleetKind::Claim) {
            self.claim(msg, data, ms(data, "lease_ms").unwrap_or(LEASE));
        } else if let Some(data) = msg.fleet(FleetKind::Ack) {
            let target = word(data, "target_id");
            let decision = data["decision"].as_str().and_then(|word| word.parse().ok());
            if let (Some(claim), Some(decision)) = (self.of(&target), decision) {
                claim.decision = Some((decision, msg.at_ms));
            }
            self.reviews.retain(|review| review.id != target);
            if self.acknowledged.len() >= 4 * MOST_CLAIMS {
                self.acknowledged.clear();
            }
            self.acknowledged.insert(target);
        } else if let Some(data) = msg.fleet(FleetKind::Done) {
            let outcome = data["outcome"].as_str().and_then(|word| word.parse().ok());
            if let (Some(claim), Some(outcome)) = (self.of(&word(data, "claim_id")), outcome) {
                // A word on other work says nothing of this claim, and takes an earlier word back.
                claim.outcome = (claim.work_key == word(data, "work_key")).then_some((outcome, msg.at_ms));
            }
        } else if let Some(data) = msg.fleet(FleetKind::Finding) {
            if data["requires_ack"] == true && !self.acknowledged.contains(&msg.id) {
                self.reviews.retain(|review| review.id != msg.id);
                self.reviews.push(Review {
                    id: msg.id.clone(),
                    actor: msg.from.clone(),
                    subject: msg.subject.clone(),
                    overturned: data["premise"] == "overturned",
                    action: word(data, "recommended_action"),
                    at_ms: msg.at_ms,
                });
                let surplus = self.reviews.len().saturating_sub(MOST_NAMED);
                self.reviews.drain(..surplus);
            }
        } else if let Some(data) = msg.fleet(FleetKind::Checkin) {
            let checkin = Checkin {
                actor: msg.from.clone(),
                grade: word(data, "grade"),
                shipped: word(data, "shipped"),
                next: word(data, "next"),
                at_ms: msg.at_ms,
            };
            self.checkins.insert(msg.from.id.clone(), checkin);
            if self.checkins.len() > MOST_NAMED
                && let Some(oldest) = self.checkins.iter().min_by_key(|(_, c)| c.at_ms).map(|(id, _)| id.clone())
            {
                self.checkins.remove(&oldest);
            }
        }
        if self.lanes.len() > MOST_LANES
            && let Some(oldest) = self.lanes.iter().min_by_key(|(_, lane)| lane.seen_ms).map(|(id, _)| id.clone())
        {
            self.lanes.remove(&oldest);
        }
    }

    fn of(&mut self, id: &str) -> Option<&mut Claim> {
        self.claims.get_mut(*self.place.get(id)?)
    }

    /// The end of a claim: its own, or a later one that the heartbeat of its lane gives it.
    #[must_use]
    pub fn until_ms(&self, claim: &Claim) -> Millis {
        let beat = self.lanes.get(&claim.actor.id).and_then(|lane| lane.beat.as_ref());
        let moved = beat.filter(|beat| beat.claims.contains(&claim.id));
        moved.map_or(claim.expires_ms, |beat| claim.expires_ms.max(beat.at_ms.saturating_add(beat.silence_ms)))
    }

    fn claim(&mut self, msg: &CoordMessage, data: &Value, lease_ms: Millis) {
        let Some(work_key) = data.get("work_key").and_then(Value::as_str).filter(|key| !key.is_empty()) else { return };
        if self.place.contains_key(&msg.id) {
            return;
        }
        self.place.insert(msg.id.clone(), self.claims.len());
        self.claims.push(Claim {
            id: msg.id.clone(),
            actor: msg.from.clone(),
            work_key: work_key.to_owned(),
            proposed_ms: msg.at_ms,
            expires_ms: msg.at_ms.saturating_add(lease_ms),
            requires_ack: data.get("requires_ack").and_then(Value::as_bool).unwrap_or(false),
            decision: None,
            outcome: None,
        });
        if self.claims.len() > MOST_CLAIMS {
            let over = |claim: &Claim| !claim.alone(self.until_ms(claim), msg.at_ms).is_open();
            let place = self.claims.iter().position(over).unwrap_or(0);
            self.claims.remove(place);
            self.place = self.claims.iter().enumerate().map(|(place, claim)| (claim.id.clone(), place)).collect();
        }
    }

    /// Every claim with its state at an instant.
    #[must_use]
    pub fn states(&self, now_ms: Millis) -> Vec<(&Claim, ClaimState)> {
        let mut live: HashMap<&str, u32> = HashMap::new();
        let alone: Vec<ClaimState> =
            self.claims.iter().map(|claim| claim.alone(self.until_ms(claim), now_ms)).collect();
        for (claim, state) in self.claims.iter().zip(&alone) {
            *live.entry(&claim.work_key).or_default() += u32::from(state.is_live());
        }
        let evaluated = self.claims.iter().zip(alone).map(|(claim, state)| {
            let conflicted = state.is_live() && live.get(claim.work_key.as_str()).is_some_and(|n| *n > 1);
            (claim, if conflicted { ClaimState::Conflicted } else { state })
        });
        evaluated.collect()
    }

    /// Lanes that are about, or that left work open.
    #[must_use]
    pub fn about(&self, now_ms: Millis) -> Vec<&Lane> {
        let open: HashSet<&Text> = self
            .claims
            .iter()
            .filter(|claim| claim.alone(self.until_ms(claim), now_ms).is_open())
            .map(|claim| &claim.actor.id)
            .collect();
        let about = |lane: &&Lane| lane.leaves_ms() > now_ms || open.contains(&lane.actor.id);
        self.lanes.values().filter(about).collect()
    }

    /// The next instant at which time alone changes a state.
    #[must_use]
    pub fn next_change(&self, now_ms: Millis) -> Option<Millis> {
        // A claim is over after its end, not at it.
        let ends = self.claims.iter().map(|claim| self.until_ms(claim).saturating_add(1));
        let leaves = self.lanes.values().map(Lane::leaves_ms);
        ends.chain(leaves).filter(|at| *at > now_ms).min()
    }
}

#[cfg(test)]
mod tests;
