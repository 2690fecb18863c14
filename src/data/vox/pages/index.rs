//! What the index of a write-ahead log says of it: how many commits there were, and where the log ends.
//!
//! A log that is full begins anew, and what it held before is overwritten. The index counts commits across that, so it
//! tells whether the new log holds all of them. The format is the one of <https://www.sqlite.org/walformat.html>.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::os::FileId;
use crate::os::file::{read_exact_at, stat, stat_open};

/// The header stands there twice: two that differ are being written.
const HEADER: usize = 48;
/// The version that every SQLite of these years writes.
const VERSION: u32 = 3_007_000;

/// An index, which stays open: closing it would release the locks of a connection to the database.
#[derive(Debug)]
pub struct Index {
    file: File,
    id: FileId,
}

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Commits in all, through every log. It turns over.
    pub commits: u32,
    /// Frames of the log that are committed.
    pub frames: u64,
    /// As they stand in the log's header.
    pub salts: [u8; 8],
}

impl Index {
    /// Opens the index at a path; what is open already is used again while it is the same file.
    pub fn open(known: Option<Self>, path: &Path) -> io::Result<Self> {
        let id = stat(path)?.id;
        if let Some(known) = known.filter(|known| known.id == id) {
            return Ok(known);
        }
        let file = File::open(path)?;
        let id = stat_open(&file)?.id;
        Ok(Self { file, id })
    }

    /// What it says now; nothing where it is being written, or is of another kind.
    #[must_use]
    pub fn said(&self) -> Option<Said> {
        let mut both = [0; 2 * HEADER];
        read_exact_at(&self.file, &mut both, 0).ok()?;
        let (first, second) = both.split_at(HEADER);
        let number = |at: usize| first.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        if first != second || number(0)? != VERSION || first[12] == 0 {
            return None;
        }
        let salts = first.get(32..40)?.try_into().ok()?;
        Some(Said { commits: number(8)?, frames: u64::from(number(16)?), salts })
    }
}
