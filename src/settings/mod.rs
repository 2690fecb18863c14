//! The effective configuration of one mesh, typed.

pub mod commands;
pub mod shapes;
pub mod show;
pub mod themes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::action::plan::Policy;
use crate::app::keymap::{Binding, Conflict};
use crate::app::views::VIEWS;
use crate::app::wall::{Wall, night};
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers, Origin};
use crate::data::system::{Connections, Places};
use crate::data::work;
use crate::mesh::alarm::Rules;
use crate::mesh::derive::Thresholds;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;
use crate::model::work::Works;
use crate::systems;

/// Everything that the program goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The mesh's name, for the screen.
    pub mesh: String,
    /// What is watched, by system.
    pub places: Vec<Arc<dyn Places>>,
    /// Places that were looked at and found empty, where nothing was configured.
    pub looked_at: Vec<PathBuf>,
    pub repo: Option<String>,
    pub interval: Duration,
    pub idle_interval: Duration,
    pub timeout: Duration,
    pub read_only: bool,
    pub operator: Option<String>,
    pub theme: String,
    pub color: bool,
    pub unicode: String,
    pub mouse: bool,
    pub frames: bool,
    /// Times on screen are local ones.
    pub local_clock: bool,
    pub wall: Wall,
    /// Columns that views are to have, by their names.
    pub columns: BTreeMap<String, Vec<String>>,
    pub log_file: Option<PathBuf>,
    /// Where every action is written down.
    pub journal: PathBuf,
    /// A file that is there once the hints of the demo were read.
    pub hints_seen: PathBuf,
    /// Where the history of findings is kept.
    pub events: PathBuf,
    /// The folder of all recordings.
    pub recordings: PathBuf,
    /// Bytes that those of this mesh may take; nothing where nothing is recorded.
    pub record_bytes: Option<u64>,
    pub alarms: Alarms,
    /// How long the operator holds a lock that is fenced off.
    pub hold: Duration,
    /// Where private copies go.
    pub snapshot_dir: Option<PathBuf>,
    /// Where the work lies that locks are named after.
    pub work_tree: Option<PathBuf>,
    /// Rows of each history that are kept.
    pub window: usize,
    pub thresholds: Thresholds,
}

/// Who is called, and when.
#[derive(Debug, Clone)]
pub struct Alarms {
    pub rules: Rules,
    /// From which severity on; nothing for never.
    pub bell: Option<Severity>,
    pub notify: Option<Severity>,
    pub hook_from: Option<Severity>,
    /// Program and arguments.
    pub hook: Vec<String>,
    pub hook_timeout: Duration,
    pub title: bool,
    pub known_for: Duration,
}

impl Settings {
    /// The defaults with some settings given, wherever this process runs.
    pub fn given(settings: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let mut layers = Layers::new(systems::table());
        for (name, value) in settings {
            layers.set(name, vec![(*value).to_owned()], Origin::Default)?;
        }
        Self::resolve(&layers, None, &HostEnv::default())
    }

    /// Types the layers. Where no place is configured, the usual ones are looked at.
    pub fn resolve(layers: &Layers, mesh: Option<&str>, host: &HostEnv) -> Result<Self, ConfigError> {
        let path = |name| layers.text(name).map(|path| host.path(path));
        let user = || host.env.get("USER").or_else(|| host.env.get("LOGNAME")).cloned();
        let journal = path("journal").unwrap_or_else(|| host.journal_file());
        let found = systems::places(layers, host)?;
        Ok(Self {
            mesh: mesh.unwrap_or("mesh").to_owned(),
            places: found.places,
            looked_at: found.missing,
            repo: layers.text("repo").map(str::to_owned),
            interval: layers.duration("interval"),
            idle_interval: layers.duration("idle_interval"),
            timeout: layers.duration("timeout"),
            read_only: layers.is_on("read_only"),
            operator: layers.text("operator").map(str::to_owned).or_else(user),
            theme: layers.text("theme").unwrap_or("auto").to_owned(),
            color: layers.is_on("color"),
            unicode: layers.text("unicode").unwrap_or("auto").to_owned(),
            mouse: layers.is_on("mouse"),
            frames: layers.is_on("frames"),
            local_clock: layers.text("clock") == Some("local"),
            wall: wall(layers)?,
            columns: columns(layers)?,
            log_file: path("log_file"),
            events: path("events").unwrap_or_else(|| journal.with_file_name("events.jsonl")),
            recordings: journal.with_file_name("recordings"),
            record_bytes: layers.is_on("record.on").then(|| layers.number("record.max_bytes")),
            hints_seen: journal.with_file_name("demo-hints-seen"),
            journal,
            alarms: alarms(layers),
            hold: layers.duration("actions.hold"),
            snapshot_dir: path("snapshot.dir"),
            work_tree: path("work_tree"),
            window: layers.rows("limits.window"),
            thresholds: thresholds(layers),
        })
    }

    /// What would travel unencrypted to another machine: said before anything is sent.
    pub fn warnings(&self) -> impl Iterator<Item = Text> {
        self.places.iter().flat_map(|places| places.warnings())
    }

    /// Makes the sources of every system, and what acts on them.
    pub fn connect(&self, access: Option<crate::action::executor::WriteAccess>) -> anyhow::Result<Connections> {
        let mut connections = Connections::new(access, self.read_only, self.snapshot_dir.clone());
        for places in &self.places {
            places.connect(&mut connections)?;
        }
        Ok(connections)
    }

    /// How many known agents one poll asks for their inboxes; 0 where agents need not be known.
    #[must_use]
    pub fn agents_a_poll(&self) -> usize {
        self.places.iter().map(|places| places.agents_a_poll()).max().unwrap_or(0)
    }

    /// What plans are made by.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            hold_ms: time::millis(self.hold),
            stale_ms: self.thresholds.stale_ms,
            operator: self.operator_name(),
            read_only: self.read_only,
            work: Works::new(),
        }
    }

    /// Folders that may hold what locks are named after: the one that is configured, those of projects, and the current one.
    #[must_use]
    pub fn work_trees(&self) -> Vec<PathBuf> {
        let projects = self.places.iter().flat_map(|places| places.work_trees());
        let here = std::env::current_dir().ok().map(|folder| work::tree_of(&folder));
        self.work_tree.iter().cloned().chain(projects).chain(here).collect()
    }

    /// The same, where nothing is said of the screen: what is left decides what is watched, and how.
    #[must_use]
    pub fn without_screen(&self) -> Self {
        let alarms =
            Alarms { bell: None, notify: None, title: false, known_for: Duration::ZERO, ..self.alarms.clone() };
        Self {
            theme: String::new(),
            mouse: false,
            frames: false,
            local_clock: false,
            wall: Wall { stay: Duration::ZERO, views: Vec::new(), night: None },
            columns: BTreeMap::new(),
            interval: Duration::ZERO,
            alarms,
            ..self.clone()
        }
    }

    /// Where it is kept how views are shaped.
    #[must_use]
    pub fn views_file(&self) -> PathBuf {
        self.journal.with_file_name("views.json")
    }

    /// Who is named in the journal.
    #[must_use]
    pub fn operator_name(&self) -> String {
        self.operator.clone().unwrap_or_else(|| "unknown".into())
    }

    /// Whether there is anything to watch.
    #[must_use]
    pub fn has_places(&self) -> bool {
        self.places.iter().any(|places| !places.is_empty())
    }
}

impl From<Conflict> for ConfigError {
    fn from(conflict: Conflict) -> Self {
        Self::new(conflict.place, conflict.what, conflict.todo)
    }
}

/// The keys that commands were given.
#[must_use]
pub fn bindings(layers: &Layers) -> Vec<Binding> {
    let binding = |(command, value): (&str, &crate::config::layers::Value)| Binding {
        command: command.to_owned(),
        keys: value.texts.clone(),
        place: format!("{} keys.{command}", value.origin),
    };
    layers.bindings().map(binding).collect()
}

fn wall(layers: &Layers) -> Result<Wall, ConfigError> {
    let chosen = layers.get("wall.views");
    let mut views = crate::app::wall::views(&chosen.texts)
        .map_err(|what| ConfigError::new(&chosen.origin, what, "correct wall.views"))?;
    if views.is_empty() {
        use crate::app::view_id::ViewId::{Locks, Nodes, Overview, Tasks};
        views = vec![Overview, Nodes, Locks, Tasks];
    }
    if let Some(text) = layers.text("wall.night").filter(|text| night(text).is_none()) {
        let what = format!("\"{text}\" is no time of night");
        return Err(ConfigError::new(&layers.get("wall.night").origin, what, "write one such as 22:00-06:00"));
    }
    Ok(Wall { stay: layers.duration("wall.stay"), views, night: layers.text("wall.night").and_then(night) })
}

/// Columns that are named for views.
fn columns(layers: &Layers) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let mut all = BTreeMap::new();
    for view in VIEWS.iter().filter(|view| view.list.is_some()) {
        let value = layers.get(&format!("columns.{}", view.name()));
        view.check_columns(&value.texts)
            .map_err(|what| ConfigError::new(&value.origin, what, format!("correct columns.{}", view.name())))?;
        if !value.texts.is_empty() {
            all.insert(view.name(), value.texts.clone());
        }
    }
    Ok(all)
}

fn thresholds(layers: &Layers) -> Thresholds {
    let count = |name| i64::try_from(layers.number(name)).unwrap_or(i64::MAX);
    Thresholds {
        stale_ms: layers.millis("thresholds.stale"),
        stuck_ms: layers.millis("thresholds.stuck"),
        poison_attempts: count("thresholds.poison"),
        expiring_ms: layers.millis("thresholds.expiring"),
        old_ms: layers.millis("thresholds.old"),
        starved_ms: layers.millis("thresholds.starved"),
        renewals: count("thresholds.renewals"),
    }
}

fn alarms(layers: &Layers) -> Alarms {
    let from = |name| layers.text(name).and_then(|word| word.parse().ok());
    Alarms {
        rules: Rules {
            raise_after_ms: layers.millis("alarms.raise_after"),
            clear_after_ms: layers.millis("alarms.clear_after"),
            ..Rules::default()
        },
        bell: from("alarms.bell"),
        notify: from("alarms.notify"),
        hook_from: from("alarms.hook"),
        hook: layers.get("on_finding").texts.clone(),
        hook_timeout: layers.duration("alarms.hook_timeout"),
        title: layers.is_on("alarms.title"),
        known_for: layers.duration("alarms.known_for"),
    }
}
