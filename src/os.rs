//! What differs between operating systems, and nothing else: the only room that names one.
//!
//! `unix` and `windows` have the same functions. What a system cannot tell is unknown, and what it cannot do is an error
//! that says so; what only Linux tells has such an answer for the others too.

pub mod directories;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{disk, file, process, signals, terminal, time};
#[cfg(windows)]
pub use windows::{disk, file, process, signals, terminal, time};

#[cfg(not(any(unix, windows)))]
compile_error!("lockkeeper runs on Linux and macOS, and in part on Windows (docs/platforms.md)");

use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Whether the environment says which characters a terminal shows.
pub const HAS_LOCALE: bool = cfg!(not(any(windows, target_os = "macos")));

/// What tells one file from another that has its name: device and number on Unix, volume and index on Windows.
pub type FileId = (u64, u64);

/// What the system says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub len: u64,
    pub modified: SystemTime,
    pub id: FileId,
    pub is_file: bool,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    End,
    /// Somebody else asks what Ctrl-Z asks.
    Stop,
    Continued,
}

/// Who else has a file open, as far as it can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenIn {
    /// A process that has it open.
    Process(u32),
    /// Nobody whose files can be seen; those of this process cannot.
    Hidden(u32),
    Nobody,
}

/// The folder that a file lies in; a name alone lies in the current one.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// That this system cannot do something.
#[must_use]
pub fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{what} on {}", std::env::consts::OS))
}
