//! The journal's file: one line of JSON an event, on the disk before anything goes on.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use crate::action::executor::WriteAccess;
use crate::mesh::SourceState;
use crate::model::journal::{Entry, Event, Line, Process, lines_of, read, to_keep};
use crate::model::text::escape_json;
use crate::os::process;

pub use super::lines::Stamp;

/// How much of the file's end is read, in bytes.
const TAIL: u64 = 4 << 20;
/// After so many bytes what is still open is carried on: at least twice in the part that is read.
const STEP: u64 = 1 << 20;

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

    /// Appends one line, and returns when it is on the disk. Only whoever may write to what is watched writes here.
    pub fn append(&self, line: &Line, _: WriteAccess) -> io::Result<()> {
        let mut held = self.lines.hold()?;
        let before = held.length()?;
        held.append(&[text(line)?])?;
        // What is still open is carried on before it leaves the part that is read.
        if before / STEP != held.length()? / STEP {
            let (entries, _) = self.entries()?;
            let mut lines = Vec::new();
            for entry in to_keep(&entries).into_iter().filter(|entry| entry.id != line.id) {
                for line in lines_of(entry) {
                    lines.push(text(&line)?);
                }
            }
            lines.push(text(&Line { event: Event::Carried, ..line.clone() })?);
            held.append(&lines)?;
        }
        Ok(())
    }

    /// Changes when the file does.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.lines.stamp()
    }

    /// The attempts in the file's last part and every older one that is still open, oldest first, and how many lines are
    /// no lines of a journal.
    pub fn entries(&self) -> io::Result<(Vec<Entry>, usize)> {
        let mut found = read(self.lines.tail(TAIL)?.lines());
        if !found.carried && self.lines.length()? > TAIL {
            // Nothing was carried on in this part, as an older version leaves it: all of the file is read.
            found = read(self.lines.tail(u64::MAX)?.lines());
        }
        let mut canonical: HashMap<String, String> = HashMap::new();
        for entry in &mut found.entries {
            // A place is where it lies, whatever link it was named by.
            if let Some(place) = canonical.get(&entry.place) {
                entry.place.clone_from(place);
            } else if Path::new(&entry.place).is_absolute() {
                let real = std::fs::canonicalize(&entry.place).map(|path| path.display().to_string());
                let real = real.unwrap_or_else(|_| entry.place.clone());
                canonical.insert(std::mem::replace(&mut entry.place, real.clone()), real);
            }
        }
        let host = host();
        for entry in found.entries.iter_mut().filter(|entry| entry.kind.is_none()) {
            entry.abandoned = has_ended(&entry.process, &host);
        }
        Ok((found.entries, found.odd))
    }
}

/// The attempts that were made at these places.
#[must_use]
pub fn made_at(entries: Vec<Entry>, sources: &[SourceState]) -> Vec<Entry> {
    let here = |entry: &Entry| sources.iter().any(|source| source.identity.place.raw() == entry.place);
    entries.into_iter().filter(here).collect()
}

/// Whatever prints the file prints text alone.
fn text(line: &Line) -> io::Result<String> {
    Ok(escape_json(serde_json::to_string(line)?))
}

/// This machine's name.
#[must_use]
pub fn host() -> String {
    process::host_name()
}

/// Whether a process of this machine is known to have ended.
fn has_ended(process: &Process, host: &str) -> bool {
    process.host == host && !host.is_empty() && process::has_ended(process.pid)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;

    use super::*;
    use crate::action::executor::Purpose;
    use crate::model::action::{Action, LeaseGuard};
    use crate::model::journal::SCHEMA;

    fn access() -> WriteAccess {
        WriteAccess::decide(Purpose::Act, false).expect("the right to write")
    }

    fn line(id: &str) -> Line {
        let lease = LeaseGuard { lease_id: "1".into(), scope_key: "s".into(), holder_node: "n".into() };
        let (mesh, source, place, operator) = ("m".into(), "s".into(), "/s".into(), "o".into());
        let process = crate::model::journal::Process::default();
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
        journal.append(&line("a"), access()).unwrap();
        File::options().append(true).open(journal.path()).unwrap().write_all(b"{\"torn").unwrap();
        journal.append(&line("b"), access()).unwrap();
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
                        journal.append(&line(&format!("{writer}-{n}")), access()).unwrap();
                    }
                });
            }
        });
        assert_eq!(journal.entries().map(|(entries, odd)| (entries.len(), odd)).unwrap(), (100, 0));
    }

    /// B5: open attempts are carried on.
    #[test]
    fn nothing_open_is_forgotten_however_long_the_file_gets() {
        let folder = tempfile::tempdir().unwrap();
        let journal = JournalFile::new(folder.path().join("journal.jsonl"));
        let open = line("open");
        journal.append(&open, access()).unwrap();
        let long = |n: usize| {
            let Event::Intent { mesh, source, place, process, operator, action, .. } = line("x").event else {
                unreachable!()
            };
            let event = Event::Intent { mesh, source, place, process, operator, reason: "x".repeat(200_000), action };
            let closed = Line { event: Event::Closed { summary: String::new() }, id: n.to_string(), ..line("x") };
            [Line { event, id: n.to_string(), ..line("x") }, closed]
        };
        for n in 0..60 {
            for line in long(n) {
                journal.append(&line, access()).unwrap();
            }
        }
        assert!(fs::metadata(journal.path()).unwrap().len() > 2 * TAIL);
        let (entries, odd) = journal.entries().unwrap();
        assert!(entries.iter().any(|entry| entry.id == "open" && !entry.closed), "{} entries", entries.len());
        assert!(entries.len() < 60 && odd == 0, "and not all of it is read");
        // A file of an older version carried nothing on.
        let text = fs::read_to_string(journal.path()).unwrap();
        let old: Vec<&str> = text.lines().filter(|line| !line.contains("\"carried\"")).collect();
        fs::write(journal.path(), old.join("\n")).unwrap();
        assert!(journal.entries().unwrap().0.iter().any(|entry| entry.id == "open"));
    }
}
