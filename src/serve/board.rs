//! The newest snapshot of each mesh, for whoever asks; and the events, for those who listen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::Bytes;
use tokio::sync::broadcast;

use super::events::Batch;
use super::metrics::Counts;
use super::watch::changes::changes;
use super::watch::follow::Follower;
use super::watch::is_heard;
use crate::action::plan::Policy;
use crate::mesh::derive::Snapshot;

/// Snapshots with events that a listener may be behind; beyond, it is told so and let go.
const BEHIND: usize = 64;

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
    followed: Mutex<Followed>,
    events: broadcast::Sender<Bytes>,
    closed: AtomicBool,
}

/// What was told of changes. While nobody listens, nothing is followed.
#[derive(Default)]
struct Followed {
    meshes: Vec<Option<Follower>>,
    /// The number of the last change.
    last: u64,
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
            followed: Mutex::default(),
            events: broadcast::channel(BEHIND).0,
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a newer snapshot of a mesh, and tells what happened since the one before.
    pub fn take(&self, mesh: usize, snapshot: Arc<Snapshot>) {
        let before = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(slot) = seen.get_mut(mesh) else { return };
            slot.replace(Arc::new(Seen { snapshot: snapshot.clone(), counts: OnceLock::new() }))
        };
        let before = before.map(|seen| seen.snapshot.clone());
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let Followed { meshes, last } = &mut *followed;
        meshes.resize_with(meshes.len().max(mesh + 1), || None);
        if self.events.receiver_count() == 0 {
            meshes[mesh] = None;
            return;
        }
        let mut batch = Batch::default();
        let seen = before.iter().flat_map(|before| before.mesh.events.iter()).map(|event| event.seq).max();
        for event in snapshot.mesh.events.iter().filter(|event| event.seq > seen.unwrap_or(0)) {
            batch.add(&format!("{mesh}-{}", event.seq), "finding", &**event);
        }
        if is_heard(&snapshot) {
            let follower = match &mut meshes[mesh] {
                Some(follower) => Some(follower),
                // What a listener found when it came is no news to it.
                none => before.filter(|before| is_heard(before)).map(|before| {
                    let follower = none.insert(Follower::default());
                    follower.step(&before);
                    follower
                }),
            };
            let step = follower.map(|follower| follower.step(&snapshot)).unwrap_or_default();
            for change in changes(&step.was, &step.is, *last, snapshot.at_ms) {
                *last = change.cursor;
                batch.add(&format!("change-{}", change.cursor), "change", &change);
            }
        }
        if !batch.is_empty() {
            // Nobody may be listening any more.
            let _ = self.events.send(batch.into_bytes());
        }
    }

    /// The newest of each mesh.
    pub fn all(&self) -> Vec<Option<Arc<Seen>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Bytes> {
        self.events.subscribe()
    }

    /// It ends: whoever listens is let go.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = self.events.send(Bytes::new());
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}
