//! Theme files of the operator, beside the configuration file.

use std::path::{Path, PathBuf};

use crate::app::theme::{Theme, Themes};
use crate::config::{ConfigError, Layers};

/// The name that stands for a guess by what the terminal says.
pub const AUTO: &str = "auto";
/// Files that are read at most, and bytes of each.
const FILES: usize = 100;
const MAX_FILE: u64 = 1 << 16;

/// The themes that can be chosen, and the files that cannot be read.
#[derive(Debug, Clone, Default)]
pub struct FoundThemes {
    pub themes: Themes,
    /// Where theme files are looked for.
    pub folder: Option<PathBuf>,
    pub wrong: Vec<(PathBuf, String)>,
}

impl FoundThemes {
    /// Looks into the folder `themes` beside a configuration file.
    #[must_use]
    pub fn beside(config: Option<&Path>) -> Self {
        let folder = config.and_then(Path::parent).map(|folder| folder.join("themes"));
        let entries = folder.as_ref().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "toml"))
            .take(FILES)
            .collect();
        files.sort();
        let (mut own, mut wrong) = (Vec::new(), Vec::new());
        for path in files {
            match read(&path) {
                Ok(theme) => own.push(theme),
                Err(why) => wrong.push((path, why)),
            }
        }
        Self { themes: Themes::with(own), folder, wrong }
    }

    /// Refuses a configuration that names a theme which is not there, or cannot be read.
    pub fn check(&self, layers: &Layers) -> Result<(), ConfigError> {
        let value = layers.get("theme");
        let Some(name) = layers.text("theme").filter(|name| *name != AUTO) else { return Ok(()) };
        if let Some((path, why)) = self.wrong.iter().find(|(path, _)| stem(path) == Some(name)) {
            return Err(ConfigError::new(path.display(), why, "correct the theme, or choose another"));
        }
        if self.themes.find(name).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = self.themes.iter().map(|theme| theme.name.as_str()).collect();
        let what = format!("there is no theme \"{}\"", crate::model::text::scrub(name));
        let own = self.folder.as_ref().map(|folder| format!(", or add it to {}", folder.display())).unwrap_or_default();
        Err(ConfigError::new(&value.origin, what, format!("write one of {AUTO}, {}{own}", names.join(", "))))
    }
}

fn stem(path: &Path) -> Option<&str> {
    path.file_stem().and_then(|name| name.to_str())
}

fn read(path: &Path) -> Result<Theme, String> {
    let name = stem(path)
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        .filter(|name| *name != AUTO)
        .ok_or("a theme is named with letters, digits, - and _")?;
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > MAX_FILE {
        return Err("larger than 64 KiB: this is no theme".into());
    }
    Theme::parse(name, &std::fs::read_to_string(path).map_err(|e| e.to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;
    use crate::config::keys::Table;

    fn chosen(name: &str) -> Layers {
        let mut layers = Layers::new(Table::with([]));
        layers.set("theme", vec![name.into()], Origin::Flag("--theme")).unwrap();
        layers
    }

    #[test]
    fn themes_are_found_beside_the_configuration_and_wrong_ones_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let themes = folder.path().join("themes");
        std::fs::create_dir(&themes).unwrap();
        let good = include_str!("../app/themes/dusk.toml");
        std::fs::write(themes.join("mine.toml"), good).unwrap();
        std::fs::write(themes.join("broken.toml"), "text = 3").unwrap();
        std::fs::write(themes.join("odd name.toml"), good).unwrap();
        std::fs::write(themes.join("note.txt"), "no theme").unwrap();
        let found = FoundThemes::beside(Some(&folder.path().join("config.toml")));
        assert!(found.themes.find("mine").is_some() && found.themes.find("odd name").is_none());
        assert_eq!(found.wrong.len(), 2);
        assert!(["mine", "dark", AUTO].iter().all(|name| found.check(&chosen(name)).is_ok()));
        let broken = found.check(&chosen("broken")).unwrap_err().to_string();
        assert!(broken.contains("broken.toml: line 1") && broken.contains("correct the theme"), "{broken}");
        let none = found.check(&chosen("pink")).unwrap_err().to_string();
        assert!(none.contains("--theme: there is no theme \"pink\"; write one of auto, dark"), "{none}");
    }
}
