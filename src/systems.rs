//! The registry: every system that can be watched, one line each.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::config::keys::Table;
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers};
use crate::data::consensus::system::Consensus;
use crate::data::harn::system::Harn;
use crate::data::meerkat::system::Meerkat;
use crate::data::system::{Places, System};
use crate::data::vox::system::Vox;
use crate::demo;
use crate::demo::Simulation;

/// A system, and what simulates it.
pub struct Entry {
    pub system: &'static dyn System,
    pub demo: Option<&'static dyn Simulation>,
}

/// Every system of this program. The demo begins with the first; the others stand beside it where they are asked for.
static SYSTEMS: &[Entry] = &[
    Entry { system: &Vox, demo: Some(&demo::vox::Simulated) },
    Entry { system: &Harn, demo: Some(&demo::harn::Simulated) },
    Entry { system: &Meerkat, demo: Some(&demo::meerkat::Simulated) },
    Entry { system: &Consensus, demo: Some(&demo::consensus::Simulated) },
];

/// Systems of a program that is made of this library.
static MORE: OnceLock<&'static [Entry]> = OnceLock::new();

/// Adds systems to the registry, before anything else is done. What is added a second time is left out.
pub fn add(more: &'static [Entry]) {
    let _ = MORE.set(more);
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    SYSTEMS.iter().chain(MORE.get().copied().unwrap_or_default())
}

/// Every system of the registry.
pub fn all() -> impl Iterator<Item = &'static dyn System> {
    entries().map(|entry| entry.system)
}

/// What the demo can show, the first of it always.
pub fn demos() -> impl Iterator<Item = &'static dyn Simulation> {
    entries().filter_map(|entry| entry.demo)
}

/// The table of settings, those of every system included.
#[must_use]
pub fn table() -> Table {
    Table::with(all().map(System::settings))
}

/// What one mesh is watched at.
pub struct Found {
    /// The places of each system.
    pub places: Vec<Arc<dyn Places>>,
    /// Usual places that were looked at and are not there.
    pub missing: Vec<PathBuf>,
}

/// The places that the settings name, or, where they name none of any system, the usual ones.
pub fn places(layers: &Layers, host: &HostEnv) -> Result<Found, ConfigError> {
    let places: Vec<_> = all().map(|system| system.configured(layers, host)).collect::<Result<_, _>>()?;
    if places.iter().any(|places| !places.is_empty()) {
        return Ok(Found { places, missing: Vec::new() });
    }
    let (places, missing): (Vec<_>, Vec<_>) = all().map(|system| system.found(layers, host)).unzip();
    Ok(Found { places, missing: missing.concat() })
}
