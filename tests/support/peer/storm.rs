//! A writer at full speed: every commit moves all rows together, and the log is folded in at random.

use std::io::Read;
use std::path::Path;

/// Each commit writes its number into every lock row; a snapshot with two numbers in it is torn.
pub async fn storm(database: &Path, seed: u64) {
    let connection =
        lockkeeper::demo::vox::write::Writer::create(database).await.expect("a database").into_connection();
    connection.execute("PRAGMA synchronous = OFF", ()).await.expect("a pragma");
    for i in 0..200 {
        let sql = "INSERT INTO distributed_locks VALUES (?1, 'n', '1', 0, datetime('now'), datetime('now'), ?2)";
        connection.execute(sql, libsql::params![format!("k{i}"), "r".repeat(100)]).await.expect("a lock");
    }
    println!("storming");
    let (done, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = done.send(());
    });
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut commits = 0;
    while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
        commits += 1;
        let sql = "UPDATE distributed_locks SET fence_token = fence_token + 1";
        connection.execute(sql, ()).await.expect("a commit");
        // The busiest agents think now and then; without that, a fast disk leaves no moment between two commits.
        if chance.u8(..) < 16 {
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        }
        if chance.u8(..) < 8 {
            let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][chance.usize(0..4)];
            let mut rows = connection.query(&format!("PRAGMA wal_checkpoint({mode})"), ()).await.expect("a checkpoint");
            while rows.next().await.expect("a checkpoint").is_some() {}
        }
    }
    println!("{commits} commits");
}
