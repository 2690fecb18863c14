//! From keys to what they stand for: locks with their queues, elections, barriers. Pure.

use std::collections::BTreeMap;

use super::keys::{Key, bears};
use crate::model::text::Text;

/// Bytes of a name or a value that are kept.
const MOST_TEXT: usize = 200;

/// How clients write the keys of a prefix.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::EnumIter, strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Layout {
    /// `<name>/<lease in hex>`: the oldest holds, the others wait in the order in which they came.
    Mutex,
    /// The same; the value is what a candidate proclaims.
    Election,
    /// One key a lock: who wrote it holds it.
    Single,
    /// `<name>/read/<x>` and `<name>/write/<x>`.
    Rw,
    /// `<name>/waiters/<x>` and `<name>/ready`.
    DoubleBarrier,
    /// One key a barrier: it is closed while the key stands.
    Barrier,
    /// `<scope>/leader`, with the candidates below `<scope>/members/`.
    Patroni,
    /// Not said: a mutex only where the last part of a key is the key's own lease.
    Guess,
}

/// What a prefix holds.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    pub locks: Vec<Held>,
    pub barriers: Vec<Closed>,
    /// Keys that the layout does not explain.
    pub odd: usize,
}

/// One lock: who holds it, and who waits for it, first come first.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub name: Text,
    pub layout: Layout,
    pub holders: Vec<Hold>,
    pub queue: Vec<Hold>,
    /// Readers share it.
    pub shared: bool,
    /// How that is known, where the configuration does not say so.
    pub guessed: bool,
}

/// One key of a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    pub key: Vec<u8>,
    /// Who: the value, else the lease.
    pub who: Text,
    pub create_revision: i64,
    /// 0 for a key without one: it stands until somebody deletes it.
    pub lease: i64,
}

/// One barrier that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    pub name: Text,
    pub key: Vec<u8>,
    pub create_revision: i64,
    /// Who arrived; nothing where those who wait leave no key.
    pub arrived: Option<Vec<Text>>,
    pub is_ready: bool,
}

/// What the keys of a prefix stand for.
#[must_use]
pub fn read<'a>(layout: Layout, prefix: &[u8], keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>) -> Found {
    match layout {
        Layout::Mutex | Layout::Election => queues(layout, keys, |_, _| true),
        Layout::Guess => queues(layout, keys, |last, key| bears(last, key.lease)),
        Layout::Single => singles(keys),
        Layout::Rw => read_write(keys),
        Layout::DoubleBarrier => double_barriers(keys),
        Layout::Barrier => barriers(keys),
        Layout::Patroni => patroni(prefix, keys),
    }
}

/// A key's bytes as a name.
#[must_use]
pub fn name(bytes: &[u8]) -> Text {
    Text::bounded(&String::from_utf8_lossy(bytes), MOST_TEXT)
}

fn split(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = key.iter().rposition(|byte| *byte == b'/')?;
    Some((&key[..at], &key[at + 1..]))
}

fn hold(key: &[u8], of: &Key) -> Hold {
    let who = match (&of.value, of.lease) {
        (Some(value), _) => value.clone(),
        (None, 0) => "nobody known".into(),
        (None, lease) => format!("lease {lease:x}").into(),
    };
    Hold { key: key.to_vec(), who, create_revision: of.create_revision, lease: of.lease }
}

/// Keys below each name, in the order of their creation.
fn below<'a>(
    keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>,
    fits: impl Fn(&[u8], &Key) -> bool,
) -> (BTreeMap<&'a [u8], Vec<Hold>>, usize) {
    let (mut named, mut odd): (BTreeMap<&[u8], Vec<Hold>>, usize) = Default::default();
    for (key, of) in keys {
        match split(key).filter(|(_, last)| fits(last, of)) {
            Some((name, _)) => named.entry(name).or_default().push(hold(key, of)),
            None => odd += 1,
        }
    }
    for holds in named.values_mut() {
        holds.sort_by_key(|hold| hold.create_revision);
    }
    (named, odd)
}

fn queues<'a>(
    layout: Layout,
    keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>,
    fits: impl Fn(&[u8], &Key) -> bool,
) -> Found {
    let (named, odd) = below(keys, fits);
    let guessed = layout == Layout::Guess;
    let lock = |(of, mut holds): (&[u8], Vec<Hold>)| {
        let queue = holds.split_off(1.min(holds.len()));
        let layout = if guessed { Layout::Mutex } else { layout };
        Held { name: name(of), layout, holders: holds, queue, shared: false, guessed }
    };
    // What else stands beside guessed locks is nobody's business here.
    Found { locks: named.into_iter().map(lock).collect(), odd: if guessed { 0 } else { odd }, ..Found::default() }
}

fn singles<'a>(keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>) -> Found {
    let lock = |(key, of): (&Vec<u8>, &Key)| Held {
        name: name(key),
        layout: Layout::Single,
        holders: vec![hold(key, of)],
        queue: Vec::new(),
        shared: false,
        guessed: false,
    };
    Found { locks: keys.map(lock).collect(), ..Found::default() }
}

/// Readers older than the oldest writer hold it together; a writer that is the oldest of all holds it alone.
fn read_write<'a>(keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>) -> Found {
    let mut found = Found::default();
    let mut named: BTreeMap<&[u8], Vec<(bool, Hold)>> = BTreeMap::new();
    for (key, of) in keys {
        let parts = split(key).and_then(|(above, _)| split(above));
        match parts {
            Some((lock, b"read")) => named.entry(lock).or_default().push((true, hold(key, of))),
            Some((lock, b"write")) => named.entry(lock).or_default().push((false, hold(key, of))),
            _ => found.odd += 1,
        }
    }
    for (of, mut holds) in named {
        holds.sort_by_key(|(_, hold)| hold.create_revision);
        let readers = holds.iter().take_while(|(reads, _)| *reads).count();
        let (shared, n) = if readers > 0 { (true, readers) } else { (false, 1.min(holds.len())) };
        let queue = holds.split_off(n);
        let bare = |holds: Vec<(bool, Hold)>| holds.into_iter().map(|(_, hold)| hold).collect();
        found.locks.push(Held {
            name: name(of),
            layout: Layout::Rw,
            holders: bare(holds),
            queue: bare(queue),
            shared,
            guessed: false,
        });
    }
    found
}

fn double_barriers<'a>(keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>) -> Found {
    let mut found = Found::default();
    let mut named: BTreeMap<&[u8], Closed> = BTreeMap::new();
    for (key, of) in keys {
        let (barrier, who) = match split(key) {
            Some((barrier, b"ready")) => (barrier, None),
            Some((above, _)) => match split(above) {
                Some((barrier, b"waiters")) => (barrier, Some(hold(key, of))),
                _ => {
                    found.odd += 1;
                    continue;
                }
            },
            None => {
                found.odd += 1;
                continue;
            }
        };
        let closed = named.entry(barrier).or_insert_with(|| Closed {
            name: name(barrier),
            key: barrier.to_vec(),
            create_revision: of.create_revision,
            arrived: Some(Vec::new()),
            is_ready: false,
        });
        closed.create_revision = closed.create_revision.min(of.create_revision);
        match who {
            None => closed.is_ready = true,
            Some(hold) => closed.arrived.get_or_insert_default().push(hold.who),
        }
    }
    found.barriers = named.into_values().collect();
    found
}

fn barriers<'a>(keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>) -> Found {
    let closed = |(key, of): (&Vec<u8>, &Key)| Closed {
        name: name(key),
        key: key.clone(),
        create_revision: of.create_revision,
        arrived: None,
        is_ready: false,
    };
    Found { barriers: keys.map(closed).collect(), ..Found::default() }
}

/// The leader's key of each scope; those below `members/` could lead, and wait in no order.
fn patroni<'a>(prefix: &[u8], keys: impl Iterator<Item = (&'a Vec<u8>, &'a Key)>) -> Found {
    let mut found = Found::default();
    for (key, of) in keys {
        let Some((_, b"leader")) = split(key) else { continue };
        if !key.starts_with(prefix) {
            continue;
        }
        found.locks.push(Held {
            name: name(key),
            layout: Layout::Patroni,
            holders: vec![hold(key, of)],
            queue: Vec::new(),
            shared: false,
            guessed: false,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(create_revision: i64, lease: i64, value: Option<&str>) -> Key {
        Key { value: value.map(Text::new), lease, create_revision, mod_revision: create_revision, seen_ms: None }
    }

    fn of(layout: Layout, keys: &[(&str, Key)]) -> Found {
        let keys: BTreeMap<Vec<u8>, Key> = keys.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.clone())).collect();
        read(layout, b"p/", keys.iter())
    }

    fn who(holds: &[Hold]) -> Vec<&str> {
        holds.iter().map(|hold| hold.who.raw()).collect()
    }

    #[test]
    fn the_oldest_key_holds_and_the_others_wait_in_their_order() {
        let keys = [
            ("p/deploy/a", key(9, 0xa, None)),
            ("p/deploy/b", key(3, 0xb, None)),
            ("p/deploy/c", key(5, 0xc, None)),
            ("p/other/a", key(4, 0xa, None)),
            ("noslash", key(1, 1, None)),
        ];
        let found = of(Layout::Mutex, &keys);
        assert_eq!(found.odd, 1);
        assert_eq!(found.locks.len(), 2);
        let deploy = &found.locks[0];
        assert_eq!((deploy.name.raw(), who(&deploy.holders)), ("p/deploy", vec!["lease b"]));
        assert_eq!(who(&deploy.queue), ["lease c", "lease a"]);
    }

    #[test]
    fn a_mutex_is_guessed_only_where_a_key_bears_its_own_lease() {
        let keys =
            [("p/deploy/b", key(3, 0xb, None)), ("p/config/x", key(1, 0, Some("y"))), ("p/a/b", key(2, 7, None))];
        let found = of(Layout::Guess, &keys);
        assert_eq!((found.locks.len(), found.odd), (1, 0));
        assert!(found.locks[0].guessed && found.locks[0].layout == Layout::Mutex);
    }

    #[test]
    fn readers_hold_together_until_a_writer_came() {
        let keys = [
            ("p/x/read/1", key(2, 1, None)),
            ("p/x/read/2", key(3, 2, None)),
            ("p/x/write/3", key(4, 3, None)),
            ("p/x/read/4", key(5, 4, None)),
            ("p/y/write/1", key(6, 1, None)),
            ("p/y/read/2", key(7, 2, None)),
        ];
        let found = of(Layout::Rw, &keys);
        let (x, y) = (&found.locks[0], &found.locks[1]);
        assert_eq!(
            (who(&x.holders), who(&x.queue), x.shared),
            (vec!["lease 1", "lease 2"], vec!["lease 3", "lease 4"], true)
        );
        assert_eq!((who(&y.holders), who(&y.queue), y.shared), (vec!["lease 1"], vec!["lease 2"], false));
    }

    #[test]
    fn barriers_count_who_arrived_where_that_is_written() {
        let keys =
            [("p/b/waiters/1", key(2, 1, None)), ("p/b/waiters/2", key(3, 2, None)), ("p/b/ready", key(4, 0, None))];
        let found = of(Layout::DoubleBarrier, &keys);
        assert_eq!(found.barriers[0].arrived.as_ref().map(Vec::len), Some(2));
        assert!(found.barriers[0].is_ready);
        let found = of(Layout::Barrier, &[("p/gate", key(2, 0, None))]);
        assert_eq!((found.barriers[0].name.raw(), &found.barriers[0].arrived), ("p/gate", &None));
    }

    #[test]
    fn the_leader_of_a_scope_is_who_its_key_names() {
        let keys = [
            ("p/demo/leader", key(310, 7, Some("pg1"))),
            ("p/demo/members/pg1", key(305, 7, Some("{}"))),
            ("p/demo/config", key(309, 0, Some("{}"))),
        ];
        let found = of(Layout::Patroni, &keys);
        assert_eq!(
            (found.locks.len(), found.locks[0].name.raw(), who(&found.locks[0].holders)),
            (1, "p/demo/leader", vec!["pg1"])
        );
    }
}
