//! A simulated Vox mesh: a real libSQL file, a real Hrana server over it, and a control plane.

pub mod control;
pub mod hrana;
pub mod rows;
pub mod story;
pub mod workload;
pub mod world;
pub mod write;

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;

use self::control::{Plane, Tokens};
use self::world::{Shape, World};
use self::write::Writer;
use super::{Run, Simulation, Starting, Wanted};
use crate::clock::wall_clock;
use crate::config::Layers;
use crate::config::address::Address;
use crate::config::locate::HostEnv;
use crate::data::vox::places::{Control, Database, VoxPlaces};

/// What simulates Vox.
pub struct Simulated;

/// The name of its database file.
const DATABASE: &str = "mesh.db";

impl Simulation for Simulated {
    fn name(&self) -> &'static str {
        "vox"
    }

    fn start<'a>(&'a self, folder: &'a Path, wanted: &'a Wanted, layers: &'a Layers, run: &'a Run) -> Starting<'a> {
        Box::pin(start(folder, wanted, layers, run))
    }
}

async fn start(folder: &Path, wanted: &Wanted, layers: &Layers, run: &Run) -> anyhow::Result<super::Simulated> {
    let database = folder.join(DATABASE);
    let shape = Shape {
        seed: wanted.seed,
        nodes: wanted.nodes,
        locks: wanted.locks,
        messages: wanted.messages,
        speed: wanted.speed,
    };
    let now_ms = wall_clock();
    let mut writer = Writer::create(&database).await.context("cannot make the demo's database")?;
    let mut world = World::new(shape, now_ms);
    writer.apply(world.begin(now_ms)).await.context("cannot fill the demo's database")?;
    let plane = Arc::new(Mutex::new(Plane::new(Tokens::default())));
    control::mirror(&plane, &world, now_ms);
    let control = run.serve(control::router(plane.clone())).await?;
    let hrana = run.serve(hrana::router(&database, None)).await?;
    // A large mesh is for looking at: its nodes do not notice what operators change.
    let small = shape.locks <= 2_000 && shape.messages <= 20_000;
    let mut steps = run.steps();
    run.spawn(async move {
        while steps.next().await {
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
    let watched_by = vec![format!("--db {} --control {control}", database.display()), format!("--db {hrana}")];
    let mut places = VoxPlaces::none(layers, &HostEnv::default());
    places.databases = vec![if wanted.remote {
        Database::Remote { url: Address::of_database(&hrana)?, token: None }
    } else {
        Database::File { path: database, direct: true }
    }];
    places.controls = vec![Control { base: Address::of_control(&control)?, token: None }];
    Ok(super::Simulated { mesh: "demo", places: Arc::new(places), watched_by })
}
