//! Copying a database that is being written, and knowing that the copy is whole.
//!
//! The main file is copied first, then the log, then both are looked at again. The copy is believed
//! only if the main file did not move and the log is still the same log (same header, hence same
//! salt). Then every page that a checkpoint may have been writing is in the log that was copied, and
//! frames that were being appended fail the log's own running checksum: a reader stops before them.
//! Anything else is a retry. A rollback journal means that the main file is being changed in place:
//! a retry as well.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::fingerprint::{Fingerprint, Stat, beside};
use super::gate::{self, Reading};
use super::patch::Patch;
use crate::data::store::{private_file, restrict};
use crate::data::vox::pages::wal::copy_used;
use crate::model::source::Fault;
use crate::model::time;

/// How often a copy is tried before the poll is given up.
const TRIES: u32 = 10;
/// Left free on the disk that copies live on, in bytes.
const KEEP_FREE: u64 = 64 << 20;

/// What a look at the original found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// A new copy of the same database stands ready.
    Changed { bytes: u64 },
    /// A new copy of another database under the same name stands ready.
    Replaced { bytes: u64 },
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
    /// The main file as it was when it was copied or patched, if a later write to it is sure to be noticed. While one
    /// log lasts, the copy of the main file may be older than what the copy shows.
    main: Option<Stat>,
    /// Whether a later write to the state that is shown is sure to be noticed.
    settled: bool,
}

impl Copier {
    /// Copies `original` into `folder`, never more than `max_bytes` in all.
    #[must_use]
    pub fn new(named: PathBuf, folder: &Path, max_bytes: u64) -> Self {
        let (original, copy) = (named.clone(), folder.join("copy.db"));
        Self { named, original, copy, max_bytes, shown: None, main: None, settled: false }
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
        let keep_main = self.shown.as_ref().is_some_and(|shown| self.shows_main(shown, &before));
        let patch = if keep_main { None } else { self.patch(&before).map_err(|e| self.fault(&e))? };
        let (main, wal) = (beside(&self.copy, ".next"), beside(&self.copy, ".next-wal"));
        if let Some(patch) = &patch {
            *bytes += patch.bytes();
        } else if !keep_main {
            *bytes += copy_main(&self.original, &main, before.main.len).map_err(|e| self.fault(&e))?;
        }
        if before.wal.is_some() {
            // A log that is cut short meanwhile has another header, or none.
            match copy_log(&beside(&self.original, "-wal"), &wal, self.max_bytes) {
                Ok(n) => *bytes += n,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Attempt::Moved),
                Err(e) => return Err(self.fault(&e)),
            }
        }
        let now = SystemTime::now();
        let after = self.fingerprint()?;
        if !before.same_generation(&after) || before.wal.is_some() != after.wal.is_some() {
            return Ok(Attempt::Moved);
        }
        if let Some(patch) = &patch {
            // Until all of it is there, the copy is no database.
            self.shown = None;
            patch.apply(&self.copy).map_err(|e| self.fault(&e))?;
        }
        let stays = keep_main || patch.is_some();
        self.publish(stays, before.wal.is_some(), &main, &wal).map_err(|e| self.fault(&e))?;
        // The copy shows at least what was there before it was made, and perhaps a little more.
        if !keep_main {
            self.main = before.main.settled(now).then_some(before.main);
        }
        self.settled = before.settled(now) && before == after;
        self.shown = Some(before);
        let bytes = *bytes;
        Ok(Attempt::Done(if replaced { Fresh::Replaced { bytes } } else { Fresh::Changed { bytes } }))
    }

    /// Whether the main file that was copied still serves: it did not move, or what moved in it was folded in from a
    /// log that is still the same one, where readers find it before they look into the main file.
    fn shows_main(&self, shown: &Fingerprint, now: &Fingerprint) -> bool {
        let same_log = shown.wal_header.is_some() && shown.wal_header == now.wal_header;
        self.main == Some(now.main) || (same_log && shown.main.identity == now.main.identity)
    }

    /// What a checkpoint changed in the main file, where that can be told.
    fn patch(&self, now: &Fingerprint) -> io::Result<Option<Patch>> {
        let Some(shown) = self.shown.as_ref().filter(|shown| shown.main.identity == now.main.identity) else {
            return Ok(None);
        };
        let (Some(before), Some(header)) = (&shown.wal_header, &now.wal_header) else { return Ok(None) };
        match Patch::read(&self.original, &self.copy, before, header, now.main.len) {
            // The file moves under our feet; a copy of the whole finds out how.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            other => other,
        }
    }

    fn publish(&self, keep_main: bool, has_wal: bool, main: &Path, wal: &Path) -> io::Result<()> {
        for suffix in ["-shm", "-wal"] {
            match fs::remove_file(beside(&self.copy, suffix)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if !keep_main {
            fs::rename(main, &self.copy)?;
        }
        if has_wal {
            fs::rename(wal, beside(&self.copy, "-wal"))?;
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
        match free_bytes(self.copy.parent().unwrap_or(&self.copy)) {
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

/// Copies the part of a log that is in use.
fn copy_log(from: &Path, to: &Path, max: u64) -> io::Result<u64> {
    let mut source = BufReader::with_capacity(1 << 20, File::open(from)?);
    let mut target = BufWriter::with_capacity(1 << 20, private_file(to)?);
    let n = copy_used(&mut source, &mut target, max)?;
    target.flush()?;
    Ok(n)
}

fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
