//! Messages: pending, claimed, lapsed, stuck, poison or acknowledged.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use strum::{Display, EnumIter, IntoStaticStr};

use super::context::EvalContext;
use super::thresholds::Thresholds;
use crate::mesh::Touched;
use crate::mesh::derive::slot_map::{At, SlotMap};
use crate::mesh::derive::timer_queue::TimerQueue;
use crate::mesh::slab::SharedSlab;
use crate::model::copies;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{Message, MessageTable};

/// The state of a message, worst last but for the acknowledged.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum MessageState {
    Acknowledged,
    Pending,
    Claimed,
    /// Claimed once, and the claim ran out without an acknowledgement.
    Lapsed,
    /// Unacknowledged for more than a minute, and nobody has claimed it.
    Stuck,
    /// Delivered five times or more.
    Poison,
}

/// One message, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageView {
    pub message: Arc<Message>,
    pub source: Text,
    pub state: MessageState,
    /// On the console's clock.
    pub created_ms: Option<Millis>,
    /// On the console's clock.
    pub claim_until_ms: Option<Millis>,
    pub as_of_ms: Option<Millis>,
}

impl MessageView {
    /// Whether another result says the same of the same row.
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.message, &other.message)
            && (self.state, self.created_ms, self.claim_until_ms, self.as_of_ms)
                == (other.state, other.created_ms, other.claim_until_ms, other.as_of_ms)
    }

    /// Whether it waits in a control plane for somebody.
    #[must_use]
    pub fn waits_in_plane(&self) -> bool {
        self.state != MessageState::Acknowledged
            && matches!(self.message.table, MessageTable::Inbox | MessageTable::Mesh)
    }

    /// The message that it is a copy of, by id and instant.
    #[must_use]
    pub fn original(&self) -> Option<(i64, Millis)> {
        copies::original_of(copies::bare(self.message.idempotency_key.as_ref()?.raw()))
    }

    /// Whether it waits there and is a copy of another.
    #[must_use]
    pub fn waits_as_copy(&self) -> bool {
        self.waits_in_plane() && self.original().is_some()
    }

    /// How long ago it was written, in ms.
    #[must_use]
    pub fn age_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.created_ms.map(|at| self.as_of_ms.unwrap_or(now_ms).saturating_sub(at))
    }

    /// Whether a claim on it is in force.
    #[must_use]
    pub fn is_claimed(&self, now_ms: Millis) -> bool {
        self.claim_until_ms.is_some_and(|until| until >= self.as_of_ms.unwrap_or(now_ms))
    }

    /// A name that stays: where it was read, table and id.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}\u{1}{}\u{1}{:020}", self.source.raw(), self.message.table, self.message.id)
    }
}

/// The state of a message at an instant, its times on the same clock.
#[must_use]
pub fn state(
    message: &Message,
    created: Option<Millis>,
    claim_until: Option<Millis>,
    now: Millis,
    t: &Thresholds,
) -> MessageState {
    if message.acknowledged {
        return MessageState::Acknowledged;
    }
    if message.delivery_attempts.is_some_and(|n| n >= t.poison_attempts) {
        return MessageState::Poison;
    }
    let claimed = claim_until.is_some_and(|until| until >= now);
    let old = created.is_some_and(|at| now - at > t.stuck_ms);
    match (claimed, old, claim_until) {
        // Somebody is at it as long as the claim holds.
        (true, ..) => MessageState::Claimed,
        (false, true, _) => MessageState::Stuck,
        (false, false, Some(_)) => MessageState::Lapsed,
        (false, false, None) => MessageState::Pending,
    }
}

/// One view as it was and is.
pub(super) type RowChange<V> = (u32, Option<Arc<V>>, Option<Arc<V>>);

/// Every message known, evaluated, and kept so. One that is seen through a control plane and in its database is one.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) slab: SharedSlab<MessageView>,
    slots: SlotMap,
    timers: TimerQueue,
    /// How many rows of databases a control plane's message may be the twin of.
    in_databases: HashMap<Twin, usize, RandomState>,
    /// Messages of control planes, by what they would be twins of.
    inboxes: HashMap<Twin, Vec<(usize, u32)>, RandomState>,
}

/// What a message keeps between a control plane's database and its HTTP answers.
type Twin = (i64, Text, Text, Option<Millis>);

fn twin(m: &Message) -> Twin {
    (m.id, m.sender_agent.clone(), m.receiver_agent.clone(), m.created_at_ms)
}

impl Messages {
    /// Evaluates what was touched and what is due. Answers which results changed.
    pub(super) fn step(&mut self, context: &EvalContext<'_>, touched: &Touched) -> Vec<RowChange<MessageView>> {
        let mut dirty: Vec<(usize, u32)> = Vec::new();
        for (source, tables) in touched.sources.iter().enumerate() {
            dirty.extend(tables.messages.iter().map(|place| (source, *place)));
        }
        let mut woken = Vec::new();
        for at in &dirty {
            self.pair(context, *at, &mut woken);
        }
        let due = self.timers.due(context.now_ms);
        dirty.extend(due.iter().filter_map(|place| self.slots.row(*place)).map(|at| (at.source(), at.place)));
        dirty.extend(woken);
        dirty.sort_unstable();
        dirty.dedup();
        dirty.into_iter().filter_map(|at| self.evaluate(context, at)).collect()
    }

    /// Keeps count of rows that stand for a control plane's message; those whose twin came or went are woken.
    fn pair(&mut self, context: &EvalContext<'_>, at: (usize, u32), woken: &mut Vec<(usize, u32)>) {
        let home = self.slots.of(At::new(at.0, 0, at.1));
        let before = home.and_then(|home| self.slab.get(home as usize)).map(|view| &view.message);
        let now = context.tables[at.0].messages.at(at.1);
        let before = before.filter(|m| m.table == MessageTable::Mesh).map(|m| twin(m));
        let after = now.filter(|m| m.table == MessageTable::Mesh).map(|m| twin(m));
        if before != after {
            if let Some(twin) = before {
                if let Some(n) = self.in_databases.get_mut(&twin) {
                    *n -= 1;
                    if *n == 0 {
                        self.in_databases.remove(&twin);
                    }
                }
                woken.extend(self.inboxes.get(&twin).into_iter().flatten());
            }
            if let Some(twin) = after {
                woken.extend(self.inboxes.get(&twin).into_iter().flatten());
                *self.in_databases.entry(twin).or_default() += 1;
            }
        }
        if let Some(message) = now.filter(|m| m.table == MessageTable::Inbox) {
            let places = self.inboxes.entry(twin(message)).or_default();
            if !places.contains(&at) {
                places.push(at);
            }
        }
        if self.inboxes.len() > 2 * MOST_INBOX {
            self.inboxes.retain(|_, places| places.iter().any(|(s, p)| context.tables[*s].messages.at(*p).is_some()));
        }
    }

    fn evaluate(&mut self, context: &EvalContext<'_>, at: (usize, u32)) -> Option<RowChange<MessageView>> {
        let (source, view) = (&context.mesh.sources[at.0], &context.sources[at.0]);
        let row = context.tables[at.0].messages.at(at.1);
        let row = row.filter(|m| m.table != MessageTable::Inbox || !self.in_databases.contains_key(&twin(m)));
        let home = self.slots.of(At::new(at.0, 0, at.1));
        let before = home.and_then(|home| self.slab.get(home as usize).cloned());
        let Some(message) = row else {
            let home = home?;
            self.slots.leave(At::new(at.0, 0, at.1));
            self.slab.put(home as usize, None);
            return Some((home, before, None));
        };
        let created_ms = message.created_at_ms.map(|ms| source.to_console(ms));
        let claim_until_ms = message.claim_until_ms.map(|ms| source.to_console(ms));
        let now_ms = view.at(context.now_ms);
        let evaluated = MessageView {
            state: state(message, created_ms, claim_until_ms, now_ms, context.thresholds),
            message: message.clone(),
            source: source.identity.name.clone(),
            created_ms,
            claim_until_ms,
            as_of_ms: view.as_of_ms,
        };
        let home = home.unwrap_or_else(|| self.slots.enter(At::new(at.0, 0, at.1)));
        if view.as_of_ms.is_none() && !message.acknowledged {
            let stuck = created_ms.map(|at| at + context.thresholds.stuck_ms + 1);
            self.timers.note(home, context.now_ms, stuck.into_iter().chain(claim_until_ms.map(|until| until + 1)));
        }
        if before.as_ref().is_some_and(|before| before.same(&evaluated)) {
            return None;
        }
        let evaluated = Arc::new(evaluated);
        self.slab.put(home as usize, Some(evaluated.clone()));
        Some((home, before, Some(evaluated)))
    }
}

/// Inbox messages whose twins are remembered, beyond those that are there.
const MOST_INBOX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(acknowledged: bool, attempts: Option<i64>) -> Message {
        Message {
            table: MessageTable::A2a,
            id: 1,
            sender_agent: "1".into(),
            receiver_agent: "2".into(),
            msg_type: "free_form".into(),
            priority: Some(1),
            acknowledged,
            created_at_ms: Some(0),
            repository_id: "r".into(),
            delivery_attempts: attempts,
            ..Default::default()
        }
    }

    #[rstest::rstest]
    #[case(false, Some(0), None, 10_000, MessageState::Pending)]
    #[case(false, Some(1), Some(20_000), 10_000, MessageState::Claimed)]
    #[case(false, Some(1), Some(9_999), 10_000, MessageState::Lapsed)]
    #[case(false, Some(1), Some(90_000), 60_001, MessageState::Claimed)]
    #[case(false, Some(1), Some(60_000), 60_001, MessageState::Stuck)]
    #[case(false, None, None, 60_000, MessageState::Pending)]
    #[case(false, Some(5), Some(20_000), 10_000, MessageState::Poison)]
    #[case(true, Some(9), None, 90_000, MessageState::Acknowledged)]
    fn states(
        #[case] acked: bool,
        #[case] attempts: Option<i64>,
        #[case] claim: Option<Millis>,
        #[case] now: Millis,
        #[case] expected: MessageState,
    ) {
        assert_eq!(state(&message(acked, attempts), Some(0), claim, now, &Thresholds::default()), expected);
    }

    proptest! {
        #[test]
        fn an_acknowledged_message_is_never_a_worry(attempts in prop::option::of(any::<i64>()), claim in prop::option::of(any::<i64>()), now in 0i64..i64::MAX / 2) {
            let evaluated = state(&message(true, attempts), Some(0), claim, now, &Thresholds::default());
            prop_assert_eq!(evaluated, MessageState::Acknowledged);
        }
    }
}
