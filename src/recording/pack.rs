//! Packs a file that nothing is added to any more: frames that were small, so that a crash would lose little, become few. The
//! same lines take half.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;

use super::frame::{DENSE, FrameError, encode, read_head, read_lines};
use super::recorder::{Frame, FrameKind};

use crate::os::file;

/// Lines of a frame, in bytes: as many as are read soon.
const FRAME_BYTES: usize = 1 << 20;
/// Marks of a frame, so that what it says of itself stays short.
const MARKS: usize = 200;

/// Packs a file in place: whoever reads it sees the old one or the new one.
pub fn pack(path: &Path) -> Result<(), FrameError> {
    let packed = path.with_extension("packed");
    let outcome = write(path, &packed).and_then(|()| Ok(fs::rename(&packed, path)?));
    if outcome.is_err() {
        let _ = fs::remove_file(&packed);
    }
    outcome
}

fn write(path: &Path, packed: &Path) -> Result<(), FrameError> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut file = file::private(OpenOptions::new().write(true).create(true).truncate(true)).open(packed)?;
    let mut waiting: Option<Frame> = None;
    while let Some((head, _)) = read_head(&mut reader)? {
        let lines = read_lines(&head, reader.by_ref().take(head.bytes))?;
        let next =
            Frame { kind: head.kind, from_ms: head.from_ms, to_ms: head.to_ms, marks: head.marks, lines, state: None };
        waiting = Some(match waiting.take() {
            Some(mut before) if goes_with(&before, &next) => {
                before.to_ms = next.to_ms;
                before.marks.extend(next.marks);
                before.lines.extend(next.lines);
                before
            }
            Some(before) => {
                file.write_all(&encode(&before, DENSE)?)?;
                next
            }
            None => next,
        });
    }
    if let Some(last) = waiting {
        file.write_all(&encode(&last, DENSE)?)?;
    }
    Ok(file.sync_all()?)
}

/// Whether a frame is added to the one before it.
fn goes_with(before: &Frame, next: &Frame) -> bool {
    let both_change = before.kind == FrameKind::Changes && next.kind == FrameKind::Changes;
    let fits = before.lines.len() + next.lines.len() <= FRAME_BYTES && before.marks.len() + next.marks.len() <= MARKS;
    // A clock that was set back begins a frame of its own: frames are found by their instants.
    both_change && fits && next.from_ms >= before.to_ms
}
