//! The log of changes: each is on the disk before it is printed, so that after a restart none is lost and none comes twice.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::changes::{Change, State, Thing, apply};

use crate::os::{file, folder_of};

/// Bytes after which older lines are left out.
const MOST: u64 = 64 << 20;
/// Lines that are kept then.
const KEPT: usize = 10_000;

/// The first line: how everything stood before the lines that follow.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Base {
    base: u64,
    state: Vec<(Thing, serde_json::Value)>,
}

/// The log while it is this process's.
#[derive(Debug)]
pub struct ChangeLog {
    path: PathBuf,
    file: File,
    base: u64,
    /// How everything stands after the last line.
    pub state: State,
    pub last: u64,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("{place}: another watch writes it; name another file with --log")]
    Taken { place: String },
    #[error("{place}:{line}: no line of a log of changes; name another file with --log, or move this one aside")]
    NoLog { place: String, line: u64 },
    #[error("{place}: {error}")]
    Io { place: String, error: std::io::Error },
    #[error(
        "the log begins after cursor {base}: changes after {since} are no longer there; leave --since out, or take {base}"
    )]
    TooOld { since: u64, base: u64 },
    #[error("there is no cursor {since} yet: the last one is {last}")]
    TooNew { since: u64, last: u64 },
}

impl ChangeLog {
    /// Opens it. A last line that was torn is cut off: it was never printed.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let place = path.display().to_string();
        let io = |error| LogError::Io { place: place.clone(), error };
        std::fs::create_dir_all(folder_of(path)).map_err(io)?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = file::private(&mut options).open(path).map_err(io)?;
        if file.try_lock().is_err() {
            return Err(LogError::Taken { place });
        }
        let mut log =
            Self { path: path.to_owned(), file: file.try_clone().map_err(io)?, base: 0, state: State::new(), last: 0 };
        let mut whole = 0;
        let (mut line, mut number) = (Vec::new(), 0);
        let mut reader = BufReader::new(&mut file);
        while reader.read_until(b'\n', &mut line).map_err(io)? > 0 {
            number += 1;
            // A last line without its end was torn; anything else that is not understood is not ours to cut.
            if !line.ends_with(b"\n") && number > 1 {
                break;
            }
            if !log.take(&line, number) {
                return Err(LogError::NoLog { place, line: number });
            }
            whole += line.len() as u64;
            line.clear();
        }
        log.file.set_len(whole).map_err(io)?;
        log.file.seek(SeekFrom::End(0)).map_err(io)?;
        if whole == 0 {
            log.write_base(&[]).map_err(io)?;
        }
        Ok(log)
    }

    /// Takes a line over: the first one is a base, and the others go on without a gap. False for one that is none.
    fn take(&mut self, line: &[u8], number: u64) -> bool {
        if number > 1 {
            let change = serde_json::from_slice::<Change>(line).ok().filter(|change| change.cursor == self.last + 1);
            let Some(change) = change else { return false };
            self.last = change.cursor;
            apply(&mut self.state, &change);
            return true;
        }
        let Ok(Base { base, state }) = serde_json::from_slice(line) else { return false };
        (self.base, self.last, self.state) = (base, base, state.into_iter().collect());
        true
    }

    /// Lines after a cursor.
    pub fn since(&self, since: u64) -> Result<Vec<Change>, LogError> {
        if since < self.base {
            return Err(LogError::TooOld { since, base: self.base });
        }
        if since > self.last {
            return Err(LogError::TooNew { since, last: self.last });
        }
        let lines = BufReader::new(
            File::open(&self.path).map_err(|error| LogError::Io { place: self.path.display().to_string(), error })?,
        )
        .lines();
        let changes = lines.map_while(Result::ok).filter_map(|line| serde_json::from_str::<Change>(&line).ok());
        Ok(changes.filter(|change| change.cursor > since).collect())
    }

    /// Appends changes, and returns when they are on the disk.
    pub fn append(&mut self, changes: &[Change]) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut bytes, change)?;
            bytes.push(b'\n');
        }
        let before = self.file.stream_position()?;
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            // A full disk leaves no half of a line.
            self.file.set_len(before)?;
            self.file.seek(SeekFrom::Start(before))?;
            return Err(error);
        }
        for change in changes {
            self.last = change.cursor;
            apply(&mut self.state, change);
        }
        if before + bytes.len() as u64 > MOST {
            self.shorten(KEPT)?;
        }
        Ok(())
    }

    /// Leaves older lines out, in a new file that takes the place of this one.
    fn shorten(&mut self, kept: usize) -> std::io::Result<()> {
        let all = self.since(self.base).map_err(std::io::Error::other)?;
        let (older, newer) = all.split_at(all.len().saturating_sub(kept));
        // How it stood before the lines that stay.
        let mut first = Self::open_state(&self.path)?;
        for change in older {
            apply(&mut first, change);
        }
        let base = older.last().map_or(self.base, |change| change.cursor);
        let (state, last) = (std::mem::replace(&mut self.state, first), self.last);
        self.base = base;
        let written = self.write_base(newer);
        (self.state, self.last) = (state, last);
        written
    }

    /// The state that a log begins with.
    fn open_state(path: &Path) -> std::io::Result<State> {
        let mut line = String::new();
        BufReader::new(File::open(path)?).read_line(&mut line)?;
        let base: Base = serde_json::from_str(&line)?;
        Ok(base.state.into_iter().collect())
    }

    fn write_base(&mut self, lines: &[Change]) -> std::io::Result<()> {
        let folder = folder_of(&self.path);
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        let state = self.state.iter().map(|(thing, is)| (thing.clone(), is.clone())).collect();
        serde_json::to_writer(&mut new, &Base { base: self.base, state })?;
        new.write_all(b"\n")?;
        for line in lines {
            serde_json::to_writer(&mut new, line)?;
            new.write_all(b"\n")?;
        }
        new.as_file().sync_all()?;
        // Locked before it can be found.
        new.as_file().try_lock()?;
        self.file = new.persist(&self.path)?;
        file::sync_folder(folder)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::changes::SCHEMA;
    use super::*;

    fn change(cursor: u64, key: u64) -> Change {
        let thing = Thing { kind: "lock".into(), mesh: "m".into(), key: key.to_string() };
        let (was, is) = (serde_json::Value::Null, json!({ "name": "n", "state": cursor }));
        Change { schema: SCHEMA.into(), cursor, at_ms: 1, thing, name: "n".into(), change: "changed".into(), was, is }
    }

    #[test]
    fn what_was_written_is_there_again_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/watch.jsonl");
        let mut log = ChangeLog::open(&path).unwrap();
        log.append(&[change(1, 1), change(2, 2)]).unwrap();
        assert!(matches!(ChangeLog::open(&path), Err(LogError::Taken { .. })), "one at a time");
        drop(log);
        File::options().append(true).open(&path).unwrap().write_all(b"{\"schema\":\"lockkeeper.cha").unwrap();
        let mut log = ChangeLog::open(&path).unwrap();
        assert_eq!((log.last, log.state.len()), (2, 2));
        log.append(&[change(3, 1)]).unwrap();
        assert_eq!(log.since(1).unwrap().iter().map(|c| c.cursor).collect::<Vec<_>>(), [2, 3]);
        assert!(matches!(log.since(9), Err(LogError::TooNew { .. })));
    }

    /// What is not a log is somebody's: nothing of it is cut.
    #[test]
    fn a_file_that_is_no_log_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        for text in ["{\"schema\":\"lockkeeper.journal.v1\"}\n{}\n", "notes", "\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(ChangeLog::open(&path), Err(LogError::NoLog { line: 1, .. })), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let path = folder.path().join("watch.jsonl");
        let mut log = ChangeLog::open(&path).unwrap();
        log.append(&[change(1, 1), change(2, 2), change(3, 3)]).unwrap();
        drop(log);
        let damaged = std::fs::read_to_string(&path).unwrap().replace("\"cursor\":2", "\"cursor\":7");
        std::fs::write(&path, &damaged).unwrap();
        assert!(matches!(ChangeLog::open(&path), Err(LogError::NoLog { line: 3, .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
    }

    #[test]
    fn older_lines_are_left_out_and_the_state_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watch.jsonl");
        let mut log = ChangeLog::open(&path).unwrap();
        let all: Vec<Change> = (1..=50).map(|n| change(n, n % 7)).collect();
        log.append(&all).unwrap();
        log.shorten(10).unwrap();
        let state = log.state.clone();
        log.append(&[change(51, 99)]).unwrap();
        assert!(matches!(log.since(39), Err(LogError::TooOld { base: 40, .. })));
        assert_eq!(log.since(40).unwrap().len(), 11);
        drop(log);
        let again = ChangeLog::open(&path).unwrap();
        assert_eq!((again.last, again.state.len()), (51, state.len() + 1));
    }
}
