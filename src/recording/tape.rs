//! Recordings that are opened: what their frames say of themselves, and any instant of them.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::frame::{FrameError, Head, parse, read_head, read_lines};
use super::line::{Line, Start};
use super::playback::{Odd, Playback};
use super::recorder::FrameKind;
use super::ring;
use crate::mesh::derive::Snapshot;
use crate::model::mark::Mark;
use crate::model::time::Millis;
use crate::panic_guard;

/// The most frames of one recording: weeks.
const FRAMES: usize = 2_000_000;

/// Why a recording cannot be opened or played.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    #[error("{}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: {}", .path.display(), .odd)]
    Odd { path: PathBuf, odd: Odd },
    #[error("{}: {why}", .path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{}: nothing is recorded in it", .0.display())]
    Empty(PathBuf),
    /// Its files were packed meanwhile, or the oldest of them removed.
    #[error("{}: it was changed while it was read", .0.display())]
    Moved(PathBuf),
}

/// Where a frame lies.
#[derive(Debug, Clone)]
pub struct Place {
    pub head: Head,
    file: usize,
    /// Where it begins, and where its lines do.
    begins: u64,
    at: u64,
}

impl Place {
    /// Where it ends in its file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.at + self.head.bytes
    }
}

/// Where a file cannot be read any further, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    pub path: PathBuf,
    pub at: u64,
    pub why: String,
    /// It was cut off there, or is being written: nothing else is wrong with it.
    pub torn: bool,
}

/// A recording, in one file or in several that follow one another.
#[derive(Debug)]
pub struct Tape {
    path: PathBuf,
    files: Vec<PathBuf>,
    frames: Vec<Place>,
    breaks: Vec<Break>,
    playback: Playback,
    /// Lines that are not played yet, of the frame before `next`.
    waiting: std::collections::VecDeque<Line>,
    next: usize,
}

impl Tape {
    /// Opens a file, or a folder of files that follow one another.
    pub fn open(path: &Path) -> Result<Self, TapeError> {
        let failed = |error| TapeError::Io { path: path.to_owned(), error };
        let files = if path.is_dir() { ring::files(path).map_err(failed)? } else { vec![path.to_owned()] };
        let mut tape = Self {
            path: path.to_owned(),
            files,
            frames: Vec::new(),
            breaks: Vec::new(),
            playback: Playback::default(),
            waiting: std::collections::VecDeque::new(),
            next: 0,
        };
        for file in 0..tape.files.len() {
            tape.scan(file)?;
        }
        // Frames before the first full state are of no use.
        let first = tape.frames.iter().position(|place| place.head.kind == FrameKind::State);
        match first {
            Some(first) => drop(tape.frames.drain(..first)),
            None => match tape.breaks.pop() {
                Some(Break { path, why, torn: false, .. }) => return Err(TapeError::Damaged { path, why }),
                _ => return Err(TapeError::Empty(path.to_owned())),
            },
        }
        Ok(tape)
    }

    /// Another reader of the same recording, which is at no moment yet.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            path: self.path.clone(),
            files: self.files.clone(),
            frames: self.frames.clone(),
            breaks: self.breaks.clone(),
            playback: Playback::default(),
            waiting: std::collections::VecDeque::new(),
            next: 0,
        }
    }

    fn scan(&mut self, file: usize) -> Result<(), TapeError> {
        let path = self.files[file].clone();
        let failed = |error| TapeError::Io { path: path.clone(), error };
        let opened = match File::open(&path) {
            // A ring forgets its oldest file meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path != path => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        let meta = opened.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(failed(io::Error::other("it is no file")));
        }
        let (mut reader, mut at) = (BufReader::with_capacity(512, opened), 0);
        while self.frames.len() < FRAMES {
            let (why, torn) = match read_head(&mut reader) {
                Ok(None) => return Ok(()),
                Ok(Some((head, length))) => {
                    let ends = (at + length).checked_add(head.bytes).filter(|ends| *ends <= meta.len());
                    match ends {
                        Some(ends) => {
                            let skip = i64::try_from(head.bytes).unwrap_or(i64::MAX);
                            self.frames.push(Place { head, file, begins: at, at: at + length });
                            reader.seek_relative(skip).map_err(failed)?;
                            at = ends;
                            continue;
                        }
                        None => (FrameError::Torn.to_string(), true),
                    }
                }
                Err(FrameError::Io(error)) => return Err(failed(error)),
                Err(error) => (error.to_string(), matches!(error, FrameError::Torn)),
            };
            self.breaks.push(Break { path: path.clone(), at, why, torn });
            return Ok(());
        }
        Ok(())
    }

    /// What its frames say of themselves, in order.
    #[must_use]
    pub fn frames(&self) -> &[Place] {
        &self.frames
    }

    /// Where it cannot be read any further.
    #[must_use]
    pub fn breaks(&self) -> &[Break] {
        &self.breaks
    }

    /// The first and the last instant.
    #[must_use]
    pub fn span(&self) -> (Millis, Millis) {
        let from = self.frames.first().map_or(0, |place| place.head.from_ms);
        (from, self.frames.last().map_or(from, |place| place.head.to_ms))
    }

    /// What is to be found in it, in order.
    pub fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.frames.iter().flat_map(|place| &place.head.marks)
    }

    /// What is recorded, and by what.
    #[must_use]
    pub fn start(&self) -> Option<&Start> {
        self.playback.start()
    }

    /// What is known at the moment that is played.
    #[must_use]
    pub fn playback(&self) -> &Playback {
        &self.playback
    }

    /// When the moment is that is played.
    #[must_use]
    pub fn at_ms(&self) -> Option<Millis> {
        self.playback.evaluated().map(|evaluated| evaluated.at_ms)
    }

    /// Goes to the last moment that is not after an instant; to the first one, where all are.
    pub fn seek(&mut self, at_ms: Millis) -> Result<(), TapeError> {
        match self.seek_once(at_ms) {
            Err(TapeError::Moved(_)) => {
                *self = Self::open(&self.path)?;
                self.seek_once(at_ms)
            }
            sought => sought,
        }
    }

    fn seek_once(&mut self, at_ms: Millis) -> Result<(), TapeError> {
        let here = self.at_ms().filter(|here| *here <= at_ms);
        let is_state = |(_, place): &(usize, &Place)| place.head.kind == FrameKind::State;
        let states = self.frames.iter().enumerate().filter(is_state);
        let from = states.take_while(|(_, place)| place.head.from_ms <= at_ms).last().map_or(0, |(i, _)| i);
        // Playing on from here is shorter where no full state lies between.
        if here.is_none() || from >= self.next {
            self.begin(from)?;
            self.step_once()?;
        }
        while self.peek_once()?.is_some_and(|next| next <= at_ms) {
            self.step_once()?;
        }
        Ok(())
    }

    /// Goes to the next moment. Answers whether there is one.
    pub fn step(&mut self) -> Result<bool, TapeError> {
        // Whoever knows when it is knows where it lies.
        self.peek()?;
        self.step_once()
    }

    fn step_once(&mut self) -> Result<bool, TapeError> {
        if self.peek_once()?.is_none() {
            return Ok(false);
        }
        while let Some(line) = self.waiting.pop_front() {
            let ends = matches!(line, Line::Evaluated(_));
            self.play(line)?;
            if ends {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The lines of the next moment, which is not played; nothing at the end.
    pub fn take_moment(&mut self) -> Result<Option<(Millis, Vec<Line>)>, TapeError> {
        let Some(at_ms) = self.peek()? else { return Ok(None) };
        let ends = self.waiting.iter().position(|line| matches!(line, Line::Evaluated(_)));
        let lines = self.waiting.drain(..=ends.unwrap_or(0)).collect();
        Ok(Some((at_ms, lines)))
    }

    /// The snapshot of the moment that is played.
    pub fn snapshot(&mut self) -> Result<Snapshot, TapeError> {
        let playback = &mut self.playback;
        match panic_guard::quietly(|| playback.snapshot()) {
            Some(Ok(snapshot)) => Ok(snapshot),
            Some(Err(odd)) => Err(TapeError::Odd { path: self.path.clone(), odd }),
            None => Err(self.impossible()),
        }
    }

    /// When the next moment is; nothing at the end.
    pub fn peek(&mut self) -> Result<Option<Millis>, TapeError> {
        match self.peek_once() {
            Err(TapeError::Moved(_)) => {
                self.find_again()?;
                self.peek_once()
            }
            peeked => peeked,
        }
    }

    fn peek_once(&mut self) -> Result<Option<Millis>, TapeError> {
        loop {
            let moment = self.waiting.iter().find_map(|line| match line {
                Line::Evaluated(evaluated) => Some(evaluated.at_ms),
                _ => None,
            });
            if moment.is_some() || self.next >= self.frames.len() {
                return Ok(moment);
            }
            // A full state says what is known already, if it was played up to there.
            let place = self.frames[self.next].clone();
            let goes_on = self.at_ms() == Some(place.head.from_ms) && self.waiting.is_empty();
            if place.head.kind == FrameKind::State && goes_on {
                self.next += 1;
                continue;
            }
            let lines = self.lines(&place)?;
            self.next += 1;
            self.waiting.extend(lines);
        }
    }

    /// Looks anew where frames lie, and goes to the moment that was played.
    fn find_again(&mut self) -> Result<(), TapeError> {
        let (now, here) = (Self::open(&self.path)?, self.at_ms());
        *self = now;
        here.map_or(Ok(()), |here| self.seek_once(here))
    }

    /// Begins with a frame that holds a full state.
    fn begin(&mut self, frame: usize) -> Result<(), TapeError> {
        if frame >= self.frames.len() {
            return Err(TapeError::Empty(self.path.clone()));
        }
        self.playback = Playback::default();
        self.waiting.clear();
        self.next = frame;
        Ok(())
    }

    /// Said where nothing is known yet.
    #[must_use]
    pub fn nothing(&self) -> TapeError {
        TapeError::Empty(self.path.clone())
    }

    /// Plays a line that was taken.
    pub fn play(&mut self, line: Line) -> Result<(), TapeError> {
        let playback = &mut self.playback;
        match panic_guard::quietly(|| playback.take(line)) {
            Some(Ok(())) => Ok(()),
            Some(Err(odd)) => Err(TapeError::Odd { path: self.path.clone(), odd }),
            None => Err(self.impossible()),
        }
    }

    /// The lines of a frame.
    pub fn lines(&self, place: &Place) -> Result<Vec<Line>, TapeError> {
        let text = self.text(place)?;
        parse(&text).collect::<Result<_, _>>().map_err(|error| self.damaged(place, &error))
    }

    /// The lines of a frame, as they are written.
    pub fn text(&self, place: &Place) -> Result<Vec<u8>, TapeError> {
        let path = &self.files[place.file];
        let failed = |error| TapeError::Io { path: path.clone(), error };
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TapeError::Moved(path.clone())),
            file => file.map_err(failed)?,
        };
        file.seek(SeekFrom::Start(place.begins)).map_err(failed)?;
        match read_head(&mut file) {
            Ok(Some((head, _))) if head == place.head => {}
            _ => return Err(TapeError::Moved(path.clone())),
        }
        read_lines(&place.head, file.take(place.head.bytes)).map_err(|error| self.damaged(place, &error))
    }

    fn damaged(&self, place: &Place, error: &FrameError) -> TapeError {
        TapeError::Damaged { path: self.files[place.file].clone(), why: format!("at byte {}: {error}", place.at) }
    }

    fn impossible(&self) -> TapeError {
        TapeError::Damaged { path: self.path.clone(), why: "it says something that cannot be".into() }
    }
}
