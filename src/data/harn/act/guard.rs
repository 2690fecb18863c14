//! The guard beside a lock directory: the right to break that one lock, as everybody who breaks locks takes it first.
//!
//! It appears and vanishes whole: a guard without its record is never taken over by Harn, and would keep it out for good.
//! So it is made beside its place with its record inside and renamed into it, and renamed away before it is deleted.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Step, beside, put_back};
use crate::data::harn::lockdir::{GUARD_TOKEN, GUARD_TTL, RECORD, SCHEMA, SPENT, STAGED, State};
use crate::data::harn::locks::{guard_end, read};
use crate::model::outcome::Outcome;
use crate::model::time::Millis;

/// A guard that was taken.
pub(super) struct Guard {
    pub(super) path: PathBuf,
    pub(super) token: String,
}

impl Guard {
    /// The guard that an attempt took, if it took one.
    pub(super) fn of(path: &Path, id: &str) -> Self {
        Self { path: path.to_owned(), token: format!("{GUARD_TOKEN}{id}") }
    }

    /// Takes it, or says why not.
    pub(super) fn take(
        path: &Path,
        operator: &str,
        id: &str,
        clock: fn() -> Millis,
        at: &mut dyn FnMut(Step),
    ) -> Result<Self, Outcome> {
        let guard = Self::of(path, id);
        let staged = guard.stage(operator, clock(), at).map_err(|error| {
            let _ = fs::remove_dir_all(beside(path, &guard.token, STAGED));
            Outcome::failed(format!("its guard could not be made: {error}; nothing was changed"))
        })?;
        let mut placed = put_back(&staged, path);
        let stands = |placed: &io::Result<()>| {
            placed
                .as_ref()
                .is_err_and(|e| matches!(e.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty))
        };
        // One that was left behind is taken away, as all who break locks do once it is past its end.
        if stands(&placed) && take_stale_guard_away(path, id, clock()) {
            placed = put_back(&staged, path);
        }
        match placed {
            Ok(()) => {
                at(Step::GuardPlaced);
                Ok(guard)
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&staged);
                Err(if stands(&Err(io::Error::from(error.kind()))) {
                    Outcome::refused("another is breaking it at this moment: look again in a minute")
                } else {
                    Outcome::failed(format!("its guard could not be put in place: {error}; nothing was changed"))
                })
            }
        }
    }

    /// Makes the guard beside its place, with its record on the disk.
    fn stage(&self, operator: &str, now: Millis, at: &mut dyn FnMut(Step)) -> io::Result<PathBuf> {
        let staged = beside(&self.path, &self.token, STAGED);
        DirBuilder::new().create(&staged)?;
        at(Step::GuardMade);
        let record = json!({
            "schema": SCHEMA, "token": self.token, "acquired_at_ms": now, "updated_at_ms": now,
            "ttl_ms": GUARD_TTL, "expires_at_ms": now + GUARD_TTL, "owner": { "id": format!("lockkeeper/{operator}") },
            "reason": "an operator breaks the lock", "refs": [],
        });
        let mut file = File::options().write(true).create_new(true).open(staged.join(RECORD))?;
        file.write_all(record.to_string().as_bytes())?;
        file.sync_all()?;
        at(Step::GuardRecorded);
        Ok(staged)
    }

    /// Whether it still stands, and is this one.
    pub(super) fn is_ours(&self, now_ms: Millis) -> bool {
        let found = read(&self.path);
        found.state(now_ms) == State::Active
            && found.record().is_some_and(|record| record.token.as_deref() == Some(&self.token))
    }

    /// Takes it away whole, if it is still ours.
    pub(super) fn give_back(&self, at: &mut dyn FnMut(Step)) -> io::Result<()> {
        let ours = |path: &Path| read(path).record().is_some_and(|record| record.token.as_deref() == Some(&self.token));
        if !ours(&self.path) {
            return Ok(());
        }
        let spent = beside(&self.path, &self.token, SPENT);
        fs::rename(&self.path, &spent)?;
        at(Step::GuardSpent);
        // Another's that took its place in between goes back.
        if ours(&spent) { fs::remove_dir_all(&spent) } else { put_back(&spent, &self.path) }
    }
}

/// Takes away a guard past its end. What was moved aside is looked at once more: another's goes back.
pub(super) fn take_stale_guard_away(path: &Path, id: &str, now_ms: Millis) -> bool {
    let over = |path: &Path| guard_end(path).is_some_and(|end| end <= now_ms);
    let aside = beside(path, &format!("{GUARD_TOKEN}{id}"), SPENT);
    // What an earlier crash left under this name is in nobody's use.
    let _ = fs::remove_dir_all(&aside);
    if !over(path) || fs::rename(path, &aside).is_err() {
        return false;
    }
    if !over(&aside) {
        let _ = put_back(&aside, path);
        return false;
    }
    fs::remove_dir_all(&aside).is_ok()
}
