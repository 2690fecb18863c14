//! The private folder that copies live in: readable by nobody else, and removed at exit and after a crash.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::os::file;

const PREFIX: &str = "lockkeeper-copy-";
const ALIVE: &str = "alive";
/// The mark's name until it is locked.
const UNMARKED: &str = "alive.new";

/// A folder of its own for one console. Dropping it removes it.
#[derive(Debug)]
pub struct Store {
    dir: TempDir,
    /// Held locked while the console lives; the next console removes folders whose lock is free.
    _alive: File,
}

impl Store {
    /// Makes a private folder below `base` (the system's temporary folder by default), after removing
    /// those that crashed consoles left there.
    pub fn create(base: Option<&Path>) -> io::Result<Self> {
        let base = base.map_or_else(std::env::temp_dir, Path::to_owned);
        sweep(&base);
        let dir = file::private_folder_in(&base, PREFIX)?;
        // Nobody finds the mark before it is locked: another console that starts now would remove the folder.
        let unmarked = dir.path().join(UNMARKED);
        let alive = private_file(&unmarked)?;
        alive.try_lock().map_err(io::Error::from)?;
        fs::rename(&unmarked, dir.path().join(ALIVE))?;
        Ok(Self { dir, _alive: alive })
    }

    /// A folder in the store for one source.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }
}

/// Removes what crashed consoles left. Only folders with our name, our mark and a free lock are touched.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Not following links: what it leads to is not what stands there.
        if !named_so || !entry.metadata().is_ok_and(|it| it.is_dir() && file::is_ours(&it)) {
            continue;
        }
        let Ok(mark) = open_mark(&entry.path().join(ALIVE)) else { continue };
        match mark.try_lock() {
            Ok(()) => {
                let _ = fs::remove_dir_all(entry.path());
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Opens a mark that is a plain file of ours; whatever else stands there is not waited for.
fn open_mark(path: &Path) -> io::Result<File> {
    let mark = file::not_waiting_nor_following(File::options().write(true)).open(path)?;
    let it = mark.metadata()?;
    if it.is_file() && file::is_ours(&it) { Ok(mark) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Creates or empties a file that nobody else may read.
pub fn private_file(path: &Path) -> io::Result<File> {
    file::private(File::options().write(true).create(true).truncate(true)).open(path)
}

/// Left free on a disk that copies live on, in bytes.
pub const KEEP_FREE: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crashed_consoles_folder_is_swept_and_a_living_ones_is_not() {
        let base = tempfile::tempdir().unwrap();
        let living = Store::create(Some(base.path())).unwrap();
        let crashed = base.path().join(format!("{PREFIX}crashed"));
        fs::create_dir(&crashed).unwrap();
        private_file(&crashed.join(ALIVE)).unwrap();
        let foreign = base.path().join(format!("{PREFIX}foreign"));
        fs::create_dir(&foreign).unwrap();

        // H4: a mark that would be waited for, and one that leads elsewhere.
        for (name, is_pipe) in [("pipe", true), ("link", false)] {
            let folder = base.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&folder).unwrap();
            if is_pipe {
                rustix::fs::mknodat(rustix::fs::CWD, folder.join(ALIVE), rustix::fs::FileType::Fifo, 0o600.into(), 0)
                    .unwrap();
            } else {
                fs::write(base.path().join("elsewhere"), "").unwrap();
                std::os::unix::fs::symlink(base.path().join("elsewhere"), folder.join(ALIVE)).unwrap();
            }
        }

        let second = Store::create(Some(base.path())).unwrap();
        assert!(!crashed.exists());
        assert!(foreign.exists(), "a folder without our mark is not ours");
        for name in ["pipe", "link"] {
            assert!(base.path().join(format!("{PREFIX}{name}")).exists(), "{name}");
        }
        assert!(living.dir.path().exists() && second.dir.path().exists());
        let path = living.dir.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn consoles_that_start_together_leave_each_other_alone() {
        let base = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let store = Store::create(Some(base.path())).unwrap();
                        store.folder("of-a-source").unwrap();
                    }
                });
            }
        });
    }
}
