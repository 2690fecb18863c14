//! Who else has a database file open. Looking takes no lock and leaves none.
//!
//! Some engines ignore the locks that SQLite takes, so a file that anybody has open is not written to: on Linux
//! the open files of other processes tell.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::data::vox::file_copy::fingerprint::beside;
use crate::os::process::{self, Slot};
use crate::os::{FileId, OpenIn, disk, file};

/// How long a file is waited for: another console reads a file for a moment, and writes to it for a little longer.
const WAIT: Duration = Duration::from_secs(1);
const SLOT_WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The right of one console to write to a file, among all consoles of this machine. The kernel gives it back when the
/// process ends.
pub type WriterSlot = Slot;

/// Waits for the right to write to a file.
pub async fn take_slot(path: &Path) -> Result<WriterSlot, String> {
    let (device, inode) = file::stat(path).map_err(|e| format!("{}: {e}", path.display()))?.id;
    let name = format!("lockkeeper-writes-{device:x}-{inode:x}");
    let started = Instant::now();
    loop {
        match Slot::take(&name) {
            Ok(slot) => return Ok(slot),
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && started.elapsed() < SLOT_WAIT => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(format!("another console is writing to {}: try again", path.display()));
            }
            Err(e) => return Err(format!("{} cannot be reserved for writing: {e}", path.display())),
        }
    }
}

/// Waits a moment until nothing speaks against writing to a file; else says what does.
pub async fn until_free(path: &Path, probe: fn(&Path) -> Result<(), String>) -> Result<(), String> {
    let started = Instant::now();
    loop {
        match probe(path) {
            Err(_) if started.elapsed() < WAIT => tokio::time::sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// Why a file must not be written to now; `Ok` if nothing speaks against it. Must not be called while this process
/// has the file open: closing a file gives every lock of the process on it back.
pub fn nobody_holds(path: &Path) -> Result<(), String> {
    for file in [path.to_owned(), beside(path, "-wal")] {
        let Ok(open) = File::options().read(true).write(true).open(&file) else {
            if file == path {
                return Err(format!("{} cannot be opened for writing", path.display()));
            }
            continue;
        };
        if disk::is_on_network(&open) {
            return Err(format!("{} is on a network mount: who else has it open cannot be seen", path.display()));
        }
        if let Some(pid) = process::lock_on(&open) {
            let who = pid.map_or_else(|| "another process".to_owned(), named);
            return Err(format!("{} is locked by {who}", path.display()));
        }
    }
    nobody_has_open(path)
}

/// The same by open files alone; may be called at any time.
pub fn nobody_has_open(path: &Path) -> Result<(), String> {
    let id = |path: &Path| file::stat(path).ok().map(|it| it.id);
    let files: Vec<FileId> =
        [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")].iter().filter_map(|path| id(path)).collect();
    let meta = fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let others_may_write = file::others_may_write(&meta) != Some(false) || !file::is_ours(&meta);
    match process::open_in(&files, others_may_write) {
        Ok(OpenIn::Nobody) => Ok(()),
        Ok(OpenIn::Process(pid)) => Err(format!("{} is open in {}", path.display(), named(pid))),
        Ok(OpenIn::Hidden(pid)) => Err(format!(
            "{} may be open in processes of other users, such as {}, whose files cannot be seen",
            path.display(),
            named(pid)
        )),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn named(pid: u32) -> String {
    let name = process::name(pid);
    let name = crate::model::text::scrub(name.trim()).into_owned();
    if name.is_empty() { format!("process {pid}") } else { format!("process {pid} ({name})") }
}
