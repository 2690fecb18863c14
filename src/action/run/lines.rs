//! A file of lines that several consoles append to: each line is written whole under a lock, and flushed to the disk
//! before anything goes on.
//!
//! A line that was torn by a crash or a full disk is left as it is, and the next one begins on a line of its own.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::os::{FileId, Stat, file, folder_of};

/// A file of lines.
#[derive(Debug, Clone)]
pub struct Lines {
    path: PathBuf,
}

/// Two equal stamps are the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp(Option<Stat>);

/// Where a reading ended: behind a whole line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    file: FileId,
    end: u64,
    /// The last bytes before it: another file may have the number of one that is gone.
    before: Vec<u8>,
}

/// How many of them.
const BEFORE: usize = 64;

/// Whole lines of a file.
#[derive(Debug)]
pub struct Part {
    pub text: String,
    /// Whether it begins where the last reading ended. If not, it is the file's last part.
    pub goes_on: bool,
    /// Where it ends; nothing where there is no file.
    pub mark: Option<Mark>,
}

impl Mark {
    fn new(file: FileId, end: u64, text: &[u8]) -> Self {
        Self { file, end, before: text[text.len().saturating_sub(BEFORE)..].to_vec() }
    }

    /// The bytes behind it; nothing if the file is another one now, or has more than `most`.
    fn rest(&self, file: &mut File, most: u64) -> io::Result<Option<Vec<u8>>> {
        let it = file::stat_open(file)?;
        if it.id != self.file || it.len < self.end || it.len - self.end > most {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(self.end.saturating_sub(self.before.len() as u64)))?;
        let mut bytes = Vec::new();
        file.take(most + self.before.len() as u64).read_to_end(&mut bytes)?;
        Ok(bytes.starts_with(&self.before).then(|| bytes.split_off(self.before.len())))
    }
}

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
            if file::stat(&self.path).is_ok_and(|now| file::stat_open(&file).is_ok_and(|held| held.id == now.id)) {
                return Ok(Held { lines: self, file });
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        let mut options = File::options();
        file::private(options.read(true).append(true));
        match options.open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        file::make_private_folder(self.folder())?;
        let file = options.create(true).open(&self.path)?;
        // A new file outlives a crash only once its folder is on the disk too.
        file::sync_folder(self.folder())?;
        Ok(file)
    }

    fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    /// Changes when the file does.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp(file::stat(&self.path).ok())
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
        let Some(mut file) = self.open_to_read()? else { return Ok(String::new()) };
        let (_, mut bytes, skip) = last_part(&mut file, most)?;
        bytes.drain(..skip);
        Ok(text(bytes))
    }

    /// The whole lines that were written since a reading ended; without one, or where the file is not the one that was
    /// read, those of its last part.
    pub fn since(&self, mark: Option<&Mark>, most: u64) -> io::Result<Part> {
        let Some(mut file) = self.open_to_read()? else {
            return Ok(Part { text: String::new(), goes_on: false, mark: None });
        };
        let rest = mark.map(|mark| mark.rest(&mut file, most)).transpose()?.flatten();
        if let (Some(mut rest), Some(mark)) = (rest, mark) {
            rest.truncate(end_of_lines(&rest));
            let next = Mark::new(mark.file, mark.end + rest.len() as u64, &[&mark.before[..], &rest].concat());
            return Ok(Part { text: text(rest), goes_on: true, mark: Some(next) });
        }
        let (from, mut bytes, skip) = last_part(&mut file, most)?;
        let whole = skip.max(end_of_lines(&bytes));
        let mark = Mark::new(file::stat_open(&file)?.id, from + whole as u64, &bytes[..whole]);
        bytes.truncate(whole);
        bytes.drain(..skip);
        Ok(Part { text: text(bytes), goes_on: false, mark: Some(mark) })
    }

    fn open_to_read(&self) -> io::Result<Option<File>> {
        match File::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Bytes as text; what is none is replaced.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Where the last bytes of a file begin, these, and where the first line among them begins. What is no file may have more
/// than its length says.
fn last_part(file: &mut File, most: u64) -> io::Result<(u64, Vec<u8>, usize)> {
    let from = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let end = || bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
    let skip = if from > 0 { end() } else { 0 };
    Ok((from, bytes, skip))
}

/// Where the last line that is whole ends.
fn end_of_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

impl Held<'_> {
    /// How long the file is, in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Appends lines, and returns when they are on the disk. Answers where they end.
    pub fn append(&mut self, lines: &[String]) -> io::Result<Mark> {
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
        self.file.sync_all()?;
        Ok(Mark::new(file::stat_open(&self.file)?.id, end + text.len() as u64, text.as_bytes()))
    }

    /// Puts the file's last part in the place of the whole where it is longer than `most` bytes. Answers where that ends.
    pub fn shorten(self, most: u64, kept: u64) -> io::Result<Option<Mark>> {
        if self.file.metadata()?.len() <= most {
            return Ok(None);
        }
        let text = self.lines.tail(kept)?;
        let mut shorter = tempfile::NamedTempFile::new_in(self.lines.folder())?;
        shorter.write_all(text.as_bytes())?;
        shorter.as_file().sync_all()?;
        let id = file::stat_open(&shorter.persist(&self.lines.path)?)?.id;
        Ok(Some(Mark::new(id, text.len() as u64, text.as_bytes())))
    }
}
