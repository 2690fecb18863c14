//! What a checkpoint changed in the main file, told by the log that it folded in.
//!
//! A log that is begun anew names itself by the next number in its header. What was folded into the main file before
//! that is then exactly what stood in the log before it: the frames that were copied, and those written after the
//! copy, which still stand behind the new log's end unless it has grown over them or was cut off. Then nothing is certain,
//! and the main file is copied whole.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::fingerprint::{WAL_HEADER, beside};

const FRAME_HEADER: usize = 24;

/// A log's header.
type Header = [u8; WAL_HEADER];

/// Pages to bring over, with their content.
#[derive(Debug)]
pub struct Patch {
    pages: Vec<(u64, Vec<u8>)>,
    page_size: usize,
    len: u64,
}

impl Patch {
    /// Reads what changed in `original` since `copy` was made, when its log was `before` and is `now`. Nothing where
    /// that is not certain, or where so much changed that copying is as good.
    pub fn read(original: &Path, copy: &Path, before: &Header, now: &Header, len: u64) -> io::Result<Option<Self>> {
        let number =
            |header: &Header, at| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let page_size = number(before, 8) as usize;
        let follows = number(before, 16).wrapping_add(1) == number(now, 16);
        if !follows || page_size != number(now, 8) as usize || !page_size.is_power_of_two() {
            return Ok(None);
        }
        let (ours, theirs) = (File::open(beside(copy, "-wal"))?, File::open(beside(original, "-wal"))?);
        let mut pages = BTreeSet::new();
        let copied = frames(&ours, page_size, &before[16..24], 0, &mut pages)?;
        let grown = frames(&theirs, page_size, &now[16..24], 0, &mut BTreeSet::new())?;
        // What follows the new log must still be the old one, from before where the copy ended: a log that was cut off
        // or grown over shows nothing of what was written to it after the copy.
        if grown >= copied || frames(&theirs, page_size, &before[16..24], grown, &mut pages)? < copied {
            return Ok(None);
        }
        let all = len / page_size as u64;
        if pages.len() as u64 > all / 2 {
            return Ok(None);
        }
        let main = File::open(original)?;
        let mut content = Vec::with_capacity(pages.len());
        for page in pages.into_iter().filter(|page| u64::from(*page) <= all) {
            let at = u64::from(page - 1) * page_size as u64;
            let mut bytes = vec![0; page_size];
            main.read_exact_at(&mut bytes, at)?;
            content.push((at, bytes));
        }
        Ok(Some(Self { pages: content, page_size, len }))
    }

    /// How much was read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.pages.len() * self.page_size) as u64
    }

    /// Brings a copy up to date.
    pub fn apply(&self, copy: &Path) -> io::Result<()> {
        let file = File::options().write(true).open(copy)?;
        file.set_len(self.len)?;
        for (at, bytes) in &self.pages {
            file.write_all_at(bytes, *at)?;
        }
        Ok(())
    }
}

/// Collects the pages of the frames from `first` on that carry these salts. Answers the number after the last.
fn frames(log: &File, page_size: usize, salts: &[u8], first: u64, pages: &mut BTreeSet<u32>) -> io::Result<u64> {
    let mut frame = first;
    loop {
        let mut header = [0; FRAME_HEADER];
        match log.read_exact_at(&mut header, WAL_HEADER as u64 + frame * (page_size + FRAME_HEADER) as u64) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(frame),
            Err(e) => return Err(e),
        }
        let page = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        if header[8..16] != *salts || page == 0 {
            return Ok(frame);
        }
        pages.insert(page);
        frame += 1;
    }
}
