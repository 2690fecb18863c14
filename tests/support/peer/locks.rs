//! POSIX locks on whole files, as today's Vox takes them.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;

use lockkeeper::data::vox::file_copy::fingerprint::beside;
use rustix::fs::{FlockOperation, fcntl_lock};

fn lock_all(files: &[File]) -> bool {
    files.iter().all(|file| fcntl_lock(file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

fn open(database: &Path) -> Vec<File> {
    let open = |path: &Path| File::options().read(true).write(true).open(path);
    let mut files = vec![open(database).expect("the database")];
    files.extend(open(&beside(database, "-wal")));
    files
}

/// Writes one heartbeat for each line on standard input, never without the lock.
pub async fn hold(database: &Path) {
    let connection =
        lockkeeper::demo::vox::write::Writer::create(database).await.expect("a database").into_connection();
    beat(&connection, 0).await;
    let lock = "INSERT INTO distributed_locks VALUES ('k', 'node-0', '1', 3, datetime('now'), datetime('now', '+1 hour'), 'r')";
    connection.execute(lock, ()).await.expect("a lock");
    // Opened once and kept: closing any of them would drop every lock of this process.
    let files = open(database);
    assert!(lock_all(&files), "the lock is free");
    println!("held");
    for (n, _) in (1..).zip(std::io::stdin().lock().lines()) {
        beat(&connection, n).await;
        // SQLite gave back the bytes that it locked itself.
        assert!(lock_all(&files));
        println!("wrote {n}");
    }
}

async fn beat(connection: &libsql::Connection, n: i64) {
    let sql = "INSERT INTO mesh_heartbeats VALUES (?1, '1', 1795237725000 + ?2, 'writing', 'r')";
    connection.execute(sql, libsql::params![format!("node-{n}"), n]).await.expect("a heartbeat");
}

/// Takes and gives back the lock until standard input ends, then tells how often it was refused.
pub fn try_lock(database: &Path) {
    let (done, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().for_each(drop);
        let _ = done.send(());
    });
    let files = open(database);
    let (mut tries, mut refused) = (0u64, 0u64);
    println!("trying");
    std::io::stdout().flush().expect("standard output");
    while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
        tries += 1;
        refused += u64::from(!lock_all(&files));
        for file in &files {
            let _ = fcntl_lock(file, FlockOperation::Unlock);
        }
        std::thread::yield_now();
    }
    println!("{tries} tries, {refused} refused");
}
