//! Older, newer, partial and empty databases, and values that are not what their column is for.

use crate::support;

use serde_json::Value;
use support::{run, snapshot};

const OLD: &str = "
CREATE TABLE mesh_heartbeats (node_id TEXT, agent_id TEXT, last_seen_ms INTEGER, activity TEXT, repository_id TEXT);
INSERT INTO mesh_heartbeats VALUES ('n1', '1', 1795237725000, 'idle', 'r');
CREATE TABLE distributed_locks (lock_key TEXT PRIMARY KEY, holder_node TEXT, holder_agent TEXT, fence_token INTEGER,
    acquired_at TEXT, expires_at TEXT);
INSERT INTO distributed_locks VALUES ('k', 'n1', '1', 4, '2026-11-21 05:08:45', '2026-11-21 05:09:15');
CREATE TABLE a2a_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, message_uuid TEXT, sender_agent TEXT,
    receiver_agent TEXT, msg_type TEXT, payload TEXT, priority INTEGER, thread_id TEXT, acknowledged INTEGER,
    created_at TEXT, repository_id TEXT);
INSERT INTO a2a_messages VALUES (1, 'u', '1', '2', 'free_form', 'hi', 1, NULL, 0, '2026-11-21 05:08:45', 'r');
CREATE TABLE agent_oplog (id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT, operation_id TEXT, kind TEXT,
    description TEXT, timestamp_ms INTEGER);
INSERT INTO agent_oplog VALUES (1, '1', 'OP-000001', '\"Rebalance\"', 'd', 1795237725000);
";

fn len(snapshot: &Value, part: &str) -> usize {
    snapshot[part].as_array().unwrap_or_else(|| panic!("{part}")).len()
}

async fn look(sql: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = support::database(folder.path(), sql).await;
    snapshot(path.to_str().unwrap(), &[])
}

#[tokio::test]
async fn an_older_schema_is_read_and_what_it_lacks_is_unknown() {
    let seen = look(OLD).await;
    assert_eq!(["nodes", "locks", "messages", "oplog"].map(|part| len(&seen, part)), [1, 1, 1, 1]);
    assert_eq!(seen["messages"][0]["delivery_attempts"], Value::Null);
    assert_eq!(seen["locks"][0]["repository_id"], "");
    let parts = &seen["sources"][0]["parts"];
    assert_eq!(parts["vcs_lock"], "absent");
    assert!(parts["a2a_messages"]["without"].as_array().unwrap().contains(&"claim_owner".into()));
    assert_eq!(seen["sources"][0]["health"], "live");
}

#[tokio::test]
async fn a_newer_schema_is_read_whole() {
    let seen = look(lockkeeper::demo::vox::write::SCHEMA).await;
    let parts = seen["sources"][0]["parts"].as_object().unwrap();
    for (name, presence) in parts {
        assert_eq!(presence, "present", "{name}");
    }
}

#[tokio::test]
async fn an_empty_database_and_one_of_something_else_are_no_error() {
    for sql in ["SELECT 1;", "CREATE TABLE cats (name TEXT);", "CREATE TABLE a2a_messages (wrong TEXT);"] {
        let seen = look(sql).await;
        assert_eq!(seen["sources"][0]["health"], "live");
        assert_eq!(len(&seen, "nodes"), 0);
        assert_eq!(seen["findings"][0]["rule"], "source-foreign", "and are not taken for a quiet mesh");
    }
}

const WRONG: &str = "
INSERT INTO mesh_heartbeats VALUES ('text-time', '1', 'soon', 'idle', 'r');
INSERT INTO mesh_heartbeats VALUES ('min', '1', -9223372036854775808, 'idle', 'r');
INSERT INTO mesh_heartbeats VALUES ('max', '1', 9223372036854775807, 'idle', 'r');
INSERT INTO mesh_heartbeats VALUES ('real', '1', 1.5e300, 'idle', 'r');
INSERT INTO mesh_heartbeats VALUES ('blob', x'ff00', x'ff', x'c328', 'r');
INSERT INTO mesh_heartbeats VALUES ('fine', '1', 1795237725000, 'idle', 'r');
INSERT INTO distributed_locks VALUES ('k1', 'fine', '1', 'many', 'yesterday', '', 'r');
INSERT INTO distributed_locks VALUES ('k2', 'fine', '1', 9223372036854775807, '9999-99-99 00:00:00', '2026-11-21 05:09:15', 'r');
INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload, priority, acknowledged, created_at,
    claim_until_ms, delivery_attempts) VALUES (9223372036854775806, 'a', '1', '2', 'free_form', x'00ff1b', 'high', 'no', 'now', 'later', 'often');
INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload, claim_until_ms)
    VALUES (9223372036854775807, 'b', '1', '2', 'remote_task_envelope', '{\"task_id\":9223372036854775807', 9223372036854775807);
INSERT INTO agent_oplog VALUES (1, '1', 'OP-18446744073709551615', 'not json', 'd', 'zz', NULL, 'x', 9223372036854775807, 'maybe', 'r');
INSERT INTO agent_oplog VALUES (2, '1', 'OP-18446744073709551616', '{\"New\":{},\"Kind\":1}', 'd', NULL, NULL, 0, 1795237725000, 0, 'r');
INSERT INTO orchestration_lineage_events (kind, task_id, created_at_ms) VALUES ('task_failed', 'seven', 'then');
INSERT INTO lock_leader VALUES ('r', 'fine', 'a', 'b', 'c', 'd');
INSERT INTO mesh_exec_leases VALUES ('1', '1', 'task:1', 'fine', 'x', 'y', 'granted');
INSERT INTO vcs_lock VALUES ('p', 'odd', '1', 'fine', 'r', -1, 253402300800000, NULL, 'f');
";

#[tokio::test]
async fn values_of_an_unexpected_type_become_unknown_and_never_stop_a_poll() {
    let folder = tempfile::tempdir().unwrap();
    let path = support::database(folder.path(), &format!("{}{WRONG}", lockkeeper::demo::vox::write::SCHEMA)).await;
    let path = path.to_str().unwrap();
    let seen = snapshot(path, &[]);
    assert_eq!(
        ["nodes", "locks", "messages", "oplog", "leases", "leaders"].map(|part| len(&seen, part)),
        [6, 3, 2, 2, 1, 1]
    );
    let node = |id: &str| seen["nodes"].as_array().unwrap().iter().find(|n| n["node_id"] == id).unwrap().clone();
    for id in ["text-time", "min", "max", "real", "blob"] {
        assert_eq!(node(id)["staleness"], "unknown", "{id}");
        assert_eq!(node(id)["age_ms"], Value::Null, "{id}");
    }
    assert_eq!(node("fine")["staleness"], "dead");
    let odd = seen["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "value-odd").expect("a finding");
    assert!(odd["evidence"].to_string().contains("mesh_heartbeats.last_seen_ms of text-time"));
    assert_eq!(run(&["snapshot", "--db", path]).status.code(), Some(0));
}

#[tokio::test]
async fn a_schema_that_changes_under_our_feet_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = support::database(folder.path(), OLD).await;
    let screen = support::screen::Screen::start(100, 30, &["--db", path.to_str().unwrap(), "--interval", "100ms"], &[]);
    screen.wait_text("n1");
    let database = libsql::Builder::new_local(&path).build().await.unwrap();
    let connection = database.connect().unwrap();
    connection.execute_batch("ALTER TABLE mesh_heartbeats RENAME TO gone;").await.unwrap();
    screen.wait_text("none known");
    connection.execute_batch("ALTER TABLE gone RENAME TO mesh_heartbeats;").await.unwrap();
    screen.wait_for("the node again", |text| text.contains("n1") && !text.contains("none known"));
}

#[tokio::test]
async fn json_is_safe_to_print_and_loses_nothing() {
    let hostile = "a\u{1b}[31m\u{9b}2J\u{202e}\u{200b}\u{7f}\u{e0041}z";
    let sql = format!(
        "{}INSERT INTO distributed_locks VALUES ('{hostile}', 'n', '1', 1, datetime('now'), datetime('now'), 'r');",
        lockkeeper::demo::vox::write::SCHEMA
    );
    let folder = tempfile::tempdir().unwrap();
    let path = support::database(folder.path(), &sql).await;
    let output = run(&["snapshot", "--format", "json", "--db", path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control() && !lockkeeper::model::text::is_hidden(c)));
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(seen["locks"][0]["lock_key"], hostile);
    let table = run(&["snapshot", "--db", path.to_str().unwrap()]).stdout;
    let table = String::from_utf8(table).unwrap();
    assert!(table.chars().all(|c| c == '\n' || !c.is_control() && !lockkeeper::model::text::is_hidden(c)));
}

/// Every statement of a poll, at the first look and later, finds its rows by an index: a history is never scanned.
#[tokio::test]
async fn no_statement_of_a_poll_scans_a_history() {
    use lockkeeper::data::vox::queries::{self, Asks, Cursor, History, Limits};
    use lockkeeper::data::vox::schema::Schema;
    use lockkeeper::data::vox::trackers::Ask;
    use strum::IntoEnumIterator;

    let folder = tempfile::tempdir().unwrap();
    let path = support::database(folder.path(), lockkeeper::demo::vox::write::SCHEMA).await;
    let connection = libsql::Builder::new_local(&path).build().await.unwrap().connect().unwrap();
    let mut rows = connection.query(&Schema::probe_sql(), ()).await.unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().await.unwrap() {
        found.push(vec![row.get_value(0).unwrap(), row.get_value(1).unwrap()]);
    }
    let schema = Schema::from_rows(&found);
    let mut later = Cursor::default();
    History::iter().for_each(|history| later.set(history, Some(1_000_000)));
    let rows = || Ask::Rows(vec![3, 4, 5]);
    let some = Asks { heartbeats: rows(), distributed: rows(), vcs: rows(), inboxes: [rows(), rows()] };
    let limits = Limits::default();
    for (cursor, asks) in [(&Cursor::default(), &Asks::whole()), (&later, &Asks::whole()), (&later, &some)] {
        for query in queries::poll(&schema, cursor, limits, asks) {
            let mut plan = connection.query(&format!("EXPLAIN QUERY PLAN {}", query.sql), ()).await.unwrap();
            while let Some(step) = plan.next().await.unwrap() {
                let step: String = step.get(3).unwrap();
                let history = [
                    "a2a_messages",
                    "agent_oplog",
                    "convergence_op_log",
                    "orchestration_lineage_events",
                    "mesh_exec_leases",
                ];
                let scans = history.iter().any(|table| step.starts_with("SCAN") && step.contains(table));
                // Walking a table from its newest row, to a limit, is no scan of it.
                let walks =
                    query.sql.contains("ORDER BY id DESC LIMIT") || query.sql.contains("ORDER BY op_id DESC LIMIT");
                assert!(!scans || walks, "{step}: {}", query.sql);
                assert!(!step.contains("TEMP B-TREE"), "{step}: {}", query.sql);
            }
        }
    }
}

#[tokio::test]
async fn waiting_messages_and_leases_in_force_are_found_by_their_indexes() {
    let rows = "
        INSERT INTO mesh_a2a_messages (sender_agent_id, receiver_agent_id, message_type, payload, created_at, acknowledged)
            VALUES ('1', '2', 'free_form', 'a', 1795237725000, 0), ('1', '2', 'free_form', 'b', 1795237725000, 1),
                   ('1', '30', 'free_form', 'c', 1795237725000, 0), ('1', '4', 'free_form', 'd', 1795237725000, 1);
        INSERT INTO mesh_exec_leases VALUES ('1', '1', 'task:1', 'n', 1795237725000, 1795237725001, 'granted'),
            ('2', '2', 'task:2', 'n', 1795237725000, 1795237725002, 'renewed'), ('3', '3', 'task:3', 'n', 0, 0, 'revoked');";
    let seen = look(&format!("{}{rows}", lockkeeper::demo::vox::write::SCHEMA)).await;
    assert_eq!((len(&seen, "messages"), len(&seen, "leases")), (4, 2));
    let waiting = seen["messages"].as_array().unwrap().iter().filter(|m| m["acknowledged"] == false).count();
    assert_eq!(waiting, 2);
}
