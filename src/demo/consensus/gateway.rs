//! The JSON gateway of one member: the calls that a console makes, answered as the real one answers them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::cluster::{CLUSTER_ID, Cluster, IDS, MEMBERS, wire};
use crate::clock::wall_clock;
use crate::data::consensus::wire::encoded;

type Shared = Arc<Mutex<Cluster>>;

/// A member's view of the cluster.
#[derive(Clone)]
struct Member {
    cluster: Shared,
    at: usize,
}

/// The cluster itself.
pub fn lock(cluster: &Shared) -> MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The gateway of a member.
pub fn router(cluster: Shared, at: usize) -> Router {
    Router::new()
        .route("/v3/maintenance/status", post(|State(of): State<Member>| async move { of.answer(status).await }))
        .route("/v3/cluster/member/list", post(|State(of): State<Member>| async move { of.answer(list).await }))
        .route("/v3/kv/range", post(|State(of): State<Member>, body: Bytes| async move { of.led(&body, range).await }))
        .route("/v3/kv/txn", post(|State(of): State<Member>, body: Bytes| async move { of.led(&body, txn).await }))
        .route(
            "/v3/lease/timetolive",
            post(|State(of): State<Member>, body: Bytes| async move { of.led(&body, left).await }),
        )
        .route(
            "/v3/lease/revoke",
            post(|State(of): State<Member>, body: Bytes| async move { of.led(&body, revoke).await }),
        )
        .route(
            "/v3/maintenance/transfer-leadership",
            post(|State(of): State<Member>, body: Bytes| async move { of.led(&body, transfer).await }),
        )
        .route(
            "/v3/maintenance/defragment",
            post(|State(of): State<Member>| async move { of.answer(defragment).await }),
        )
        .route("/v3/watch", post(|State(of): State<Member>, body: Bytes| async move { of.watch(&body).await }))
        .with_state(Member { cluster, at })
}

impl Member {
    /// A frozen member takes a call and never answers.
    async fn awake(&self) {
        if !lock(&self.cluster).is_up[self.at] {
            std::future::pending::<()>().await;
        }
    }

    async fn answer(&self, with: fn(&Cluster, usize) -> Value) -> Response {
        self.awake().await;
        Json(with(&lock(&self.cluster), self.at)).into_response()
    }

    /// A call that needs a leader: without one it is refused at once.
    async fn led(&self, body: &[u8], with: fn(&mut Cluster, usize, &Value) -> Value) -> Response {
        self.awake().await;
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut cluster = lock(&self.cluster);
        if cluster.leader.is_none() {
            let error = json!({ "error": "etcdserver: no leader", "message": "etcdserver: no leader", "code": 14 });
            return (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response();
        }
        Json(with(&mut cluster, self.at, &body)).into_response()
    }

    /// One line a revision, from each prefix's first revision on.
    async fn watch(&self, body: &[u8]) -> Response {
        self.awake().await;
        let requests: Vec<Value> =
            serde_json::Deserializer::from_slice(body).into_iter::<Value>().filter_map(Result::ok).collect();
        let asked: Vec<(String, String, i64)> = requests
            .iter()
            .map(|request| {
                let create = &request["create_request"];
                let from = create["start_revision"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
                (text(&create["key"]), text(&create["range_end"]), from)
            })
            .collect();
        let (mut lines, changes) = {
            let cluster = lock(&self.cluster);
            let created = json!({ "result": { "header": header(&cluster, self.at), "created": true } });
            let mut lines = format!("{created}\n");
            for (revision, events) in &cluster.history {
                lines.push_str(&line(&cluster, self.at, *revision, events, &asked));
            }
            (Some(lines), cluster.changes.subscribe())
        };
        let (cluster, at) = (self.cluster.clone(), self.at);
        let first = lines.take().unwrap_or_default();
        let state = (Some(first), changes, cluster, at, asked);
        let lines = stream::unfold(state, |(first, mut changes, cluster, at, asked)| async move {
            if let Some(first) = first {
                return Some((Ok::<_, std::io::Error>(first), (None, changes, cluster, at, asked)));
            }
            match changes.recv().await {
                Ok((revision, events)) => {
                    let told = line(&lock(&cluster), at, revision, &events, &asked);
                    Some((Ok(told), (None, changes, cluster, at, asked)))
                }
                // Whoever reads too slowly begins again.
                Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => None,
            }
        });
        Body::from_stream(lines).into_response()
    }
}

/// The events of a revision that a watch asked for; nothing where there are none.
fn line(cluster: &Cluster, at: usize, revision: i64, events: &[Value], asked: &[(String, String, i64)]) -> String {
    let is_asked = |event: &&Value| {
        let name = text(&event["kv"]["key"]);
        asked.iter().any(|(from, end, first)| revision >= *first && within(&name, from, end))
    };
    let told: Vec<&Value> = events.iter().filter(is_asked).collect();
    if told.is_empty() {
        return String::new();
    }
    let mut head = header(cluster, at);
    head["revision"] = revision.to_string().into();
    format!("{}\n", json!({ "result": { "header": head, "events": told } }))
}

fn text(encoded: &Value) -> String {
    let bytes = encoded.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a key stands in a range; without an end it is one key.
fn within(name: &str, from: &str, end: &str) -> bool {
    if end.is_empty() { name == from } else { name >= from && (end == "\0" || name < end) }
}

fn header(cluster: &Cluster, at: usize) -> Value {
    json!({
        "cluster_id": CLUSTER_ID.to_string(), "member_id": IDS[at].to_string(),
        "revision": cluster.revision.to_string(), "raft_term": cluster.term.to_string(),
    })
}

fn status(cluster: &Cluster, at: usize) -> Value {
    let mut status = json!({
        "header": header(cluster, at), "version": "3.5.1", "dbSize": "2097152", "dbSizeInUse": "1835008",
        "raftIndex": cluster.index.to_string(), "raftTerm": cluster.term.to_string(),
        "raftAppliedIndex": cluster.index.to_string(),
    });
    match cluster.leader {
        Some(leader) => status["leader"] = IDS[leader].to_string().into(),
        None => status["errors"] = json!(["etcdserver: no leader"]),
    }
    status
}

fn list(cluster: &Cluster, at: usize) -> Value {
    let member =
        |n: usize| json!({ "ID": IDS[n].to_string(), "name": format!("m{}", n + 1), "clientURLs": [cluster.urls[n]] });
    json!({ "header": header(cluster, at), "members": (0..MEMBERS).map(member).collect::<Vec<_>>() })
}

fn range(cluster: &mut Cluster, at: usize, body: &Value) -> Value {
    let (from, end) = (text(&body["key"]), text(&body["range_end"]));
    let mut found: Vec<_> = cluster.keys.iter().filter(|(name, _)| within(name, &from, &end)).collect();
    let count = found.len();
    if body["sort_target"] == "CREATE" {
        found.sort_by_key(|(_, key)| key.create_revision);
    }
    if let Some(limit) = body["limit"].as_str().and_then(|text| text.parse().ok()) {
        found.truncate(limit);
    }
    let more = found.len() < count;
    let with_values = body["keys_only"] != true;
    let kvs: Vec<Value> = found.iter().map(|(name, key)| wire(name, key, with_values)).collect();
    let mut answer = json!({ "header": header(cluster, at), "count": count.to_string() });
    if body["count_only"] != true && !kvs.is_empty() {
        answer["kvs"] = kvs.into();
        answer["more"] = more.into();
    }
    answer
}

fn left(cluster: &mut Cluster, at: usize, body: &Value) -> Value {
    let lease: i64 = body["ID"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    match cluster.left(lease, wall_clock()) {
        Some((ttl, granted)) => {
            let mut answer = json!({
                "header": header(cluster, at), "ID": lease.to_string(), "TTL": ttl.to_string(), "grantedTTL": granted.to_string(),
            });
            if body["keys"] == true {
                answer["keys"] = cluster.keys_of(lease).iter().map(|name| encoded(name.as_bytes())).collect();
            }
            answer
        }
        None => json!({ "header": header(cluster, at), "ID": lease.to_string(), "TTL": "-1" }),
    }
}

fn revoke(cluster: &mut Cluster, at: usize, body: &Value) -> Value {
    let lease: i64 = body["ID"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    cluster.revoke(lease);
    json!({ "header": header(cluster, at) })
}

fn transfer(cluster: &mut Cluster, at: usize, body: &Value) -> Value {
    let to = IDS.iter().position(|id| body["targetID"] == id.to_string().as_str());
    if let Some(to) = to.filter(|to| cluster.is_up[*to] && cluster.leader != Some(*to)) {
        cluster.elect(to, wall_clock());
    }
    json!({ "header": header(cluster, at) })
}

fn defragment(cluster: &Cluster, at: usize) -> Value {
    json!({ "header": header(cluster, at) })
}

/// A transaction of comparisons, one delete, and one range where they do not hold.
fn txn(cluster: &mut Cluster, at: usize, body: &Value) -> Value {
    let rows = |name: &str| body[name].as_array().map_or(&[][..], Vec::as_slice);
    let holds = rows("compare").iter().all(|compare| {
        let (from, end) = (text(&compare["key"]), text(&compare["range_end"]));
        let wanted = |name: &str| compare[name].as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        let mut keys = cluster.keys.iter().filter(|(name, _)| within(name, &from, &end)).map(|(_, key)| key).peekable();
        match (compare["target"].as_str(), compare["result"].as_str()) {
            (Some("CREATE"), Some("EQUAL")) => {
                keys.peek().map_or(0, |key| key.create_revision) == wanted("create_revision")
            }
            (Some("CREATE"), Some("GREATER")) => keys.all(|key| key.create_revision > wanted("create_revision")),
            (Some("LEASE"), Some("EQUAL")) => keys.peek().is_some_and(|key| key.lease == wanted("lease")),
            _ => false,
        }
    });
    if !holds {
        let look = rows("failure").first().map(|request| request["request_range"].clone()).unwrap_or_default();
        let found = range(cluster, at, &look);
        return json!({ "header": header(cluster, at), "responses": [{ "response_range": found }] });
    }
    let gone: BTreeSet<String> =
        rows("success").iter().map(|request| text(&request["request_delete_range"]["key"])).collect();
    cluster.delete(&gone.into_iter().collect::<Vec<_>>());
    json!({ "header": header(cluster, at), "succeeded": true, "responses": [{ "response_delete_range": { "deleted": "1" } }] })
}
