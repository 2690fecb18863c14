//! The seam of systems: what one says of itself, and what it watches.

use std::collections::HashSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::source::Source;
use super::store::Store;
use crate::action::executor::{Executor, WriteAccess};
use crate::config::environment::Env;
use crate::config::keys::Key;
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers, Origin};
use crate::model::action::Abilities;
use crate::model::source::{Aspect, Identity};
use crate::model::stated::SystemRule;
use crate::model::text::Text;

/// A system that can be watched: one folder, and one line of the registry.
pub trait System: Sync {
    /// Its name, for people and for `--with` of the demo (there in lower case).
    fn name(&self) -> &'static str;

    /// What its places are called, e.g. `database`.
    fn kinds(&self) -> &'static [&'static str];

    /// Its rows of the table of settings.
    fn settings(&self) -> &'static [Key];

    /// Its flags of the command line.
    fn flags(&self) -> &'static [Flag];

    /// Its rules, of what only it has: its sources state what they find.
    fn rules(&self) -> &'static [SystemRule] {
        &[]
    }

    /// Its variables that name a place.
    fn variables(&self) -> &'static [&'static str] {
        &[]
    }

    /// Lays its variables over what is there.
    fn apply_env(&self, _layers: &mut Layers, _env: &Env) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Lays its flags over what is there.
    fn apply_flags(&self, layers: &mut Layers, given: &Given<'_>) -> Result<(), ConfigError> {
        self.flags().iter().try_for_each(|flag| given.set(layers, flag.name, flag.setting))
    }

    /// The places that the settings name.
    fn configured(&self, layers: &Layers, host: &HostEnv) -> Result<Arc<dyn Places>, ConfigError>;

    /// The usual places, where the settings of no system name one; and those that are not there.
    fn found(&self, layers: &Layers, host: &HostEnv) -> (Arc<dyn Places>, Vec<PathBuf>);
}

/// A flag of a system.
#[derive(Debug)]
pub struct Flag {
    /// With its two dashes.
    pub name: &'static str,
    pub value: &'static str,
    pub help: &'static str,
    pub setting: &'static str,
    /// Whether it names a place, and may be given several times.
    pub place: bool,
    /// A flag that cannot stand beside it.
    pub not_with: Option<&'static str>,
}

/// The values of flags, as they were given.
pub struct Given<'a>(pub &'a dyn Fn(&str) -> Vec<String>);

impl Given<'_> {
    /// The values of a flag.
    #[must_use]
    pub fn values(&self, flag: &str) -> Vec<String> {
        (self.0)(flag)
    }

    /// Gives a setting the values of a flag, where there are any.
    pub fn set(&self, layers: &mut Layers, flag: &'static str, setting: &str) -> Result<(), ConfigError> {
        let values = self.values(flag);
        if values.is_empty() { Ok(()) } else { layers.set(setting, values, Origin::Flag(flag)) }
    }
}

/// The places of one system in one mesh.
pub trait Places: Debug + Send + Sync {
    /// Whether there is nothing to watch.
    fn is_empty(&self) -> bool;

    /// One line for each, without secrets.
    fn list(&self) -> Vec<String>;

    /// What would travel unencrypted to another machine: said before anything is sent.
    fn warnings(&self) -> Vec<Text> {
        Vec::new()
    }

    /// Folders that may hold what locks are named after.
    fn work_trees(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// How many of the agents that are known one poll asks for their inboxes; 0 where agents need not be known.
    fn agents_a_poll(&self) -> usize {
        0
    }

    /// Makes the sources, and what acts on them.
    fn connect(&self, to: &mut Connections) -> anyhow::Result<()>;
}

/// The sources of one mesh, and the folder that private copies live in.
pub struct Connections {
    pub sources: Vec<(Identity, Box<dyn Source>)>,
    /// What acts on them, by name; none where this console may not write.
    pub executors: Vec<(Text, Box<dyn Executor>)>,
    /// Dropping it removes the copies.
    pub store: Option<Store>,
    pub access: Option<WriteAccess>,
    read_only: bool,
    copies: Option<PathBuf>,
    names: HashSet<String>,
}

/// What a source is, for people.
pub struct Described<'a> {
    pub system: &'static str,
    pub kind: &'static str,
    pub place: &'a str,
    pub read_by: &'static str,
    pub provides: &'static [Aspect],
    pub rules: &'static [SystemRule],
    pub why_empty: &'static [(&'static str, &'static str)],
    /// What an operator could do there, and why nothing.
    pub can: Abilities,
    pub cannot: Option<String>,
}

impl Connections {
    /// None yet. With the right to write there is also what acts. What could be done is known without it, so that a plan
    /// can be shown by a console that does not run it. `copies` is where private copies go.
    #[must_use]
    pub fn new(access: Option<WriteAccess>, read_only: bool, copies: Option<PathBuf>) -> Self {
        let (sources, executors, names) = (Vec::new(), Vec::new(), HashSet::new());
        Self { sources, executors, store: None, access, read_only, copies, names }
    }

    /// A folder for the private copies of the next source.
    pub fn folder(&mut self) -> anyhow::Result<PathBuf> {
        if self.store.is_none() {
            let store = Store::create(self.copies.as_deref())
                .context("cannot make a private folder for copies; set snapshot.dir to a folder you may write")?;
            self.store = Some(store);
        }
        let store = self.store.as_ref().context("no folder for copies")?;
        Ok(store.folder(&self.sources.len().to_string())?)
    }

    /// Adds a source under a name that no other has.
    pub fn add(&mut self, name: &str, is: Described<'_>, source: Box<dyn Source>, executor: Option<Box<dyn Executor>>) {
        let mut unique = name.to_owned();
        let mut n = 2;
        while !self.names.insert(unique.clone()) {
            unique = format!("{name}#{n}");
            n += 1;
        }
        let name = Text::new(&unique);
        self.executors.extend(executor.map(|executor| (name.clone(), executor)));
        let identity = Identity {
            name,
            system: is.system,
            kind: is.kind,
            place: Text::new(is.place),
            how: is.read_by,
            provides: is.provides,
            rules: is.rules,
            why_empty: is.why_empty,
            can: if self.read_only { Abilities::default() } else { is.can },
            cannot: is.cannot.map(Text::from),
        };
        self.sources.push((identity, source));
    }
}

/// Each thing once, however often it was named.
pub fn once<T, K: PartialEq>(all: impl IntoIterator<Item = T>, identity: impl Fn(&T) -> K) -> Vec<T> {
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

/// Where a file is, wherever the console was started and whatever link it was named by.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    let real = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    real.unwrap_or_else(|_| path.to_owned())
}
