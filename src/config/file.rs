//! The file: TOML, with `[mesh.NAME]` tables. Every mistake names its line.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::Table;
use super::layers::Value;
use super::{ConfigError, Layers, Origin};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Values in the order in which they stand: name, texts, line, and the mesh they are for.
#[derive(Debug, Default)]
pub struct File {
    /// Entries of `[[command]]`, in order.
    pub commands: Vec<Entry>,
    values: Vec<(String, Vec<String>, Origin)>,
    /// Names of meshes, in order.
    pub meshes: Vec<String>,
}

/// A table of a list of tables: its values by their names.
#[derive(Debug, Clone)]
pub struct Entry {
    pub origin: Origin,
    pub values: BTreeMap<String, Value>,
}

/// The most entries of such a list.
const MAX_ENTRIES: usize = 200;

impl File {
    /// Reads a file.
    pub fn read(path: &Path, table: &Table) -> Result<Self, ConfigError> {
        let place = path.display();
        let size = std::fs::metadata(path).map(|meta| meta.len());
        if size.as_ref().is_ok_and(|n| *n > MAX_FILE) {
            return Err(ConfigError::new(place, "larger than 1 MiB", "this is no configuration file"));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError::new(place, e.to_string(), "correct the path, or its rights"))?;
        Self::parse(&text, path, table)
    }

    /// Reads a text that stands at `path`.
    pub fn parse(text: &str, path: &Path, table: &Table) -> Result<Self, ConfigError> {
        let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let parsed = DeTable::parse(text).map_err(|e| {
            let place = format!("{}:{}", path.display(), e.span().map_or(1, |span| line(span.start)));
            ConfigError::new(place, e.message().to_owned(), "correct the TOML there")
        })?;
        let mut reader = Reader { file: Self::default(), path, table, line: &line };
        for (key, value) in parsed.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("mesh", DeValue::Table(meshes)) => reader.meshes(meshes)?,
                ("command", _) => reader.commands(value)?,
                (name, _) => reader.value(name, value, None)?,
            }
        }
        Ok(reader.file)
    }

    /// Lays the values for everybody, or those of one mesh, over what is there.
    pub fn apply(&self, layers: &mut Layers, mesh: Option<&str>) -> Result<(), ConfigError> {
        for (name, texts, origin) in &self.values {
            if matches!(origin, Origin::File { mesh: of, .. } if of.as_deref() == mesh) {
                layers.set(name, texts.clone(), origin.clone())?;
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    file: File,
    path: &'a Path,
    table: &'a Table,
    line: &'a dyn Fn(usize) -> usize,
}

impl Reader<'_> {
    fn meshes(&mut self, meshes: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, mesh) in meshes {
            let DeValue::Table(values) = mesh.get_ref() else {
                let place = format!("{}:{}", self.path.display(), (self.line)(mesh.span().start));
                return Err(ConfigError::new(place, "[mesh] holds one table for each mesh", "write [mesh.NAME]"));
            };
            self.file.meshes.push(name.get_ref().to_string());
            for (key, value) in values {
                self.value(key.get_ref(), value, Some(name.get_ref()))?;
            }
        }
        Ok(())
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: (self.line)(at), mesh: None }
    }

    fn commands(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
        let refused =
            |origin| ConfigError::new(origin, "command holds one table for each command", "write [[command]]");
        let DeValue::Array(items) = value.get_ref() else { return Err(refused(self.origin(value.span().start))) };
        for item in items.iter().take(MAX_ENTRIES) {
            let origin = self.origin(item.span().start);
            let DeValue::Table(table) = item.get_ref() else { return Err(refused(origin)) };
            let mut values = BTreeMap::new();
            for (key, value) in table {
                let origin = self.origin(value.span().start);
                let texts = match value.get_ref() {
                    DeValue::Array(items) => items.iter().map(|item| scalar(item.get_ref())).collect(),
                    other => scalar(other).map(|text| vec![text]),
                };
                let Some(texts) = texts else {
                    let what = format!("{} holds a value of no use here", crate::model::text::scrub(key.get_ref()));
                    return Err(ConfigError::new(origin, what, "write a text, a list of texts, true or false"));
                };
                values.insert(key.get_ref().to_string(), Value { texts, origin });
            }
            self.file.commands.push(Entry { origin, values });
        }
        Ok(())
    }

    fn value(&mut self, name: &str, value: &Spanned<DeValue<'_>>, mesh: Option<&str>) -> Result<(), ConfigError> {
        let line = (self.line)(value.span().start);
        let origin = Origin::File { path: self.path.to_owned(), line, mesh: mesh.map(str::to_owned) };
        let texts = match value.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in table {
                    self.value(&format!("{name}.{}", key.get_ref()), value, mesh)?;
                }
                return Ok(());
            }
            DeValue::Array(items) => items.iter().map(|item| scalar(item.get_ref())).collect::<Option<Vec<_>>>(),
            other => scalar(other).map(|text| vec![text]),
        };
        let Some(texts) = texts else {
            return Err(ConfigError::new(
                origin,
                format!("{name} holds a value of no use here"),
                "write a text, a number, true or false",
            ));
        };
        // A table that is switched on or off as a whole.
        let switch = format!("{name}.on");
        let is_switch = matches!(value.get_ref(), DeValue::Boolean(_)) && self.table.find(&switch).is_some();
        let name = if is_switch { &switch } else { name };
        // Checked here too, so that a mistake in a mesh that is not open is still found.
        Layers::new(self.table.clone()).set(name, texts.clone(), origin.clone())?;
        self.file.values.push((name.to_owned(), texts, origin));
        Ok(())
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(n) => Some(n.to_string()),
        DeValue::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{Key, Kind};
    use super::*;

    const OF_A_SYSTEM: &[Key] = &[Key { name: "db", kind: Kind::List, default: "", help: "" }];

    fn table() -> Table {
        Table::with([OF_A_SYSTEM])
    }

    fn parse(text: &str) -> Result<File, ConfigError> {
        File::parse(text, Path::new("c.toml"), &table())
    }

    #[test]
    fn meshes_and_tables_are_read_with_their_lines() {
        let file =
            parse("interval = \"2s\"\n\n[snapshot]\nmax_bytes = 10\n[mesh.prod]\ndb = [\"a.db\", \"b.db\"]\n").unwrap();
        let mut layers = Layers::new(table());
        file.apply(&mut layers, None).unwrap();
        assert_eq!(layers.text("interval"), Some("2s"));
        assert_eq!(layers.get("snapshot.max_bytes").origin.to_string(), "c.toml:4");
        assert!(layers.get("db").texts.is_empty());
        assert_eq!(parse("[mesh.z]\n[mesh.a]\n[mesh.m]\n").unwrap().meshes, ["z", "a", "m"], "in their order");
        file.apply(&mut layers, Some("prod")).unwrap();
        assert_eq!(layers.get("db").texts, ["a.db", "b.db"]);
        assert_eq!(layers.get("db").origin.to_string(), "c.toml:6 [mesh.prod]");
        assert_eq!(file.meshes, ["prod"]);
    }

    #[test]
    fn a_table_is_switched_off_by_its_name() {
        for text in ["record = false", "record.on = false", "[record]\non = false"] {
            let mut layers = Layers::new(table());
            parse(text).unwrap().apply(&mut layers, None).unwrap();
            assert!(!layers.is_on("record.on"), "{text}");
        }
        assert!(parse("record = 3").is_err());
    }

    #[rstest::rstest]
    #[case("intervall = \"1s\"", "c.toml:1: there is no setting \"intervall\"; did you mean \"interval\"?")]
    #[case("\ninterval = 3", "c.toml:2: \"3\" is no value for interval; write a time span")]
    #[case("unicode = \"pink\"", "write one of auto, always")]
    #[case("db = \"a", "c.toml:1: ")]
    #[case(
        "[mesh.prod]\nread_only = \"maybe\"",
        "c.toml:2 [mesh.prod]: \"maybe\" is no value for read_only; write true or false"
    )]
    #[case("mesh = 3", "there is no setting \"mesh\"")]
    fn mistakes_name_the_place_and_the_fix(#[case] text: &str, #[case] expected: &str) {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
