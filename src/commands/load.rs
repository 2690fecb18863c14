//! The configuration in force: what file, environment and flags make of the meshes that are asked for.

use std::path::PathBuf;

use crate::app::keymap::Keymap;
use crate::app::own::OwnCommand;
use crate::app::palette::ALL;
use crate::commands::cli::Global;
use crate::config::file::File;
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers, environment};
use crate::data::system::System;
use crate::settings::commands::commands;
use crate::settings::themes::FoundThemes;
use crate::settings::{Settings, bindings};
use crate::systems;

/// The configuration in force.
pub struct LoadedConfig {
    /// What the first of the open meshes is made from.
    pub layers: Layers,
    /// The meshes that are open, at least one.
    pub open: Vec<Settings>,
    /// Names of meshes in the file.
    pub meshes: Vec<String>,
    pub keymap: Keymap,
    /// The operator's own commands.
    pub own: Vec<OwnCommand>,
    pub themes: FoundThemes,
    /// Its files: the one that is used, or that would be; and the folder of themes.
    pub files: Vec<PathBuf>,
}

impl LoadedConfig {
    /// Lays defaults, file, environment and flags over one another.
    pub fn load(global: &Global) -> Result<Self, ConfigError> {
        let host = HostEnv::of_process();
        Self::load_from(global, global.mesh.as_deref(), &host)
    }

    /// The same, with the meshes named.
    pub fn load_from(global: &Global, asked: Option<&str>, host: &HostEnv) -> Result<Self, ConfigError> {
        let table = systems::table();
        let path: Option<PathBuf> =
            global.config.clone().or_else(|| host.env.get("LOCKKEEPER_CONFIG").map(PathBuf::from));
        let usual_path = host.config_file();
        let file = match (&path, &usual_path) {
            (Some(path), _) => File::read(path, &table)?,
            (None, Some(path)) if path.is_file() => File::read(path, &table)?,
            _ => File::default(),
        };
        let path = path.or(usual_path);
        let themes = FoundThemes::beside(path.as_deref());
        let files = path.into_iter().chain(themes.folder.clone()).collect();
        let mut common = Layers::new(table);
        file.apply(&mut common, None)?;
        let usual = || host.env.get("LOCKKEEPER_MESH").cloned().or_else(|| common.text("use_mesh").map(str::to_owned));
        let names = match asked.map(str::to_owned).or_else(usual) {
            Some(written) => named(&written, &file.meshes)?.into_iter().map(Some).collect(),
            None => vec![None],
        };
        if let Some(flag) = global.systems.place().filter(|_| names.len() > 1) {
            return Err(ConfigError::new(
                flag,
                "names a place of one mesh, but several meshes are asked for",
                "leave it out, or name one mesh",
            ));
        }
        // A mesh asked for by name is meant: the environment must not lead to another one.
        let meant = asked.is_some() || names.len() > 1;
        let mut open = Vec::new();
        let mut first = None;
        for name in names {
            let mut layers = common.clone();
            if !meant {
                file.apply(&mut layers, name.as_deref().or(Some("")))?;
            }
            for system in systems::all() {
                system.apply_env(&mut layers, &host.env)?;
            }
            environment::apply(&mut layers, &host.env)?;
            if meant {
                file.apply(&mut layers, name.as_deref())?;
            }
            global.apply(&mut layers)?;
            open.push(Settings::resolve(&layers, name.as_deref(), host)?);
            first.get_or_insert(layers);
        }
        let layers = first.unwrap_or(common);
        let own = commands(&file.commands)?;
        let keymap = Keymap::with(&bindings(&layers))?.with_own(&own)?;
        themes.check(&layers)?;
        Ok(Self { layers, open, meshes: file.meshes, keymap, own, themes, files })
    }

    /// The same, where there must be something to watch.
    pub fn load_places(global: &Global) -> Result<Self, ConfigError> {
        let loaded = Self::load(global)?;
        let Some(empty) = loaded.without_places() else { return Ok(loaded) };
        let places: Vec<_> = empty.looked_at.iter().map(|p| format!("\n  {}", p.display())).collect();
        let of = if loaded.open.len() > 1 { format!(" of mesh {}", empty.mesh) } else { String::new() };
        let kinds: Vec<&str> = systems::all().flat_map(System::kinds).copied().collect();
        let flags = systems::all().flat_map(System::flags).filter(|flag| flag.place);
        let flags: Vec<&str> = flags.map(|flag| flag.name).collect();
        let variables: Vec<&str> = systems::all().flat_map(System::variables).copied().collect();
        Err(ConfigError {
            place: "nothing to watch".into(),
            what: format!("no {}{of} is configured, and none of these exists:{}\n", either(&kinds), places.concat()),
            todo: format!(
                "name one with {} (or {}), or see the product on a simulated mesh: lockkeeper demo",
                either(&flags),
                variables.join(", ")
            ),
        })
    }

    /// A mesh that has nothing to watch.
    #[must_use]
    pub fn without_places(&self) -> Option<&Settings> {
        self.open.iter().find(|mesh| !mesh.has_places())
    }

    /// What is said once for the whole screen is said by the first mesh.
    #[must_use]
    pub fn first(&self) -> &Settings {
        &self.open[0]
    }

    /// The one mesh that is open, for what is done to one.
    pub fn only(&self) -> Result<&Settings, ConfigError> {
        match self.open.as_slice() {
            [only] => Ok(only),
            several => Err(ConfigError::new(
                "--mesh",
                format!("names {} meshes, and this is done to one", several.len()),
                "name one of them",
            )),
        }
    }
}

/// `a, b or c`.
fn either(words: &[&str]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        _ => words.join(""),
    }
}

/// Meshes by what is written for them: a name, several with commas between, or `all`.
pub fn named(written: &str, known: &[String]) -> Result<Vec<String>, ConfigError> {
    let is_known = |name: &str| known.iter().any(|mesh| mesh == name);
    let names: Vec<String> = match written {
        // Whatever a mesh is called, its name is its name.
        name if is_known(name) => vec![name.to_owned()],
        ALL if !known.is_empty() => known.to_vec(),
        several => several.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        let all = if known.is_empty() { "no mesh".to_owned() } else { known.join(", ") };
        return Err(ConfigError {
            place: "--mesh".into(),
            what: format!("there is no mesh \"{name}\" in the configuration"),
            todo: format!("it has {all}; add [mesh.{name}], or name another"),
        });
    }
    let mut once = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    Ok(once)
}
