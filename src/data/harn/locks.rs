//! Lock directories of a work tree as a source. Found by a walk; their records are read again at each poll.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinHandle;

use super::its_clock;
use super::lockdir::{
    ASIDE, Found, GUARD_SUFFIX, GUARD_TTL, MOST_BYTES, RECORD, Record, SUFFIX, State, TAKING, moved_aside_from,
};
use super::walk::Tree;
use crate::data::source::{PollContext, Polling, Source};
use crate::model::observation::{Change, Observation, Presence, Probe};
use crate::model::source::Fault;
use crate::model::text::Text;
use crate::model::time::{LONGEST, Millis, plausible};
use crate::model::{Condition, Lock, LockTable};

/// The whole tree is walked again this often: rules of what is ignored may have changed.
const WALK_AGAIN: Duration = Duration::from_secs(300);

/// One work tree.
pub struct Locks {
    tree: Option<Tree>,
    root: PathBuf,
    walked: Option<Instant>,
    /// A look that is under way: a poll that was given up leaves it to the next one.
    walking: Option<JoinHandle<Looked>>,
    /// Rows and notes as they were told last.
    published: Option<(Vec<Lock>, Vec<Text>)>,
    clock: fn() -> Millis,
}

/// The tree after a look, whether all of it was walked, and what it holds.
type Looked = (Tree, bool, std::io::Result<Vec<Lock>>);

impl Locks {
    /// Looks in the tree at `root`. `clock` is the console's wall clock, by which Harn evaluates as well.
    #[must_use]
    pub fn new(root: PathBuf, clock: fn() -> Millis) -> Self {
        Self { tree: None, root, walked: None, walking: None, published: None, clock }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let again = self.walked.is_none_or(|at| at.elapsed() >= WALK_AGAIN);
        let (root, now_ms) = (self.root.clone(), (self.clock)());
        let tree = self.tree.take();
        let walk = move || {
            let (mut tree, whole) = match tree {
                Some(tree) if !again => (tree, false),
                Some(tree) => (tree, true),
                None => (Tree::watched(root), true),
            };
            let walked = if whole { tree.walk() } else { tree.rescan() };
            let rows = walked.map(|()| rows(&tree, now_ms));
            (tree, whole, rows)
        };
        let walking = self.walking.get_or_insert_with(|| tokio::task::spawn_blocking(walk));
        let done = walking.await;
        self.walking = None;
        let (tree, whole, rows) = done.map_err(|e| Fault::transient(format!("walking failed: {e}")))?;
        let rows = rows.map_err(|e| {
            let what = format!("cannot read the work tree {}: {e}", self.root.display());
            if e.kind() == std::io::ErrorKind::NotFound { Fault::transient(what) } else { Fault::setup(what, "") }
        })?;
        if whole {
            self.walked = Some(started);
        }
        let mut unseen = Vec::new();
        if let Some(why) = tree.short_of {
            unseen.push(format!("not everything was seen: {why}").into());
        }
        if tree.unreadable > 0 {
            unseen.push(format!("{} directories could not be read", tree.unreadable).into());
        }
        self.tree = Some(tree);
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        seen.cost.rows = rows.len() as u64;
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        if self.published.is_none() {
            seen.probe = Some(Probe { parts: vec![("lock directories", Presence::Present)] }.into());
        }
        let now = (rows, unseen);
        if self.published.as_ref() != Some(&now) {
            seen.unseen = Some(now.1.clone());
            seen.changes.push(Change::Locks(LockTable::Directory, now.0.clone()));
            self.published = Some(now);
        }
        Ok(seen)
    }
}

impl Source for Locks {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}

/// Every lock of a tree. A lock whose guard stands is being broken; what a breaker left behind is shown by itself.
fn rows(tree: &Tree, now_ms: Millis) -> Vec<Lock> {
    let mut rows = Vec::new();
    for path in &tree.locks {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        rows.extend(match moved_aside_from(&name) {
            Some(lock) => moved_aside(tree.root(), path, &path.with_file_name(lock), now_ms),
            None if is_guard(path) => left_behind(tree.root(), path, now_ms),
            None => row(tree.root(), path, now_ms),
        });
    }
    rows
}

/// Whether a path is that of the guard of a lock directory.
#[must_use]
pub fn is_guard(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(GUARD_SUFFIX).is_some_and(|lock| lock.len() > SUFFIX.len() && lock.ends_with(SUFFIX))
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
        Found::Unrecorded if now_ms.saturating_sub(since) < TAKING => (Some(Condition::Unrecorded), String::new()),
        Found::Unrecorded => {
            (Some(Condition::Unrecorded), "whoever took it wrote no record: it seems to have died".into())
        }
        Found::Malformed(why) => (Some(Condition::Malformed), format!("its record cannot be used: {why}")),
        Found::Unreadable(why) => (None, format!("its record cannot be read, so it may be in force: {why}")),
        Found::Recorded(record) => (None, record.reason.clone().unwrap_or_default()),
    };
    if breaking {
        (condition, remark) = (Some(Condition::Breaking), "the guard of a breaker stands beside it".into());
    }
    Some(Lock {
        holder_node: record.map(|r| r.owner.lane()).unwrap_or_default(),
        holder_agent: record.map(|r| r.owner.agent()).unwrap_or_default(),
        acquired_at_ms: taken_ms(record, since),
        // An end beyond all time is none that is past.
        expires_at_ms: end_ms(record),
        condition,
        remark: (!remark.is_empty()).then(|| Text::new(&remark)),
        ..unheld(key(root, path), record)
    })
}

/// When a lock ends by its record, within the instants that there are.
fn end_ms(record: Option<&Record>) -> Option<Millis> {
    record.and_then(|record| record.expires_at_ms).map(|at| at.clamp(0, LONGEST))
}

/// When it was taken, as its guard compares it: what a record says; without a record the directory's own time.
fn taken_ms(record: Option<&Record>, since: Millis) -> Option<Millis> {
    record.map_or(Some(since), |record| record.acquired_at_ms.filter(|at| plausible(*at)))
}

/// A lock directory that nobody is known to hold.
fn unheld(lock_key: Text, record: Option<&Record>) -> Lock {
    Lock {
        table: LockTable::Directory,
        lock_key,
        lease_id: record.and_then(|r| r.token.as_deref()).map(Text::new),
        ..Lock::default()
    }
}

/// A guard that stands without being used. Harn takes one over whose record is past its end. One without a usable record
/// it never takes over: then nobody takes or breaks the lock any more.
fn left_behind(root: &Path, guard: &Path, now_ms: Millis) -> Option<Lock> {
    let since = directory_since(guard)?;
    if guard_end(guard)? > now_ms {
        return None;
    }
    let found = read(guard);
    let record = found.record();
    let is_taken_over = found.state(now_ms) == State::Stale && record.is_some_and(|record| record.token.is_some());
    let (condition, remark) = if is_taken_over {
        (None, "the guard of a breaker that did not take it away again")
    } else {
        (Some(Condition::LockedOut), "a guard without a usable record, which Harn never takes away: release it here")
    };
    Some(Lock {
        acquired_at_ms: taken_ms(record, since),
        expires_at_ms: end_ms(record).or(Some(since.saturating_add(TAKING))),
        condition,
        remark: Some(remark.into()),
        ..unheld(key(root, guard), record)
    })
}

/// What a breaker moved aside and left: a lock in force was taken from its holder by mistake, and is put back by hand.
fn moved_aside(root: &Path, aside: &Path, lock: &Path, now_ms: Millis) -> Option<Lock> {
    let since = directory_since(aside)?;
    // Its breaker is at work while its guard stands.
    if guard_end(&guard_of(lock)).is_some_and(|end| end > now_ms) {
        return None;
    }
    let found = read(aside);
    let record = found.record();
    let name = aside.to_string_lossy();
    let in_force = name.ends_with(ASIDE) && matches!(found.state(now_ms), State::Active | State::Unreadable);
    let (condition, remark) = if in_force {
        (Some(Condition::LockedOut), "a lock in force that a breaker moved aside and did not put back: release it here")
    } else if now_ms.saturating_sub(since) < GUARD_TTL {
        return None;
    } else {
        (None, "what an ended breaker left: it keeps nobody out")
    };
    Some(Lock {
        holder_node: record.map(|r| r.owner.lane()).unwrap_or_default(),
        holder_agent: record.map(|r| r.owner.agent()).unwrap_or_default(),
        acquired_at_ms: taken_ms(record, since),
        expires_at_ms: end_ms(record).or(Some(since)),
        condition,
        remark: Some(remark.into()),
        ..unheld(key(root, aside), record)
    })
}

/// From when on nobody is at work under a guard: by its record; where it has none that can be used, a moment after it was
/// made. Nothing where there is no guard.
pub(super) fn guard_end(guard: &Path) -> Option<Millis> {
    let since = directory_since(guard)?;
    let end = match read(guard) {
        Found::Recorded(record) => end_ms(Some(&record)),
        _ => None,
    };
    Some(end.unwrap_or(since.saturating_add(TAKING)))
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
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Found::Unreadable("this user may not read it")
        }
        Err(_) => Found::Malformed("it is no plain file"),
    }
}

/// The guard beside a lock directory.
#[must_use]
pub fn guard_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(GUARD_SUFFIX);
    PathBuf::from(name)
}

/// The resource's path from the root of the tree. A directory that is not named after its resource bears a slash at its
/// end. Only what can be written as text leads back to the directory.
#[must_use]
pub fn key(root: &Path, path: &Path) -> Text {
    let inside = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    match inside.strip_suffix(SUFFIX) {
        Some(resource) => Text::new(resource),
        None if is_guard(path) || moved_aside_from(&inside).is_some() => Text::new(&inside),
        None => format!("{inside}/").into(),
    }
}

/// The directory of a lock by its key.
#[must_use]
pub fn path_of(root: &Path, key: &str) -> PathBuf {
    if let Some(directory) = key.strip_suffix('/') {
        return root.join(directory);
    }
    let path = root.join(key);
    if is_guard(&path) || moved_aside_from(key).is_some() { path } else { root.join(format!("{key}{SUFFIX}")) }
}

/// When a directory's entries changed last; nothing where there is no directory.
pub(super) fn directory_since(path: &Path) -> Option<Millis> {
    let file = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_dir)?;
    let since = file.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(crate::model::time::millis(since))
}

#[cfg(test)]
mod tests;
