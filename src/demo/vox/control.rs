//! The simulated control plane: answers like a Vox control plane does, statuses and texts included.
#![allow(clippy::result_large_err, reason = "a refusal is an answer, and answers are large")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::world::World;
use crate::clock::wall_clock;
use crate::model::time::Millis;

const FEATURES: &str = "mesh-auth-v1,a2a-observe-v1,quarantine-v1,maintenance-v1,maintenance-deadline-v1,lease-renew-v1,\
exec-lease-v1,exec-lease-admin-revoke-v1,exec-lease-persist-v1,a2a-inbox-limit-v1,jwt-bearer-v1,result-attest-v1,detached-results-v1";
const MAX_BODY: usize = 512 * 1024;
const LEASE_MS: Millis = 120_000;
const MESSAGES: &str = "a2a-store.json";
const LEASES: &str = "exec-lease-store.json";

/// Bearer tokens by role. With none set every route is open.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    pub mesh: Option<String>,
    pub worker: Option<String>,
    pub submitter: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Mesh,
    Worker,
    Submitter,
}

/// What a control plane knows, in memory.
#[derive(Debug, Default)]
pub struct Plane {
    /// Where messages and leases are kept too, as Vox keeps them: each as one file, written whole whenever it is read.
    store: Option<PathBuf>,
    tokens: Tokens,
    pub nodes: Vec<Value>,
    pub leases: Vec<Value>,
    pub messages: Vec<Value>,
    /// Leases that an operator ended since anybody asked.
    revoked: Vec<String>,
    next_lease: u64,
    next_message: u64,
}

impl Plane {
    /// An empty one.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self { tokens, next_lease: 1, next_message: 1, ..Self::default() }
    }

    /// The same, which keeps messages and leases in a folder.
    #[must_use]
    pub fn kept_in(self, folder: PathBuf) -> Self {
        Self { store: Some(folder), ..self }
    }

    /// Writes one of its stores, if it has any.
    fn keep(&self, name: &str, rows: &[Value]) -> Result<(), Response> {
        let Some(folder) = &self.store else { return Ok(()) };
        let failed = |_| text(StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be written");
        let (path, next) = (folder.join(name), folder.join(format!("{name}.next")));
        let bytes = serde_json::to_vec(rows).unwrap_or_default();
        std::fs::write(&next, bytes).and_then(|()| std::fs::rename(&next, &path)).map_err(failed)
    }

    /// The id of the next message, where some were put in by hand.
    pub fn set_next_message(&mut self, id: u64) {
        self.next_message = id;
    }

    fn role(&self, headers: &HeaderMap) -> Result<Role, Response> {
        let t = &self.tokens;
        if t.mesh.is_none() && t.worker.is_none() && t.submitter.is_none() {
            return Ok(Role::Mesh);
        }
        let bearer = headers.get("authorization").and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        let is = |token: &Option<String>| bearer.is_some() && bearer == token.as_deref();
        if is(&t.mesh) {
            Ok(Role::Mesh)
        } else if is(&t.worker) {
            Ok(Role::Worker)
        } else if is(&t.submitter) {
            Ok(Role::Submitter)
        } else {
            Err((StatusCode::UNAUTHORIZED, "unauthorized").into_response())
        }
    }

    fn node(&mut self, id: &str) -> Option<&mut Value> {
        self.nodes.iter_mut().find(|n| n["id"] == id)
    }
}

/// A plane that several tasks use.
pub type Shared = Arc<Mutex<Plane>>;

fn lock(plane: &Shared) -> MutexGuard<'_, Plane> {
    plane.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The leases that were revoked since the last time.
#[must_use]
pub fn take_revoked(plane: &Shared) -> Vec<String> {
    std::mem::take(&mut lock(plane).revoked)
}

/// Shows the simulated world on the control plane.
pub fn mirror(plane: &Shared, world: &World, now_ms: Millis) {
    let mut plane = lock(plane);
    for node in &world.nodes {
        let seen = node.last_beat.min(now_ms);
        match plane.node(&node.id) {
            Some(known) => known["last_seen_unix_ms"] = seen.into(),
            None => {
                let labels = if node.gpu { json!(["gpu", "pool=train"]) } else { json!(["region=us-west"]) };
                plane.nodes.push(node_record(
                    &json!({
                        "id": node.id, "version": "0.5.0", "capabilities": { "labels": labels, "gpu_cuda": node.gpu },
                        "listen_addr": format!("http://{}.mesh.example:9847", node.id),
                    }),
                    seen,
                ));
            }
        }
    }
    let revoked = plane.revoked.clone();
    plane.leases = world
        .leases
        .iter()
        .filter(|lease| !revoked.contains(&lease.id.to_string()))
        .map(|l| json!({"lease_id": l.id.to_string(), "scope_key": format!("task:{}", l.task), "holder_node_id": l.node, "expires_unix_ms": l.expires}))
        .collect();
}

fn node_record(given: &Value, seen: Millis) -> Value {
    let mut capabilities = json!({
        "gpu_cuda": false, "gpu_metal": false, "gpu_vulkan": false, "gpu_webgpu": false, "npu": false,
        "visus_eligible": false, "multi_modal": false, "prefer_gpu_compute": false,
        "is_low_confidence_bypass_blocked": false, "force_socrates_research": false,
    });
    for (key, value) in given["capabilities"].as_object().into_iter().flatten() {
        // An empty list of labels is left out.
        if value != &json!([]) {
            capabilities[key] = value.clone();
        }
    }
    let mut record = json!({
        "id": given["id"], "capabilities": capabilities, "version": given["version"],
        "last_seen_unix_ms": seen, "memory_free_bytes": null,
    });
    for key in ["listen_addr", "scope_id"] {
        if !given[key].is_null() {
            record[key] = given[key].clone();
        }
    }
    record
}

/// The routes of a control plane.
pub fn router(plane: Shared) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/v1/populi/nodes", get(nodes))
        .route("/v1/populi/exec/leases", get(leases))
        .route("/v1/populi/queue/stats", get(queue_stats))
        .route("/v1/populi/join", post(join))
        .route("/v1/populi/heartbeat", post(join))
        .route("/v1/populi/leave", post(leave))
        .route("/v1/populi/exec/lease/grant", post(grant))
        .route("/v1/populi/a2a/deliver", post(deliver))
        .route("/v1/populi/a2a/inbox", post(inbox))
        .route("/v1/populi/a2a/ack", post(acknowledge))
        .route("/v1/populi/admin/exec-lease/revoke", post(revoke))
        .route("/v1/populi/admin/quarantine", post(quarantine))
        .route("/v1/populi/admin/maintenance", post(maintenance))
        .with_state(plane)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::map_response(stamp))
}

/// Every answer carries the features; the server adds the date.
async fn stamp(mut response: Response) -> Response {
    response.headers_mut().insert(HeaderName::from_static("x-populi-feature"), HeaderValue::from_static(FEATURES));
    response
}

type Reply = Result<Response, Response>;

fn text(status: StatusCode, body: &'static str) -> Response {
    (status, body).into_response()
}

fn forbid(allowed: bool, body: &'static str) -> Result<(), Response> {
    if allowed { Ok(()) } else { Err(text(StatusCode::FORBIDDEN, body)) }
}

/// Reads a body: 415 for another type, 400 for no JSON, 422 for a missing field.
fn body(headers: &HeaderMap, bytes: &Bytes, required: &[&'static str]) -> Result<Value, Response> {
    let json_type =
        headers.get("content-type").and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("application/json"));
    if !json_type {
        return Err(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Expected request with `Content-Type: application/json`"));
    }
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|_| text(StatusCode::BAD_REQUEST, "Failed to parse the request body as JSON"))?;
    match required.iter().find(|field| value[**field].is_null()) {
        None => Ok(value),
        Some(field) => Err((
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("Failed to deserialize the JSON body: missing field `{field}`"),
        )
            .into_response()),
    }
}

fn decimal(value: &Value) -> bool {
    value.as_str().is_some_and(|s| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()))
}

async fn nodes(State(plane): State<Shared>, headers: HeaderMap) -> Reply {
    let plane = lock(&plane);
    forbid(plane.role(&headers)? != Role::Submitter, "populi: worker/mesh/admin token required")?;
    let pending = plane.messages.iter().filter(|m| m["acknowledged"] == false).count();
    Ok(axum::Json(json!({ "schema_version": 1, "nodes": plane.nodes, "queue_depth": pending })).into_response())
}

async fn leases(State(plane): State<Shared>, headers: HeaderMap) -> Reply {
    let plane = lock(&plane);
    forbid(plane.role(&headers)? == Role::Mesh, "populi: mesh/admin bearer required for exec lease list")?;
    plane.keep(LEASES, &plane.leases)?;
    Ok(axum::Json(json!({ "leases": plane.leases })).into_response())
}

async fn queue_stats(State(plane): State<Shared>, headers: HeaderMap) -> Reply {
    let plane = lock(&plane);
    forbid(plane.role(&headers)? != Role::Submitter, "populi: worker/mesh/admin token required")?;
    let (mut kinds, mut priorities) = (serde_json::Map::new(), serde_json::Map::new());
    let pending: Vec<_> = plane.messages.iter().filter(|m| m["acknowledged"] == false).collect();
    for message in &pending {
        let count = |map: &mut serde_json::Map<String, Value>, key: String| {
            let n = map.get(&key).and_then(Value::as_u64).unwrap_or(0);
            map.insert(key, (n + 1).into());
        };
        if let Some(kind) = message["task_kind"].as_str() {
            count(&mut kinds, kind.to_owned());
        }
        count(&mut priorities, message["priority"].to_string());
    }
    Ok(axum::Json(
        json!({ "pending_count": pending.len(), "pending_by_kind": kinds, "pending_by_priority": priorities }),
    )
    .into_response())
}

async fn join(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? != Role::Submitter, "populi: worker/mesh/admin token required")?;
    let given = body(&headers, &bytes, &["id"])?;
    let now = wall_clock();
    let id = given["id"].as_str().unwrap_or_default().to_owned();
    let record = match plane.node(&id) {
        Some(known) => {
            known["last_seen_unix_ms"] = now.into();
            known.clone()
        }
        None => {
            let record = node_record(&given, now);
            plane.nodes.push(record.clone());
            record
        }
    };
    Ok(axum::Json(record).into_response())
}

async fn leave(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    plane.role(&headers)?;
    let given = body(&headers, &bytes, &["id"])?;
    let before = plane.nodes.len();
    plane.nodes.retain(|n| n["id"] != given["id"]);
    Ok(found(plane.nodes.len() < before))
}

fn found(yes: bool) -> Response {
    if yes { StatusCode::NO_CONTENT.into_response() } else { StatusCode::NOT_FOUND.into_response() }
}

async fn grant(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? != Role::Submitter, "populi: worker/mesh/admin token required")?;
    let given = body(&headers, &bytes, &["claimer_node_id", "scope_key"])?;
    let now = wall_clock();
    let Some(node) = plane.nodes.iter().find(|n| n["id"] == given["claimer_node_id"]) else {
        return Ok(text(StatusCode::FORBIDDEN, "populi: unknown claimer_node_id (join node first)"));
    };
    if node["quarantined"] == true {
        return Ok(text(StatusCode::FORBIDDEN, "populi: node is quarantined"));
    }
    plane.leases.retain(|l| l["expires_unix_ms"].as_i64().is_some_and(|at| at > now));
    if let Some(held) = plane.leases.iter().find(|l| l["scope_key"] == given["scope_key"])
        && held["holder_node_id"] != given["claimer_node_id"]
    {
        return Ok(text(StatusCode::CONFLICT, "populi: scope_key already leased to another node"));
    }
    let lease = json!({"lease_id": plane.next_lease.to_string(), "scope_key": given["scope_key"], "holder_node_id": given["claimer_node_id"], "expires_unix_ms": now + LEASE_MS});
    plane.next_lease += 1;
    plane.leases.push(lease.clone());
    Ok(axum::Json(lease).into_response())
}

async fn deliver(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? != Role::Worker, "populi: submitter/mesh/admin token required for a2a/deliver")?;
    let given = body(&headers, &bytes, &["sender_agent_id", "receiver_agent_id", "message_type", "payload"])?;
    if !decimal(&given["sender_agent_id"]) {
        return Ok(text(
            StatusCode::BAD_REQUEST,
            "populi: sender_agent_id must be a non-empty decimal digit string (orchestrator agent id)",
        ));
    }
    if !decimal(&given["receiver_agent_id"]) {
        return Ok(text(
            StatusCode::BAD_REQUEST,
            "populi: receiver_agent_id must be a non-empty decimal digit string (orchestrator agent id)",
        ));
    }
    let dedupe = given["idempotency_key"].as_str().map(|key| {
        let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        format!("{}\u{1f}{}\u{1f}{key}", word(&given["sender_agent_id"]), word(&given["receiver_agent_id"]))
    });
    // The key holds only while the message is pending.
    let same = plane.messages.iter().find(|m| {
        m["acknowledged"] == false && dedupe.is_some() && m["idempotency_dedupe_key"].as_str() == dedupe.as_deref()
    });
    if let Some(same) = same {
        return Ok(axum::Json(json!({ "accepted": true, "message_id": same["id"] })).into_response());
    }
    let id = plane.next_message;
    plane.next_message += 1;
    let mut message = json!({
        "id": id, "sender_agent_id": given["sender_agent_id"], "receiver_agent_id": given["receiver_agent_id"],
        "message_type": given["message_type"], "payload": given["payload"], "created_unix_ms": wall_clock(), "acknowledged": false,
    });
    if let Some(key) = dedupe {
        message["idempotency_dedupe_key"] = key.into();
    }
    message["priority"] = given["priority"].as_i64().unwrap_or(128).into();
    for key in ["task_kind", "privacy_class", "model_id", "traceparent"] {
        if !given[key].is_null() {
            message[key] = given[key].clone();
        }
    }
    plane.messages.push(message);
    plane.keep(MESSAGES, &plane.messages)?;
    Ok(axum::Json(json!({ "accepted": true, "message_id": id })).into_response())
}

async fn inbox(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? != Role::Submitter, "populi: worker/mesh/admin token required for a2a/inbox")?;
    let given = body(&headers, &bytes, &["receiver_agent_id"])?;
    let most = given["max_messages"].as_u64().unwrap_or(64).min(256);
    let before = given["before_message_id"].as_u64().unwrap_or(u64::MAX);
    let mut rows: Vec<&mut Value> = plane
        .messages
        .iter_mut()
        .filter(|m| {
            m["receiver_agent_id"] == given["receiver_agent_id"]
                && m["acknowledged"] == false
                && m["id"].as_u64().is_some_and(|id| id < before)
        })
        .collect();
    rows.sort_by_key(|m| std::cmp::Reverse(m["id"].as_u64()));
    rows.truncate(usize::try_from(most).unwrap_or(64));
    if !given["claimer_node_id"].is_null() {
        for message in &mut rows {
            message["lease_holder_node_id"] = given["claimer_node_id"].clone();
            message["lease_expires_unix_ms"] = (wall_clock() + LEASE_MS).into();
        }
    }
    let rows: Vec<Value> = rows.into_iter().map(|m| m.clone()).collect();
    plane.keep(MESSAGES, &plane.messages)?;
    Ok(axum::Json(json!({ "messages": rows })).into_response())
}

async fn acknowledge(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? != Role::Submitter, "populi: worker/mesh/admin token required for a2a/ack")?;
    let given = body(&headers, &bytes, &["receiver_agent_id", "message_id"])?;
    let message = plane
        .messages
        .iter_mut()
        .find(|m| m["id"] == given["message_id"] && m["receiver_agent_id"] == given["receiver_agent_id"]);
    let known = message.is_some();
    if let Some(message) = message {
        message["acknowledged"] = true.into();
    }
    Ok(found(known))
}

async fn revoke(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? == Role::Mesh, "populi: mesh/admin bearer required for exec lease revoke")?;
    let given = body(&headers, &bytes, &["lease_id"])?;
    let before = plane.leases.len();
    plane.leases.retain(|l| l["lease_id"] != given["lease_id"]);
    let known = plane.leases.len() < before;
    if let Some(id) = given["lease_id"].as_str().filter(|_| known) {
        plane.revoked.push(id.to_owned());
    }
    Ok(found(known))
}

async fn quarantine(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? == Role::Mesh, "populi: mesh/admin bearer required for quarantine")?;
    let given = body(&headers, &bytes, &["node_id", "quarantined"])?;
    let node = plane.node(given["node_id"].as_str().unwrap_or_default());
    let known = node.is_some();
    if let Some(node) = node {
        set_flag(node, "quarantined", given["quarantined"] == true);
    }
    Ok(found(known))
}

async fn maintenance(State(plane): State<Shared>, headers: HeaderMap, bytes: Bytes) -> Reply {
    let mut plane = lock(&plane);
    forbid(plane.role(&headers)? == Role::Mesh, "populi: mesh/admin bearer required for maintenance")?;
    let given = body(&headers, &bytes, &["node_id", "maintenance"])?;
    let node = plane.node(given["node_id"].as_str().unwrap_or_default());
    let known = node.is_some();
    if let Some(node) = node {
        set_flag(node, "maintenance", given["maintenance"] == true);
        let until = given["maintenance_for_ms"].as_i64().map(|ms| wall_clock() + ms);
        if let Some(until) = until.or_else(|| given["maintenance_until_unix_ms"].as_i64()) {
            node["maintenance_until_unix_ms"] = until.into();
        }
    }
    Ok(found(known))
}

/// A flag that is not set is left out.
fn set_flag(node: &mut Value, name: &str, on: bool) {
    if on {
        node[name] = true.into();
    } else if let Some(fields) = node.as_object_mut() {
        fields.remove(name);
    }
}
