//! A large table is read by what changed on its pages, and comes to the same as reading all of it.

use std::path::Path;

use fastrand::Rng;
use libsql::Connection;
use lockkeeper::config::address::Address;
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::backend::Backend;
use lockkeeper::data::vox::backend::local::{CopyOf, Owned};
use lockkeeper::data::vox::backend::remote::Remote;
use lockkeeper::data::vox::file_copy::copy::Copier;
use lockkeeper::demo::vox::write::Writer;

use crate::support::follower::{Follower, differ};

async fn run(connection: &Connection, sql: &str) {
    connection.execute_batch(sql).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
}

/// One thing that a writer may do.
fn act(chance: &mut Rng) -> String {
    let i = chance.u32(0..700);
    let n = chance.u32(0..1_000_000);
    let far = chance.u32(0..1_500);
    match chance.u32(0..22) {
        0..4 => format!("UPDATE distributed_locks SET fence_token = fence_token + 1, holder_node = 'n{n}' WHERE lock_key = 'k{i}'"),
        4 => format!("DELETE FROM distributed_locks WHERE lock_key = 'k{i}'"),
        5 => format!("INSERT OR REPLACE INTO distributed_locks VALUES ('k{far}', 'n{n}', '1', 1, datetime('now'), datetime('now'), 'r')"),
        6 => format!("UPDATE distributed_locks SET lock_key = 'moved{n}' WHERE lock_key = 'k{i}'"),
        7 => format!("DELETE FROM distributed_locks WHERE rowid BETWEEN {i} AND {}", i + 40),
        8 => format!("INSERT OR REPLACE INTO distributed_locks SELECT 'b{n}-' || value, 'n', '1', 1, '', '', 'r' FROM generate(60)"),
        9 => format!("UPDATE mesh_heartbeats SET last_seen_ms = last_seen_ms + {n} WHERE node_id = 'n{i}'"),
        10 => format!("UPDATE mesh_heartbeats SET activity = printf('%.{}c', 'x') WHERE node_id = 'n{i}'", n % 9_000),
        11 => format!("DELETE FROM mesh_heartbeats WHERE node_id = 'n{i}'"),
        12 => format!("UPDATE a2a_messages SET acknowledged = 1 WHERE id = {i}"),
        13 => format!("UPDATE a2a_messages SET claim_owner = 'w{n}', claim_until_ms = {n} WHERE id = {i}"),
        14 => format!("UPDATE a2a_messages SET claim_until_ms = {} WHERE id = {i}", 1_000_000 + n),
        15 => format!("DELETE FROM a2a_messages WHERE id = {i}"),
        16 => format!(
            "INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload) \
             VALUES ('u{n}-{far}-{i}', '1', '2', 'free_form', printf('%.{}c', 'p'))",
            n % 9_000
        ),
        17 => "PRAGMA wal_checkpoint(PASSIVE)".into(),
        18 => "PRAGMA wal_checkpoint(TRUNCATE)".into(),
        19 => format!("UPDATE vcs_lock SET fence_token = {n} WHERE path = 'p{i}'"),
        20 if n.is_multiple_of(5) => "VACUUM".into(),
        _ => format!("UPDATE distributed_locks SET holder_agent = '{n}' WHERE rowid % 7 = {}", i % 7),
    }
    .replace("FROM generate(60)", "FROM (WITH RECURSIVE g(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM g LIMIT 60) SELECT value FROM g)")
}

async fn filled(path: &Path) -> Connection {
    let connection = Writer::create(path).await.expect("a database").into_connection();
    run(
        &connection,
        "CREATE TEMP TABLE g AS WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g LIMIT 700) SELECT i FROM g;
         INSERT INTO mesh_heartbeats SELECT 'n' || i, i, i, 'idle', 'r' FROM g;
         INSERT INTO distributed_locks SELECT 'k' || i, 'n' || i, i, i, datetime('now'), datetime('now'), 'r' FROM g;
         INSERT INTO vcs_lock SELECT 'p' || i, 'exclusive', i, 'n' || i, 'r', i, i, NULL, i FROM g;
         INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload)
             SELECT i + 1, 'm' || i, '1', '2', 'free_form', printf('%.*c', i * 13, 'x') FROM g;
         DROP TABLE g;",
    )
    .await;
    connection
}

async fn follow(path: &Path, connection: &Connection, mut follower: Follower, seed: u64, at_least: u32) {
    let mut chance = Rng::with_seed(seed);
    let mut partly = 0;
    for round in 0..100 {
        for _ in 0..chance.u32(0..4) {
            run(connection, &act(&mut chance)).await;
        }
        follower.poll().await;
        let mut afresh = Follower::new(Backend::Owned(Owned::new(path.to_owned())));
        afresh.poll().await;
        let differ = differ(&follower.known(), &afresh.known());
        assert_eq!(differ, (Vec::new(), Vec::new()), "round {round} of seed {seed}");
        partly += u32::from(follower.cost.rows < afresh.cost.rows / 2);
    }
    assert!(partly > at_least, "so many polls read little: {partly} of 100");
}

#[tokio::test]
async fn a_file_that_is_ours_is_followed_by_its_pages() {
    for seed in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours.db");
        let connection = filled(&path).await;
        follow(&path, &connection, Follower::new(Backend::Owned(Owned::new(path.clone()))), seed, 33).await;
    }
}

#[tokio::test]
async fn a_copy_is_followed_by_its_pages() {
    for seed in 10..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs.db");
        let connection = filled(&path).await;
        let copies = folder.path().join("copies");
        std::fs::create_dir(&copies).unwrap();
        let copier = Copier::new(path.clone(), &copies, 1 << 30);
        follow(&path, &connection, Follower::new(Backend::Copy(CopyOf::new(copier))), seed, 33).await;
    }
}

/// A remote is read when its count of commits moved, and only then.
#[tokio::test(flavor = "multi_thread")]
async fn a_remote_is_followed_by_its_count() {
    for seed in 20..21 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("far.db");
        let connection = filled(&path).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = lockkeeper::demo::vox::hrana::router(&path, None);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let remote = Remote::new(Address::of_database(&url).unwrap(), None, 64 << 20, Tls::default());
        // In a quarter of the rounds nothing is written; what was acknowledged is looked up in the next one.
        follow(&path, &connection, Follower::new(Backend::Remote(Box::new(remote))), seed, 3).await;
    }
}

#[tokio::test]
async fn a_table_without_rowids_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let connection = Writer::create(&path).await.unwrap().into_connection();
    run(
        &connection,
        "DROP TABLE distributed_locks;
         CREATE TABLE distributed_locks (lock_key TEXT PRIMARY KEY, holder_node TEXT, fence_token INTEGER) WITHOUT ROWID;
         INSERT INTO distributed_locks WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g LIMIT 700)
             SELECT 'k' || i, 'n', 1 FROM g;",
    )
    .await;
    let mut follower = Follower::new(Backend::Owned(Owned::new(path.clone())));
    for fence in 0..4 {
        run(&connection, &format!("UPDATE distributed_locks SET fence_token = {fence} WHERE lock_key = 'k5'")).await;
        follower.poll().await;
        let locks = &follower.watch.tables[0].locks[0];
        assert_eq!(locks.len(), 700);
        let five = locks.iter().find(|lock| lock.lock_key == "k5").map(|lock| lock.fence_token);
        assert_eq!(five, Some(Some(fence)));
    }
}
