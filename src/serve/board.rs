//! The newest snapshot of each mesh, for whoever asks; and the events, for those who listen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::Bytes;
use tokio::sync::broadcast;

use super::events::Batch;
use super::metrics::Counts;
use super::watch::changes::{Change, changes};
use super::watch::follow::Follower;
use super::watch::is_heard;
use crate::action::plan::Policy;
use crate::mesh::derive::Snapshot;

/// A listener that is more snapshots behind than this is told so and disconnected.
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

/// The changes that were sent. Without a listener, nothing is followed.
#[derive(Default)]
struct Followed {
    meshes: Vec<Option<Follower>>,
    /// The number of the last change.
    last: u64,
}

impl Followed {
    /// Stops following a mesh.
    fn leave(&mut self, mesh: usize) {
        if let Some(follower) = self.meshes.get_mut(mesh) {
            *follower = None;
        }
    }

    /// The changes of a mesh since the snapshot before. What a listener found when it came is no news to it.
    fn changes(&mut self, mesh: usize, before: Option<&Arc<Snapshot>>, now: &Arc<Snapshot>) -> Vec<Change> {
        self.meshes.resize_with(self.meshes.len().max(mesh + 1), || None);
        let follower = &mut self.meshes[mesh];
        if let (None, Some(before)) = (&follower, before.filter(|before| is_heard(before))) {
            follower.insert(Follower::default()).step(before);
        }
        let Some(follower) = follower.as_mut().filter(|_| is_heard(now)) else { return Vec::new() };
        let step = follower.step(now);
        let found = changes(&step.was, &step.is, self.last, now.at_ms);
        self.last = found.last().map_or(self.last, |change| change.cursor);
        found
    }
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
        if self.events.receiver_count() == 0 {
            followed.leave(mesh);
            return;
        }
        let mut batch = Batch::default();
        let seen = before.iter().flat_map(|before| before.mesh.events.iter()).map(|event| event.seq).max();
        for event in snapshot.mesh.events.iter().filter(|event| event.seq > seen.unwrap_or(0)) {
            batch.add(&format!("{mesh}-{}", event.seq), "finding", &**event);
        }
        for change in followed.changes(mesh, before.as_ref(), &snapshot) {
            batch.add(&format!("change-{}", change.cursor), "change", &change);
        }
        if !batch.is_empty() {
            // The last listener may have left.
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
