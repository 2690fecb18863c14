//! Realms as the built program shows them, and as their sources follow them.

use lockkeeper::data::meerkat::mobs::Mobs;
use lockkeeper::data::meerkat::processes::Processes;
use lockkeeper::data::meerkat::realm::Realm as Place;
use lockkeeper::data::meerkat::shared::Shared;
use lockkeeper::data::meerkat::workgraph::WorkGraph;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::model::LockTable;
use lockkeeper::model::observation::{Change, LogStart, Observation};
use serde_json::{Value, json};

use crate::fixture::{MobFile, Realm, SECRET, now_ms};
use crate::support;
use crate::support::documents::assert_valid;
use crate::support::screen::Screen;
use lockkeeper::demo::meerkat::at;

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = support::run(arguments);
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn snapshot(path: &str) -> Value {
    let (_, printed) = run(&["snapshot", "--format", "json", "--meerkat", path]);
    let seen: Value = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"));
    assert_valid(&seen);
    seen
}

fn rules(seen: &Value) -> Vec<&str> {
    seen["findings"].as_array().unwrap().iter().filter_map(|finding| finding["rule"].as_str()).collect()
}

/// A realm with two members, a run, a claim and a blocked item.
async fn realm() -> (Realm, MobFile, crate::fixture::WorkFile) {
    let realm = Realm::new();
    realm.lease("desk-1", 2);
    let mut mob = realm.mob("m").await;
    mob.event(60, json!({ "type": "mob_created", "definition": { "prompt": SECRET } })).await;
    mob.spawn("w-1", 1).await;
    mob.spawn("w-2", 2).await;
    let dispatched = json!({ "type": "step_dispatched", "run_id": "r1", "step_id": "plan", "target": { "identity": "w-1", "generation": 0 } });
    mob.event(20, dispatched).await;
    mob.run("r1", "running", &[("plan", "dispatched")]).await;
    let work = realm.work().await;
    work.item("work_1", "in_progress", 3, Some(("w-2", Some(600)))).await;
    work.item("work_2", "open", 1, None).await;
    work.blocks("work_1", "work_2").await;
    (realm, mob, work)
}

#[tokio::test]
async fn a_realm_is_shown_as_the_contract_says() {
    let (realm, _mob, _work) = realm().await;
    let seen = snapshot(realm.path());
    assert_eq!(rules(&seen), Vec::<&str>::new(), "{seen:#}");
    let node = &seen["nodes"][0];
    assert_eq!((node["node_id"].as_str(), node["staleness"].as_str()), (Some("desk-1"), Some("healthy")));
    assert_eq!(node["agents"], json!(["m/w-1", "m/w-2"]));
    assert_eq!(node["locks"], 3);
    let lock = |key: &str| {
        let all = seen["locks"].as_array().unwrap();
        all.iter().find(|lock| lock["lock_key"] == key).unwrap_or_else(|| panic!("{key} in {all:#?}")).clone()
    };
    let seat = lock("m/w-2");
    assert_eq!((&seat["table"], &seat["fence_token"], &seat["state"]), (&"seat".into(), &2.into(), &"held".into()));
    let claim = lock("Write work_1 (work_1)");
    assert_eq!(
        (&claim["table"], &claim["fence_token"], &claim["holder_agent"]),
        (&"claim".into(), &3.into(), &"m/w-2".into())
    );
    assert_eq!((&claim["holder_node"], &claim["state"]), (&"desk-1".into(), &"held".into()));
    let task = |id: &str| {
        let all = seen["tasks"].as_array().unwrap();
        all.iter().find(|task| task["task_id"] == id).unwrap_or_else(|| panic!("{id} in {all:#?}")).clone()
    };
    let flow = task("flow build (r1)");
    assert_eq!(
        (&flow["state"], &flow["owner_agent"], &flow["owner_node"]),
        (&"running".into(), &"m/w-1".into(), &"desk-1".into())
    );
    let waits = task("Write work_2 (work_2)");
    assert_eq!(
        (&waits["state"], waits["evidence"].as_array().unwrap().last().unwrap().as_str()),
        (&"pending".into(), Some("waits for Write work_1 (work_1)"))
    );
    let (_, table) = run(&["snapshot", "--meerkat", realm.path()]);
    for part in ["QUEUES", "MESSAGES", "LEASES", "LEADERS"] {
        assert!(table.contains(&format!("{part} not provided by Meerkat")), "{part}: {table}");
    }
    assert_eq!(seen["oplog"][0]["chain"], "unverifiable");
    let (code, refused) =
        run(&["release", "Write work_1 (work_1)", "--fence", "3", "--dry-run", "--meerkat", realm.path()]);
    assert!(code != Some(0) && refused.contains("workgraph_release, expected_revision 3"), "{code:?}: {refused}");
}

#[tokio::test]
async fn nothing_private_leaves_a_realm_and_nothing_is_written_there() {
    let (realm, _mob, _work) = realm().await;
    let before = realm.files();
    let state = support::state_folder();
    let log = realm.folder.path().join("log");
    for arguments in [&["snapshot"][..], &["snapshot", "--format", "json"], &["check"], &["config"]] {
        let log = log.to_str().unwrap();
        let (_, printed) = run(&[arguments, &["--log-file", log, "--meerkat", realm.path()]].concat());
        assert!(!printed.contains(SECRET), "{arguments:?}: {printed}");
    }
    let mut screen = Screen::start(160, 40, &["--meerkat", realm.path()], &[]);
    for (view, text) in [("3", "m/w-1"), ("5", "flow build"), ("6", "member_spawned"), ("2", "desk-1")] {
        screen.press(view);
        screen.wait_text(text);
        screen.press("\r");
        screen.wait_text("esc back");
        screen.press("\x1b");
        screen.wait_for("the list again", |text| !text.contains("esc back"));
    }
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
    let mut folders = vec![state, realm.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && path != realm.root {
                folders.push(path);
            } else if path.is_file() {
                let text = std::fs::read(&path).unwrap_or_default();
                assert!(!String::from_utf8_lossy(&text).contains(SECRET), "{}", path.display());
            }
        }
    }
    assert_eq!(realm.files(), before, "watching changes no file and makes none");
}

#[tokio::test]
async fn what_is_wrong_is_found() {
    let (realm, mut mob, work) = realm().await;
    realm.lease("desk-2", 3);
    mob.spawn("w-2", 2).await;
    mob.event(5, json!({ "type": "flow_failed", "run_id": "r0", "flow_id": "build", "cause": "step_error", "reason": "it broke" })).await;
    work.item("work_3", "in_progress", 2, Some(("w-9", None))).await;
    let seen = snapshot(realm.path());
    let found = rules(&seen);
    for rule in ["realm-twice", "seat-twice", "flow-failed", "claim-unowned"] {
        assert!(found.contains(&rule), "{rule} in {:#}", seen["findings"]);
    }
    let (code, printed) = run(&["check", "--meerkat", realm.path()]);
    assert!(code == Some(2) && printed.starts_with("LOCKKEEPER CRITICAL - "), "{printed}");
    assert!(seen["findings"].to_string().contains("realm team: 2 live processes serve it: desk-1, desk-2"));
}

#[tokio::test]
async fn a_process_that_was_killed_is_dead_and_its_run_is_open() {
    let (realm, _mob, _work) = realm().await;
    realm.lease("desk-1", 4_000);
    let seen = snapshot(realm.path());
    assert_eq!(seen["nodes"][0]["staleness"], "dead");
    let found = rules(&seen);
    assert!(found.contains(&"node-dead") && found.contains(&"run-unserved"), "{found:?}");
    assert_eq!(seen["locks"].as_array().unwrap().iter().filter(|lock| lock["state"] == "orphaned").count(), 3);
    assert_eq!(
        found.iter().filter(|rule| **rule == "lock-orphaned").count(),
        1,
        "the claim alone: seats go with their process"
    );
}

#[tokio::test]
async fn the_older_version_is_read_as_well() {
    let realm = Realm::new();
    realm.lease("desk-1", 2);
    let mut mob = realm.older_mob("old%2Fone").await;
    mob.spawn("w-1", 1).await;
    let seen = snapshot(realm.path());
    assert_eq!(seen["locks"][0]["lock_key"], "old/one/w-1");
    assert_eq!(seen["oplog"][0]["kind"], "member_spawned");
}

#[tokio::test]
async fn an_unknown_version_is_shown_as_it_is_with_a_finding() {
    let (realm, mut mob, _work) = realm().await;
    let event = json!({ "schema_version": 31, "event": { "cursor": 9, "timestamp": at(now_ms()), "kind": { "type": "member_spawned", "agent_identity": "w-7", "fence_token": 9 } } });
    mob.raw(event.to_string().as_bytes()).await;
    let seen = snapshot(realm.path());
    assert!(rules(&seen).contains(&"schema-unknown"), "{seen:#}");
    assert!(!seen["locks"].to_string().contains("w-7"), "nobody knows what it means");
    assert!(seen["oplog"].to_string().contains("w-7"));
}

#[tokio::test]
async fn rows_of_any_content_harm_nothing() {
    let (realm, mut mob, work) = realm().await;
    mob.raw(b"").await;
    mob.raw(&[0xff, 0xfe, 0x00, b'{']).await;
    mob.raw(b"{\"schema_version\":9,\"event\":{\"kind\":{\"type\":\"\\u001b[2Jx\"}}}").await;
    mob.raw(format!("{{\"x\":\"{}\"}}", "y".repeat(200_000)).as_bytes()).await;
    let future = json!({ "schema_version": 9, "event": { "timestamp": "9999-12-31T23:59:59Z", "kind": { "type": "member_retirement_started", "agent_identity": "w-1" } } });
    mob.raw(future.to_string().as_bytes()).await;
    for run in [&b"{"[..], &[0xff, 0xfe], b"[]", b"{\"status\":\"running\",\"step_ledger\":7}"] {
        let sql = "INSERT INTO mob_runs VALUES (hex(randomblob(4)), ?1)";
        mob.connection.execute(sql, [run.to_vec()]).await.unwrap();
    }
    let sql = "INSERT INTO workgraph_items VALUES ('mob.m', 'default', ?1, 1, 'x', ?2)";
    for item in ["{", "[]", "{\"status\":5}", "\u{0}"] {
        work.connection.execute(sql, (item, item)).await.unwrap();
    }
    let seen = snapshot(realm.path());
    assert!(
        seen["sources"].as_array().unwrap().iter().all(|source| source["health"] == "live"),
        "{:#}",
        seen["sources"]
    );
    assert_eq!(seen["locks"].as_array().unwrap().len(), 3);
    let (_, table) = run(&["snapshot", "--meerkat", realm.path()]);
    assert!(!table.contains('\u{1b}') && table.contains("(unreadable)"), "{table}");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_not_missed() {
    for table in ["mob_events", "mob_runs"] {
        let (realm, mob, _work) = realm().await;
        mob.connection.execute_batch(&format!("DROP TABLE {table}")).await.unwrap();
        let seen = snapshot(realm.path());
        assert!(
            seen["sources"].as_array().unwrap().iter().all(|source| source["health"] == "live"),
            "{table}: {seen:#}"
        );
    }
    for table in ["workgraph_items", "workgraph_edges", "workgraph_events"] {
        let (realm, _mob, work) = realm().await;
        work.connection.execute_batch(&format!("DROP TABLE {table}")).await.unwrap();
        let seen = snapshot(realm.path());
        assert!(
            seen["sources"].as_array().unwrap().iter().all(|source| source["health"] == "live"),
            "{table}: {seen:#}"
        );
    }
    let (realm, _mob, _work) = realm().await;
    std::fs::write(realm.root.join("mobs/mob--odd.db"), "this is no database, and never was one at any time").unwrap();
    let seen = snapshot(realm.path());
    assert!(rules(&seen).contains(&"source-unseen"), "{seen:#}");
    assert_eq!(seen["locks"].as_array().unwrap().len(), 3, "the others are seen");
}

#[tokio::test]
async fn a_lease_that_is_being_written_is_unknown_not_dead() {
    let (realm, _mob, _work) = realm().await;
    let path = realm.root.join("leases/desk-1.json");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let seen = snapshot(realm.path());
    assert_eq!(seen["nodes"], json!([]));
    assert!(!rules(&seen).contains(&"node-dead") && rules(&seen).contains(&"value-odd"), "{:#}", seen["findings"]);
    assert!(!rules(&seen).contains(&"run-unserved"), "it may be served: {:#}", seen["findings"]);
    // One that was read before stands as it did.
    std::fs::write(&path, &whole).unwrap();
    let leases = realm.root.join("leases");
    let shared = Shared::default();
    let mut processes = Processes::new("team".into(), leases, shared.clone(), now_ms);
    poll(&mut processes).await;
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    poll(&mut processes).await;
    assert_eq!(
        (shared.facts().is_served(), shared.facts().server().map(ToString::to_string)),
        (Some(true), Some("desk-1".into()))
    );
}

#[tokio::test]
async fn a_process_that_takes_over_from_a_killed_one_does_not_serve_beside_it() {
    let (realm, _mob, _work) = realm().await;
    realm.lease("desk-1", 20);
    let now = now_ms() / 1_000;
    let lease = json!({ "instance_id": "desk-2", "pid": 7, "started_at": now - 5, "heartbeat_at": now - 1 });
    std::fs::write(realm.root.join("leases/desk-2.json"), lease.to_string()).unwrap();
    let seen = snapshot(realm.path());
    assert!(!rules(&seen).contains(&"realm-twice"), "{:#}", seen["findings"]);
}

#[tokio::test]
async fn two_mobs_of_one_trouble_are_two_findings() {
    let (realm, mut mob, _work) = realm().await;
    let mut other = realm.mob("n").await;
    for mob in [&mut mob, &mut other] {
        mob.event(100, json!({ "type": "topology_violation", "from_role": "a", "to_role": "b" })).await;
    }
    let seen = snapshot(realm.path());
    let found: Vec<&Value> =
        seen["findings"].as_array().unwrap().iter().filter(|f| f["rule"] == "topology-violated").collect();
    assert_eq!(found.len(), 2, "{:#}", seen["findings"]);
}

#[tokio::test]
async fn a_large_event_is_read_for_what_members_follow_from() {
    let (realm, mut mob, work) = realm().await;
    let spawned = json!({ "schema_version": 9, "event": { "timestamp": at(now_ms()), "kind": {
        "type": "member_spawned", "agent_identity": "w-3", "role": "worker", "generation": 0, "fence_token": 5,
        "kickoff_prompt": "y".repeat(200_000),
    } } });
    mob.raw(spawned.to_string().as_bytes()).await;
    work.item("work_5", "in_progress", 2, Some(("w-3", None))).await;
    let seen = snapshot(realm.path());
    assert!(seen["locks"].to_string().contains("m/w-3"), "{:#}", seen["locks"]);
    assert!(!rules(&seen).contains(&"claim-unowned") && !rules(&seen).contains(&"source-unseen"), "{seen:#}");
    // Of what cannot be read nobody knows whether it names a member.
    mob.raw(b"{").await;
    work.item("work_6", "in_progress", 2, Some(("w-4", None))).await;
    let seen = snapshot(realm.path());
    assert!(!rules(&seen).contains(&"claim-unowned") && rules(&seen).contains(&"source-unseen"), "{seen:#}");
}

#[tokio::test]
async fn a_graph_of_work_that_is_gone_holds_nothing() {
    let (realm, _mob, work) = realm().await;
    let mut source = WorkGraph::new(&place(&realm), 100, Shared::default(), now_ms);
    let claims = |seen: &Observation| {
        seen.changes.iter().find_map(|change| match change {
            Change::Locks(LockTable::Claim, rows) => Some(rows.len()),
            _ => None,
        })
    };
    assert_eq!(claims(&poll(&mut source).await), Some(1));
    drop(work);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(realm.root.join(format!("workgraph.sqlite3{end}")));
    }
    let seen = poll(&mut source).await;
    assert_eq!(claims(&seen), Some(0));
    assert!(seen.changes.iter().any(|change| matches!(change, Change::Reset)));
    // What another file says under the same name is read from its beginning.
    let again = realm.work().await;
    again.item("work_9", "in_progress", 1, Some(("w-1", None))).await;
    assert_eq!(claims(&poll(&mut source).await), Some(1));
}

#[tokio::test]
async fn an_open_run_is_watched_however_large_or_old_it_is() {
    let (realm, mob, _work) = realm().await;
    let large = json!({ "run_id": "r-large", "flow_id": "big", "status": "running", "step_ledger": [], "input": "y".repeat(2_000_000) });
    let sql = "INSERT INTO mob_runs VALUES (?1, ?2)";
    mob.connection.execute(sql, ("r-large", large.to_string().into_bytes())).await.unwrap();
    for n in 0..300 {
        mob.run(&format!("done-{n}"), "completed", &[]).await;
    }
    let tasks = snapshot(realm.path())["tasks"].to_string();
    assert!(tasks.contains("flow big (r-large)") && tasks.contains("flow build (r1)"), "{tasks}");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let realm = Realm::new();
    let manifest = realm.root.join("realm_manifest.json");
    std::fs::remove_file(&manifest).unwrap();
    let pipes = [
        manifest,
        realm.root.join("mobs/mob--a.db"),
        realm.root.join("workgraph.sqlite3"),
        realm.root.join("leases/a.json"),
    ];
    for pipe in pipes {
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    }
    let seen = snapshot(realm.path());
    assert_eq!(seen["sources"].as_array().unwrap().len(), 3, "{:#}", seen["sources"]);
}

async fn poll(source: &mut dyn Source) -> Observation {
    source.poll(&PollContext::default()).await.unwrap()
}

fn seats(seen: &Observation) -> Option<Vec<(String, Option<i64>)>> {
    let locks = seen.changes.iter().find_map(|change| match change {
        Change::Locks(LockTable::Seat, locks) => Some(locks),
        _ => None,
    })?;
    Some(locks.iter().map(|lock| (lock.lock_key.to_string(), lock.fence_token)).collect())
}

fn place(realm: &Realm) -> Place {
    Place::at(&realm.root).remove(0)
}

#[tokio::test]
async fn what_is_new_is_read_once_and_a_destroyed_mob_begins_again() {
    let (realm, mut mob, _work) = realm().await;
    let mut source = Mobs::new(&place(&realm), 2_000, Shared::default(), now_ms);
    assert_eq!(seats(&poll(&mut source).await).unwrap().len(), 2);
    let rest = poll(&mut source).await;
    assert_eq!((rest.changes.len(), rest.cost.rows), (0, 0), "nothing is read twice");
    mob.spawn("w-3", 3).await;
    let more = poll(&mut source).await;
    assert_eq!(seats(&more).unwrap().len(), 3);
    let log = more
        .changes
        .iter()
        .find_map(|change| if let Change::Log(_, entries, _) = change { Some(entries.len()) } else { None });
    assert_eq!(log, Some(1));
    // Destroyed, and made again under the same name.
    drop(mob);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(realm.root.join(format!("mobs/mob--m.db{suffix}")));
    }
    assert_eq!(seats(&poll(&mut source).await).unwrap(), []);
    let mut again = realm.mob("m").await;
    again.spawn("w-1", 1).await;
    assert_eq!(seats(&poll(&mut source).await).unwrap(), [("m/w-1".to_owned(), Some(1))]);
}

#[tokio::test]
async fn members_that_events_before_the_window_name_are_found() {
    let realm = Realm::new();
    let mut mob = realm.mob("m").await;
    for n in 0..5 {
        mob.spawn(&format!("w-{n}"), n + 1).await;
    }
    for n in 0..200 {
        mob.event(10, json!({ "type": "operator_action_recorded", "tool_name": format!("t{n}") })).await;
    }
    let mut source = Mobs::new(&place(&realm), 60, Shared::default(), now_ms);
    let first = poll(&mut source).await;
    let unseen = first.unseen.clone().unwrap();
    let all = seats(&first).unwrap();
    assert!(all.len() == 5 && unseen.is_empty(), "{all:?} {unseen:?}");
    let log = first.changes.iter().find_map(|change| match change {
        Change::Log(_, entries, start) => Some((entries.len(), *start)),
        _ => None,
    });
    assert_eq!(log, Some((60, LogStart::Window)), "older entries are there and were not read into the log");
}

#[tokio::test]
async fn a_claim_follows_its_item() {
    let (realm, _mob, work) = realm().await;
    let mut source = WorkGraph::new(&place(&realm), 2_000, Shared::default(), now_ms);
    let claims = |seen: &Observation| {
        seen.changes.iter().find_map(|change| match change {
            Change::Locks(LockTable::Claim, locks) => {
                Some(locks.iter().map(|lock| lock.fence_token.unwrap()).collect::<Vec<_>>())
            }
            _ => None,
        })
    };
    assert_eq!(claims(&poll(&mut source).await), Some(vec![3]));
    assert_eq!(poll(&mut source).await.cost.rows, 0);
    work.item("work_1", "completed", 4, None).await;
    work.item("work_2", "in_progress", 2, Some(("w-1", None))).await;
    assert_eq!(claims(&poll(&mut source).await), Some(vec![2]));
}

/// Leases on names of declared members are locks, and the supervisor is what it is; its keys stay where they are.
#[tokio::test(flavor = "multi_thread")]
async fn leases_on_names_and_the_supervisor_are_shown() {
    let (realm, mob, _work) = realm().await;
    let eight = |n: i64| n.to_be_bytes().to_vec();
    let sql = "CREATE TABLE mob_identity_leases (mob_id TEXT, agent_identity TEXT, epoch_highwater BLOB,
        active_holder_id TEXT, active_incarnation_id TEXT, active_epoch BLOB, active_renewed_at_ms BLOB,
        active_expires_at_ms BLOB, authority_digest TEXT, record_json BLOB, PRIMARY KEY (mob_id, agent_identity))";
    mob.connection.execute(sql, ()).await.unwrap();
    let insert = "INSERT INTO mob_identity_leases VALUES ('m', ?1, ?2, ?3, 'inc-1', ?2, ?4, ?5, 'd', ?6)";
    let now = now_ms();
    for (who, holder) in [("w-1", Some("host-1")), ("w-2", None)] {
        let row = libsql::params![who, eight(7), holder, eight(now - 2_000), eight(now + 20_000), SECRET];
        mob.connection.execute(insert, row).await.unwrap();
    }
    let seen = snapshot(realm.path());
    let locks = seen["locks"].as_array().unwrap();
    let leases: Vec<&Value> = locks.iter().filter(|lock| lock["table"] == "identity lease").collect();
    assert_eq!(leases.len(), 1, "of a lease that nobody has there is nothing to show");
    assert_eq!((&leases[0]["lock_key"], &leases[0]["holder_agent"]), (&json!("m/w-1"), &json!("host-1")));
    assert_eq!((&leases[0]["fence_token"], &leases[0]["expires_at_ms"]), (&json!(7), &json!(now + 20_000)));
    assert!(!seen.to_string().contains(SECRET));
    let agents = seen["agents"].as_array().unwrap();
    assert!(agents.iter().any(|agent| agent["agent_id"] == "m/w-1" && agent["generation"] == 0), "{agents:?}");
}

/// A second name of a file keeps Meerkat out, not whoever only reads; and reading makes no name and no file.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_two_names_is_read() {
    let (realm, _mob, _work) = realm().await;
    std::fs::hard_link(realm.root.join("mobs/mob--m.db"), realm.folder.path().join("copy.db")).unwrap();
    let before = realm.files();
    let seen = snapshot(realm.path());
    assert_eq!(seen["agents"].as_array().unwrap().len(), 2);
    assert_eq!(realm.files(), before);
}

/// Read by somebody who may not write there: while a process serves the realm and once none does.
#[tokio::test(flavor = "multi_thread")]
async fn a_realm_that_may_not_be_written_is_read_or_said() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let (realm, mob, work) = realm().await;
    for folder in ["", "mobs", "leases"] {
        let path = realm.root.join(folder);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o555)).unwrap();
    }
    std::fs::set_permissions(realm.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let look = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.args(["snapshot", "--format", "json", "--meerkat", realm.path()]).env_clear();
        command.env("HOME", home.path()).env("XDG_STATE_HOME", home.path()).current_dir("/");
        // Whoever may do everything is not kept out.
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output()
    };
    let Ok(output) = look() else {
        eprintln!("skipped: this user cannot run the program as another one");
        return;
    };
    let served: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let agents = served["agents"].as_array().unwrap().len();
    let said = served["findings"].to_string();
    assert!(agents == 2 || said.contains("needs a folder that this user may write"), "{served:#}");
    // Closed as Meerkat closes it, everything stands in the file itself.
    drop((mob, work));
    let output = look().unwrap();
    let closed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(closed["agents"].as_array().unwrap().len(), 2, "{closed:#}");
    for folder in ["", "mobs", "leases"] {
        let path = realm.root.join(folder);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_realm_that_is_not_there_yet_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (code, printed) = run(&["snapshot", "--meerkat", folder.path().join("later").to_str().unwrap()]);
    assert!(code == Some(0) && printed.contains("NODES (0)"), "{code:?}: {printed}");
}

#[test]
fn the_demo_tells_the_story_of_a_realm() {
    let mut screen = Screen::start(180, 50, &["demo", "--with", "harn,meerkat", "--seed", "3", "--speed", "4"], &[]);
    screen.wait_text("lockkeeper demo, project, realm");
    // Of three meshes the realm alone: how many rows stand before its own depends on the moment.
    for view in ["7", "3"] {
        screen.press(view);
        screen.press("/");
        screen.press("mesh:realm\r");
    }
    screen.wait_text("atlas/worker-2");
    screen.press("7");
    screen.wait_text("flow publish failed");
    screen.wait_text("claimed by atlas/worker-1, which is no member");
    screen.wait_text("realm fleet: 2 live processes serve it");
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}

#[test]
fn a_run_that_hangs_is_stopped_on_the_screen() {
    let mut screen = Screen::start(180, 50, &["demo", "--with", "meerkat", "--seed", "3", "--speed", "16"], &[]);
    screen.wait_text("lockkeeper demo, realm");
    screen.press("w");
    screen.press("/");
    screen.wait_text("field:value");
    screen.press("state:stalled");
    let stalled = |text: &str| text.lines().any(|line| line.starts_with('▸') && line.contains("stalled"));
    screen.wait_for("a member that hangs", stalled);
    screen.press("\r");
    screen.wait_for("the filter is kept", |text| !text.contains("Enter keeps"));
    screen.press("x");
    let preview = screen.wait_text("y run it");
    assert!(preview.contains("Stop the run of atlas/") && preview.contains("progress"), "{preview}");
    screen.press("y");
    screen.wait_text(": done");
    screen.press("\r");
    screen.wait_for("nobody hangs", |text| !stalled(text));
    screen.press("q");
    assert_eq!(screen.wait_end(), 0);
}
