//! A database file that other programs write, followed read-only without leaving anything beside it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use libsql::Connection;

use super::sqlite::{data_version, open_read_only};
use crate::model::source::Fault;
use crate::os::file;

/// One file. While its log is in use it is read through that. Without a log it is read as it lies: opened as usual, SQLite
/// would make a log beside it, or fail where it may not.
pub struct Followed {
    path: PathBuf,
    open: Option<Opened>,
    /// A read began and was not ended by [`Self::seen`].
    is_reading: bool,
    /// The last read left something.
    is_behind: bool,
    /// The file that was read last.
    last: Option<Identity>,
}

struct Opened {
    connection: Connection,
    identity: Identity,
    /// The file as it lay when it was opened without its log.
    as_it_lies: Option<Lying>,
    /// Its version when what was seen last was read.
    version: Option<i64>,
    /// Its version when the read began: what is committed while it is read is read at the next poll.
    reading: i64,
}

/// A file's device and inode.
type Identity = (u64, u64);

/// What tells whether a file was written since: length and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lying(u64, SystemTime);

/// What there is to read.
pub enum Reading {
    /// No file is there.
    Missing,
    /// Nothing was written since.
    Unchanged,
    Changed {
        connection: Connection,
        /// Another file than the one that was read last: what was read of that one is void.
        replaced: bool,
    },
}

impl Followed {
    /// Follows the file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None, is_reading: false, is_behind: false, last: None }
    }

    /// Begins a read where there is anything to read. A read that failed or was given up is begun anew on a connection of
    /// its own.
    pub async fn read(&mut self) -> Result<Reading, Fault> {
        let found = self.find();
        let Ok(Some((identity, lying))) = found else {
            self.open = None;
            return found.map(|_| Reading::Missing);
        };
        let is_same = |open: &Opened| open.identity == identity && open.as_it_lies == lying;
        if self.is_reading || !self.open.as_ref().is_some_and(is_same) {
            self.open = None;
        }
        self.is_reading = true;
        if self.open.is_none() {
            let connection = match lying {
                Some(_) => open_as_it_lies(&self.path).await?,
                None => open_read_only(&self.path).await?,
            };
            self.open = Some(Opened { connection, identity, as_it_lies: lying, version: None, reading: 0 });
        }
        let Some(open) = &mut self.open else { return Err(Fault::transient("the file is not open")) };
        open.reading = match open.as_it_lies {
            Some(_) => 0,
            None => data_version(&open.connection).await?,
        };
        if open.version == Some(open.reading) && !self.is_behind {
            self.is_reading = false;
            return Ok(Reading::Unchanged);
        }
        let replaced = self.last.is_some_and(|last| last != identity);
        Ok(Reading::Changed { connection: open.connection.clone(), replaced })
    }

    /// Ends a read. `is_behind` says that it left something. Fails where the file was written meanwhile, in a way that what
    /// was read may be torn.
    pub fn seen(&mut self, is_behind: bool) -> Result<(), Fault> {
        let found = self.find()?;
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.as_it_lies.is_some() && found != Some((open.identity, open.as_it_lies)) {
            return Err(Fault::transient(format!("{} was written while it was read", self.path.display())));
        }
        open.version = Some(open.reading);
        (self.last, self.is_reading, self.is_behind) = (Some(open.identity), false, is_behind);
        Ok(())
    }

    /// That there is no file, where there has to be one.
    #[must_use]
    pub fn missing(&self) -> Fault {
        Fault::transient(format!("{} does not exist", self.path.display()))
    }

    /// The file, and how it lies where nothing is in its log; nothing where there is no file.
    fn find(&self) -> Result<Option<(Identity, Option<Lying>)>, Fault> {
        let path = &self.path;
        let file = match file::stat(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Fault::transient(format!("cannot look at {}: {e}", path.display()))),
        };
        // Opening a pipe would wait for whoever writes to it.
        if !file.is_file {
            return Err(Fault::setup(format!("{} is no file", path.display()), "remove it, or name another"));
        }
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).is_ok_and(|file| file.len() > 0)
        };
        let lying = (!beside("-wal") && !beside("-journal")).then_some(Lying(file.len, file.modified));
        Ok(Some((file.id, lying)))
    }
}

/// Opens a file read-only as it lies, without its log: nothing is made beside it.
async fn open_as_it_lies(path: &Path) -> Result<Connection, Fault> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let name: String = absolute
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") })
        .collect();
    open_read_only(Path::new(&format!("file:{name}?immutable=1"))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there was anything to read, and whether it was of another file.
    async fn read(file: &mut Followed) -> Option<bool> {
        match file.read().await.unwrap() {
            Reading::Changed { replaced, .. } => Some(replaced),
            Reading::Unchanged | Reading::Missing => None,
        }
    }

    async fn written(path: &Path) -> Connection {
        let writer = libsql::Builder::new_local(path).build().await.unwrap().connect().unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)").await.unwrap();
        writer
    }

    #[tokio::test]
    async fn what_is_committed_while_a_file_is_read_is_read_at_the_next_poll() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.db");
        let writer = written(&path).await;
        let mut file = Followed::new(path);
        assert!(read(&mut file).await.is_some());
        writer.execute("INSERT INTO t VALUES (2)", ()).await.unwrap();
        file.seen(false).unwrap();
        assert!(read(&mut file).await.is_some(), "the second row was not read");
        file.seen(false).unwrap();
        assert!(read(&mut file).await.is_none());
    }

    #[tokio::test]
    async fn another_file_is_new_until_it_was_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("shared.db"), folder.path().join("other.db"));
        // Both have their log in use, so that nothing but the file itself tells them apart.
        let (_first, _second) = (written(&path).await, written(&other).await);
        let mut file = Followed::new(path.clone());
        assert_eq!(read(&mut file).await, Some(false));
        file.seen(false).unwrap();
        for end in ["", "-wal", "-shm"] {
            let with = |path: &Path| format!("{}{end}", path.display());
            std::fs::rename(with(&other), with(&path)).unwrap();
        }
        assert_eq!(read(&mut file).await, Some(true));
        assert_eq!(read(&mut file).await, Some(true), "the read before was given up");
        file.seen(false).unwrap();
        assert_eq!(read(&mut file).await, None);
    }

    #[tokio::test]
    async fn what_was_left_is_read_at_the_next_poll() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.db");
        let mut file = Followed::new(path.clone());
        assert!(matches!(file.read().await.unwrap(), Reading::Missing));
        let _writer = written(&path).await;
        assert!(read(&mut file).await.is_some());
        file.seen(true).unwrap();
        assert!(read(&mut file).await.is_some());
        file.seen(false).unwrap();
        assert!(read(&mut file).await.is_none());
    }

    #[tokio::test]
    async fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let Err(fault) = Followed::new(folder.path().to_owned()).read().await else { panic!("a folder was read") };
        assert!(fault.to_string().contains("is no file"), "{fault}");
    }
}
