//! The configuration while the program runs: it is read again when its files change, and a wrong one changes nothing.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::app::Options;
use crate::settings::Settings;

/// Files of a folder that are looked at, at most.
const FILES: usize = 200;

/// What the files say now.
pub struct Reloaded {
    pub options: Options,
    /// The meshes that are open; nothing where they do not come from the configuration.
    pub meshes: Option<Vec<Settings>>,
}

/// Reads everything again, with the meshes that were asked for while the program ran.
pub type Load = Box<dyn Fn(Option<&str>) -> anyhow::Result<Reloaded> + Send>;

/// The files that a configuration is made of, as they were last seen.
pub struct ConfigWatch {
    /// Files, and folders with files.
    paths: Vec<PathBuf>,
    seen: Vec<Seen>,
    load: Load,
    asked: Option<String>,
    /// What the screen was told last.
    pub options: Options,
    /// What the meshes were last made from.
    meshes: String,
}

/// A file as it was seen: its name, when it was written, how long it is.
type Seen = (PathBuf, Option<SystemTime>, u64);

impl ConfigWatch {
    /// Remembers the files as they are now, and what was made of them.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, load: Load, options: Options, meshes: &[Settings]) -> Self {
        let seen = look(&paths);
        Self { paths, seen, load, asked: None, options, meshes: made_from(meshes) }
    }

    /// Reads the configuration where a file changed since the last look.
    pub fn changed(&mut self) -> Option<anyhow::Result<Reloaded>> {
        let now = look(&self.paths);
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some((self.load)(self.asked.as_deref()))
    }

    /// Other meshes are open now.
    pub fn opened(&mut self, asked: &str, meshes: &[Settings]) {
        self.asked = Some(asked.to_owned());
        self.meshes = made_from(meshes);
    }

    /// Whether meshes are to be opened anew: something else than the screen changed.
    #[must_use]
    pub fn meshes_changed(&self, meshes: &[Settings]) -> bool {
        made_from(meshes) != self.meshes
    }

    /// They were opened.
    pub fn reopened(&mut self, meshes: &[Settings]) {
        self.meshes = made_from(meshes);
    }
}

/// What meshes are made from, without what the screen alone goes by.
fn made_from(meshes: &[Settings]) -> String {
    let of = |mesh: &Settings| format!("{:?}", mesh.without_screen());
    meshes.iter().map(of).collect()
}

fn look(paths: &[PathBuf]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files = std::fs::read_dir(path).into_iter().flatten().take(FILES);
            seen.extend(files.filter_map(|file| Some(state(&file.ok()?.path()))));
        } else {
            seen.push(state(path));
        }
    }
    seen.sort();
    seen
}

fn state(path: &Path) -> Seen {
    let meta = std::fs::metadata(path).ok();
    let written = meta.as_ref().and_then(|meta| meta.modified().ok());
    (path.to_owned(), written, meta.map_or(0, |meta| meta.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_come_change_and_go_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (config, themes) = (folder.path().join("config.toml"), folder.path().join("themes"));
        let paths = vec![config.clone(), themes.clone()];
        let mut last = look(&paths);
        let mut differs = || {
            let now = look(&paths);
            std::mem::replace(&mut last, now.clone()) != now
        };
        assert!(!differs());
        std::fs::write(&config, "theme = \"dark\"").unwrap();
        assert!(differs() && !differs());
        std::fs::write(&config, "theme = \"light\"").unwrap();
        assert!(differs());
        std::fs::create_dir(&themes).unwrap();
        std::fs::write(themes.join("mine.toml"), "").unwrap();
        assert!(differs());
        std::fs::remove_file(&config).unwrap();
        assert!(differs() && !differs());
    }
}
