//! A recording of the last hours in a folder: files that follow one another, each from a full state on. The oldest are removed
//! when all of them are too large.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::frame::{QUICK, encode};
use super::pack;
use super::recorder::{Frame, FrameKind};

use crate::os::file;

/// How names of recordings end.
pub const EXTENSION: &str = "lkr";

/// After so many bytes of changes a full state is worth what it takes: so many times its own size.
const WORTH: u64 = 4;
/// A state that takes less is counted as so much: what follows it is read in no time.
const SMALL_STATE: u64 = 64 << 10;
/// And after so long in any case, in milliseconds.
const STATE_EVERY: i64 = 10 * 60_000;

/// The files of a folder, in order.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == EXTENSION) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Where a recording is written.
#[derive(Debug, Clone)]
pub enum Place {
    /// One file that grows.
    File(PathBuf),
    /// A folder of files, of so many bytes at most.
    Ring { folder: PathBuf, most: u64 },
}

impl Place {
    /// The file, or the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Ring { folder: path, .. } => path,
        }
    }
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Writer {
    place: Place,
    file: Option<File>,
    path: PathBuf,
    /// Whoever holds it writes; others that watch the same mesh do not.
    _lock: Option<File>,
    state_bytes: u64,
    since_state: u64,
    state_ms: i64,
}

/// Why nothing is recorded.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another console records the same mesh already.
    #[error("another console records it")]
    Taken,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Writer {
    /// Opens a place to write in. A file must be empty, or not there yet.
    pub fn open(place: Place) -> Result<Self, WriteError> {
        let (mut file, mut lock) = (None, None);
        let path = match &place {
            Place::File(path) => {
                let opened = private().create(true).open(path)?;
                if opened.metadata()?.len() > 0 {
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something is in it already").into());
                }
                file = Some(opened);
                path.clone()
            }
            Place::Ring { folder, .. } => {
                file::make_private_folder(folder)?;
                let locked = private().create(true).truncate(false).open(folder.join("lock"))?;
                match locked.try_lock() {
                    Ok(()) => {}
                    Err(fs::TryLockError::WouldBlock) => return Err(WriteError::Taken),
                    Err(fs::TryLockError::Error(error)) => return Err(error.into()),
                }
                lock = Some(locked);
                folder.clone()
            }
        };
        Ok(Self { place, file, path, _lock: lock, state_bytes: 0, since_state: 0, state_ms: 0 })
    }

    /// Appends a frame. One that cannot be written leaves the file as it was.
    pub fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let bytes = encode(frame, QUICK)?;
        let is_state = frame.kind == FrameKind::State;
        if let (Place::Ring { folder, most }, true) = (&self.place, is_state) {
            trim(folder, most.saturating_sub(bytes.len() as u64))?;
            // Nothing is added to the file before any more. One that cannot be packed stays as it is.
            if self.file.take().is_some()
                && let Err(error) = pack::pack(&self.path)
            {
                tracing::debug!(%error, "a recording is not packed");
            }
            self.path = folder.join(format!("{:015}.{EXTENSION}", frame.from_ms.max(0)));
            // Two states of one instant: a clock that was set back.
            self.file = Some(private().create(true).append(true).open(&self.path)?);
        }
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("changes without a full state before them"));
        };
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(&bytes) {
            // What is half there would end what can be read.
            let _ = file.set_len(before);
            return Err(error);
        }
        if is_state {
            (self.state_bytes, self.since_state, self.state_ms) = (bytes.len() as u64, 0, frame.to_ms);
        } else {
            self.since_state += bytes.len() as u64;
            if let Place::Ring { folder, most } = &self.place
                && self.since_state % (most / 16).max(1) < bytes.len() as u64
            {
                trim(folder, *most)?;
            }
        }
        Ok(())
    }

    /// Whether a full state is worth its size at an instant.
    #[must_use]
    pub fn wants_state(&self, at_ms: i64) -> bool {
        self.since_state > WORTH * self.state_bytes.max(SMALL_STATE)
            || (self.since_state > 0 && at_ms - self.state_ms >= STATE_EVERY)
    }
}

/// A file that is its owner's alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    file::private(options.append(true));
    options
}

/// Removes the oldest files of a folder until the rest are of so many bytes; the newest stays.
fn trim(folder: &Path, most: u64) -> io::Result<()> {
    let files = files(folder)?;
    let sizes: Vec<u64> = files.iter().map(|path| fs::metadata(path).map_or(0, |meta| meta.len())).collect();
    let mut total: u64 = sizes.iter().sum();
    for (path, size) in files.iter().zip(&sizes).take(files.len().saturating_sub(1)) {
        if total <= most {
            break;
        }
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        total -= size;
    }
    Ok(())
}
