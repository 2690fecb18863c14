//! The registry of systems: which sources a configuration asks for. A new system registers here.

use std::collections::HashSet;
use std::path::Path;

use super::source::{Identity, Source};
use super::vox::backend::{Backend, local, remote, replica};
use super::vox::db::VoxDb;
use super::vox::http::client::Client;
use super::vox::http::{self, ControlPlane};
use super::vox::registry::RegistryFile;
use super::vox::schema;
use super::vox::snapshot::copy::Copier;
use super::vox::snapshot::store::Store;
use crate::clock::wall_clock;
use crate::config::Settings;
use crate::config::settings::Database;
use crate::text::Text;

/// The sources of one mesh, and the folder their private copies live in.
pub struct Sources {
    pub list: Vec<(Identity, Box<dyn Source>)>,
    /// Dropping it removes the copies.
    pub store: Option<Store>,
}

/// Makes every source that the settings name.
pub fn assemble(settings: &Settings) -> anyhow::Result<Sources> {
    let mut builder = Builder { settings, names: HashSet::new(), list: Vec::new(), store: None };
    for database in &settings.databases {
        builder.database(database)?;
    }
    for control in &settings.controls {
        let name = control.base.split("://").last().unwrap_or(&control.base);
        let client = Client::new(
            control.base.clone(),
            control.token.clone(),
            settings.control_max_answer,
            settings.timeout,
            wall_clock,
        );
        builder.add(name, "control plane", &control.base, "HTTP", http::WHY_EMPTY, Box::new(ControlPlane::new(client)));
    }
    if let Some(path) = &settings.registry {
        let place = path.display().to_string();
        builder.add("registry", "registry file", &place, "plain reads", &[], Box::new(RegistryFile::new(path.clone())));
    }
    Ok(Sources { list: builder.list, store: builder.store })
}

struct Builder<'a> {
    settings: &'a Settings,
    names: HashSet<String>,
    list: Vec<(Identity, Box<dyn Source>)>,
    store: Option<Store>,
}

impl Builder<'_> {
    fn database(&mut self, database: &Database) -> anyhow::Result<()> {
        let settings = self.settings;
        let (name, place, how, backend) = match database {
            Database::File { path, direct: true } => {
                let backend = Backend::Owned(local::Owned::new(path.clone()));
                (file_name(path), path.display().to_string(), "direct", backend)
            }
            Database::File { path, direct: false } => {
                let folder = self.folder()?;
                let copier = Copier::new(path.clone(), &folder, settings.snapshot_max_bytes);
                (
                    file_name(path),
                    path.display().to_string(),
                    "snapshot copy",
                    Backend::Copy(local::CopyOf::new(copier)),
                )
            }
            Database::Remote { url, token } => {
                let backend = remote::Remote::new(url.clone(), token.clone(), settings.remote_max_answer);
                (host(url), url.clone(), "remote batch", Backend::Remote(backend))
            }
            Database::Replica { url, path, token, every } => {
                let backend =
                    replica::Replica::new(url.clone(), path.clone(), token.clone(), *every, settings.remote_max_answer);
                (host(url), url.clone(), "replica", Backend::Replica(Box::new(backend)))
            }
        };
        let source = VoxDb::new(backend, settings.limits, wall_clock);
        self.add(&name, "database", &place, how, schema::WHY_EMPTY, Box::new(source));
        Ok(())
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

    fn add(
        &mut self,
        name: &str,
        kind: &'static str,
        place: &str,
        how: &'static str,
        why_empty: &'static [(&'static str, &'static str)],
        source: Box<dyn Source>,
    ) {
        let mut unique = name.to_owned();
        let mut n = 2;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}#{n}");
            n += 1;
        }
        let identity = Identity { name: Text::new(&unique), kind, place: Text::new(place), how, why_empty };
        self.list.push((identity, source));
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn host(url: &str) -> String {
    url.split("://").last().unwrap_or(url).to_owned()
}
