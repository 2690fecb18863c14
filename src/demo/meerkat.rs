//! A simulated Meerkat realm: real lease files, a real file of a mob, a real graph of work items, and the RPC port of the
//! process that serves it.
//!
//! Its story: a flow goes on step by step, a member hangs in its run, another flow fails, a member is retired while its claim
//! lasts, a second process serves the realm, and the member is spawned again.

mod files;
pub mod realm;
pub mod server;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;

pub use self::files::{MOB, OLDER_MOB, WORK, at, create, lease};
use self::realm::Realm;
use super::{Run, Simulation, Starting, Wanted, scaled};
use crate::clock::wall_clock;
use crate::config::Layers;
use crate::data::meerkat::realm::Realm as Place;
use crate::data::meerkat::system::MeerkatPlaces;

/// What simulates Meerkat.
pub struct Simulated;

impl Simulation for Simulated {
    fn name(&self) -> &'static str {
        "meerkat"
    }

    fn start<'a>(&'a self, folder: &'a Path, wanted: &'a Wanted, layers: &'a Layers, run: &'a Run) -> Starting<'a> {
        Box::pin(start(folder, wanted, layers, run))
    }
}

async fn start(folder: &Path, wanted: &Wanted, layers: &Layers, run: &Run) -> anyhow::Result<super::Simulated> {
    let realm = Realm::create(&folder.join("realms/fleet"), wanted.speed, wall_clock()).await?;
    let root = realm.root.clone();
    let realm = Arc::new(Mutex::new(realm));
    let (server, listener) = server::listen().await?;
    run.spawn(server::serve(listener, realm.clone(), run.stopped()));
    let mut steps = run.steps();
    run.spawn(async move {
        while steps.next().await {
            if let Err(error) = realm.lock().await.step(wall_clock()).await {
                tracing::warn!(%error, "the simulated realm could not write");
            }
        }
    });
    let mut places = MeerkatPlaces::new(layers, Place::at(&root));
    places.servers = vec![server];
    places.still_ms = scaled(places.still_ms, wanted.speed);
    let watched_by = vec![format!("--meerkat {} --meerkat-rpc {server}", root.display())];
    Ok(super::Simulated { mesh: "realm", places: Arc::new(places), watched_by })
}
