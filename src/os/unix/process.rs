//! Processes: this one, and others of this machine.

use std::fs::File;
use std::io;

use rustix::io::Errno;
use rustix::process::{
    Flock, FlockType, Pid, Signal, fcntl_getlk, getpid, getsid, kill_process, kill_process_group, test_kill_process,
};
use tokio::process::{Child, Command};

use crate::os::{FileId, OpenIn};

/// This machine's name.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Whether a process is known to have ended.
#[must_use]
pub fn has_ended(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// State and birth of a process, in clock ticks since the machine started; nothing where that cannot be read.
#[cfg(target_os = "linux")]
#[must_use]
pub fn state_and_birth(pid: u32) -> Option<(char, u64)> {
    let stat = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
    Some((stat.state, stat.starttime))
}

/// Elsewhere nothing tells.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn state_and_birth(_: u32) -> Option<(char, u64)> {
    None
}

/// Whether there is a shell that could continue this process: the kernel does not stop one that nobody could.
#[must_use]
pub fn can_be_continued() -> bool {
    getsid(None).is_ok_and(|session| session != getpid())
}

/// Stops this process, as the shell's Ctrl-Z does.
pub fn stop_this() -> io::Result<()> {
    // The gentler signal is listened for, and would not stop it.
    Ok(kill_process(getpid(), Signal::STOP)?)
}

/// A program and all that it starts, ended together when nobody waits for them any more.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// Starts a program in a group of its own.
    pub fn start(command: &mut Command) -> io::Result<(Child, Self)> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok((child, Self(group)))
    }

    /// The program ended by itself: what it left running stays.
    pub fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Tells whoever started this service that it is ready. Where nobody listens for it, nothing happens.
pub fn tell_ready() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// The same of its end.
pub fn tell_stopping() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
}

/// Something that one process of this machine has at a time. The kernel gives it back when the process ends.
#[derive(Debug)]
pub struct Slot {
    #[cfg(target_os = "linux")]
    _socket: std::os::unix::net::UnixListener,
}

impl Slot {
    /// Takes it; `AddrInUse` where another process has it. No file is left behind.
    #[cfg(target_os = "linux")]
    pub fn take(name: &str) -> io::Result<Self> {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixListener};
        let socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes())?)?;
        Ok(Self { _socket: socket })
    }

    /// There is none.
    #[cfg(not(target_os = "linux"))]
    pub fn take(_: &str) -> io::Result<Self> {
        Err(crate::os::unsupported("a file cannot be reserved for writing"))
    }
}

/// Which process has a lock on a file; its number where that is known.
#[must_use]
pub fn lock_on(file: &File) -> Option<Option<u32>> {
    let wanted = Flock::from(FlockType::WriteLock);
    let lock = fcntl_getlk(file, &wanted).ok().flatten()?;
    Some(lock.pid.map(|pid| pid.as_raw_pid().cast_unsigned()))
}

/// Which other process has one of these files open. Where those of some process may not be seen, that matters only if it
/// `may_write` to them.
#[cfg(target_os = "linux")]
pub fn open_in(files: &[FileId], may_write: bool) -> io::Result<OpenIn> {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    let me = std::process::id();
    let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != me) {
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(open) => {
                let mut open = open.filter_map(|fd| fs::metadata(fd.ok()?.path()).ok());
                if open.any(|meta| files.contains(&(meta.dev(), meta.ino()))) {
                    return Ok(OpenIn::Process(pid));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied && may_write => return Ok(OpenIn::Hidden(pid)),
            // It ended meanwhile, or could not write to the file anyway.
            Err(_) => {}
        }
    }
    Ok(OpenIn::Nobody)
}

/// Elsewhere nothing tells.
#[cfg(not(target_os = "linux"))]
pub fn open_in(_: &[FileId], _: bool) -> io::Result<OpenIn> {
    Err(crate::os::unsupported("who else has a file open cannot be seen"))
}

/// The name of a process; empty where it is not known.
#[must_use]
pub fn name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}
