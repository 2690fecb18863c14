//! Taking locks from their holders, giving them back, and ending leases.
//!
//! The mode, unless the operator chooses: a holder that any signal calls alive, or of whom nothing is known, is
//! fenced off. From a holder that is gone the lock is expired, which keeps the fence; deleting is the default only
//! where no newer client is about, because older clients stay blocked by an expired row until somebody sweeps it.

use super::evidence::{Sign, may_be_alive};
use super::{Confirm, Plan, Planner, Refusal, count};
use crate::mesh::derive::locks::{LockState, LockView};
use crate::mesh::derive::queues::Waiter;
use crate::model::action::{Action, Kind, LeaseGuard, LockGuard, Mode, OPERATOR_NODE, OutboundMessage, fence};
use crate::model::observation::Presence;
use crate::model::text::Text;
use crate::model::time::short;
use crate::model::{Lease, LockTable};

/// A lock, as its guard needs it.
pub(super) fn guard(view: &LockView) -> LockGuard {
    let lock = &view.lock;
    LockGuard {
        table: lock.table,
        lock_key: lock.lock_key.raw().to_owned(),
        repository_id: lock.repository_id.raw().to_owned(),
        holder_node: lock.holder_node.raw().to_owned(),
        holder_agent: lock.holder_agent.raw().to_owned(),
        fence_token: lock.fence_token,
        acquired_at_ms: lock.acquired_at_ms,
        expires_at_ms: lock.expires_at_ms,
        expires_at: lock.expires_at.as_deref().cloned(),
        token: lock
            .lease_id
            .as_ref()
            .filter(|_| is_directory(view) || is_key(view))
            .map(|token| token.raw().to_owned()),
    }
}

/// Whether it is a directory, which can only be deleted.
fn is_directory(view: &LockView) -> bool {
    view.lock.table == LockTable::Directory
}

/// Whether it is a key of a store, which can only be deleted.
fn is_key(view: &LockView) -> bool {
    matches!(view.lock.table, LockTable::Queue | LockTable::Election | LockTable::Single | LockTable::Shared)
}

/// A lease, as its guard needs it.
pub(super) fn lease_guard(lease: &Lease) -> LeaseGuard {
    LeaseGuard {
        lease_id: lease.lease_id.raw().to_owned(),
        scope_key: lease.scope_key.raw().to_owned(),
        holder_node: lease.holder_node_id.raw().to_owned(),
    }
}

impl Planner<'_> {
    pub(super) fn release(
        &self,
        keys: &[String],
        mode: Option<Mode>,
        notify_holder: bool,
        notify_next: bool,
    ) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let (mut names, mut alive) = (Vec::new(), Vec::new());
        for key in keys {
            let Some(view) = self.lock(key) else {
                plan.leave("a lock", "it is not there any more");
                continue;
            };
            let name = &view.name();
            let instead = match view.lock.table {
                LockTable::ExecLease => Some("an execution lease is revoked, not released".to_owned()),
                _ if view.lock.ended_by.is_some() => Some(ended_elsewhere(view)),
                LockTable::Claim => Some("a claim stands in a log that is only added to: its owner gives it up".into()),
                LockTable::Host | LockTable::Seat => Some(ended_elsewhere(view)),
                _ => None,
            };
            if let Some(instead) = instead {
                plan.leave(name.clone(), instead);
                continue;
            }
            if self.snapshot.fenced_off(view).is_some() && view.state != LockState::Expired {
                plan.leave(name.clone(), "the operator holds it already; it runs out by itself");
                continue;
            }
            match self.release_one(&mut plan, view, mode, notify_holder, notify_next) {
                Ok(may_live) => {
                    names.push(name.clone());
                    if may_live {
                        alive.push(name.clone());
                    }
                }
                Err(why) => plan.leave(name.clone(), why),
            }
        }
        plan.title = match names.as_slice() {
            [only] => format!("Release {only}").into(),
            many => format!("Release {}", count(many.len(), "lock")).into(),
        };
        let on_rows = plan
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::Release { lock, .. } if lock.table.is_fenced()));
        if let Some(mode) = plan.mode.filter(|_| on_rows) {
            plan.about.insert(0, mode.explain().into());
        }
        plan.confirm = match (alive.as_slice(), names.len()) {
            ([], _) => Confirm::Key,
            ([only], 1) => Confirm::Typed(only.clone()),
            (many, _) => Confirm::Typed(count(many.len(), "lock").into()),
        };
        if !alive.is_empty() && on_rows {
            plan.unknown("whether the holder is at work under it right now: its next write may not be fenced");
        }
        plan.or_refusal()
    }

    /// Adds one lock; answers whether its holder may be alive.
    pub(super) fn release_one(
        &self,
        plan: &mut Plan,
        view: &LockView,
        mode: Option<Mode>,
        notify_holder: bool,
        notify_next: bool,
    ) -> Result<bool, String> {
        self.able(&view.source, Kind::Release)?;
        let lock = guard(view);
        let renewed = view.fences.as_ref().and_then(|fences| fences.renewed_ms);
        let signs = self.signs_of_holder(&lock, renewed);
        let may_live = may_be_alive(&signs);
        if is_key(view) {
            return Self::delete_key(plan, view, lock, mode);
        }
        if is_directory(view) {
            return self.break_directory(plan, view, lock, signs, mode);
        }
        let newer = self.has_newer_clients(&view.source);
        let mode = mode.unwrap_or_else(|| usual_mode(may_live, newer, can_be_fenced_off(&lock)));
        if mode == Mode::FenceOff {
            match lock.fence_token {
                None => return Err("it has no fence token to raise: choose expire or delete".into()),
                Some(i64::MAX) => {
                    return Err("its fence token is the largest there is and cannot be raised: choose expire".into());
                }
                Some(_) if lock.table == LockTable::Vcs => {
                    return Err("a process that reads a vcs_lock row while the operator holds it keeps it for ever: \
                                choose expire"
                        .into());
                }
                Some(_) => {}
            }
        }
        let next = self.snapshot.next_in_line(view);
        let then = then(next);
        let what = match mode {
            Mode::FenceOff => format!(
                "held by {OPERATOR_NODE} at {} for {}, then it runs out; {then}",
                fence(next_fence(&lock)),
                short(self.policy.hold_ms)
            ),
            Mode::Expire => format!("runs out now, {} stays; {then}", fence(lock.fence_token)),
            Mode::Delete => format!("the row is gone; {then}"),
        };
        if view.state == LockState::Expired {
            plan.note("it has run out already: newer clients take it at once");
        }
        let clients = if newer { "newer clients, which take over expired locks" } else { "older clients only" };
        plan.note(format!("{} shows {clients}", view.source));
        plan.mode = Some(plan.mode.unwrap_or(mode));
        let hold_ms = self.policy.hold_ms;
        let step = plan.step(&view.source, Action::Release { lock: lock.clone(), mode, hold_ms }, what);
        plan.steps[step].effect.splice(0..0, view.in_several.then(|| in_repository(&lock)));
        plan.evidence.extend(signs.into_iter().filter(|sign| !plan.evidence.contains(sign)).collect::<Vec<_>>());
        if view.lock.shared {
            plan.unknown("who else reads under it: readers share one row, and only the last one is named");
        }
        if mode == Mode::Delete {
            plan.unknown("whether an old holder with a higher fence token still writes: the count may restart at 1");
        }
        if !newer && mode != Mode::Delete {
            plan.unknown("when the next sweep comes: older clients stay blocked by a row that ran out until then");
        }
        let name = view.name();
        if notify_holder && !lock.holder_agent.is_empty() {
            let payload = serde_json::json!({
                "resource_id": lock.lock_key, "reason": "released by an operator", "fence_token": lock.fence_token,
            });
            let outbound = outbound(&lock.holder_agent, "cancel_request", &payload, &lock.repository_id);
            self.send_message(plan, &view.source, outbound, &name, Some(step));
        }
        if let Some(waiter) = next.filter(|_| notify_next) {
            let payload = serde_json::json!({
                "resource_id": lock.lock_key, "note": "released by an operator: ask for it again",
            });
            let outbound = outbound(waiter.agent.raw(), "free_form", &payload, &lock.repository_id);
            self.send_message(plan, &view.source, outbound, &name, Some(step));
        }
        Ok(may_live)
    }

    /// A directory is deleted by the protocol of those who take over stale locks; nothing else can be done to it.
    fn break_directory(
        &self,
        plan: &mut Plan,
        view: &LockView,
        lock: LockGuard,
        signs: Vec<Sign>,
        mode: Option<Mode>,
    ) -> Result<bool, String> {
        if mode.is_some_and(|mode| mode != Mode::Delete) {
            return Err("a directory has no fence token and no end that could be moved: choose delete".into());
        }
        if matches!(view.state, LockState::Held | LockState::Expiring | LockState::Orphaned) {
            return Err(
                "it has not run out: its holder checks nothing but the directory, and cannot be fenced off".into()
            );
        }
        let then = then(self.snapshot.next_in_line(view));
        plan.mode = Some(plan.mode.unwrap_or(Mode::Delete));
        plan.note(
            "under the guard that others respect, looked at again, moved aside, looked at once more, then deleted",
        );
        let may_live = may_be_alive(&signs);
        let hold_ms = self.policy.hold_ms;
        let action = Action::Release { lock, mode: Mode::Delete, hold_ms };
        let step = plan.step(&view.source, action, format!("the directory is gone; {then}"));
        plan.steps[step].effect.splice(0..0, view.in_several.then(|| in_repository(&guard(view))));
        plan.evidence.extend(signs.into_iter().filter(|sign| !plan.evidence.contains(sign)).collect::<Vec<_>>());
        plan.unknown("whether its holder still works: a record past its end does not prove that it died");
        Ok(may_live)
    }

    /// The holder's key is deleted, if it is still the one that was seen and the oldest of its name.
    fn delete_key(plan: &mut Plan, view: &LockView, lock: LockGuard, mode: Option<Mode>) -> Result<bool, String> {
        if mode.is_some_and(|mode| mode != Mode::Delete) {
            return Err("a key has no fence token to raise and no end that could be moved: choose delete".into());
        }
        if view.lock.table == LockTable::Shared {
            return Err(
                "readers and writers have keys of two kinds, and no guard holds for both: it is not offered".into()
            );
        }
        let next = view.waiters.first();
        let then = match next {
            Some(waiter) => format!("{} is next in its queue, and goes on at once", waiter.agent),
            None => "nobody is seen to wait for it".into(),
        };
        let what = format!("its key is deleted, if {} is still its create revision; {then}", fence(lock.fence_token));
        plan.mode = Some(plan.mode.unwrap_or(Mode::Delete));
        plan.note("one transaction: the key, its create revision, its lease, and that no key of its name is older");
        plan.note("the holder is told nothing: its session goes on, and it may still work under the lock");
        let hold_ms = 0;
        let holder = view.lock.holder_agent.clone();
        let step = plan.step(&view.source, Action::Release { lock, mode: Mode::Delete, hold_ms }, what);
        plan.steps[step].effect.splice(0..0, view.in_several.then(|| in_repository(&guard(view))));
        let sign = match view.left {
            Some(left) => Sign {
                of: holder,
                what: format!("lease, {} of {} left then", short(left.left_ms), short(left.granted_ms)).into(),
                at_ms: Some(left.at_ms),
                alive: left.left_ms * 3 > left.granted_ms,
            },
            None => Sign { of: holder, what: "renewal of its lease".into(), at_ms: None, alive: false },
        };
        let may_live = may_be_alive(std::slice::from_ref(&sign));
        plan.evidence.push(sign);
        plan.unknown("whether what it writes to checks the fence: if not, old and new holder may write at once");
        Ok(may_live)
    }

    pub(super) fn send_message(
        &self,
        plan: &mut Plan,
        source: &Text,
        outbound: OutboundMessage,
        name: &Text,
        after: Option<usize>,
    ) {
        match self.able(source, Kind::Send) {
            Ok(()) => {
                let effect = format!("a {} message in its inbox", outbound.msg_type);
                let step = plan.step(source, Action::Send { outbound }, effect);
                plan.steps[step].after = after;
            }
            Err(why) => plan.leave(format!("telling agent {} of {name}", outbound.to), why),
        }
    }

    pub(super) fn restore(&self, keys: &[String]) -> Result<Plan, Refusal> {
        let mut plan = Plan::new("Give back");
        for key in keys {
            let Some(view) = self.lock(key) else {
                plan.leave("a lock", "it is not there any more");
                continue;
            };
            let name = &view.name();
            let former = match self.snapshot.fenced_off(view).map(|entry| &entry.action) {
                Some(Action::Release { lock, .. }) if view.state != LockState::Expired => lock.clone(),
                _ => {
                    plan.leave(name.clone(), "this console's journal does not say that an operator holds it");
                    continue;
                }
            };
            if let Err(why) = self.able(&view.source, Kind::Restore) {
                plan.leave(name.clone(), why);
                continue;
            }
            plan.title = format!("Give {name} back").into();
            let lock = guard(view);
            let effect = format!(
                "held by {}, agent {}, at {} until its old end",
                former.holder_node,
                former.holder_agent,
                fence(next_fence(&lock))
            );
            let of = view.in_several.then(|| in_repository(&lock));
            let step = plan.step(&view.source, Action::Restore { lock, former }, effect);
            plan.steps[step].effect.splice(0..0, of);
            plan.about.push("the operator's hold is cancelled; the fence token keeps rising".into());
            plan.unknown("whether the old holder noticed meanwhile: a client that checks its old token fails once");
        }
        plan.or_refusal()
    }

    pub(super) fn revoke(&self, keys: &[String]) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let mut alive = None;
        for key in keys {
            let lease = self.lock(key).filter(|view| view.lock.table == LockTable::ExecLease);
            let Some(view) = lease else {
                plan.leave("a lease", "it is not in force any more");
                continue;
            };
            let lease = LeaseGuard {
                lease_id: view.lock.lease_id.as_ref().map(|id| id.raw().to_owned()).unwrap_or_default(),
                scope_key: view.lock.lock_key.raw().to_owned(),
                holder_node: view.lock.holder_node.raw().to_owned(),
            };
            if let Err(why) = self.revoke_one(&mut plan, &view.source, lease) {
                plan.leave(view.name(), why);
                continue;
            }
            let signs = self.signs(view.lock.holder_node.raw(), "");
            if may_be_alive(&signs) {
                alive = Some(view.lock.lock_key.clone());
            }
            plan.evidence.extend(signs);
        }
        plan.title = match plan.steps.as_slice() {
            [only] => format!("Revoke {}", only.action.subject()).into(),
            many => format!("Revoke {}", count(many.len(), "lease")).into(),
        };
        if let Some(name) = alive {
            let words = if plan.steps.len() == 1 { name } else { count(plan.steps.len(), "lease").into() };
            plan.confirm = Confirm::Typed(words);
        }
        plan.unknown("whether its holder asks the control plane before it goes on: a lease stops nobody who does not");
        plan.or_refusal()
    }

    /// Adds the end of a lease. A database's row is a hint: only a control plane ends a lease.
    pub(super) fn revoke_one(&self, plan: &mut Plan, source: &Text, lease: LeaseGuard) -> Result<usize, String> {
        let lists = |name: &Text| {
            self.snapshot
                .mesh
                .sources
                .iter()
                .filter(|state| state.identity.name == *name)
                .any(|state| state.facts.leases.iter().any(|l| l.authoritative && l.lease_id == *lease.lease_id))
        };
        if !lists(source) {
            return Err("its row is a hint of the database: connect the control plane that granted it".into());
        }
        self.able(source, Kind::Revoke)?;
        Ok(plan.step(source, Action::Revoke { lease }, "not in force any more: its scope can be leased again"))
    }

    /// Whether clients about here take over expired locks by themselves, by what the probe saw.
    pub(super) fn has_newer_clients(&self, source: &Text) -> bool {
        let state = self.snapshot.mesh.sources.iter().find(|state| state.identity.name == *source);
        let Some(probe) = state.and_then(|state| state.probe.as_ref()) else { return true };
        let there = |part| !matches!(probe.of(part), None | Some(Presence::Absent));
        there("vcs_lock") || there("lock_leader")
    }
}

/// The fence token after the one that was seen.
fn next_fence(lock: &LockGuard) -> Option<i64> {
    lock.fence_token.and_then(|fence| fence.checked_add(1))
}

/// Whether its fence token can be raised and nobody keeps the operator's hold for ever: a process that hydrates from a
/// `vcs_lock` row does.
fn can_be_fenced_off(lock: &LockGuard) -> bool {
    next_fence(lock).is_some() && lock.table != LockTable::Vcs
}

/// Which of several locks of one name it is.
fn in_repository(lock: &LockGuard) -> Text {
    format!("of repository {}; another repository has a lock of this name", lock.repository_id).into()
}

/// What becomes of a lock that is free.
fn then(next: Option<&Waiter>) -> String {
    next.map_or_else(
        || "no waiter known: whoever asks first gets it".to_owned(),
        |w| format!("agent {} is next in line (inferred)", w.agent),
    )
}

/// What is ended by a command of its own system is left to it.
pub(super) fn ended_elsewhere(view: &LockView) -> String {
    match &view.lock.ended_by {
        Some(command) => format!("it is ended by: {command}"),
        None => "its own system ends it".into(),
    }
}

/// The mode that is used unless the operator chooses another.
fn usual_mode(may_live: bool, newer: bool, has_fence: bool) -> Mode {
    match (may_live, newer) {
        (true, _) if has_fence => Mode::FenceOff,
        (_, true) | (true, false) => Mode::Expire,
        (false, false) => Mode::Delete,
    }
}

pub(super) fn outbound(to: &str, msg_type: &str, payload: &serde_json::Value, repository_id: &str) -> OutboundMessage {
    OutboundMessage {
        to: to.to_owned(),
        msg_type: msg_type.to_owned(),
        payload: payload.to_string(),
        repository_id: repository_id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(true, true, true, Mode::FenceOff)]
    #[case(true, false, true, Mode::FenceOff)]
    #[case(false, true, true, Mode::Expire)]
    #[case(false, false, true, Mode::Delete)]
    #[case(true, true, false, Mode::Expire)]
    #[case(true, false, false, Mode::Expire)]
    fn deleting_is_never_the_silent_default_where_a_newer_client_is_about(
        #[case] may_live: bool,
        #[case] newer: bool,
        #[case] has_fence: bool,
        #[case] mode: Mode,
    ) {
        assert_eq!(usual_mode(may_live, newer, has_fence), mode);
    }
}
