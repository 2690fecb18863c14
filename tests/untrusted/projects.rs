//! Projects of anything: events, lock directories and host leases that almost follow the contract, and some that do not.

use std::fs;
use std::path::Path;

use lockkeeper::clock::wall_clock;
use lockkeeper::settings::Settings;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{json, key, look, quoted, shown, value, walk_through};

/// The tables of the contract.
const TABLES: &str = "
CREATE TABLE topic_heads (topic, last_id);
CREATE TABLE events (topic, event_id, kind, payload, headers, occurred_at_ms);
CREATE TABLE consumers (topic, consumer_id, cursor, updated_at_ms);
";
const LEASES: &str = "
CREATE TABLE host_leases (host, resource_class, domain, lease_id, owner, acquired_at_ms, expires_at_ms, owner_pid, reason);
CREATE TABLE host_lease_waiters (waiter_id, host, resource_class, domain, priority_class, priority_rank, requested_at_ms,
    owner_pid);
";
const TOPICS: [&str; 3] =
    ["channels.tenant.default.coord.workspace.w.ops", "lifecycle.channel.audit", "transcript.channel.lifecycle"];

/// An instant: about now, or any.
fn instant() -> impl Strategy<Value = i64> {
    prop_oneof![3 => (-4_000_000i64..4_000_000).prop_map(|away| wall_clock() + away), 1 => any::<i64>()]
}

/// A span: a usual one, or any.
fn span() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 0i64..600_000, 1 => any::<i64>()]
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "m1", "m2", "m3", "src/a.rs", "parser"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// What a fleet's message carries.
fn data() -> impl Strategy<Value = Value> {
    let schema = prop::sample::select(vec!["heartbeat", "claim", "ack", "done", "finding", "other"]);
    let decision =
        prop::sample::select(vec!["accepted", "rejected", "needs_changes", "completed", "failed", "abandoned"]);
    (schema, span(), span(), word(), word(), decision, any::<bool>()).prop_map(
        |(schema, lease, silence, work, target, word, asked)| {
            json!({
                "schema": format!("harn.fleet.{schema}.v1"), "lease_ms": lease, "expected_silence_ms": silence,
                "state": word, "work_key": work, "target_id": target, "claim_id": target, "decision": word,
                "outcome": word, "requires_ack": asked, "resource": work,
            })
        },
    )
}

/// A message, in which one part may be something else.
fn message() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        "status",
        "claim",
        "ack",
        "done",
        "finding",
        "heartbeat",
        "handoff",
        "blocker",
        "request",
        "fact",
    ]);
    let parts = (word(), kind, word(), word(), data(), word());
    (
        parts,
        prop::option::weighted(0.3, (prop::sample::select(vec!["from", "to", "data", "refs", "id", "schema"]), json())),
    )
        .prop_map(|((id, kind, from, to, data, reply), odd)| {
            let mut message = json!({
                "schema": "harn.coordination.message.v1", "id": id, "room": "ops", "kind": kind,
                "from": { "session_id": from, "agent": from }, "to": to, "subject": to, "body": id, "data": data,
                "refs": [reply.clone(), { "path": to }], "reply_to": reply,
            });
            if let Some((part, odd)) = odd {
                message[part] = odd;
            }
            message
        })
}

/// One event: topic, number, kind, payload, headers, instant.
type Row = (String, i64, String, Value, Value, i64);

fn event() -> impl Strategy<Value = Row> {
    let topic = prop_oneof![5 => prop::sample::select(TOPICS.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    let number = prop_oneof![4 => 0i64..40, 1 => any::<i64>()];
    let kind = prop_oneof![
        4 => prop::sample::select(vec!["channel.emit", "channel_emit_receipt"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let payload = prop_oneof![
        4 => (message(), instant()).prop_map(|(printed, at)| json!({"payload": printed, "emitted_at": {"at_ms": at}})),
        1 => json(),
    ];
    let headers = prop_oneof![
        3 => (any::<bool>(), word()).prop_map(|(sealed, hash)| if sealed {
            json!({"harn.provenance.schema": "harn-eventlog-provenance-v1", "harn.provenance.record_hash": hash,
                   "harn.provenance.prev_hash": hash})
        } else { json!({}) }),
        1 => json(),
    ];
    (topic, number, kind, payload, headers, instant())
}

/// A lock's record as it should be, but perhaps for one part.
fn record_made() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop::option::weighted(0.3, (word(), json()));
    (word(), instant(), span(), odd).prop_map(|(who, at, ttl, odd)| {
        let mut record = json!({
            "schema": "harn.coordination.dir_lock.v1", "token": format!("coord-lock-token-{who}"),
            "owner": { "id": who, "session_id": who }, "reason": who, "acquired_at_ms": at,
            "expires_at_ms": at.saturating_add(ttl), "ttl_ms": ttl,
        });
        if let Some((part, odd)) = odd {
            record[part] = odd;
        }
        record.to_string().into_bytes()
    })
}

/// A lock's record, one that lost a part, bytes, or none.
fn record() -> impl Strategy<Value = Record> {
    let harmed = (record_made(), 0usize..300, 0usize..300).prop_map(|(mut bytes, from, len)| {
        let from = from.min(bytes.len());
        let to = (from + len).min(bytes.len());
        bytes.drain(from..to);
        Some(bytes)
    });
    prop_oneof![
        4 => record_made().prop_map(Some),
        2 => harmed,
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Some),
        1 => Just(None),
    ]
}

/// The bytes of a record, where there is one.
type Record = Option<Vec<u8>>;

/// Everything of a project.
#[derive(Debug)]
struct Made {
    events: Vec<Row>,
    /// Values of the rows that are none: SQL, or lines of a file.
    odd: Vec<Vec<String>>,
    /// The record of each lock, and of its guard.
    locks: Vec<(Record, Record)>,
    files: bool,
}

fn made() -> impl Strategy<Value = Made> {
    let odd = prop::collection::vec(prop::collection::vec(value(), 9), 0..4);
    let lock = (record(), prop::option::weighted(0.2, record()).prop_map(Option::flatten));
    (prop::collection::vec(event(), 0..24), odd, prop::collection::vec(lock, 0..5), any::<bool>())
        .prop_map(|(events, odd, locks, files)| Made { events, odd, locks, files })
}

impl Made {
    fn sql(&self) -> String {
        let mut sql = TABLES.to_owned();
        for (topic, id, kind, payload, headers, at) in &self.events {
            // SQL has no word for the least of all numbers.
            let (id, at) = (id.max(&-i64::MAX), at.max(&-i64::MAX));
            let (topic, kind) = (quoted(topic), quoted(kind));
            let (payload, headers) = (quoted(&payload.to_string()), quoted(&headers.to_string()));
            sql.push_str(&format!("INSERT INTO events VALUES ({topic}, {id}, {kind}, {payload}, {headers}, {at});\n"));
            sql.push_str(&format!("INSERT INTO topic_heads VALUES ({topic}, {id});\n"));
            sql.push_str(&format!("INSERT INTO consumers VALUES ({topic}, 'a', {at}, {id});\n"));
        }
        for row in &self.odd {
            sql.push_str(&format!("INSERT INTO events VALUES ({});\n", row[..6].join(", ")));
            sql.push_str(&format!("INSERT INTO topic_heads VALUES ({});\n", row[..2].join(", ")));
            sql.push_str(&format!("INSERT INTO consumers VALUES ({});\n", row[..4].join(", ")));
        }
        sql
    }

    fn leases(&self) -> String {
        let rows = self.odd.iter().map(|row| {
            let (nine, eight) = (row.join(", "), row[..8].join(", "));
            format!("INSERT INTO host_leases VALUES ({nine});\nINSERT INTO host_lease_waiters VALUES ({eight});\n")
        });
        format!("{LEASES}{}", rows.collect::<Vec<_>>().concat())
    }

    async fn write(&self, tree: &Path) {
        let state = tree.join(".harn");
        fs::create_dir_all(&state).unwrap();
        if self.files {
            let (topics, readers) = (state.join("events/topics"), state.join("events/consumers"));
            fs::create_dir_all(&topics).unwrap();
            fs::create_dir_all(&readers).unwrap();
            let mut lines = String::new();
            for (topic, id, kind, payload, headers, at) in &self.events {
                let event = json!({"kind": kind, "payload": payload, "headers": headers, "occurred_at_ms": at});
                lines.push_str(&json!({"id": id, "event": event}).to_string());
                lines.push('\n');
                let reader = json!({"topic": topic, "consumer_id": "a", "cursor": at, "updated_at_ms": id});
                fs::write(readers.join(format!("{}__a.json", TOPICS[0])), reader.to_string()).unwrap();
            }
            self.odd.iter().flatten().for_each(|line| lines.push_str(&format!("{line}\n")));
            fs::write(topics.join(format!("{}.jsonl", TOPICS[0])), &lines[..lines.len().saturating_sub(1)]).unwrap();
        } else {
            let database = libsql::Builder::new_local(state.join("events.sqlite")).build().await.unwrap();
            database.connect().unwrap().execute_batch(&self.sql()).await.unwrap();
        }
        let database = libsql::Builder::new_local(tree.join("leases.sqlite")).build().await.unwrap();
        database.connect().unwrap().execute_batch(&self.leases()).await.unwrap();
        for (i, (lock, guard)) in self.locks.iter().enumerate() {
            let write = |name: String, record: &Vec<u8>| {
                fs::create_dir_all(tree.join(&name)).unwrap();
                fs::write(tree.join(name).join("owner.json"), record).unwrap();
            };
            fs::create_dir_all(tree.join(format!("f{i}.lock.d"))).unwrap();
            for (name, record) in [("lock.d", lock), ("lock.d.reap.d", guard)] {
                if let Some(record) = record {
                    write(format!("f{i}.{name}"), record);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(48).max(
        std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(0)), ..ProptestConfig::default() })]

    /// Projects of anything are read, evaluated, walked through with any keys, and drawn.
    #[test]
    fn projects_of_anything(made in made(), keys in prop::collection::vec(key(), 0..30)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(made.write(folder.path()));
        let (project, leases) = (folder.path(), folder.path().join("leases.sqlite"));
        let given = [("harn.dir", project.to_str().unwrap()), ("harn.host_leases", leases.to_str().unwrap())];
        let settings = Settings::given(&given).unwrap();
        let snapshot = runtime.block_on(look(&settings));
        prop_assert!(snapshot.mesh.sources.iter().all(|source| source.health.last_ok_ms.is_some()), "all were read");
        for i in 0..made.locks.len() {
            let key = format!("f{i}");
            prop_assert!(snapshot.locks.iter().any(|lock| lock.lock.lock_key == *key), "{key} is held, by whomever");
        }
        let json = lockkeeper::commands::json::snapshots(std::slice::from_ref(&snapshot), None);
        prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
        walk_through(&mut shown(snapshot), keys);
    }
}
