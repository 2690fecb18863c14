//! Where Vox keeps its files when nobody says: the usual places, in order.

use std::path::{Path, PathBuf};

use super::environment::Env;

/// Where to look: an instant picture of the surroundings, so that looking is pure but for `exists`.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub current_dir: PathBuf,
    pub data_dir: Option<PathBuf>,
    pub home: Option<PathBuf>,
    pub env: Env,
}

impl Surroundings {
    /// Looks around this process.
    #[must_use]
    pub fn of_process() -> Self {
        use etcetera::BaseStrategy;
        let strategy = etcetera::choose_base_strategy().ok();
        Self {
            current_dir: std::env::current_dir().unwrap_or_default(),
            data_dir: strategy.as_ref().map(BaseStrategy::data_dir),
            home: strategy.as_ref().map(|s| s.home_dir().to_owned()),
            env: std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        }
    }

    /// A path as a person writes it: `~` and `~/` stand for the home folder, in a file and a variable too.
    #[must_use]
    pub fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix('~'), &self.home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        }
    }

    /// Every database file that Vox may have written here, the control plane's first.
    #[must_use]
    pub fn database_files(&self) -> Vec<PathBuf> {
        let mut places = Vec::new();
        match self.env.get("VOX_DATA_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => places.push(Path::new(dir).join("vox.db")),
            None => places.extend(self.data_dir.iter().map(|dir| dir.join("vox").join("vox.db"))),
        }
        let repository =
            self.current_dir.ancestors().find(|dir| dir.join(".vox").is_dir()).unwrap_or(&self.current_dir);
        places.push(repository.join(".vox").join("store.db"));
        places.push(repository.join(".vox/cache/db/local.db"));
        places
    }

    /// The local registry of nodes.
    #[must_use]
    pub fn registry_file(&self) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(".vox/cache/mens/local-registry.json"))
    }

    /// The journal, if nobody names another.
    #[must_use]
    pub fn journal_file(&self) -> PathBuf {
        let base = match self.env.get("XDG_STATE_HOME").filter(|dir| !dir.is_empty()) {
            Some(dir) => PathBuf::from(dir),
            None => self.home.as_ref().map_or_else(|| self.current_dir.clone(), |home| home.join(".local/state")),
        };
        base.join("lockkeeper").join("journal.jsonl")
    }

    /// The configuration file, if nobody names another.
    #[must_use]
    pub fn config_file(&self) -> Option<PathBuf> {
        let base = match self.env.get("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()) {
            Some(dir) => Some(PathBuf::from(dir)),
            None => self.home.as_ref().map(|home| home.join(".config")),
        };
        base.map(|dir| dir.join("lockkeeper").join("config.toml"))
    }
}
