//! What can be asked, and what is answered. Everything is a `GET`, and nothing changes anything.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::access::Token;
use super::board::{Board, Seen};
use super::mcp::Door;
use super::openmetrics::{Format, encode};
use super::{events, metrics};
use crate::answers::{self, Question};
use crate::clock::steady_clock;
use crate::columns::{PARTS, document};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::sources::SourceHealth;
use crate::model::text::escape_json;

/// Parameters of a question. Texts by name can be read from any query.
type Asked = Query<HashMap<String, String>>;

/// Every route. `/healthz` is for whoever asks; the others for those who name the token, where there is one.
pub fn routes(board: Arc<Board>, token: Option<Token>) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(scrape))
        .route("/readyz", get(ready))
        .route("/v1/snapshot", get(snapshot))
        .route("/v1/findings", get(findings))
        .route("/v1/who", get(who))
        .route("/v1/stuck", get(stuck))
        .route("/v1/why", get(why))
        .route("/v1/events", get(listen))
        .route_service("/mcp", Door::over_http(board.clone(), token.is_some()))
        .layer(middleware::from_fn_with_state(token, admit))
        .with_state(board);
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .merge(guarded)
        .fallback(unknown)
        .method_not_allowed_fallback(only_get)
}

/// An answer that is no answer: a word for programs, a sentence for people.
fn refused(status: StatusCode, word: &str, sentence: &str) -> Response {
    (status, document(&document::error(word, sentence))).into_response()
}

fn document(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], escape_json(text) + "\n").into_response()
}

async fn unknown() -> Response {
    let known =
        "/metrics, /healthz, /readyz, /v1/snapshot, /v1/findings, /v1/who, /v1/stuck, /v1/why, /v1/events, /mcp";
    refused(StatusCode::NOT_FOUND, "not-found", &format!("there is {known}"))
}

async fn only_get() -> Response {
    refused(StatusCode::METHOD_NOT_ALLOWED, "only-get", "ask with GET: nothing is changed from here")
}

async fn admit(State(token): State<Option<Token>>, request: Request, next: Next) -> Response {
    let host = given(&request, header::HOST);
    let authorization = given(&request, header::AUTHORIZATION);
    let Some(token) = token else {
        if is_this_machine(host.as_deref()) {
            return next.run(request).await;
        }
        // A page in a browser may have had its name moved to this address.
        let sentence = "call it by localhost or its address, or start it with --auth-file";
        return refused(StatusCode::FORBIDDEN, "wrong-host", sentence);
    };
    if token.is_named_by(authorization.as_deref()) {
        return next.run(request).await;
    }
    let mut answer = refused(StatusCode::UNAUTHORIZED, "unauthorized", "name the token: Authorization: Bearer TOKEN");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    answer
}

/// The text of a header.
fn given(request: &Request, name: header::HeaderName) -> Option<String> {
    request.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// Whether a `Host` header names this machine. Browsers always send one.
fn is_this_machine(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

async fn scrape(State(board): State<Arc<Board>>, headers: HeaderMap) -> Response {
    let format = Format::of(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()));
    let registry = metrics::registry(&board.names, &board.all(), board.node_series, steady_clock());
    ([(header::CONTENT_TYPE, format.media_type())], encode(&registry, format)).into_response()
}

/// Ready where every mesh was seen, and each has a source that answers.
async fn ready(State(board): State<Arc<Board>>) -> Response {
    let live = |seen: &Seen| seen.snapshot.sources.iter().any(|source| source.health == SourceHealth::Live);
    let lacking: Vec<&str> = board
        .names
        .iter()
        .zip(board.all())
        .filter(|(_, seen)| !seen.as_ref().is_some_and(|seen| live(seen)))
        .map(|(name, _)| name.as_str())
        .collect();
    if lacking.is_empty() {
        return "ok\n".into_response();
    }
    refused(StatusCode::SERVICE_UNAVAILABLE, "not-ready", &format!("no source answers in {}", lacking.join(", ")))
}

/// The newest snapshots of the meshes that are asked for.
fn chosen(board: &Board, asked: &HashMap<String, String>) -> Result<Vec<Arc<Snapshot>>, Box<Response>> {
    let wanted = asked.get("mesh");
    if let Some(name) = wanted.filter(|name| !board.names.contains(name)) {
        let sentence = format!("there is no mesh {name}; there is {}", board.names.join(", "));
        return Err(Box::new(refused(StatusCode::BAD_REQUEST, "unknown-mesh", &sentence)));
    }
    let all = board.names.iter().zip(board.all()).filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let seen: Option<Vec<Arc<Snapshot>>> = all.map(|(_, seen)| seen.map(|seen| seen.snapshot.clone())).collect();
    let starting =
        || Box::new(refused(StatusCode::SERVICE_UNAVAILABLE, "starting", "a mesh was not seen yet; ask again"));
    seen.ok_or_else(starting)
}

fn parts(board: &Board, asked: &HashMap<String, String>, part: Option<&str>) -> Response {
    if let Some(part) = part.filter(|part| PARTS.iter().all(|known| known.name() != *part)) {
        let names: Vec<&str> = PARTS.iter().map(|part| part.name()).collect();
        let sentence = format!("there is no view {part}; there is {}", names.join(", "));
        return refused(StatusCode::BAD_REQUEST, "unknown-view", &sentence);
    }
    match chosen(board, asked) {
        Ok(seen) => document(&document::snapshots(seen.iter().map(|snapshot| &**snapshot), part)),
        Err(answer) => *answer,
    }
}

async fn snapshot(State(board): State<Arc<Board>>, Query(asked): Asked) -> Response {
    parts(&board, &asked, asked.get("view").map(String::as_str))
}

async fn findings(State(board): State<Arc<Board>>, Query(asked): Asked) -> Response {
    parts(&board, &asked, Some("findings"))
}

fn answered(board: &Board, asked: &HashMap<String, String>, question: Question<'_>) -> Response {
    match chosen(board, asked) {
        Ok(seen) => document(&answers::answer(question, seen.iter().map(|snapshot| &**snapshot)).json()),
        Err(answer) => *answer,
    }
}

async fn who(State(board): State<Arc<Board>>, Query(asked): Asked) -> Response {
    match asked.get("key") {
        Some(key) => answered(&board, &asked, Question::Who(key)),
        None => refused(StatusCode::BAD_REQUEST, "no-key", "name the lock: /v1/who?key=KEY"),
    }
}

async fn stuck(State(board): State<Arc<Board>>, Query(asked): Asked) -> Response {
    answered(&board, &asked, Question::Stuck)
}

async fn why(State(board): State<Arc<Board>>, Query(asked): Asked) -> Response {
    match asked.get("name") {
        Some(name) => answered(&board, &asked, Question::Why(name)),
        None => refused(StatusCode::BAD_REQUEST, "no-name", "name a node, an agent or a task: /v1/why?name=NAME"),
    }
}

async fn listen(State(board): State<Arc<Board>>) -> Response {
    events::stream(&board).into_response()
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn this_machine_is_called_by_its_own_names() {
        for host in
            [None, Some("localhost"), Some("LocalHost:9868"), Some("127.0.0.1:1"), Some("[::1]:9868"), Some("[::1]")]
        {
            assert!(is_this_machine(host), "{host:?}");
        }
        for host in ["evil.example", "localhost.evil.example:9868", "10.0.0.1", "", "127.0.0.1.evil:80"] {
            assert!(!is_this_machine(Some(host)), "{host}");
        }
    }
}
