//! Copying a database that is being written, and knowing that the copy is whole.
//!
//! The main file is copied first, then the pages that the log has for it are brought into the copy, then both are looked at
//! again. The copy is believed only if the main file did not move and the log is still the same log (same header, hence same
//! salt). Then every page that a checkpoint may have been writing is among those that were brought, and frames that were being
//! appended fail the log's own running checksum. Anything else is a retry. A rollback journal means that the main file is
//! being changed in place: a retry as well.
//!
//! From then on only what was committed to the log since is read and brought into the copy, also across a checkpoint where
//! what the old log had is still there to be read. So the copy has no log of its own.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use super::fingerprint::{Fingerprint, Stat, beside, read_wal_header};
use super::gate::{self, Reading};
use super::log::{Committed, Header, Position, bring};
use crate::data::store::{KEEP_FREE, private_file};
use crate::model::source::Fault;
use crate::model::time;
use crate::os::disk::free_bytes;
use crate::os::file::restrict;
use crate::os::folder_of;

/// How often a copy is tried before the poll is given up.
const TRIES: u32 = 10;

/// What a look at the original found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// A new copy of the same database stands ready.
    Changed { bytes: u64 },
    /// A new copy of another database under the same name stands ready.
    Replaced { bytes: u64 },
}

/// Numbers of pages.
pub type Written = HashSet<u32, RandomState>;

/// How going on from what the copy shows went.
enum Went {
    On,
    /// Somebody wrote in the meantime.
    Moved,
    /// What is missing cannot be told: all is copied anew.
    Unknown,
}

/// How one try went.
enum Attempt {
    Done(Fresh),
    /// Somebody wrote in the meantime.
    Moved,
    /// It cannot be known yet whether somebody writes.
    TooSoon(Duration),
}

/// A database file of others, and our copy of it.
#[derive(Debug)]
pub struct Copier {
    /// As it was named.
    named: PathBuf,
    /// The file itself, behind links: its log lies beside it.
    original: PathBuf,
    copy: PathBuf,
    max_bytes: u64,
    /// The state that the copy shows.
    shown: Option<Fingerprint>,
    /// The main file as it was copied, with nothing of a log in it, if a later write to it is sure to be noticed.
    main: Option<Stat>,
    /// How far the log is in the copy.
    applied: Option<Position>,
    /// Pages that were brought into the copy since somebody asked; nothing where it may be another file.
    written: Option<Written>,
    /// Whether a later write to the state that is shown is sure to be noticed.
    settled: bool,
}

impl Copier {
    /// Copies `original` into `folder`, never more than `max_bytes` in all.
    #[must_use]
    pub fn new(named: PathBuf, folder: &Path, max_bytes: u64) -> Self {
        let (original, copy) = (named.clone(), folder.join("copy.db"));
        Self { named, original, copy, max_bytes, shown: None, main: None, applied: None, written: None, settled: false }
    }

    /// Where the copy stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.copy
    }

    /// Forgets the copy: the next one is made from scratch.
    pub fn distrust(&mut self) {
        self.shown = None;
    }

    /// Pages that are not as they were at the last call. Nothing where any may be another.
    pub fn take_written(&mut self) -> Option<Written> {
        self.written.replace(Written::default())
    }

    /// Whether the original moved since the last copy; costs two `stat` and two small reads.
    pub fn is_current(&mut self) -> Result<bool, Fault> {
        let _reading = self.enter()?;
        let now = self.fingerprint()?;
        Ok(self.settled && self.shown.as_ref() == Some(&now))
    }

    /// Makes a new copy. Blocking. A connection that is still open on the old copy keeps reading the old one.
    pub fn refresh(&mut self) -> Result<Fresh, Fault> {
        let _reading = self.enter()?;
        let mut pause = Duration::from_millis(1);
        let mut bytes = 0;
        for _ in 0..TRIES {
            match self.attempt(&mut bytes)? {
                Attempt::Done(fresh) => return Ok(fresh),
                // A pause that lets the writer finish what it is doing; longer each time.
                Attempt::Moved => std::thread::sleep(pause),
                Attempt::TooSoon(wait) => std::thread::sleep(wait),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Err(Fault::transient(format!("the file changed under each of {TRIES} tries to copy it")))
    }

    /// Finds the file behind its name, and waits until no action of this process has it open.
    fn enter(&mut self) -> Result<Reading, Fault> {
        self.original = fs::canonicalize(&self.named).unwrap_or_else(|_| self.named.clone());
        gate::read(&self.original).ok_or_else(|| Fault::transient("an action is still writing to the file"))
    }

    fn attempt(&mut self, bytes: &mut u64) -> Result<Attempt, Fault> {
        let before = self.fingerprint()?;
        self.check_size(&before)?;
        if before.journal {
            return Ok(Attempt::Moved);
        }
        // A log shows every change by its header, a rollback journal by the change counter. A database
        // in log mode without a log has nothing but the main file's time, which must have settled first.
        let by_time_alone = before.wal_header.is_none() && !before.rollback_mode;
        let wait = before.main.settles_in(SystemTime::now());
        if by_time_alone && !wait.is_zero() {
            return Ok(Attempt::TooSoon(wait));
        }
        let replaced = self.shown.as_ref().is_some_and(|shown| shown.main.identity != before.main.identity);
        let kept = self.shown.is_some() && !replaced;
        let went = if kept { self.go_on(&before, bytes).map_err(|e| self.fault(&e))? } else { Went::Unknown };
        match went {
            Went::On => {}
            Went::Moved => return Ok(Attempt::Moved),
            Went::Unknown if self.copy_whole(&before, bytes).map_err(|e| self.fault(&e))? => {}
            Went::Unknown => return Ok(Attempt::Moved),
        }
        let now = SystemTime::now();
        // The copy shows at least what was there before it was made, and perhaps a little more.
        self.settled = before.settled(now) && before == self.fingerprint()?;
        self.shown = Some(before);
        let bytes = *bytes;
        Ok(Attempt::Done(if replaced { Fresh::Replaced { bytes } } else { Fresh::Changed { bytes } }))
    }

    /// Brings what was committed since into the copy.
    fn go_on(&mut self, now: &Fingerprint, bytes: &mut u64) -> io::Result<Went> {
        let next = now.wal_header.and_then(Position::start);
        let stands = self.main == Some(now.main);
        let Some(next) = next else {
            return Ok(if self.applied.is_none() && stands { Went::On } else { Went::Unknown });
        };
        let Some(log) = self.open_log()? else { return Ok(Went::Moved) };
        let (mut position, mut committed) = match &self.applied {
            Some(at) if now.wal_header.is_some_and(|header| at.is_in(&header)) => (at.clone(), Committed::default()),
            Some(at) => match at.rest(&next, &log)? {
                Some(rest) => (next, rest),
                None => return Ok(Went::Unknown),
            },
            None if stands => (next, Committed::default()),
            None => return Ok(Went::Unknown),
        };
        committed.add(position.follow(&log)?);
        *bytes += committed.bytes;
        let shown = self.shown.take();
        // Until all of it is there, the copy is no database.
        let copy = File::options().write(true).open(&self.copy)?;
        if !self.bring(&committed, &position, &log, &copy, now.wal_header)? {
            return Ok(Went::Moved);
        }
        drop(copy);
        self.remove_beside()?;
        if let Some(written) = &mut self.written {
            written.extend(committed.pages.keys());
        }
        (self.shown, self.main, self.applied) = (shown, None, Some(position));
        Ok(Went::On)
    }

    /// Copies the main file, and brings the whole log into the copy. Answers whether nobody wrote meanwhile.
    fn copy_whole(&mut self, before: &Fingerprint, bytes: &mut u64) -> io::Result<bool> {
        let next = beside(&self.copy, ".next");
        *bytes += copy_main(&self.original, &next, before.main.len)?;
        let mut position = before.wal_header.and_then(Position::start);
        if let Some(position) = &mut position {
            let Some(log) = self.open_log()? else { return Ok(false) };
            let committed = position.follow(&log)?;
            *bytes += committed.bytes;
            let copy = File::options().write(true).open(&next)?;
            if !self.bring(&committed, position, &log, &copy, before.wal_header)? {
                return Ok(false);
            }
        }
        let now = SystemTime::now();
        let Some(after) = Fingerprint::take(&self.original)? else { return Ok(false) };
        if !before.same_generation(&after) || before.wal.is_some() != after.wal.is_some() {
            return Ok(false);
        }
        self.remove_beside()?;
        fs::rename(&next, &self.copy)?;
        self.main = if position.is_none() && before.main.settled(now) { Some(before.main) } else { None };
        (self.applied, self.written) = (position, None);
        Ok(true)
    }

    fn bring(
        &self,
        committed: &Committed,
        position: &Position,
        log: &File,
        copy: &File,
        header: Option<Header>,
    ) -> io::Result<bool> {
        let path = beside(&self.original, "-wal");
        bring(committed, position.page_size(), log, copy, || Ok(read_wal_header(&path)? == header))
    }

    /// The log. Nothing where it is gone.
    fn open_log(&self) -> io::Result<Option<File>> {
        match File::open(beside(&self.original, "-wal")) {
            Ok(log) => Ok(Some(log)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// What a connection to the copy left beside it.
    fn remove_beside(&self) -> io::Result<()> {
        for suffix in ["-shm", "-wal"] {
            match fs::remove_file(beside(&self.copy, suffix)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    fn fingerprint(&self) -> Result<Fingerprint, Fault> {
        match Fingerprint::take(&self.original) {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(Fault::setup(
                format!("{} does not exist", self.original.display()),
                "start the program that writes it, or correct the path",
            )),
            Err(e) => Err(self.fault(&e)),
        }
    }

    fn check_size(&self, found: &Fingerprint) -> Result<(), Fault> {
        let needed = found.main.len + found.wal.map_or(0, |wal| wal.len);
        if needed > self.max_bytes {
            return Err(Fault::setup(
                format!(
                    "{} is {}, more than may be copied ({})",
                    self.original.display(),
                    time::bytes(needed),
                    time::bytes(self.max_bytes)
                ),
                "raise snapshot.max_bytes, or connect to the remote database or the control plane instead",
            ));
        }
        let have = |path: &Path| Stat::read(path).ok().flatten().map_or(0, |stat| stat.len);
        let more = needed.saturating_sub(have(&self.copy));
        match free_bytes(folder_of(&self.copy)) {
            Some(free) if free < more + KEEP_FREE => Err(Fault::setup(
                format!(
                    "no room for a copy of {} ({}): {} free",
                    self.original.display(),
                    time::bytes(needed),
                    time::bytes(free)
                ),
                "free some space, or set snapshot.dir to another disk",
            )),
            _ => Ok(()),
        }
    }

    fn fault(&self, error: &io::Error) -> Fault {
        let what = format!("cannot copy {}: {error}", self.original.display());
        match error.kind() {
            io::ErrorKind::PermissionDenied => Fault::setup(what, "run as a user who may read it"),
            io::ErrorKind::InvalidData => Fault::setup(what, "point at the database file itself"),
            io::ErrorKind::StorageFull => Fault::setup(what, "free some space, or set snapshot.dir to another disk"),
            _ => Fault::transient(what),
        }
    }
}

/// Shares the blocks where the file system can, else copies them. Answers the bytes that were moved.
fn copy_main(from: &Path, to: &Path, len: u64) -> io::Result<u64> {
    match fs::remove_file(to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    if reflink_copy::reflink(from, to).is_ok() {
        restrict(to)?;
        return Ok(0);
    }
    copy_bytes(from, to, len)
}

/// Copies at most `max` bytes by plain reads.
fn copy_bytes(from: &Path, to: &Path, max: u64) -> io::Result<u64> {
    let mut source = File::open(from)?.take(max);
    let mut target = private_file(to)?;
    let n = io::copy(&mut source, &mut target)?;
    target.flush()?;
    Ok(n)
}
