//! Values and where they came from, one layer over another.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use super::keys::{Key, Kind, Table};
use crate::model::time::{self, Millis};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// A line of the file; the mesh if it stands in one.
    File {
        path: PathBuf,
        line: usize,
        mesh: Option<String>,
    },
    Env(String),
    Flag(&'static str),
    /// Found by looking in the usual places.
    Found,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, mesh: None } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line, mesh: Some(mesh) } => write!(f, "{}:{line} [mesh.{mesh}]", path.display()),
            Self::Env(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "{name}"),
            Self::Found => f.write_str("found"),
        }
    }
}

/// One value: texts, as they would be written without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub texts: Vec<String>,
    pub origin: Origin,
}

/// All values in force.
#[derive(Debug, Clone)]
pub struct Layers {
    table: Table,
    values: BTreeMap<&'static str, Value>,
    /// Keys of commands, by the commands' names.
    keys: BTreeMap<String, Value>,
}

impl Layers {
    /// The defaults of a table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        let value = |key: &Key| Value {
            texts: if key.default.is_empty() { Vec::new() } else { vec![key.default.to_owned()] },
            origin: Origin::Default,
        };
        Self { values: table.iter().map(|key| (key.name, value(key))).collect(), keys: BTreeMap::new(), table }
    }

    /// The table that they are values of.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Lays a value over what is there. It is checked against its kind at once.
    pub fn set(&mut self, name: &str, texts: Vec<String>, origin: Origin) -> Result<(), ConfigError> {
        if let Some(command) = name.strip_prefix("keys.") {
            if let Some(odd) = texts.iter().find(|text| text.is_empty() || text.chars().any(char::is_control)) {
                let what = format!("\"{}\" is no key", crate::model::text::scrub(odd));
                return Err(ConfigError::new(origin, what, "write keys as `lockkeeper keys` does"));
            }
            self.keys.insert(command.to_owned(), Value { texts, origin });
            return Ok(());
        }
        let Some(key) = self.table.find(name) else {
            let todo = match self.table.closest(name) {
                Some(close) => format!("did you mean \"{close}\"?"),
                None => "`lockkeeper config` lists every key".into(),
            };
            return Err(ConfigError::new(origin, format!("there is no setting \"{name}\""), todo));
        };
        check(key, &texts, &origin)?;
        self.values.insert(key.name, Value { texts, origin });
        Ok(())
    }

    /// A value, by name.
    ///
    /// # Panics
    /// If the table of settings has no such name, which is a mistake in this program.
    #[must_use]
    pub fn get(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or_else(|| panic!("{name} is not in the table of settings"))
    }

    /// The keys that commands were given, by the commands' names.
    pub fn bindings(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.keys.iter().map(|(command, value)| (command.as_str(), value))
    }

    /// Every value, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, &Value)> {
        self.table.iter().map(|key| (key, self.get(key.name)))
    }

    /// The first text of a value, if it has one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).texts.first().map(String::as_str).filter(|text| !text.is_empty())
    }

    // The layers hold only values that were checked against their kind.

    /// A time span, by name.
    #[must_use]
    pub fn duration(&self, name: &str) -> Duration {
        self.text(name).and_then(|text| humantime::parse_duration(text).ok()).unwrap_or(Duration::from_secs(1))
    }

    /// A time span in milliseconds, by name.
    #[must_use]
    pub fn millis(&self, name: &str) -> Millis {
        time::millis(self.duration(name))
    }

    /// A number, by name.
    #[must_use]
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    /// A number of rows, by name.
    #[must_use]
    pub fn rows(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX).min(10_000_000)
    }

    /// Whether a switch is on, by name.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }
}

fn check(key: &Key, texts: &[String], origin: &Origin) -> Result<(), ConfigError> {
    let wrong = |text: &str| {
        let what = format!("\"{}\" is no value for {}", crate::model::text::scrub(text), key.name);
        Err(ConfigError::new(origin, what, format!("write {}", key.kind.expects())))
    };
    if key.kind != Kind::List && texts.len() != 1 {
        return wrong(&texts.join(", "));
    }
    for text in texts {
        let fits = match key.kind {
            Kind::Text | Kind::List => !text.chars().any(char::is_control),
            Kind::Duration => humantime::parse_duration(text).is_ok_and(|d| !d.is_zero()),
            Kind::Number => text.parse::<u64>().is_ok_and(|n| n > 0),
            Kind::Bool => matches!(text.as_str(), "true" | "false"),
            Kind::OneOf(words) => words.contains(&text.as_str()),
        };
        if !fits {
            return wrong(text);
        }
    }
    Ok(())
}
