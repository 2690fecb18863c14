//! The places of a Vox mesh: databases, control planes, a registry file; and how each is connected to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::act;
use super::act::database::DatabaseExecutor;
use super::act::target::WriteTarget;
use super::backend::{Backend, local, remote, replica};
use super::control_plane::client::Client;
use super::control_plane::{self, ControlPlane, INBOXES_A_POLL};
use super::db::VoxDb;
use super::queries::Limits;
use super::registry::RegistryFile;
use super::{NAME, hrana, schema};
use crate::action::executor::Executor;
use crate::clock::{steady_clock, wall_clock};
use crate::config::address::{self, Address};
use crate::config::locate::HostEnv;
use crate::config::token::Token;
use crate::config::{ConfigError, Layers};
use crate::data::system::{Connections, Described, Places, once, real};
use crate::data::tls::{self, Tls};
use crate::data::vox::act::control_plane::ControlPlaneExecutor;
use crate::data::vox::file_copy::copy::Copier;
use crate::model::action::Abilities;
use crate::model::source::Aspect;
use crate::model::text::Text;
use crate::os::file;

/// How to reach a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file; opened directly only if it is ours or the operator said so.
    File {
        path: PathBuf,
        direct: bool,
    },
    Remote {
        url: Address,
        token: Option<Token>,
    },
    Replica {
        url: Address,
        path: PathBuf,
        token: Option<Token>,
        every: Duration,
    },
}

/// How to connect to a control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    pub base: Address,
    pub token: Option<Token>,
}

/// Everything of a Vox mesh, and what is asked of it at most.
#[derive(Debug, Clone)]
pub struct VoxPlaces {
    pub databases: Vec<Database>,
    pub controls: Vec<Control>,
    pub registry: Option<PathBuf>,
    /// Agents that nothing else may name.
    control_agents: Vec<String>,
    timeout: Duration,
    tls: Tls,
    /// Whether a busy remote may be read through a private replica.
    keeps_replicas: bool,
    /// The largest file that is copied, in bytes.
    max_copy: u64,
    remote_max_answer: u64,
    control_max_answer: u64,
    limits: Limits,
}

impl VoxPlaces {
    /// No places yet, with the bounds that the settings give.
    #[must_use]
    pub fn none(layers: &Layers, host: &HostEnv) -> Self {
        Self {
            databases: Vec::new(),
            controls: Vec::new(),
            registry: None,
            control_agents: layers.get("control_agents").texts.clone(),
            timeout: layers.duration("timeout"),
            tls: Tls::of(layers, host),
            keeps_replicas: layers.text("remote_access") != Some("queries"),
            max_copy: layers.number("snapshot.max_bytes"),
            remote_max_answer: layers.number("limits.remote_answer_bytes"),
            control_max_answer: layers.number("limits.control_answer_bytes"),
            limits: Limits {
                live_rows: layers.rows("limits.live_rows"),
                window: layers.rows("limits.window"),
                ..Limits::default()
            },
        }
    }

    /// Those that the settings name, each once.
    pub fn named(layers: &Layers, host: &HostEnv) -> Result<Self, ConfigError> {
        Ok(Self {
            databases: once(databases(layers, host)?, Database::identity),
            controls: once(controls(layers, host)?, |control| control.base.as_str().to_owned()),
            registry: layers.text("registry").map(|path| host.path(path)),
            ..Self::none(layers, host)
        })
    }

    /// Those that lie where they usually do.
    #[must_use]
    pub fn usual(layers: &Layers, host: &HostEnv, databases: Vec<PathBuf>, registry: Option<PathBuf>) -> Self {
        let direct = is_direct(layers);
        let databases = databases.into_iter().map(|path| Database::File { path, direct }).collect();
        Self { databases, registry, ..Self::none(layers, host) }
    }

    fn database(&self, database: &Database, to: &mut Connections) -> anyhow::Result<()> {
        let (name, place, read_by, backend) = match database {
            Database::File { path, direct: true } => {
                let backend = Backend::Owned(local::Owned::new(path.clone()));
                (file_name(path), real(path).display().to_string(), "direct", backend)
            }
            Database::File { path, direct: false } => {
                let copier = Copier::new(path.clone(), &to.folder()?, self.max_copy);
                let backend = Backend::Copy(local::CopyOf::new(copier));
                (file_name(path), real(path).display().to_string(), "snapshot copy", backend)
            }
            Database::Remote { url, token } => {
                let (most, tls) = (self.remote_max_answer, self.tls.clone());
                let mut backend = remote::Remote::new(url.clone(), token.clone(), most, tls.clone());
                // Without a folder it is read by queries alone.
                if let Some(folder) = self.keeps_replicas.then(|| to.folder().ok()).flatten() {
                    backend = backend.keeping(folder, tls);
                }
                let read_by = "queries or a replica";
                (url.name().to_owned(), url.to_string(), read_by, Backend::Remote(Box::new(backend)))
            }
            Database::Replica { url, path, token, every } => {
                let backend =
                    replica::Replica::new(url.clone(), path.clone(), token.clone(), *every, self.remote_max_answer)
                        .with_tls(self.tls.clone());
                (url.name().to_owned(), url.to_string(), "replica", Backend::Replica(Box::new(backend)))
            }
        };
        let cannot = match database {
            Database::File { path, .. } if path.exists() && !file::may_write(path) => {
                Some(format!("{} may not be written to by this user", path.display()))
            }
            _ => None,
        };
        let is = Described {
            system: NAME,
            kind: "database",
            place: &place,
            read_by,
            provides: schema::PROVIDES,
            rules: &[],
            why_empty: schema::WHY_EMPTY,
            can: if cannot.is_some() { Abilities::default() } else { act::DATABASE },
            cannot,
        };
        let executor = to.access.filter(|_| is.cannot.is_none()).map(|access| {
            let target = self.write_target(database);
            Box::new(DatabaseExecutor::new(target, wall_clock, access)) as Box<dyn Executor>
        });
        to.add(&name, is, Box::new(VoxDb::new(backend, self.limits, steady_clock)), executor);
        Ok(())
    }

    /// What writes to a database, on a connection of its own.
    fn write_target(&self, database: &Database) -> WriteTarget {
        match database {
            Database::File { path, direct } => {
                WriteTarget::File { path: path.clone(), direct: *direct, max_copy: self.max_copy }
            }
            // A replica is read here and written where it comes from.
            Database::Remote { url, token } | Database::Replica { url, token, .. } => WriteTarget::Remote {
                client: hrana::Client::new(url, self.tls.clone(), self.remote_max_answer).for_writing(),
                token: token.clone(),
                timeout: self.timeout,
            },
        }
    }

    fn control(&self, control: &Control, to: &mut Connections) {
        // A connection of its own for each: a poll that hangs does not hold an action up.
        let client = || {
            let (base, token) = (control.base.clone(), control.token.clone());
            Client::new(base, token, self.control_max_answer, self.timeout, steady_clock).with_tls(self.tls.clone())
        };
        let executor =
            |access| Box::new(ControlPlaneExecutor::new(client().for_writing(), access)) as Box<dyn Executor>;
        let source = Box::new(ControlPlane::new(client()).asking(&self.control_agents));
        let is = Described {
            system: NAME,
            kind: "control plane",
            place: control.base.as_str(),
            read_by: "HTTP",
            provides: control_plane::PROVIDES,
            rules: &[],
            why_empty: control_plane::WHY_EMPTY,
            can: act::CONTROL_PLANE,
            cannot: None,
        };
        let executor = to.access.map(executor);
        to.add(control.base.name(), is, source, executor);
    }
}

impl Places for VoxPlaces {
    fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.controls.is_empty() && self.registry.is_none()
    }

    fn list(&self) -> Vec<String> {
        let with = |token: &Option<Token>| token.as_ref().map_or("no token".into(), |t| format!("token from {t}"));
        let databases = self.databases.iter().map(|database| match database {
            Database::File { path, direct: false } => {
                format!("database file {} (read through a private copy)", path.display())
            }
            Database::File { path, direct: true } => format!("database file {} (opened directly)", path.display()),
            Database::Remote { url, token } => format!("remote database {url} ({})", with(token)),
            Database::Replica { url, path, token, .. } => {
                format!("replica {} of {url} ({})", path.display(), with(token))
            }
        });
        let controls =
            self.controls.iter().map(|control| format!("control plane {} ({})", control.base, with(&control.token)));
        let registry = self.registry.iter().map(|path| format!("registry file {}", path.display()));
        databases.chain(controls).chain(registry).collect()
    }

    fn warnings(&self) -> Vec<Text> {
        let databases = self.databases.iter().filter_map(|database| match database {
            Database::Remote { url, token } | Database::Replica { url, token, .. } => Some((url, token.is_some())),
            Database::File { .. } => None,
        });
        let controls = self.controls.iter().map(|control| (&control.base, control.token.is_some()));
        databases.chain(controls).filter_map(|(address, with_token)| tls::warning(address, with_token)).collect()
    }

    fn agents_a_poll(&self) -> usize {
        if self.controls.is_empty() { 0 } else { INBOXES_A_POLL }
    }

    fn connect(&self, to: &mut Connections) -> anyhow::Result<()> {
        for database in &self.databases {
            self.database(database, to)?;
        }
        for control in &self.controls {
            self.control(control, to);
        }
        if let Some(path) = &self.registry {
            let place = path.display().to_string();
            let is = Described {
                system: NAME,
                kind: "registry file",
                place: &place,
                read_by: "plain reads",
                provides: &[Aspect::Nodes],
                rules: &[],
                why_empty: &[],
                can: Abilities::default(),
                cannot: None,
            };
            to.add("registry", is, Box::new(RegistryFile::new(path.clone())), None);
        }
        Ok(())
    }
}

impl Database {
    /// What tells it from other databases: where it is.
    fn identity(&self) -> String {
        match self {
            Self::File { path, .. } => real(path).display().to_string(),
            Self::Remote { url, .. } | Self::Replica { url, .. } => url.as_str().to_owned(),
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn is_direct(layers: &Layers) -> bool {
    layers.text("db_access") == Some("direct")
}

fn databases(layers: &Layers, host: &HostEnv) -> Result<Vec<Database>, ConfigError> {
    let value = layers.get("db");
    let direct = is_direct(layers);
    let token = Token::of(layers, "token", host);
    let replica = layers.text("replica_path").map(|path| host.path(path));
    let mut found = Vec::new();
    for place in &value.texts {
        if address::is_meant(place) {
            // An address that is refused is not repeated: it may hold a secret.
            let url = Address::of_database(place).map_err(|why| {
                let todo = "write libsql://, https:// or http://, host and port; a token goes to --token-file, \
                            --token-env or token_command";
                ConfigError::new(&value.origin, format!("a database URL cannot be used: {why}"), todo)
            })?;
            found.push(match &replica {
                Some(path) => {
                    let every = layers.duration("sync_interval");
                    Database::Replica { url, path: path.clone(), token: token.clone(), every }
                }
                None => Database::Remote { url, token: token.clone() },
            });
        } else if address::holds_token(place) {
            let todo = "write a path or an address; a token goes to --token-file, --token-env or token_command";
            return Err(ConfigError::new(&value.origin, "a database path seems to hold a token", todo));
        } else {
            found.push(Database::File { path: host.path(place), direct });
        }
    }
    Ok(found)
}

fn controls(layers: &Layers, host: &HostEnv) -> Result<Vec<Control>, ConfigError> {
    let value = layers.get("control");
    let token = Token::of(layers, "control_token", host);
    let to_control = |text: &String| {
        let base = Address::of_control(text).map_err(|why| {
            let todo = "write host:port or http(s)://host:port; a token goes to control_token_file, control_token_env \
                        or control_token_command";
            ConfigError::new(&value.origin, format!("a control plane address cannot be used: {why}"), todo)
        })?;
        Ok(Control { base, token: token.clone() })
    };
    value.texts.iter().map(to_control).collect()
}
