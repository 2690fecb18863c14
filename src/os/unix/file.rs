//! Files: who may read them, which one it is, and reading at a place.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, OFlags};
use tempfile::TempDir;

use crate::os::{FileId, Stat};

/// A file that is made is its owner's alone.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// A pipe that stands there is not waited for.
pub fn not_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed())
}

/// Neither that, nor is a link followed.
pub fn not_waiting_nor_following(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
}

/// Lets nobody else read a file.
pub fn restrict(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
}

/// Makes a folder, and those above it, for their owner alone.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a folder with a random name for its owner alone; dropping it removes it.
pub fn private_folder_in(base: &Path, prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir_in(base)
}

/// Puts on the disk which files a folder has: a new file outlives a crash only then.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What the system says of the file under a name, through links.
pub fn stat(path: &Path) -> io::Result<Stat> {
    stat_of(&std::fs::metadata(path)?)
}

/// The same of an open file.
pub fn stat_open(file: &File) -> io::Result<Stat> {
    stat_of(&file.metadata()?)
}

fn stat_of(meta: &Metadata) -> io::Result<Stat> {
    Ok(Stat { len: meta.len(), modified: meta.modified()?, id: (meta.dev(), meta.ino()), is_file: meta.is_file() })
}

/// Which file stands under a name; a link is not followed.
pub fn id_unfollowed(path: &Path) -> io::Result<FileId> {
    let meta = std::fs::symlink_metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

/// Fills a buffer from a place in a file; what the file is too short for is `UnexpectedEof`.
pub fn read_exact_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(into, at)
}

/// Writes all bytes to a place in a file.
pub fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// Renames, and fails where something has the name: a plain rename would replace an empty folder silently.
pub fn rename_where_nothing_is(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, rustix::fs::RenameFlags::NOREPLACE)?)
}

/// Whether a file belongs to the user of this process.
#[must_use]
pub fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// Whether other users may read a file; nothing where that is not known.
#[must_use]
pub fn others_may_read(meta: &Metadata) -> Option<bool> {
    Some(meta.mode() & 0o077 != 0)
}

/// Whether other users may write to a file or folder; nothing where that is not known.
#[must_use]
pub fn others_may_write(meta: &Metadata) -> Option<bool> {
    Some(meta.mode() & 0o022 != 0)
}

/// Whether this user may write to a file or folder.
#[must_use]
pub fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, Access::WRITE_OK).is_ok()
}
