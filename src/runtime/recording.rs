//! Keeps a recording of what a mesh is known to be. What happens is put into words where it happens; a thread of its own
//! compresses and writes, so that no slow disk holds a snapshot up.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::mesh::MeshState;
use crate::mesh::derive::{Snapshot, Thresholds};
use crate::model::report::Report;
use crate::model::severity::Severity;
use crate::model::time::Millis;
use crate::model::whose::Whose;
use crate::recording::recorder::{Frame, Recorder};
use crate::recording::ring::{Place, WriteError, Writer};

/// Frames that may wait for the disk; beyond, there is a gap, and a full state after it.
const FRAMES: usize = 32;
/// After so long a place that could not be written to is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// How long leaving waits for the last frame.
const LAST_FRAME: Duration = Duration::from_millis(500);

/// Why nothing is recorded, while nothing is.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<Option<String>>>);

impl Status {
    /// Why nothing is recorded; nothing where it is.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, why: Option<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != why {
            if let Some(why) = &why {
                tracing::warn!(why, "nothing is recorded");
            }
            *known = why;
        }
    }
}

/// The folder of a mesh in the folder of all recordings. Two meshes of one name have two.
#[must_use]
pub fn folder(all: &Path, whose: &Whose) -> PathBuf {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let name: String = whose.mesh.chars().map(safe).take(40).collect();
    let sum = Sha256::digest(whose.place.as_bytes());
    let number = u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]]);
    all.join(format!("{name}-{number:08x}"))
}

/// A recording that is being made.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    frames: Option<SyncSender<Frame>>,
    /// Set by the thread: a full state is worth what it takes.
    wants_state: Arc<AtomicBool>,
    /// Set by the thread: a frame could not be written.
    lost: Arc<AtomicBool>,
    /// Ends when the thread does.
    ended: Receiver<()>,
    at_ms: Millis,
    /// Nothing is recorded until then: the place cannot be written to.
    paused_until: Option<Instant>,
}

impl Recording {
    /// Starts to record in a place.
    #[must_use]
    pub fn start(place: Place, thresholds: Thresholds, lives_from: Severity, status: Status) -> Self {
        let (frames, waiting) = sync_channel(FRAMES);
        let (end, ended) = sync_channel(1);
        let (wants_state, lost) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (wants, loses) = (wants_state.clone(), lost.clone());
        let thread = std::thread::Builder::new().name("recorder".into());
        let told = status.clone();
        let spawned = thread.spawn(move || {
            write(place, &waiting, &wants, &loses, &told);
            drop(end);
        });
        if let Err(error) = spawned {
            status.set(Some(error.to_string()));
        }
        Self {
            recorder: Recorder::new(thresholds, lives_from),
            frames: Some(frames),
            wants_state,
            lost,
            ended,
            at_ms: 0,
            paused_until: None,
        }
    }

    /// Takes a report before it is applied.
    pub fn report(&mut self, report: &Report) {
        self.recorder.report(report);
    }

    /// Takes a mesh that was evaluated.
    pub fn evaluated(&mut self, mesh: &MeshState, snapshot: &Snapshot, interval_ms: Millis) {
        self.at_ms = snapshot.at_ms;
        if self.lost.swap(false, Ordering::Relaxed) {
            self.recorder.begin_anew();
            self.paused_until = Some(Instant::now() + AGAIN);
        }
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.paused_until = None;
        let whole = self.wants_state.swap(false, Ordering::Relaxed);
        for frame in self.recorder.evaluated(mesh, snapshot, interval_ms, whole) {
            self.send(frame);
        }
    }

    fn send(&mut self, frame: Frame) {
        match self.frames.as_ref().map(|frames| frames.try_send(frame)) {
            // A disk that is too slow leaves a gap, and is not given a full state at once.
            Some(Err(TrySendError::Full(_))) => {
                self.recorder.begin_anew();
                self.paused_until = Some(Instant::now() + AGAIN);
            }
            Some(Ok(()) | Err(TrySendError::Disconnected(_))) | None => {}
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(frame) = self.recorder.take_frame(self.at_ms) {
            self.send(frame);
        }
        self.frames = None;
        let _ = self.ended.recv_timeout(LAST_FRAME);
    }
}

/// Writes frames until there are no more.
fn write(place: Place, frames: &Receiver<Frame>, wants_state: &AtomicBool, lost: &AtomicBool, status: &Status) {
    let mut writer: Option<Writer> = None;
    let mut tried: Option<Instant> = None;
    for frame in frames {
        if writer.is_none() && tried.is_none_or(|tried| tried.elapsed() >= AGAIN) {
            tried = Some(Instant::now());
            match Writer::open(place.clone()) {
                Ok(opened) => {
                    status.set(None);
                    writer = Some(opened);
                }
                Err(WriteError::Taken) => status.set(Some(WriteError::Taken.to_string())),
                Err(error) => status.set(Some(format!("{}: {error}", place.path().display()))),
            }
        }
        let Some(open) = &mut writer else {
            lost.store(true, Ordering::Relaxed);
            continue;
        };
        match open.write(&frame) {
            Ok(()) if open.wants_state(frame.to_ms) => wants_state.store(true, Ordering::Relaxed),
            Ok(()) => {}
            Err(error) => {
                status.set(Some(format!("{}: {error}", place.path().display())));
                lost.store(true, Ordering::Relaxed);
                writer = None;
            }
        }
    }
}
