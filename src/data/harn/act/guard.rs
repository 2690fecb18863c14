//! The guard beside a lock directory: the right to break that one lock, as everybody who breaks locks takes it first.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Step, aside, put_back};
use crate::data::action::outcome::Outcome;
use crate::data::harn::lockdir::{GUARD_TTL, RECORD, SCHEMA, State};
use crate::data::harn::locks::{guard_end, read};
use crate::time::Millis;

/// What a guard's token begins with.
pub(super) const GUARD_TOKEN: &str = "coord-lock-reaper-token-";

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
        match DirBuilder::new().create(path) {
            Ok(()) => {}
            // One that was left behind is taken away, as all who break locks do once it is past its end.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists
                    && take_stale_guard_away(path, id, clock())
                    && DirBuilder::new().create(path).is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Outcome::refused("another is breaking it at this moment: look again in a minute"));
            }
            Err(error) => {
                return Err(Outcome::failed(format!("its guard could not be made: {error}; nothing was changed")));
            }
        }
        let guard = Self::of(path, id);
        at(Step::GuardMade);
        let now = clock();
        let record = json!({
            "schema": SCHEMA, "token": guard.token, "acquired_at_ms": now, "updated_at_ms": now,
            "ttl_ms": GUARD_TTL, "expires_at_ms": now + GUARD_TTL, "owner": { "id": format!("lockkeeper/{operator}") },
            "reason": "an operator breaks the lock", "refs": [],
        });
        let written = File::options()
            .write(true)
            .create_new(true)
            .open(path.join(RECORD))
            .and_then(|mut file| file.write_all(record.to_string().as_bytes()));
        if let Err(error) = written {
            let _ = fs::remove_dir_all(path);
            return Err(Outcome::failed(format!("its guard could not be written: {error}; nothing was changed")));
        }
        at(Step::GuardRecorded);
        Ok(guard)
    }

    /// Whether it still stands, and is this one.
    pub(super) fn is_ours(&self, now_ms: Millis) -> bool {
        let found = read(&self.path);
        found.state(now_ms) == State::Active && found.record().is_some_and(|record| record.token == self.token)
    }

    /// Takes it away, if it is still ours.
    pub(super) fn give_back(&self) -> io::Result<()> {
        match read(&self.path).record() {
            Some(record) if record.token == self.token => {}
            _ => return Ok(()),
        }
        fs::remove_file(self.path.join(RECORD))?;
        fs::remove_dir(&self.path)
    }
}

/// Takes away a guard past its end. What was moved aside is looked at once more: another's goes back.
pub(super) fn take_stale_guard_away(path: &Path, id: &str, now_ms: Millis) -> bool {
    let over = |path: &Path| guard_end(path).is_some_and(|end| end <= now_ms);
    let aside = aside(path, id);
    if !over(path) || fs::rename(path, &aside).is_err() {
        return false;
    }
    if !over(&aside) {
        let _ = put_back(&aside, path);
        return false;
    }
    fs::remove_dir_all(&aside).is_ok()
}
