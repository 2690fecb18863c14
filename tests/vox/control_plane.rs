//! A control plane that is well, and one that is not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use lockkeeper::clock::wall_clock;
use lockkeeper::config::address::Address;
use lockkeeper::config::token::Token;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::data::vox::control_plane::ControlPlane;
use lockkeeper::data::vox::control_plane::client::Client;
use lockkeeper::demo::vox::control;
use lockkeeper::demo::vox::control::{Plane, Tokens};
use lockkeeper::model::observation::{Change, Presence};
use lockkeeper::model::source::{Fault, FaultKind};
use serde_json::{Value, json};

async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

fn source(base: &str, token: Option<&str>) -> (ControlPlane, Option<tempfile::NamedTempFile>) {
    let file = token.map(|token| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), token).unwrap();
        file
    });
    let token = file.as_ref().map(|file| Token::File(file.path().to_owned()));
    let client =
        Client::new(Address::of_control(base).unwrap(), token, 1 << 20, Duration::from_millis(500), wall_clock);
    (ControlPlane::new(client), file)
}

fn tokens() -> Tokens {
    Tokens { mesh: Some("m".into()), worker: Some("w".into()), submitter: Some("s".into()) }
}

async fn filled(tokens: Tokens) -> (String, control::Shared) {
    let plane = Arc::new(Mutex::new(Plane::new(tokens)));
    let base = serve(control::router(plane.clone())).await;
    let http = reqwest_client();
    for (path, body) in [
        ("join", json!({"id": "ci-7", "version": "0.5.0", "capabilities": {"labels": ["gpu"]}})),
        ("exec/lease/grant", json!({"claimer_node_id": "ci-7", "scope_key": "task:42"})),
        (
            "a2a/deliver",
            json!({"sender_agent_id": "1", "receiver_agent_id": "2", "message_type": "free_form", "payload": "hello"}),
        ),
    ] {
        let url = format!("{base}/v1/populi/{path}");
        let answer = http.post(url).bearer_auth("m").json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
    }
    (base, plane)
}

fn reqwest_client() -> reqwest::Client {
    let tls = lockkeeper::data::tls::Tls::default().config(false).unwrap();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

fn knows(agents: &[&str]) -> PollContext {
    PollContext { agents: agents.iter().map(|a| (*a).into()).collect(), shown: None }
}

#[tokio::test]
async fn everything_is_read_and_nothing_is_claimed() {
    let (base, plane) = filled(tokens()).await;
    let (mut source, _file) = source(&base, Some("m"));
    let seen = source.poll(&knows(&["2", "not-a-number", "99"])).await.unwrap();
    let mut found = (0, 0, 0, 0);
    for change in &seen.changes {
        match change {
            Change::Registry(rows) => found.0 = rows.len(),
            Change::Leases(rows) => found.1 = rows.len(),
            Change::LiveMessages(_, rows) => found.2 = rows.len(),
            Change::Queue(Some(stats)) => found.3 = stats.pending_count,
            _ => {}
        }
    }
    assert_eq!(found, (1, 1, 1, 1));
    let message = plane.lock().unwrap().messages[0].clone();
    assert_eq!(message["lease_holder_node_id"], Value::Null, "an observer claims nothing");
    assert!(seen.clock.is_some());
}

/// C3: nothing names the agent that a message waits for.
#[tokio::test]
async fn what_waits_for_agents_that_nobody_names_is_said() {
    let (base, _plane) = filled(tokens()).await;
    let printed = |seen: lockkeeper::model::observation::Observation| {
        seen.unseen.unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let (mut blind, _file) = source(&base, Some("m"));
    let sent = printed(blind.poll(&PollContext::default()).await.unwrap());
    assert!(sent.contains("1 of 1 waiting messages are not seen") && sent.contains("control_agents"), "{sent}");
    let sent = printed(blind.poll(&knows(&["2"])).await.unwrap());
    assert_eq!(sent, "");
    let (plain, _file) = source(&base, Some("m"));
    let mut named = plain.asking(&["2".to_owned()]);
    assert_eq!(printed(named.poll(&PollContext::default()).await.unwrap()), "");
}

#[tokio::test]
async fn roles_are_explained_and_the_rest_is_shown() {
    let (base, _plane) = filled(tokens()).await;
    let (mut worker, _file) = source(&base, Some("w"));
    let seen = worker.poll(&knows(&["2"])).await.unwrap();
    assert!(seen.changes.iter().any(|c| matches!(c, Change::Registry(rows) if rows.len() == 1)));
    let denied = seen.probe.unwrap().of("exec leases").cloned();
    assert!(
        matches!(&denied, Some(Presence::Denied(why)) if why.as_str().contains("needs a mesh or admin token")),
        "{denied:?}"
    );

    for (token, printed) in [(None, "give a mesh or admin token"), (Some("wrong"), "a JWT works only once")] {
        let (mut source, _file) = source(&base, token);
        let fault = source.poll(&PollContext::default()).await.unwrap_err();
        assert!(fault.to_string().contains("401") && fault.to_string().contains(printed), "{fault}");
        assert_eq!(fault.kind, FaultKind::Setup);
    }
}

/// How a server answers a path.
type Manner = fn(&str) -> Response;

/// A server that answers one way, and counts what it is asked.
#[derive(Clone)]
struct Odd {
    asked: Arc<Mutex<Vec<String>>>,
    answer: Manner,
}

async fn odd(answer: Manner) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let state = Odd { asked: asked.clone(), answer };
    let all = |State(odd): State<Odd>, uri: Uri, _body: Bytes| async move {
        odd.asked.lock().unwrap().push(uri.path().to_owned());
        if uri.path() == "/health" { "ok\n".into_response() } else { (odd.answer)(uri.path()) }
    };
    (serve(axum::Router::new().fallback(all).with_state(state)).await, asked)
}

async fn fault_of(answer: Manner) -> Fault {
    let (base, _) = odd(answer).await;
    let (mut source, _file) = source(&base, Some("m"));
    source.poll(&PollContext::default()).await.unwrap_err()
}

#[tokio::test]
async fn what_an_older_server_does_not_offer_is_remembered() {
    let (base, asked) = odd(|path| match path {
        "/v1/populi/nodes" => axum::Json(json!({"schema_version": 1, "nodes": []})).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    let (mut source, _file) = source(&base, None);
    for _ in 0..20 {
        source.poll(&knows(&["1"])).await.unwrap();
    }
    let asked = asked.lock().unwrap();
    let count = |path: &str| asked.iter().filter(|p| *p == path).count();
    assert_eq!(count("/v1/populi/nodes"), 20);
    assert_eq!(count("/v1/populi/queue/stats"), 1);
    assert_eq!(count("/v1/populi/a2a/inbox"), 1);
}

/// I6: reading an inbox makes the server write, so one is read only if something says that it changed.
#[tokio::test]
async fn an_inbox_that_did_not_change_is_not_read_again() {
    let (base, asked) = odd(|path| match path {
        "/v1/populi/nodes" => axum::Json(json!({"schema_version": 1, "nodes": []})).into_response(),
        "/v1/populi/exec/leases" => axum::Json(json!({"leases": []})).into_response(),
        "/v1/populi/queue/stats" => {
            axum::Json(json!({"pending_count": 0, "pending_by_kind": {}, "pending_by_priority": {}})).into_response()
        }
        _ => axum::Json(json!({"messages": []})).into_response(),
    })
    .await;
    let count = || asked.lock().unwrap().iter().filter(|p| *p == "/v1/populi/a2a/inbox").count();
    // The database shows all that waits.
    let (mut beside, _file) = source(&base, None);
    let shown = PollContext { shown: Some(0), ..knows(&["1", "2", "3"]) };
    for _ in 0..20 {
        beside.poll(&shown).await.unwrap();
    }
    assert_eq!(count(), 0);
    let (mut alone, _file) = source(&base, None);
    for _ in 0..20 {
        alone.poll(&knows(&["1", "2", "3"])).await.unwrap();
    }
    assert!((3..=5).contains(&count()), "each once, and one now and then: {}", count());
}

#[tokio::test]
async fn every_way_to_fail_is_told_apart() {
    let cases: &[(Manner, &str, FaultKind)] = &[
        (|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), "failed (500)", FaultKind::Transient),
        (
            |_| (StatusCode::UNPROCESSABLE_ENTITY, "missing field").into_response(),
            "(422: missing field)",
            FaultKind::Transient,
        ),
        (|_| StatusCode::TOO_MANY_REQUESTS.into_response(), "asks for patience (429)", FaultKind::Busy),
        (|_| StatusCode::SERVICE_UNAVAILABLE.into_response(), "asks for patience (503)", FaultKind::Busy),
        (|_| "\u{1b}[2J<html>".into_response(), "is not what it should be", FaultKind::Transient),
        (|_| vec![b'x'; 50 << 20].into_response(), "larger than 1.0 MB", FaultKind::Setup),
        (|_| (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response(), "redirects", FaultKind::Setup),
    ];
    for (answer, printed, kind) in cases {
        let fault = fault_of(*answer).await;
        assert!(fault.to_string().contains(printed), "{printed}: {fault}");
        assert_eq!(fault.kind, *kind, "{printed}");
        assert!(!fault.to_string().contains('\u{1b}'));
    }
}

#[tokio::test]
async fn slow_and_absent_servers_are_told_apart() {
    static HANGING: AtomicUsize = AtomicUsize::new(0);
    let hang = || async {
        HANGING.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    };
    let base = serve(axum::Router::new().fallback(hang)).await;
    let (mut slow, _file) = source(&base, None);
    let fault = slow.poll(&PollContext::default()).await.unwrap_err();
    assert!(fault.to_string().contains("no answer within 0.5 s"), "{fault}");
    assert_eq!(HANGING.load(Ordering::SeqCst), 1);

    let (mut down, _file) = source("http://127.0.0.1:1", None);
    let fault = down.poll(&PollContext::default()).await.unwrap_err();
    assert!(fault.to_string().contains("cannot reach http://127.0.0.1:1"), "{fault}");
}

#[tokio::test]
async fn odd_fields_become_unknown_and_secrets_are_dropped() {
    let (base, _) = odd(|path| match path {
        "/v1/populi/nodes" => axum::Json(json!({"nodes": [
            {"id": 7, "last_seen_unix_ms": "soon", "capabilities": null, "maintenance": "yes"}, "junk", null]}))
        .into_response(),
        "/v1/populi/exec/leases" => {
            axum::Json(json!({"leases": [{"lease_id": null, "expires_unix_ms": -5}]})).into_response()
        }
        "/v1/populi/queue/stats" => {
            axum::Json(json!({"pending_count": 3, "pending_by_kind": {"x": "many"}})).into_response()
        }
        _ => axum::Json(
            json!({"messages": [{"id": "x"}, {"id": 1, "payload": {"not": "text"}, "jwe_payload": "S3CRET"}]}),
        )
        .into_response(),
    })
    .await;
    let (mut source, _file) = source(&base, None);
    let seen = source.poll(&knows(&["1"])).await.unwrap();
    assert!(!format!("{seen:?}").contains("S3CRET"));
    let node =
        seen.changes.iter().find_map(|c| if let Change::Registry(rows) = c { rows.first() } else { None }).unwrap();
    assert_eq!((node.node_id.as_str(), node.last_seen_ms, node.maintenance), ("7", None, false));
}

/// The simulated control plane keeps to the statuses and texts that the contract records.
#[tokio::test]
async fn the_simulated_control_plane_keeps_the_contract() {
    let (base, _plane) = filled(tokens()).await;
    let http = reqwest_client();
    let lease = json!({"claimer_node_id": "ghost", "scope_key": "task:9"});
    let deliver = |from: &str, key: &str| json!({"sender_agent_id": from, "receiver_agent_id": "5", "message_type": "free_form", "payload": "x", "idempotency_key": key});
    let cases: &[(&str, &str, Value, u16, &str)] = &[
        ("exec/lease/grant", "m", lease, 403, "populi: unknown claimer_node_id (join node first)"),
        (
            "a2a/deliver",
            "m",
            deliver("planner", "k"),
            400,
            "populi: sender_agent_id must be a non-empty decimal digit string (orchestrator agent id)",
        ),
        ("a2a/deliver", "w", deliver("1", "k"), 403, "populi: submitter/mesh/admin token required for a2a/deliver"),
        ("a2a/deliver", "m", deliver("1", "k"), 200, r#"{"accepted":true,"message_id":2}"#),
        ("a2a/deliver", "m", deliver("1", "k"), 200, r#"{"accepted":true,"message_id":2}"#),
        ("a2a/ack", "m", json!({"receiver_agent_id": "5", "message_id": 2}), 204, ""),
        ("a2a/ack", "m", json!({"receiver_agent_id": "5", "message_id": 2}), 204, ""),
        ("a2a/ack", "m", json!({"receiver_agent_id": "5", "message_id": 999}), 404, ""),
        ("a2a/deliver", "m", deliver("1", "k"), 200, r#"{"accepted":true,"message_id":3}"#),
        ("a2a/ack", "m", json!({"receiver_agent_id": "5"}), 422, ""),
        (
            "admin/quarantine",
            "w",
            json!({"node_id": "ci-7", "quarantined": true}),
            403,
            "populi: mesh/admin bearer required for quarantine",
        ),
        ("admin/quarantine", "m", json!({"node_id": "ghost", "quarantined": true}), 404, ""),
        ("admin/quarantine", "m", json!({"node_id": "ci-7", "quarantined": true}), 204, ""),
        (
            "admin/maintenance",
            "m",
            json!({"node_id": "ci-7", "maintenance": true, "maintenance_for_ms": 60000}),
            204,
            "",
        ),
        ("admin/exec-lease/revoke", "m", json!({"lease_id": "1"}), 204, ""),
        ("admin/exec-lease/revoke", "m", json!({"lease_id": "1"}), 404, ""),
        ("leave", "m", json!({"id": "ci-7"}), 204, ""),
        ("leave", "m", json!({"id": "ci-7"}), 404, ""),
        ("nowhere", "m", json!({}), 404, ""),
        ("join", "x", json!({"id": "a"}), 401, "unauthorized"),
    ];
    for (path, token, body, status, printed) in cases {
        let answer = http.post(format!("{base}/v1/populi/{path}")).bearer_auth(token).json(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), *status, "{path} {body}");
        assert!(answer.headers().contains_key("x-populi-feature"), "{path}");
        let text = answer.text().await.unwrap();
        assert!(printed.is_empty() || text == *printed, "{path}: {text}");
    }
}
