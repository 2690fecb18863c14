//! Harn as a system: its settings and flags, its projects, and how each is connected to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::act::{LOCKS, LockDirExecutor};
use super::hosts::Hosts;
use super::locks::Locks;
use super::log::EventLog;
use super::places::{Project, host_leases};
use super::{LEASES_CANNOT, LOG_CANNOT, NAME, OF_LOG, WHY_EMPTY};
use crate::action::executor::Executor;
use crate::clock::wall_clock;
use crate::config::keys::{Key, Kind};
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers};
use crate::data::system::{Connections, Described, Flag, Places, System, once, real};
use crate::model::action::Abilities;
use crate::model::source::Aspect;

/// The system.
pub struct Harn;

const SETTINGS: &[Key] = &[
    Key { name: "harn.dir", kind: Kind::List, default: "", help: "Harn projects or state roots" },
    Key {
        name: "harn.host_leases",
        kind: Kind::Text,
        default: "",
        help: "Harn's file of host leases; the usual one if there is a project",
    },
];

const FLAGS: &[Flag] = &[Flag {
    name: "--harn",
    value: "DIR",
    help: "Harn project or state root; may be given several times",
    setting: "harn.dir",
    place: true,
    not_with: None,
}];

impl System for Harn {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["project"]
    }

    fn settings(&self) -> &'static [Key] {
        SETTINGS
    }

    fn flags(&self) -> &'static [Flag] {
        FLAGS
    }

    fn configured(&self, layers: &Layers, host: &HostEnv) -> Result<Arc<dyn Places>, ConfigError> {
        let projects = layers.get("harn.dir").texts.iter().map(|dir| project(&host.path(dir), host));
        let projects = once(projects, Project::identity);
        Ok(Arc::new(HarnPlaces::new(layers, host, projects)))
    }

    fn found(&self, layers: &Layers, host: &HostEnv) -> (Arc<dyn Places>, Vec<PathBuf>) {
        let tree = host.current_dir.ancestors().find(|dir| dir.join(".harn").is_dir());
        let found = project(tree.unwrap_or(&host.current_dir), host);
        let (projects, missing) =
            if found.is_there() { (vec![found], Vec::new()) } else { (Vec::new(), vec![found.log.path().to_owned()]) };
        (Arc::new(HarnPlaces::new(layers, host, projects)), missing)
    }
}

/// The project at a folder. What the environment says of a state root is for folders that have none of their own.
fn project(dir: &Path, host: &HostEnv) -> Project {
    let var = |name: &str| host.env.get(name).filter(|value| !value.is_empty());
    let backend = var("HARN_EVENT_LOG_BACKEND").map(String::as_str);
    let own = Project::at(dir, None, None).by_backend(backend);
    if own.is_there() {
        return own;
    }
    let path = |name: &str| var(name).map(Path::new);
    Project::at(dir, path("HARN_STATE_DIR"), path("HARN_EVENT_LOG_SQLITE_PATH")).by_backend(backend)
}

/// Projects, and the file of host leases.
#[derive(Debug, Clone)]
pub struct HarnPlaces {
    pub projects: Vec<Project>,
    pub host_leases: Option<PathBuf>,
    /// Rows of the log that are read at first, and kept.
    window: usize,
}

impl HarnPlaces {
    /// Projects; the usual file of host leases stands beside them where the settings name none.
    #[must_use]
    pub fn new(layers: &Layers, host: &HostEnv, projects: Vec<Project>) -> Self {
        let host_leases = layers.text("harn.host_leases").map(|path| host.path(path)).or_else(|| {
            let var = |name: &str| host.env.get(name).filter(|dir| !dir.is_empty()).map(Path::new);
            let usual = host_leases(var("HARN_HOST_LEASE_ROOT"), var("HARN_HOME"), host.home.as_deref());
            usual.filter(|_| !projects.is_empty())
        });
        Self { projects, host_leases, window: layers.rows("limits.window") }
    }

    /// The event log of a project, and its lock directories.
    fn project(&self, project: &Project, to: &mut Connections) {
        let name = project.name();
        let log = EventLog::new(project.log.clone(), self.window, wall_clock).beside(project.other.clone());
        let place = real(project.log.path()).display().to_string();
        let is = Described {
            system: NAME,
            kind: "event log",
            place: &place,
            read_by: "by topic heads",
            provides: OF_LOG,
            rules: &[],
            why_empty: WHY_EMPTY,
            can: Abilities::default(),
            cannot: Some(LOG_CANNOT.into()),
        };
        to.add(&format!("{name} log"), is, Box::new(log), None);
        let place = real(&project.tree).display().to_string();
        let is = Described {
            system: NAME,
            kind: "lock directories",
            place: &place,
            read_by: "walking",
            provides: &[Aspect::Locks],
            rules: &[],
            why_empty: WHY_EMPTY,
            can: LOCKS,
            cannot: None,
        };
        let executor =
            |access| Box::new(LockDirExecutor::new(project.tree.clone(), wall_clock, access)) as Box<dyn Executor>;
        let executor = to.access.map(executor);
        to.add(&format!("{name} locks"), is, Box::new(Locks::new(project.tree.clone(), wall_clock)), executor);
    }
}

impl Places for HarnPlaces {
    fn is_empty(&self) -> bool {
        self.projects.is_empty() && self.host_leases.is_none()
    }

    fn list(&self) -> Vec<String> {
        let projects = self.projects.iter().map(|project| {
            let (tree, log) = (project.tree.display(), project.log.path().display());
            format!("Harn project {tree} (event log {log}, lock directories)")
        });
        projects.chain(self.host_leases.iter().map(|path| format!("host leases {}", path.display()))).collect()
    }

    fn work_trees(&self) -> Vec<PathBuf> {
        self.projects.iter().map(|project| project.tree.clone()).collect()
    }

    fn connect(&self, to: &mut Connections) -> anyhow::Result<()> {
        for project in &self.projects {
            self.project(project, to);
        }
        if let Some(path) = &self.host_leases {
            let place = real(path).display().to_string();
            let is = Described {
                system: NAME,
                kind: "host leases",
                place: &place,
                read_by: "plain reads",
                provides: &[Aspect::Locks, Aspect::Waiters],
                rules: &[],
                why_empty: WHY_EMPTY,
                can: Abilities::default(),
                cannot: Some(LEASES_CANNOT.into()),
            };
            to.add("host leases", is, Box::new(Hosts::new(path.clone(), wall_clock)), None);
        }
        Ok(())
    }
}
