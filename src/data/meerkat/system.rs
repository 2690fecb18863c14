//! Meerkat as a system: its settings and flags, its realms, and how each is connected to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::act::{RPC, RpcExecutor};
use super::mobs::Mobs;
use super::processes::Processes;
use super::realm::Realm;
use super::realms::Realms;
use super::rpc::Rpc;
use super::rules::RULES;
use super::shared::Shared;
use super::workgraph::WorkGraph;
use super::{CANNOT, NAME, WHY_EMPTY};
use crate::action::executor::Executor;
use crate::clock::wall_clock;
use crate::config::keys::{Key, Kind};
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers};
use crate::data::source::Source;
use crate::data::system::{Connections, Described, Flag, Places, System, once};
use crate::model::action::Abilities;
use crate::model::source::Aspect;
use crate::model::stated::SystemRule;
use crate::model::text::{Text, scrub};
use crate::model::time::Millis;

/// The system.
pub struct Meerkat;

const SETTINGS: &[Key] = &[
    Key { name: "meerkat.realm", kind: Kind::List, default: "", help: "Meerkat realms or state roots" },
    Key {
        name: "meerkat.rpc",
        kind: Kind::List,
        default: "",
        help: "addresses of Meerkat servers (JSON-RPC over TCP), e.g. `127.0.0.1:4100`",
    },
    Key {
        name: "meerkat.stalled_after",
        kind: Kind::Duration,
        default: "5m",
        help: "time without progress after which a run that is open counts as stalled",
    },
];

const FLAGS: &[Flag] = &[
    Flag {
        name: "--meerkat",
        value: "DIR",
        help: "Meerkat realm or state root; may be given several times",
        setting: "meerkat.realm",
        place: true,
        not_with: None,
    },
    Flag {
        name: "--meerkat-rpc",
        value: "HOST:PORT",
        help: "RPC of a process that serves a realm; may be given several times",
        setting: "meerkat.rpc",
        place: true,
        not_with: None,
    },
];

impl System for Meerkat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["realm", "RPC"]
    }

    fn settings(&self) -> &'static [Key] {
        SETTINGS
    }

    fn flags(&self) -> &'static [Flag] {
        FLAGS
    }

    fn rules(&self) -> &'static [SystemRule] {
        RULES
    }

    fn configured(&self, layers: &Layers, host: &HostEnv) -> Result<Arc<dyn Places>, ConfigError> {
        let realms = layers.get("meerkat.realm").texts.iter().flat_map(|dir| Realm::at(&host.path(dir)));
        let rpc = layers.get("meerkat.rpc");
        let servers = rpc.texts.iter().map(|text| {
            address(text).ok_or_else(|| {
                let what = format!("\"{}\" is no address of a Meerkat server", scrub(text));
                ConfigError::new(rpc.origin.clone(), what, "write an IP address and a port, as in 127.0.0.1:4100")
            })
        });
        let servers = once(servers.collect::<Result<Vec<_>, _>>()?, |server| *server);
        Ok(Arc::new(MeerkatPlaces { servers, ..MeerkatPlaces::new(layers, realms) }))
    }

    fn found(&self, layers: &Layers, host: &HostEnv) -> (Arc<dyn Places>, Vec<PathBuf>) {
        let project = host.current_dir.ancestors().map(|dir| dir.join(".rkat/realms")).find(|dir| dir.is_dir());
        let usual = host.data_dir.as_ref().map(|dir| dir.join("meerkat/realms"));
        let realms: Vec<Realm> = project.iter().chain(&usual).flat_map(|dir| Realm::usual(dir)).collect();
        let missing = if realms.is_empty() { usual.into_iter().collect() } else { Vec::new() };
        (Arc::new(MeerkatPlaces::new(layers, realms)), missing)
    }
}

/// The address that a text names: digits and a port, or this machine by name.
fn address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

/// MeerkatPlaces that are watched.
#[derive(Debug, Clone)]
pub struct MeerkatPlaces {
    realms: Vec<Realm>,
    pub servers: Vec<SocketAddr>,
    /// Events of each mob that are read at first.
    window: usize,
    /// What is at work and does not move for so long hangs.
    pub still_ms: Millis,
}

impl MeerkatPlaces {
    /// MeerkatPlaces, each once.
    #[must_use]
    pub fn new(layers: &Layers, realms: impl IntoIterator<Item = Realm>) -> Self {
        Self {
            servers: Vec::new(),
            realms: once(realms, |realm| realm.root.clone()),
            window: layers.rows("limits.window"),
            still_ms: layers.millis("meerkat.stalled_after"),
        }
    }
}

impl Places for MeerkatPlaces {
    fn is_empty(&self) -> bool {
        self.realms.is_empty() && self.servers.is_empty()
    }

    fn list(&self) -> Vec<String> {
        let realms = self.realms.iter().map(|realm| format!("Meerkat realm {}", realm.root.display()));
        realms.chain(self.servers.iter().map(|server| format!("Meerkat RPC {server}"))).collect()
    }

    fn warnings(&self) -> Vec<Text> {
        let far = self.servers.iter().filter(|server| !server.ip().is_loopback());
        far.map(|server| format!("what {server} answers travels unencrypted, and anybody there may ask it").into())
            .collect()
    }

    fn connect(&self, to: &mut Connections) -> anyhow::Result<()> {
        let shared: Vec<Shared> = self.realms.iter().map(|_| Shared::default()).collect();
        let mut realms = Realms::default();
        self.realms.iter().zip(&shared).for_each(|(realm, shared)| realms.add(realm, shared.clone()));
        for server in &self.servers {
            let is = Described {
                system: NAME,
                kind: "RPC",
                place: &server.to_string(),
                read_by: "JSON-RPC",
                provides: &[Aspect::Nodes, Aspect::Agents],
                rules: RULES,
                why_empty: WHY_EMPTY,
                can: RPC,
                cannot: None,
            };
            let executor = to
                .access
                .map(|access| -> Box<dyn Executor> { Box::new(RpcExecutor::new(*server, realms.clone(), access)) });
            to.add(
                &format!("rpc {server}"),
                is,
                Box::new(Rpc::new(*server, wall_clock).still_after(self.still_ms)),
                executor,
            );
        }
        for (realm, shared) in self.realms.iter().zip(shared) {
            let name = Text::new(&realm.name);
            let mut add = |what: &str, place: PathBuf, provides, read_by, source: Box<dyn Source>| {
                let place = place.display().to_string();
                let is = Described {
                    system: NAME,
                    kind: "realm",
                    place: &place,
                    read_by,
                    provides,
                    rules: RULES,
                    why_empty: WHY_EMPTY,
                    can: Abilities::default(),
                    cannot: Some(CANNOT.into()),
                };
                to.add(&format!("{} {what}", realm.name), is, source, None);
            };
            // Mobs come first: who is a member is known when the processes are read.
            let mobs = Mobs::new(realm, self.window, shared.clone(), wall_clock).still_after(self.still_ms);
            let of_mobs = &[Aspect::Agents, Aspect::Locks, Aspect::Tasks, Aspect::Log];
            add("mobs", realm.mobs(), of_mobs, "by event cursors", Box::new(mobs));
            let work = WorkGraph::new(realm, self.window, shared.clone(), wall_clock);
            let of_work = &[Aspect::Locks, Aspect::Tasks, Aspect::Log];
            add("work", realm.workgraph(), of_work, "by event numbers", Box::new(work));
            let processes = Processes::new(name, realm.leases(), shared, wall_clock);
            add("processes", realm.leases(), &[Aspect::Nodes], "lease files", Box::new(processes));
        }
        Ok(())
    }
}
