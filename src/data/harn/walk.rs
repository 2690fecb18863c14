//! Finding lock directories in a work tree: a walk that keeps to the ignore rules and to a bound, and looks again only
//! where a directory changed: where the platform tells so, or else where its time of change is another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::WalkBuilder;
use ignore::overrides::OverrideBuilder;

use super::lockdir::{ASIDE, Found, GUARD_SUFFIX, GUARD_TOKEN, RECORD, SPENT, STAGED, SUFFIX, moved_aside_from};
use super::locks::read;
use crate::os::directories::DirWatcher;

/// Directories that are walked at most; what is beyond is not seen, and the screen says so.
pub const MOST_DIRECTORIES: usize = 100_000;
/// Lock directories that are kept at most.
pub const MOST_LOCKS: usize = 10_000;

/// A work tree as it was last walked.
#[derive(Debug, Default)]
pub struct Tree {
    root: PathBuf,
    /// Directories and when their entries changed last.
    directories: BTreeMap<PathBuf, Option<SystemTime>>,
    /// Lock directories and the guards of their breakers.
    pub locks: BTreeSet<PathBuf>,
    /// Why less than everything was seen.
    pub short_of: Option<&'static str>,
    /// Directories that could not be read.
    pub unreadable: usize,
    /// Who tells where something came or went; nothing where every directory must be looked at.
    watches: Option<DirWatcher>,
    /// Directories to look at once more: something may have come before they were watched.
    again: Vec<PathBuf>,
}

impl Tree {
    /// A tree that was not walked yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, ..Self::default() }
    }

    /// The same, watched where the platform can.
    #[must_use]
    pub fn watched(root: PathBuf) -> Self {
        let watches = DirWatcher::begin(&root);
        Self { watches, ..Self::new(root) }
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Walks all of it.
    pub fn walk(&mut self) -> io::Result<()> {
        fs::metadata(&self.root)?;
        (self.directories, self.locks) = Default::default();
        (self.short_of, self.unreadable) = (None, 0);
        // Whatever was missed is made good.
        self.watch_anew();
        let root = self.root.clone();
        self.walk_from(&root, None);
        // The state root is ignored in most repositories, and may hold locks too.
        let state = root.join(".harn");
        if !self.directories.contains_key(&state) && modified(&state).is_some() {
            self.walk_from(&state, None);
        }
        self.follow();
        Ok(())
    }

    /// Looks only where something came or went since: in each directory that changed, and below those that are new.
    pub fn rescan(&mut self) -> io::Result<()> {
        fs::metadata(&self.root)?;
        let changed = match self.watches.as_mut().map(DirWatcher::changes) {
            Some(Some(changes)) => {
                if changes.gone.contains(&self.root) {
                    return self.walk();
                }
                for directory in &changes.gone {
                    self.forget(directory);
                }
                let mut changed = changes.touched;
                changed.extend(self.again.drain(..));
                changed.into_iter().collect()
            }
            Some(None) => {
                // More happened than is told.
                self.watch_anew();
                let changed = self.moved();
                self.follow();
                changed
            }
            None => self.moved(),
        };
        if changed.is_empty() {
            return Ok(());
        }
        for directory in changed {
            if !self.directories.contains_key(&directory) {
                continue;
            }
            if modified(&directory).is_none() {
                self.forget(&directory);
                continue;
            }
            self.locks.retain(|lock| lock.parent() != Some(directory.as_path()) || modified(lock).is_some());
            self.walk_from(&directory, Some(1));
        }
        self.follow();
        Ok(())
    }

    fn watch_anew(&mut self) {
        if self.watches.is_some() {
            (self.watches, self.again) = (DirWatcher::begin(&self.root), Vec::new());
        }
    }

    /// Directories whose entries changed by their time.
    fn moved(&self) -> Vec<PathBuf> {
        let moved = self.directories.iter().filter(|(path, before)| modified(path) != **before);
        moved.map(|(path, _)| path.clone()).collect()
    }

    /// Watches what is there now. What happened in a directory between its walk and its watch is seen at the next poll.
    fn follow(&mut self) {
        let Some(watches) = &mut self.watches else { return };
        match watches.follow(self.directories.keys()) {
            Some(fresh) => {
                let missed = |path: &PathBuf| self.directories.get(path).is_none_or(|before| modified(path) != *before);
                self.again.extend(fresh.into_iter().filter(missed));
            }
            None => (self.watches, self.again) = Default::default(),
        }
    }

    fn walk_from(&mut self, from: &Path, depth: Option<usize>) {
        let Some(walk) = walker(&self.root, from, depth) else { return };
        for entry in walk {
            let Ok(entry) = entry else {
                // It vanished, or may not be read: the others are still to be seen.
                self.unreadable += 1;
                continue;
            };
            if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = entry.into_path();
            if is_lock(&path) || has_record(&path) {
                self.directories.remove(&path);
                if self.locks.len() >= MOST_LOCKS {
                    self.short_of = Some("more lock directories than are kept");
                } else {
                    self.locks.insert(path);
                }
                continue;
            }
            let known = self.directories.contains_key(&path);
            if !known && self.directories.len() >= MOST_DIRECTORIES {
                self.short_of = Some("more directories than are walked");
                return;
            }
            let new = depth.is_some() && !known && path != from;
            let at = modified(&path);
            self.directories.insert(path.clone(), at);
            if new {
                self.walk_from(&path, None);
            }
        }
    }

    fn forget(&mut self, directory: &Path) {
        self.directories.retain(|path, _| !path.starts_with(directory));
        self.locks.retain(|path| !path.starts_with(directory));
        if let Some(watches) = &mut self.watches {
            watches.forget(directory);
        }
    }
}

/// A walk that yields directories alone. What is ignored is left out, but for lock directories, which stand in nobody's
/// repository.
fn walker(root: &Path, from: &Path, depth: Option<usize>) -> Option<ignore::Walk> {
    let mut wanted = OverrideBuilder::new(root);
    let left = [ASIDE, STAGED, SPENT].map(|suffix| format!("{SUFFIX}*.{GUARD_TOKEN}*{suffix}"));
    for suffix in [SUFFIX.to_owned(), format!("{SUFFIX}{GUARD_SUFFIX}")].into_iter().chain(left) {
        wanted.add(&format!("*{suffix}")).ok()?;
    }
    let mut walk = WalkBuilder::new(from);
    walk.overrides(wanted.build().ok()?)
        .hidden(false)
        .require_git(false)
        .follow_links(false)
        .max_depth(depth)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| {
            let inside_lock = entry.path().parent().is_some_and(is_lock);
            !inside_lock && entry.file_name() != ".git"
        });
    Some(walk.build())
}

/// Whether a directory holds the record of a lock, whatever its name is: a lock may have a path of its taker's choice.
fn has_record(path: &Path) -> bool {
    let record = path.join(RECORD);
    fs::symlink_metadata(&record).is_ok_and(|file| file.is_file()) && matches!(read(path), Found::Recorded(_))
}

/// Whether a name is that of a lock directory, of the guard of one, or of what a breaker moved aside.
fn is_lock(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let name = name.to_string_lossy();
    if moved_aside_from(&name).is_some() {
        return true;
    }
    let lock = name.strip_suffix(GUARD_SUFFIX).unwrap_or(&name);
    lock.len() > SUFFIX.len() && lock.ends_with(SUFFIX)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_dir)?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn names(tree: &Tree) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(&tree.root).unwrap().to_string_lossy().into_owned();
        tree.locks.iter().map(name).collect()
    }

    fn make(root: &Path, directories: &[&str]) {
        for directory in directories {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
    }

    #[test]
    fn lock_directories_are_found_also_where_they_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        make(root, &["src/a.rs.lock.d", "src/deep/er/b.lock.d.reap.d", "target/x/c.lock.d", ".github/d.lock.d"]);
        make(root, &[".git/e.lock.d", ".harn/f.lock.d", "src/a.rs.lock.d/g.lock.d", "plain.lock", ".lock.d"]);
        fs::write(root.join(".gitignore"), "target\n*.lock.d\n").unwrap();
        fs::write(root.join("file.lock.d"), "no directory").unwrap();
        let mut tree = Tree::new(root.to_owned());
        tree.walk().unwrap();
        assert_eq!(
            names(&tree),
            [".github/d.lock.d", ".harn/f.lock.d", "src/a.rs.lock.d", "src/deep/er/b.lock.d.reap.d"]
        );
        assert_eq!((tree.short_of, tree.unreadable), (None, 0));
    }

    #[test]
    fn links_in_circles_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        make(root, &["a/b", "elsewhere.lock.d"]);
        std::os::unix::fs::symlink(root, root.join("a/b/back")).unwrap();
        std::os::unix::fs::symlink(root.join("elsewhere.lock.d"), root.join("a/linked.lock.d")).unwrap();
        let mut tree = Tree::new(root.to_owned());
        tree.walk().unwrap();
        assert_eq!(names(&tree), ["elsewhere.lock.d"]);
    }

    #[test]
    fn a_second_look_sees_what_came_and_went() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        make(root, &["a/one.lock.d", "b/c", "gone/two.lock.d"]);
        let mut tree = Tree::new(root.to_owned());
        tree.walk().unwrap();
        let old = SystemTime::UNIX_EPOCH;
        let all = |tree: &mut Tree| {
            // As if each directory had changed, whatever the resolution of the file system's clock.
            tree.directories.values_mut().for_each(|at| *at = Some(old));
            tree.rescan().unwrap();
            let mut fresh = Tree::new(tree.root.clone());
            fresh.walk().unwrap();
            assert_eq!(tree.locks, fresh.locks);
            assert_eq!(
                tree.directories.keys().collect::<BTreeSet<_>>(),
                fresh.directories.keys().collect::<BTreeSet<_>>()
            );
            names(tree)
        };
        assert_eq!(all(&mut tree), ["a/one.lock.d", "gone/two.lock.d"]);
        make(root, &["b/c/new/three.lock.d", "a/four.lock.d"]);
        fs::remove_dir_all(root.join("gone")).unwrap();
        fs::remove_dir(root.join("a/one.lock.d")).unwrap();
        assert_eq!(all(&mut tree), ["a/four.lock.d", "b/c/new/three.lock.d"]);
        fs::remove_dir_all(root).unwrap();
        assert!(tree.rescan().is_err() && tree.walk().is_err());
    }

    /// More than the platform keeps for who does not listen.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_too_much_to_be_told_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        make(root, &["a/x", "b"]);
        let mut tree = Tree::watched(root.to_owned());
        tree.walk().unwrap();
        assert!(tree.watches.is_some(), "no inotify here: raise fs.inotify.max_user_instances");
        // Each of them is told three times.
        for (from, to) in [("a/x", "a/y"), ("a/y", "a/x")].into_iter().cycle().take(6_000) {
            fs::rename(root.join(from), root.join(to)).unwrap();
        }
        make(root, &["b/late.lock.d", "b/c"]);
        tree.rescan().unwrap();
        assert_eq!(names(&tree), ["b/late.lock.d"]);
        // And is told again from then on.
        make(root, &["b/c/later.lock.d", "a/new"]);
        tree.rescan().unwrap();
        assert_eq!(names(&tree), ["b/c/later.lock.d", "b/late.lock.d"]);
        assert!(tree.watches.is_some());
    }

    /// What may befall a tree.
    #[derive(Debug, Clone)]
    enum Step {
        Make(usize),
        Remove(usize),
        Move(usize, usize),
        Walk,
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However directories come, go and move, a tree that is watched is a tree that was walked anew.
        #[test]
        fn a_watched_tree_is_one_walked_anew(steps in prop::collection::vec(prop_oneof![
            4 => (0usize..PLACES.len()).prop_map(Step::Make),
            2 => (0usize..PLACES.len()).prop_map(Step::Remove),
            2 => (0usize..PLACES.len(), 0usize..PLACES.len()).prop_map(|(from, to)| Step::Move(from, to)),
            3 => Just(Step::Walk),
        ], 1..40)) {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path();
            let mut tree = Tree::watched(root.to_owned());
            tree.walk().unwrap();
            let is_watched = tree.watches.is_some();
            for step in steps.into_iter().chain([Step::Walk]) {
                // What cannot be done is left alone.
                let _ = match step {
                    Step::Make(at) => fs::create_dir_all(root.join(PLACES[at])),
                    Step::Remove(at) => fs::remove_dir_all(root.join(PLACES[at])),
                    Step::Move(from, to) => fs::rename(root.join(PLACES[from]), root.join(PLACES[to])),
                    Step::Walk => {
                        if !is_watched {
                            tree.directories.values_mut().for_each(|at| *at = Some(SystemTime::UNIX_EPOCH));
                        }
                        tree.rescan().unwrap();
                        // A tree that changed under the first look is right at the second.
                        tree.rescan().unwrap();
                        let mut fresh = Tree::new(root.to_owned());
                        fresh.walk().unwrap();
                        prop_assert_eq!(&tree.locks, &fresh.locks);
                        prop_assert_eq!(
                            tree.directories.keys().collect::<Vec<_>>(),
                            fresh.directories.keys().collect::<Vec<_>>()
                        );
                        Ok(())
                    }
                };
            }
            prop_assert_eq!(tree.watches.is_some(), is_watched);
        }
    }

    const PLACES: [&str; 8] = ["a", "a/b", "a/b/c", "a/one.lock.d", "a/b/two.lock.d", "d", "d/b", "d/b/three.lock.d"];
}
