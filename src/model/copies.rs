//! Copies of messages that operators delivered to other agents. A copy is known by the key that it was delivered under,
//! whoever delivered it: the key names the original and the receiver.

use crate::model::action::MessageGuard;
use crate::model::time::Millis;

const BEGIN: &str = "lockkeeper-";

/// What the keys of all copies of one original begin with.
#[must_use]
pub fn stem(original: &MessageGuard) -> String {
    format!("{BEGIN}{}-{}-", original.id, original.created_at_ms.unwrap_or(0))
}

/// The key of a copy for one agent.
#[must_use]
pub fn key(original: &MessageGuard, to: &str) -> String {
    stem(original) + to
}

/// A key without the sender and receiver that a server may keep before it.
#[must_use]
pub fn bare(key: &str) -> &str {
    key.rsplit('\u{1f}').next().unwrap_or(key)
}

/// Which message a copy is of, by its key: the original's id, and when it was written, 0 where that is not known.
#[must_use]
pub fn original_of(key: &str) -> Option<(i64, Millis)> {
    let (id, rest) = key.strip_prefix(BEGIN)?.split_once('-')?;
    let (created, _) = rest.split_once('-')?;
    Some((id.parse().ok()?, created.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MessageTable;

    #[test]
    fn a_key_names_the_original_and_the_receiver() {
        let original = MessageGuard {
            table: MessageTable::Inbox,
            id: 17,
            sender: "1".into(),
            receiver: "2".into(),
            msg_type: "t".into(),
            created_at_ms: Some(1_795_237_725_000),
            claim_owner: None,
            claim_until_ms: None,
        };
        let key = key(&original, "5");
        assert_eq!(key, "lockkeeper-17-1795237725000-5");
        assert_eq!(original_of(&key), Some((17, 1_795_237_725_000)));
        // An operator's message is no copy.
        for other in ["lockkeeper-01a1fc81c348-c3b6c611", "lockkeeper-x-1-2", "17-1-2", ""] {
            assert_eq!(original_of(other), None, "{other}");
        }
    }
}
