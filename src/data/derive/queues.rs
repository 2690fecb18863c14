//! Who waits for a lock. Nothing publishes its waiters, so each one is inferred, and says from what.

use std::collections::BTreeMap;
use std::collections::HashMap;

use serde_json::Value;

use super::chain::LogView;
use super::messages::{MessageState, MessageView};
use super::resource::canonical;
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
    pub evidence: Vec<Text>,
    /// Orders equals.
    order: i64,
}

#[cfg(test)]
impl Waiter {
    /// A waiter of normal priority.
    pub fn inferred(agent: Text, since_ms: Option<Millis>, evidence: &str) -> Self {
        Self { agent, since_ms, priority: 1, evidence: vec![evidence.into()], order: 0 }
    }
}

/// Waiters by resource.
#[derive(Debug, Default)]
pub struct Waiters(HashMap<String, Vec<Claim>>);

#[derive(Debug, Clone)]
struct Claim {
    waiter: Waiter,
    repository_id: Text,
    /// Log evidence counts only if it is newer than the holder's acquisition.
    from_log: bool,
}

impl Waiters {
    /// The queue for a lock: by priority, then time, then id; one entry an agent; never its holder.
    #[must_use]
    pub fn of(&self, lock: &Lock, acquired_ms: Option<Millis>) -> Vec<Waiter> {
        let Some(claims) = self.0.get(canonical(lock.lock_key.raw())) else { return Vec::new() };
        let mut merged: BTreeMap<&Text, Waiter> = BTreeMap::new();
        for claim in claims {
            let outdated =
                claim.from_log && acquired_ms.is_some_and(|at| claim.waiter.since_ms.is_some_and(|s| s < at));
            if claim.waiter.agent == lock.holder_agent
                || outdated
                || !same_scope(&claim.repository_id, &lock.repository_id)
            {
                continue;
            }
            match merged.get_mut(&claim.waiter.agent) {
                None => {
                    merged.insert(&claim.waiter.agent, claim.waiter.clone());
                }
                Some(known) => {
                    known.evidence.extend(claim.waiter.evidence.iter().cloned());
                    known.priority = known.priority.max(claim.waiter.priority);
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

/// Whether two repository names may mean the same one. Messages written by tools carry a path or
/// `default` where the tables carry a hash, so only two hashes, or two equal names, can differ for sure.
fn same_scope(a: &Text, b: &Text) -> bool {
    let vague = |id: &Text| id.is_empty() || *id == "default" || id.raw().contains('/');
    a == b || vague(a) || vague(b)
}

/// Collects all evidence of waiting.
#[must_use]
pub(super) fn waiters(messages: &[MessageView], log: &[LogView]) -> Waiters {
    let mut found = Waiters::default();
    let answers = last_answers(messages);
    for view in messages.iter().filter(|m| m.state != MessageState::Acknowledged) {
        let message = &view.message;
        let kind = message.msg_type.raw();
        if !matches!(kind, "resource_lock_request" | "scope_request") {
            continue;
        }
        for resource in resources(&message.payload.head) {
            let answer = answers.get(&(&message.sender_agent, canonical(&resource).to_owned()));
            if answer.is_some_and(|&id| id > message.id) {
                continue;
            }
            found.add(
                &resource,
                Claim {
                    waiter: Waiter {
                        agent: message.sender_agent.clone(),
                        since_ms: view.created_ms,
                        priority: message.priority.unwrap_or(1),
                        evidence: vec![format!("{kind} {}", message.id).into()],
                        order: message.id,
                    },
                    repository_id: message.repository_id.clone(),
                    from_log: false,
                },
            );
        }
    }
    for view in log {
        for (resource, agents) in conflict(&view.entry.kind_json, &view.entry.agent_id) {
            for agent in agents {
                found.add(
                    &resource,
                    Claim {
                        waiter: Waiter {
                            agent,
                            since_ms: view.at_ms,
                            priority: 1,
                            evidence: vec![format!("{} {}", view.entry.kind, view.entry.operation_id).into()],
                            order: i64::MAX,
                        },
                        repository_id: view.entry.repository_id.clone(),
                        from_log: true,
                    },
                );
            }
        }
    }
    found
}

impl Waiters {
    fn add(&mut self, resource: &str, claim: Claim) {
        self.0.entry(canonical(resource).to_owned()).or_default().push(claim);
    }
}

/// The last grant to an agent for a resource, or its last word that it needs it no more: by agent and
/// resource, the message's id. It answers every request before it.
fn last_answers(messages: &[MessageView]) -> HashMap<(&Text, String), i64> {
    let mut last = HashMap::new();
    for view in messages {
        let message = &view.message;
        let party = match message.msg_type.raw() {
            "resource_lock_grant" | "scope_grant" => &message.receiver_agent,
            "cancel_request" => &message.sender_agent,
            _ => continue,
        };
        for resource in resources(&message.payload.head) {
            let id = last.entry((party, canonical(&resource).to_owned())).or_insert(message.id);
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

/// What a conflict in the op-log says: the resource, and the agents that do not have it.
fn conflict(kind_json: &str, logged_by: &Text) -> Vec<(String, Vec<Text>)> {
    if !kind_json.contains("Conflict") {
        return Vec::new();
    }
    let Ok(Value::Object(kind)) = serde_json::from_str::<Value>(kind_json) else { return Vec::new() };
    let agent = |v: &Value| v.as_i64().map(|n| Text::from(n.to_string())).or_else(|| v.as_str().map(Text::new));
    let mut found = Vec::new();
    if let Some(detected) = kind.get("ConflictDetected")
        && let (Some(path), Some(sides)) = (detected["path"].as_str(), detected["sides"].as_array())
    {
        found.push((path.to_owned(), sides.iter().take(64).filter_map(agent).collect()));
    }
    // Whoever defers waits for the one it defers to.
    if let Some(deferred) = kind.get("ConflictDeferred")
        && let Some(path) = deferred["path"].as_str()
        && agent(&deferred["defer_to_agent"]).as_ref() != Some(logged_by)
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
}
