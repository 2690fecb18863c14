//! The newest snapshot of each mesh, for whoever asks; and the events, for those who listen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::broadcast;

use super::events::Line;
use super::metrics::Counts;
use crate::action::plan::Policy;
use crate::mesh::derive::Snapshot;

/// Events that a listener may be behind; beyond, it is told so and let go.
const BEHIND: usize = 1_024;

/// A snapshot, and what was counted in it once somebody asked.
pub struct Seen {
    pub snapshot: Arc<Snapshot>,
    counts: OnceLock<Counts>,
}

impl Seen {
    /// What is counted in it.
    pub fn counts(&self) -> &Counts {
        self.counts.get_or_init(|| Counts::of(&self.snapshot))
    }
}

/// What is known now.
pub struct Board {
    pub names: Vec<String>,
    /// What plans are made by, for each mesh.
    pub policies: Vec<Policy>,
    pub node_series: usize,
    seen: Mutex<Vec<Option<Arc<Seen>>>>,
    events: broadcast::Sender<Arc<Line>>,
    closed: AtomicBool,
}

impl Board {
    /// Nothing of these meshes yet.
    pub fn new(names: impl Iterator<Item = String>, policies: Vec<Policy>, node_series: usize) -> Self {
        let names: Vec<String> = names.collect();
        let seen = Mutex::new(names.iter().map(|_| None).collect());
        Self {
            names,
            policies,
            node_series,
            seen,
            events: broadcast::channel(BEHIND).0,
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a newer snapshot of a mesh, and tells what happened since the one before.
    pub fn take(&self, mesh: usize, snapshot: Arc<Snapshot>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = seen.get_mut(mesh) else { return };
        let last = slot.as_ref().and_then(|seen| seen.snapshot.mesh.events.iter().map(|event| event.seq).max());
        for event in snapshot.mesh.events.iter().filter(|event| event.seq > last.unwrap_or(0)) {
            // Nobody may be listening.
            let _ = self.events.send(Arc::new(Line::of(mesh, event)));
        }
        *slot = Some(Arc::new(Seen { snapshot, counts: OnceLock::new() }));
    }

    /// The newest of each mesh.
    pub fn all(&self) -> Vec<Option<Arc<Seen>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Line>> {
        self.events.subscribe()
    }

    /// It ends: whoever listens is let go.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = self.events.send(Arc::new(Line::end()));
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}
