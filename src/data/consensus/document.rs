//! `consensus-snapshot/v1`: what any Raft-like system may publish of itself, as one JSON document. Pure.
//!
//! A field that is missing is unknown, never zero. Fields that are not known are ignored.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::member::{Barrier, Member, MemberRole, Proposal};
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND, plausible};
use crate::model::{Condition, Heartbeat, Lock, LockTable, LogEntry, LogTable, Patience, Wait};

/// The name and version of the form.
pub const SCHEMA: &str = "consensus-snapshot/v1";
/// Bytes of a document that are read at most.
pub const MOST_BYTES: u64 = 4 << 20;
/// Said of every group that is known from a document.
pub const BADGE: &str = "contract: upstream ships no runtime";
/// A node that was not heard for longer is late, and then does not answer.
const SILENCE: Millis = 10 * SECOND;

/// One document.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Document {
    pub schema: String,
    pub system: String,
    pub cluster_id: String,
    /// All comparisons begin anew with another one.
    pub incarnation: String,
    #[serde(deserialize_with = "number")]
    pub seq: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub observed_at_ms: Option<Millis>,
    pub written_by: Option<String>,
    pub limits: Limits,
    pub nodes: Vec<Node>,
    pub locks: Vec<DocumentLock>,
    pub barriers: Vec<DocumentBarrier>,
    pub proposals: Vec<DocumentProposal>,
    pub log: Vec<DocumentEntry>,
}

/// What its system allows.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Limits {
    #[serde(deserialize_with = "number")]
    pub cluster_max: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub election_max_ms: Option<Millis>,
    #[serde(deserialize_with = "number")]
    pub lease_ms: Option<Millis>,
    #[serde(deserialize_with = "number")]
    pub locks_max: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub queue_max: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub barriers_max: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub barrier_timeout_ms: Option<Millis>,
    #[serde(deserialize_with = "number")]
    pub log_max: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub proposals_max: Option<i64>,
}

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Node {
    pub node_id: String,
    pub role: Option<String>,
    #[serde(deserialize_with = "number")]
    pub current_term: Option<i64>,
    pub voted_for: Option<String>,
    pub leader_id: Option<String>,
    #[serde(deserialize_with = "number")]
    pub commit_index: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub last_applied: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub snapshot_index: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub log_length: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub cluster_size: Option<i64>,
    pub voter: Option<bool>,
    #[serde(deserialize_with = "number")]
    pub heard_at_ms: Option<Millis>,
}

/// One lock.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DocumentLock {
    pub lock_id: String,
    pub state: Option<String>,
    pub holder: Option<String>,
    pub node_id: Option<String>,
    #[serde(deserialize_with = "number")]
    pub fence_token: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub acquired_at_ms: Option<Millis>,
    #[serde(deserialize_with = "number")]
    pub expires_at_ms: Option<Millis>,
    #[serde(deserialize_with = "number")]
    pub reentry: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub queue_length: Option<i64>,
    pub queue: Vec<Queued>,
}

/// One who waits.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Queued {
    pub agent_id: String,
    #[serde(deserialize_with = "number")]
    pub since_at_ms: Option<Millis>,
}

/// One barrier.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DocumentBarrier {
    pub barrier_id: String,
    pub kind: Option<String>,
    pub state: Option<String>,
    #[serde(deserialize_with = "number")]
    pub expected: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub threshold: Option<i64>,
    pub arrived: Option<Vec<String>>,
    #[serde(deserialize_with = "number")]
    pub created_at_ms: Option<Millis>,
    #[serde(deserialize_with = "number")]
    pub timeout_ms: Option<Millis>,
    pub next: Option<String>,
}

/// One proposal.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DocumentProposal {
    pub proposal_id: String,
    pub node_id: Option<String>,
    #[serde(deserialize_with = "number")]
    pub term: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub index: Option<i64>,
    pub kind: Option<String>,
    pub status: Option<String>,
    #[serde(deserialize_with = "number")]
    pub acks: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub submitted_at_ms: Option<Millis>,
}

/// One entry of the log.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DocumentEntry {
    #[serde(deserialize_with = "number")]
    pub index: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub term: Option<i64>,
    pub kind: Option<String>,
    #[serde(deserialize_with = "number")]
    pub at_ms: Option<Millis>,
    pub text: Option<String>,
}

/// Takes every null away: it says no more than a field that is missing.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, of| !of.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => {
            items.retain(|of| !of.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

impl Document {
    /// Reads a document; says why it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut value: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        drop_nulls(&mut value);
        let document = Self::deserialize(value).map_err(|e| e.to_string())?;
        if document.schema == SCHEMA {
            Ok(document)
        } else {
            Err(format!("its schema is \"{}\"", Text::bounded(&document.schema, 60)))
        }
    }

    /// What its group is called.
    #[must_use]
    pub fn group(&self) -> Text {
        let system = if self.system.is_empty() { "group" } else { &self.system };
        Text::bounded(format!("{system} {}", self.cluster_id).trim(), 80)
    }

    /// Its nodes, by what was heard of them.
    #[must_use]
    pub fn heartbeats(&self) -> Vec<Heartbeat> {
        let beat = |node: &Node| {
            let writes = self.written_by.as_ref() == Some(&node.node_id);
            let heard = if writes { self.observed_at_ms } else { node.heard_at_ms };
            Heartbeat {
                node_id: name(&node.node_id),
                last_seen_ms: heard.filter(|at| plausible(*at)),
                activity: node.role.as_deref().map(name).unwrap_or_default(),
                repository_id: self.group(),
                patience: Some(Patience { silence_ms: SILENCE, grace_ms: SILENCE }),
                ..Heartbeat::default()
            }
        };
        self.nodes.iter().map(beat).collect()
    }

    /// Its members.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let member = |node: &Node| {
            let raw = node.role.as_deref().unwrap_or("unknown");
            let role = raw.parse::<MemberRole>().ok();
            let odd = if role.is_none() { format!("role {}, ", name(raw)) } else { String::new() };
            Member {
                group: self.group(),
                name: name(&node.node_id),
                id: name(&node.node_id),
                role,
                term: node.current_term,
                leader: node.leader_id.as_deref().map(name),
                voted_for: node.voted_for.as_deref().map(name),
                is_voter: node.voter.unwrap_or(true),
                answers: None,
                committed: node.commit_index,
                applied: node.last_applied,
                last: node.last_index(),
                since_ms: None,
                is_since_floor: false,
                alarms: Vec::new(),
                remark: format!("{odd}{BADGE}").into(),
            }
        };
        self.nodes.iter().map(member).collect()
    }

    /// What is held.
    #[must_use]
    pub fn locks(&self) -> Vec<Lock> {
        let free = |lock: &&DocumentLock| !matches!(lock.state.as_deref(), Some("unlocked" | "released"));
        let held = |lock: &DocumentLock| {
            let shown = i64::try_from(lock.queue.len()).unwrap_or(i64::MAX);
            let cut = lock.queue_length.filter(|n| *n > shown).map(|n| format!("{n} wait, {shown} of them are named"));
            let reentry = lock.reentry.filter(|n| *n > 1).map(|n| format!("taken {n} times by its holder"));
            let remark: Vec<String> = [cut, reentry].into_iter().flatten().collect();
            Lock {
                table: LockTable::Queue,
                lock_key: name(&lock.lock_id),
                repository_id: self.group(),
                holder_node: lock.node_id.as_deref().map(name).unwrap_or_default(),
                holder_agent: lock.holder.as_deref().map(name).unwrap_or_default(),
                fence_token: lock.fence_token,
                acquired_at_ms: lock.acquired_at_ms.filter(|at| plausible(*at)),
                expires_at_ms: lock.expires_at_ms.filter(|at| plausible(*at)),
                condition: lock.holder.is_none().then_some(Condition::Unrecorded),
                remark: (!remark.is_empty()).then(|| remark.join("; ").into()),
                ..Lock::default()
            }
        };
        self.locks.iter().filter(free).map(held).collect()
    }

    /// Who waits, in the order of service.
    #[must_use]
    pub fn waits(&self) -> Vec<Wait> {
        let of_lock = |lock: &DocumentLock| {
            let resource = name(&lock.lock_id);
            let one = move |(place, queued): (usize, &Queued)| Wait {
                resource: resource.clone(),
                repository_id: self.group(),
                agent: name(&queued.agent_id),
                since_ms: queued.since_at_ms.filter(|at| plausible(*at)),
                priority: -i64::try_from(place).unwrap_or(i64::MAX),
                evidence: format!("place {} in its queue", place + 1).into(),
                exact: true,
            };
            lock.queue.iter().enumerate().map(one).collect::<Vec<_>>()
        };
        self.locks.iter().flat_map(of_lock).collect()
    }

    /// Its barriers.
    #[must_use]
    pub fn barriers(&self) -> Vec<Barrier> {
        let barrier = |of: &DocumentBarrier| Barrier {
            group: self.group(),
            name: name(&of.barrier_id),
            repository_id: self.group(),
            kind: of.kind.as_deref().map(name).unwrap_or_default(),
            state: of.state.as_deref().and_then(|state| state.replace('_', "-").parse().ok()),
            expected: of.expected,
            threshold: of.threshold,
            arrived: of.arrived.as_ref().map(|all| all.iter().map(|who| name(who)).collect()),
            created_ms: of.created_at_ms.filter(|at| plausible(*at)),
            timeout_ms: of.timeout_ms.or(self.limits.barrier_timeout_ms),
            remark: of.next.as_deref().map(|next| format!("then {}", name(next)).into()).unwrap_or_default(),
            fence_token: None,
        };
        self.barriers.iter().map(barrier).collect()
    }

    /// Its proposals.
    #[must_use]
    pub fn proposals(&self) -> Vec<Proposal> {
        let proposal = |of: &DocumentProposal| Proposal {
            group: self.group(),
            name: name(&of.proposal_id),
            node: of.node_id.as_deref().map(name).unwrap_or_default(),
            kind: of.kind.as_deref().map(name).unwrap_or_default(),
            status: of.status.as_deref().map(name).unwrap_or_default(),
            term: of.term,
            index: of.index,
            acks: of.acks,
            submitted_ms: of.submitted_at_ms.filter(|at| plausible(*at)),
        };
        self.proposals.iter().map(proposal).collect()
    }

    /// Entries of its log after an index, oldest first.
    #[must_use]
    pub fn entries_after(&self, index: i64) -> Vec<LogEntry> {
        let entry = |of: &DocumentEntry| {
            let at = of.index.filter(|at| *at > index)?;
            let kind = of.kind.as_deref().map_or_else(|| "entry".into(), name);
            Some(LogEntry {
                table: LogTable::Events,
                id: at,
                agent_id: self.group(),
                operation_id: format!("index {at}").into(),
                kind_json: serde_json::json!({ kind.raw(): { "index": at, "term": of.term } }).to_string().into(),
                kind,
                description: of.text.as_deref().map(|text| Text::bounded(text, 300)).unwrap_or_default(),
                timestamp_ms: of.at_ms.filter(|at| plausible(*at)),
                repository_id: self.group(),
                ..LogEntry::default()
            })
        };
        let mut entries: Vec<LogEntry> = self.log.iter().filter_map(entry).collect();
        entries.sort_by_key(|entry| entry.id);
        entries
    }
}

impl Node {
    /// The last entry of its log; unknown where its snapshot does not say where it ends.
    #[must_use]
    pub fn last_index(&self) -> Option<i64> {
        self.snapshot_index.zip(self.log_length).map(|(snapshot, length)| snapshot.saturating_add(length))
    }
}

/// A name of a document.
#[must_use]
pub fn name(text: &str) -> Text {
    Text::bounded(text, 200)
}

/// A number, or a string of one; anything else is unknown.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(from)?;
    Ok(match value {
        Some(serde_json::Value::Number(number)) => number.as_i64(),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A document with everything in it.
    pub const WHOLE: &str = r#"{"schema":"consensus-snapshot/v1","system":"trinity","cluster_id":"c1","incarnation":"b7","seq":1042,
        "observed_at_ms":1795644000000,"written_by":"n1",
        "limits":{"cluster_max":7,"election_max_ms":300,"lease_ms":10000,"locks_max":256,"queue_max":64,"barriers_max":64,
        "barrier_timeout_ms":30000,"log_max":10000,"proposals_max":128},
        "nodes":[{"node_id":"n1","role":"leader","current_term":7,"voted_for":"n1","leader_id":"n1","commit_index":5210,
        "last_applied":5210,"snapshot_index":5000,"log_length":210,"cluster_size":3,"voter":true,"heard_at_ms":1795643999980},
        {"node_id":"n2","role":"follower","current_term":7,"leader_id":"n1","commit_index":"5209","last_applied":5209,
        "cluster_size":3,"voter":true,"heard_at_ms":1795643999950}],
        "locks":[{"lock_id":"db/main","state":"queued","holder":"agent-4","node_id":"n2","fence_token":88,
        "acquired_at_ms":1795643995000,"expires_at_ms":1795644005000,"reentry":1,"queue_length":2,
        "queue":[{"agent_id":"agent-9","since_at_ms":1795643997000,"deadline_at_ms":null}]},{"lock_id":"free","state":"unlocked"}],
        "barriers":[{"barrier_id":"stage-2","kind":"partial","state":"waiting","expected":4,"threshold":3,"arrived":["agent-1"],
        "created_at_ms":1795643990000,"timeout_ms":30000,"next":"stage-3"}],
        "proposals":[{"proposal_id":"p1","node_id":"n1","term":7,"index":5211,"kind":"command","status":"pending","acks":1,
        "submitted_at_ms":1795643999900}],
        "log":[{"index":5210,"term":7,"kind":"noop","at_ms":1795643999000,"text":""}],"more":"ignored"}"#;

    #[test]
    fn a_document_is_read_for_what_it_says() {
        let document = Document::read(WHOLE.as_bytes()).unwrap();
        assert_eq!(document.group().raw(), "trinity c1");
        let members = document.members();
        assert_eq!((members[0].role, members[0].last, members[1].last), (Some(MemberRole::Leader), Some(5_210), None));
        assert_eq!(members[1].committed, Some(5_209), "a number may be a string");
        let locks = document.locks();
        assert_eq!((locks.len(), locks[0].fence_token, locks[0].holder_node.raw()), (1, Some(88), "n2"));
        assert_eq!(locks[0].remark.as_ref().unwrap().raw(), "2 wait, 1 of them are named");
        assert!(document.waits()[0].exact);
        assert_eq!(document.barriers()[0].arrived.as_ref().map(Vec::len), Some(1));
        assert_eq!(document.entries_after(5_209).len(), 1);
        assert_eq!(document.entries_after(5_210).len(), 0);
    }

    #[test]
    fn what_is_missing_is_unknown() {
        let document = Document::read(br#"{"schema":"consensus-snapshot/v1","nodes":[{"node_id":"n1","role":"observer"}],"locks":[{"lock_id":"a"}]}"#).unwrap();
        let member = &document.members()[0];
        assert_eq!((member.role, member.term, member.committed), (None, None, None));
        assert!(member.remark.raw().starts_with("role observer"), "{}", member.remark);
        assert_eq!(document.locks()[0].condition, Some(Condition::Unrecorded));
        let nulls = br#"{"schema":"consensus-snapshot/v1","system":null,"nodes":null,"limits":null,"locks":[{"lock_id":null,"queue":null}],
            "barriers":[{"barrier_id":"b","state":"elsewhere","arrived":null}]}"#;
        let document = Document::read(nulls).unwrap();
        assert_eq!((document.nodes.len(), document.locks[0].queue.len()), (0, 0), "null is missing");
        assert_eq!((document.barriers()[0].state, document.barriers()[0].arrived.clone()), (None, None));
        assert!(Document::read(br#"{"schema":"other"}"#).unwrap_err().contains("other"));
        assert!(Document::read(b"nothing").is_err());
    }

    proptest! {
        #[test]
        fn anything_is_a_document_or_none(text in ".{0,300}", at in 0usize..1_500, byte in any::<char>()) {
            let mut bent: String = WHOLE.chars().take(at).collect();
            bent.push(byte);
            bent.extend(WHOLE.chars().skip(at + 1));
            for bytes in [text.as_bytes(), bent.as_bytes()] {
                if let Ok(document) = Document::read(bytes) {
                    let _ = (document.members(), document.locks(), document.waits(), document.barriers(), document.entries_after(0));
                }
            }
        }
    }
}
