//! The journal's file: one line of JSON an event, appended whole and flushed to the disk before anything goes on.
//!
//! Several consoles may share it: each line is written under a lock. A line that was torn by a crash or a full disk
//! is left as it is, and the next one begins on a line of its own.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use crate::data::action::journal::{Entry, Line, read};
use crate::text::escape_json;

/// How much of the file's end is read, in bytes.
const TAIL: u64 = 4 << 20;

/// The journal of this user.
#[derive(Debug, Clone)]
pub struct JournalFile {
    path: PathBuf,
}

/// Two equal stamps are the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp(Option<(u64, SystemTime)>);

impl JournalFile {
    /// The journal at `path`; it is made when the first line is written.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line, and returns when it is on the disk.
    pub fn append(&self, line: &Line) -> io::Result<()> {
        // Whatever prints the file prints text alone.
        let mut text = escape_json(&serde_json::to_string(line)?);
        text.push('\n');
        let mut file = self.open()?;
        flock(&file, FlockOperation::LockExclusive)?;
        let end = file.seek(SeekFrom::End(0))?;
        if end > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(end - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                text.insert(0, '\n');
            }
        }
        // The file is in append mode, so this goes to its end wherever it was read.
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    fn open(&self) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).append(true).mode(0o600);
        match options.open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        if !folder.as_os_str().is_empty() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = options.create(true).open(&self.path)?;
        // A new file outlives a crash only once its folder is on the disk too.
        if !folder.as_os_str().is_empty() {
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    }

    /// Changes when the file does.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp(fs::metadata(&self.path).ok().and_then(|meta| Some((meta.len(), meta.modified().ok()?))))
    }

    /// The attempts in the file's last part, oldest first, and how many lines are no lines of a journal.
    pub fn entries(&self) -> io::Result<(Vec<Entry>, usize)> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(e) => return Err(e),
        };
        let length = file.metadata()?.len();
        let from = length.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        // The first line of a part is the end of one.
        let skip = usize::from(from > 0);
        Ok(read(text.lines().skip(skip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::action::journal::{Event, SCHEMA};
    use crate::data::action::{Action, LeaseGuard};

    fn line(id: &str) -> Line {
        let lease = LeaseGuard { lease_id: "1".into(), scope_key: "s".into(), holder_node: "n".into() };
        let (mesh, source, place, operator) = ("m".into(), "s".into(), "/s".into(), "o".into());
        let process = crate::data::action::journal::Process::default();
        let event = Event::Intent {
            mesh,
            source,
            place,
            process,
            operator,
            reason: String::new(),
            action: Action::Revoke { lease },
        };
        Line { schema: SCHEMA.into(), id: id.into(), plan: "p".into(), at_ms: 1, event }
    }

    #[test]
    fn a_torn_line_costs_no_other() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let journal = JournalFile::new(folder.path().join("state/journal.jsonl"));
        assert_eq!(journal.entries().unwrap(), (Vec::new(), 0));
        journal.append(&line("a")).unwrap();
        File::options().append(true).open(journal.path()).unwrap().write_all(b"{\"torn").unwrap();
        journal.append(&line("b")).unwrap();
        let (entries, odd) = journal.entries().unwrap();
        assert_eq!((entries.len(), odd), (2, 1));
        assert_eq!(fs::metadata(journal.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("state")).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn many_writers_tear_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let journal = JournalFile::new(folder.path().join("journal.jsonl"));
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let journal = journal.clone();
                scope.spawn(move || {
                    for n in 0..25 {
                        journal.append(&line(&format!("{writer}-{n}"))).unwrap();
                    }
                });
            }
        });
        assert_eq!(journal.entries().map(|(entries, odd)| (entries.len(), odd)).unwrap(), (100, 0));
    }
}
