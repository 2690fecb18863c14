//! Where directories came and went, as the platform tells it. Linux does, without a thread and without a wait, for file
//! systems that only this machine writes to. Elsewhere nobody tells, and every directory has to be looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What came and went since it was asked last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Directories in which directories came or went.
    pub touched: BTreeSet<PathBuf>,
    /// Directories that are not there any more, or are others than they were.
    pub gone: BTreeSet<PathBuf>,
}

#[cfg(target_os = "linux")]
pub use self::linux::DirWatcher;
#[cfg(not(target_os = "linux"))]
pub use self::nobody::DirWatcher;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeMap, HashMap};
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use super::{Changes, Path, PathBuf};

    /// Where the platform says how many directories all programs of a user together may watch.
    const BOUND: &str = "/proc/sys/fs/inotify/max_user_watches";
    /// Directories that are watched at most, whatever that is.
    const MOST_WATCHES: usize = 65_536;
    /// File systems that nobody changes behind this machine's back: ext, xfs, btrfs, tmpfs, overlayfs, f2fs, zfs, bcachefs.
    const LOCAL: [u64; 8] =
        [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e];

    /// The directories of a tree that are watched.
    #[derive(Debug)]
    pub struct DirWatcher {
        inotify: OwnedFd,
        paths: HashMap<i32, PathBuf>,
        numbers: BTreeMap<PathBuf, i32>,
        most: usize,
    }

    /// A quarter of what there is for everybody; where that is not said, of what there is at least.
    fn share(bound: Option<&str>) -> usize {
        let bound = bound.and_then(|text| text.trim().parse::<usize>().ok()).unwrap_or(8_192);
        (bound / 4).min(MOST_WATCHES)
    }

    impl DirWatcher {
        /// Watches nothing of the tree at `root` yet; nothing where nobody would tell.
        #[must_use]
        pub fn begin(root: &Path) -> Option<Self> {
            let kind = rustix::fs::statfs(root).ok()?.f_type;
            #[allow(clippy::cast_sign_loss, reason = "a magic number")]
            let local = LOCAL.contains(&(kind as u64 & 0xffff_ffff));
            let inotify = local.then(|| inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK))?.ok()?;
            let most = share(std::fs::read_to_string(BOUND).ok().as_deref());
            Some(Self { inotify, paths: HashMap::new(), numbers: BTreeMap::new(), most })
        }

        /// Watches these directories and no others. Answers those that are watched from now on; nothing where they are
        /// too many, or the platform takes no more.
        pub fn follow<'a>(&mut self, directories: impl ExactSizeIterator<Item = &'a PathBuf>) -> Option<Vec<PathBuf>> {
            if directories.len() > self.most {
                return None;
            }
            let mut rest = std::mem::take(&mut self.numbers);
            let mut fresh = Vec::new();
            for path in directories {
                if let Some(number) = rest.remove(path) {
                    self.numbers.insert(path.clone(), number);
                    continue;
                }
                let what = WatchFlags::CREATE
                    | WatchFlags::DELETE
                    | WatchFlags::MOVE
                    | WatchFlags::DELETE_SELF
                    | WatchFlags::MOVE_SELF
                    | WatchFlags::ONLYDIR
                    | WatchFlags::DONT_FOLLOW;
                match inotify::add_watch(&self.inotify, path.as_path(), what) {
                    Ok(number) => {
                        self.paths.insert(number, path.clone());
                        self.numbers.insert(path.clone(), number);
                        fresh.push(path.clone());
                    }
                    Err(Errno::NOSPC | Errno::NOMEM) => return None,
                    // It vanished, or may not be read: whoever walks sees that.
                    Err(_) => fresh.push(path.clone()),
                }
            }
            for number in rest.into_values() {
                self.paths.remove(&number);
                // One that is gone is not watched any more.
                let _ = inotify::remove_watch(&self.inotify, number);
            }
            Some(fresh)
        }

        /// Forgets a directory and what is below it.
        pub fn forget(&mut self, directory: &Path) {
            let below: Vec<PathBuf> = self.numbers.keys().filter(|path| path.starts_with(directory)).cloned().collect();
            for number in below.iter().filter_map(|path| self.numbers.remove(path)) {
                self.paths.remove(&number);
                let _ = inotify::remove_watch(&self.inotify, number);
            }
        }

        /// What came and went; nothing where that is not known, e.g. because too much happened.
        pub fn changes(&mut self) -> Option<Changes> {
            let mut changes = Changes::default();
            let mut buffer = [MaybeUninit::uninit(); 8_192];
            let mut reader = Reader::new(&self.inotify, &mut buffer);
            loop {
                let event = match reader.next() {
                    Ok(event) => event,
                    Err(Errno::AGAIN) => return Some(changes),
                    Err(Errno::INTR) => continue,
                    Err(_) => return None,
                };
                let what = event.events();
                if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                    return None;
                }
                // Of one that is not watched any more some words may still be under way.
                let Some(path) = self.paths.get(&event.wd()) else { continue };
                if what
                    .intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT)
                {
                    changes.gone.insert(path.clone());
                } else if what.contains(ReadFlags::ISDIR) {
                    changes.touched.insert(path.clone());
                }
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::share;

        #[test]
        fn most_is_left_to_others() {
            assert_eq!(share(Some("192536\n")), 48_134);
            assert_eq!(share(Some("1048576\n")), 65_536);
            assert_eq!((share(Some("odd")), share(None)), (2_048, 2_048));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod nobody {
    use super::{Changes, Path, PathBuf};

    /// Nothing is ever watched.
    #[derive(Debug)]
    pub enum DirWatcher {}

    impl DirWatcher {
        /// Nobody would tell.
        #[must_use]
        pub fn begin(_: &Path) -> Option<Self> {
            None
        }

        /// Watches these directories and no others.
        pub fn follow<'a>(&mut self, _: impl ExactSizeIterator<Item = &'a PathBuf>) -> Option<Vec<PathBuf>> {
            match *self {}
        }

        /// Forgets a directory and what is below it.
        pub fn forget(&mut self, _: &Path) {
            match *self {}
        }

        /// What came and went.
        pub fn changes(&mut self) -> Option<Changes> {
            match *self {}
        }
    }
}
