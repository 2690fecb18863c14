//! A simulated cluster of three members that answers as etcd's JSON gateway does, and a document of another group.
//!
//! Its story: the holder of a lock dies and its lease runs out, with a queue behind it; the leader freezes and another one is
//! elected; the quorum is lost and comes back; a barrier waits for one that never arrives.

mod cluster;
mod document;
mod gateway;

use std::path::Path;
use std::sync::{Arc, Mutex};

use self::cluster::Cluster;
use super::{Run, Simulation, Starting, Wanted};
use crate::clock::wall_clock;
use crate::config::Layers;
use crate::config::address::Address;
use crate::data::consensus::etcd::EtcdConfig;
use crate::data::consensus::layout::Layout;
use crate::data::consensus::published::Place;
use crate::data::consensus::system::ConsensusPlaces;
use crate::data::tls::Tls;

/// What simulates a cluster.
pub struct Simulated;

impl Simulation for Simulated {
    fn name(&self) -> &'static str {
        "consensus"
    }

    fn start<'a>(&'a self, folder: &'a Path, wanted: &'a Wanted, _: &'a Layers, run: &'a Run) -> Starting<'a> {
        Box::pin(start(folder, wanted, run))
    }
}

/// Prefixes of the simulated keys.
const PREFIXES: &[(&str, Layout)] = &[
    ("lk/", Layout::Mutex),
    ("election/", Layout::Election),
    ("barriers/", Layout::DoubleBarrier),
    ("gates/", Layout::Barrier),
];

async fn start(folder: &Path, wanted: &Wanted, run: &Run) -> anyhow::Result<super::Simulated> {
    let speed = wanted.speed;
    let cluster = Arc::new(Mutex::new(Cluster::new(speed, wall_clock())));
    let mut endpoints = Vec::new();
    for member in 0..cluster::MEMBERS {
        let address = run.serve(gateway::router(cluster.clone(), member)).await?;
        gateway::lock(&cluster).advertise(member, &address);
        endpoints.push(address);
    }
    let path = folder.join("consensus.json");
    let began_ms = wall_clock();
    document::write(&path, began_ms, speed, began_ms)?;
    let mut steps = run.steps();
    let file = path.clone();
    run.spawn(async move {
        while steps.next().await {
            let now_ms = wall_clock();
            gateway::lock(&cluster).step(now_ms);
            if let Err(error) = document::write(&file, began_ms, speed, now_ms) {
                tracing::warn!(%error, "the simulated group could not write");
            }
        }
    });
    let watched_by = vec![format!("--etcd {} --consensus {}", endpoints.join(","), path.display())];
    let addresses = endpoints.iter().map(|at| Address::of_server(at)).collect::<Result<Vec<_>, _>>()?;
    let cluster = EtcdConfig {
        endpoints: addresses,
        prefixes: PREFIXES.iter().map(|(prefix, layout)| ((*prefix).to_owned(), *layout)).collect(),
        user: None,
        tls: Tls::default(),
    };
    let places =
        ConsensusPlaces { clusters: vec![cluster], documents: vec![Place::File(path)], ..ConsensusPlaces::default() };
    Ok(super::Simulated { mesh: "cluster", places: Arc::new(places), watched_by })
}
