//! A lock directory's record, and what state it puts the lock in. Pure.

use serde_json::Value;
use strum::Display;

use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis};

/// The name of the record inside the directory.
pub const RECORD: &str = "owner.json";
/// What a lock directory's name ends in, behind the resource's.
pub const SUFFIX: &str = ".lock.d";
/// What a guard's token begins with.
pub const GUARD_TOKEN: &str = "coord-lock-reaper-token-";
/// What the name of a directory ends in that was moved aside: a lock that is being broken, a guard that is being made or
/// given back. None of them is a lock to Harn.
pub const ASIDE: &str = ".broken";
pub const STAGED: &str = ".staged";
pub const SPENT: &str = ".spent";
/// What the guard's name adds to the lock directory's.
pub const GUARD_SUFFIX: &str = ".reap.d";
/// The one schema of a record.
pub const SCHEMA: &str = "harn.coordination.dir_lock.v1";
/// A record is a few hundred bytes, and may hold a long reason; nothing beyond this is read.
pub const MOST_BYTES: u64 = 1 << 20;
/// A guard holds for so long.
pub const GUARD_TTL: Millis = MINUTE;
/// A directory without a record for so long was left by a taker that died.
pub const TAKING: Millis = 10_000;

/// A record, as far as it is used. Harn itself goes by the schema and the end alone: every other field may be of any type
/// or missing, and the lock is held all the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Any text; nothing where there is none. Harn takes over no lock without one.
    pub token: Option<String>,
    pub owner: Owner,
    pub reason: Option<String>,
    pub acquired_at_ms: Option<Millis>,
    /// Nothing where no end can be read: then it never ends.
    pub expires_at_ms: Option<Millis>,
}

/// Who took it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Owner {
    pub id: String,
    pub agent: Option<String>,
    pub session_id: Option<String>,
    pub worker_id: Option<String>,
    pub run_id: Option<String>,
}

impl Record {
    fn of(value: &Value) -> Self {
        let word = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let owner = &value["owner"];
        Self {
            token: word(&value["token"]),
            owner: Owner {
                id: word(&owner["id"]).or_else(|| word(owner).filter(|_| !owner.is_object())).unwrap_or_default(),
                agent: word(&owner["agent"]),
                session_id: word(&owner["session_id"]),
                worker_id: word(&owner["worker_id"]),
                run_id: word(&owner["run_id"]),
            },
            reason: word(&value["reason"]),
            acquired_at_ms: whole(&value["acquired_at_ms"]),
            expires_at_ms: whole(&value["expires_at_ms"]),
        }
    }
}

/// A whole number, as Harn reads one: a number or the digits of one.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let real = number.as_f64().filter(|x| x.is_finite() && x.abs() < 9.0e18)?;
            #[allow(clippy::cast_possible_truncation, reason = "it is within bounds")]
            Some(real.trunc() as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
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
    /// A record that this console cannot read, and why: others may be able to, and the lock may be in force.
    Unreadable(&'static str),
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
    Unreadable,
}

impl Found {
    /// Reads a record. `bytes` are the file's, or nothing where there is no file.
    #[must_use]
    pub fn of(bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else { return Self::Unrecorded };
        if bytes.len() as u64 > MOST_BYTES {
            return Self::Unreadable("it is larger than what is read of one");
        }
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Self::Malformed("it is no JSON") };
        if value.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
            return Self::Malformed("it is of another schema");
        }
        Self::Recorded(Box::new(Record::of(&value)))
    }

    /// The state at an instant.
    #[must_use]
    pub fn state(&self, now_ms: Millis) -> State {
        match self {
            Self::Unrecorded => State::Unrecorded,
            Self::Malformed(_) => State::Malformed,
            Self::Unreadable(_) => State::Unreadable,
            Self::Recorded(record) if record.expires_at_ms.is_some_and(|at| at <= now_ms) => State::Stale,
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

/// The lock directory that something was moved aside from, by its name: `a.lock.d` of `a.lock.d.<token>.broken`.
#[must_use]
pub fn moved_aside_from(name: &str) -> Option<&str> {
    let rest = [ASIDE, STAGED, SPENT].iter().find_map(|suffix| name.strip_suffix(suffix))?;
    let (lock, _) = rest.rsplit_once(&format!(".{GUARD_TOKEN}"))?;
    let bare = lock.strip_suffix(GUARD_SUFFIX).unwrap_or(lock);
    bare.ends_with(SUFFIX).then_some(bare)
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
    #[case(Some(r#"{"schema":"harn.coordination.dir_lock.v1","token":5}"#), State::Active)]
    #[case(Some(&*WHOLE.replace("coord-lock-token-1", "").leak()), State::Active)]
    #[case(Some(&*WHOLE.replace("\"refs\"", "\"reason\":{\"why\":\"x\"},\"refs\"").leak()), State::Active)]
    #[case(Some(&*WHOLE.replace("\"s-1\"", "7").leak()), State::Active)]
    #[case(Some(&*WHOLE.replace("20", "\"19\"").leak()), State::Stale)]
    #[case(Some(&*WHOLE.replace("20", "18.5").leak()), State::Stale)]
    #[case(Some(&*WHOLE.replace("20", "\"soon\"").leak()), State::Active)]
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
        let large = format!("{WHOLE}{}", " ".repeat(2_000_000));
        assert_eq!(Found::of(Some(large.as_bytes())).state(99), State::Unreadable, "it may be in force");
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_state(bytes in prop::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
            let state = Found::of(Some(&bytes)).state(now);
            prop_assert_eq!(state, State::Malformed);
        }
    }
}
