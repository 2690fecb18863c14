//! Where a Harn project keeps its state. Pure but for looking which files are there.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::data::system::real;

/// A folder that the operator named, or that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The work tree, in which lock directories stand beside what they protect.
    pub tree: PathBuf,
    pub log: LogPlace,
    /// Where events lie as well and are not read.
    pub other: Option<PathBuf>,
}

/// Where the event log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPlace {
    Sqlite(PathBuf),
    /// A folder of `topics/*.jsonl` and `consumers/*.json`.
    Files(PathBuf),
}

impl LogPlace {
    /// The file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Sqlite(path) | Self::Files(path) => path,
        }
    }
}

impl Project {
    /// The project at `dir`: its root, or its state root. `state` and `sqlite` are what the environment says.
    #[must_use]
    pub fn at(dir: &Path, state: Option<&Path>, sqlite: Option<&Path>) -> Self {
        let is_state = |path: &Path| path.join("events.sqlite").is_file() || path.join("events/topics").is_dir();
        let state = match state {
            // A relative one is relative to the project.
            Some(state) => dir.join(state),
            None if dir.file_name().is_some_and(|name| name == ".harn") || is_state(dir) => dir.to_owned(),
            None => dir.join(".harn"),
        };
        let named_state = state == dir && state.file_name().is_some_and(|name| name == ".harn");
        let tree = if named_state { dir.parent().unwrap_or(dir) } else { dir };
        let file = sqlite.map_or_else(|| state.join("events.sqlite"), Path::to_owned);
        let folder = state.join("events");
        let topics = folder.join("topics");
        let (log, other) = match (file.is_file(), topics.is_dir()) {
            (false, true) => (LogPlace::Files(folder), None),
            (true, true) if last_written(&topics) > written(&file) => (LogPlace::Files(folder), Some(file)),
            (true, true) => (LogPlace::Sqlite(file), Some(folder)),
            _ => (LogPlace::Sqlite(file), None),
        };
        Self { tree: tree.to_owned(), log, other }
    }

    /// The same with the backend that the environment names.
    #[must_use]
    pub fn by_backend(self, backend: Option<&str>) -> Self {
        match (backend, self.log, self.other) {
            (Some("file"), LogPlace::Sqlite(file), Some(folder)) => {
                Self { tree: self.tree, log: LogPlace::Files(folder), other: Some(file) }
            }
            (Some("sqlite"), LogPlace::Files(folder), Some(file)) => {
                Self { tree: self.tree, log: LogPlace::Sqlite(file), other: Some(folder) }
            }
            (_, log, other) => Self { tree: self.tree, log, other },
        }
    }

    /// What tells it from other projects, however it was named.
    #[must_use]
    pub fn identity(&self) -> (PathBuf, PathBuf) {
        (real(&self.tree), real(self.log.path()))
    }

    /// Whether there is anything of Harn at all.
    #[must_use]
    pub fn is_there(&self) -> bool {
        match &self.log {
            LogPlace::Sqlite(path) => path.is_file(),
            LogPlace::Files(path) => path.is_dir(),
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> String {
        let whole = std::path::absolute(&self.tree).unwrap_or_else(|_| self.tree.clone());
        whole.file_name().map_or_else(|| "harn".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

/// When a database was written last, its log included.
fn written(file: &Path) -> Option<SystemTime> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let at = |path: &Path| path.metadata().ok()?.modified().ok();
    at(file).max(at(Path::new(&log)))
}

/// When a file of a folder was written last.
fn last_written(folder: &Path) -> Option<SystemTime> {
    let files = std::fs::read_dir(folder).ok()?.flatten();
    files.filter_map(|file| file.metadata().ok()?.modified().ok()).max()
}

/// The file of host leases, by the environment.
#[must_use]
pub fn host_leases(root: Option<&Path>, harn_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    let folder = match (root, harn_home, home) {
        (Some(root), ..) => root.to_owned(),
        (None, Some(harn), _) => harn.join("host-leases"),
        (None, None, home) => home?.join(".harn/host-leases"),
    };
    Some(folder.join("host-leases.sqlite"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_project_is_named_by_its_root_or_its_state() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        let state = tree.join(".harn");
        fs::create_dir_all(state.join("events/topics")).unwrap();
        let of = |dir: &Path| Project::at(dir, None, None);
        assert_eq!(of(&tree), Project { tree: tree.clone(), log: LogPlace::Files(state.join("events")), other: None });
        assert_eq!(of(&state), of(&tree), "its state root names it as well");
        fs::write(state.join("events.sqlite"), "").unwrap();
        assert_eq!(of(&tree).log, LogPlace::Sqlite(state.join("events.sqlite")));
        assert_eq!(of(&tree).name(), "tree");
        assert!(of(&tree).is_there() && !of(folder.path()).is_there());
        let other = folder.path().join("other.sqlite");
        assert_eq!(Project::at(&tree, None, Some(&other)).log, LogPlace::Files(state.join("events")), "not there");
        fs::write(&other, "").unwrap();
        assert_eq!(Project::at(&tree, None, Some(&other)).log, LogPlace::Sqlite(other));
    }

    #[test]
    fn host_leases_are_where_the_environment_says() {
        let path = Path::new;
        let of = |root, harn, home| host_leases(root, harn, home).map(|p| p.to_string_lossy().into_owned());
        assert_eq!(of(Some(path("/r")), Some(path("/h")), None).unwrap(), "/r/host-leases.sqlite");
        assert_eq!(of(None, Some(path("/h")), None).unwrap(), "/h/host-leases/host-leases.sqlite");
        assert_eq!(of(None, None, Some(path("/u"))).unwrap(), "/u/.harn/host-leases/host-leases.sqlite");
        assert_eq!(of(None, None, None), None);
    }
}
