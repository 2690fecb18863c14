//! The parts of a snapshot: their columns, and where a snapshot has their rows.

use serde::ser::{SerializeSeq as _, Serializer};
use serde_json::Value;

use super::row::{Read, Row};
use super::sources::{SOURCES, SourceRow};
use super::{AGENTS, Columns, FINDINGS, GROUPS, LEADERS, LEASES, LOCKS, MESSAGES, NODES, OPLOG, QUEUES, TASKS, schema};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::locks::LockView;
use crate::model::source::Aspect;

/// A part without the type of its rows.
pub trait Part: Sync {
    /// Its name in JSON and for `--view`.
    fn name(&self) -> &'static str;
    fn title(&self) -> &'static str;
    /// What a source must provide to have any.
    fn aspect(&self) -> Option<Aspect>;
    /// Titles of a table of text, and whether each aligns right.
    fn titles(&self) -> Vec<(&'static str, bool)>;
    /// Its rows in plain words, below the titles.
    fn plain(&self, snapshot: &Snapshot) -> Vec<Vec<String>>;
    /// Calls a function with each of its rows.
    fn each(&self, snapshot: &Snapshot, take: &mut dyn FnMut(&dyn Row));
    /// The JSON Schema of its rows.
    fn schema(&self) -> Value;
}

/// Columns, and each of the rows that a snapshot has of them.
struct Of<T: 'static> {
    columns: &'static Columns<T>,
    aspect: Option<Aspect>,
    each: Each<T>,
}

/// Calls a function with each row of a snapshot.
type Each<T> = fn(&Snapshot, &mut dyn FnMut(&T));

impl<T> Part for Of<T> {
    fn name(&self) -> &'static str {
        self.columns.part
    }
    fn title(&self) -> &'static str {
        self.columns.title
    }
    fn aspect(&self) -> Option<Aspect> {
        self.aspect
    }
    fn titles(&self) -> Vec<(&'static str, bool)> {
        self.columns.titles()
    }
    fn plain(&self, snapshot: &Snapshot) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        (self.each)(snapshot, &mut |row| rows.push(self.columns.plain(row, snapshot.at_ms)));
        rows
    }
    fn each(&self, snapshot: &Snapshot, take: &mut dyn FnMut(&dyn Row)) {
        (self.each)(snapshot, &mut |row| take(&Read { columns: self.columns.all, row, now: snapshot.at_ms }));
    }
    fn schema(&self) -> Value {
        schema::part(self.columns)
    }
}

/// The rows of a part as an array of JSON objects. They are many, so none is kept.
pub struct Rows<'a> {
    pub part: &'a dyn Part,
    pub snapshot: &'a Snapshot,
}

impl serde::Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(None)?;
        let mut written = Ok(());
        self.part.each(self.snapshot, &mut |row| {
            if written.is_ok() {
                written = array.serialize_element(row);
            }
        });
        written?;
        array.end()
    }
}

fn queued(snapshot: &Snapshot, each: &mut dyn FnMut(&LockView)) {
    snapshot.locks.iter().filter(|lock| !lock.waiters.is_empty()).for_each(each);
}

/// Every part, in the order in which tables are printed.
pub static PARTS: &[&dyn Part] = &[
    &Of { columns: &SOURCES, aspect: None, each: |s, each| SourceRow::all(s).iter().for_each(each) },
    &Of { columns: &FINDINGS, aspect: None, each: |s, each| s.findings.iter().for_each(|row| each(row)) },
    &Of { columns: &NODES, aspect: Some(Aspect::Nodes), each: |s, each| s.nodes.iter().for_each(each) },
    &Of { columns: &AGENTS, aspect: Some(Aspect::Agents), each: |s, each| s.agents.iter().for_each(|row| each(row)) },
    &Of { columns: &GROUPS, aspect: Some(Aspect::Members), each: |s, each| s.groups.iter().for_each(|row| each(row)) },
    &Of { columns: &LOCKS, aspect: Some(Aspect::Locks), each: |s, each| s.locks.iter().for_each(each) },
    &Of { columns: &QUEUES, aspect: Some(Aspect::Waiters), each: queued },
    &Of { columns: &MESSAGES, aspect: Some(Aspect::Messages), each: |s, each| s.messages.iter().for_each(each) },
    &Of { columns: &TASKS, aspect: Some(Aspect::Tasks), each: |s, each| s.tasks.iter().for_each(each) },
    &Of { columns: &LEASES, aspect: Some(Aspect::Leases), each: |s, each| s.leases.iter().for_each(each) },
    &Of { columns: &LEADERS, aspect: Some(Aspect::Leaders), each: |s, each| s.leaders.iter().for_each(each) },
    &Of { columns: &OPLOG, aspect: Some(Aspect::Log), each: |s, each| s.log.iter().for_each(each) },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// Every part of the schema holds against rows of every kind, and every part has rows here.
    #[test]
    fn rows_are_what_the_schema_says() {
        let (mesh, later) = testing::silent_mesh();
        for snapshot in [testing::snapshot(testing::mesh(), testing::NOW), testing::snapshot(mesh, later)] {
            for part in PARTS {
                let rows = serde_json::to_value(Rows { part: *part, snapshot: &snapshot }).unwrap();
                assert_ne!(rows, serde_json::json!([]), "{} has no row to look at", part.name());
                let validator = jsonschema::validator_for(&part.schema()).unwrap();
                let errors: Vec<_> =
                    validator.iter_errors(&rows).map(|e| format!("{}: {e}", e.instance_path())).collect();
                assert!(errors.is_empty(), "{}: {}", part.name(), errors.join("\n"));
            }
        }
    }

    #[test]
    fn tables_have_a_word_below_every_title() {
        let snapshot = testing::snapshot(testing::mesh(), testing::NOW);
        for part in PARTS {
            let titles = part.titles().len();
            assert!(titles > 0 && part.plain(&snapshot).iter().all(|row| row.len() == titles), "{}", part.name());
        }
    }

    fn names<T>(columns: &Columns<T>) {
        let part = columns.part;
        let mut names: Vec<&str> = columns.all.iter().map(|column| column.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{part} has two columns of one name");
        let mut fields: Vec<&str> = columns.on_screen().map(|(_, screen)| screen.field).collect();
        fields.sort_unstable();
        assert!(fields.windows(2).all(|pair| pair[0] != pair[1]), "{part} has two columns of one field");
        let shown = columns.all.iter().filter(|column| column.screen.is_some()).count();
        assert_eq!(columns.on_screen().count(), shown, "columns of the screen come first in {part}");
    }

    #[test]
    fn a_name_means_one_column() {
        names(&SOURCES);
        names(&FINDINGS);
        names(&NODES);
        names(&AGENTS);
        names(&GROUPS);
        names(&LOCKS);
        names(&QUEUES);
        names(&MESSAGES);
        names(&TASKS);
        names(&LEASES);
        names(&LEADERS);
        names(&OPLOG);
        names(&crate::columns::WAITS);
        names(&crate::columns::EVENTS);
        names(&crate::columns::JOURNAL);
    }
}
