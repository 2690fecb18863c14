//! The local registry file of nodes: `{schema_version, nodes[]}`, read again when it changes.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use super::control_plane::wire;
use crate::data::source::{PollContext, Polling, Source};
use crate::data::vox::file_copy::fingerprint::Stat;
use crate::model::observation::{Change, Cost, Observation};
use crate::model::source::Fault;

/// The largest registry that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// A registry file.
pub struct RegistryFile {
    path: PathBuf,
    seen: Option<Stat>,
}

impl RegistryFile {
    /// Reads `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    async fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let place = self.path.display().to_string();
        let fault = |e: std::io::Error| Fault::transient(format!("cannot read {place}: {e}"));
        let stat = Stat::read(&self.path)
            .map_err(fault)?
            .ok_or_else(|| Fault::setup(format!("{place} does not exist"), "correct VOX_MESH_REGISTRY_PATH"))?;
        let mut seen = Observation::default();
        if self.seen == Some(stat) {
            return Ok(seen);
        }
        if stat.len > MAX_FILE {
            return Err(Fault::setup(format!("{place} is larger than 16 MiB"), "this is no registry of nodes"));
        }
        let bytes = tokio::fs::read(&self.path).await.map_err(fault)?;
        let nodes: wire::Nodes = serde_json::from_slice(&bytes)
            .map_err(|e| Fault::transient(format!("{place} is no registry of nodes: {e}")))?;
        // Written within the file system's time step it may be written again unnoticed: read it again.
        self.seen = stat.settled(SystemTime::now()).then_some(stat);
        seen.cost =
            Cost { round_trips: 0, rows: nodes.nodes.len() as u64, read: None, bytes: bytes.len() as u64, ms: 0.0 };
        seen.changes.push(Change::Registry(nodes.into_facts()));
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }
}

impl Source for RegistryFile {
    fn poll<'a>(&'a mut self, _known: &'a PollContext) -> Polling<'a> {
        Box::pin(self.poll_now())
    }
}
