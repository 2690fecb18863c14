//! The simulated mesh: a real libSQL file and a real control plane, driven by nodes that follow the contract.

pub mod control;
pub mod hrana;
pub mod project;
pub mod serve;
pub mod story;
pub mod workload;
pub mod world;
pub mod write;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use self::control::{Plane, Tokens};
use self::project::Project;
use self::world::{Shape, World};
use self::write::Writer;
use crate::clock::wall_clock;
use crate::commands::cli::{DemoArgs, With};
use crate::model::time::MINUTE;

/// How often the simulated mesh takes a step.
pub const STEP: Duration = Duration::from_millis(250);

/// A running simulated mesh.
pub struct Demo {
    /// The database file.
    pub database: std::path::PathBuf,
    /// Where the control plane listens, e.g. `http://127.0.0.1:40123`.
    pub control: String,
    /// Where the Hrana server listens.
    pub hrana: String,
    /// The work tree of a Harn project beside it, and its host leases.
    pub project: Option<(std::path::PathBuf, std::path::PathBuf)>,
    /// The shortened window after which a node is stale: time runs faster here.
    pub stale: Duration,
    tasks: TaskTracker,
    stop: tokio_util::sync::CancellationToken,
}

impl Demo {
    /// Starts a mesh in a folder.
    pub async fn start(folder: &Path, arguments: &DemoArgs) -> anyhow::Result<Self> {
        let database = folder.join("mesh.db");
        let shape = Shape {
            seed: arguments.seed,
            nodes: arguments.nodes as usize,
            locks: arguments.locks as usize,
            messages: arguments.messages as usize,
            speed: arguments.speed,
        };
        let now_ms = wall_clock();
        let mut writer = Writer::create(&database).await.context("cannot make the demo's database")?;
        let mut world = World::new(shape, now_ms);
        writer.apply(world.begin(now_ms)).await.context("cannot fill the demo's database")?;
        let plane = Arc::new(Mutex::new(Plane::new(Tokens::default())));
        control::mirror(&plane, &world, now_ms);

        let (tasks, stop) = (TaskTracker::new(), tokio_util::sync::CancellationToken::new());
        let control = serve(control::router(plane.clone()), &tasks, &stop).await?;
        let hrana = serve(hrana::router(&database, None), &tasks, &stop).await?;
        let quit = stop.clone();
        // A large mesh is for looking at: its nodes do not notice what operators change.
        let small = shape.locks <= 2_000 && shape.messages <= 20_000;
        tasks.spawn(async move {
            let mut ticks = steps();
            while next(&mut ticks, &quit).await {
                let now_ms = wall_clock();
                world.lose_leases(&control::take_revoked(&plane));
                let turn = async {
                    if small {
                        writer.turn(|seen| world.step_after(seen, now_ms)).await
                    } else {
                        writer.apply(world.step(now_ms)).await
                    }
                };
                if let Err(error) = turn.await {
                    tracing::warn!(%error, "the simulated mesh could not write");
                }
                control::mirror(&plane, &world, now_ms);
            }
        });
        let stale = Duration::from_millis(world::scaled(MINUTE, arguments.speed).unsigned_abs());
        let mut project = None;
        if arguments.with.contains(&With::Harn) {
            let mut simulated = Project::create(folder, arguments.speed, now_ms).await?;
            project = Some((simulated.tree.clone(), simulated.leases.clone()));
            let quit = stop.clone();
            tasks.spawn(async move {
                let mut ticks = steps();
                while next(&mut ticks, &quit).await {
                    if let Err(error) = simulated.step(wall_clock()).await {
                        tracing::warn!(%error, "the simulated project could not write");
                    }
                }
            });
        }
        Ok(Self { database, control, hrana, project, stale, tasks, stop })
    }

    /// Stops everything and waits until it has stopped.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.tasks.wait()).await;
    }
}

fn steps() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(STEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

/// Waits for the next step; there is none once the demo stops.
async fn next(ticks: &mut tokio::time::Interval, quit: &tokio_util::sync::CancellationToken) -> bool {
    tokio::select! {
        () = quit.cancelled() => false,
        _ = ticks.tick() => true,
    }
}

/// Serves on a free loopback port; answers its address.
async fn serve(
    router: axum::Router,
    tasks: &TaskTracker,
    stop: &tokio_util::sync::CancellationToken,
) -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen on the loopback")?;
    let address = listener.local_addr()?;
    let quit = stop.clone();
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(async move { quit.cancelled().await }).await;
        if let Err(error) = served {
            tracing::warn!(%error, "the demo's server stopped");
        }
    });
    Ok(format!("http://{address}"))
}
