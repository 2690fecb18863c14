//! Who waits for a lock. Nothing publishes its waiters, so each one is inferred, and says from what.
//!
//! A piece of evidence belongs to a lock if both name the same resource (see [`super::resource`]) in the same
//! repository. Messages written by tools carry a path or `default` where tables carry a hash: such a vague name
//! is taken for the lock's repository only while no other repository has a lock of that name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use strum::{Display, IntoStaticStr};

use super::chain::LogView;
use super::messages::{MessageState, MessageView, RowChange};
use super::requests::{conflict, resources, sides, wants_to_share};
use super::resource::Names;
use crate::mesh::Mesh;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::{Lock, Wait};

/// One agent that waits for one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiter {
    pub agent: Text,
    /// On the console's clock.
    pub since_ms: Option<Millis>,
    pub priority: i64,
    /// Where it is known from, e.g. `resource_lock_request 41`.
    pub evidence: Arc<[Text]>,
    /// Of the strongest piece of evidence.
    pub confidence: Confidence,
    /// Orders equals.
    order: i64,
}

/// How sure it is that an agent waits, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Confidence {
    /// It deferred to another agent once.
    Low,
    /// A conflict over the resource was noticed.
    Medium,
    /// It asked for the resource, and was not answered.
    High,
    /// Whoever serves the queue says so.
    Exact,
}

impl Waiter {
    /// A waiter of normal priority.
    #[must_use]
    pub fn inferred(agent: Text, since_ms: Option<Millis>, evidence: &str) -> Self {
        let evidence = [evidence.into()].into();
        Self { agent, since_ms, priority: 1, evidence, confidence: Confidence::High, order: 0 }
    }
}

/// Waiters by resource, kept as messages and logs change.
#[derive(Debug, Default)]
pub struct Queues {
    names: Names,
    claims: HashMap<Arc<str>, Vec<Claim>, RandomState>,
    /// What each message gave, by its place.
    given: HashMap<u32, Given, RandomState>,
    /// Grants to an agent for a resource, and its own word that it needs it no more: ids of messages. The last one
    /// answers every request before it.
    answers: HashMap<(Text, Arc<str>), Vec<i64>, RandomState>,
    /// Resources that some log names in a conflict.
    logged: Vec<Arc<str>>,
    /// What sources say of waiters themselves, and the resources they name.
    exact: Vec<ExactWaits>,
}

#[derive(Debug, Clone, PartialEq)]
struct Claim {
    waiter: Waiter,
    repository_id: Text,
    /// The message it comes from: its place, and its key.
    from: Option<(u32, Arc<str>)>,
    /// The source that says so itself. Where there is neither, it comes from a log.
    stated_by: Option<usize>,
    /// It is a request, which an answer ends.
    asked: bool,
    /// It counts only if it is newer than the holder's acquisition.
    dated: bool,
    /// It would share the resource with other readers.
    shared: bool,
}

/// Waiters by the word of one source, and the resources they wait for.
type ExactWaits = (Arc<[Wait]>, Vec<Arc<str>>);

#[derive(Debug)]
struct Given {
    claims: Vec<Arc<str>>,
    answers: Vec<(Text, Arc<str>, i64)>,
}

impl Queues {
    /// No waiters yet. Resources are named so.
    #[must_use]
    pub(super) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// How resources are named.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// The name of a resource that all its spellings share.
    #[must_use]
    pub fn canonical<'a>(&self, name: &'a str) -> &'a str {
        self.names.canonical(name)
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether anybody waits for something of this name, which is canonical.
    pub(super) fn any(&self, name: &str) -> bool {
        self.claims.contains_key(name)
    }

    /// The queue for a lock: by priority, then time, then id; one entry an agent; never its holder.
    /// `alone` says that no other repository has a lock of this name.
    #[must_use]
    pub fn of(&self, lock: &Lock, acquired_ms: Option<Millis>, alone: impl FnOnce() -> bool) -> Vec<Waiter> {
        let Some((name, claims)) = self.claims.get_key_value(self.canonical(lock.lock_key.raw())) else {
            return Vec::new();
        };
        let alone = alone();
        let mut merged: BTreeMap<&Text, Waiter> = BTreeMap::new();
        for claim in claims {
            let outdated = claim.dated && acquired_ms.is_some_and(|at| claim.waiter.since_ms.is_some_and(|s| s < at));
            if claim.waiter.agent == lock.holder_agent
                || outdated
                || (lock.shared && claim.shared)
                || !same_scope(&claim.repository_id, &lock.repository_id, alone)
                || (claim.asked && self.is_answered(&claim.waiter, name))
            {
                continue;
            }
            match merged.get_mut(&claim.waiter.agent) {
                None => {
                    merged.insert(&claim.waiter.agent, claim.waiter.clone());
                }
                Some(known) => {
                    known.evidence = known.evidence.iter().chain(claim.waiter.evidence.iter()).cloned().collect();
                    known.priority = known.priority.max(claim.waiter.priority);
                    known.confidence = known.confidence.max(claim.waiter.confidence);
                    known.since_ms = match (known.since_ms, claim.waiter.since_ms) {
                        (Some(a), Some(b)) => Some(a.min(b)),
                        (a, b) => a.or(b),
                    };
                }
            }
        }
        let mut queue: Vec<Waiter> = merged.into_values().collect();
        queue.sort_by_key(|w| (-w.priority, w.since_ms.unwrap_or(Millis::MAX), w.order));
        queue
    }

    fn is_answered(&self, waiter: &Waiter, name: &Arc<str>) -> bool {
        let answers = self.answers.get(&(waiter.agent.clone(), name.clone()));
        answers.is_some_and(|ids| ids.iter().any(|id| *id > waiter.order))
    }

    /// Takes messages as they were and are. Answers the resources whose queues may have changed.
    pub(super) fn take_messages(&mut self, changes: &[RowChange<MessageView>]) -> Vec<Arc<str>> {
        let mut dirty = Vec::new();
        let acknowledged = |view: &MessageView| view.state == MessageState::Acknowledged;
        let differs = |(_, before, now): &&RowChange<MessageView>| match (before, now) {
            (Some(before), Some(now)) => {
                !Arc::ptr_eq(&before.message, &now.message)
                    || (before.created_ms, acknowledged(before)) != (now.created_ms, acknowledged(now))
            }
            _ => true,
        };
        // A message may have moved to another place: what it said there is taken back before it is said anew.
        for (place, before, _) in changes.iter().filter(differs) {
            if before.is_some() {
                self.take_back(*place, &mut dirty);
            }
        }
        for (place, _, now) in changes.iter().filter(differs) {
            if let Some(view) = now {
                self.take(*place, view, &mut dirty);
            }
        }
        dirty
    }

    fn take(&mut self, place: u32, view: &MessageView, dirty: &mut Vec<Arc<str>>) {
        let message = &view.message;
        let kind = message.msg_type.raw();
        let asks = view.state != MessageState::Acknowledged;
        let mut given = Given { claims: Vec::new(), answers: Vec::new() };
        let (payload, key): (_, Arc<str>) = (&message.payload.head, view.key().into());
        let waiter = |agent: Text, confidence| Waiter {
            agent,
            since_ms: view.created_ms,
            priority: message.priority.unwrap_or(1),
            evidence: [format!("{kind} {}", message.id).into()].into(),
            confidence,
            order: message.id,
        };
        let claim = |waiter, asked, shared| Claim {
            waiter,
            repository_id: message.repository_id.clone(),
            from: Some((place, key.clone())),
            stated_by: None,
            asked,
            dated: !asked,
            shared,
        };
        match kind {
            "resource_lock_request" | "scope_request" if asks => {
                let shared = wants_to_share(payload);
                for resource in resources(payload) {
                    let claim = claim(waiter(message.sender_agent.clone(), Confidence::High), true, shared);
                    given.claims.push(self.add(&resource, claim));
                }
            }
            "conflict_detected" if asks => {
                let sides = sides(payload);
                for resource in resources(payload) {
                    for agent in &sides {
                        let claim = claim(waiter(agent.clone(), Confidence::Medium), false, false);
                        given.claims.push(self.add(&resource, claim));
                    }
                }
            }
            "resource_lock_grant" | "scope_grant" | "cancel_request" => {
                let party = if kind == "cancel_request" { &message.sender_agent } else { &message.receiver_agent };
                for resource in resources(payload) {
                    let name: Arc<str> = self.canonical(&resource).into();
                    self.answers.entry((party.clone(), name.clone())).or_default().push(message.id);
                    given.answers.push((party.clone(), name, message.id));
                }
            }
            _ => {}
        }
        if !given.claims.is_empty() || !given.answers.is_empty() {
            dirty.extend(given.claims.iter().cloned());
            dirty.extend(given.answers.iter().map(|(_, name, _)| name.clone()));
            self.given.insert(place, given);
        }
    }

    fn take_back(&mut self, place: u32, dirty: &mut Vec<Arc<str>>) {
        let Some(given) = self.given.remove(&place) else { return };
        for name in &given.claims {
            self.drop_claims(name, |claim| claim.from.as_ref().is_some_and(|(from, _)| *from == place));
        }
        for (party, name, id) in &given.answers {
            let key = (party.clone(), name.clone());
            if let Some(ids) = self.answers.get_mut(&key) {
                if let Some(at) = ids.iter().position(|known| known == id) {
                    ids.swap_remove(at);
                }
                if ids.is_empty() {
                    self.answers.remove(&key);
                }
            }
        }
        dirty.extend(given.claims);
        dirty.extend(given.answers.into_iter().map(|(_, name, _)| name));
    }

    /// Takes the logs' conflicts. Answers the resources whose queues may have changed.
    pub(super) fn take_log(&mut self, log: &[LogView]) -> Vec<Arc<str>> {
        let mut dirty = std::mem::take(&mut self.logged);
        for name in &dirty {
            self.drop_claims(name, |claim| claim.from.is_none() && claim.stated_by.is_none());
        }
        for view in log.iter().filter(|view| view.entry.kind.raw().starts_with("Conflict")) {
            let deferred = view.entry.kind == "ConflictDeferred";
            let confidence = if deferred { Confidence::Low } else { Confidence::Medium };
            for (resource, agents) in conflict(&view.entry.kind_json, &view.entry.agent_id) {
                for agent in agents {
                    let waiter = Waiter {
                        agent,
                        since_ms: view.at_ms,
                        priority: 1,
                        evidence: [format!("{} {}", view.entry.kind, view.entry.operation_id).into()].into(),
                        confidence,
                        order: i64::MAX,
                    };
                    let repository_id = view.entry.repository_id.clone();
                    let claim = Claim {
                        waiter,
                        repository_id,
                        from: None,
                        stated_by: None,
                        asked: false,
                        dated: true,
                        shared: false,
                    };
                    let name = self.add(&resource, claim);
                    self.logged.push(name);
                }
            }
        }
        dirty.extend(self.logged.iter().cloned());
        dirty
    }

    /// Takes who waits by the word of the sources. Answers the resources whose queues may have changed.
    pub(super) fn take_waits(&mut self, mesh: &Mesh) -> Vec<Arc<str>> {
        let mut dirty = Vec::new();
        self.exact.resize_with(mesh.sources.len(), Default::default);
        for (index, source) in mesh.sources.iter().enumerate() {
            let waits = &source.facts.waits;
            if Arc::ptr_eq(&self.exact[index].0, waits) {
                continue;
            }
            for name in std::mem::take(&mut self.exact[index].1) {
                self.drop_claims(&name, |claim| claim.stated_by == Some(index));
                dirty.push(name);
            }
            let mut names = Vec::new();
            for (order, wait) in (0i64..).zip(waits.iter()) {
                let waiter = Waiter {
                    agent: wait.agent.clone(),
                    since_ms: wait.since_ms.map(|ms| source.to_console(ms)),
                    priority: wait.priority,
                    evidence: [wait.evidence.clone()].into(),
                    confidence: if wait.exact { Confidence::Exact } else { Confidence::Medium },
                    order,
                };
                let repository_id = wait.repository_id.clone();
                let claim = Claim {
                    waiter,
                    repository_id,
                    from: None,
                    stated_by: Some(index),
                    asked: false,
                    dated: false,
                    shared: false,
                };
                names.push(self.add(wait.resource.raw(), claim));
            }
            dirty.extend(names.iter().cloned());
            self.exact[index] = (waits.clone(), names);
        }
        dirty
    }

    /// Keeps the claims of a resource in one order, whichever came first: messages by id, then logs as they stand.
    fn add(&mut self, resource: &str, claim: Claim) -> Arc<str> {
        let name = self.names.canonical(resource);
        let name = self.claims.get_key_value(name).map_or_else(|| name.into(), |(name, _)| name.clone());
        let claims = self.claims.entry(name.clone()).or_default();
        let rank = |c: &Claim| (c.waiter.order, c.from.as_ref().map(|(_, key)| key.clone()));
        let at = claims.partition_point(|known| rank(known) <= rank(&claim));
        claims.insert(at, claim);
        name
    }

    fn drop_claims(&mut self, name: &Arc<str>, of: impl Fn(&Claim) -> bool) {
        if let Some(claims) = self.claims.get_mut(name) {
            claims.retain(|claim| !of(claim));
            if claims.is_empty() {
                self.claims.remove(name);
            }
        }
    }
}

/// Whether evidence belongs to a lock's repository: by the same name, or by a vague one that can mean no other.
fn same_scope(evidence: &Text, lock: &Text, alone: bool) -> bool {
    let vague = |id: &Text| id.is_empty() || *id == "default" || id.raw().contains(['/', '\\']);
    evidence == lock || (alone && (vague(evidence) || vague(lock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(from: &str, repository: &str, payload: &str) -> MessageView {
        let mut message = crate::testing::message(1, "9", "resource_lock_request", payload, 0);
        (message.sender_agent, message.repository_id) = (from.into(), repository.into());
        let (state, created_ms, message) = (MessageState::Pending, Some(1), Arc::new(message));
        MessageView { message, source: "s".into(), state, created_ms, claim_until_ms: None, as_of_ms: None }
    }

    fn queue(messages: &[MessageView], lock: &Lock, alone: bool) -> Vec<String> {
        let mut queues = Queues::new(Names::of(messages.iter().map(|view| &view.message.repository_id)));
        let changes: Vec<RowChange<MessageView>> =
            (0..).zip(messages).map(|(place, view)| (place, None, Some(Arc::new(view.clone())))).collect();
        queues.take_messages(&changes);
        queues.of(lock, Some(0), || alone).iter().map(|w| w.agent.to_string()).collect()
    }

    #[test]
    fn a_vague_repository_is_taken_for_the_locks_own_only_where_it_can_mean_no_other() {
        let lock = crate::testing::lock("file:a.rs", "n", "1", 0);
        let vague = [request("2", "default", r#"{"path":"a.rs"}"#)];
        assert_eq!(queue(&vague, &lock, true), ["2"]);
        assert!(queue(&vague, &lock, false).is_empty(), "two repositories have a lock of that name");
        let named = [request("3", lock.repository_id.raw(), r#"{"path":"a.rs"}"#)];
        assert_eq!(queue(&named, &lock, false), ["3"]);
        let other = [request("4", "0123456789abcdef", r#"{"path":"a.rs"}"#)];
        assert!(queue(&other, &lock, true).is_empty());
    }

    #[test]
    fn an_absolute_path_meets_its_relative_name_in_the_one_work_tree() {
        let mut lock = crate::testing::lock("/w/a.rs", "n", "1", 0);
        let relative = request("2", "/w", r#"{"path":"a.rs"}"#);
        assert_eq!(queue(std::slice::from_ref(&relative), &lock, true), ["2"]);
        let second = request("3", "/v", r#"{"path":"b.rs"}"#);
        assert!(queue(&[relative, second], &lock, true).is_empty(), "two work trees are known");
        lock.lock_key = "/w/a.rs".into();
        assert_eq!(queue(&[request("4", "default", r#"{"path":"/w/a.rs"}"#)], &lock, true), ["4"]);
    }

    #[test]
    fn a_reader_does_not_wait_for_readers() {
        let mut lock = crate::testing::lock("a.rs", "n", "1", 0);
        let reader = [request("2", lock.repository_id.raw(), r#"{"path":"a.rs","kind":"shared_read"}"#)];
        assert_eq!(queue(&reader, &lock, true), ["2"]);
        lock.shared = true;
        assert!(queue(&reader, &lock, true).is_empty());
    }

    #[test]
    fn a_conflict_message_names_its_sides() {
        let lock = crate::testing::lock("a.rs", "n", "1", 0);
        let mut conflict = request("9", lock.repository_id.raw(), r#"{"path":"a.rs","sides":[1,"2",3]}"#);
        Arc::make_mut(&mut conflict.message).msg_type = "conflict_detected".into();
        assert_eq!(queue(&[conflict], &lock, true), ["2", "3"], "all but the holder");
    }
}
