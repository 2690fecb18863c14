//! What tells one state of a database file from another without reading it: sizes, times and headers.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::os::{FileId, file};

/// What `stat` says of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub len: u64,
    pub modified: SystemTime,
    /// Device and inode: another file under the same name differs.
    pub identity: FileId,
}

impl Stat {
    /// Looks at a file; `None` where there is none.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match file::stat(path) {
            Ok(it) if it.is_file => Ok(Some(Self { len: it.len, modified: it.modified, identity: it.id })),
            Ok(_) => Err(io::Error::other("not a file")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether a later write would surely show in the modification time. File systems keep times in
    /// steps; a file written within the current step may be written again without the time moving.
    #[must_use]
    pub fn settled(&self, now: SystemTime) -> bool {
        self.settles_in(now).is_zero()
    }

    /// How long until it is settled.
    #[must_use]
    pub fn settles_in(&self, now: SystemTime) -> Duration {
        let whole_seconds =
            self.modified.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0);
        let step = if whole_seconds { Duration::from_millis(2_100) } else { Duration::from_millis(50) };
        // A time in the future says nothing about when it will be past.
        now.duration_since(self.modified).map_or(step, |age| step.saturating_sub(age))
    }
}

/// The state of a database: its file and its write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub main: Stat,
    /// The file change counter of the header (bytes 24..28).
    pub change_counter: u32,
    pub wal: Option<Stat>,
    /// The log's header: another salt is another log.
    pub wal_header: Option<[u8; WAL_HEADER]>,
    /// A rollback journal is in force: a transaction is being written, or was cut off.
    pub journal: bool,
    /// The database keeps a rollback journal, not a log: each commit moves the change counter.
    pub rollback_mode: bool,
}

/// Bytes of a write-ahead log's header.
pub const WAL_HEADER: usize = 32;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

impl Fingerprint {
    /// Looks at a database. `None` where the file does not exist.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let Some(main) = Stat::read(path)? else { return Ok(None) };
        let mut header = Vec::with_capacity(100);
        File::open(path)?.take(100).read_to_end(&mut header)?;
        if !header.is_empty() && !header.starts_with(MAGIC) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a SQLite or libSQL database"));
        }
        let change_counter = header.get(24..28).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
        let wal_path = beside(path, "-wal");
        let wal = Stat::read(&wal_path)?.filter(|stat| stat.len > 0);
        let wal_header = if wal.is_some() { read_wal_header(&wal_path)? } else { None };
        let journal = has_hot_journal(&beside(path, "-journal"))?;
        let rollback_mode = header.get(18) == Some(&1);
        Ok(Some(Self { main, change_counter, wal, wal_header, journal, rollback_mode }))
    }

    /// Whether equality with a later fingerprint proves that nothing was written in between.
    #[must_use]
    pub fn settled(&self, now: SystemTime) -> bool {
        self.main.settled(now) && self.wal.is_none_or(|wal| wal.settled(now))
    }

    /// Whether the main file and the identity of the log are those of another reading: what was
    /// copied between the two looks belongs together.
    #[must_use]
    pub fn same_generation(&self, later: &Self) -> bool {
        self.main == later.main
            && self.change_counter == later.change_counter
            && self.wal_header == later.wal_header
            && self.journal == later.journal
    }
}

/// A journal that is done with is deleted, cut to nothing, or has its header overwritten with zeroes.
fn has_hot_journal(path: &Path) -> io::Result<bool> {
    let mut first = [0];
    match File::open(path).and_then(|mut f| f.read(&mut first)) {
        Ok(n) => Ok(n == 1 && first[0] != 0),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// The header of a log; nothing where there is none.
pub fn read_wal_header(path: &Path) -> io::Result<Option<[u8; WAL_HEADER]>> {
    let mut header = [0; WAL_HEADER];
    match File::open(path).and_then(|mut f| f.read_exact(&mut header)) {
        Ok(()) => Ok(Some(header)),
        // Shorter than a header, or gone again: no log.
        Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The path of a companion file: `x.db` and `-wal` make `x.db-wal`.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
