//! The simulated cluster: members, keys with their revisions, leases, and the story that is played with them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::super::scaled;
use crate::data::consensus::wire::encoded;
use crate::model::time::{Millis, SECOND};

/// How many members there are.
pub const MEMBERS: usize = 3;
/// The ids of the cluster and of its members.
pub const CLUSTER_ID: u64 = 0x5ca1_ab1e_0000_0001;
pub const IDS: [u64; MEMBERS] = [0x8e9e_05c5_2164_694d, 0xade5_26d2_8b1f_92f7, 0xd282_ac2c_e600_c1ce];

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    pub value: String,
    pub lease: i64,
    pub version: i64,
    pub create_revision: i64,
    pub mod_revision: i64,
}

/// A lease: what it grants, and when it was renewed last. A dead client renews nothing.
#[derive(Debug, Clone)]
pub struct Lease {
    pub granted_ms: Millis,
    pub renewed_ms: Millis,
    lives: bool,
}

/// The cluster.
pub struct Cluster {
    pub keys: BTreeMap<String, Key>,
    pub leases: BTreeMap<i64, Lease>,
    pub revision: i64,
    pub term: i64,
    pub index: i64,
    pub leader: Option<usize>,
    /// Whether a member answers.
    pub is_up: [bool; MEMBERS],
    pub urls: [String; MEMBERS],
    /// Everything that happened, a revision each.
    pub history: Vec<(i64, Vec<Value>)>,
    pub changes: broadcast::Sender<(i64, Vec<Value>)>,
    speed: f64,
    began_ms: Millis,
    played: usize,
    granted: i64,
}

/// A key as the wire has it.
#[must_use]
pub fn wire(name: &str, key: &Key, with_value: bool) -> Value {
    let mut kv = json!({
        "key": encoded(name.as_bytes()), "create_revision": key.create_revision.to_string(),
        "mod_revision": key.mod_revision.to_string(), "version": key.version.to_string(),
    });
    if key.lease != 0 {
        kv["lease"] = key.lease.to_string().into();
    }
    if with_value && !key.value.is_empty() {
        kv["value"] = encoded(key.value.as_bytes()).into();
    }
    kv
}

impl Cluster {
    /// A cluster that begins now.
    #[must_use]
    pub fn new(speed: f64, now_ms: Millis) -> Self {
        let mut cluster = Self {
            keys: BTreeMap::new(),
            leases: BTreeMap::new(),
            revision: 1,
            term: 2,
            index: 8,
            leader: Some(0),
            is_up: [true; MEMBERS],
            urls: Default::default(),
            history: Vec::new(),
            changes: broadcast::channel(256).0,
            speed,
            began_ms: now_ms,
            played: 0,
            granted: 0,
        };
        cluster.step(now_ms);
        cluster
    }

    /// Where a member says that it is.
    pub fn advertise(&mut self, member: usize, url: &str) {
        url.clone_into(&mut self.urls[member]);
    }

    fn span(&self, ms: Millis) -> Millis {
        scaled(ms, self.speed)
    }

    /// Plays on.
    pub fn step(&mut self, now_ms: Millis) {
        // When each part of the story comes, on the cluster's own clock.
        let parts = [0, 20, 60, 62, 100, 101, 180];
        let age = now_ms - self.began_ms;
        while parts.get(self.played).is_some_and(|at| age >= self.span(at * SECOND)) {
            self.play(self.played, now_ms);
            self.played += 1;
        }
        self.index += 1;
        // Without a leader nobody renews, and nothing runs out.
        if self.leader.is_none() {
            return;
        }
        for lease in self.leases.values_mut().filter(|lease| lease.lives) {
            if now_ms - lease.renewed_ms >= lease.granted_ms / 3 {
                lease.renewed_ms = now_ms;
            }
        }
        let over: Vec<i64> = self
            .leases
            .iter()
            .filter(|(_, lease)| now_ms - lease.renewed_ms >= lease.granted_ms)
            .map(|(id, _)| *id)
            .collect();
        for lease in over {
            self.revoke(lease);
        }
    }

    /// The keys that go with a lease.
    #[must_use]
    pub fn keys_of(&self, lease: i64) -> Vec<String> {
        self.keys.iter().filter(|(_, key)| key.lease == lease).map(|(name, _)| name.clone()).collect()
    }

    /// Ends a lease, and its keys with it.
    pub fn revoke(&mut self, lease: i64) {
        self.leases.remove(&lease);
        self.delete(&self.keys_of(lease));
    }

    fn play(&mut self, part: usize, now_ms: Millis) {
        match part {
            0 => self.begin(now_ms),
            // Its client died: nothing renews the lease any more.
            1 => {
                let holder = self.keys.iter().filter(|(name, _)| name.starts_with("lk/deploy/"));
                let lease = holder.min_by_key(|(_, key)| key.create_revision).map(|(_, key)| key.lease);
                if let Some(lease) = lease.and_then(|lease| self.leases.get_mut(&lease)) {
                    lease.lives = false;
                }
            }
            2 => (self.is_up[0], self.leader) = (false, None),
            3 => self.elect(1, now_ms),
            4 => (self.is_up[2], self.leader) = (false, None),
            5 => {}
            _ => {
                self.is_up = [true; MEMBERS];
                self.elect(2, now_ms);
            }
        }
    }

    fn begin(&mut self, now_ms: Millis) {
        for _ in 0..3 {
            self.ask("lk/deploy", "", 30, now_ms);
        }
        self.ask("lk/docs", "", 20, now_ms);
        for who in ["node-a", "node-b"] {
            self.ask("election/scheduler", who, 15, now_ms);
        }
        self.put("gates/freeze", "", 0);
        for who in ["build", "lint"] {
            let lease = self.grant(60, now_ms);
            self.put(&format!("barriers/release/waiters/{lease:x}"), who, lease);
        }
    }

    /// A new leader: every lease begins anew with its whole time.
    pub fn elect(&mut self, member: usize, now_ms: Millis) {
        self.leader = Some(member);
        self.term += 1;
        self.leases.values_mut().for_each(|lease| lease.renewed_ms = now_ms);
    }

    fn grant(&mut self, seconds: Millis, now_ms: Millis) -> i64 {
        self.granted += 1;
        let member = usize::try_from(self.granted).unwrap_or(0) % MEMBERS;
        let id = i64::try_from((IDS[member] & 0x7fff) << 48).unwrap_or(0) | 0x0a21_4a80_d000 | self.granted;
        let granted_ms = self.span(seconds * SECOND).max(SECOND);
        self.leases.insert(id, Lease { granted_ms, renewed_ms: now_ms, lives: true });
        id
    }

    /// Asks for a lock, or to lead: a key of its own, under a lease.
    fn ask(&mut self, name: &str, value: &str, seconds: Millis, now_ms: Millis) {
        let lease = self.grant(seconds, now_ms);
        self.put(&format!("{name}/{lease:x}"), value, lease);
    }

    fn put(&mut self, name: &str, value: &str, lease: i64) {
        self.revision += 1;
        let before = self.keys.get(name);
        let key = Key {
            value: value.to_owned(),
            lease,
            version: before.map_or(1, |key| key.version + 1),
            create_revision: before.map_or(self.revision, |key| key.create_revision),
            mod_revision: self.revision,
        };
        let event = json!({ "kv": wire(name, &key, true) });
        self.keys.insert(name.to_owned(), key);
        self.tell(vec![event]);
    }

    /// Deletes keys, in one revision.
    pub fn delete(&mut self, names: &[String]) {
        let gone: Vec<(String, Key)> = names.iter().filter_map(|name| self.keys.remove_entry(name)).collect();
        if gone.is_empty() {
            return;
        }
        self.revision += 1;
        let revision = self.revision.to_string();
        let event = |(name, key): &(String, Key)| {
            json!({ "type": "DELETE", "kv": { "key": encoded(name.as_bytes()), "mod_revision": revision },
                "prev_kv": wire(name, key, true) })
        };
        let events = gone.iter().map(event).collect();
        self.tell(events);
    }

    fn tell(&mut self, events: Vec<Value>) {
        self.index += 1;
        self.history.push((self.revision, events.clone()));
        // Nobody may be watching.
        let _ = self.changes.send((self.revision, events));
    }

    /// What is left of a lease at an instant, in whole seconds; nothing for one that is gone.
    #[must_use]
    pub fn left(&self, lease: i64, now_ms: Millis) -> Option<(Millis, Millis)> {
        let lease = self.leases.get(&lease)?;
        let left = (lease.granted_ms - (now_ms - lease.renewed_ms)).max(0);
        Some((left / SECOND, lease.granted_ms / SECOND))
    }
}
