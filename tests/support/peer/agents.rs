//! Agents at work on one database: one that takes, renews and drops locks, one that claims and acknowledges.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use libsql::{Connection, params};

async fn connect(database: &Path) -> Connection {
    let database = libsql::Builder::new_local(database).build().await.expect("a database");
    let connection = database.connect().expect("a connection");
    connection.busy_timeout(Duration::from_secs(20)).expect("a timeout");
    connection
}

/// Ends when standard input does.
fn until_told() -> std::sync::mpsc::Receiver<()> {
    let (done, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = done.send(());
    });
    end
}

fn pause(chance: &mut fastrand::Rng) {
    std::thread::sleep(Duration::from_micros(chance.u64(0..3_000)));
}

/// Takes what is free or ran out, renews, releases, or leaves it to run out, as newer clients do.
pub async fn holder(database: &Path, node: &str, seed: u64) {
    let connection = connect(database).await;
    let end = until_told();
    let mut chance = fastrand::Rng::with_seed(seed);
    println!("holding");
    let mut turns = 0u64;
    while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
        let key = format!("file:{}.rs", chance.u8(0..12));
        let sql = match chance.u8(0..10) {
            0..=5 => {
                "INSERT INTO distributed_locks VALUES (?1, ?2, ?3, 1, datetime('now'), datetime('now', '+30 seconds'), 'r') \
                 ON CONFLICT DO UPDATE SET holder_node = excluded.holder_node, holder_agent = excluded.holder_agent, \
                 fence_token = fence_token + 1, expires_at = excluded.expires_at \
                 WHERE expires_at <= datetime('now') OR holder_node = excluded.holder_node"
            }
            6..=7 => "DELETE FROM distributed_locks WHERE lock_key = ?1 AND holder_node = ?2 AND ?3 IS NOT NULL",
            8 => {
                "UPDATE distributed_locks SET expires_at = datetime('now', '-1 seconds') \
                 WHERE lock_key = ?1 AND holder_node = ?2 AND ?3 IS NOT NULL"
            }
            _ => "DELETE FROM distributed_locks WHERE expires_at <= datetime('now') AND lock_key = ?1 AND ?2 <> ?3",
        };
        connection.execute(sql, params![key, node, node]).await.expect("a lock statement");
        turns += 1;
        pause(&mut chance);
    }
    println!("{turns} turns");
}

/// Claims what is for it, and acknowledges what it still has a claim on.
pub async fn consumer(database: &Path, agent: &str, seed: u64) {
    let connection = connect(database).await;
    let end = until_told();
    let mut chance = fastrand::Rng::with_seed(seed);
    let now = "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)";
    let claim = format!(
        "UPDATE a2a_messages SET claim_owner = 'node-' || ?1, claim_until_ms = {now} + 200, \
         delivery_attempts = delivery_attempts + 1 WHERE id = (SELECT id FROM a2a_messages WHERE receiver_agent = ?1 \
         AND acknowledged = 0 AND coalesce(claim_until_ms, 0) < {now} ORDER BY priority DESC, id LIMIT 1) RETURNING id"
    );
    println!("consuming");
    let mut done = 0u64;
    while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
        let mut rows = connection.query(&claim, params![agent]).await.expect("a claim");
        let id = rows.next().await.expect("a row").map(|row| row.get::<i64>(0).expect("an id"));
        drop(rows);
        pause(&mut chance);
        let Some(id) = id else { continue };
        if chance.u8(0..4) == 0 {
            // It forgot: the claim runs out.
            continue;
        }
        let acknowledge = "UPDATE a2a_messages SET acknowledged = 1 WHERE id = ?2 AND receiver_agent = ?1 \
                           AND acknowledged = 0 AND claim_owner = 'node-' || ?1";
        done += connection.execute(acknowledge, params![agent, id]).await.expect("an acknowledgement");
    }
    println!("{done} acknowledged");
}

/// Has the files open, and takes no lock at all, as an engine does whose locks are switched off.
pub fn open_files(database: &Path) {
    let beside = lockkeeper::data::vox::file_copy::fingerprint::beside(database, "-wal");
    let files = [std::fs::File::open(database).ok(), std::fs::File::open(beside).ok()];
    println!("open {}", files.iter().flatten().count());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    println!("closed");
}
