//! Breaking a lock directory, as whoever takes over a stale lock does: under the guard, after reading it again, and only the
//! very lock that was seen. Safe against others who do the same, a holder that lets go, and an end at any step.
//!
//! Harn's own holders check nothing but the directory, so a holder that is alive is not kept from going on. Only a lock
//! past its end is broken, or one whose record is missing or unusable for long.
#![allow(clippy::result_large_err, reason = "a refusal is an outcome like any other")]

mod guard;

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use self::guard::{Guard, take_stale_guard_away};
use super::lockdir::{ASIDE, Found, GUARD_TTL, SPENT, STAGED, State, TAKING, moved_aside_from};
use super::locks::{directory_since, guard_end, guard_of, is_guard, path_of, read};
use crate::action::executor::{ActionRequest, Executor, Resolution, Working, WriteAccess};
use crate::model::action::Abilities;
use crate::model::action::{Action, Kind, LockGuard, Mode};
use crate::model::outcome::Outcome;
use crate::model::time::{Millis, plausible, utc};
use crate::os::{FileId, file};

/// What can be done to lock directories.
pub const LOCKS: Abilities = Abilities { kinds: &[Kind::Release], records: false };

/// Breaks the locks of one work tree.
pub struct LockDirExecutor {
    root: PathBuf,
    clock: fn() -> Millis,
}

impl LockDirExecutor {
    /// An executor for the tree at `root`.
    #[must_use]
    pub fn new(root: PathBuf, clock: fn() -> Millis, _: WriteAccess) -> Self {
        Self { root, clock }
    }

    async fn execute_now(&self, request: &ActionRequest) -> Outcome {
        let Action::Release { lock, mode: Mode::Delete, .. } = &request.action else {
            return Outcome::refused("a lock directory can only be deleted: it has no fence token and no end to move");
        };
        // Keys come from a walk of the tree; one that leads out of it does not.
        if !Path::new(&lock.lock_key).components().all(|part| matches!(part, Component::Normal(_))) {
            return Outcome::refused("it is outside of the work tree");
        }
        let (path, lock, clock) = (path_of(&self.root, &lock.lock_key), lock.clone(), self.clock);
        let (operator, id) = (request.operator.clone(), request.id.clone());
        let work = move || break_lock(&path, &lock, &operator, &id, clock, &mut |_| {});
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Outcome::unknown(format!("breaking it ended: {e}")))
    }
}

impl Executor for LockDirExecutor {
    fn execute<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Outcome> {
        Box::pin(self.execute_now(request))
    }
    fn record<'a>(&'a mut self, _: &'a ActionRequest) -> Working<'a, Result<(), String>> {
        Box::pin(async { Err("the event log is written by Harn alone".into()) })
    }
    fn was_applied<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Resolution> {
        Box::pin(async move {
            let Action::Release { lock, .. } = &request.action else {
                return Resolution::Undecidable("nothing but a release is done here".into());
            };
            let (path, lock, id) = (path_of(&self.root, &lock.lock_key), lock.clone(), request.id.clone());
            let finished = tokio::task::spawn_blocking(move || finish(&path, &lock, &id)).await;
            finished.unwrap_or_else(|e| Resolution::Unreachable(e.to_string()))
        })
    }
}

/// Puts right what an attempt that was cut off left behind, and answers what became of it. A lock that is gone may have
/// been broken by anybody.
pub fn finish(path: &Path, expected: &LockGuard, id: &str) -> Resolution {
    let guard = Guard::of(&guard_of(path), id);
    let moved = beside(path, &guard.token, ASIDE);
    let found = directory_since(&moved).map(|since| (read(&moved), since));
    let resolution = match found {
        // What still stands was not broken.
        None if is_same(path, expected) => Resolution::NotApplied("the lock still stands".into()),
        None => Resolution::Undecidable("the lock is gone".into()),
        Some((found, since)) if matches_guard(&found, since, expected) => match fs::remove_dir_all(&moved) {
            Ok(()) => Resolution::Applied { audited: false, now: "the lock is broken".into() },
            Err(error) => Resolution::Unreachable(format!("{} cannot be deleted: {error}", moved.display())),
        },
        // Another's, that was to be put back at once.
        Some((Found::Recorded(_), _)) if put_back(&moved, path).is_ok() => {
            Resolution::NotApplied("another's lock, which was moved aside, was put back".into())
        }
        Some(_) => {
            let _ = fs::remove_dir_all(&moved);
            Resolution::Undecidable("another's lock was moved aside, and is taken anew".into())
        }
    };
    let _ = guard.give_back(&mut |_| {});
    for (path, suffix) in [(&guard.path, STAGED), (&guard.path, SPENT)] {
        let _ = fs::remove_dir_all(beside(path, &guard.token, suffix));
    }
    resolution
}

/// The steps of breaking a lock, so that tests can end the process at each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::EnumString, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Step {
    GuardMade,
    GuardRecorded,
    GuardPlaced,
    LookedAgain,
    MovedAside,
    Deleted,
    GuardSpent,
}

/// Breaks the lock directory at `path` if it is still the one in `expected`, and past its end.
pub fn break_lock(
    path: &Path,
    expected: &LockGuard,
    operator: &str,
    id: &str,
    clock: fn() -> Millis,
    at: &mut dyn FnMut(Step),
) -> Outcome {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // The guard of a breaker that is gone is taken away by whoever finds it past its end.
    if is_guard(path) {
        return take_guard_away(path, expected, id, clock());
    }
    if let Some(lock) = moved_aside_from(&name) {
        return repair_aside(path, &path.with_file_name(lock), expected, clock());
    }
    let before = match check(path, expected, clock()) {
        Ok(before) => before,
        Err(refused) => return refused,
    };
    let guard = match Guard::take(&guard_of(path), operator, id, clock, at) {
        Ok(guard) => guard,
        Err(outcome) => return outcome,
    };
    // From here on the guard goes however this ends.
    let outcome = under_guard(path, expected, &guard, &before, clock, at);
    match guard.give_back(at) {
        Ok(()) => outcome,
        Err(error) => {
            let summary =
                format!("{}; its guard {} could not be taken away: {error}", outcome.summary, guard.path.display());
            Outcome { summary: summary.into(), ..outcome }
        }
    }
}

fn under_guard(
    path: &Path,
    expected: &LockGuard,
    guard: &Guard,
    before: &Value,
    clock: fn() -> Millis,
    at: &mut dyn FnMut(Step),
) -> Outcome {
    clean_up(path, &guard.token, clock());
    let seen = identity(path);
    if let Err(refused) = check(path, expected, clock()) {
        return refused;
    }
    at(Step::LookedAgain);
    if !guard.is_ours(clock()) {
        return Outcome::refused("the guard ran out or is another's: nothing was changed, try again");
    }
    // Moved aside it is nobody's lock any more, and can be looked at once more where nobody reaches it.
    let aside = beside(path, &guard.token, ASIDE);
    if let Err(error) = fs::rename(path, &aside) {
        return match error.kind() {
            io::ErrorKind::NotFound => Outcome::refused("it was let go meanwhile: nothing was changed"),
            _ => Outcome::failed(format!("it could not be moved aside: {error}; nothing was changed")),
        };
    }
    at(Step::MovedAside);
    // A record that went meanwhile is its holder letting go: then the directory is still the one that was seen.
    let is_it = match read(&aside) {
        Found::Unrecorded => seen.is_some() && identity(&aside) == seen,
        found => directory_since(&aside).is_some_and(|since| matches_guard(&found, since, expected)),
    };
    if !is_it {
        // Its holder let go and another took it between the look and the move.
        return match put_back(&aside, path) {
            Ok(()) => Outcome::refused("another took it at that moment: it was put back as it was"),
            Err(error) => Outcome::unknown(format!(
                "another took it at that moment, and it could not be put back from {}: {error}",
                aside.display()
            )),
        };
    }
    if let Err(error) = fs::remove_dir_all(&aside) {
        let summary = format!("it is broken; what is left of it in {} could not be deleted: {error}", aside.display());
        return Outcome::done(summary).with(Some(before.clone()), None);
    }
    at(Step::Deleted);
    let now = match read(path) {
        _ if directory_since(path).is_none() => "nobody holds it now".to_owned(),
        Found::Recorded(record) => format!("{} holds it now", record.owner.agent()),
        _ => "another is taking it now".to_owned(),
    };
    Outcome::done(format!("it is broken; {now}")).with(Some(before.clone()), None)
}

/// The lock as it is, if it is the one that was seen and may be broken.
fn check(path: &Path, expected: &LockGuard, now_ms: Millis) -> Result<Value, Outcome> {
    let Some(since) = directory_since(path) else {
        return Err(Outcome::refused("it is not there any more: somebody let it go or broke it"));
    };
    let found = read(path);
    let described = describe(&found, since);
    let refuse = |why: String| Err(Outcome::refused(why).with(Some(described.clone()), None));
    if !matches_guard(&found, since, expected) {
        return refuse("it is another one than the one that was seen: nothing was changed".into());
    }
    match (found.state(now_ms), found.record()) {
        (State::Active, Some(record)) => {
            let until = record.expires_at_ms.map_or_else(
                || "its record names no end, so Harn never takes it over".to_owned(),
                |at| format!("it runs until {}", utc(at)),
            );
            refuse(format!(
                "{until}: its holder checks nothing but the directory, so it cannot be fenced off while it may be at work"
            ))
        }
        (State::Unreadable, _) => refuse("its record cannot be read from here, so it may be in force".into()),
        (State::Stale, _) => Ok(described),
        _ if now_ms.saturating_sub(since) < TAKING => {
            refuse("it has been without a usable record for a moment only: it may be being taken".into())
        }
        _ => Ok(described),
    }
}

/// Whether a directory is the lock that was seen: by token and instant, or, where it has no record, by its own time.
fn matches_guard(found: &Found, since: Millis, expected: &LockGuard) -> bool {
    match found {
        Found::Recorded(record) => {
            let taken = record.acquired_at_ms.filter(|at| plausible(*at));
            expected.token == record.token && expected.acquired_at_ms == taken
        }
        _ => expected.token.is_none() && expected.acquired_at_ms == Some(since),
    }
}

fn is_same(path: &Path, expected: &LockGuard) -> bool {
    directory_since(path).is_some_and(|since| matches_guard(&read(path), since, expected))
}

/// What tells a directory from one that was made in its place.
fn identity(path: &Path) -> Option<(FileId, Option<std::time::SystemTime>)> {
    let made = fs::symlink_metadata(path).ok()?.created().ok();
    Some((file::id_unfollowed(path).ok()?, made))
}

fn describe(found: &Found, since: Millis) -> Value {
    match found {
        Found::Recorded(record) => json!({
            "state": "recorded", "token": record.token, "owner": record.owner.agent().raw(),
            "acquired_at_ms": record.acquired_at_ms, "expires_at_ms": record.expires_at_ms,
        }),
        Found::Unrecorded => json!({ "state": "unrecorded", "since_ms": since }),
        Found::Malformed(why) => json!({ "state": "malformed", "why": why, "since_ms": since }),
        Found::Unreadable(why) => json!({ "state": "unreadable", "why": why, "since_ms": since }),
    }
}

/// A name beside a directory, of one attempt.
fn beside(path: &Path, token: &str, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{token}{suffix}"));
    PathBuf::from(name)
}

/// What a breaker that was ended left moved aside: a lock in force goes back where it was, anything else goes.
fn clean_up(path: &Path, ours: &str, now_ms: Millis) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let left = entry.file_name().to_string_lossy().into_owned();
        let of_this = moved_aside_from(&left).is_some_and(|lock| *lock == *name.to_string_lossy());
        if !of_this || left.contains(ours) {
            continue;
        }
        let aside = entry.path();
        // Another breaker makes its guard, or gives it back, beside the one that stands.
        let fresh = directory_since(&aside).is_some_and(|since| now_ms.saturating_sub(since) < GUARD_TTL);
        if fresh && !left.ends_with(ASIDE) {
            continue;
        }
        let may_be_in_force =
            left.ends_with(ASIDE) && matches!(read(&aside).state(now_ms), State::Active | State::Unreadable);
        if !(may_be_in_force && put_back(&aside, path).is_ok()) {
            let _ = fs::remove_dir_all(&aside);
        }
    }
}

/// Never over one that was taken meanwhile: an empty directory would be replaced silently.
fn put_back(aside: &Path, path: &Path) -> io::Result<()> {
    file::rename_where_nothing_is(aside, path)
}

/// Takes away the guard of a breaker that is gone.
fn take_guard_away(path: &Path, expected: &LockGuard, id: &str, now_ms: Millis) -> Outcome {
    let Some(since) = directory_since(path) else { return Outcome::refused("it is not there any more") };
    let found = read(path);
    let described = describe(&found, since);
    if !matches_guard(&found, since, expected) {
        return Outcome::refused("it is another one than the one that was seen: nothing was changed");
    }
    let outcome = if take_stale_guard_away(path, id, now_ms) {
        Outcome::done("it is gone: the lock can be taken and broken again")
    } else {
        Outcome::refused("it is in use: nothing was changed")
    };
    outcome.with(Some(described), None)
}

/// Puts a lock in force that a breaker moved aside back to its place; anything else that was left goes.
fn repair_aside(path: &Path, lock: &Path, expected: &LockGuard, now_ms: Millis) -> Outcome {
    let Some(since) = directory_since(path) else { return Outcome::refused("it is not there any more") };
    let found = read(path);
    let described = describe(&found, since);
    if !matches_guard(&found, since, expected) {
        return Outcome::refused("it is another one than the one that was seen: nothing was changed");
    }
    if guard_end(&guard_of(lock)).is_some_and(|end| end > now_ms) {
        return Outcome::refused("its breaker may still be at work: nothing was changed, look again in a minute");
    }
    let in_force = matches!(found.state(now_ms), State::Active | State::Unreadable);
    let outcome = match (in_force, in_force.then(|| put_back(path, lock))) {
        (true, Some(Ok(()))) => Outcome::done("the lock was put back where it was: its holder has it again"),
        (true, Some(Err(error))) if directory_since(lock).is_some() => {
            let why = format!("another has the lock by now ({error}): two may think that they hold it");
            match fs::remove_dir_all(path) {
                Ok(()) => Outcome::done(format!("what was left is gone; {why}")),
                Err(error) => Outcome::failed(format!("it cannot be deleted: {error}; {why}")),
            }
        }
        (true, Some(Err(error))) => Outcome::failed(format!("it cannot be put back: {error}")),
        _ => match fs::remove_dir_all(path) {
            Ok(()) => Outcome::done("what an ended breaker left is gone"),
            Err(error) => Outcome::failed(format!("it cannot be deleted: {error}")),
        },
    };
    outcome.with(Some(described), None)
}
