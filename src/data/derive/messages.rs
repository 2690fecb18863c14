//! Messages: pending, claimed, lapsed, stuck, poison or acknowledged.

use std::collections::HashSet;

use strum::{Display, EnumIter, IntoStaticStr};

use super::Thresholds;
use super::sources::SourceView;
use crate::data::mesh::Mesh;
use crate::data::model::{Message, MessageTable};
use crate::text::Text;
use crate::time::Millis;

/// The state of a message, worst last but for the settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum MessageState {
    Acknowledged,
    Pending,
    Claimed,
    /// Claimed once, and the claim ran out without an acknowledgement.
    Lapsed,
    /// Unacknowledged for more than a minute.
    Stuck,
    /// Delivered five times or more.
    Poison,
}

/// One message, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageView {
    pub message: Message,
    pub source: Text,
    pub state: MessageState,
    /// On the console's clock.
    pub created_ms: Option<Millis>,
    /// On the console's clock.
    pub claim_until_ms: Option<Millis>,
    pub as_of_ms: Option<Millis>,
}

impl MessageView {
    /// How long ago it was written, in ms.
    #[must_use]
    pub fn age_ms(&self, now_ms: Millis) -> Option<Millis> {
        self.created_ms.map(|at| self.as_of_ms.unwrap_or(now_ms) - at)
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
        (true, false, _) => MessageState::Claimed,
        (_, true, _) => MessageState::Stuck,
        (false, false, Some(_)) => MessageState::Lapsed,
        (false, false, None) => MessageState::Pending,
    }
}

/// Judges every message known. One that is seen through a control plane and in its database is one.
pub(super) fn judge(mesh: &Mesh, sources: &[SourceView], now_ms: Millis, thresholds: &Thresholds) -> Vec<MessageView> {
    let mut in_databases = HashSet::new();
    for source in &mesh.sources {
        let rows = source.facts.live[MessageTable::Mesh as usize].iter().chain(source.facts.settled.iter());
        in_databases.extend(rows.filter(|m| m.table == MessageTable::Mesh).map(twin));
    }
    let mut views = Vec::new();
    for (source, view) in mesh.sources.iter().zip(sources) {
        let live = source.facts.live.iter().flat_map(|table| table.iter());
        for message in source.facts.settled.iter().chain(live) {
            if message.table == MessageTable::Inbox && in_databases.contains(&twin(message)) {
                continue;
            }
            let created_ms = message.created_at_ms.map(|ms| source.to_console(ms));
            let claim_until_ms = message.claim_until_ms.map(|ms| source.to_console(ms));
            views.push(MessageView {
                state: state(message, created_ms, claim_until_ms, view.at(now_ms), thresholds),
                message: message.clone(),
                source: source.identity.name.clone(),
                created_ms,
                claim_until_ms,
                as_of_ms: view.as_of_ms,
            });
        }
    }
    views
}

/// What a message keeps between a control plane's database and its HTTP answers.
fn twin(m: &Message) -> (i64, &str, &str, Option<Millis>) {
    (m.id, m.sender_agent.raw(), m.receiver_agent.raw(), m.created_at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::model::Payload;
    use proptest::prelude::*;

    fn message(acknowledged: bool, attempts: Option<i64>) -> Message {
        Message {
            table: MessageTable::A2a,
            id: 1,
            sender_agent: "1".into(),
            receiver_agent: "2".into(),
            msg_type: "free_form".into(),
            payload: Payload::default(),
            priority: Some(1),
            thread_id: None,
            idempotency_key: None,
            acknowledged,
            created_at_ms: Some(0),
            repository_id: "r".into(),
            claim_owner: None,
            claim_until_ms: None,
            delivery_attempts: attempts,
            last_claim_error: None,
            processed_at_ms: None,
        }
    }

    #[rstest::rstest]
    #[case(false, Some(0), None, 10_000, MessageState::Pending)]
    #[case(false, Some(1), Some(20_000), 10_000, MessageState::Claimed)]
    #[case(false, Some(1), Some(9_999), 10_000, MessageState::Lapsed)]
    #[case(false, Some(1), Some(90_000), 60_001, MessageState::Stuck)]
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
            let judged = state(&message(true, attempts), Some(0), claim, now, &Thresholds::default());
            prop_assert_eq!(judged, MessageState::Acknowledged);
        }
    }
}
