//! Processes: this one, and others of this machine.

use std::fs::File;
use std::io;

use tokio::process::{Child, Command};

use crate::os::{FileId, OpenIn, unsupported};

/// This machine's name.
#[must_use]
pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Whether a process is known to have ended: never known here.
#[must_use]
pub fn has_ended(_: u32) -> bool {
    false
}

/// State and birth of a process: not known here.
#[must_use]
pub fn state_and_birth(_: u32) -> Option<(char, u64)> {
    None
}

/// Whether there is a shell that could continue this process: there is no Ctrl-Z.
#[must_use]
pub fn can_be_continued() -> bool {
    false
}

/// Stops this process.
pub fn stop_this() -> io::Result<()> {
    Err(unsupported("a program cannot be stopped and continued"))
}

/// A program and all that it starts: there is no way yet to end them together, so none is started.
#[derive(Debug)]
pub enum Group {}

impl Group {
    /// Starts nothing.
    pub fn start(_: &mut Command) -> io::Result<(Child, Self)> {
        Err(unsupported("a program cannot be ended with all that it starts, so none is run"))
    }

    /// The program ended by itself.
    pub fn leave(self) {
        match self {}
    }
}

/// Nobody listens for it.
pub fn tell_ready() {}

/// Nor for this.
pub fn tell_stopping() {}

/// Something that one process of this machine has at a time: there is none.
#[derive(Debug)]
pub enum Slot {}

impl Slot {
    /// Takes nothing.
    pub fn take(_: &str) -> io::Result<Self> {
        Err(unsupported("a file cannot be reserved for writing"))
    }
}

/// Which process has a lock on a file: not known here.
#[must_use]
pub fn lock_on(_: &File) -> Option<Option<u32>> {
    None
}

/// Which other process has one of these files open.
pub fn open_in(_: &[FileId], _: bool) -> io::Result<OpenIn> {
    Err(unsupported("who else has a file open cannot be seen"))
}

/// The name of a process: not known here.
#[must_use]
pub fn name(_: u32) -> String {
    String::new()
}
