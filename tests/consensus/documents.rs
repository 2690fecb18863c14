//! Documents that a consensus group publishes, in a file and behind a URL.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use lockkeeper::config::address::Address;
use lockkeeper::data::consensus::published::{Place, Published};
use lockkeeper::data::source::{PollContext, Source as _};
use lockkeeper::data::tls::Tls;
use lockkeeper::model::observation::{Change, Observation};
use serde_json::{Value, json};

use crate::support::{documents::assert_valid, lockkeeper};

fn ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A document as of now; `n` tells one from the next.
fn document(n: i64) -> Value {
    let now = ms();
    json!({
        "schema": "consensus-snapshot/v1", "system": "trinity", "cluster_id": "c1", "incarnation": "b7", "seq": n,
        "observed_at_ms": now, "written_by": "n1", "limits": { "election_max_ms": 300, "lease_ms": 10_000 },
        "nodes": [{ "node_id": "n1", "role": "leader", "current_term": 7, "leader_id": "n1", "commit_index": 10 + n,
            "last_applied": 10 + n, "snapshot_index": 5, "log_length": 5 + n, "cluster_size": 1, "heard_at_ms": now }],
        "locks": [{ "lock_id": "db/main", "state": "queued", "holder": "agent-4", "node_id": "n1", "fence_token": 88 + n,
            "acquired_at_ms": now - 5_000, "expires_at_ms": now + 60_000, "queue_length": 2,
            "queue": [{ "agent_id": "agent-9", "since_at_ms": now - 3_000 }, { "agent_id": "agent-2" }] }],
        "barriers": [{ "barrier_id": "stage", "kind": "partial", "state": "waiting", "expected": 4, "threshold": 3,
            "arrived": ["agent-1"], "created_at_ms": now, "timeout_ms": 30_000 }],
        "log": [{ "index": 10 + n, "term": 7, "kind": "noop", "at_ms": now }],
    })
}

fn write(path: &Path, text: &str) {
    let part = path.with_extension("part");
    std::fs::write(&part, text).unwrap();
    std::fs::rename(part, path).unwrap();
}

fn snapshot(path: &Path) -> Value {
    let output = lockkeeper().args(["snapshot", "--format", "json", "--consensus"]).arg(path).output().unwrap();
    let seen = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_valid(&seen);
    seen
}

#[test]
fn a_document_is_shown_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft.json");
    assert_valid(&document(1));
    write(&path, &document(1).to_string());
    let seen = snapshot(&path);
    assert_eq!(seen["findings"], json!([]), "{seen:#}");
    let lock = &seen["locks"][0];
    assert_eq!(
        (&lock["state"], &lock["fence_token"], &lock["holder_node"]),
        (&json!("held"), &json!(89), &json!("n1"))
    );
    let waiters: Vec<&Value> = lock["waiters"].as_array().unwrap().iter().map(|w| &w["agent"]).collect();
    assert_eq!(waiters, [&json!("agent-9"), &json!("agent-2")]);
    let rows = seen["groups"].as_array().unwrap();
    let row = |part: &str| rows.iter().find(|row| row["part"] == part).unwrap_or_else(|| panic!("{part}: {seen:#}"));
    assert_eq!((&row("member")["state"], &row("member")["term"]), (&json!("leads"), &json!(7)));
    assert!(row("barrier")["remark"].as_str().unwrap().starts_with("1 of 3 arrived"), "{}", row("barrier"));
    assert!(row("group")["remark"].as_str().unwrap().contains("upstream ships no runtime"));
    // It is read alone: nothing can be done there.
    let output =
        lockkeeper().args(["release", "db/main", "--fence", "89", "--yes", "--consensus"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[test]
fn what_is_no_document_is_said_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft.json");
    let whole = document(1).to_string();
    let large = format!("{}{}", &whole[..whole.len() - 1], " ".repeat(5 << 20) + "}");
    for (text, words) in [
        (&whole[..whole.len() / 2], "no consensus-snapshot/v1"),
        ("{\"schema\":\"other/v1\"}", "its schema is"),
        (large.as_str(), "larger"),
        ("\u{1b}[2J", "no consensus-snapshot/v1"),
    ] {
        write(&path, text);
        let seen = snapshot(&path);
        assert!(seen["findings"].to_string().contains(words), "{words}: {}", seen["findings"]);
    }
    std::fs::remove_file(&path).unwrap();
    assert!(snapshot(&path)["findings"].to_string().contains("cannot read"));
    let output = lockkeeper().args(["check", "--consensus", "http://user:secret@10.0.0.5/x"]).output().unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(printed.contains("write a file, or a URL without user") && !printed.contains("secret"), "{printed}");
}

#[derive(Clone)]
struct Server {
    text: Arc<Mutex<(String, String)>>,
    sent: Arc<AtomicUsize>,
    unchanged: Arc<AtomicUsize>,
}

async fn serve(State(of): State<Server>, headers: HeaderMap) -> axum::response::Response {
    let (etag, text) = of.text.lock().unwrap().clone();
    if headers.get("if-none-match").is_some_and(|known| known == etag.as_str()) {
        of.unchanged.fetch_add(1, Ordering::Relaxed);
        return StatusCode::NOT_MODIFIED.into_response();
    }
    of.sent.fetch_add(1, Ordering::Relaxed);
    ([("etag", etag)], text).into_response()
}

fn fences(seen: &Observation) -> Option<Vec<i64>> {
    seen.changes.iter().find_map(|change| match change {
        Change::Locks(_, locks) => Some(locks.iter().filter_map(|lock| lock.fence_token).collect()),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_url_only_what_changed_is_sent() {
    let text = Arc::new(Mutex::new(("\"1\"".to_owned(), document(1).to_string())));
    let server = Server { text: text.clone(), sent: Arc::default(), unchanged: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/consensus", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/consensus", axum::routing::get(serve)).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut source = Published::new(Place::Url(Address::of_server(&url).unwrap()), Tls::default(), ms);
    let context = PollContext::default();
    assert_eq!(fences(&source.poll(&context).await.unwrap()), Some(vec![89]));
    for _ in 0..3 {
        let seen = source.poll(&context).await.unwrap();
        assert!(fences(&seen).is_none() && seen.cost.bytes == 0, "{seen:?}");
    }
    assert_eq!((server.sent.load(Ordering::Relaxed), server.unchanged.load(Ordering::Relaxed)), (1, 3));
    *text.lock().unwrap() = ("\"2\"".to_owned(), document(2).to_string());
    let seen = source.poll(&context).await.unwrap();
    assert_eq!(fences(&seen), Some(vec![90]));
    let log = seen
        .changes
        .iter()
        .find_map(|change| if let Change::Log(_, entries, _) = change { Some(entries.len()) } else { None });
    assert_eq!(log, Some(1), "one entry is new");
    // What was known stays while the server says nothing of use.
    *text.lock().unwrap() = ("\"3\"".to_owned(), "x".repeat(5 << 20));
    assert!(source.poll(&context).await.unwrap_err().to_string().contains("larger than 4 MB"));
}

/// Rules of what is wrong, as told last.
fn rules(seen: &Observation) -> Option<Vec<&'static str>> {
    seen.changes.iter().rev().find_map(|change| match change {
        Change::Problems(problems) => Some(problems.iter().map(|problem| problem.rule).collect()),
        _ => None,
    })
}

#[tokio::test]
async fn what_went_back_is_told_of_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raft.json");
    let mut source = Published::new(Place::File(path.clone()), Tls::default(), ms);
    let context = PollContext::default();
    let mut told = Vec::new();
    for n in [5, 4, 6, 7] {
        write(&path, &document(n).to_string());
        told = rules(&source.poll(&context).await.unwrap()).unwrap_or(told);
    }
    for rule in ["member-back", "fence-torn", "document-back"] {
        assert!(told.contains(&rule), "{rule}: {told:?}");
    }
    let mut anew = document(8);
    anew["incarnation"] = "b8".into();
    write(&path, &anew.to_string());
    assert_eq!(rules(&source.poll(&context).await.unwrap()), Some(vec![]), "a new incarnation begins anew");
}

#[test]
fn each_node_may_serve_its_own_document() {
    let folder = tempfile::tempdir().unwrap();
    let of = |node: &str, role: &str| {
        let mut document = document(1);
        document["written_by"] = node.into();
        document["nodes"][0]["cluster_size"] = 2.into();
        let mut other = document["nodes"][0].clone();
        other["node_id"] = "n2".into();
        other["role"] = "follower".into();
        document["nodes"].as_array_mut().unwrap().push(other);
        let own = document["nodes"].as_array_mut().unwrap().iter_mut().find(|row| row["node_id"] == node).unwrap();
        own["role"] = role.into();
        if node == "n2" {
            document["nodes"][0]["role"] = "follower".into();
        }
        document
    };
    let paths = ["n1", "n2"].map(|node| folder.path().join(format!("{node}.json")));
    let see = |second: &Value| {
        write(&paths[0], &of("n1", "leader").to_string());
        write(&paths[1], &second.to_string());
        let mut command = lockkeeper();
        command.args(["snapshot", "--format", "json"]);
        for path in &paths {
            command.arg("--consensus").arg(path);
        }
        let output = command.output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    };
    let seen = see(&of("n2", "follower"));
    let locks = seen["locks"].as_array().unwrap();
    assert_eq!(locks.len(), 1, "nothing is told twice: {seen:#}");
    let has = |seen: &Value, rule: &str| seen["findings"].as_array().unwrap().iter().any(|f| f["rule"] == rule);
    assert!(!has(&seen, "two-leaders"), "{}", seen["findings"]);
    let mut torn = of("n2", "leader");
    torn["log"][0]["kind"] = "command".into();
    let seen = see(&torn);
    assert!(has(&seen, "two-leaders") && has(&seen, "log-torn"), "{}", seen["findings"]);
}
