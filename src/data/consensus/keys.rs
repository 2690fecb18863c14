//! The keys of a prefix as they are now: read once, then changed by what the watch tells. Pure.

use std::collections::BTreeMap;

use super::wire::{Event, Kv};
use crate::model::text::Text;
use crate::model::time::Millis;

/// Bytes of a value that are kept: names are short, and nothing else is wanted.
const MOST_VALUE: usize = 200;

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its value as text; nothing where it is empty. A value that is no text is written in hex.
    pub value: Option<Text>,
    pub lease: i64,
    pub create_revision: i64,
    pub mod_revision: i64,
    /// When this console saw it created; nothing where it was there before.
    pub seen_ms: Option<Millis>,
}

/// A change that was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    pub key: Vec<u8>,
    pub revision: i64,
    pub kind: ChangeKind,
    pub who: Option<Text>,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum ChangeKind {
    Created,
    Changed,
    Deleted,
}

/// Which values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Values {
    #[default]
    None,
    /// Of keys that bear their own lease, and of no others: whatever else stands there is nobody's business.
    OfLeases,
    All,
}

impl Values {
    fn has(self, kv: &Kv) -> bool {
        match self {
            Self::None => false,
            Self::OfLeases => bears(&kv.key, kv.lease),
            Self::All => true,
        }
    }
}

/// Whether the last part of a key is its own lease.
#[must_use]
pub fn bears(key: &[u8], lease: i64) -> bool {
    lease != 0 && key.rsplit(|byte| *byte == b'/').next() == Some(format!("{lease:x}").as_bytes())
}

/// All keys of a prefix.
#[derive(Debug, Default)]
pub struct Keys {
    pub all: BTreeMap<Vec<u8>, Key>,
    /// Which values are wanted.
    pub values: Values,
}

impl Keys {
    /// Takes the keys of a range, in place of what was known.
    pub fn replace(&mut self, kvs: Vec<Kv>) {
        let values = self.values;
        self.all = kvs.into_iter().map(|kv| (kv.key.clone(), key_of(kv, values, None))).collect();
    }

    /// Takes an event; one that is no news is none.
    pub fn apply(&mut self, event: Event, now_ms: Millis) -> Option<Changed> {
        let before = self.all.get(&event.kv.key);
        let revision = event.kv.mod_revision;
        if before.is_some_and(|before| before.mod_revision >= revision) {
            return None;
        }
        if event.kind == "DELETE" {
            let gone = self.all.remove(&event.kv.key)?;
            return Some(Changed { key: event.kv.key, revision, kind: ChangeKind::Deleted, who: gone.value });
        }
        let same_life = before.filter(|before| before.create_revision == event.kv.create_revision);
        let kind = if same_life.is_some() { ChangeKind::Changed } else { ChangeKind::Created };
        let seen_ms = match same_life {
            Some(before) => before.seen_ms,
            None => Some(now_ms),
        };
        let name = event.kv.key.clone();
        let key = key_of(event.kv, self.values, seen_ms);
        let who = key.value.clone();
        self.all.insert(name.clone(), key);
        Some(Changed { key: name, revision, kind, who })
    }
}

fn key_of(kv: Kv, values: Values, seen_ms: Option<Millis>) -> Key {
    let value = (values.has(&kv) && !kv.value.is_empty()).then(|| match std::str::from_utf8(&kv.value) {
        Ok(text) => Text::bounded(text, MOST_VALUE),
        Err(_) => kv.value.iter().take(32).fold(String::new(), |text, byte| format!("{text}{byte:02x}")).into(),
    });
    Key { value, lease: kv.lease, create_revision: kv.create_revision, mod_revision: kv.mod_revision, seen_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(key: &str, create: i64, modified: i64) -> Kv {
        Kv {
            key: key.into(),
            create_revision: create,
            mod_revision: modified,
            lease: 7,
            value: b"me".into(),
            version: 1,
        }
    }

    fn put(key: &str, create: i64, modified: i64) -> Event {
        Event { kv: kv(key, create, modified), ..Event::default() }
    }

    fn delete(key: &str, modified: i64) -> Event {
        let kv = Kv { key: key.into(), mod_revision: modified, ..Kv::default() };
        Event { kind: "DELETE".into(), kv, prev_kv: None }
    }

    #[test]
    fn a_key_that_is_taken_again_is_another_life_and_nothing_counts_twice() {
        let mut keys = Keys { values: Values::All, ..Keys::default() };
        keys.replace(vec![kv("a", 2, 2)]);
        assert_eq!(keys.all[&b"a".to_vec()].seen_ms, None, "since when is not known");
        assert_eq!(keys.apply(put("a", 2, 2), 10), None, "it was read already");
        assert_eq!(keys.apply(put("a", 2, 3), 10).unwrap().kind, ChangeKind::Changed);
        assert_eq!(keys.all[&b"a".to_vec()].seen_ms, None);
        assert_eq!(keys.apply(delete("a", 4), 20).unwrap().kind, ChangeKind::Deleted);
        assert_eq!(keys.apply(delete("a", 4), 20), None);
        assert_eq!(keys.apply(put("a", 5, 5), 30).unwrap().kind, ChangeKind::Created);
        assert_eq!(keys.all[&b"a".to_vec()].seen_ms, Some(30));
        assert_eq!(keys.all[&b"a".to_vec()].value.as_ref().unwrap().raw(), "me");
    }

    #[test]
    fn values_that_are_not_wanted_are_not_kept() {
        let mut keys = Keys::default();
        keys.replace(vec![kv("a", 2, 2)]);
        keys.apply(put("b", 3, 3), 10);
        assert!(keys.all.values().all(|key| key.value.is_none()));
        let mut keys = Keys { values: Values::OfLeases, ..Keys::default() };
        keys.replace(vec![kv("lk/7", 2, 2), kv("config/7a", 2, 2)]);
        let kept: Vec<bool> = keys.all.values().map(|key| key.value.is_some()).collect();
        assert_eq!(kept, [false, true], "the value of what is no lock is not kept");
    }
}
