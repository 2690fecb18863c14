//! The RPC port of the process that serves the realm: JSON-RPC 2.0, a JSON object a line, as the real one answers.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_util::codec::{Framed, LinesCodec};
use tokio_util::sync::CancellationToken;

use super::realm::{MOB_ID, Member, Realm};
use crate::clock::wall_clock;

/// Every call that it has.
const METHODS: &[&str] = &[
    "initialize",
    "runtime/host_info",
    "mob/list",
    "mob/status",
    "mob/members",
    "mob/member_status",
    "mob/events",
    "mob/flow_status",
    "mob/flow_cancel",
    "mob/stop_member_run",
    "mob/force_cancel",
    "mob/cancel_all_work",
    "mob/retire",
    "mob/respawn",
    "mob/wire",
    "mob/unwire",
    "mob/lifecycle",
];

/// Bytes of one request that are read at most.
const MOST_BYTES: usize = 1 << 20;

/// An error: its code, its message, and its data.
type Error = (i64, String, Value);

/// A free loopback port, and who listens there.
pub async fn listen() -> anyhow::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on the loopback")?;
    Ok((listener.local_addr()?, listener))
}

/// Serves a realm until the demo stops.
pub async fn serve(listener: TcpListener, realm: Arc<Mutex<Realm>>, stopped: CancellationToken) {
    loop {
        tokio::select! {
            () = stopped.cancelled() => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (realm, stopped) = (realm.clone(), stopped.clone());
                tokio::spawn(async move { stopped.run_until_cancelled(talk(stream, realm)).await });
            }
        }
    }
}

async fn talk(stream: TcpStream, realm: Arc<Mutex<Realm>>) {
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(MOST_BYTES));
    while let Some(Ok(line)) = lines.next().await {
        let request: Value = serde_json::from_str(&line).unwrap_or_default();
        let answer = match request["method"].as_str() {
            None => Some(Err((-32_700, "parse error".to_owned(), Value::Null))),
            Some(method) => answer(&mut *realm.lock().await, method, &request["params"]).await.transpose(),
        };
        let answer = match answer {
            Some(Ok(result)) => json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }),
            Some(Err((code, message, data))) => json!({ "jsonrpc": "2.0", "id": request["id"],
                "error": { "code": code, "message": message, "data": data } }),
            // It waits for what does not come.
            None => continue,
        };
        if lines.send(answer.to_string()).await.is_err() {
            return;
        }
    }
}

/// The answer to a call; none where the real server gives none.
async fn answer(realm: &mut Realm, method: &str, params: &Value) -> Result<Option<Value>, Error> {
    let now_ms = wall_clock();
    let word = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
    let invalid = |message: String| (-32_602, message, Value::Null);
    let broken = |error: libsql::Error| (-32_602, format!("internal error: {error}"), Value::Null);
    if method.starts_with("mob/") && params["mob_id"].as_str().is_some_and(|mob| mob != MOB_ID) {
        return Err(invalid(format!("mob not found: {}", word("mob_id"))));
    }
    let identity = word("agent_identity");
    let run = word("run_id");
    let no_member = || invalid(format!("mob member not found: {identity}"));
    Ok(Some(match method {
        "initialize" => json!({ "contract_version": "0.9.8", "methods": METHODS }),
        "runtime/host_info" => json!({ "realm": {
            "realm_id": "fleet", "instance_id": "desk-1", "backend": "sqlite", "state_root": realm.root } }),
        "mob/list" => json!({ "mobs": [status(realm)] }),
        "mob/status" => status(realm),
        "mob/members" => json!({ "mob_id": MOB_ID, "members": realm.members.iter().map(row).collect::<Vec<_>>() }),
        "mob/member_status" => realm.members.get(&identity).map_or_else(nobody, |member| progress(&identity, member)),
        "mob/events" => events(realm, params).await?,
        "mob/flow_status" => match realm.flows.get(&run) {
            Some(flow) => json!({ "run": { "run_id": run, "flow_id": flow.name, "status": flow.status } }),
            None => json!({}),
        },
        "mob/flow_cancel" => {
            if !realm.cancel_flow(&run) {
                return Err(invalid("invalid state transition: Running -> Running".into()));
            }
            json!({ "canceled": true })
        }
        "mob/stop_member_run" => {
            let member = realm.members.get(&identity).ok_or_else(no_member)?;
            let receipt = if member.run.as_ref() == Some(&run) {
                realm.end_run(&identity, now_ms);
                json!({ "outcome": "stopped", "run_id": run, "contributors": [] })
            } else {
                let mut receipt = json!({ "outcome": "not_current", "run_id": run });
                if let Some(current) = &member.run {
                    receipt["current_run_id"] = current.as_str().into();
                }
                receipt
            };
            json!({ "mob_id": MOB_ID, "agent_identity": identity, "receipt": receipt })
        }
        "mob/force_cancel" | "mob/cancel_all_work" => {
            let all = method == "mob/cancel_all_work";
            let identity = if all { named(&word("member_ref")).ok_or_else(no_member)? } else { identity };
            let hangs = realm.members.get(&identity).map(|member| member.hangs);
            match hangs {
                None => return Err(invalid(format!("mob member not found: {identity}"))),
                // Accepted, and it goes on.
                Some(true) => {}
                Some(false) => realm.end_run(&identity, now_ms),
            }
            if all { json!({ "mob_id": MOB_ID, "ok": true }) } else { json!({ "cancelled": true }) }
        }
        "mob/retire" => {
            if realm.members.contains_key(&identity) {
                realm.retire(&identity, now_ms).await.map_err(broken)?;
            }
            json!({ "retired": true })
        }
        "mob/respawn" => {
            if !realm.respawn(&identity, now_ms).await.map_err(broken)? {
                return Err(no_member());
            }
            json!({ "status": "completed", "receipt": { "identity": identity, "member_ref": reference(&identity) } })
        }
        "mob/wire" | "mob/unwire" => {
            let on = method == "mob/wire";
            let peer = params["peer"]["local"].as_str().unwrap_or_default();
            realm.wire(&word("member"), peer, on, now_ms).await.map_err(broken)?;
            json!({ (if on { "wired" } else { "unwired" }): true })
        }
        "mob/lifecycle" => {
            let action = word("action");
            if !realm.stop(action == "stop", now_ms).await.map_err(broken)? {
                return Ok(None);
            }
            json!({ "mob_id": MOB_ID, "action": action, "ok": true })
        }
        _ => return Err((-32_601, format!("Method not found: {method}"), Value::Null)),
    }))
}

fn status(realm: &Realm) -> Value {
    json!({ "mob_id": MOB_ID, "status": if realm.is_stopped { "Stopped" } else { "Running" } })
}

fn row((identity, member): (&String, &Member)) -> Value {
    json!({ "agent_identity": identity, "member_ref": reference(identity), "role": member.role,
        "runtime_mode": "turn_driven", "wired_to": member.wired_to, "status": "active", "is_final": false })
}

fn progress(identity: &str, member: &Member) -> Value {
    let at_work = member.run.is_some();
    json!({ "status": "active", "member_ref": reference(identity), "tokens_used": 0, "is_final": false, "progress": {
        "run_state": if at_work { "run_open" } else { "idle" }, "in_flight_work": 0,
        "last_progress_at_ms": member.progress_ms, "last_progress_event": "unchanged",
        // A member that is busy is not looked into.
        "health": if at_work { "unknown" } else { "healthy" } } })
}

fn nobody() -> Value {
    json!({ "status": "unknown", "is_final": true, "progress": { "run_state": "unknown", "in_flight_work": 0,
        "last_progress_at_ms": 0, "last_progress_event": "unchanged", "health": "unknown" } })
}

async fn events(realm: &Realm, params: &Value) -> Result<Value, Error> {
    let after = params["after_cursor"].as_i64().unwrap_or(0);
    if params["strict"] == true && after > realm.cursor {
        let data = json!({ "watermark": realm.cursor, "requested": after });
        return Err((-32_027, "stale event cursor".into(), data));
    }
    let most = params["limit"].as_i64().unwrap_or(100);
    let events = realm.events_after(after, most).await;
    events.map(|events| json!({ "events": events })).map_err(|e| (-32_602, e.to_string(), Value::Null))
}

/// A reference to a member, as the wire has it.
fn reference(identity: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({ "a": identity, "m": MOB_ID }).to_string())
}

fn named(reference: &str) -> Option<String> {
    let decoded: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(reference).ok()?).ok()?;
    Some(decoded["a"].as_str()?.to_owned())
}
