//! A file of lines that several consoles append to: each line is written whole under a lock, and flushed to the disk
//! before anything goes on.
//!
//! A line that was torn by a crash or a full disk is left as it is, and the next one begins on a line of its own.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file of lines.
#[derive(Debug, Clone)]
pub struct Lines {
    path: PathBuf,
}

/// Two equal stamps are the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp(Option<(u64, u64, SystemTime)>);

/// The file while nobody else writes to it.
#[derive(Debug)]
pub struct Held<'a> {
    lines: &'a Lines,
    file: File,
}

impl Lines {
    /// The file at `path`; it is made when the first line is written.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file, and makes it where there is none.
    pub fn hold(&self) -> io::Result<Held<'_>> {
        loop {
            let file = self.open()?;
            file.lock()?;
            // Another console may have put a shorter file in its place while this one waited.
            if fs::metadata(&self.path).is_ok_and(|now| file.metadata().is_ok_and(|held| held.ino() == now.ino())) {
                return Ok(Held { lines: self, file });
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).append(true).mode(0o600);
        match options.open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.folder())?;
        let file = options.create(true).open(&self.path)?;
        // A new file outlives a crash only once its folder is on the disk too.
        File::open(self.folder())?.sync_all()?;
        Ok(file)
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Changes when the file does.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let meta = fs::metadata(&self.path).ok();
        Stamp(meta.and_then(|meta| Some((meta.ino(), meta.len(), meta.modified().ok()?))))
    }

    /// How long the file is, in bytes; zero where there is none.
    pub fn length(&self) -> io::Result<u64> {
        match fs::metadata(&self.path) {
            Ok(meta) => Ok(meta.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(e),
        }
    }

    /// The file's last part, from the beginning of a line on; nothing where there is no file.
    pub fn tail(&self, most: u64) -> io::Result<String> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(e) => return Err(e),
        };
        let length = file.metadata()?.len();
        let from = length.saturating_sub(most);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // The first line of a part is the end of one.
        let skip = if from > 0 { text.find('\n').map_or(text.len(), |end| end + 1) } else { 0 };
        Ok(text[skip..].to_owned())
    }
}

impl Held<'_> {
    /// How long the file is, in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Appends lines, and returns when they are on the disk.
    pub fn append(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = lines.join("\n");
        text.push('\n');
        let end = self.file.seek(SeekFrom::End(0))?;
        if end > 0 {
            let mut last = [0];
            self.file.seek(SeekFrom::Start(end - 1))?;
            self.file.read_exact(&mut last)?;
            if last != *b"\n" {
                text.insert(0, '\n');
            }
        }
        // The file is in append mode, so this goes to its end wherever it was read.
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }

    /// Puts the file's last part in the place of the whole where it is longer than `most` bytes.
    pub fn shorten(self, most: u64, kept: u64) -> io::Result<()> {
        if self.file.metadata()?.len() <= most {
            return Ok(());
        }
        let text = self.lines.tail(kept)?;
        let mut shorter = tempfile::NamedTempFile::new_in(self.lines.folder())?;
        shorter.write_all(text.as_bytes())?;
        shorter.as_file().sync_all()?;
        shorter.persist(&self.lines.path)?;
        Ok(())
    }
}
