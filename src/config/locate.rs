//! The environment of this process, and where this program keeps its own files.

use std::path::PathBuf;

use super::environment::Env;

/// Where to look: the environment at one instant, so that looking is pure but for `exists`.
#[derive(Debug, Clone, Default)]
pub struct HostEnv {
    pub current_dir: PathBuf,
    pub data_dir: Option<PathBuf>,
    pub home: Option<PathBuf>,
    pub env: Env,
}

impl HostEnv {
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
