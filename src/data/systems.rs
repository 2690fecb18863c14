//! The registry of systems: which sources a configuration asks for. A new system registers here.

use std::collections::HashSet;
use std::path::Path;

use super::harn;
use super::harn::act::LocksHand;
use super::harn::hosts::Hosts;
use super::harn::locks::Locks;
use super::harn::log::EventLog;
use super::vox;
use super::vox::act::database::DatabaseHand;
use super::vox::act::plane::PlaneHand;
use super::vox::act::target::WriteTarget;
use super::vox::act::{self, holders};
use super::vox::backend::{Backend, local, remote, replica};
use super::vox::db::VoxDb;
use super::vox::hrana;
use super::vox::http::client::Client;
use super::vox::http::{self, ControlPlane};
use super::vox::registry::RegistryFile;
use super::vox::schema;
use super::vox::snapshot::copy::Copier;
use super::vox::snapshot::store::Store;
use crate::action::hand::{Hand, WriteAccess};
use crate::clock::{steady_clock, wall_clock};
use crate::config::Settings;
use crate::config::settings::Database;
use crate::data::source::Source;
use crate::model::action::Abilities;
use crate::model::source::{Aspect, Identity};
use crate::model::text::Text;

/// The sources of one mesh, and the folder their private copies live in.
pub struct Sources {
    pub list: Vec<(Identity, Box<dyn Source>)>,
    /// What acts on them, by name; none where this console may not write.
    pub hands: Vec<(Text, Box<dyn Hand>)>,
    /// Dropping it removes the copies.
    pub store: Option<Store>,
}

/// Makes every source that the settings name; with the right to write also what writes to them. What could be done is
/// known without it, so that a plan can be shown by a console that does not run it.
pub fn assemble(settings: &Settings, access: Option<WriteAccess>) -> anyhow::Result<Sources> {
    let mut builder =
        Builder { settings, access, names: HashSet::new(), list: Vec::new(), hands: Vec::new(), store: None };
    for database in &settings.databases {
        builder.database(database)?;
    }
    for control in &settings.controls {
        let name = control.base.name();
        // A connection of its own for each: a poll that hangs does not hold an action up.
        let client = || {
            let (base, token) = (control.base.clone(), control.token.clone());
            Client::new(base, token, settings.control_max_answer, settings.timeout, steady_clock)
                .with_tls(settings.tls.clone())
        };
        let hand = access.map(|access| Box::new(PlaneHand::new(client().for_writing(), access)) as Box<dyn Hand>);
        let source = Box::new(ControlPlane::new(client()).asking(&settings.control_agents));
        let how = How {
            system: vox::NAME,
            kind: "control plane",
            place: control.base.as_str(),
            read_by: "HTTP",
            provides: http::PROVIDES,
            why_empty: http::WHY_EMPTY,
        };
        builder.add(name, how, source, hand, Can::these(act::CONTROL_PLANE));
    }
    if let Some(path) = &settings.registry {
        let place = path.display().to_string();
        let how = How {
            system: vox::NAME,
            kind: "registry file",
            place: &place,
            read_by: "plain reads",
            provides: &[Aspect::Nodes],
            why_empty: &[],
        };
        builder.add("registry", how, Box::new(RegistryFile::new(path.clone())), None, Can::nothing());
    }
    builder.harn();
    Ok(Sources { list: builder.list, hands: builder.hands, store: builder.store })
}

/// What a source is, for people.
struct How<'a> {
    system: &'static str,
    kind: &'static str,
    place: &'a str,
    read_by: &'static str,
    provides: &'static [Aspect],
    why_empty: &'static [(&'static str, &'static str)],
}

/// What an operator could do there, or why nothing.
struct Can {
    abilities: Abilities,
    why_not: Option<String>,
}

impl Can {
    fn these(abilities: Abilities) -> Self {
        Self { abilities, why_not: None }
    }

    fn nothing() -> Self {
        Self::these(Abilities::default())
    }

    fn not(why: impl Into<String>) -> Self {
        Self { abilities: Abilities::default(), why_not: Some(why.into()) }
    }
}

struct Builder<'a> {
    settings: &'a Settings,
    access: Option<WriteAccess>,
    names: HashSet<String>,
    list: Vec<(Identity, Box<dyn Source>)>,
    hands: Vec<(Text, Box<dyn Hand>)>,
    store: Option<Store>,
}

impl Builder<'_> {
    fn database(&mut self, database: &Database) -> anyhow::Result<()> {
        let settings = self.settings;
        let (name, place, how, backend) = match database {
            Database::File { path, direct: true } => {
                let backend = Backend::Owned(local::Owned::new(path.clone()));
                (file_name(path), absolute(path), "direct", backend)
            }
            Database::File { path, direct: false } => {
                let folder = self.folder()?;
                let copier = Copier::new(path.clone(), &folder, settings.snapshot_max_bytes);
                (file_name(path), absolute(path), "snapshot copy", Backend::Copy(local::CopyOf::new(copier)))
            }
            Database::Remote { url, token } => {
                let (limit, tls) = (settings.remote_max_answer, settings.tls.clone());
                let backend = remote::Remote::new(url.clone(), token.clone(), limit, tls);
                (url.name().to_owned(), url.to_string(), "remote batch", Backend::Remote(backend))
            }
            Database::Replica { url, path, token, every } => {
                let backend =
                    replica::Replica::new(url.clone(), path.clone(), token.clone(), *every, settings.remote_max_answer)
                        .with_tls(settings.tls.clone());
                (url.name().to_owned(), url.to_string(), "replica", Backend::Replica(Box::new(backend)))
            }
        };
        let source = VoxDb::new(backend, settings.limits, steady_clock);
        let how = How {
            system: vox::NAME,
            kind: "database",
            place: &place,
            read_by: how,
            provides: schema::PROVIDES,
            why_empty: schema::WHY_EMPTY,
        };
        let (hand, can) = self.database_hand(database);
        self.add(&name, how, Box::new(source), hand, can);
        Ok(())
    }

    /// The event log and the lock directories of each project, and the leases on machines.
    fn harn(&mut self) {
        for project in &self.settings.projects {
            let name = project.name();
            let log = project.log.path();
            let source = EventLog::new(project.log.clone(), self.settings.limits.window, wall_clock)
                .beside(project.other.clone());
            let place = absolute(log);
            let how = How {
                system: harn::NAME,
                kind: "event log",
                place: &place,
                read_by: "by topic heads",
                provides: harn::OF_LOG,
                why_empty: harn::WHY_EMPTY,
            };
            self.add(&format!("{name} log"), how, Box::new(source), None, Can::not(harn::LOG_CANNOT));
            let source = Locks::new(project.tree.clone(), wall_clock);
            let place = absolute(&project.tree);
            let how = How {
                system: harn::NAME,
                kind: "lock directories",
                place: &place,
                read_by: "walking",
                provides: &[Aspect::Locks],
                why_empty: harn::WHY_EMPTY,
            };
            let tree = || project.tree.clone();
            let hand = |access| Box::new(LocksHand::new(tree(), wall_clock, access)) as Box<dyn Hand>;
            let can = Can::these(harn::act::LOCKS);
            self.add(&format!("{name} locks"), how, Box::new(source), self.access.map(hand), can);
        }
        if let Some(path) = &self.settings.host_leases {
            let place = absolute(path);
            let how = How {
                system: harn::NAME,
                kind: "host leases",
                place: &place,
                read_by: "plain reads",
                provides: &[Aspect::Locks, Aspect::Waiters],
                why_empty: harn::WHY_EMPTY,
            };
            let can = Can::not(harn::LEASES_CANNOT);
            self.add("host leases", how, Box::new(Hosts::new(path.clone(), wall_clock)), None, can);
        }
    }

    /// What writes to a database, on a connection of its own; or why nothing does.
    fn database_hand(&self, database: &Database) -> (Option<Box<dyn Hand>>, Can) {
        let settings = self.settings;
        let target = match database {
            Database::File { path, .. } if path.exists() && !holders::may_write(path) => {
                return (None, Can::not(format!("{} may not be written to by this user", path.display())));
            }
            Database::File { path, direct } => {
                WriteTarget::File { path: path.clone(), direct: *direct, max_copy: settings.snapshot_max_bytes }
            }
            // A replica is read here and written where it comes from.
            Database::Remote { url, token } | Database::Replica { url, token, .. } => WriteTarget::Remote {
                client: hrana::Client::new(url, settings.tls.clone(), settings.remote_max_answer).for_writing(),
                token: token.clone(),
                timeout: settings.timeout,
            },
        };
        let hand = |access| Box::new(DatabaseHand::new(target, wall_clock, access)) as Box<dyn Hand>;
        (self.access.map(hand), Can::these(act::DATABASE))
    }

    fn folder(&mut self) -> anyhow::Result<std::path::PathBuf> {
        use anyhow::Context;
        if self.store.is_none() {
            let store = Store::create(self.settings.snapshot_dir.as_deref())
                .context("cannot make a private folder for copies; set snapshot.dir to a folder you may write")?;
            self.store = Some(store);
        }
        let store = self.store.as_ref().context("no folder for copies")?;
        Ok(store.folder(&self.list.len().to_string())?)
    }

    fn add(&mut self, name: &str, how: How<'_>, source: Box<dyn Source>, hand: Option<Box<dyn Hand>>, can: Can) {
        let mut unique = name.to_owned();
        let mut n = 2;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}#{n}");
            n += 1;
        }
        let name = Text::new(&unique);
        self.hands.extend(hand.map(|hand| (name.clone(), hand)));
        let abilities = if self.settings.read_only { Abilities::default() } else { can.abilities };
        let identity = Identity {
            name,
            system: how.system,
            kind: how.kind,
            place: Text::new(how.place),
            how: how.read_by,
            provides: how.provides,
            why_empty: how.why_empty,
            can: abilities,
            cannot: can.why_not.map(Text::from),
        };
        self.list.push((identity, source));
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Where a file is, wherever the console was started and whatever link it was named by.
fn absolute(path: &Path) -> String {
    let real = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    real.unwrap_or_else(|_| path.to_owned()).display().to_string()
}
