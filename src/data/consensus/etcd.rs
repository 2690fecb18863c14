//! An etcd cluster as a source: each member's status at its own endpoint; keys by one range and then by a watch; how long
//! the leases of holders have, in turns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::future::join_all;
use serde_json::json;

use super::cluster::Cluster;
use super::facts::{self, Facts, KeyFacts};
use super::gateway::{CallError, Gateway, Manner};
use super::keys::{ChangeKind, Changed, bears};
use super::layout::{Found, Layout, name};
use super::space::Space;
use super::watch::{Line, Watch};
use super::wire::TimeToLive;
use crate::config::address::Address;
use crate::config::token::Token;
use crate::data::source::{PollContext, Polling, Source};
use crate::data::tls::Tls;
use crate::model::observation::{Change, ClockSample, LogStart, Observation};
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND};
use crate::model::{Heartbeat, Left, LogEntry, LogTable, Patience};

/// Leases that one poll asks for the first time, and those that it asks for again: of many, fewer.
const NEW_LEASES: usize = 16;
const KNOWN_LEASES: usize = 8;
const KNOWN_OF_MANY: usize = 1;
/// With more leases than that, they are many, and what they have left is told this often.
const MANY_LEASES: usize = 200;
const TOLD_EVERY: Millis = 5 * SECOND;
/// A member that has not answered for longer is late, and then does not answer.
const SILENCE: Millis = 5 * SECOND;
const GRACE: Millis = 10 * SECOND;

mod members;

/// What is watched of a cluster, and as whom.
#[derive(Debug, Clone)]
pub struct EtcdConfig {
    pub endpoints: Vec<Address>,
    pub prefixes: Vec<(String, Layout)>,
    pub user: Option<(String, Token)>,
    pub tls: Tls,
}

impl EtcdConfig {
    /// Whether an endpoint is reached by `https://`.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.endpoints.iter().any(Address::is_encrypted)
    }
}

/// One cluster.
pub struct Etcd {
    config: EtcdConfig,
    gateway: Option<Arc<Gateway>>,
    cluster: Cluster,
    /// The member that answered at each endpoint last.
    at_endpoint: BTreeMap<String, u64>,
    /// Endpoints that members say of themselves, where no configured one is theirs.
    advertised: Vec<Address>,
    listed_ms: Millis,
    spaces: Vec<Space>,
    watch: Option<Watch>,
    leases: BTreeMap<i64, Lease>,
    /// Leases of holders that somebody waits for.
    waited: BTreeSet<i64>,
    /// When a member is asked for its quota, by its id.
    quotas_due: BTreeMap<u64, Millis>,
    /// Changes that were seen and not told yet.
    pending: Vec<LogEntry>,
    begun: bool,
    /// What the keys stand for, as of their last change; nothing where they changed since.
    found: Option<Vec<Found>>,
    /// The same as facts, with what the leases say; and when they were put together.
    keys: Option<Arc<KeyFacts>>,
    gathered_ms: Millis,
    published: Option<Facts>,
    /// What stood in the way of reading keys.
    trouble: Option<Text>,
    /// Bytes that came up to the last poll.
    received: u64,
    clock: fn() -> Millis,
}

/// How long a lease had when it was asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lease {
    pub left: Option<Left>,
    due_ms: Millis,
}

impl Etcd {
    /// Watches a cluster.
    #[must_use]
    pub fn new(config: EtcdConfig, clock: fn() -> Millis) -> Self {
        let spaces = config.prefixes.iter().map(|(prefix, layout)| Space::new(prefix, *layout)).collect();
        Self {
            config,
            gateway: None,
            cluster: Cluster::default(),
            at_endpoint: BTreeMap::new(),
            advertised: Vec::new(),
            listed_ms: 0,
            spaces,
            watch: None,
            leases: BTreeMap::new(),
            waited: BTreeSet::new(),
            quotas_due: BTreeMap::new(),
            pending: Vec::new(),
            begun: false,
            found: None,
            keys: None,
            gathered_ms: 0,
            published: None,
            trouble: None,
            received: 0,
            clock,
        }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let mut seen =
            Observation { clock: Some(ClockSample { offset_ms: 0, uncertainty_ms: 1 }), ..Observation::default() };
        let gateway = match &self.gateway {
            Some(gateway) => gateway.clone(),
            None => {
                let gateway =
                    Arc::new(Gateway::new(&self.config.tls, self.config.is_encrypted(), self.config.user.clone())?);
                self.gateway = Some(gateway.clone());
                gateway
            }
        };
        let before = self.cluster.id;
        let at = self.ask_members(&gateway, &mut seen).await?;
        if before != 0 && before != self.cluster.id {
            // Another cluster stands there.
            seen.changes.push(Change::Reset);
            self.forget();
        }
        let read = match at {
            Some(at) => self.follow(&gateway, &at, &mut seen).await,
            None => Err(CallError::Lost("no member has a leader".into())),
        };
        self.trouble = read.err().map(|error| match &error {
            CallError::Lost(why) => format!("keys: {why}").into(),
            other => {
                let at = self.config.endpoints.first();
                at.map(|at| format!("keys: {}", other.fault(at)).into()).unwrap_or_default()
            }
        });
        self.publish(&mut seen);
        let received = gateway.received().load(Ordering::Relaxed);
        seen.cost.bytes += received.saturating_sub(std::mem::replace(&mut self.received, received));
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    fn forget(&mut self) {
        (self.watch, self.published, self.begun) = (None, None, false);
        self.quotas_due.clear();
        self.keys_changed();
        self.leases.clear();
        self.pending.clear();
        self.spaces.iter_mut().for_each(|space| {
            space.cursor = None;
            space.keys.all.clear();
        });
    }

    /// What was made of the keys is made anew.
    fn keys_changed(&mut self) {
        (self.found, self.keys) = (None, None);
    }

    /// Brings keys up to date: what is not known yet is read, and then only what changes.
    async fn follow(&mut self, gateway: &Gateway, at: &Address, seen: &mut Observation) -> Result<(), CallError> {
        let now_ms = (self.clock)();
        if self.watch.as_ref().is_some_and(|watch| watch.at != *at) {
            self.watch = None;
        }
        self.drain(now_ms, seen);
        if self.watch.is_none() {
            self.keys_changed();
            for space in self.spaces.iter_mut().filter(|space| space.cursor.is_none()) {
                space.read(gateway, at, &mut seen.cost).await?;
            }
            let spaces: Vec<(&[u8], i64)> =
                self.spaces.iter().filter_map(|space| Some((space.prefix.as_slice(), space.cursor? + 1))).collect();
            if !spaces.is_empty() {
                self.watch = Some(Watch::open(gateway, at, &spaces).await?);
                seen.cost.round_trips += 1;
            }
        }
        self.ask_leases(gateway, at, now_ms, seen).await
    }

    /// Takes what the watch brought since the last poll.
    fn drain(&mut self, now_ms: Millis, seen: &mut Observation) {
        let Some(watch) = &mut self.watch else { return };
        let (mut ended, mut changed_any) = (None, false);
        while let Some(line) = watch.next_line() {
            let watched = match line {
                Line::Watched(watched) => watched,
                // It goes on after the last event, wherever the keys are read from next.
                Line::Ended(why) => {
                    ended = Some((why, false));
                    break;
                }
                Line::Lost => {
                    ended = Some(("a line of the watch was lost".into(), true));
                    break;
                }
            };
            if watched.canceled {
                // The stream stays open after it: history is gone, or the right to read it.
                ended = Some((Text::bounded(&watched.cancel_reason, 200), true));
                break;
            }
            if watched.created
                && self.spaces.iter().any(|space| space.cursor.is_some_and(|at| watched.header.revision < at))
            {
                ended = Some(("its revisions went back".into(), true));
                break;
            }
            for event in watched.events {
                seen.cost.rows += 1;
                changed_any = true;
                let revision = event.kv.mod_revision;
                let mut told = false;
                for space in self.spaces.iter_mut().filter(|space| space.cursor.is_some() && space.has(&event.kv.key)) {
                    space.cursor = space.cursor.max(Some(revision));
                    let changed = space.keys.apply(event.clone(), now_ms);
                    // Of all keys only those of locks are told; one that is gone is known by what stood there.
                    let stood = event.prev_kv.as_ref().unwrap_or(&event.kv);
                    let shown = space.layout != Layout::Guess || bears(&stood.key, stood.lease);
                    if let Some(changed) = changed.filter(|_| shown && !told) {
                        told = true;
                        self.pending.push(entry(&changed, now_ms, self.pending.len(), &group_of(self.cluster.id)));
                    }
                }
            }
        }
        if changed_any {
            self.keys_changed();
        }
        if let Some((why, anew)) = ended {
            tracing::info!(%why, anew, "a watch of etcd ended");
            self.watch = None;
            if anew {
                self.spaces.iter_mut().for_each(|space| space.cursor = None);
            }
        }
    }

    /// Asks how long the leases of holders have, the oldest answer first.
    async fn ask_leases(
        &mut self,
        gateway: &Gateway,
        at: &Address,
        now_ms: Millis,
        seen: &mut Observation,
    ) -> Result<(), CallError> {
        if self.found.is_none() {
            let found: Vec<Found> = self.spaces.iter().map(Space::found).collect();
            let held: BTreeSet<i64> = found.iter().flat_map(facts::leases_of).collect();
            self.waited = found.iter().flat_map(facts::waited_leases_of).collect();
            self.leases.retain(|lease, _| held.contains(lease));
            for lease in held {
                self.leases.entry(lease).or_insert(Lease { left: None, due_ms: 0 });
            }
            self.found = Some(found);
        }
        // Where somebody waits comes first, and then what was asked longest ago.
        let mut due: Vec<(bool, Millis, i64)> = self
            .leases
            .iter()
            .filter(|(_, of)| of.due_ms <= now_ms)
            .map(|(lease, of)| (!self.waited.contains(lease), of.due_ms, *lease))
            .collect();
        due.sort_unstable();
        let is_many = self.leases.len() > MANY_LEASES;
        let (mut new, mut known) = (NEW_LEASES, if is_many { KNOWN_OF_MANY } else { KNOWN_LEASES });
        due.retain(|(_, due_ms, _)| {
            let room = if *due_ms == 0 { &mut new } else { &mut known };
            let fits = *room > 0;
            *room -= usize::from(fits);
            fits
        });
        if due.is_empty() {
            return Ok(());
        }
        let manner = Manner { needs_leader: true, needs_user: true, is_patient: false, within: None };
        let bodies: Vec<_> = due.iter().map(|(.., lease)| json!({ "ID": lease.to_string() })).collect();
        let asked = bodies.iter().map(|body| gateway.post::<TimeToLive>(at, "/v3/lease/timetolive", body, manner));
        let answers = join_all(asked).await;
        seen.cost.round_trips += 1;
        // What is left of a lease is a floor as of an answer: of many locks it is told a little later.
        let pause = if is_many { TOLD_EVERY } else { 0 };
        if now_ms - self.gathered_ms >= pause {
            self.keys = None;
        }
        for ((.., lease), answer) in due.iter().zip(answers) {
            let Some(of) = self.leases.get_mut(lease) else { continue };
            let Ok(answer) = answer else {
                of.due_ms = now_ms + 5 * SECOND;
                continue;
            };
            if answer.ttl < 0 {
                // It is gone, and its keys with it: the watch tells.
                (of.left, of.due_ms) = (None, now_ms + SECOND);
                continue;
            }
            let granted_ms = answer.granted.saturating_mul(SECOND);
            of.left = Some(Left { left_ms: answer.ttl.saturating_mul(SECOND), granted_ms, at_ms: now_ms });
            of.due_ms = now_ms + (granted_ms / 4).clamp(2 * SECOND, 30 * SECOND);
        }
        Ok(())
    }

    fn publish(&mut self, seen: &mut Observation) {
        let now_ms = (self.clock)();
        let group = group_of(self.cluster.id);
        let beat = |(node_id, last, activity)| Heartbeat {
            node_id,
            last_seen_ms: Some(last),
            activity,
            repository_id: group.clone(),
            patience: Some(Patience { silence_ms: SILENCE, grace_ms: GRACE }),
            ..Heartbeat::default()
        };
        seen.changes.push(Change::Heartbeats(self.cluster.answered().map(beat).collect()));
        let mut unseen: Vec<Text> = self.spaces.iter().filter_map(|space| space.unseen.clone()).collect();
        unseen.extend(self.trouble.clone());
        let keys = self.keys.take().unwrap_or_else(|| {
            self.gathered_ms = now_ms;
            let found = self.found.get_or_insert_with(|| self.spaces.iter().map(Space::found).collect());
            Arc::new(facts::gather(&self.spaces, found, &self.leases, &self.cluster, &group))
        });
        unseen.extend(keys.unseen.iter().cloned());
        let mut problems = keys.problems.clone();
        self.cluster.problems(&group, now_ms, &mut problems);
        let (members, groups) = (self.cluster.members(&group), vec![self.cluster.group(&group)]);
        let now = Facts { keys, members, groups, problems, unseen };
        let entries = std::mem::take(&mut self.pending);
        if !self.begun || !entries.is_empty() {
            let start = if self.begun { LogStart::Continues } else { LogStart::Window };
            seen.changes.push(Change::Log(LogTable::Events, entries, start));
        }
        if !self.begun {
            seen.probe = Some(super::probe().into());
        }
        self.begun = true;
        now.tell(self.published.as_ref(), seen);
        self.keys = Some(now.keys.clone());
        self.published = Some(now);
    }
}

impl Source for Etcd {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}

/// What a cluster is called: its id, as etcdctl writes it.
#[must_use]
pub fn group_of(id: u64) -> Text {
    format!("etcd {id:x}").into()
}

/// A change as an entry of the log. etcd has no clock: when is when this console saw it.
fn entry(changed: &Changed, now_ms: Millis, nth: usize, group: &Text) -> LogEntry {
    let kind: &str = match changed.kind {
        ChangeKind::Created => "KeyCreated",
        ChangeKind::Changed => "KeyChanged",
        ChangeKind::Deleted => "KeyDeleted",
    };
    let key = name(&changed.key);
    LogEntry {
        table: LogTable::Events,
        // One revision may change several keys.
        id: (changed.revision << 12).saturating_add(i64::try_from(nth & 0xfff).unwrap_or(0)),
        agent_id: changed.who.clone().unwrap_or_default(),
        operation_id: format!("revision {}", changed.revision).into(),
        kind: kind.into(),
        kind_json: json!({ kind: { "key": key, "revision": changed.revision } }).to_string().into(),
        description: key,
        timestamp_ms: Some(now_ms),
        repository_id: group.clone(),
        ..LogEntry::default()
    }
}
