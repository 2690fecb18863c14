//! Simulated meshes, one module a system: real files and real servers, driven by nodes that follow the contracts.

pub mod consensus;
pub mod harn;
pub mod meerkat;
pub mod serve;
pub mod vox;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Layers;
use crate::data::system::Places;
use crate::model::time::{MINUTE, Millis};

/// After so long a node that is silent is stale, in a mesh whose time runs as in life.
pub const STALE: Millis = MINUTE;

/// How often a simulated mesh takes a step.
pub const STEP: Duration = Duration::from_millis(250);

/// What is to be simulated.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub seed: u64,
    /// How much faster than life its time runs.
    pub speed: f64,
    pub nodes: usize,
    pub locks: usize,
    pub messages: usize,
    /// Watch what is far through its server, not through its file.
    pub remote: bool,
}

/// What simulates one system.
pub trait Simulation: Sync {
    /// What `--with` calls it.
    fn name(&self) -> &'static str;

    /// Starts it in a folder. Its work goes on as tasks of `run`.
    fn start<'a>(&'a self, folder: &'a Path, wanted: &'a Wanted, layers: &'a Layers, run: &'a Run) -> Starting<'a>;
}

/// A simulation that starts.
pub type Starting<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Simulated>> + Send + 'a>>;

/// A simulated mesh that runs.
pub struct Simulated {
    /// What the mesh is called on screen.
    pub mesh: &'static str,
    pub places: Arc<dyn Places>,
    /// Arguments of `lockkeeper` that watch it, one line each.
    pub watched_by: Vec<String>,
}

/// The tasks of a demo, until it stops.
#[derive(Default)]
pub struct Run {
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A demo that runs.
pub struct Demo {
    pub meshes: Vec<Simulated>,
    run: Run,
}

impl Demo {
    /// Starts simulations in a folder.
    pub async fn start(
        folder: &Path,
        wanted: &Wanted,
        layers: &Layers,
        simulations: &[&dyn Simulation],
    ) -> anyhow::Result<Self> {
        let run = Run::default();
        let mut meshes = Vec::with_capacity(simulations.len());
        for simulation in simulations {
            meshes.push(simulation.start(folder, wanted, layers, &run).await?);
        }
        Ok(Self { meshes, run })
    }

    /// Stops everything and waits until it has stopped.
    pub async fn stop(self) {
        self.run.stop.cancel();
        self.run.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.run.tasks.wait()).await;
    }
}

impl Run {
    /// Does something until the demo stops.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    /// The steps of a simulated mesh, until the demo stops.
    #[must_use]
    pub fn steps(&self) -> Steps {
        let mut ticks = tokio::time::interval(STEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Steps { ticks, quit: self.stop.clone() }
    }

    /// Tells a task that the demo stops.
    #[must_use]
    pub fn stopped(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Serves on a free loopback port; answers its address, e.g. `http://127.0.0.1:40123`.
    pub async fn serve(&self, router: axum::Router) -> anyhow::Result<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on the loopback")?;
        let address = listener.local_addr()?;
        let quit = self.stop.clone();
        self.tasks.spawn(async move {
            let quit = async move { quit.cancelled().await };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(quit).await {
                tracing::warn!(%error, "the demo's server stopped");
            }
        });
        Ok(format!("http://{address}"))
    }
}

/// Steps of a simulated mesh.
pub struct Steps {
    ticks: tokio::time::Interval,
    quit: CancellationToken,
}

impl Steps {
    /// Waits for the next step; there is none once the demo stops.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            () = self.quit.cancelled() => false,
            _ = self.ticks.tick() => true,
        }
    }
}

/// A span of a simulated mesh's own time in real milliseconds; never so short that whole seconds hide it.
#[must_use]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "spans of minutes")]
pub fn scaled(ms: Millis, speed: f64) -> Millis {
    ((ms as f64 / speed) as Millis).max(1)
}
