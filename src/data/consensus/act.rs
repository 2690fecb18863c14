//! Acting on etcd. A lock is taken from its holder by one transaction, which deletes the holder's key if it is still the very
//! key that was seen, and still the oldest under its name.
//!
//! The holder is told nothing, and a waiter's key is never deleted. A session that lets go and takes again uses the same key
//! and lease: only the create revision tells one hold from the next.
#![allow(clippy::result_large_err, reason = "a refusal is an outcome like any other")]

use serde_json::{Value, json};

use super::etcd::EtcdConfig;
use super::gateway::{CallError, DENIED, Gateway, Manner, NOT_FOUND};
use super::layout::name;
use super::watch::range;
use super::wire::{Kv, Range, Status, TimeToLive, Txn, encoded};
use crate::action::executor::{ActionRequest, Executor, Resolution, Working, WriteAccess};
use crate::config::address::Address;
use crate::model::LockTable;
use crate::model::action::{Abilities, Action, Answer, BarrierGuard, Kind, LockGuard, Mode, Question};
use crate::model::outcome::Outcome;
use crate::model::text::Text;

mod members;

/// What can be done on etcd.
pub const CAN: Abilities =
    Abilities { kinds: &[Kind::Release, Kind::EndLease, Kind::OpenBarrier, Kind::ChangeMember], records: false };

/// How the calls of an action are made.
const MANNER: Manner = Manner { needs_leader: true, needs_user: true, is_patient: true, within: None };

/// Acts on one cluster.
pub struct EtcdExecutor {
    config: EtcdConfig,
}

/// The key that a lock's holder has, and the name that it stands under; a key of its own has none.
struct Target {
    key: Vec<u8>,
    under: Option<Vec<u8>>,
    create_revision: i64,
    is_barrier: bool,
}

impl Target {
    fn of(lock: &LockGuard) -> Result<Self, Outcome> {
        let refuse = |why: &str| Err(Outcome::refused(format!("{why}: nothing was sent")));
        let Some(create_revision) = lock.fence_token.filter(|revision| *revision > 0) else {
            return refuse("its create revision is not known");
        };
        let (key, under) = match (lock.table, &lock.token) {
            (LockTable::Single, _) => (lock.lock_key.clone().into_bytes(), None),
            (LockTable::Queue | LockTable::Election, Some(last)) => {
                let under = format!("{}/", lock.lock_key).into_bytes();
                (format!("{}/{last}", lock.lock_key).into_bytes(), Some(under))
            }
            _ => return refuse("its key is not known"),
        };
        Ok(Self { key, under, create_revision, is_barrier: false })
    }

    fn of_barrier(barrier: &BarrierGuard) -> Result<Self, Outcome> {
        let Some(create_revision) = barrier.fence_token.filter(|revision| *revision > 0) else {
            return Err(Outcome::refused("its create revision is not known: nothing was sent"));
        };
        Ok(Self { key: barrier.barrier.clone().into_bytes(), under: None, create_revision, is_barrier: true })
    }

    /// The guarded delete. For the keys of a queue: none under its name is older.
    fn transaction(&self, lease: i64) -> Value {
        let key = encoded(&self.key);
        let mut compare = vec![
            json!({ "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": self.create_revision.to_string() }),
            json!({ "key": key, "target": "LEASE", "result": "EQUAL", "lease": lease.to_string() }),
        ];
        let (from, end) = self.under.as_ref().map_or_else(|| (key.clone().into(), Value::Null), |under| range(under));
        if self.under.is_some() {
            let before = (self.create_revision - 1).to_string();
            compare.push(json!({ "key": from, "range_end": end, "target": "CREATE", "result": "GREATER", "create_revision": before }));
        }
        let mut look = json!({ "key": from, "keys_only": true });
        if self.under.is_some() {
            look["range_end"] = end;
        }
        json!({
            "compare": compare,
            "success": [{ "request_delete_range": { "key": key, "prev_kv": true } }],
            "failure": [{ "request_range": look }],
        })
    }
}

impl EtcdExecutor {
    /// An executor for a cluster.
    #[must_use]
    pub fn new(config: EtcdConfig, _: WriteAccess) -> Self {
        Self { config }
    }

    /// A member that has a leader, and calls to it.
    async fn reach(&self) -> Result<(Gateway, Address), String> {
        let gateway = self.gateway()?;
        let mut why = "no endpoint is named".to_owned();
        for at in &self.config.endpoints {
            match gateway.post::<Status>(at, "/v3/maintenance/status", &json!({}), Manner::default()).await {
                Ok(status) if status.leader != 0 && !status.is_learner => return Ok((gateway, at.clone())),
                Ok(_) => why = format!("{} has no leader", at.name()),
                Err(error) => why = error.fault(at).to_string(),
            }
        }
        Err(why)
    }

    fn gateway(&self) -> Result<Gateway, String> {
        Gateway::new(&self.config.tls, self.config.is_encrypted(), self.config.user.clone())
            .map_err(|fault| fault.to_string())
    }

    async fn execute_now(&self, request: &ActionRequest) -> Result<Outcome, Outcome> {
        let unsent = |why: String| Outcome::failed(format!("nothing was sent: {why}"));
        match &request.action {
            Action::Release { lock, mode: Mode::Delete, .. } => self.delete(&Target::of(lock)?).await,
            Action::OpenBarrier { barrier } => self.delete(&Target::of_barrier(barrier)?).await,
            Action::EndLease { lock, keys } => self.end_lease(&Target::of(lock)?, keys).await,
            Action::ChangeMember { member, change } => {
                let gateway = self.gateway().map_err(unsent)?;
                members::change(&gateway, &self.config, member, *change).await
            }
            Action::Release { .. } => {
                Err(Outcome::refused("a key of etcd can only be deleted: it has no fence to raise and no end to move"))
            }
            _ => Err(Outcome::refused("etcd has no such action")),
        }
    }

    /// Deletes a key, if it is the one that was seen.
    async fn delete(&self, target: &Target) -> Result<Outcome, Outcome> {
        let (gateway, at) = self.reach().await.map_err(|why| Outcome::failed(format!("nothing was sent: {why}")))?;
        let now = read(&gateway, &at, &target.key).await.map_err(|error| ended(&error, &at))?;
        let Some(now) = now else {
            return Err(Outcome::refused("its key is gone: it was let go, or its lease ran out"));
        };
        if now.create_revision != target.create_revision {
            let summary = format!("it was taken again at revision {}: nothing was changed", now.create_revision);
            return Err(Outcome::refused(summary).with(Some(shown(&now)), None));
        }
        let body = target.transaction(now.lease);
        let answer: Txn = gateway.post(&at, "/v3/kv/txn", &body, MANNER).await.map_err(|error| ended(&error, &at))?;
        if !answer.succeeded {
            let keys = answer.responses.into_iter().find_map(|response| response.response_range).unwrap_or_default();
            return Err(Outcome::refused(refusal(&keys.kvs, target)).with(Some(shown(&now)), None));
        }
        let next = match &target.under {
            Some(under) => oldest(&gateway, &at, under).await,
            None => Ok(None),
        };
        Ok(match next {
            Ok(Some(next)) => Outcome::done(format!(
                "its key is deleted; {} is the holder now, fence {}",
                name(&next.key),
                next.create_revision
            ))
            .with(Some(shown(&now)), Some(shown(&next))),
            Ok(None) => {
                let what = if target.is_barrier { "those who wait go on" } else { "nobody holds it now" };
                Outcome::done(format!("its key is deleted; {what}")).with(Some(shown(&now)), None)
            }
            Err(_) => Outcome::done("its key is deleted").not_reread().with(Some(shown(&now)), None),
        })
    }

    /// Ends the lease under a key, if key and lease are those that were seen, and no other key goes with them.
    async fn end_lease(&self, target: &Target, keys: &[String]) -> Result<Outcome, Outcome> {
        let (gateway, at) = self.reach().await.map_err(|why| Outcome::failed(format!("nothing was sent: {why}")))?;
        let refused = |why: String| Err(Outcome::refused(format!("{why}: nothing was sent")));
        let now = read(&gateway, &at, &target.key).await.map_err(|error| ended(&error, &at))?;
        let Some(now) = now.filter(|now| now.create_revision == target.create_revision) else {
            return refused("its key is gone, or was taken again".into());
        };
        if now.lease == 0 {
            return refused("its key has no lease: release it instead".into());
        }
        let of_lease = keys_of_lease(&gateway, &at, now.lease).await.map_err(|error| ended(&error, &at))?;
        if of_lease != keys {
            let now = of_lease.join(", ");
            return refused(format!("other keys go with its lease now: {}", Text::bounded(&now, 300)));
        }
        let body = json!({ "ID": now.lease.to_string() });
        match gateway.post::<Value>(&at, "/v3/lease/revoke", &body, MANNER).await {
            Ok(_) => {}
            Err(CallError::Refused(NOT_FOUND, _)) => return Ok(Outcome::already("its lease is gone")),
            Err(error) => return Err(ended(&error, &at)),
        }
        let gone = format!("its lease is gone, and {} keys with it", keys.len());
        Ok(match read(&gateway, &at, &target.key).await {
            Ok(Some(again)) if again.create_revision == target.create_revision => {
                Outcome::unknown("accepted, and its key stands still")
            }
            Ok(_) => Outcome::done(gone).with(Some(shown(&now)), None),
            Err(_) => Outcome::done(gone).not_reread().with(Some(shown(&now)), None),
        })
    }

    /// The keys that go with the lease of a lock's holder.
    async fn keys_of(&self, lock: &LockGuard) -> Answer {
        let unknown = |why: String| Answer::Unknown(why);
        let target = match Target::of(lock) {
            Ok(target) => target,
            Err(outcome) => return unknown(outcome.summary.to_string()),
        };
        let (gateway, at) = match self.reach().await {
            Ok(reached) => reached,
            Err(why) => return unknown(why),
        };
        match read(&gateway, &at, &target.key).await {
            Ok(Some(now)) if now.lease == 0 => unknown("its key has no lease".into()),
            Ok(Some(now)) if now.create_revision == target.create_revision => {
                match keys_of_lease(&gateway, &at, now.lease).await {
                    Ok(keys) => Answer::Keys(keys),
                    Err(error) => unknown(error.fault(&at).to_string()),
                }
            }
            Ok(_) => unknown("its key is gone, or was taken again".into()),
            Err(error) => unknown(error.fault(&at).to_string()),
        }
    }

    async fn resolve(&self, action: &Action) -> Resolution {
        let target = match action {
            Action::Release { lock, .. } | Action::EndLease { lock, .. } => Target::of(lock),
            Action::OpenBarrier { barrier } => Target::of_barrier(barrier),
            Action::ChangeMember { member, change } => {
                return match self.gateway() {
                    Ok(gateway) => members::resolve(&gateway, &self.config, member, *change).await,
                    Err(why) => Resolution::Unreachable(why),
                };
            }
            _ => return Resolution::Undecidable("etcd has no such action".into()),
        };
        let Ok(target) = target else { return Resolution::Undecidable("its key is not known".into()) };
        let (gateway, at) = match self.reach().await {
            Ok(reached) => reached,
            Err(why) => return Resolution::Unreachable(why),
        };
        match read(&gateway, &at, &target.key).await {
            Ok(Some(now)) if now.create_revision == target.create_revision => {
                Resolution::NotApplied("its key stands as it stood".into())
            }
            // It may have been let go as well.
            Ok(Some(now)) => Resolution::Undecidable(format!("it was taken again at revision {}", now.create_revision)),
            Ok(None) => Resolution::Undecidable("its key is gone".into()),
            Err(error) => Resolution::Unreachable(error.fault(&at).to_string()),
        }
    }
}

impl Executor for EtcdExecutor {
    fn execute<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Outcome> {
        Box::pin(async move { self.execute_now(request).await.unwrap_or_else(|outcome| outcome) })
    }
    fn ask<'a>(&'a mut self, question: &'a Question) -> Working<'a, Answer> {
        Box::pin(async move {
            match question {
                Question::LeaseKeys(lock) => self.keys_of(lock).await,
                Question::Run(_) => Answer::Unknown("etcd has no runs".into()),
            }
        })
    }
    fn record<'a>(&'a mut self, _: &'a ActionRequest) -> Working<'a, Result<(), String>> {
        Box::pin(async { Err("etcd keeps no log that entries could be added to".into()) })
    }
    fn was_applied<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Resolution> {
        Box::pin(self.resolve(&request.action))
    }
}

/// The keys that go with a lease, in their order.
async fn keys_of_lease(gateway: &Gateway, at: &Address, lease: i64) -> Result<Vec<String>, CallError> {
    let body = json!({ "ID": lease.to_string(), "keys": true });
    let answer: TimeToLive = gateway.post(at, "/v3/lease/timetolive", &body, MANNER).await?;
    let mut keys: Vec<String> = answer.keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
    keys.sort();
    Ok(keys)
}

async fn read(gateway: &Gateway, at: &Address, key: &[u8]) -> Result<Option<Kv>, CallError> {
    let body = json!({ "key": encoded(key), "keys_only": true });
    let range: Range = gateway.post(at, "/v3/kv/range", &body, MANNER).await?;
    Ok(range.kvs.into_iter().next())
}

/// The oldest key under a name: the holder's.
async fn oldest(gateway: &Gateway, at: &Address, under: &[u8]) -> Result<Option<Kv>, CallError> {
    let (from, end) = range(under);
    let body = json!({
        "key": from, "range_end": end, "keys_only": true, "limit": "1", "sort_order": "ASCEND", "sort_target": "CREATE",
    });
    let range: Range = gateway.post(at, "/v3/kv/range", &body, MANNER).await?;
    Ok(range.kvs.into_iter().next())
}

/// Why the guard did not hold, by the keys that stand there now.
fn refusal(keys: &[Kv], target: &Target) -> String {
    let holder = keys.iter().min_by_key(|kv| kv.create_revision);
    match (keys.iter().find(|kv| kv.key == target.key), holder) {
        (None, None) => "its key is gone: nothing was changed".into(),
        (None, Some(holder)) => {
            format!("its key is gone, and {} is the holder now: nothing was changed", name(&holder.key))
        }
        (Some(kv), _) if kv.create_revision != target.create_revision => {
            format!("it was taken again at revision {}: nothing was changed", kv.create_revision)
        }
        (Some(_), Some(holder)) if holder.key != target.key => {
            format!("it is not the holder: {} is older; nothing was changed", name(&holder.key))
        }
        (Some(_), _) => "its lease is another one: nothing was changed".into(),
    }
}

/// How a call that brought no answer ended an action.
fn ended(error: &CallError, at: &Address) -> Outcome {
    match error {
        CallError::NotReached(why) => Outcome::failed(format!("nothing was sent: {why}")),
        CallError::Refused(DENIED, _) => Outcome::read_only("this user may not do that: permission denied"),
        // A server that waits in vain for the others may have written it down.
        CallError::Lost(_) | CallError::Closed(_) | CallError::Refused(14, _) => {
            Outcome::unknown(error.fault(at).to_string())
        }
        _ => Outcome::failed(error.fault(at).to_string()),
    }
}

/// What the journal keeps of a key.
fn shown(kv: &Kv) -> Value {
    json!({ "key": name(&kv.key), "create_revision": kv.create_revision, "lease": format!("{:x}", kv.lease) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(table: LockTable, fence: Option<i64>, token: Option<&str>) -> LockGuard {
        LockGuard {
            table,
            lock_key: "lk/deploy".into(),
            repository_id: "etcd 7".into(),
            holder_node: String::new(),
            holder_agent: "lease a".into(),
            fence_token: fence,
            acquired_at_ms: None,
            expires_at_ms: None,
            expires_at: None,
            token: token.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn the_guard_names_the_key_its_life_its_lease_and_that_none_is_older() {
        let target = Target::of(&guard(LockTable::Queue, Some(9), Some("a1"))).ok().unwrap();
        let body = target.transaction(161);
        let compare = body["compare"].as_array().unwrap();
        assert_eq!(compare.len(), 3);
        assert_eq!(compare[0]["key"], encoded(b"lk/deploy/a1"));
        assert_eq!((&compare[0]["create_revision"], &compare[1]["lease"]), (&json!("9"), &json!("161")));
        assert_eq!((&compare[2]["create_revision"], &compare[2]["result"]), (&json!("8"), &json!("GREATER")));
        assert_eq!(compare[2]["range_end"], encoded(b"lk/deploy0"));
        let single = Target::of(&guard(LockTable::Single, Some(9), None)).ok().unwrap();
        assert_eq!(single.transaction(0)["compare"].as_array().unwrap().len(), 2);
        assert!(Target::of(&guard(LockTable::Queue, None, Some("a1"))).is_err());
        assert!(Target::of(&guard(LockTable::Queue, Some(9), None)).is_err());
    }

    #[test]
    fn a_refusal_says_what_is_true_now() {
        let target = Target::of(&guard(LockTable::Queue, Some(9), Some("a1"))).ok().unwrap();
        let kv = |key: &str, create_revision| Kv { key: key.into(), create_revision, ..Kv::default() };
        for (keys, words) in [
            (vec![], "is gone"),
            (vec![kv("lk/deploy/b", 10)], "lk/deploy/b is the holder now"),
            (vec![kv("lk/deploy/a1", 12)], "taken again at revision 12"),
            (vec![kv("lk/deploy/b", 3), kv("lk/deploy/a1", 9)], "it is not the holder"),
        ] {
            assert!(refusal(&keys, &target).contains(words), "{}", refusal(&keys, &target));
        }
    }
}
