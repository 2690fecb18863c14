//! A part of a recording as a recording of its own, for other eyes if need be.

use std::io;

use super::line::Line;
use super::recorder::{Frame, FrameKind, is_full, push};
use super::redact::Redactor;
use super::tape::{Tape, TapeError};
use crate::model::mark::Mark;
use crate::model::time::Millis;

/// After so many bytes of lines a full state stands again, so that any instant is found soon.
const STATE_BYTES: usize = 64 << 20;

/// Why a part cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    #[error(transparent)]
    Tape(#[from] TapeError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes the frames of a part. With stand-ins for names, if they are not to be told.
pub fn cut(
    tape: &mut Tape,
    from_ms: Millis,
    to_ms: Millis,
    redact: bool,
    mut write: impl FnMut(Frame) -> io::Result<()>,
) -> Result<(), CutError> {
    let mut redactor = redact.then(Redactor::default);
    tape.seek(from_ms)?;
    let begins_ms = tape.at_ms().unwrap_or(from_ms);
    let is_in = |mark: &&Mark| (begins_ms..=to_ms).contains(&mark.at_ms);
    let mut marks: std::collections::VecDeque<Mark> = tape.marks().filter(is_in).cloned().collect();
    if let Some(redactor) = &mut redactor {
        for mark in &mut marks {
            *mark = redactor.mark(mark);
        }
    }
    write(state(tape, redactor.as_mut())?)?;
    let (mut lines, mut since, mut began, mut ended) = (Vec::new(), 0, None, begins_ms);
    loop {
        let next = tape.peek()?.filter(|next| *next <= to_ms);
        let is_done = began.is_some_and(|began| next.is_none() || is_full(lines.len(), ended - began));
        if let (Some(from), true) = (began, is_done) {
            let upto = marks.iter().position(|mark| mark.at_ms > ended).unwrap_or(marks.len());
            since += lines.len();
            write(Frame::of_changes(from, ended, marks.drain(..upto).collect(), std::mem::take(&mut lines)))?;
            began = None;
            if since >= STATE_BYTES && next.is_some() {
                write(state(tape, redactor.as_mut())?)?;
                since = 0;
            }
        }
        if next.is_none() {
            return Ok(());
        }
        let Some((at_ms, moment)) = tape.take_moment()? else { return Ok(()) };
        began.get_or_insert(at_ms);
        ended = at_ms;
        for line in moment {
            match &mut redactor {
                None => push(&mut lines, &line),
                Some(redactor) => redactor.write(&line, &mut lines).map_err(io::Error::other)?,
            }
            tape.play(line)?;
        }
    }
}

/// A full state of the moment that is played.
fn state(tape: &Tape, redactor: Option<&mut Redactor>) -> Result<Frame, CutError> {
    let playback = tape.playback();
    let known = playback.start().cloned().zip(playback.state()).zip(playback.evaluated());
    let Some(((start, state), evaluated)) = known else { return Err(tape.nothing().into()) };
    let Some(redactor) = redactor else { return Ok(Frame::of_state(start, state, evaluated)) };
    let mut lines = Vec::new();
    for line in [Line::Start(start), Line::State(Box::new(state)), Line::Evaluated(evaluated)] {
        redactor.write(&line, &mut lines).map_err(io::Error::other)?;
    }
    let at_ms = evaluated.at_ms;
    Ok(Frame { kind: FrameKind::State, from_ms: at_ms, to_ms: at_ms, marks: Vec::new(), lines, state: None })
}
