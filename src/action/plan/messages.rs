//! Messages and the tasks they carry: to another agent, back to the queue, or out of it.

use serde_json::Value;

use super::evidence::may_be_alive;
use super::locks::{lease_guard, outbound};
use super::receivers::{Receiver, fit, rank};
use super::{Confirm, Plan, Planner, Refusal, count};
use crate::mesh::derive::messages::{MessageState, MessageView};
use crate::model::MessageTable;
use crate::model::action::{Action, Kind, MessageGuard};
use crate::model::copies;
use crate::model::journal::Entry;
use crate::model::outcome::OutcomeKind;
use crate::model::text::Text;
use crate::model::time::utc;

/// A message, as its guard needs it.
pub(super) fn guard(view: &MessageView) -> MessageGuard {
    let m = &view.message;
    MessageGuard {
        table: m.table,
        id: m.id,
        sender: m.sender_agent.raw().to_owned(),
        receiver: m.receiver_agent.raw().to_owned(),
        msg_type: m.msg_type.raw().to_owned(),
        created_at_ms: m.created_at_ms,
        claim_owner: m.claim_owner.as_ref().map(|o| o.raw().to_owned()),
        claim_until_ms: m.claim_until_ms,
    }
}

/// A copy of a message that was delivered to another agent.
struct Copy<'a> {
    to: String,
    /// It, while it waits there.
    waits: Option<&'a MessageView>,
    /// How its delivery ended, as far as this journal knows.
    kind: Option<OutcomeKind>,
}

/// What a submitter does that loses the lease of its task.
pub(super) const RUNS_LOCALLY: &str =
    "whether its submitter runs the task itself: one that finds its lease revoked may run it locally too";

/// The labels that the work in a message asks for.
pub fn labels(view: &MessageView) -> Vec<String> {
    let payload: Value = serde_json::from_str(&view.message.payload.head).unwrap_or(Value::Null);
    let asked = payload["capability_requirements_json"].as_str().and_then(|text| serde_json::from_str(text).ok());
    let asked: Value = asked.unwrap_or(Value::Null);
    let labels = asked["labels"].as_array().into_iter().flatten();
    labels.filter_map(Value::as_str).take(16).map(str::to_owned).collect()
}

/// Where a message is acted on, and how.
enum Route {
    /// It is a row: one guarded update.
    Row(Text),
    /// A control plane delivers it.
    Sent(Text, MessageGuard),
}

impl Planner<'_> {
    fn route(&self, view: &MessageView, row: Kind, sent: Kind) -> Result<Route, String> {
        match view.message.table {
            MessageTable::A2a => {
                self.able(&view.source, row)?;
                Ok(Route::Row(view.source.clone()))
            }
            MessageTable::Inbox => {
                self.able(&view.source, sent)?;
                Ok(Route::Sent(view.source.clone(), guard(view)))
            }
            MessageTable::Room => {
                Err("it stands in a log that is only added to, and is signed by who wrote it: it cannot be \
                 given to another; ask its sender to write to another agent"
                    .into())
            }
            // The row is a control plane's own store: the control plane itself is asked.
            MessageTable::Mesh => {
                let m = &view.message;
                let holder = self.snapshot.mesh.sources.iter().find(|state| {
                    state.facts.inbox.iter().any(|other| {
                        (other.id, &other.sender_agent, &other.receiver_agent)
                            == (m.id, &m.sender_agent, &m.receiver_agent)
                    })
                });
                // Where its database shows all that waits, no inbox is read. It looks for the message itself before it acts.
                let only = || {
                    let mut planes = self.snapshot.mesh.sources.iter().filter(|state| state.facts.queue.is_some());
                    planes.next().filter(|_| planes.next().is_none())
                };
                let Some(state) = holder.or_else(only) else {
                    return Err("its control plane has it in memory: connect that control plane".into());
                };
                self.able(&state.identity.name, sent)?;
                let guard = MessageGuard { table: MessageTable::Inbox, ..guard(view) };
                Ok(Route::Sent(state.identity.name.clone(), guard))
            }
        }
    }

    /// The messages that wait, of a list of keys; what is gone is left out.
    fn waiting<'k>(&self, plan: &mut Plan, keys: &'k [String]) -> Vec<&MessageView>
    where
        Self: 'k,
    {
        let mut found = Vec::new();
        for key in keys {
            match self.message(key) {
                Some(view) if view.state != MessageState::Acknowledged => found.push(view),
                Some(view) => plan.leave(format!("message {}", view.message.id), "it was acknowledged"),
                None => plan.leave("a message", "it is not known any more"),
            }
        }
        found
    }

    pub(super) fn reroute(&self, keys: &[String], to: Option<&Text>) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let mut typed = false;
        if let Some(to) = to.filter(|to| !self.snapshot.agents_seen().contains(to)) {
            return Err(Refusal::because(format!("no agent {to} is known here, so nobody would take it")));
        }
        let views = self.waiting(&mut plan, keys);
        let mut given: Vec<Text> = Vec::new();
        for view in &views {
            let receiver = match to {
                Some(to) => Some(to.clone()),
                None => self.next_receiver(view, std::slice::from_ref(&view.message.receiver_agent), &given),
            };
            let name = format!("message {}", view.message.id);
            let Some(receiver) = receiver else {
                plan.leave(name, "no living agent can take it");
                continue;
            };
            if receiver == view.message.receiver_agent {
                plan.leave(name, format!("agent {receiver} has it already"));
                continue;
            }
            match self.reroute_one(&mut plan, view, &receiver) {
                Ok(live) => {
                    typed |= live;
                    given.push(receiver);
                }
                Err(why) => plan.leave(name, why),
            }
        }
        plan.title = match (views.as_slice(), to) {
            ([only], Some(to)) => format!("Re-route message {} to agent {to}", only.message.id).into(),
            ([only], None) => format!("Re-route message {}", only.message.id).into(),
            (many, _) => format!("Re-route {}", count(many.len(), "message")).into(),
        };
        if typed {
            plan.confirm = Confirm::Typed(match views.as_slice() {
                [only] => format!("message {}", only.message.id).into(),
                many => count(many.len(), "message").into(),
            });
        }
        plan.or_refusal()
    }

    /// The best agent but for some, those that were just given something counted as busier.
    pub(super) fn next_receiver(&self, view: &MessageView, without: &[Text], given: &[Text]) -> Option<Text> {
        let mut all = fit(rank(self.snapshot, &labels(view), without));
        for receiver in &mut all {
            receiver.inbox += given.iter().filter(|agent| **agent == receiver.agent).count();
        }
        let key = |r: &Receiver| (r.asked - r.fits, r.staleness, r.inbox);
        all.into_iter().min_by_key(key).map(|receiver| receiver.agent)
    }

    /// Adds one message; answers whether somebody may be at work on it.
    pub(super) fn reroute_one(&self, plan: &mut Plan, view: &MessageView, to: &Text) -> Result<bool, String> {
        let route = self.route(view, Kind::Reroute, Kind::Deliver)?;
        let m = &view.message;
        let mut live = self.note_claim(plan, view);
        self.note_receiver(plan, to);
        let task = self.snapshot.tasks.iter().find(|task| task.message.as_ref() == Some(&view.key()));
        let mut after = None;
        if let Some(lease_id) = task.and_then(|task| task.lease_id.as_ref()) {
            let lease = self.snapshot.leases.iter().find(|l| l.in_force && l.lease.lease_id == *lease_id);
            if let Some(lease) = lease {
                let guard = lease_guard(&lease.lease);
                // Whoever holds the lease of a task may be at work on it, claim or no claim.
                let signs = self.signs(&guard.holder_node, "");
                let holder_lives = may_be_alive(&signs);
                match self.revoke_one(plan, &lease.source, guard) {
                    Ok(step) => {
                        after = Some(step);
                        live |= holder_lives;
                        plan.evidence.extend(signs);
                        plan.unknown(RUNS_LOCALLY);
                    }
                    Err(why) => plan.leave(format!("lease {lease_id}"), why),
                }
            }
        }
        let source = match &route {
            Route::Row(source) | Route::Sent(source, _) => source.clone(),
        };
        if live {
            let key = serde_json::from_str::<Value>(&m.payload.head).ok();
            let key = key.and_then(|p| p["idempotency_key"].as_str().map(str::to_owned));
            let payload =
                serde_json::json!({ "idempotency_key": key, "message_id": m.id, "reason": "re-routed by an operator" });
            let outbound = outbound(m.receiver_agent.raw(), "remote_task_cancel", &payload, m.repository_id.raw());
            self.send_message(plan, &source, outbound, &format!("message {}", m.id).into(), after);
        }
        match route {
            Route::Row(source) => {
                let action = Action::Reroute { message: guard(view), to: to.raw().to_owned() };
                let step = plan.step(&source, action, format!("agent {to} finds it unclaimed in its inbox"));
                plan.steps[step].after = after;
                Ok(live)
            }
            Route::Sent(source, message) => Ok(self.deliver(plan, &source, message, to, after)? || live),
        }
    }

    /// Says where the chosen agent is no good choice.
    fn note_receiver(&self, plan: &mut Plan, to: &Text) {
        let all = rank(self.snapshot, &[], &[]);
        match all.iter().find(|receiver| receiver.agent == *to) {
            None => plan.unknown(format!("whether agent {to} is alive: no node names it")),
            Some(one) if one.staleness.is_gone() => {
                plan.unknown(format!("when agent {to} takes it: its node {} is {}", one.node, one.staleness));
            }
            Some(one) if one.closed => {
                plan.unknown(format!("when agent {to} takes it: its node {} is closed for work", one.node));
            }
            Some(_) => {}
        }
    }

    /// One step after the other, so that each can be looked at and taken up again: first the copy, then what it replaces, so
    /// that there is one at any time, whoever else is at it. Answers whether an earlier try ended unclear.
    fn deliver(
        &self,
        plan: &mut Plan,
        source: &Text,
        message: MessageGuard,
        to: &Text,
        after: Option<usize>,
    ) -> Result<bool, String> {
        let key = copies::key(&message, to.raw());
        let mut after = after;
        let mut typed = false;
        // A copy that another agent has of the same original would be run there as well.
        let mut beside: Vec<MessageGuard> = Vec::new();
        for copy in self.copies(source, &message).into_iter().filter(|copy| copy.to != to.raw()) {
            let other = Text::new(&copy.to);
            typed = true;
            if let Some(view) = copy.waits {
                beside.push(MessageGuard { table: MessageTable::Inbox, ..guard(view) });
                plan.unknown(format!("whether agent {other} has begun with its copy, message {}", view.message.id));
            } else if copy.kind == Some(OutcomeKind::Done) {
                return Err(format!(
                    "a copy of it was delivered to agent {other}, which does not wait there any more: agent {other} \
                     took it. Acknowledge the original, or agents {other} and {to} both run it"
                ));
            } else {
                plan.may_repeat = true;
                plan.unknown(format!(
                    "whether agent {other} took a copy of it: an earlier delivery there ended unclear, and its inbox does \
                     not show one"
                ));
            }
        }
        let tried = self.deliveries(source, &key);
        let delivered = tried.iter().any(|entry| entry.kind.is_some_and(OutcomeKind::is_so));
        let unclear = tried.iter().rfind(|entry| matches!(entry.kind, None | Some(OutcomeKind::Unknown)));
        let unclear = unclear.filter(|_| !delivered);
        let mut chain = |plan: &mut Plan, action: Action, effect: String| {
            let step = plan.step(source, action, effect);
            plan.steps[step].after = after.replace(step);
        };
        if !delivered {
            let (message, to, key) = (message.clone(), to.raw().to_owned(), key.clone());
            let effect = format!("a copy waits in the inbox of agent {to}");
            chain(plan, Action::Deliver { message, to, key, beside: beside.clone() }, effect);
        }
        for copy in beside {
            let effect = format!(
                "the copy that agent {} has of message {} goes: only agent {to} is to run it",
                Text::new(&copy.receiver),
                message.id
            );
            chain(plan, Action::Retire { message: copy, to: to.raw().to_owned(), key: key.clone() }, effect);
        }
        let original = Action::Retire { message, to: to.raw().to_owned(), key };
        chain(plan, original, "the original is acknowledged".into());
        plan.unknown("between the two steps both agents have it: if the old one takes it in that moment, both run it");
        if let Some(entry) = unclear {
            plan.may_repeat = true;
            plan.unknown(format!(
                "an earlier delivery at {} ended unclear: if agent {to} took and acknowledged it meanwhile, \
                 delivering again runs it twice",
                utc(entry.at_ms)
            ));
        }
        Ok(unclear.is_some() || typed)
    }

    /// The attempts of this journal to deliver under a key, oldest first, but for those whose copy was taken back.
    fn deliveries(&self, source: &Text, key: &str) -> Vec<&Entry> {
        let of_key = |entry: &&Entry| {
            self.is_from(entry, source)
                && matches!(&entry.action, Action::Deliver { key: other, .. } if other == key)
                && !self.is_retired_copy(entry)
        };
        self.snapshot.mesh.journal.iter().filter(of_key).collect()
    }

    /// Copies of one original, whoever has them: those that inboxes show, whoever delivered them, and those that this
    /// journal knows of.
    fn copies(&self, source: &Text, original: &MessageGuard) -> Vec<Copy<'_>> {
        let stem = copies::stem(original);
        let mut copies: Vec<Copy<'_>> = Vec::new();
        for view in self.snapshot.messages.iter().filter(|view| view.state != MessageState::Acknowledged) {
            let key = view.message.idempotency_key.as_ref().map(Text::raw).unwrap_or_default();
            if copies::bare(key).starts_with(&stem) {
                copies.push(Copy { to: view.message.receiver_agent.raw().to_owned(), waits: Some(view), kind: None });
            }
        }
        for entry in self.snapshot.mesh.journal.iter().rev().filter(|entry| self.is_from(entry, source)) {
            let Action::Deliver { key, to, .. } = &entry.action else { continue };
            let known = copies.iter().any(|copy| copy.to == *to);
            let may_be_there =
                matches!(entry.kind, None | Some(OutcomeKind::Done | OutcomeKind::Already | OutcomeKind::Unknown));
            if key.starts_with(&stem) && may_be_there && !known && !self.is_retired_copy(entry) {
                copies.push(Copy { to: to.clone(), waits: None, kind: entry.kind });
            }
        }
        copies
    }

    /// Whether the operator took back what an attempt delivered.
    fn is_retired_copy(&self, delivery: &Entry) -> bool {
        let id = delivery.after.as_ref().and_then(|after| after["message_id"].as_i64());
        let Action::Deliver { to, .. } = &delivery.action else { return false };
        self.snapshot.mesh.journal.iter().any(|entry| {
            entry.kind == Some(OutcomeKind::Done)
                && entry.at_ms >= delivery.at_ms
                && matches!(&entry.action, Action::Acknowledge { message } | Action::Retire { message, .. }
                    if Some(message.id) == id && message.receiver == *to)
        })
    }

    /// Notes a claim in force and who has it; answers whether they may be alive.
    fn note_claim(&self, plan: &mut Plan, view: &MessageView) -> bool {
        if !view.is_claimed(self.snapshot.at_ms) {
            return false;
        }
        let m = &view.message;
        let owner = m.claim_owner.as_ref().map(Text::raw).unwrap_or_default();
        // Owners are named `node` or `node:process`.
        let node = owner.split(':').next().unwrap_or_default();
        let signs = self.signs(node, m.receiver_agent.raw());
        let live = may_be_alive(&signs);
        plan.evidence.extend(signs);
        if live {
            plan.unknown(format!("whether {} is at work on message {} right now", Text::new(owner), m.id));
        }
        live
    }

    pub(super) fn unclaim(&self, keys: &[String]) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let mut live = None;
        for view in self.waiting(&mut plan, keys) {
            let name: Text = format!("message {}", view.message.id).into();
            if view.message.claim_owner.is_none() {
                plan.leave(name, "nobody claimed it");
            } else if view.message.table != MessageTable::A2a {
                let until = view.claim_until_ms.map_or_else(|| "unknown".into(), utc);
                plan.leave(name, format!("a control plane takes no claim back; this one ends at {until}"));
            } else if let Err(why) = self.able(&view.source, Kind::Unclaim) {
                plan.leave(name, why);
            } else {
                if self.note_claim(&mut plan, view) {
                    live = Some(name);
                }
                let action = Action::Unclaim { message: guard(view) };
                let effect = format!("agent {} can claim it again", view.message.receiver_agent);
                plan.step(&view.source, action, effect);
            }
        }
        Self::name_messages(&mut plan, "Put back", live);
        plan.or_refusal()
    }

    pub(super) fn acknowledge(&self, keys: &[String]) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let mut live = None;
        for view in self.waiting(&mut plan, keys) {
            let name: Text = format!("message {}", view.message.id).into();
            match self.route(view, Kind::Acknowledge, Kind::Acknowledge) {
                Err(why) => plan.leave(name, why),
                Ok(route) => {
                    if self.note_claim(&mut plan, view) || view.state != MessageState::Poison {
                        live = Some(name);
                    }
                    let (source, message) = match route {
                        Route::Row(source) => (source, guard(view)),
                        Route::Sent(source, message) => (source, message),
                    };
                    plan.step(&source, Action::Acknowledge { message }, "nobody gets it any more; it is not answered");
                }
            }
        }
        Self::name_messages(&mut plan, "Acknowledge", live);
        plan.unknown("whether its sender waits for an answer: there will be none");
        plan.or_refusal()
    }

    fn name_messages(plan: &mut Plan, verb: &str, live: Option<Text>) {
        let n = plan.steps.len();
        plan.title = match plan.steps.as_slice() {
            [only] => format!("{verb} {}", only.action.subject()).into(),
            _ => format!("{verb} {}", count(n, "message")).into(),
        };
        if let Some(name) = live {
            plan.confirm = Confirm::Typed(if n == 1 { name } else { count(n, "message").into() });
        }
    }
}
