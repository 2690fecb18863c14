//! Actions through a control plane: look, call, look again.
//!
//! The server forgets an idempotency key once the message is acknowledged, so nothing is delivered before a look
//! into the new inbox, and an answer that was lost is never tried again blindly.

use serde_json::{Value, json};

use crate::data::action::hand::{Hand, Order, Working, WriteAccess};
use crate::data::action::outcome::Outcome;
use crate::data::action::{Action, LeaseGuard, Letter, MessageGuard, NodeGuard, OPERATOR_AGENT};
use crate::data::vox::http::client::{CallError, Client, Said};
use crate::text::Text;
use crate::time::utc;

/// Pages of an inbox that are searched, 256 messages each.
const PAGES: usize = 40;
const PAGE: usize = 256;

const INBOX: &str = "/v1/populi/a2a/inbox";
const ACK: &str = "/v1/populi/a2a/ack";
const DELIVER: &str = "/v1/populi/a2a/deliver";
const NODES: &str = "/v1/populi/nodes";
const LEASES: &str = "/v1/populi/exec/leases";

/// Acts through one control plane.
pub struct PlaneHand {
    client: Client,
}

/// How a piece of work ended early.
type Ended<T> = Result<T, Box<Outcome>>;

impl PlaneHand {
    /// A hand on the control plane that `client` talks to.
    #[must_use]
    pub fn new(client: Client, _: WriteAccess) -> Self {
        Self { client }
    }

    async fn execute_now(&mut self, order: &Order) -> Outcome {
        let ended = match &order.action {
            Action::Revoke { lease } => self.revoke(lease).await,
            Action::Quarantine { node, on } => {
                let body = json!({ "node_id": node.node_id, "quarantined": on });
                self.flag(node, "quarantined", *on, "/v1/populi/admin/quarantine", body).await
            }
            Action::Drain { node, on, for_ms } => {
                let mut body = json!({ "node_id": node.node_id, "maintenance": on });
                if let Some(ms) = for_ms.filter(|_| *on) {
                    body["maintenance_for_ms"] = ms.into();
                }
                self.flag(node, "maintenance", *on, "/v1/populi/admin/maintenance", body).await
            }
            Action::Deliver { message, to, key } => self.deliver(message, to, key).await,
            Action::Retire { message, .. } => self.retire(message).await,
            Action::Acknowledge { message } => self.acknowledge(message).await,
            Action::Tell { letter } => self.tell(letter, &order.id).await,
            other => Ok(Outcome::refused(format!("a control plane does not do this: {}", other.kind()))),
        };
        ended.unwrap_or_else(|early| *early)
    }

    /// Whether things are as the action would have left them. A copy that is not there may have been taken.
    async fn recall_now(&mut self, order: &Order) -> Option<bool> {
        match &order.action {
            Action::Revoke { lease } => {
                let now = self.lease(&lease.lease_id).await.ok()?;
                Some(now.is_none_or(|now| now["scope_key"] != *lease.scope_key))
            }
            Action::Quarantine { node, on } => Some(self.node(&node.node_id).await.ok()??["quarantined"] == *on),
            Action::Drain { node, on, .. } => Some(self.node(&node.node_id).await.ok()??["maintenance"] == *on),
            Action::Deliver { message, to, key } => {
                let original = self.waiting(&message.receiver, message.id).await.ok()??;
                self.copy(&original, to, key).await.ok()?.map(|_| true)
            }
            Action::Retire { message, .. } | Action::Acknowledge { message } => {
                Some(self.waiting(&message.receiver, message.id).await.ok()?.is_none())
            }
            _ => None,
        }
    }

    /// Asks for something; nothing is changed by it.
    async fn look(&mut self, path: &str, body: Option<Value>) -> Ended<Value> {
        match self.client.call(path, body).await {
            Ok(Said { status: 200, json: Some(value), .. }) => Ok(value),
            Ok(said) => Err(Box::new(not_done(&said))),
            Err(error) => Err(Box::new(Outcome::failed(error.to_string()))),
        }
    }

    /// Asks for a change: what it answered, nothing where the thing was not found, or why its end is unclear.
    async fn change(&mut self, path: &str, body: Value) -> Ended<Result<Option<Value>, String>> {
        match self.client.call(path, Some(body)).await {
            Ok(Said { status: 200 | 204, json, .. }) => Ok(Ok(Some(json.unwrap_or(Value::Null)))),
            Ok(Said { status: 404, .. }) => Ok(Ok(None)),
            Ok(said) if said.status >= 500 && said.status != 503 => Ok(Err(said.explain())),
            Ok(said) => Err(Box::new(not_done(&said))),
            Err(CallError::NotSent(why)) => Err(Box::new(Outcome::failed(why))),
            Err(CallError::Unclear(why)) => Ok(Err(why)),
        }
    }

    async fn revoke(&mut self, lease: &LeaseGuard) -> Ended<Outcome> {
        let before = self.lease(&lease.lease_id).await?;
        let Some(before) = before else {
            return Ok(Outcome::done("it was not in force any more"));
        };
        if before["scope_key"] != *lease.scope_key || before["holder_node_id"] != *lease.holder_node {
            let now = format!("it is {} of {} now", text(&before["scope_key"]), text(&before["holder_node_id"]));
            return Ok(Outcome::refused(format!("the id was used again: {now}")).with(Some(before), None));
        }
        let asked = self.change("/v1/populi/admin/exec-lease/revoke", json!({ "lease_id": lease.lease_id })).await?;
        let Ok(after) = self.lease(&lease.lease_id).await else {
            return Ok(unread(asked.err()));
        };
        let outcome = match (after.is_some(), asked) {
            (false, _) => Outcome::done("not in force any more"),
            (true, Ok(_)) => Outcome::failed("the server said yes, and still lists it"),
            (true, Err(why)) => Outcome::failed(format!("{why}; it is still in force")),
        };
        Ok(outcome.with(Some(before), after))
    }

    async fn lease(&mut self, id: &str) -> Ended<Option<Value>> {
        let leases = self.look(LEASES, None).await?;
        let mut all = leases["leases"].as_array().into_iter().flatten();
        Ok(all.find(|lease| lease["lease_id"] == *id).cloned())
    }

    async fn node(&mut self, id: &str) -> Ended<Option<Value>> {
        let nodes = self.look(NODES, None).await?;
        let mut all = nodes["nodes"].as_array().into_iter().flatten();
        let flags = |node: &Value| {
            json!({
                "quarantined": node["quarantined"] == true, "maintenance": node["maintenance"] == true,
                "maintenance_until_unix_ms": node["maintenance_until_unix_ms"],
            })
        };
        Ok(all.find(|node| node["id"] == *id).map(flags))
    }

    async fn flag(&mut self, node: &NodeGuard, name: &str, on: bool, path: &str, body: Value) -> Ended<Outcome> {
        let Some(before) = self.node(&node.node_id).await? else {
            return Ok(Outcome::refused("the control plane does not know this node any more"));
        };
        if before[name] == on {
            let says = format!("{name} was {} already", if on { "set" } else { "cleared" });
            return Ok(Outcome::done(says).with(Some(before.clone()), Some(before)));
        }
        let seen = if name == "quarantined" { node.quarantined } else { node.maintenance };
        if before[name] != seen {
            return Ok(Outcome::refused(format!("{name} changed meanwhile")).with(Some(before), None));
        }
        let asked = self.change(path, body).await?;
        let Ok(after) = self.node(&node.node_id).await else {
            return Ok(unread(asked.err()));
        };
        let is_set = after.as_ref().is_some_and(|flags| flags[name] == on);
        let until = after.as_ref().and_then(|f| f["maintenance_until_unix_ms"].as_i64()).filter(|_| on);
        let outcome = match (is_set, asked) {
            (true, _) => {
                let until = until.map_or_else(String::new, |ms| format!(" until {}", utc(ms)));
                Outcome::done(format!("{name} is {}{until}", if on { "set" } else { "cleared" }))
            }
            (false, Ok(_)) => Outcome::failed(format!("the server said yes, and {name} did not change")),
            (false, Err(why)) => Outcome::failed(format!("{why}; {name} did not change")),
        };
        Ok(outcome.with(Some(before), after))
    }

    /// A message that waits in an inbox, whole.
    async fn waiting(&mut self, receiver: &str, id: i64) -> Ended<Option<Value>> {
        let body = json!({ "receiver_agent_id": receiver, "max_messages": 1, "before_message_id": id + 1 });
        let inbox = self.look(INBOX, Some(body)).await?;
        Ok(inbox["messages"].as_array().into_iter().flatten().find(|m| m["id"] == id).cloned())
    }

    /// A copy in an inbox: by its key, or by being the same but younger.
    async fn copy(&mut self, original: &Value, to: &str, key: &str) -> Ended<Option<i64>> {
        let mut before: Option<i64> = None;
        for _ in 0..PAGES {
            let mut body = json!({ "receiver_agent_id": to, "max_messages": PAGE });
            if let Some(before) = before {
                body["before_message_id"] = before.into();
            }
            let inbox = self.look(INBOX, Some(body)).await?;
            let rows: Vec<&Value> = inbox["messages"].as_array().into_iter().flatten().collect();
            let by_key = |m: &&&Value| {
                ["idempotency_key", "idempotency_dedupe_key"]
                    .iter()
                    .any(|name| m[*name].as_str().is_some_and(|k| k.rsplit('\u{1f}').next() == Some(key)))
            };
            let same = |m: &&&Value| {
                ["sender_agent_id", "message_type", "payload"].iter().all(|name| m[*name] == original[*name])
                    && m["id"].as_i64() > original["id"].as_i64()
            };
            if let Some(found) = rows.iter().find(by_key).or_else(|| rows.iter().find(same)) {
                return Ok(found["id"].as_i64());
            }
            let oldest = rows.iter().filter_map(|m| m["id"].as_i64()).min();
            if rows.len() < PAGE || oldest.is_none() {
                return Ok(None);
            }
            before = oldest;
        }
        Ok(None)
    }

    async fn deliver(&mut self, guard: &MessageGuard, to: &str, key: &str) -> Ended<Outcome> {
        let Some(original) = self.waiting(&guard.receiver, guard.id).await? else {
            let why = format!("it does not wait for agent {} any more: it was acknowledged", guard.receiver);
            return Ok(Outcome::refused(why));
        };
        same_message(guard, &original, true)?;
        if !original["jwe_payload"].is_null() {
            let why = "its content is encrypted for its receiver alone: only its sender can send it to another";
            return Ok(Outcome::refused(why));
        }
        if let Some(id) = self.copy(&original, to, key).await? {
            let says = format!("message {id} waits for agent {to} already");
            return Ok(Outcome::done(says).with(None, Some(json!({ "message_id": id }))));
        }
        let mut body = json!({
            "sender_agent_id": original["sender_agent_id"], "receiver_agent_id": to,
            "message_type": original["message_type"], "payload": original["payload"], "idempotency_key": key,
        });
        for name in ["privacy_class", "priority", "task_kind", "model_id", "traceparent"] {
            if !original[name].is_null() {
                body[name] = original[name].clone();
            }
        }
        let asked = self.change(DELIVER, body).await?;
        let outcome = match asked {
            Ok(Some(answer)) => {
                let id = answer["message_id"].clone();
                Outcome::done(format!("message {id} was delivered to agent {to}"))
                    .with(None, Some(json!({ "message_id": id })))
            }
            Ok(None) => Outcome::failed("this server does not deliver messages (404)"),
            Err(why) => match self.copy(&original, to, key).await {
                Ok(Some(id)) => Outcome::done(format!("message {id} waits for agent {to} (found after: {why})"))
                    .with(None, Some(json!({ "message_id": id }))),
                Ok(None) => Outcome::unknown(format!(
                    "{why}; the inbox of agent {to} does not show it: it never arrived, or was taken at once"
                )),
                Err(_) => Outcome::unknown(format!("{why}, and the inbox could not be read: it may be there")),
            },
        };
        Ok(outcome)
    }

    async fn retire(&mut self, guard: &MessageGuard) -> Ended<Outcome> {
        let Some(before) = self.waiting(&guard.receiver, guard.id).await? else {
            return Ok(Outcome::done(format!(
                "it is acknowledged already: by an earlier try, or by agent {}, which may then have run it too",
                guard.receiver
            )));
        };
        same_message(guard, &before, false)?;
        self.acknowledge_one(guard, before).await
    }

    async fn acknowledge(&mut self, guard: &MessageGuard) -> Ended<Outcome> {
        let Some(before) = self.waiting(&guard.receiver, guard.id).await? else {
            return Ok(Outcome::refused(format!("it does not wait for agent {} any more", guard.receiver)));
        };
        same_message(guard, &before, true)?;
        self.acknowledge_one(guard, before).await
    }

    async fn acknowledge_one(&mut self, guard: &MessageGuard, before: Value) -> Ended<Outcome> {
        let body = json!({ "receiver_agent_id": guard.receiver, "message_id": guard.id });
        let asked = self.change(ACK, body).await?;
        let Ok(after) = self.waiting(&guard.receiver, guard.id).await else {
            return Ok(unread(asked.err()));
        };
        let claimed = before["lease_holder_node_id"].as_str().map(Text::new);
        let outcome = match (after.is_some(), asked) {
            (false, _) => {
                let claimed = claimed.map_or_else(String::new, |who| format!("; {who} had claimed it"));
                Outcome::done(format!("it does not wait for agent {} any more{claimed}", guard.receiver))
            }
            (true, Ok(_)) => Outcome::failed("the server said yes, and it still waits"),
            (true, Err(why)) => Outcome::failed(format!("{why}; it still waits")),
        };
        Ok(outcome.with(Some(facts(&before)), after.as_ref().map(facts)))
    }

    async fn tell(&mut self, letter: &Letter, order: &str) -> Ended<Outcome> {
        if letter.to.is_empty() || !letter.to.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Outcome::refused("the control plane takes decimal agent ids only"));
        }
        let key = format!("lockkeeper-{order}");
        let body = json!({
            "sender_agent_id": OPERATOR_AGENT, "receiver_agent_id": letter.to, "message_type": letter.msg_type,
            "payload": letter.payload, "idempotency_key": key,
        });
        Ok(match self.change(DELIVER, body).await? {
            Ok(Some(answer)) => Outcome::done(format!("message {} was delivered", answer["message_id"])),
            Ok(None) => Outcome::failed("this server does not deliver messages (404)"),
            Err(why) => Outcome::unknown(format!("{why}: it may have been told")),
        })
    }
}

impl Hand for PlaneHand {
    fn execute<'a>(&'a mut self, order: &'a Order) -> Working<'a, Outcome> {
        Box::pin(self.execute_now(order))
    }
    fn record<'a>(&'a mut self, _: &'a Order) -> Working<'a, Result<(), String>> {
        Box::pin(std::future::ready(Err("a control plane keeps no op-log".into())))
    }
    fn recall<'a>(&'a mut self, order: &'a Order) -> Working<'a, Option<bool>> {
        Box::pin(self.recall_now(order))
    }
}

/// Whether a message is the one that was seen; its claim counts where the decision rested on it.
fn same_message(guard: &MessageGuard, now: &Value, claim: bool) -> Ended<()> {
    let same = now["sender_agent_id"] == *guard.sender
        && now["message_type"] == *guard.msg_type
        && now["created_unix_ms"].as_i64() == guard.created_at_ms;
    if !same {
        let refused = Outcome::refused("the id stands for another message now");
        return Err(Box::new(refused.with(Some(facts(now)), None)));
    }
    let (owner, until) = (now["lease_holder_node_id"].as_str(), now["lease_expires_unix_ms"].as_i64());
    if claim && (owner, until) != (guard.claim_owner.as_deref(), guard.claim_until_ms) {
        let who = owner.map_or_else(|| "nobody".into(), Text::new);
        let says = format!("its claim changed: {who} has it now");
        return Err(Box::new(Outcome::refused(says).with(Some(facts(now)), None)));
    }
    Ok(())
}

/// What the journal keeps of a message: never its content.
fn facts(message: &Value) -> Value {
    json!({
        "receiver_agent_id": message["receiver_agent_id"], "message_type": message["message_type"],
        "lease_holder_node_id": message["lease_holder_node_id"],
        "lease_expires_unix_ms": message["lease_expires_unix_ms"],
    })
}

fn not_done(said: &Said) -> Outcome {
    match said.status {
        401 | 403 => Outcome::read_only(said.explain()),
        _ => Outcome::failed(said.explain()),
    }
}

fn unread(why: Option<String>) -> Outcome {
    let why = why.unwrap_or_else(|| "the server said yes".into());
    Outcome::unknown(format!("{why}, and it could not be read back"))
}

fn text(value: &Value) -> Text {
    Text::new(value.as_str().unwrap_or("unknown"))
}
