//! The flags of systems, as each describes them.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::app::first::PlaceKind;
use crate::config::{ConfigError, Layers};
use crate::data::system::{Flag, Given, System};
use crate::systems;

/// What was given of them, by name.
#[derive(Debug, Clone, Default)]
pub struct SystemFlags(BTreeMap<&'static str, Vec<String>>);

fn all() -> impl Iterator<Item = &'static Flag> {
    systems::all().flat_map(System::flags)
}

fn id(flag: &str) -> &str {
    flag.trim_start_matches('-')
}

impl SystemFlags {
    /// Lays them over what is there.
    pub fn apply(&self, layers: &mut Layers) -> Result<(), ConfigError> {
        let values = |flag: &str| self.0.get(flag).cloned().unwrap_or_default();
        systems::all().try_for_each(|system| system.apply_flags(layers, &Given(&values)))
    }

    /// The kinds of places that can be named.
    #[must_use]
    pub fn places() -> Vec<PlaceKind> {
        let kind =
            |flag: &Flag| PlaceKind { flag: flag.name, setting: flag.setting, value: flag.value, help: flag.help };
        all().filter(|flag| flag.place).map(kind).collect()
    }

    /// The same with one more place.
    #[must_use]
    pub fn with(mut self, flag: &'static str, value: String) -> Self {
        self.0.entry(flag).or_default().push(value);
        self
    }

    /// The first flag that was given and names a place.
    #[must_use]
    pub fn place(&self) -> Option<&'static str> {
        all().filter(|flag| flag.place).map(|flag| flag.name).find(|name| self.0.contains_key(name))
    }
}

impl FromArgMatches for SystemFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for flag in all() {
            if let Some(values) = matches.get_many::<String>(id(flag.name)) {
                self.0.insert(flag.name, values.cloned().collect());
            }
        }
        Ok(())
    }
}

impl Args for SystemFlags {
    fn augment_args(command: Command) -> Command {
        all().fold(command, |command, flag| {
            let action = if flag.place { ArgAction::Append } else { ArgAction::Set };
            let name = id(flag.name);
            let arg = Arg::new(name).long(name).value_name(flag.value).help(flag.help).action(action).global(true);
            command.arg(match flag.not_with {
                Some(other) => arg.conflicts_with(id(other)),
                None => arg,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
