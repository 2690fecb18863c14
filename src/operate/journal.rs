//! The journal's file: one line of JSON an event, on the disk before anything goes on.

use std::io;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use crate::data::action::journal::{Entry, Line, read};
use crate::text::escape_json;

pub use super::lines::Stamp;

/// How much of the file's end is read, in bytes.
const TAIL: u64 = 4 << 20;

/// The journal of this user.
#[derive(Debug, Clone)]
pub struct JournalFile {
    lines: Lines,
}

impl JournalFile {
    /// The journal at `path`; it is made when the first line is written.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { lines: Lines::new(path) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.lines.path()
    }

    /// Appends one line, and returns when it is on the disk.
    pub fn append(&self, line: &Line) -> io::Result<()> {
        // Whatever prints the file prints text alone.
        let text = escape_json(&serde_json::to_string(line)?);
        self.lines.hold()?.append(&[text])
    }

    /// Changes when the file does.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.lines.stamp()
    }

    /// The attempts in the file's last part, oldest first, and how many lines are no lines of a journal.
    pub fn entries(&self) -> io::Result<(Vec<Entry>, usize)> {
        Ok(read(self.lines.tail(TAIL)?.lines()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;

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
