//! The effective configuration, typed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::address::{self, Address};
use super::locate::Surroundings;
use super::token::Token;
use super::{ConfigError, Layers};
use crate::action::plan::Policy;
use crate::app::wall::{Wall, night};
use crate::data::harn::places::{Project, host_leases};
use crate::data::vox::queries::Limits;
use crate::data::vox::tls::{self, Tls};
use crate::data::work;
use crate::mesh::alarm::Rules;
use crate::mesh::derive::Thresholds;
use crate::model::severity::Severity;
use crate::model::text::Text;
use crate::model::time;
use crate::model::time::Millis;
use crate::model::work::Works;

/// Everything that the program goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The mesh's name, for the screen.
    pub mesh: String,
    pub databases: Vec<Database>,
    pub controls: Vec<Control>,
    pub registry: Option<PathBuf>,
    /// Harn projects, and the file of its host leases.
    pub projects: Vec<Project>,
    pub host_leases: Option<PathBuf>,
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
    /// Times on screen are local ones.
    pub local_clock: bool,
    pub wall: Wall,
    pub log_file: Option<PathBuf>,
    /// Where every action is written down.
    pub journal: PathBuf,
    /// Where the history of findings is kept.
    pub events: PathBuf,
    pub alarms: Alarms,
    /// How long the operator holds a lock that is fenced off.
    pub hold: Duration,
    pub snapshot_dir: Option<PathBuf>,
    pub snapshot_max_bytes: u64,
    pub tls: Tls,
    pub remote_max_answer: u64,
    pub control_max_answer: u64,
    /// Where the work lies that locks are named after.
    pub work_tree: Option<PathBuf>,
    /// Agents that nothing else may name.
    pub control_agents: Vec<String>,
    pub limits: Limits,
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

/// How to reach a control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    pub base: Address,
    pub token: Option<Token>,
}

impl Settings {
    /// What would travel unencrypted to another machine: said before anything is sent.
    pub fn warnings(&self) -> impl Iterator<Item = Text> {
        let databases = self.databases.iter().filter_map(|database| match database {
            Database::Remote { url, token } | Database::Replica { url, token, .. } => Some((url, token.is_some())),
            Database::File { .. } => None,
        });
        let controls = self.controls.iter().map(|control| (&control.base, control.token.is_some()));
        databases.chain(controls).filter_map(|(address, with_token)| tls::warning(address, with_token))
    }

    /// Types the layers. Where no place is configured, the usual ones are looked at.
    pub fn resolve(layers: &Layers, mesh: Option<&str>, around: &Surroundings) -> Result<Self, ConfigError> {
        let mut settings = Self::without_places(layers, mesh, around);
        let chosen = layers.get("wall.views");
        settings.wall.views = crate::app::wall::views(&chosen.texts)
            .map_err(|what| ConfigError::new(&chosen.origin, what, "correct wall.views"))?;
        if settings.wall.views.is_empty() {
            use crate::app::views::ViewId::{Locks, Nodes, Overview, Tasks};
            settings.wall.views = vec![Overview, Nodes, Locks, Tasks];
        }
        if let Some(text) = layers.text("wall.night").filter(|text| night(text).is_none()) {
            let what = format!("\"{text}\" is no time of night");
            return Err(ConfigError::new(&layers.get("wall.night").origin, what, "write one such as 22:00-06:00"));
        }
        settings.databases = once(databases(layers, around)?, Database::identity);
        settings.controls = once(controls(layers, around)?, |control| control.base.as_str().to_owned());
        settings.registry = layers.text("registry").map(|path| around.path(path));
        let projects = layers.get("harn.dir").texts.iter().map(|dir| project(&around.path(dir), around));
        settings.projects = once(projects, Project::identity);
        if !settings.has_places() {
            settings.find_places(layers, around);
        }
        settings.host_leases = layers.text("harn.host_leases").map(|path| around.path(path)).or_else(|| {
            let var = |name: &str| around.env.get(name).filter(|dir| !dir.is_empty()).map(Path::new);
            let usual = host_leases(var("HARN_HOST_LEASE_ROOT"), var("HARN_HOME"), around.home.as_deref());
            usual.filter(|_| !settings.projects.is_empty())
        });
        Ok(settings)
    }

    fn without_places(layers: &Layers, mesh: Option<&str>, around: &Surroundings) -> Self {
        let path = |name| layers.text(name).map(|path| around.path(path));
        let user = || around.env.get("USER").or_else(|| around.env.get("LOGNAME")).cloned();
        let limits = Limits {
            live_rows: small(number(layers, "limits.live_rows")),
            window: small(number(layers, "limits.window")),
            ..Limits::default()
        };
        let journal = path("journal").unwrap_or_else(|| around.journal_file());
        Self {
            mesh: mesh.unwrap_or("mesh").to_owned(),
            databases: Vec::new(),
            controls: Vec::new(),
            registry: None,
            projects: Vec::new(),
            host_leases: None,
            looked_at: Vec::new(),
            repo: layers.text("repo").map(str::to_owned),
            interval: duration(layers, "interval"),
            idle_interval: duration(layers, "idle_interval"),
            timeout: duration(layers, "timeout"),
            read_only: layers.text("read_only") == Some("true"),
            operator: layers.text("operator").map(str::to_owned).or_else(user),
            theme: layers.text("theme").unwrap_or("auto").to_owned(),
            color: layers.text("color") == Some("true"),
            unicode: layers.text("unicode").unwrap_or("auto").to_owned(),
            mouse: layers.text("mouse") == Some("true"),
            local_clock: layers.text("clock") == Some("local"),
            wall: Wall {
                stay: duration(layers, "wall.stay"),
                views: Vec::new(),
                night: layers.text("wall.night").and_then(night),
            },
            log_file: path("log_file"),
            events: path("events").unwrap_or_else(|| journal.with_file_name("events.jsonl")),
            journal,
            alarms: alarms(layers),
            hold: duration(layers, "actions.hold"),
            snapshot_dir: path("snapshot.dir"),
            snapshot_max_bytes: number(layers, "snapshot.max_bytes"),
            tls: Tls { ca_file: path("tls.ca_file"), cert_file: path("tls.cert_file"), key_file: path("tls.key_file") },
            remote_max_answer: number(layers, "limits.remote_answer_bytes"),
            work_tree: layers.text("work_tree").map(|path| around.path(path)),
            control_agents: layers.get("control_agents").texts.clone(),
            control_max_answer: number(layers, "limits.control_answer_bytes"),
            limits,
            thresholds: Thresholds {
                stale_ms: millis(layers, "thresholds.stale"),
                stuck_ms: millis(layers, "thresholds.stuck"),
                poison_attempts: i64::try_from(number(layers, "thresholds.poison")).unwrap_or(i64::MAX),
                expiring_ms: millis(layers, "thresholds.expiring"),
                old_ms: millis(layers, "thresholds.old"),
                starved_ms: millis(layers, "thresholds.starved"),
                renewals: i64::try_from(number(layers, "thresholds.renewals")).unwrap_or(i64::MAX),
            },
        }
    }

    fn find_places(&mut self, layers: &Layers, around: &Surroundings) {
        let direct = layers.text("db_access") == Some("direct");
        for path in around.database_files() {
            if path.is_file() {
                self.databases.push(Database::File { path, direct });
            } else {
                self.looked_at.push(path);
            }
        }
        let tree = around.current_dir.ancestors().find(|dir| dir.join(".harn").is_dir());
        let found = project(tree.unwrap_or(&around.current_dir), around);
        if found.is_there() {
            self.projects.push(found);
        } else {
            self.looked_at.push(found.log.path().to_owned());
        }
        match around.registry_file() {
            Some(path) if path.is_file() => self.registry = Some(path),
            other => self.looked_at.extend(other),
        }
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
        let projects = self.projects.iter().map(|project| project.tree.clone());
        let here = std::env::current_dir().ok().map(|folder| work::tree_of(&folder));
        self.work_tree.iter().cloned().chain(projects).chain(here).collect()
    }

    /// Who is named in the journal.
    #[must_use]
    pub fn operator_name(&self) -> String {
        self.operator.clone().unwrap_or_else(|| "unknown".into())
    }

    /// Whether there is anything to watch.
    #[must_use]
    pub fn has_places(&self) -> bool {
        !self.databases.is_empty()
            || !self.controls.is_empty()
            || self.registry.is_some()
            || !self.projects.is_empty()
            || self.host_leases.is_some()
    }
}

/// The project at a folder. What the environment says of a state root is for folders that have none of their own.
/// Each thing once, however often it was named.
fn once<T, K: PartialEq>(all: impl IntoIterator<Item = T>, identity: impl Fn(&T) -> K) -> Vec<T> {
    let (mut kept, mut known) = (Vec::new(), Vec::new());
    for one in all {
        let name = identity(&one);
        if !known.contains(&name) {
            known.push(name);
            kept.push(one);
        }
    }
    kept
}

impl Database {
    /// What tells it from other databases: where it is.
    fn identity(&self) -> String {
        match self {
            Self::File { path, .. } => {
                let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                real.display().to_string()
            }
            Self::Remote { url, .. } | Self::Replica { url, .. } => url.as_str().to_owned(),
        }
    }
}

fn project(dir: &Path, around: &Surroundings) -> Project {
    let var = |name: &str| around.env.get(name).filter(|value| !value.is_empty());
    let backend = var("HARN_EVENT_LOG_BACKEND").map(String::as_str);
    let own = Project::at(dir, None, None).by_backend(backend);
    if own.is_there() {
        return own;
    }
    let path = |name: &str| var(name).map(Path::new);
    Project::at(dir, path("HARN_STATE_DIR"), path("HARN_EVENT_LOG_SQLITE_PATH")).by_backend(backend)
}

fn databases(layers: &Layers, around: &Surroundings) -> Result<Vec<Database>, ConfigError> {
    let value = layers.get("db");
    let direct = layers.text("db_access") == Some("direct");
    let token = token(layers, "token", around);
    let replica = layers.text("replica_path").map(|path| around.path(path));
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
                    let every = duration(layers, "sync_interval");
                    Database::Replica { url, path: path.clone(), token: token.clone(), every }
                }
                None => Database::Remote { url, token: token.clone() },
            });
        } else if address::holds_token(place) {
            let todo = "write a path or an address; a token goes to --token-file, --token-env or token_command";
            return Err(ConfigError::new(&value.origin, "a database path seems to hold a token", todo));
        } else {
            found.push(Database::File { path: around.path(place), direct });
        }
    }
    Ok(found)
}

fn controls(layers: &Layers, around: &Surroundings) -> Result<Vec<Control>, ConfigError> {
    let value = layers.get("control");
    let token = token(layers, "control_token", around);
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

/// The token's place with the highest-ranking origin; a variable only if it is set.
fn token(layers: &Layers, prefix: &str, around: &Surroundings) -> Option<Token> {
    let key = |suffix: &str| format!("{prefix}_{suffix}");
    if let Some(path) = layers.text(&key("file")) {
        return Some(Token::File(around.path(path)));
    }
    let command = &layers.get(&key("command")).texts;
    if !command.is_empty() {
        return Some(Token::Command(command.clone()));
    }
    let name = layers.text(&key("env"))?;
    let asked_for = layers.get(&key("env")).origin != super::Origin::Default;
    (asked_for || around.env.get(name).is_some_and(|v| !v.is_empty())).then(|| Token::Env(name.to_owned()))
}

fn alarms(layers: &Layers) -> Alarms {
    let from = |name| layers.text(name).and_then(|word| word.parse().ok());
    Alarms {
        rules: Rules {
            raise_after_ms: millis(layers, "alarms.raise_after"),
            clear_after_ms: millis(layers, "alarms.clear_after"),
            ..Rules::default()
        },
        bell: from("alarms.bell"),
        notify: from("alarms.notify"),
        hook_from: from("alarms.hook"),
        hook: layers.get("on_finding").texts.clone(),
        hook_timeout: duration(layers, "alarms.hook_timeout"),
        title: layers.text("alarms.title") == Some("true"),
        known_for: duration(layers, "alarms.known_for"),
    }
}

// The layers hold only values that were checked against their kind.
fn duration(layers: &Layers, name: &str) -> Duration {
    layers.text(name).and_then(|text| humantime::parse_duration(text).ok()).unwrap_or(Duration::from_secs(1))
}

fn millis(layers: &Layers, name: &str) -> Millis {
    time::millis(duration(layers, name))
}

fn number(layers: &Layers, name: &str) -> u64 {
    layers.text(name).and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn small(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX).min(10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_an_address_is_refused() {
        let mut layers = Layers::default();
        layers.set("db", vec!["libsql://x?authToken=abc".into()], super::super::Origin::Flag("--db")).unwrap();
        let error = Settings::resolve(&layers, None, &Surroundings::default()).unwrap_err();
        assert!(error.to_string().contains("--token-file"), "{error}");
        assert!(!error.to_string().contains("abc"));
    }
}
