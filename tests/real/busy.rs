//! A remote database in which much changes all the time, against a reading of everything.

use fastrand::Rng;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::data::tls::Tls;
use lockkeeper::data::vox::backend::{Backend, remote::Remote};

use crate::sqld::{self, Sqld};
use crate::support::follower::{Follower, differ};

const ROWS: &str = "
WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g LIMIT 1500)
    INSERT INTO distributed_locks SELECT 'k' || i, 'n' || (i % 40), i, i, datetime('now'), datetime('now', '+1 hour'), 'r' FROM g;
WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g LIMIT 40)
    INSERT INTO mesh_heartbeats SELECT 'n' || i, i, i, 'idle', 'r' FROM g;
WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g LIMIT 300)
    INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload)
    SELECT i + 1, 'm' || i, '1', '2', 'free_form', 'x' FROM g";

/// One thing that a writer may do.
fn act(chance: &mut Rng) -> String {
    let (i, n) = (chance.u32(0..1_500), chance.u32(0..1_000_000));
    match chance.u32(0..9) {
        0 => format!("DELETE FROM distributed_locks WHERE lock_key = 'k{i}'"),
        // Longer or shorter than it was, and by a clock that may be set back.
        1 => format!(
            "UPDATE distributed_locks SET expires_at = datetime('now', '{} seconds') WHERE lock_key = 'k{i}'",
            i64::from(n) - 500_000
        ),
        2 => format!(
            "INSERT OR REPLACE INTO distributed_locks VALUES ('k{i}', 'n{n}', '1', {n}, datetime('now'), datetime('now', '+9 seconds'), 'r')"
        ),
        // Released and taken again.
        3 => format!(
            "DELETE FROM distributed_locks WHERE lock_key = 'k{i}'; \
             INSERT INTO distributed_locks VALUES ('k{i}', 'again', '1', {n}, datetime('now'), datetime('now', '+9 seconds'), 'r')"
        ),
        4 => format!("UPDATE mesh_heartbeats SET last_seen_ms = {n} WHERE node_id = 'n{}'", i % 40),
        5 => format!("DELETE FROM mesh_heartbeats WHERE node_id = 'n{}'", i % 40),
        6 => format!("UPDATE a2a_messages SET acknowledged = 1 WHERE id = {}", i % 300),
        7 => format!(
            "INSERT INTO a2a_messages (message_uuid, sender_agent, receiver_agent, msg_type, payload) \
             VALUES ('u{n}-{i}', '1', '2', 'free_form', 'x')"
        ),
        _ => format!("DELETE FROM distributed_locks WHERE rowid BETWEEN {i} AND {}", i + 9),
    }
}

async fn busy() -> Option<Sqld> {
    let server = Sqld::start(sqld::installed()?, &[]);
    server.execute(&crate::plain(lockkeeper::demo::vox::write::SCHEMA), "").await;
    server.execute(ROWS, "").await;
    Some(server)
}

/// Everything that is there, by a reading of everything.
async fn afresh(server: &Sqld) -> Vec<String> {
    let remote = Remote::new(server.address(), None, 64 << 20, Tls::default());
    let mut afresh = Follower::new(Backend::Remote(Box::new(remote)));
    afresh.poll().await;
    afresh.known()
}

fn keeping(server: &Sqld, folder: &std::path::Path) -> Follower {
    let remote = Remote::new(server.address(), None, 64 << 20, Tls::default());
    Follower::new(Backend::Remote(Box::new(remote.keeping(folder.to_owned(), Tls::default()))))
}

#[tokio::test]
async fn a_busy_remote_is_exact_and_its_server_reads_no_rows() {
    let Some(server) = busy().await else { return };
    let copies = tempfile::tempdir().unwrap();
    let mut follower = keeping(&server, copies.path());
    let mut chance = Rng::with_seed(17);
    let (mut unread, mut by_replica) = (0, false);
    for round in 0..60 {
        for _ in 0..chance.u32(0..6) {
            server.execute(&act(&mut chance), "").await;
        }
        follower.poll().await;
        assert_eq!(differ(&follower.known(), &afresh(&server).await), (Vec::new(), Vec::new()), "round {round}");
        // The first sync goes on beside the polls; once there is a replica, nothing is read any more.
        by_replica |= follower.cost.read == Some(0) && follower.cost.rows > 0;
        if by_replica {
            assert_eq!(follower.cost.read, Some(0), "round {round}: {:?}", follower.cost);
            unread += u32::from(follower.cost.rows > 0);
        }
        assert!(follower.watch.mesh.sources[0].clock.best().is_some(), "its clock is the server's");
    }
    assert!(unread > 20, "rows came without being read there in {unread} rounds");
    assert!(copies.path().join("replica.db").exists());

    // At rest it is one small exchange.
    follower.poll().await;
    assert_eq!((follower.cost.read, follower.cost.round_trips), (Some(0), 1), "{:?}", follower.cost);
    assert!(follower.cost.bytes < 1_000, "{:?}", follower.cost);
}

#[tokio::test]
async fn what_a_replica_cannot_do_is_done_by_queries() {
    let Some(mut server) = busy().await else { return };
    let copies = tempfile::tempdir().unwrap();
    let mut follower = keeping(&server, copies.path());
    let one_more = "UPDATE distributed_locks SET fence_token = fence_token + 1 WHERE lock_key = 'k7'";
    let started = std::time::Instant::now();
    while follower.cost.read != Some(0) || follower.cost.rows == 0 {
        assert!(started.elapsed() < crate::support::PATIENCE, "{:?}", follower.cost);
        server.execute(one_more, "").await;
        follower.poll().await;
    }
    // Another database behind the same address, as large and as busy.
    server.kill();
    assert!(follower.source.poll(&PollContext::default()).await.is_err());
    server.run("other");
    server.execute(&crate::plain(lockkeeper::demo::vox::write::SCHEMA), "").await;
    server.execute(&ROWS.replace("'k'", "'other'"), "").await;
    for _ in 0..3 {
        follower.poll().await;
        assert_eq!(differ(&follower.known(), &afresh(&server).await), (Vec::new(), Vec::new()));
    }
}
