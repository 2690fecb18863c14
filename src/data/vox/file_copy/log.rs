//! What a write-ahead log adds to a database: frames, checked by their running checksum as SQLite checks them, up to the last
//! commit. The format is the one of <https://www.sqlite.org/fileformat2.html#walformat>.
//!
//! Frames of a log that were committed stay as they are until the log is begun anew, and then its header is another. So a
//! log is read once, and from then on only what was added to it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use super::fingerprint::WAL_HEADER;

use crate::os::file::{read_exact_at, write_all_at};

const FRAME_HEADER: usize = 24;
/// The first four bytes of a log, but for the last bit, which says how checksums are written.
const MAGIC: u32 = 0x377f_0682;
/// Pages that are brought over at once, in bytes.
const AT_ONCE: usize = 16 << 20;

/// A log's header.
pub type Header = [u8; WAL_HEADER];

/// How far a log was read: the end of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    header: Header,
    frames: u64,
    sums: [u32; 2],
}

/// Pages that were committed, by their numbers: where in the log's file they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    pub pages: BTreeMap<u32, u64>,
    /// Pages of the database after the last commit; nothing where there was none.
    pub size: Option<u32>,
    /// Bytes that were read.
    pub bytes: u64,
}

impl Committed {
    /// Adds what was committed later.
    pub fn add(&mut self, later: Self) {
        self.pages.extend(later.pages);
        self.size = later.size.or(self.size);
        self.bytes += later.bytes;
    }
}

impl Position {
    /// The beginning of a log. Nothing where its header makes no sense: to readers such a log is empty.
    #[must_use]
    pub fn start(header: Header) -> Option<Self> {
        let start = Self { header, frames: 0, sums: [be(&header, 24), be(&header, 28)] };
        let size = start.page_size();
        let is_known = be(&header, 0) & !1 == MAGIC && size.is_power_of_two() && (512..=65_536).contains(&size);
        (is_known && sum([0, 0], &header[..24], start.is_big_endian()) == start.sums).then_some(start)
    }

    /// Whether it is a position in the log with this header.
    #[must_use]
    pub fn is_in(&self, header: &Header) -> bool {
        self.header == *header
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> usize {
        be(&self.header, 8) as usize
    }

    fn is_big_endian(&self) -> bool {
        be(&self.header, 0) & 1 == 1
    }

    fn offset(&self, frame: u64) -> u64 {
        WAL_HEADER as u64 + frame * (self.page_size() + FRAME_HEADER) as u64
    }

    /// Reads what was committed after it.
    pub fn follow(&mut self, log: &File) -> io::Result<Committed> {
        let (size, big) = (self.page_size(), self.is_big_endian());
        let mut committed = Committed::default();
        let mut open: Vec<(u32, u64)> = Vec::new();
        let (mut frame, mut sums) = (self.frames, self.sums);
        let mut bytes = vec![0; FRAME_HEADER + size];
        while read_whole(log, &mut bytes, self.offset(frame))? {
            let (head, page) = bytes.split_at(FRAME_HEADER);
            committed.bytes += bytes.len() as u64;
            sums = sum(sum(sums, &head[..8], big), page, big);
            let number = be(head, 0);
            // Frames of the log before this one stand behind its end; one that is being written has another sum.
            if head[8..16] != self.header[16..24] || number == 0 || sums != [be(head, 16), be(head, 20)] {
                break;
            }
            open.push((number, self.offset(frame) + FRAME_HEADER as u64));
            frame += 1;
            if be(head, 4) != 0 {
                committed.pages.extend(open.drain(..));
                committed.size = Some(be(head, 4));
                (self.frames, self.sums) = (frame, sums);
            }
        }
        Ok(committed)
    }

    /// Reads what was committed to this log after the position, once `next` was begun in its place. Nothing where that is not
    /// certain: a log that is not the next one, has grown over what this one had, or was cut off.
    pub fn rest(&self, next: &Self, log: &File) -> io::Result<Option<Committed>> {
        // The first salt counts.
        let number = |header: &Header| be(header, 16);
        let follows = number(&self.header).wrapping_add(1) == number(&next.header);
        let len = log.metadata()?.len();
        // A log that is cut to a size is hardly ever cut between two frames.
        let is_whole = len >= WAL_HEADER as u64
            && (len - WAL_HEADER as u64).is_multiple_of((self.page_size() + FRAME_HEADER) as u64);
        if !follows || next.page_size() != self.page_size() || !is_whole || !self.stands(next, log)? {
            return Ok(None);
        }
        let rest = self.clone().follow(log)?;
        // The next log may have grown meanwhile.
        Ok(self.stands(next, log)?.then_some(rest))
    }

    /// Whether the last frame that was read still stands, with the next log short of it.
    fn stands(&self, next: &Self, log: &File) -> io::Result<bool> {
        let Some(last) = self.frames.checked_sub(1) else { return Ok(false) };
        let mut head = [0; FRAME_HEADER];
        if !read_whole(log, &mut head, self.offset(last))? || head[8..16] != self.header[16..24] {
            return Ok(false);
        }
        // One more may be half written.
        let before = last.saturating_sub(1);
        Ok(read_whole(log, &mut head, next.offset(before))? && head[8..16] != next.header[16..24])
    }
}

/// Brings pages into a copy, a part at a time. `is_same` says whether the log is still the one that they stand in: what was
/// read before it was another is as it was. Answers whether all came.
pub fn bring(
    committed: &Committed,
    page_size: usize,
    log: &File,
    copy: &File,
    mut is_same: impl FnMut() -> io::Result<bool>,
) -> io::Result<bool> {
    let pages: Vec<(&u32, &u64)> = committed.pages.iter().collect();
    for part in pages.chunks((AT_ONCE / page_size).max(1)) {
        let mut content = vec![0; part.len() * page_size];
        for ((_, offset), page) in part.iter().zip(content.chunks_mut(page_size)) {
            if !read_whole(log, page, **offset)? {
                return Ok(false);
            }
        }
        if !is_same()? {
            return Ok(false);
        }
        for ((number, _), page) in part.iter().zip(content.chunks(page_size)) {
            write_all_at(copy, page, u64::from(**number - 1) * page_size as u64)?;
        }
    }
    if let Some(size) = committed.size {
        copy.set_len(u64::from(size) * page_size as u64)?;
    }
    Ok(true)
}

/// Reads as much as fits; answers whether there was so much.
fn read_whole(file: &File, into: &mut [u8], at: u64) -> io::Result<bool> {
    match read_exact_at(file, into, at) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

/// The running checksum over words, two by two.
fn sum([mut one, mut two]: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let word = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        one = one.wrapping_add(word(0)).wrapping_add(two);
        two = two.wrapping_add(word(4)).wrapping_add(one);
    }
    [one, two]
}

fn be(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}
