//! Files: who may read them, which one it is, and reading at a place.
//!
//! Who may read a file is up to the folder that it is made in: those of a user are that user's alone.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use tempfile::TempDir;

use crate::os::{FileId, Stat, unsupported};

/// `FILE_FLAG_BACKUP_SEMANTICS`: a folder can be opened too.
const FOLDERS_TOO: u32 = 0x0200_0000;
/// `FILE_FLAG_OPEN_REPARSE_POINT`: a link is opened itself.
const NOT_FOLLOWING: u32 = 0x0020_0000;

/// A file that is made is private as its folder is.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// There are no pipes among the files.
pub fn not_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// A link is not followed.
pub fn not_waiting_nor_following(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(NOT_FOLLOWING)
}

/// A file stays private as its folder is.
#[allow(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
pub fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a folder, and those above it.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// Makes a folder with a random name; dropping it removes it.
pub fn private_folder_in(base: &Path, prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(prefix).tempdir_in(base)
}

/// Nothing: the file system keeps a log of its folders.
#[allow(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// What the system says of the file under a name, through links.
pub fn stat(path: &Path) -> io::Result<Stat> {
    stat_open(&open_to_ask(path, FOLDERS_TOO)?)
}

/// The same of an open file.
pub fn stat_open(file: &File) -> io::Result<Stat> {
    let meta = file.metadata()?;
    Ok(Stat { len: meta.len(), modified: meta.modified()?, id: id(file)?, is_file: meta.is_file() })
}

/// Which file stands under a name; a link is not followed.
pub fn id_unfollowed(path: &Path) -> io::Result<FileId> {
    id(&open_to_ask(path, FOLDERS_TOO | NOT_FOLLOWING)?)
}

/// Opens what stands there without the right to read it.
fn open_to_ask(path: &Path, flags: u32) -> io::Result<File> {
    OpenOptions::new().access_mode(0).custom_flags(flags).open(path)
}

fn id(file: &File) -> io::Result<FileId> {
    let known = winapi_util::file::information(file)?;
    Ok((known.volume_serial_number(), known.file_index()))
}

/// Fills a buffer from a place in a file; what the file is too short for is `UnexpectedEof`.
pub fn read_exact_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        match file.seek_read(into, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => (into, at) = (&mut into[n..], at + n as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all bytes to a place in a file.
pub fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => (bytes, at) = (&bytes[n..], at + n as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Would rename, and fail where something has the name.
pub fn rename_where_nothing_is(_: &Path, _: &Path) -> io::Result<()> {
    Err(unsupported("a folder cannot be moved without the risk that it replaces another"))
}

/// Whether a file belongs to the user of this process: what stands in the user's own folders does.
#[must_use]
pub fn is_ours(_: &Metadata) -> bool {
    true
}

/// Whether other users may read a file: not known here.
#[must_use]
pub fn others_may_read(_: &Metadata) -> Option<bool> {
    None
}

/// Whether other users may write to a file or folder: not known here.
#[must_use]
pub fn others_may_write(_: &Metadata) -> Option<bool> {
    None
}

/// Whether this user may write to a file or folder.
#[must_use]
pub fn may_write(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| !meta.permissions().readonly())
}
