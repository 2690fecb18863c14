//! What an event log says in the terms of the common model: lanes, claims, inboxes, readers, waiters, tasks. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::json;

use super::event::Event;
use super::fleet::{Claim, ClaimState, Decision, Fleet, GRACE, Outcome};
use super::message::CoordMessage;
use super::store::{Consumer, News};
use crate::model::observation::{Change, LogStart};
use crate::model::text::Text;
use crate::model::time::{Millis, plausible};
use crate::model::{
    Condition, Heartbeat, LineageEvent, Lock, LockTable, LogEntry, LogTable, Message, MessageTable, Patience, Payload,
    Reader, Remark, RemarkKind, Wait,
};

/// The topic of receipts: all that is seen of rooms that live in memory.
const RECEIPTS: &str = "lifecycle.channel.audit";
/// Distinguishes a second event of the same row; ids of rows leave this bit alone.
const SECOND: i64 = 1 << 62;
/// Words of one message that are taken for names of resources.
const MOST_NAMED: usize = 16;

/// Everything that was read, as far as it is kept.
#[derive(Debug, Default)]
pub struct Ledger {
    window: usize,
    fleet: Fleet,
    /// Messages for somebody, oldest first.
    messages: VecDeque<(i64, Text, CoordMessage)>,
    /// Ids that were answered.
    answered: HashSet<String>,
    answered_in_turn: VecDeque<String>,
    consumers: Vec<Consumer>,
    heads: Vec<(String, i64)>,
    /// Rows of messages that were acknowledged when they were told last.
    acknowledged: HashSet<i64>,
    begun: bool,
    next_change: Option<Millis>,
}

impl Ledger {
    /// Keeps so many messages.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { window, ..Self::default() }
    }

    /// Takes what came, and says what changed by it, or by time alone.
    pub fn take(&mut self, news: News, now_ms: Millis) -> Vec<Change> {
        let mut changes = Vec::new();
        if news.reset {
            *self = Self::new(self.window);
            changes.push(Change::Reset);
        }
        let due = self.next_change.is_some_and(|at| at <= now_ms);
        let moved = news.consumers.as_ref().is_some_and(|now| *now != self.consumers);
        let nothing = self.begun && news.events.is_empty() && !moved && !due;
        self.consumers = news.consumers.unwrap_or_else(|| std::mem::take(&mut self.consumers));
        self.heads = news.heads.unwrap_or_else(|| std::mem::take(&mut self.heads));
        if nothing {
            return changes;
        }
        self.hear(news.events, news.windowed, &mut changes);
        self.begun = true;
        changes.push(Change::Heartbeats(self.heartbeats(now_ms)));
        let (claims, mut waits) = self.claims(now_ms);
        waits.extend(self.requests());
        changes.push(Change::Locks(LockTable::Claim, claims));
        changes.push(Change::Waits(waits));
        self.inbox(&mut changes);
        changes.push(Change::Remarks(self.remarks()));
        changes.push(Change::Readers(self.readers()));
        self.next_change = self.fleet.next_change(now_ms);
        changes
    }

    fn hear(&mut self, events: Vec<Event>, windowed: bool, changes: &mut Vec<Change>) {
        let events = in_order(events);
        let (mut entries, mut lineage) = (Vec::new(), Vec::new());
        for event in events {
            let msg = CoordMessage::of(&event);
            let receipt = event.topic == RECEIPTS;
            // Rooms that are in the log themselves need no receipt.
            let in_memory = event.payload["scope"] == "session" && event.payload["inserted"] != false;
            if receipt && !in_memory {
                continue;
            }
            entries.push(entry(&event, msg.as_ref(), receipt));
            let Some(msg) = msg else { continue };
            self.fleet.take(&msg);
            lineage.extend(self.lineage_of(&event, &msg));
            if let Some(id) = &msg.reply_to
                && self.answered.insert(id.clone())
            {
                self.answered_in_turn.push_back(id.clone());
            }
            if !msg.to.is_empty() || asks(&msg) {
                self.messages.push_back((event.id(), event.label(), msg));
            }
        }
        while self.messages.len() > self.window {
            if let Some((id, ..)) = self.messages.pop_front() {
                self.acknowledged.remove(&id);
            }
        }
        while self.answered_in_turn.len() > 4 * self.window {
            if let Some(id) = self.answered_in_turn.pop_front() {
                self.answered.remove(&id);
            }
        }
        if !self.begun || !entries.is_empty() {
            let start = match (self.begun, windowed) {
                (true, _) => LogStart::Continues,
                (false, true) => LogStart::Window,
                (false, false) => LogStart::Beginning,
            };
            changes.push(Change::Log(LogTable::Events, entries, start));
        }
        changes.push(Change::Lineage(lineage));
    }

    fn heartbeats(&self, now_ms: Millis) -> Vec<Heartbeat> {
        let lane = |lane: &super::fleet::Lane| Heartbeat {
            node_id: lane.actor.id.clone(),
            agent_id: lane.actor.agent.clone(),
            last_seen_ms: lane.beat.as_ref().map(|beat| beat.at_ms),
            activity: lane.beat.as_ref().map(|beat| beat.state.clone()).unwrap_or_default(),
            patience: lane.beat.as_ref().map(|beat| Patience { silence_ms: beat.silence_ms, grace_ms: GRACE }),
            ..Default::default()
        };
        self.fleet.about(now_ms).into_iter().map(lane).collect()
    }

    /// Claims that hold: of several on one piece of work the first has it, the others wait. One that waits for an answer
    /// holds nothing yet.
    fn claims(&self, now_ms: Millis) -> (Vec<Lock>, Vec<Wait>) {
        let (mut locks, mut waits) = (Vec::new(), Vec::new());
        let mut taken: HashSet<&str> = HashSet::new();
        for (claim, state) in self.fleet.states(now_ms) {
            if state.is_live() && !taken.insert(&claim.work_key) {
                waits.push(Wait {
                    resource: Text::new(&claim.work_key),
                    agent: claim.actor.agent.clone(),
                    since_ms: Some(claim.proposed_ms),
                    priority: 1,
                    evidence: format!("claim {} on the same work, {state}", claim.id).into(),
                    ..Default::default()
                });
            } else if state.is_live() || state == ClaimState::Stale {
                locks.push(held(claim, state, self.fleet.until_ms(claim)));
            }
        }
        (locks, waits)
    }

    /// Open requests and blockers that name something.
    fn requests(&self) -> Vec<Wait> {
        let mut waits = Vec::new();
        for (_, label, msg) in self.messages.iter().filter(|(.., msg)| asks(msg) && !self.answered.contains(&msg.id)) {
            let in_words = format!("{} {}", msg.subject, msg.body);
            let mut names: Vec<&str> = msg.names().collect();
            names.extend(paths(&in_words));
            names.sort_unstable();
            names.dedup();
            waits.extend(names.into_iter().take(MOST_NAMED).map(|name| Wait {
                resource: Text::new(name),
                agent: msg.from.agent.clone(),
                since_ms: Some(msg.at_ms),
                priority: 1,
                evidence: format!("{} {label}, not answered", msg.kind).into(),
                ..Default::default()
            }));
        }
        waits
    }

    /// Findings of reviewers that ask for an answer, and the last check-in of each lane.
    fn remarks(&self) -> Vec<Remark> {
        let reviews = self.fleet.reviews.iter().map(|review| Remark {
            id: Text::new(&review.id),
            agent: review.actor.agent.clone(),
            node_id: review.actor.id.clone(),
            at_ms: Some(review.at_ms),
            summary: Text::new(&review.subject),
            kind: RemarkKind::Finding { overturned: review.overturned, action: Text::new(&review.action) },
        });
        let checkins = self.fleet.checkins.values().map(|checkin| Remark {
            id: Text::default(),
            agent: checkin.actor.agent.clone(),
            node_id: checkin.actor.id.clone(),
            at_ms: Some(checkin.at_ms),
            summary: format!("grade {}, shipped {}, next {}", checkin.grade, checkin.shipped, checkin.next).into(),
            kind: RemarkKind::Checkin,
        });
        reviews.chain(checkins).collect()
    }

    fn inbox(&mut self, changes: &mut Vec<Change>) {
        let (mut live, mut acknowledged) = (Vec::new(), Vec::new());
        for (id, label, msg) in &self.messages {
            let over = is_over(msg, &self.answered, &self.consumers);
            if over && self.acknowledged.contains(id) {
                continue;
            }
            let row = message(*id, label, msg, over);
            if over {
                acknowledged.push(row);
            } else {
                live.push(row);
            }
        }
        // A cursor may be set back: then what was acknowledged waits again.
        for row in &live {
            self.acknowledged.remove(&row.id);
        }
        self.acknowledged.extend(acknowledged.iter().map(|row| row.id));
        changes.push(Change::LiveMessages(MessageTable::Room, live));
        changes.push(Change::AcknowledgedMessages(acknowledged));
    }

    fn readers(&self) -> Vec<Reader> {
        let head = |topic: &str| self.heads.iter().find(|(name, _)| name == topic).map(|(_, head)| *head);
        let reader = |consumer: &Consumer| {
            Some(Reader {
                name: Text::new(&consumer.name),
                stream: Text::new(&consumer.topic),
                cursor: consumer.cursor,
                head: head(&consumer.topic)?,
                moved_at_ms: consumer.updated_at_ms.filter(|at| plausible(*at)),
            })
        };
        self.consumers.iter().filter_map(reader).collect()
    }

    /// What a message says about a task.
    fn lineage_of(&self, event: &Event, msg: &CoordMessage) -> Vec<LineageEvent> {
        let lineage = |id: i64, kind: &str, claim: &Claim| LineageEvent {
            id,
            kind: kind.into(),
            task: Some(Text::new(&claim.work_key)),
            agent_id: Some(claim.actor.agent.clone()),
            session_id: Some(claim.actor.id.clone()),
            created_at_ms: Some(msg.at_ms),
            ..Default::default()
        };
        let id = event.id();
        let of = |target: &str| self.fleet.claims.iter().rev().find(|claim| claim.id == target);
        let named = |name: &str| msg.data.get(name).and_then(serde_json::Value::as_str).and_then(of);
        match msg.kind.as_str() {
            "claim" => of(&msg.id).map_or_else(Vec::new, |claim| {
                let mut lineages = vec![lineage(id, "task_submitted", claim)];
                if !claim.requires_ack {
                    lineages.push(lineage(id | SECOND, "task_delegated", claim));
                }
                lineages
            }),
            "ack" => {
                let decided = named("target_id").and_then(|claim| Some((claim, claim.decision?.0)));
                decided.map_or_else(Vec::new, |(claim, decision)| {
                    let kind = if decision == Decision::Accepted { "task_delegated" } else { "task_failed" };
                    vec![lineage(id, kind, claim)]
                })
            }
            "done" => {
                let ended = named("claim_id").and_then(|claim| Some((claim, claim.outcome?.0)));
                ended.map_or_else(Vec::new, |(claim, outcome)| {
                    let kind = if outcome == Outcome::Completed { "task_completed" } else { "task_failed" };
                    vec![lineage(id, kind, claim)]
                })
            }
            _ => Vec::new(),
        }
    }
}

/// Topics have no common order but time; within a topic theirs is kept, whatever its clock did.
fn in_order(events: Vec<Event>) -> Vec<Event> {
    let mut latest: HashMap<String, Millis> = HashMap::new();
    let mut keyed: Vec<(Millis, Event)> = Vec::with_capacity(events.len());
    for event in events {
        let at = latest.entry(event.topic.clone()).or_insert(event.occurred_at_ms);
        *at = (*at).max(event.occurred_at_ms);
        keyed.push((*at, event));
    }
    keyed.sort_by_key(|(at, _)| *at);
    keyed.into_iter().map(|(_, event)| event).collect()
}

/// Whether somebody is expected to do something.
fn asks(msg: &CoordMessage) -> bool {
    matches!(msg.kind.as_str(), "request" | "blocker")
}

/// A request is over when it is answered; what was sent to somebody, when the cursor of the reader is past it.
fn is_over(msg: &CoordMessage, answered: &HashSet<String>, consumers: &[Consumer]) -> bool {
    if msg.kind == "request" {
        return answered.contains(&msg.id);
    }
    // It reaches no inbox, so it waits in none.
    if msg.to_list || msg.to.is_empty() {
        return true;
    }
    // A reader without a cursor has read nothing.
    let mut cursors = consumers.iter().filter(|c| c.topic == msg.topic && msg.to.contains(&c.name));
    cursors.any(|consumer| consumer.cursor >= msg.event_id)
}

/// Words that look like the path of a file.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let word =
        |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'' | '`' | '(' | ')' | '<' | '>' | '?' | '!');
    let words = text.split(word).map(|word| word.trim_end_matches(['.', ':']));
    // Bytes, since a word may begin and end with any character.
    let has_suffix = |word: &str| word.bytes().skip(1).take(word.len() - 2).any(|byte| byte == b'.');
    words.filter(move |word| word.len() > 2 && word.len() < 512 && (word.contains('/') || has_suffix(word)))
}

fn held(claim: &Claim, state: ClaimState, until_ms: Millis) -> Lock {
    Lock {
        table: LockTable::Claim,
        lock_key: Text::new(&claim.work_key),
        holder_node: claim.actor.id.clone(),
        holder_agent: claim.actor.agent.clone(),
        acquired_at_ms: Some(claim.proposed_ms),
        expires_at_ms: Some(until_ms),
        lease_id: Some(Text::new(&claim.id)),
        condition: (state == ClaimState::Conflicted).then_some(Condition::Contested),
        remark: Some(state.to_string().into()),
        ..Lock::default()
    }
}

fn message(id: i64, label: &Text, msg: &CoordMessage, acknowledged: bool) -> Message {
    let payload =
        json!({"subject": msg.subject, "body": msg.body, "refs": msg.refs, "data": msg.data, "room": msg.room.raw()});
    let payload = payload.to_string();
    let head = crate::model::text::truncate_bytes(&payload, Payload::MAX);
    Message {
        table: MessageTable::Room,
        id,
        label: Some(label.clone()),
        sender_agent: msg.from.agent.clone(),
        receiver_agent: Text::new(msg.to.first().map_or("all", String::as_str)),
        msg_type: Text::new(&msg.kind),
        payload: Payload { head: head.into(), full_len: i64::try_from(payload.chars().count()).ok() },
        thread_id: msg.thread_id.as_deref().map(Text::new),
        idempotency_key: Some(Text::new(&msg.id)),
        acknowledged,
        created_at_ms: Some(msg.at_ms),
        ..Default::default()
    }
}

fn entry(event: &Event, msg: Option<&CoordMessage>, receipt: bool) -> LogEntry {
    // The chain of receipts goes through rows that are not shown.
    let seal = if receipt { None } else { event.seal() };
    let payload = event.payload.to_string();
    let emitter = event.payload["emitted_by"].as_str().unwrap_or_default();
    LogEntry {
        table: LogTable::Events,
        id: event.id(),
        agent_id: msg.map_or_else(|| Text::new(emitter), |msg| msg.from.agent.clone()),
        operation_id: event.label(),
        kind: Text::bounded(msg.map_or(&event.kind, |msg| &msg.kind), 64),
        kind_json: crate::model::text::truncate_bytes(&payload, Payload::MAX).into(),
        description: msg.map_or_else(|| Text::new(&event.kind), |msg| Text::new(&msg.subject)),
        predecessor_hash: seal.as_ref().and_then(|seal| seal.before.clone()),
        timestamp_ms: Some(event.occurred_at_ms).filter(|at| plausible(*at)),
        seal,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
