//! A lock directory's record, and what state it puts the lock in. Pure.

use serde::Deserialize;
use serde_json::Value;
use strum::Display;

use crate::text::Text;
use crate::time::{MINUTE, Millis};

/// The name of the record inside the directory.
pub const RECORD: &str = "owner.json";
/// What a lock directory's name ends in, behind the resource's.
pub const SUFFIX: &str = ".lock.d";
/// What the guard's name adds to the lock directory's.
pub const GUARD_SUFFIX: &str = ".reap.d";
/// The one schema of a record.
pub const SCHEMA: &str = "harn.coordination.dir_lock.v1";
/// A record is a few hundred bytes; nothing beyond this is read.
pub const MOST_BYTES: u64 = 64 * 1024;
/// A guard holds for so long.
pub const GUARD_TTL: Millis = MINUTE;
/// A directory without a record for so long was left by a taker that died.
pub const TAKING: Millis = 10_000;

/// A record as it stands in the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record {
    pub schema: String,
    pub token: String,
    #[serde(default)]
    pub owner: Owner,
    #[serde(default)]
    pub reason: Option<String>,
    pub acquired_at_ms: Millis,
    pub expires_at_ms: Millis,
}

/// Who took it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Owner {
    pub id: String,
    pub agent: Option<String>,
    pub session_id: Option<String>,
    pub worker_id: Option<String>,
    pub run_id: Option<String>,
}

impl Owner {
    /// The lane it stands for: named as messages name it.
    #[must_use]
    pub fn lane(&self) -> Text {
        let known = [&self.session_id, &self.worker_id, &self.run_id, &self.agent];
        let first = known.into_iter().flatten().find(|id| !id.is_empty());
        Text::new(first.unwrap_or(&self.id))
    }

    /// What it calls itself.
    #[must_use]
    pub fn agent(&self) -> Text {
        Text::new(self.agent.as_deref().filter(|agent| !agent.is_empty()).unwrap_or(&self.id))
    }
}

/// What was found in a lock directory.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// No record: it is being taken, or its taker died.
    Unrecorded,
    /// A record that is none, and what is wrong with it.
    Malformed(&'static str),
    Recorded(Box<Record>),
}

/// The state of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
#[strum(serialize_all = "lowercase")]
pub enum State {
    Active,
    Stale,
    Unrecorded,
    Malformed,
}

impl Found {
    /// Reads a record. `bytes` are the file's, or nothing where there is no file.
    #[must_use]
    pub fn of(bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else { return Self::Unrecorded };
        if bytes.len() as u64 > MOST_BYTES {
            return Self::Malformed("it is larger than any record");
        }
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Self::Malformed("it is no JSON") };
        if value.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
            return Self::Malformed("it is of another schema");
        }
        match serde_json::from_value::<Record>(value) {
            Ok(record) if record.token.is_empty() => Self::Malformed("it has no token"),
            Ok(record) => Self::Recorded(Box::new(record)),
            Err(_) => Self::Malformed("it lacks a field, or one is of another type"),
        }
    }

    /// The state at an instant.
    #[must_use]
    pub fn state(&self, now_ms: Millis) -> State {
        match self {
            Self::Unrecorded => State::Unrecorded,
            Self::Malformed(_) => State::Malformed,
            Self::Recorded(record) if record.expires_at_ms <= now_ms => State::Stale,
            Self::Recorded(_) => State::Active,
        }
    }

    /// The record, where there is one.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Recorded(record) => Some(record),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = r#"{"schema":"harn.coordination.dir_lock.v1","token":"coord-lock-token-1","acquired_at_ms":10,
        "expires_at_ms":20,"ttl_ms":10,"owner":{"id":"planner","session_id":"s-1"},"refs":[]}"#;

    #[rstest::rstest]
    #[case(None, State::Unrecorded)]
    #[case(Some(""), State::Malformed)]
    #[case(Some("{\"schema\":\"harn.coordination.dir_lock.v1\""), State::Malformed)]
    #[case(Some(r#"{"schema":"other"}"#), State::Malformed)]
    #[case(Some(r#"{"schema":"harn.coordination.dir_lock.v1","token":5}"#), State::Malformed)]
    #[case(Some(&*WHOLE.replace("coord-lock-token-1", "").leak()), State::Malformed)]
    #[case(Some(WHOLE), State::Active)]
    #[case(Some(&*WHOLE.replace("20", "19").leak()), State::Stale)]
    fn states(#[case] text: Option<&str>, #[case] expected: State) {
        assert_eq!(Found::of(text.map(str::as_bytes)).state(19), expected);
    }

    #[test]
    fn an_owner_is_named_as_messages_name_it() {
        let Found::Recorded(record) = Found::of(Some(WHOLE.as_bytes())) else { panic!("a record") };
        assert_eq!((record.owner.lane(), record.owner.agent()), ("s-1".into(), "planner".into()));
    }

    #[test]
    fn what_is_larger_than_a_record_is_not_parsed() {
        let large = format!("{WHOLE}{}", " ".repeat(70_000));
        assert_eq!(Found::of(Some(large.as_bytes())), Found::Malformed("it is larger than any record"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_state(bytes in prop::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
            let state = Found::of(Some(&bytes)).state(now);
            prop_assert_eq!(state, State::Malformed);
        }
    }
}
