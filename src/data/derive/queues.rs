//! Who waits for a lock. Nothing publishes its waiters, so each one is inferred, and says from what.
//!
//! A piece of evidence belongs to a lock if both name the same resource (see [`super::resource`]) in the same
//! repository. Messages written by tools carry a path or `default` where tables carry a hash: such a vague name
//! is taken for the lock's repository only while no other repository has a lock of that name.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use strum::{Display, IntoStaticStr};

use super::chain::LogView;
use super::messages::{MessageState, MessageView};
use super::resource::Names;
use crate::data::model::Lock;
use crate::text::Text;
use crate::time::Millis;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Display, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Confidence {
    /// It deferred to another agent once.
    Low,
    /// A conflict over the resource was noticed.
    Medium,
    /// It asked for the resource, and was not answered.
    High,
}

impl Waiter {
    /// A waiter of normal priority.
    #[must_use]
    pub fn inferred(agent: Text, since_ms: Option<Millis>, evidence: &str) -> Self {
        let evidence = [evidence.into()].into();
        Self { agent, since_ms, priority: 1, evidence, confidence: Confidence::High, order: 0 }
    }
}

/// Waiters by resource.
#[derive(Debug, Default)]
pub struct Waiters {
    claims: HashMap<String, Vec<Claim>>,
    names: Names,
}

#[derive(Debug, Clone)]
struct Claim {
    waiter: Waiter,
    repository_id: Text,
    /// Log evidence counts only if it is newer than the holder's acquisition.
    from_log: bool,
    /// It would share the resource with other readers.
    shared: bool,
}

impl Waiters {
    /// The name of a resource that all its spellings share.
    #[must_use]
    pub fn canonical<'a>(&self, name: &'a str) -> &'a str {
        self.names.canonical(name)
    }

    /// Whether anybody waits for something of this lock's name.
    #[must_use]
    pub fn names_any(&self, lock: &Lock) -> bool {
        self.claims.contains_key(self.canonical(lock.lock_key.raw()))
    }

    /// The queue for a lock: by priority, then time, then id; one entry an agent; never its holder.
    /// `alone` says that no other repository has a lock of this name.
    #[must_use]
    pub fn of(&self, lock: &Lock, acquired_ms: Option<Millis>, alone: bool) -> Vec<Waiter> {
        let Some(claims) = self.claims.get(self.canonical(lock.lock_key.raw())) else { return Vec::new() };
        let mut merged: BTreeMap<&Text, Waiter> = BTreeMap::new();
        for claim in claims {
            let outdated =
                claim.from_log && acquired_ms.is_some_and(|at| claim.waiter.since_ms.is_some_and(|s| s < at));
            if claim.waiter.agent == lock.holder_agent
                || outdated
                || (lock.shared && claim.shared)
                || !same_scope(&claim.repository_id, &lock.repository_id, alone)
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
}

/// Whether evidence belongs to a lock's repository: by the same name, or by a vague one that can mean no other.
fn same_scope(evidence: &Text, lock: &Text, alone: bool) -> bool {
    let vague = |id: &Text| id.is_empty() || *id == "default" || id.raw().contains(['/', '\\']);
    evidence == lock || (alone && (vague(evidence) || vague(lock)))
}

/// Collects all evidence of waiting.
#[must_use]
pub(super) fn waiters(messages: &[MessageView], log: &[LogView], names: Names) -> Waiters {
    let mut found = Waiters { claims: HashMap::new(), names };
    let answers = last_answers(messages, &found.names);
    for view in messages.iter().filter(|m| m.state != MessageState::Acknowledged) {
        let message = &view.message;
        let kind = message.msg_type.raw();
        let waiter = |agent: Text, confidence| Waiter {
            agent,
            since_ms: view.created_ms,
            priority: message.priority.unwrap_or(1),
            evidence: [format!("{kind} {}", message.id).into()].into(),
            confidence,
            order: message.id,
        };
        let claim = |waiter, shared| Claim {
            waiter,
            repository_id: message.repository_id.clone(),
            from_log: kind == "conflict_detected",
            shared,
        };
        match kind {
            "resource_lock_request" | "scope_request" => {
                for resource in resources(&message.payload.head) {
                    let answer = answers.get(&(&message.sender_agent, found.names.canonical(&resource).to_owned()));
                    if answer.is_none_or(|&id| id <= message.id) {
                        let shared = wants_to_share(&message.payload.head);
                        let waiter = waiter(message.sender_agent.clone(), Confidence::High);
                        found.add(&resource, claim(waiter, shared));
                    }
                }
            }
            "conflict_detected" => {
                let sides = sides(&message.payload.head);
                for resource in resources(&message.payload.head) {
                    for agent in &sides {
                        found.add(&resource, claim(waiter(agent.clone(), Confidence::Medium), false));
                    }
                }
            }
            _ => {}
        }
    }
    for view in log {
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
                found.add(&resource, Claim { waiter, repository_id, from_log: true, shared: false });
            }
        }
    }
    found
}

impl Waiters {
    fn add(&mut self, resource: &str, claim: Claim) {
        let name = self.names.canonical(resource).to_owned();
        self.claims.entry(name).or_default().push(claim);
    }
}

/// The last grant to an agent for a resource, or its last word that it needs it no more: by agent and
/// resource, the message's id. It answers every request before it.
fn last_answers<'a>(messages: &'a [MessageView], names: &Names) -> HashMap<(&'a Text, String), i64> {
    let mut last = HashMap::new();
    for view in messages {
        let message = &view.message;
        let party = match message.msg_type.raw() {
            "resource_lock_grant" | "scope_grant" => &message.receiver_agent,
            "cancel_request" => &message.sender_agent,
            _ => continue,
        };
        for resource in resources(&message.payload.head) {
            let id = last.entry((party, names.canonical(&resource).to_owned())).or_insert(message.id);
            *id = message.id.max(*id);
        }
    }
    last
}

/// The resources that a request's payload names.
fn resources(payload: &str) -> Vec<String> {
    let Ok(Value::Object(map)) = serde_json::from_str(payload) else { return Vec::new() };
    let mut names: Vec<String> =
        ["resource_id", "lock_key", "path"].iter().filter_map(|k| map.get(*k)?.as_str().map(str::to_owned)).collect();
    if let Some(Value::Array(paths)) = map.get("paths") {
        names.extend(paths.iter().take(64).filter_map(|p| p.as_str().map(str::to_owned)));
    }
    names
}

/// Whether a request asks to read beside other readers.
fn wants_to_share(payload: &str) -> bool {
    let Ok(Value::Object(map)) = serde_json::from_str(payload) else { return false };
    ["kind", "mode"].iter().any(|key| map.get(*key).and_then(Value::as_str) == Some("shared_read"))
}

/// An agent's id, written as a number or as text.
fn agent_id(value: &Value) -> Option<Text> {
    value.as_i64().map(|n| Text::from(n.to_string())).or_else(|| value.as_str().map(Text::new))
}

/// The agents that a conflict message names as its sides.
fn sides(payload: &str) -> Vec<Text> {
    let Ok(Value::Object(map)) = serde_json::from_str(payload) else { return Vec::new() };
    map.get("sides").and_then(Value::as_array).into_iter().flatten().take(64).filter_map(agent_id).collect()
}

/// What a conflict in the op-log says: the resource, and the agents that do not have it.
fn conflict(kind_json: &str, logged_by: &Text) -> Vec<(String, Vec<Text>)> {
    if !kind_json.contains("Conflict") {
        return Vec::new();
    }
    let Ok(Value::Object(kind)) = serde_json::from_str::<Value>(kind_json) else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(detected) = kind.get("ConflictDetected")
        && let (Some(path), Some(sides)) = (detected["path"].as_str(), detected["sides"].as_array())
    {
        found.push((path.to_owned(), sides.iter().take(64).filter_map(agent_id).collect()));
    }
    // Whoever defers waits for the one it defers to.
    if let Some(deferred) = kind.get("ConflictDeferred")
        && let Some(path) = deferred["path"].as_str()
        && agent_id(&deferred["defer_to_agent"]).as_ref() != Some(logged_by)
    {
        found.push((path.to_owned(), vec![logged_by.clone()]));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_name_those_who_wait() {
        let detected = r#"{"ConflictDetected":{"path":"a.rs","severity":"high","sides":[1,2]}}"#;
        assert_eq!(conflict(detected, &"1".into()), [("a.rs".to_owned(), vec!["1".into(), "2".into()])]);
        let deferred = r#"{"ConflictDeferred":{"path":"a.rs","defer_to_agent":7}}"#;
        assert_eq!(conflict(deferred, &"3".into()), [("a.rs".to_owned(), vec!["3".into()])]);
        assert_eq!(conflict(deferred, &"7".into()), []);
        for odd in ["\"ConflictDetected\"", r#"{"ConflictDetected":{"sides":5}}"#, "Conflict"] {
            assert_eq!(conflict(odd, &"1".into()), [], "{odd}");
        }
    }

    #[test]
    fn requests_name_their_resources_in_every_known_field() {
        let payload = r#"{"resource_id":"a","lock_key":"b","path":"c","paths":["d",5,"e"]}"#;
        assert_eq!(resources(payload), ["a", "b", "c", "d", "e"]);
        assert_eq!(resources("not json"), Vec::<String>::new());
    }

    fn request(from: &str, repository: &str, payload: &str) -> MessageView {
        let mut message = crate::testing::message(1, "9", "resource_lock_request", payload, 0);
        (message.sender_agent, message.repository_id) = (from.into(), repository.into());
        let (state, created_ms) = (MessageState::Pending, Some(1));
        MessageView { message, source: "s".into(), state, created_ms, claim_until_ms: None, as_of_ms: None }
    }

    fn queue(messages: &[MessageView], lock: &Lock, alone: bool) -> Vec<String> {
        let waiters = waiters(messages, &[], Names::of(messages));
        waiters.of(lock, Some(0), alone).iter().map(|w| w.agent.to_string()).collect()
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
        conflict.message.msg_type = "conflict_detected".into();
        assert_eq!(queue(&[conflict], &lock, true), ["2", "3"], "all but the holder");
    }
}
