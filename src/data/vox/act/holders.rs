//! Who else has a database file open. Looking takes no lock and leaves none.
//!
//! Some engines ignore the locks that SQLite takes, so a file that anybody has open is not written to: on Linux
//! the open files of other processes tell.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Flock, FlockType, fcntl_getlk};

use crate::data::vox::file_copy::fingerprint::beside;

/// Magic numbers of file systems whose other users are on other machines.
const NETWORK: [u64; 4] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x517b];

/// How long a file is waited for: another console reads a file for a moment, and writes to it for a little longer.
const WAIT: Duration = Duration::from_secs(1);
const SLOT_WAIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The right of one console to write to a file, among all consoles of this machine. The kernel gives it back when the
/// process ends.
#[derive(Debug)]
pub struct WriterSlot {
    #[cfg(target_os = "linux")]
    _socket: std::os::unix::net::UnixListener,
}

/// Waits for the right to write to a file.
pub async fn take_slot(path: &Path) -> Result<WriterSlot, String> {
    let meta = fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let started = Instant::now();
    loop {
        match slot(meta.dev(), meta.ino()) {
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

/// A name that only one process can listen at, and that leaves no file behind.
#[cfg(target_os = "linux")]
fn slot(device: u64, inode: u64) -> std::io::Result<WriterSlot> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let name = format!("lockkeeper-writes-{device:x}-{inode:x}");
    let socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes())?)?;
    Ok(WriterSlot { _socket: socket })
}

/// Elsewhere such a file is not written to at all.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
fn slot(_: u64, _: u64) -> std::io::Result<WriterSlot> {
    Ok(WriterSlot {})
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
        let kind = rustix::fs::fstatfs(&open).map(|fs| fs.f_type);
        if kind.is_ok_and(|kind| NETWORK.contains(&(kind.cast_unsigned() & 0xffff_ffff))) {
            return Err(format!("{} is on a network mount: who else has it open cannot be seen", path.display()));
        }
        let wanted = Flock::from(FlockType::WriteLock);
        if let Ok(Some(lock)) = fcntl_getlk(&open, &wanted) {
            let who = lock.pid.map_or_else(|| "another process".to_owned(), |pid| process(pid.as_raw_pid()));
            return Err(format!("{} is locked by {who}", path.display()));
        }
    }
    nobody_has_open(path)
}

/// The same by open files alone; may be called at any time.
#[cfg(target_os = "linux")]
pub fn nobody_has_open(path: &Path) -> Result<(), String> {
    let identity = |file: &Path| fs::metadata(file).ok().map(|meta| (meta.dev(), meta.ino()));
    let files: Vec<(u64, u64)> =
        [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")].iter().filter_map(|f| identity(f)).collect();
    let meta = fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let others_may_write = meta.mode() & 0o022 != 0 || meta.uid() != rustix::process::geteuid().as_raw();
    let me = std::process::id();
    let processes = fs::read_dir("/proc").map_err(|e| format!("the processes cannot be listed: {e}"))?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != me) {
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(open) => {
                let mut open = open.filter_map(|fd| fs::metadata(fd.ok()?.path()).ok());
                if open.any(|meta| files.contains(&(meta.dev(), meta.ino()))) {
                    return Err(format!("{} is open in {}", path.display(), process(pid.cast_signed())));
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied && others_may_write => {
                let who = process(pid.cast_signed());
                return Err(format!(
                    "{} may be open in processes of other users, such as {who}, whose files cannot be seen",
                    path.display()
                ));
            }
            // It ended meanwhile, or could not write to the file anyway.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Elsewhere nothing tells.
#[cfg(not(target_os = "linux"))]
pub fn nobody_has_open(path: &Path) -> Result<(), String> {
    Err(format!("who else has {} open cannot be seen on this system", path.display()))
}

fn process(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = crate::model::text::scrub(name.trim()).into_owned();
    if name.is_empty() { format!("process {pid}") } else { format!("process {pid} ({name})") }
}

/// Whether this user may write to a file at all.
#[must_use]
pub fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}
