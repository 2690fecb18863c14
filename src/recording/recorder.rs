//! Writes down what happens to what is known, as it happens: lines, put together into frames. Pure: frames come out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::line::{Evaluated, LifeOf, SCHEMA, Splice, Start, State};
use crate::mesh::MeshState;
use crate::mesh::derive::finding::{Finding, Life};
use crate::mesh::derive::{Snapshot, Thresholds};
use crate::model::event::{Event, Kind as EventKind};
use crate::model::journal::Entry;
use crate::model::mark::{Mark, MarkKind};
use crate::model::report::Report;
use crate::model::severity::Severity;
use crate::model::text::{Text, exactly};
use crate::model::time::Millis;

/// A frame ends after so long: what a crash may lose.
const FRAME: Millis = 10_000;
/// Or when it is this large.
const FRAME_BYTES: usize = 256 << 10;

/// Whether a frame of so many bytes, which tells of so long, is full. A clock that was set back ends one too.
pub(super) fn is_full(bytes: usize, span_ms: Millis) -> bool {
    bytes >= FRAME_BYTES || !(0..FRAME).contains(&span_ms)
}

/// The most marks of one frame; of more, the first.
const MARKS: usize = 256;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameKind {
    /// A full state: nothing before it is needed.
    State,
    Changes,
}

/// A frame that is not compressed yet.
#[derive(Debug)]
pub struct Frame {
    pub kind: FrameKind,
    pub from_ms: Millis,
    pub to_ms: Millis,
    pub marks: Vec<Mark>,
    pub lines: Vec<u8>,
    /// What stands before the lines; large, so it is left to whoever writes the frame to put it into words.
    pub state: Option<Box<(Start, State)>>,
}

impl Frame {
    /// A frame that holds everything that is known at an instant.
    #[must_use]
    pub fn of_state(start: Start, state: State, evaluated: Evaluated) -> Self {
        let mut lines = Vec::new();
        push(&mut lines, &Row::Evaluated(evaluated));
        let at = evaluated.at_ms;
        let state = Some(Box::new((start, state)));
        Self { kind: FrameKind::State, from_ms: at, to_ms: at, marks: Vec::new(), lines, state }
    }

    /// A frame of what changed.
    #[must_use]
    pub fn of_changes(from_ms: Millis, to_ms: Millis, marks: Vec<Mark>, lines: Vec<u8>) -> Self {
        Self { kind: FrameKind::Changes, from_ms, to_ms, marks, lines, state: None }
    }

    /// Bytes of what it writes, where that is known before: a state is put into words as it is written.
    pub fn size(&self) -> Option<u64> {
        self.state.is_none().then_some(self.lines.len() as u64)
    }

    /// Puts what stands before the lines into words.
    pub fn write_to(&self, mut to: impl std::io::Write) -> std::io::Result<()> {
        if let Some(state) = &self.state {
            exactly(|| {
                serde_json::to_writer(&mut to, &Row::Start(&state.0))?;
                to.write_all(b"\n")?;
                serde_json::to_writer(&mut to, &Row::State(&state.1))?;
                to.write_all(b"\n")
            })?;
        }
        to.write_all(&self.lines)
    }
}

/// [`super::line::Line`], as it is written.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Row<'a> {
    Start(&'a Start),
    State(&'a State),
    Report(&'a Report),
    Journal(&'a Splice<Entry>),
    Events(&'a Splice<Arc<Event>>),
    Unkept(&'a Option<Text>),
    Lives(&'a [LifeOf]),
    Evaluated(Evaluated),
}

/// Adds a line.
pub(super) fn push(lines: &mut Vec<u8>, row: &impl Serialize) {
    let before = lines.len();
    // Facts have no keys that JSON cannot write, and memory takes all.
    if exactly(|| serde_json::to_writer(&mut *lines, row)).is_err() {
        lines.truncate(before);
        return;
    }
    lines.push(b'\n');
}

/// What a recording of this version begins with.
#[must_use]
pub fn start(thresholds: Thresholds, lives_from: Severity) -> Start {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Start { schema: SCHEMA.to_owned(), version, thresholds, lives_from, redacted: false }
}

/// Writes down what happens.
#[derive(Debug)]
pub struct Recorder {
    start: Start,
    /// The frame that is being filled.
    lines: Vec<u8>,
    marks: Vec<Mark>,
    from_ms: Option<Millis>,
    /// Nothing is of use before a full state.
    begun: bool,
    began_ms: Millis,
    failing: HashSet<usize>,
    journal: Arc<[Entry]>,
    events: Arc<[Arc<Event>]>,
    unkept: Option<Text>,
    findings: Arc<[Arc<Finding>]>,
    lives: HashMap<String, Arc<Life>>,
}

impl Recorder {
    /// A recorder of a mesh that is evaluated by these thresholds. Findings have lives from a severity on.
    #[must_use]
    pub fn new(thresholds: Thresholds, lives_from: Severity) -> Self {
        Self {
            start: start(thresholds, lives_from),
            lines: Vec::new(),
            marks: Vec::new(),
            from_ms: None,
            begun: false,
            began_ms: 0,
            failing: HashSet::new(),
            journal: Arc::default(),
            events: Arc::default(),
            unkept: None,
            findings: Arc::default(),
            lives: HashMap::new(),
        }
    }

    /// Takes a report before it is applied.
    pub fn report(&mut self, report: &Report) {
        let (source, at_ms, fault) = match report {
            Report::Observed { source, at_ms, observation } => {
                (*source, *at_ms, observation.old.as_ref().map(|(_, fault)| fault))
            }
            Report::Failed { source, at_ms, fault, .. } => (*source, *at_ms, Some(fault)),
        };
        let news = match fault {
            Some(fault) => {
                self.failing.insert(source).then(|| (MarkKind::Lost, format!("source {source}: {}", fault.what)))
            }
            None => self.failing.remove(&source).then(|| (MarkKind::Back, format!("source {source}"))),
        };
        if let Some((kind, text)) = news {
            self.mark(at_ms, kind, &text);
        }
        if self.begun {
            self.from_ms.get_or_insert(at_ms);
            push(&mut self.lines, &Row::Report(report));
        }
    }

    /// Takes a mesh that was evaluated. Answers a frame that is full. `whole` asks for a full state, which is the first in any
    /// case.
    pub fn evaluated(&mut self, mesh: &MeshState, snapshot: &Snapshot, interval_ms: Millis, whole: bool) -> Vec<Frame> {
        let at_ms = snapshot.at_ms;
        let evaluated = Evaluated { at_ms, interval_ms };
        let mut frames = Vec::new();
        let first = !std::mem::replace(&mut self.begun, true);
        if first {
            self.began_ms = at_ms;
        }
        self.note(snapshot);
        // Whoever goes to a mark comes to the moment that shows it.
        self.marks.iter_mut().for_each(|mark| mark.at_ms = at_ms);
        self.note_lives(&snapshot.findings);
        if first || whole {
            self.forget_gone(&snapshot.findings);
        }
        if first {
            self.lines.clear();
            self.marks.clear();
        } else {
            push(&mut self.lines, &Row::Evaluated(evaluated));
            let from_ms = *self.from_ms.get_or_insert(at_ms);
            if is_full(self.lines.len(), at_ms - from_ms) || whole || !self.marks.is_empty() {
                frames.extend(self.take_frame(at_ms));
            }
        }
        if first || whole {
            let mut mesh = mesh.clone();
            mesh.mesh.events = snapshot.mesh.events.clone();
            mesh.mesh.unkept.clone_from(&snapshot.mesh.unkept);
            let lives = self.lives.iter().map(|(key, life)| (key.clone(), Some(life.clone()))).collect();
            frames.push(Frame::of_state(self.start.clone(), State { mesh, lives }, evaluated));
        }
        frames
    }

    /// What was not written yet: for somebody who wants to read it, or at the end.
    pub fn take_frame(&mut self, at_ms: Millis) -> Option<Frame> {
        let from_ms = self.from_ms.take()?;
        let (marks, lines) = (std::mem::take(&mut self.marks), std::mem::take(&mut self.lines));
        Some(Frame::of_changes(from_ms, at_ms, marks, lines))
    }

    /// A frame was lost: what follows it is of no use without a full state.
    pub fn begin_anew(&mut self) {
        self.begun = false;
        self.lines.clear();
        self.from_ms = None;
    }

    fn mark(&mut self, at_ms: Millis, kind: MarkKind, text: &str) {
        if self.marks.len() < MARKS {
            self.marks.push(Mark { at_ms, kind, text: Text::bounded(text, 256) });
        }
    }

    fn note(&mut self, snapshot: &Snapshot) {
        let (mesh, began_ms) = (&snapshot.mesh, self.began_ms);
        if !Arc::ptr_eq(&self.journal, &mesh.journal) {
            let before = std::mem::replace(&mut self.journal, mesh.journal.clone());
            if let Some(splice) = Splice::between(&before, &mesh.journal) {
                push(&mut self.lines, &Row::Journal(&splice));
                let is_new = |entry: &&Entry| !before.iter().any(|old| old.id == entry.id);
                for entry in splice.add.iter().filter(|entry| entry.at_ms >= began_ms).filter(is_new) {
                    self.mark(
                        entry.at_ms,
                        MarkKind::Action,
                        &format!("{} by {}", entry.action.summary(), entry.operator),
                    );
                }
            }
        }
        if !Arc::ptr_eq(&self.events, &mesh.events) {
            let before = std::mem::replace(&mut self.events, mesh.events.clone());
            if let Some(splice) = Splice::between(&before, &mesh.events) {
                push(&mut self.lines, &Row::Events(&splice));
                for event in splice.add.iter().filter(|event| event.at_ms >= began_ms) {
                    let kind = match event.kind {
                        EventKind::Raised | EventKind::Again | EventKind::Worse => MarkKind::Raised,
                        EventKind::Cleared => MarkKind::Cleared,
                        EventKind::Acknowledged | EventKind::Reopened => continue,
                    };
                    self.mark(event.at_ms, kind, &event.sentence);
                }
            }
        }
        if self.unkept != mesh.unkept {
            self.unkept.clone_from(&mesh.unkept);
            push(&mut self.lines, &Row::Unkept(&mesh.unkept));
        }
    }

    /// Forgets the lives of findings that are gone, and has whoever plays on from before do the same.
    fn forget_gone(&mut self, findings: &[Arc<Finding>]) {
        let alive: HashSet<String> = findings.iter().map(|finding| finding.identity()).collect();
        let gone: Vec<LifeOf> =
            self.lives.keys().filter(|key| !alive.contains(*key)).map(|key| (key.clone(), None)).collect();
        if !gone.is_empty() {
            self.lives.retain(|key, _| alive.contains(key));
            push(&mut self.lines, &Row::Lives(&gone));
        }
    }

    /// Writes down lives that changed. A finding that stayed is the same one as before.
    fn note_lives(&mut self, findings: &Arc<[Arc<Finding>]>) {
        if Arc::ptr_eq(&self.findings, findings) {
            return;
        }
        let before = std::mem::replace(&mut self.findings, findings.clone());
        let known: foldhash::HashSet<*const Finding> = before.iter().map(Arc::as_ptr).collect();
        let mut changed: Vec<LifeOf> = Vec::new();
        let from = self.start.lives_from;
        let is_new = |finding: &&Arc<Finding>| finding.severity >= from && !known.contains(&Arc::as_ptr(finding));
        for finding in findings.iter().filter(is_new) {
            let key = finding.identity();
            if self.lives.get(&key) == finding.life.as_ref() {
                continue;
            }
            match &finding.life {
                Some(life) => drop(self.lives.insert(key.clone(), life.clone())),
                None => drop(self.lives.remove(&key)),
            }
            changed.push((key, finding.life.clone()));
        }
        if !changed.is_empty() {
            push(&mut self.lines, &Row::Lives(&changed));
        }
    }
}
