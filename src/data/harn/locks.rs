//! Lock directories of a work tree as a source. Found by a walk; their records are read again at each look.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinHandle;

use super::lockdir::{Found, GUARD_SUFFIX, GUARD_TTL, MOST_BYTES, RECORD, Record, SUFFIX, TAKING};
use super::walk::Tree;
use crate::data::model::{Condition, Lock, LockTable};
use crate::data::observation::{Change, Observation, Presence, Probe};
use crate::data::source::{Fault, Known, Polling, Source};
use crate::text::Text;
use crate::time::{LONGEST, Millis, plausible};

/// The whole tree is walked again this often: rules of what is ignored may have changed.
const WALK_AGAIN: Duration = Duration::from_secs(300);

/// One work tree.
pub struct Locks {
    tree: Option<Tree>,
    root: PathBuf,
    walked: Option<Instant>,
    /// A look that is under way: a poll that was given up leaves it to the next one.
    looking: Option<JoinHandle<Looked>>,
    /// Rows and notes as they were told last.
    told: Option<(Vec<Lock>, Vec<Text>)>,
    clock: fn() -> Millis,
}

/// The tree after a look, whether all of it was walked, and what it holds.
type Looked = (Tree, bool, std::io::Result<Vec<Lock>>);

impl Locks {
    /// Looks in the tree at `root`. `clock` is the console's wall clock, by which Harn judges as well.
    #[must_use]
    pub fn new(root: PathBuf, clock: fn() -> Millis) -> Self {
        Self { tree: None, root, walked: None, looking: None, told: None, clock }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let again = self.walked.is_none_or(|at| at.elapsed() >= WALK_AGAIN);
        let (root, now_ms) = (self.root.clone(), (self.clock)());
        let tree = self.tree.take();
        let look = move || {
            let (mut tree, whole) = match tree {
                Some(tree) if !again => (tree, false),
                Some(tree) => (tree, true),
                None => (Tree::watched(root), true),
            };
            let looked = if whole { tree.walk() } else { tree.look_again() };
            let rows = looked.map(|()| rows(&tree, now_ms));
            (tree, whole, rows)
        };
        let looking = self.looking.get_or_insert_with(|| tokio::task::spawn_blocking(look));
        let done = looking.await;
        self.looking = None;
        let (tree, whole, rows) = done.map_err(|e| Fault::transient(format!("walking failed: {e}")))?;
        let rows = rows.map_err(|e| {
            let what = format!("cannot read the work tree {}: {e}", self.root.display());
            if e.kind() == std::io::ErrorKind::NotFound { Fault::transient(what) } else { Fault::setup(what, "") }
        })?;
        if whole {
            self.walked = Some(started);
        }
        let mut notes = Vec::new();
        if let Some(why) = tree.short_of {
            notes.push(format!("not everything was seen: {why}").into());
        }
        if tree.unreadable > 0 {
            notes.push(format!("{} directories could not be read", tree.unreadable).into());
        }
        self.tree = Some(tree);
        let mut seen = Observation::default();
        seen.cost.rows = rows.len() as u64;
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        if self.told.is_none() {
            seen.probe = Some(Probe { parts: vec![("lock directories", Presence::Present)] }.into());
        }
        let now = (rows, notes);
        if self.told.as_ref() != Some(&now) {
            seen.notes = Some(now.1.clone());
            seen.changes.push(Change::Locks(LockTable::Directory, now.0.clone()));
            self.told = Some(now);
        }
        Ok(seen)
    }
}

impl Source for Locks {
    fn poll<'a>(&'a mut self, _: &'a Known) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}

/// Every lock of a tree. A lock whose guard stands is being broken; a guard that was left behind is shown by itself.
fn rows(tree: &Tree, now_ms: Millis) -> Vec<Lock> {
    let is_guard = |path: &Path| path.as_os_str().to_string_lossy().ends_with(GUARD_SUFFIX);
    let locks = tree.locks.iter().filter(|path| !is_guard(path));
    let mut rows: Vec<Lock> = locks.filter_map(|path| row(tree.root(), path, now_ms)).collect();
    for guard in tree.locks.iter().filter(|path| is_guard(path)) {
        rows.extend(left_behind(tree.root(), guard, now_ms));
    }
    rows
}

/// What stands in a lock directory; nothing where it vanished meanwhile.
fn row(root: &Path, path: &Path, now_ms: Millis) -> Option<Lock> {
    let since = directory_since(path)?;
    let found = read(path);
    let guard = guard_of(path);
    let breaking = guard_end(&guard).is_some_and(|end| end > now_ms);
    let record = found.record();
    let (mut condition, mut remark) = match &found {
        // A taker makes the directory first and writes the record at once after.
        Found::Unrecorded if now_ms - since < TAKING => (Some(Condition::Unrecorded), String::new()),
        Found::Unrecorded => {
            (Some(Condition::Unrecorded), "whoever took it wrote no record: it seems to have died".into())
        }
        Found::Malformed(why) => (Some(Condition::Malformed), format!("its record cannot be used: {why}")),
        Found::Recorded(record) => (None, record.reason.clone().unwrap_or_default()),
    };
    if breaking {
        (condition, remark) = (Some(Condition::Breaking), "the guard of a breaker stands beside it".into());
    }
    Some(Lock {
        holder_node: record.map(|r| r.owner.lane()).unwrap_or_default(),
        holder_agent: record.map(|r| r.owner.agent()).unwrap_or_default(),
        // What is no instant is unknown; an end beyond all time is none that is past.
        acquired_at_ms: Some(record.map_or(since, |r| r.acquired_at_ms)).filter(|at| plausible(*at)),
        expires_at_ms: record.map(|r| r.expires_at_ms.clamp(0, LONGEST)),
        condition,
        remark: (!remark.is_empty()).then(|| Text::new(&remark)),
        ..unheld(key(root, path), record)
    })
}

/// A lock directory that nobody is known to hold.
fn unheld(lock_key: Text, record: Option<&Record>) -> Lock {
    Lock {
        table: LockTable::Directory,
        lock_key,
        repository_id: Text::default(),
        holder_node: Text::default(),
        holder_agent: Text::default(),
        fence_token: None,
        acquired_at_ms: None,
        expires_at_ms: None,
        shared: false,
        lease_id: record.map(|r| Text::new(&r.token)),
        condition: None,
        remark: None,
    }
}

/// A guard that nobody uses any more keeps every breaker out.
fn left_behind(root: &Path, guard: &Path, now_ms: Millis) -> Option<Lock> {
    let since = directory_since(guard)?;
    if guard_end(guard)? > now_ms {
        return None;
    }
    Some(Lock {
        acquired_at_ms: Some(since),
        expires_at_ms: Some(since + GUARD_TTL),
        remark: Some("the guard of a breaker that did not take it away again".into()),
        ..unheld(key(root, guard), read(guard).record())
    })
}

/// Until when a guard stands: by its record, or where it has none that can be used, by its own time. Nothing where there
/// is no guard.
pub(super) fn guard_end(guard: &Path) -> Option<Millis> {
    let since = directory_since(guard)?;
    Some(read(guard).record().map_or(since + GUARD_TTL, |record| record.expires_at_ms))
}

/// Reads the record of a lock directory.
#[must_use]
pub fn read(path: &Path) -> Found {
    let record = path.join(RECORD);
    let bytes = || -> std::io::Result<Vec<u8>> {
        // A pipe or a device in its place would never end.
        if !fs::symlink_metadata(&record)?.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        File::open(&record)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match bytes() {
        Ok(bytes) => Found::of(Some(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Unrecorded,
        Err(_) => Found::Malformed("it is no plain file that may be read"),
    }
}

/// The guard beside a lock directory.
#[must_use]
pub fn guard_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(GUARD_SUFFIX);
    PathBuf::from(name)
}

/// The resource's path from the root of the tree. Only what can be written as text leads back to the directory.
#[must_use]
pub fn key(root: &Path, path: &Path) -> Text {
    let inside = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    Text::new(inside.strip_suffix(SUFFIX).unwrap_or(&inside))
}

/// The directory of a lock by its key.
#[must_use]
pub fn path_of(root: &Path, key: &str) -> PathBuf {
    if key.ends_with(GUARD_SUFFIX) { root.join(key) } else { root.join(format!("{key}{SUFFIX}")) }
}

/// When a directory's entries changed last; nothing where there is no directory.
pub(super) fn directory_since(path: &Path) -> Option<Millis> {
    let file = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_dir)?;
    let since = file.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(crate::time::millis(since))
}

#[cfg(test)]
mod tests;
