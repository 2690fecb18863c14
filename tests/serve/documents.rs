//! What is answered is as its format and its schema say.

use lockkeeper::serve::series::{PREFIX, Series};
use serde_json::Value;
use strum::IntoEnumIterator as _;

use crate::support::documents::assert_valid;
use crate::support::service::{Service, database, execute};

const OPEN: [(&str, &str); 1] = [("accept", "application/openmetrics-text; version=1.0.0")];

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_as_both_formats_say_and_what_is_gone_has_no_series() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let service = Service::start(&["--db", &database, "--node-series", "1"]).await;
    let (status, kind, open) = service.get("/metrics", &OPEN).await;
    assert_eq!((status, kind.split(';').next()), (200, Some("application/openmetrics-text")));
    openmetrics_parser::openmetrics::parse_openmetrics(&open).unwrap_or_else(|e| panic!("{e:?}\n{open}"));
    for metric in Series::iter().map(Series::metric) {
        assert!(open.contains(&format!("# HELP {PREFIX}_{}", metric.name)), "{}", metric.name);
    }
    let (_, kind, text) = service.get("/metrics", &[]).await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    openmetrics_parser::prometheus::parse_prometheus(&text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    for line in [
        "lockkeeper_locks{mesh=\"mesh\",state=\"held\"} 1",
        "lockkeeper_locks{mesh=\"mesh\",state=\"orphaned\"} 0",
        "lockkeeper_nodes{mesh=\"mesh\",state=\"healthy\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains("rule=\"node-dead\""), "{text}");
    // A name that could end its label does not.
    assert!(text.contains("node=\"for\\\"ge"), "{text}");
    execute(&database, "UPDATE mesh_heartbeats SET last_seen_ms = 1000").await;
    let dead = "lockkeeper_findings{mesh=\"mesh\",severity=\"critical\",rule=\"node-dead\"} 1";
    service.wait("/metrics", "the finding", |text| text.contains(dead)).await;
    execute(&database, "DELETE FROM mesh_heartbeats; DELETE FROM distributed_locks").await;
    let text = service.wait("/metrics", "its end", |text| !text.contains("rule=\"node-dead\"")).await;
    assert!(!text.contains("node=\"for"), "{text}");
    assert_eq!(service.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_as_their_schemas_say_and_errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let service = Service::start(&["--db", &database]).await;
    for path in [
        "/v1/snapshot",
        "/v1/snapshot?view=locks",
        "/v1/findings",
        "/v1/who?key=./a.rs",
        "/v1/stuck?mesh=mesh",
        "/v1/why?name=1",
    ] {
        let (status, kind, text) = service.get(path, &[]).await;
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{path}");
        assert_valid(&serde_json::from_str::<Value>(&text).unwrap());
    }
    let (_, _, text) = service.get("/v1/who?key=a.rs", &[]).await;
    assert!(text.contains("\"answer\":\"yes\""), "{text}");
    for (path, code, word) in [
        ("/v1/who", 400, "no-key"),
        ("/v1/why", 400, "no-name"),
        ("/v1/snapshot?view=nope", 400, "unknown-view"),
        ("/v1/snapshot?mesh=nope", 400, "unknown-mesh"),
        ("/v1/snapshot?mesh=%ff", 400, "unknown-mesh"),
        ("/v1/snapshot?&&=%&mesh=nope&mesh", 400, "unknown-mesh"),
        ("/nope", 404, "not-found"),
    ] {
        let (status, _, text) = service.get(path, &[]).await;
        let seen: Value = serde_json::from_str(&text).unwrap();
        assert_valid(&seen);
        assert_eq!((status, &seen["error"]["code"]), (code, &Value::from(word)), "{path}");
    }
    let answer =
        crate::support::service::client().post(format!("http://{}/v1/snapshot", service.address)).send().await.unwrap();
    assert_eq!(answer.status(), 405, "nothing is changed from here");
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    let said: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(said["error"]["code"], "only-get");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_what_happens_and_is_let_go_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let service = Service::start(&["--db", &database]).await;
    let url = format!("http://{}/v1/events", service.address);
    let mut answer = crate::support::service::client().get(url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    execute(&database, "UPDATE mesh_heartbeats SET last_seen_ms = 1000").await;
    let mut heard = String::new();
    while !heard.contains("event: finding\n") || !heard.ends_with("\n\n") {
        let chunk = tokio::time::timeout(crate::support::PATIENCE, answer.chunk()).await.expect("an event").unwrap();
        heard.push_str(std::str::from_utf8(&chunk.expect("the stream goes on")).unwrap());
    }
    let told = |kind: &str| -> Vec<Value> {
        let events = heard.split("\n\n").filter(|event| event.contains(&format!("event: {kind}\n")));
        let data = events.filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    };
    let (findings, changes) = (told("finding"), told("change"));
    findings.iter().chain(&changes).for_each(assert_valid);
    assert_eq!(findings[0]["event"], "raised");
    assert!(changes.iter().all(|change| change["change"] != "appeared" || change["kind"] == "finding"), "{changes:#?}");
    let node = changes.iter().find(|change| change["kind"] == "node").expect("what became of the node");
    assert_eq!((&node["was"]["state"], &node["is"]["state"]), (&"healthy".into(), &"dead".into()));
    let cursors: Vec<u64> = changes.iter().filter_map(|change| change["cursor"].as_u64()).collect();
    assert!(cursors.windows(2).all(|pair| pair[1] == pair[0] + 1), "{cursors:?}");
    assert_eq!(service.stop(), Some(0), "a listener does not keep it");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_meshes_are_told_apart_and_a_dashboard_stands_beside() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let mut config = String::new();
    for place in [&one, &other] {
        std::fs::create_dir(place).unwrap();
        let name = place.file_name().unwrap().to_str().unwrap();
        config.push_str(&format!("[mesh.{name}]\ndb = \"{}\"\n", database(place).await));
    }
    let path = folder.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let path = path.to_str().unwrap();
    let state = folder.path().join("state");
    let journal = state.join("journal.jsonl");
    let service = Service::start(&["--config", path, "--mesh", "all"]).await;
    let env = [("LOCKKEEPER_JOURNAL", journal.to_str().unwrap())];
    let screen = crate::support::screen::Screen::start(100, 30, &["--config", path, "--mesh", "all"], &env);
    let (_, _, text) = service.get("/metrics", &[]).await;
    for mesh in ["one", "other"] {
        assert!(text.contains(&format!("lockkeeper_locks{{mesh=\"{mesh}\",state=\"held\"}} 1")), "{text}");
    }
    let (_, _, text) = service.get("/v1/snapshot", &[]).await;
    let both: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(both["schema"], "lockkeeper.snapshots.v1");
    let (_, _, text) = service.get("/v1/snapshot?mesh=other", &[]).await;
    let only: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&only["schema"], &only["mesh"]), (&"lockkeeper.snapshot.v1".into(), &"other".into()));
    screen.wait_for("both meshes", |text| text.contains("one") && text.contains("other"));
    assert_eq!(service.stop(), Some(0));
}
