//! The documents that the program prints and writes: each has a JSON Schema in `docs/schema/`, and is what it says.

use crate::support;

use lockkeeper::columns::schema;
use lockkeeper::model::action::{Action, Kind};
use lockkeeper::model::journal::{Event, Line, Process, SCHEMA};
use lockkeeper::model::outcome::OutcomeKind;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;
use support::documents::{assert_valid, errors, folder};

/// Schemas of snapshots are made from the columns; `UPDATE_DOCS=1 cargo test --test cli` writes them anew.
#[test]
fn the_schemas_of_snapshots_are_those_of_the_columns() {
    let answer = (lockkeeper::answers::ANSWER, lockkeeper::answers::schema::answer());
    for (name, made) in [(schema::SNAPSHOT, schema::snapshot()), (schema::SNAPSHOTS, schema::snapshots()), answer] {
        let path = folder().join(format!("{name}.json"));
        let made = serde_json::to_string_pretty(&made).unwrap() + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let stands = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(stands, made, "run UPDATE_DOCS=1 cargo test --test cli");
    }
}

fn lock() -> Value {
    json!({
        "table": "distributed_locks", "lock_key": "k", "repository_id": "r", "holder_node": "n", "holder_agent": "1",
        "fence_token": 4, "acquired_at_ms": 1, "expires_at_ms": null,
    })
}

fn message() -> Value {
    json!({
        "table": "a2a_messages", "id": 4, "sender": "1", "receiver": "2", "msg_type": "t", "created_at_ms": 1,
        "claim_owner": null, "claim_until_ms": null,
    })
}

/// An action of each kind, with everything that it can hold.
fn action(kind: Kind) -> Value {
    let mut exact = lock();
    exact["expires_at"] = json!({ "text": "2026-01-01 00:00:00" });
    exact["token"] = "abc".into();
    let node = json!({ "node_id": "n", "quarantined": false, "maintenance": true });
    let agent = json!({
        "agent": "g/w-1", "group": "g", "identity": "w-1", "repository_id": "r", "generation": 1, "fence_token": null,
    });
    let fields = match kind {
        Kind::Release => json!({ "lock": exact, "mode": "fence-off", "hold_ms": 5_000 }),
        Kind::Restore => json!({ "lock": lock(), "former": lock() }),
        Kind::Reroute => json!({ "message": message(), "to": "3" }),
        Kind::Deliver => json!({ "message": message(), "to": "3", "key": "k", "beside": [message()] }),
        Kind::Retire => json!({ "message": message(), "to": "3", "key": "k" }),
        Kind::Unclaim | Kind::Acknowledge => json!({ "message": message() }),
        Kind::Send => json!({ "letter": { "to": "3", "msg_type": "t", "payload": "{}", "repository_id": "r" } }),
        Kind::Revoke => json!({ "lease": { "lease_id": "1", "scope_key": "task:1", "holder_node": "n" } }),
        Kind::Drain => json!({ "node": node, "on": true, "for_ms": null }),
        Kind::StopRun => json!({ "agent": agent, "run": "r" }),
        Kind::CancelWork => json!({ "agent": agent, "all": true }),
        Kind::CancelTask => json!({ "task": { "task": "t", "group": "g", "id": "r", "repository_id": "r" } }),
        Kind::RetireAgent | Kind::RespawnAgent => json!({ "agent": agent }),
        Kind::Wire => json!({ "agent": agent, "peer": "w-2", "on": true }),
        Kind::StopGroup => json!({ "group": { "group": "g", "repository_id": "r", "status": "running" }, "on": true }),
        Kind::Quarantine => json!({ "node": node, "on": false }),
        Kind::ChangeMember => json!({
            "member": { "group": "g", "member": "m1", "id": "8e", "leader": null, "term": 3, "alarms": ["NOSPACE"] },
            "change": "clear-alarm",
        }),
        Kind::OpenBarrier => {
            json!({ "barrier": { "group": "g", "barrier": "b", "repository_id": "g", "fence_token": 7 } })
        }
        Kind::EndLease => json!({ "lock": exact, "keys": ["lk/a/1"] }),
        Kind::Command => json!({ "title": "t", "argv": ["git", "log"] }),
    };
    let mut action = json!({ "action": kind.to_string() });
    action.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    action
}

fn line(event: Event) -> Value {
    serde_json::to_value(Line { schema: SCHEMA.into(), id: "1".into(), plan: "p".into(), at_ms: 7, event }).unwrap()
}

#[test]
fn every_line_of_the_journal_is_as_its_schema_says() {
    for kind in Kind::iter() {
        let action: Action = serde_json::from_value(action(kind)).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let intent = |action| Event::Intent {
            mesh: "m".into(),
            source: "s".into(),
            place: "/s".into(),
            process: Process { host: "h".into(), pid: 1 },
            operator: "ada".into(),
            reason: String::new(),
            action,
        };
        let written = line(intent(action));
        assert_valid(&written);
        for odd in ["more", "action"] {
            let mut other = written.clone();
            other[odd] = "else".into();
            assert!(!errors(&other).is_empty(), "{kind}: {odd} may be anything");
        }
    }
    for kind in [OutcomeKind::Done, OutcomeKind::Unknown, OutcomeKind::ReadOnly] {
        assert_valid(&line(Event::Outcome {
            kind,
            summary: "it was so".into(),
            before: Some(json!({ "any": 1 })),
            after: None,
            audited: false,
            journal_only: true,
            not_reread: true,
        }));
    }
    assert_valid(&line(Event::Audited));
    assert_valid(&line(Event::Closed { summary: "nobody knows".into() }));
    assert_valid(&line(Event::Carried));
}

#[tokio::test]
async fn a_schema_says_no_to_what_is_not_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = support::database(folder.path(), lockkeeper::demo::vox::write::SCHEMA).await;
    let seen = support::snapshot(path.to_str().unwrap(), &[]);
    let mut more = seen.clone();
    more["sources"][0]["more"] = 1.into();
    let mut less = seen.clone();
    less["sources"][0].as_object_mut().unwrap().remove("place");
    let mut other = seen.clone();
    other["sources"][0]["health"] = "fine".into();
    for wrong in [more, less, other, json!({}), json!({ "schema": "lockkeeper.snapshot.v1" })] {
        assert!(!errors(&wrong).is_empty(), "{wrong:#}");
    }
}

/// Where nothing was done, a program reads why; a person does too.
#[tokio::test]
async fn an_action_that_does_nothing_prints_why_as_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let sql = format!(
        "{} INSERT INTO distributed_locks VALUES ('k', 'here', '4', 7, datetime('now'), datetime('now', '+1 hour'), 'r');",
        lockkeeper::demo::vox::write::SCHEMA
    );
    let database = support::database(folder.path(), &sql).await;
    let run = |arguments: &[&str]| {
        let mut command = support::lockkeeper();
        command.args(arguments).args(["--yes", "--format", "json", "--db"]).arg(&database);
        let output = command.env("LOCKKEEPER_JOURNAL", folder.path().join("journal.jsonl")).output().unwrap();
        let printed: Value = serde_json::from_slice(&output.stdout).expect("a document");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), printed, told)
    };
    for (arguments, code, word) in [
        (&["release", "nope", "--fence", "7"][..], 4, "refused"),
        (&["release", "k", "--fence", "6"], 4, "refused"),
        (&["release", "k", "--fence", "7", "--read-only"], 5, "read-only"),
        (&["drain", "k\nk", "--for", "1h"], 4, "refused"),
    ] {
        let (ended, printed, told) = run(arguments);
        assert_valid(&printed);
        assert_eq!((ended, &printed["error"]["code"]), (Some(code), &word.into()), "{arguments:?}: {printed}");
        assert!(told.starts_with("lockkeeper: "), "{told}");
    }
}

#[test]
fn a_command_that_fails_says_so_in_the_form_that_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("odd.toml");
    std::fs::write(&config, "interval = 3\n").unwrap();
    let config = config.to_str().unwrap();
    let commands: [&[&str]; 5] =
        [&["snapshot"], &["findings"], &["who", "k"], &["release", "k", "--fence", "1"], &["drain", "n", "--dry-run"]];
    for command in commands {
        let output = support::run(&[command, &["--config", config, "--format", "json"]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
        let error: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{command:?}: {e}: {output:?}"));
        support::documents::assert_valid(&error);
        assert_eq!(error["error"]["code"], "configuration", "{error}");
        assert!(error["error"]["message"].as_str().unwrap().contains("odd.toml:1"), "{error}");
        let table = support::run(&[command, &["--config", config]].concat());
        assert!(table.stdout.is_empty(), "{table:?}");
    }
    let missing = support::run(&["snapshot", "--recording", "/nonexistent", "--format", "json"]);
    let error: Value = serde_json::from_slice(&missing.stdout).unwrap();
    assert_eq!((missing.status.code(), &error["error"]["code"]), (Some(1), &Value::from("failed")));
}
