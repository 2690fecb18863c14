//! Where the newest committed copy of each page is in a write-ahead log.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use foldhash::fast::RandomState;

use super::Generation;
use super::index::{Index, Said};
use crate::os::file::read_exact_at;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The first four bytes of a log, but for the last bit, which says how checksums are written.
const MAGIC: u32 = 0x377f_0682;

/// A log, followed as it grows.
#[derive(Debug, Default)]
pub struct Wal {
    file: Option<File>,
    salts: [u8; 8],
    /// Frames that are known to be committed.
    frames: u64,
    frame_of: HashMap<u32, u64, RandomState>,
    written: HashSet<u32, RandomState>,
    size: usize,
    index: Option<Index>,
    /// Commits in all, of which each was seen here; nothing where that is not certain.
    commits: Option<u32>,
}

impl Wal {
    /// Notes the frames that were committed since the last poll. A log that began anew is still the same where all that
    /// was committed since then stands in it.
    pub fn refresh(&mut self, path: &Path, index: &Path, page_size: usize) -> io::Result<Generation> {
        self.written.clear();
        self.size = page_size;
        let header = match File::open(path) {
            Ok(mut file) => {
                let mut header = [0; HEADER];
                match file.read_exact(&mut header) {
                    Ok(()) => Some((file, header)),
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => None,
                    Err(e) => return Err(e),
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        let Some((file, header)) = header.filter(|(_, header)| be(header, 0) & !1 == MAGIC) else {
            let had = self.file.is_some();
            *self = Self { size: page_size, index: self.index.take(), ..Self::default() };
            return Ok(if had { Generation::Another } else { Generation::Same });
        };
        if be(&header, 8) as usize != page_size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the log has another page size than the database"));
        }
        let same = self.file.is_some() && self.salts == header[16..24];
        if !same {
            self.frames = 0;
            self.frame_of.clear();
            self.salts.copy_from_slice(&header[16..24]);
        }
        self.file = Some(file);
        let seen = self.follow()?;
        self.index = Index::open(self.index.take(), index).ok();
        let said = self.index.as_ref().and_then(Index::said);
        let whole = self.count(seen, said);
        Ok(if same || whole { Generation::Same } else { Generation::Another })
    }

    /// Counts the commits that were seen. Answers whether these are all since the last poll.
    fn count(&mut self, seen: u32, said: Option<Said>) -> bool {
        let expected = self.commits.take().map(|commits| commits.wrapping_add(seen));
        let Some(said) = said else { return false };
        let whole = expected == Some(said.commits);
        let at_its_end = said.salts == self.salts && said.frames == self.frames;
        self.commits = (whole || at_its_end).then_some(said.commits);
        whole
    }

    /// Reads frame headers up to the last commit of this log. Answers how many commits there were.
    fn follow(&mut self) -> io::Result<u32> {
        let Some(file) = &self.file else { return Ok(0) };
        let mut seen = 0;
        let mut open: Vec<(u32, u64)> = Vec::new();
        let mut frame = self.frames;
        loop {
            let at = self.offset(frame);
            let mut header = [0; FRAME_HEADER];
            match read_exact_at(file, &mut header, at) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(e) => return Err(e),
            }
            // Frames of the log before this one stand behind its end until they are overwritten.
            if header[8..16] != self.salts || be(&header, 0) == 0 {
                break;
            }
            open.push((be(&header, 0), at + FRAME_HEADER as u64));
            frame += 1;
            let commits = be(&header, 4) != 0;
            if commits {
                for (page, offset) in open.drain(..) {
                    self.frame_of.insert(page, offset);
                    self.written.insert(page);
                }
                self.frames = frame;
                seen += 1;
            }
        }
        Ok(seen)
    }

    fn offset(&self, frame: u64) -> u64 {
        HEADER as u64 + frame * (self.size + FRAME_HEADER) as u64
    }

    /// Where a page is in the log.
    #[must_use]
    pub fn frame_of(&self, page: u32) -> Option<(&File, u64)> {
        Some((self.file.as_ref()?, *self.frame_of.get(&page)?))
    }

    /// What tells this log from those before it.
    #[cfg(test)]
    pub(super) fn salts(&self) -> [u8; 8] {
        self.salts
    }

    /// Whether there is a log.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.file.is_some()
    }

    /// Pages that were committed to the log between the last two looks.
    #[must_use]
    pub fn written(&self) -> &HashSet<u32, RandomState> {
        &self.written
    }
}

fn be(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}
