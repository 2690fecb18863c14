//! Actions through a control plane: look, call, look again.
//!
//! The server forgets an idempotency key once the message is acknowledged, so nothing is delivered before a look
//! into the new inbox, and an answer that was lost is never tried again blindly.

use serde_json::{Value, json};

use crate::action::executor::{ActionRequest, Executor, Resolution, Working, WriteAccess};
use crate::data::vox::control_plane::client::{CallError, Client, Response};
use crate::data::vox::control_plane::wire::key_of;
use crate::model::action::{Action, LeaseGuard, MessageGuard, NodeGuard, OPERATOR_AGENT, OutboundMessage};
use crate::model::outcome::Outcome;
use crate::model::text::Text;
use crate::model::time::utc;

/// Pages of an inbox that are searched, 256 messages each.
const PAGES: usize = 40;
const PAGE: usize = 256;

const INBOX: &str = "/v1/populi/a2a/inbox";
const ACK: &str = "/v1/populi/a2a/ack";
const DELIVER: &str = "/v1/populi/a2a/deliver";
const NODES: &str = "/v1/populi/nodes";
const LEASES: &str = "/v1/populi/exec/leases";

/// Carries calls to a control plane. What it answers is believed as it is.
pub trait Caller: Send {
    /// One call; with a body it may change something.
    fn call<'a>(&'a mut self, path: &'a str, body: Option<Value>) -> Working<'a, Result<Response, CallError>>;
}

impl Caller for Client {
    fn call<'a>(&'a mut self, path: &'a str, body: Option<Value>) -> Working<'a, Result<Response, CallError>> {
        Box::pin(Self::call(self, path, body))
    }
}

/// Acts through one control plane.
pub struct ControlPlaneExecutor {
    caller: Box<dyn Caller>,
}

/// How a piece of work ended early.
type Ended<T> = Result<T, Box<Outcome>>;

impl ControlPlaneExecutor {
    /// An executor for the control plane that `caller` talks to.
    #[must_use]
    pub fn new(caller: impl Caller + 'static, _: WriteAccess) -> Self {
        Self { caller: Box::new(caller) }
    }

    async fn execute_now(&mut self, request: &ActionRequest) -> Outcome {
        let ended = match &request.action {
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
            Action::Deliver { message, to, key, beside } => self.deliver(message, to, key, beside).await,
            Action::Retire { message, to, key } => self.retire(message, to, key).await,
            Action::Acknowledge { message } => self.acknowledge(message).await,
            Action::Send { outbound } => self.send_message(outbound, &request.id).await,
            other => Ok(Outcome::refused(format!("a control plane does not do this: {}", other.kind()))),
        };
        ended.unwrap_or_else(|early| *early)
    }

    /// A control plane keeps no trace of who asked for what, but for the key of a delivery: only that proves anything.
    async fn was_applied_now(&mut self, request: &ActionRequest) -> Resolution {
        match self.resolution_here(request).await {
            Ok(resolution) => resolution,
            Err(outcome) => Resolution::Unreachable(outcome.summary.to_string()),
        }
    }

    async fn resolution_here(&mut self, request: &ActionRequest) -> Ended<Resolution> {
        let as_before = |stands: bool, now: String| {
            if stands { Resolution::NotApplied(now) } else { Resolution::Undecidable(now) }
        };
        Ok(match &request.action {
            Action::Revoke { lease } => {
                let now = self.lease(&lease.lease_id).await?;
                let stands = now.as_ref().is_some_and(|now| {
                    now["scope_key"] == *lease.scope_key && now["holder_node_id"] == *lease.holder_node
                });
                as_before(stands, if stands { "it is in force" } else { "it is not in force any more" }.into())
            }
            Action::Quarantine { node, on } => {
                let flags = self.node(&node.node_id).await?;
                let set = flags.as_ref().map(|flags| flags["quarantined"] == *on);
                as_before(set == Some(false), flag_now("quarantined", flags.as_ref()))
            }
            Action::Drain { node, on, .. } => {
                let flags = self.node(&node.node_id).await?;
                let set = flags.as_ref().map(|flags| flags["maintenance"] == *on);
                as_before(set == Some(false), flag_now("maintenance", flags.as_ref()))
            }
            Action::Deliver { to, key, .. } => self.delivered(to, key).await?,
            Action::Send { outbound } => self.delivered(&outbound.to, &outbound_key(&request.id)).await?,
            Action::Retire { message, .. } | Action::Acknowledge { message } => {
                let waits = self.waiting(&message.receiver, message.id).await?;
                let stands = waits.is_some_and(|now| same_message(message, &now, false).is_ok());
                let receiver = Text::new(&message.receiver);
                let now = if stands { "it waits" } else { "it does not wait any more" };
                as_before(stands, format!("{now} for agent {receiver}"))
            }
            other => Resolution::Undecidable(format!("a control plane does not do this: {}", other.kind())),
        })
    }

    /// A copy that is not there may have been taken at once.
    async fn delivered(&mut self, to: &str, key: &str) -> Ended<Resolution> {
        let to_agent = Text::new(to);
        Ok(match self.copy(to, key).await? {
            Some(id) => Resolution::Applied { audited: false, now: format!("message {id} waits for agent {to_agent}") },
            None => Resolution::Undecidable(format!("the inbox of agent {to_agent} does not show it")),
        })
    }

    /// Asks for something; nothing is changed by it.
    async fn ask(&mut self, path: &str, body: Option<Value>) -> Ended<Value> {
        match self.caller.call(path, body).await {
            Ok(Response { status: 200, json: Some(value), .. }) => Ok(value),
            Ok(response) => Err(Box::new(not_done(&response))),
            Err(error) => Err(Box::new(Outcome::failed(error.to_string()))),
        }
    }

    /// Asks for a change: what it answered, nothing where the thing was not found, or why its end is unclear.
    async fn change(&mut self, path: &str, body: Value) -> Ended<Result<Option<Value>, String>> {
        match self.caller.call(path, Some(body)).await {
            Ok(Response { status: 200 | 204, json, .. }) => Ok(Ok(Some(json.unwrap_or(Value::Null)))),
            Ok(Response { status: 404, .. }) => Ok(Ok(None)),
            Ok(response) if response.status >= 500 && response.status != 503 => Ok(Err(response.explain())),
            Ok(response) => Err(Box::new(not_done(&response))),
            Err(CallError::NotSent(why)) => Err(Box::new(Outcome::failed(why))),
            Err(CallError::Unclear(why)) => Ok(Err(why)),
        }
    }

    async fn revoke(&mut self, lease: &LeaseGuard) -> Ended<Outcome> {
        let before = self.lease(&lease.lease_id).await?;
        let Some(before) = before else {
            return Ok(Outcome::already("it was not in force any more"));
        };
        if before["scope_key"] != *lease.scope_key || before["holder_node_id"] != *lease.holder_node {
            let now = format!("it is {} of {} now", text(&before["scope_key"]), text(&before["holder_node_id"]));
            return Ok(Outcome::refused(format!("the id was used again: {now}")).with(Some(before), None));
        }
        let asked = self.change("/v1/populi/admin/exec-lease/revoke", json!({ "lease_id": lease.lease_id })).await?;
        let after = self.lease(&lease.lease_id).await;
        let held = after.as_ref().ok().map(Option::is_some);
        let (gone, still) = ("it is not in force any more", "it is still in force");
        let outcome = concluded(asked, held.map(|held| !held), gone, still);
        Ok(outcome.with(Some(before), after.ok().flatten()))
    }

    async fn lease(&mut self, id: &str) -> Ended<Option<Value>> {
        let leases = self.ask(LEASES, None).await?;
        let mut all = leases["leases"].as_array().into_iter().flatten();
        Ok(all.find(|lease| lease["lease_id"] == *id).cloned())
    }

    async fn node(&mut self, id: &str) -> Ended<Option<Value>> {
        let nodes = self.ask(NODES, None).await?;
        let mut all = nodes["nodes"].as_array().into_iter().flatten();
        let flags = |node: &Value| {
            json!({
                "quarantined": node["quarantined"] == true, "maintenance": node["maintenance"] == true,
                "maintenance_until_unix_ms": node["maintenance_until_unix_ms"],
            })
        };
        Ok(all.find(|node| node["id"] == *id).map(flags))
    }

    /// Sets a flag of a node. One that is set already is set anew only where that changes its deadline.
    async fn flag(&mut self, node: &NodeGuard, name: &str, on: bool, path: &str, body: Value) -> Ended<Outcome> {
        let Some(before) = self.node(&node.node_id).await? else {
            return Ok(Outcome::refused("the control plane does not know this node any more"));
        };
        let deadline = body.get("maintenance_for_ms").is_some();
        if before[name] == on && !deadline {
            let summary = format!("{name} was {} already", if on { "set" } else { "cleared" });
            return Ok(Outcome::already(summary).with(Some(before.clone()), Some(before)));
        }
        let seen = if name == "quarantined" { node.quarantined } else { node.maintenance };
        if before[name] != seen {
            return Ok(Outcome::refused(format!("{name} changed meanwhile")).with(Some(before), None));
        }
        let asked = self.change(path, body).await?;
        let after = self.node(&node.node_id).await;
        let flags = after.as_ref().ok().map(Option::as_ref);
        let moved =
            |flags: &Value| !deadline || flags["maintenance_until_unix_ms"] != before["maintenance_until_unix_ms"];
        let holds = flags.map(|flags| flags.is_some_and(|flags| flags[name] == on && moved(flags)));
        let now = flag_now(name, flags.flatten());
        let outcome = concluded(asked, holds, &now, &now);
        Ok(outcome.with(Some(before), after.ok().flatten()))
    }

    /// A message that waits in an inbox, whole.
    async fn waiting(&mut self, receiver: &str, id: i64) -> Ended<Option<Value>> {
        let mut body = json!({ "receiver_agent_id": receiver, "max_messages": 1 });
        if let Some(next) = id.checked_add(1) {
            body["before_message_id"] = next.into();
        }
        let inbox = self.ask(INBOX, Some(body)).await?;
        Ok(inbox["messages"].as_array().into_iter().flatten().find(|m| m["id"] == id).cloned())
    }

    /// A copy in an inbox. It is known by its key alone: two messages may be equal in everything else.
    async fn copy(&mut self, to: &str, key: &str) -> Ended<Option<i64>> {
        let mut before: Option<i64> = None;
        for _ in 0..PAGES {
            let mut body = json!({ "receiver_agent_id": to, "max_messages": PAGE });
            if let Some(before) = before {
                body["before_message_id"] = before.into();
            }
            let inbox = self.ask(INBOX, Some(body)).await?;
            let rows: Vec<&Value> = inbox["messages"].as_array().into_iter().flatten().collect();
            if let Some(found) = rows.iter().find(|m| key_of(m) == Some(key)) {
                return Ok(found["id"].as_i64());
            }
            let oldest = rows.iter().filter_map(|m| m["id"].as_i64()).min();
            // A server that ignores where to begin would be asked for ever.
            if rows.len() < PAGE || oldest.is_none() || before.is_some_and(|before| oldest >= Some(before)) {
                return Ok(None);
            }
            before = oldest;
        }
        let what = format!("the inbox of agent {} is too long to be searched for a copy", Text::new(to));
        Err(Box::new(Outcome::failed(format!("{what}; nothing was changed"))))
    }

    async fn deliver(&mut self, guard: &MessageGuard, to: &str, key: &str, beside: &[MessageGuard]) -> Ended<Outcome> {
        let Some(original) = self.waiting(&guard.receiver, guard.id).await? else {
            let why = format!("it does not wait for agent {} any more: it was acknowledged", guard.receiver);
            return Ok(Outcome::refused(why));
        };
        same_message(guard, &original, true)?;
        if !original["jwe_payload"].is_null() {
            let why = "its content is encrypted for its receiver alone: only its sender can send it to another";
            return Ok(Outcome::refused(why));
        }
        if let Some(id) = self.copy(to, key).await? {
            let summary = format!("message {id} waits for agent {to} already");
            return Ok(Outcome::already(summary).with(None, Some(json!({ "message_id": id }))));
        }
        for copy in beside {
            let Some(now) = self.waiting(&copy.receiver, copy.id).await? else {
                let agent = Text::new(&copy.receiver);
                let why =
                    format!("the copy of agent {agent} does not wait any more: agent {agent} may be at work on it");
                return Ok(Outcome::refused(why));
            };
            same_message(copy, &now, true)?;
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
            Err(why) => match self.copy(to, key).await {
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

    /// Acknowledges what a copy replaces, while that copy is there to be seen.
    async fn retire(&mut self, guard: &MessageGuard, to: &str, key: &str) -> Ended<Outcome> {
        let Some(before) = self.waiting(&guard.receiver, guard.id).await? else {
            return Ok(Outcome::already(format!(
                "it is acknowledged already: by an earlier try, or by agent {}, which may then have run it too",
                guard.receiver
            )));
        };
        same_message(guard, &before, false)?;
        let to_agent = Text::new(to);
        let gone = format!("agent {to_agent} has no copy of it any more: it took it, or somebody took it back");
        let Some(copy) = self.copy(to, key).await? else {
            let todo = "acknowledge the message if its work is done";
            return Ok(Outcome::refused(format!("{gone}; {todo}")).with(Some(facts(&before)), None));
        };
        let mut outcome = self.acknowledge_one(guard, before).await?;
        // Another console may have been at it.
        match self.waiting(to, copy).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                outcome.summary = format!("{}; {gone}", outcome.summary).into();
                outcome.after = Some(json!({ "copy": null }));
            }
            Err(_) => outcome = outcome.not_reread(),
        }
        Ok(outcome)
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
        let after = self.waiting(&guard.receiver, guard.id).await;
        let waits = after.as_ref().ok().map(Option::is_some);
        let receiver = Text::new(&guard.receiver);
        let claimed = before["lease_holder_node_id"].as_str().map(Text::new);
        let claimed = claimed.map_or_else(String::new, |who| format!("; {who} had claimed it"));
        let gone = format!("it does not wait for agent {receiver} any more{claimed}");
        let outcome =
            concluded(asked, waits.map(|waits| !waits), &gone, &format!("it still waits for agent {receiver}"));
        Ok(outcome.with(Some(facts(&before)), after.ok().flatten().as_ref().map(facts)))
    }

    async fn send_message(&mut self, outbound: &OutboundMessage, request: &str) -> Ended<Outcome> {
        if outbound.to.is_empty() || !outbound.to.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Outcome::refused("the control plane takes decimal agent ids only"));
        }
        let key = outbound_key(request);
        let body = json!({
            "sender_agent_id": OPERATOR_AGENT, "receiver_agent_id": outbound.to, "message_type": outbound.msg_type,
            "payload": outbound.payload, "idempotency_key": key,
        });
        Ok(match self.change(DELIVER, body).await? {
            Ok(Some(answer)) => Outcome::done(format!("message {} was delivered", answer["message_id"])),
            Ok(None) => Outcome::failed("this server does not deliver messages (404)"),
            Err(why) => Outcome::unknown(format!("{why}: it may have been told")),
        })
    }
}

impl Executor for ControlPlaneExecutor {
    fn execute<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Outcome> {
        Box::pin(self.execute_now(request))
    }
    fn record<'a>(&'a mut self, _: &'a ActionRequest) -> Working<'a, Result<(), String>> {
        Box::pin(std::future::ready(Err("a control plane keeps no op-log".into())))
    }
    fn was_applied<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Resolution> {
        Box::pin(self.was_applied_now(request))
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
        let summary = format!("its claim changed: {who} has it now");
        return Err(Box::new(Outcome::refused(summary).with(Some(facts(now)), None)));
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

fn not_done(response: &Response) -> Outcome {
    match response.status {
        401 | 403 => Outcome::read_only(response.explain()),
        _ => Outcome::failed(response.explain()),
    }
}

/// How a change ended: by what the server answered to it. What was read afterwards tells how things stand; it cannot take
/// back what the server confirmed, and it cannot prove who did what the server did not confirm.
fn concluded(asked: Result<Option<Value>, String>, holds: Option<bool>, yes: &str, no: &str) -> Outcome {
    match (asked, holds) {
        (Ok(Some(_)), Some(true)) => Outcome::done(yes),
        (Ok(Some(_)), Some(false)) => Outcome::done(format!("the server confirmed it, and now {no}")),
        (Ok(Some(_)), None) => Outcome::done("the server confirmed it; not read again").not_reread(),
        (Ok(None), Some(true)) => Outcome::refused(format!("the server did not find it (404): {yes}")),
        (Ok(None), _) => Outcome::failed("the server did not find it (404)"),
        (Err(why), Some(true)) => Outcome::already(format!("{why}; {yes}, by this attempt or by another")),
        (Err(why), Some(false)) => Outcome::unknown(format!("{why}; {no} so far")),
        (Err(why), None) => Outcome::unknown(format!("{why}, and it could not be read back")),
    }
}

/// The state of a node's flag, for people.
fn flag_now(name: &str, flags: Option<&Value>) -> String {
    let Some(flags) = flags else { return "the control plane does not know the node".into() };
    let on = flags[name] == true;
    let until = flags["maintenance_until_unix_ms"].as_i64().filter(|_| on && name == "maintenance");
    let until = until.map_or_else(String::new, |ms| format!(" until {}", utc(ms)));
    format!("{name} is {}{until}", if on { "set" } else { "cleared" })
}

fn outbound_key(request: &str) -> String {
    format!("lockkeeper-{request}")
}

fn text(value: &Value) -> Text {
    Text::new(value.as_str().unwrap_or("unknown"))
}
