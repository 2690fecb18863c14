//! Consensus groups as a system: settings, flags, and how clusters are connected to.

use std::path::PathBuf;
use std::sync::Arc;

use super::act::{CAN, EtcdExecutor};
use super::etcd::{Etcd, EtcdConfig};
use super::layout::Layout;
use super::peers::Peers;
use super::published::{self, Place, Published};
use super::rules::RULES;
use super::{NAME, WHY_EMPTY};
use crate::action::executor::Executor;
use crate::clock::wall_clock;
use crate::config::address::Address;
use crate::config::keys::{Key, Kind};
use crate::config::locate::HostEnv;
use crate::config::token::Token;
use crate::config::{ConfigError, Layers};
use crate::data::system::{Connections, Described, Flag, Places, System, once};
use crate::data::tls::{Tls, warning};
use crate::model::action::Abilities;
use crate::model::source::Aspect;
use crate::model::stated::SystemRule;
use crate::model::text::{Text, scrub};

/// The system.
pub struct Consensus;

const SETTINGS: &[Key] = &[
    Key {
        name: "etcd.endpoints",
        kind: Kind::List,
        default: "",
        help: "etcd clusters: the addresses of the members of each, divided by commas",
    },
    Key {
        name: "etcd.prefixes",
        kind: Kind::List,
        default: "",
        help: "prefixes of locks with their layout, e.g. `locks/=mutex`: mutex, election, single, rw, double-barrier, barrier, patroni",
    },
    Key {
        name: "consensus.documents",
        kind: Kind::List,
        default: "",
        help: "documents of other consensus groups (consensus-snapshot/v1): files and URLs",
    },
    Key { name: "etcd.user", kind: Kind::Text, default: "", help: "user of etcd, where it has users" },
    Key {
        name: "etcd.password_file",
        kind: Kind::Text,
        default: "",
        help: "file whose first line is the password of the etcd user",
    },
    Key {
        name: "etcd.password_env",
        kind: Kind::Text,
        default: "",
        help: "variable that holds the password of the etcd user",
    },
    Key {
        name: "etcd.password_command",
        kind: Kind::List,
        default: "",
        help: "program and arguments that print the password of the etcd user",
    },
];

/// What all of its sources tell.
const PROVIDES: &[Aspect] =
    &[Aspect::Nodes, Aspect::Locks, Aspect::Waiters, Aspect::Members, Aspect::Barriers, Aspect::Log];

const FLAGS: &[Flag] = &[
    Flag {
        name: "--etcd",
        value: "URL[,URL...]",
        help: "members of an etcd cluster; may be given several times, once a cluster",
        setting: "etcd.endpoints",
        place: true,
        not_with: None,
    },
    Flag {
        name: "--consensus",
        value: "FILE_OR_URL",
        help: "document that a consensus group publishes (consensus-snapshot/v1); may be given several times",
        setting: "consensus.documents",
        place: true,
        not_with: None,
    },
];

impl System for Consensus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["etcd", "document"]
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
        let endpoints = layers.get("etcd.endpoints");
        let mut clusters = Vec::new();
        for cluster in &endpoints.texts {
            let member = |text: &str| {
                Address::of_server(text.trim()).map_err(|why| {
                    // What may hold a password is not shown.
                    let what = format!("an address in etcd.endpoints cannot be used: {why}");
                    ConfigError::new(
                        endpoints.origin.clone(),
                        what,
                        "write it as in http://10.0.0.5:2379; the user goes in etcd.user",
                    )
                })
            };
            let all = cluster.split(',').filter(|text| !text.trim().is_empty()).map(member);
            clusters.push(all.collect::<Result<Vec<_>, _>>()?);
        }
        clusters.retain(|cluster| !cluster.is_empty());
        let user = layers.text("etcd.user").map(ToOwned::to_owned);
        let password = Token::of(layers, "etcd.password", host);
        let user = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                let origin = layers.get("etcd.user").origin.clone();
                let what = "etcd.user and a password belong together";
                return Err(ConfigError::new(origin, what, "set etcd.user and etcd.password_file, or neither"));
            }
        };
        let prefixes = prefixes(layers)?;
        let tls = Tls::of(layers, host);
        let config =
            |endpoints| EtcdConfig { endpoints, prefixes: prefixes.clone(), user: user.clone(), tls: tls.clone() };
        let set = layers.get("consensus.documents");
        let document = |text: &String| {
            published::place(text, |file| host.path(file)).map_err(|why| {
                let what = format!("an address in consensus.documents cannot be used: {why}");
                ConfigError::new(set.origin.clone(), what, "write a file, or a URL without user, password and query")
            })
        };
        let documents = set.texts.iter().map(document).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(ConsensusPlaces {
            clusters: clusters.into_iter().map(config).collect(),
            documents: once(documents, Clone::clone),
            tls: tls.clone(),
        }))
    }

    fn found(&self, _: &Layers, _: &HostEnv) -> (Arc<dyn Places>, Vec<PathBuf>) {
        // A cluster is never guessed: whoever runs one knows where.
        (Arc::new(ConsensusPlaces::default()), Vec::new())
    }
}

/// Prefixes with their layouts. Where none is named, mutexes are looked for among all keys.
fn prefixes(layers: &Layers) -> Result<Vec<(String, Layout)>, ConfigError> {
    let set = layers.get("etcd.prefixes");
    if set.texts.is_empty() {
        return Ok(vec![(String::new(), Layout::Guess)]);
    }
    let prefix = |text: &String| {
        let (prefix, layout) = text.rsplit_once('=').unwrap_or((text, "guess"));
        layout.parse::<Layout>().map(|layout| (prefix.to_owned(), layout)).map_err(|_| {
            let what = format!("\"{}\" is no layout of keys", scrub(layout));
            ConfigError::new(
                set.origin.clone(),
                what,
                "write PREFIX=LAYOUT with one of mutex, election, single, rw, double-barrier, barrier, patroni",
            )
        })
    };
    set.texts.iter().map(prefix).collect()
}

/// The clusters that are watched.
#[derive(Debug, Clone, Default)]
pub struct ConsensusPlaces {
    pub clusters: Vec<EtcdConfig>,
    pub documents: Vec<Place>,
    pub tls: Tls,
}

impl Places for ConsensusPlaces {
    fn is_empty(&self) -> bool {
        self.clusters.is_empty() && self.documents.is_empty()
    }

    fn list(&self) -> Vec<String> {
        let names = |cluster: &EtcdConfig| {
            let all: Vec<&str> = cluster.endpoints.iter().map(Address::as_str).collect();
            format!("etcd {}", all.join(","))
        };
        let documents = self.documents.iter().map(|place| match place {
            Place::File(path) => format!("consensus document {}", path.display()),
            Place::Url(at) => format!("consensus document {}", at.as_str()),
        });
        self.clusters.iter().map(names).chain(documents).collect()
    }

    fn warnings(&self) -> Vec<Text> {
        let all =
            self.clusters.iter().flat_map(|cluster| cluster.endpoints.iter().map(|at| (at, cluster.user.is_some())));
        all.filter_map(|(at, with_user)| warning(at, with_user)).collect()
    }

    fn connect(&self, to: &mut Connections) -> anyhow::Result<()> {
        for cluster in &self.clusters {
            let places: Vec<&str> = cluster.endpoints.iter().map(Address::as_str).collect();
            let name = cluster.endpoints.first().map(Address::name).unwrap_or_default();
            let is = Described {
                system: NAME,
                kind: "etcd",
                place: &places.join(","),
                read_by: "JSON gateway",
                provides: PROVIDES,
                rules: RULES,
                why_empty: WHY_EMPTY,
                can: CAN,
                cannot: None,
            };
            let executor =
                to.access.map(|access| -> Box<dyn Executor> { Box::new(EtcdExecutor::new(cluster.clone(), access)) });
            to.add(&format!("etcd {name}"), is, Box::new(Etcd::new(cluster.clone(), wall_clock)), executor);
        }
        let peers = Peers::of(self.documents.len());
        for (at, place) in self.documents.iter().enumerate() {
            let (name, shown, read_by) = match place {
                Place::File(path) => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    (name, path.display().to_string(), "file")
                }
                Place::Url(at) => (at.name().to_owned(), at.as_str().to_owned(), "HTTP"),
            };
            let is = Described {
                system: NAME,
                kind: "document",
                place: &shown,
                read_by,
                provides: PROVIDES,
                rules: RULES,
                why_empty: WHY_EMPTY,
                can: Abilities::default(),
                cannot: Some("a published document is only read: it has no actions".into()),
            };
            let source = Published::among(place.clone(), self.tls.clone(), peers.clone(), at, wall_clock);
            to.add(&name, is, Box::new(source), None);
        }
        Ok(())
    }
}
