//! Who in this process has a database file of others open. Closing a file gives back every lock that the process has on
//! it, so nothing may read the file by itself while a connection of this process writes to it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

static GATES: Mutex<Option<HashMap<PathBuf, Arc<RwLock<()>>>>> = Mutex::new(None);

/// How long a reader waits for a writer of this process.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

fn gate(path: &Path) -> Arc<RwLock<()>> {
    let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    gates.get_or_insert_default().entry(path.to_owned()).or_default().clone()
}

/// Held while a file is read by plain reads.
#[derive(Debug)]
pub struct Reading(#[allow(dead_code, reason = "it is held, not used")] OwnedRwLockReadGuard<()>);

/// Held while a connection to a file is open.
#[derive(Debug)]
pub struct Writing(#[allow(dead_code, reason = "it is held, not used")] OwnedRwLockWriteGuard<()>);

/// Waits until no connection of this process writes to the file at `path`. Blocking; nothing after too long.
#[must_use]
pub fn read(path: &Path) -> Option<Reading> {
    let (gate, started) = (gate(path), Instant::now());
    loop {
        match gate.clone().try_read_owned() {
            Ok(guard) => return Some(Reading(guard)),
            Err(_) if started.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            Err(_) => return None,
        }
    }
}

/// Waits until nothing in this process reads the file at `path`.
pub async fn write(path: &Path) -> Writing {
    Writing(gate(path).write_owned().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_not_read_while_this_process_writes_to_it() {
        let path = Path::new("/gate/of/this/test");
        let writing = write(path).await;
        let reader = std::thread::spawn(|| read(Path::new("/gate/of/this/test")).is_some());
        assert!(read(Path::new("/gate/of/another")).is_some());
        assert!(!reader.is_finished());
        drop(writing);
        assert!(reader.join().unwrap());
    }
}
