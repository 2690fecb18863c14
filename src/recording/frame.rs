//! A frame as it lies in a file: what it holds, as a frame that zstd skips, and its lines as a frame of zstd. So the whole
//! file is one that zstd reads, and whoever looks for an instant reads only what frames say of themselves.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::line::Line;
use super::recorder::{Frame, FrameKind};
use crate::model::mark::Mark;
use crate::model::time::Millis;

/// The number that a frame begins with that zstd skips.
const SKIPPED: u32 = 0x184D_2A5C;
/// Before a head: that number, and the head's length.
const PREFIX: usize = 8;
/// Of a head's SHA-256, what is kept before it.
const SUM: usize = 8;
/// The longest head.
const HEAD: usize = 256 << 10;

/// The most lines of one frame, in bytes.
const MOST: u64 = 2 << 30;
/// How much larger than what is stored lines may be: rows resemble each other, but a bomb is made of nothing.
const RATIO: u64 = 300;
/// A small frame may hold so much whatever its size.
const SMALL: u64 = 1 << 20;

/// How hard is compressed what is written as it happens: the library's own default.
pub const QUICK: i32 = 3;
/// And what is packed once for long.
pub const DENSE: i32 = 6;

/// How far back a state is looked at for what resembles it, as a power of two: the bytes that the library keeps for that.
const STATE_WINDOW: u32 = 19;

/// What a frame says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub kind: FrameKind,
    /// The first and the last instant that it tells of.
    pub from_ms: Millis,
    pub to_ms: Millis,
    /// Bytes of its lines, compressed and not.
    pub bytes: u64,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// Why a frame cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It ends before it should: the file was cut there, or is being written.
    #[error("it ends in the middle of a frame")]
    Torn,
    #[error("{0}")]
    Damaged(&'static str),
}

/// A frame in bytes, ready to be appended, compressed so hard.
pub fn encode(frame: &Frame, level: i32) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
    encoder.include_checksum(true)?;
    // Without either, the library takes 3 MB for the smallest frame.
    match frame.size() {
        Some(size) => encoder.set_pledged_src_size(Some(size))?,
        None => encoder.window_log(STATE_WINDOW)?,
    }
    let mut counted = Counted { inner: encoder, bytes: 0 };
    frame.write_to(&mut counted)?;
    let size = counted.bytes;
    let lines = counted.inner.finish()?;
    let head = Head {
        kind: frame.kind,
        from_ms: frame.from_ms,
        to_ms: frame.to_ms,
        bytes: lines.len() as u64,
        size,
        marks: frame.marks.clone(),
    };
    let head = serde_json::to_vec(&head)?;
    let length = u32::try_from(SUM + head.len()).map_err(io::Error::other)?;
    let mut all = Vec::with_capacity(PREFIX + SUM + head.len() + lines.len());
    all.extend(SKIPPED.to_le_bytes());
    all.extend(length.to_le_bytes());
    all.extend(&Sha256::digest(&head)[..SUM]);
    all.extend(head);
    all.extend(lines);
    Ok(all)
}

/// Reads what the next frame says of itself; nothing at the end. Answers how many bytes that took.
pub fn read_head(from: &mut impl Read) -> Result<Option<(Head, u64)>, FrameError> {
    let mut prefix = [0; PREFIX];
    match fill(from, &mut prefix)? {
        0 => return Ok(None),
        filled if prefix[..filled.min(4)] != SKIPPED.to_le_bytes()[..filled.min(4)] => {
            let what = "it is no recording, or is damaged: there is no frame where one should begin";
            return Err(FrameError::Damaged(what));
        }
        PREFIX => {}
        _ => return Err(FrameError::Torn),
    }
    let length = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(SUM..=HEAD).contains(&length) {
        return Err(FrameError::Damaged("a frame says something of itself that is too long"));
    }
    let mut body = vec![0; length];
    if fill(from, &mut body)? < length {
        return Err(FrameError::Torn);
    }
    let (sum, head) = body.split_at(SUM);
    if Sha256::digest(head)[..SUM] != *sum {
        return Err(FrameError::Damaged("what a frame says of itself is damaged"));
    }
    let head: Head = serde_json::from_slice(head)
        .map_err(|_| FrameError::Damaged("a frame says something of itself that this version does not know"))?;
    if head.size > MOST || head.size > head.bytes.saturating_mul(RATIO).max(SMALL) {
        return Err(FrameError::Damaged("a frame claims to hold more than it can"));
    }
    Ok(Some((head, (PREFIX + length) as u64)))
}

/// The lines of a frame, as text.
pub fn read_lines(head: &Head, from: impl Read) -> Result<Vec<u8>, FrameError> {
    // What it holds is what it says, or it is damaged: no more is read, nor kept free for it.
    let mut lines = Vec::with_capacity(usize::try_from(head.size.min(SMALL)).unwrap_or(0));
    let decoder = zstd::Decoder::new(from.take(head.bytes)).and_then(|decoder| {
        let mut decoder = decoder.single_frame();
        decoder.window_log_max(27)?;
        Ok(decoder)
    })?;
    match decoder.take(head.size + 1).read_to_end(&mut lines) {
        Ok(_) if lines.len() as u64 == head.size => Ok(lines),
        Ok(_) => Err(FrameError::Damaged("a frame is not as long as it says")),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Torn),
        Err(_) => Err(FrameError::Damaged("the lines of a frame are damaged")),
    }
}

/// The lines themselves.
pub fn parse(lines: &[u8]) -> impl Iterator<Item = Result<Line, FrameError>> + '_ {
    let parse = |line: &[u8]| {
        serde_json::from_slice(line)
            .map_err(|_| FrameError::Damaged("a line is of a form that this version does not know"))
    };
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse)
}

/// Reads as much as there is. Answers how much that was.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Counts what is written.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: io::Write> io::Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
