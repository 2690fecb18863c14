//! Questions about a mesh, answered from a snapshot: who holds a lock, what is stuck, why something waits. The rows of an
//! answer are those of a snapshot. Pure.

pub mod schema;
mod stuck;
mod who;
mod why;

use serde_json::{Map, Value, json};

use crate::columns::Columns;
use crate::mesh::derive::Snapshot;
use crate::model::text::Text;
use crate::model::time::Millis;

/// The name and version of an answer's JSON.
pub const ANSWER: &str = "lockkeeper.answer.v1";

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Question<'a> {
    /// Who holds a lock, and who waits for it.
    Who(&'a str),
    /// What does not move.
    Stuck,
    /// What a node, an agent or a task waits for, and what waits for it.
    Why(&'a str),
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum Verdict {
    /// Somebody holds it; something is stuck; it is known.
    Yes,
    /// Nobody holds it; nothing is stuck; nothing is called so. All of it was seen.
    No,
    /// Not all of it was seen, and what was seen does not show it.
    Unknown,
}

/// Rows of one part of a snapshot.
#[derive(Debug, Clone)]
pub struct Rows {
    pub part: &'static str,
    pub title: &'static str,
    pub titles: Vec<(&'static str, bool)>,
    pub plain: Vec<Vec<String>>,
    json: Vec<Value>,
}

/// What one mesh says.
#[derive(Debug, Clone)]
pub struct OfMesh {
    pub mesh: Text,
    pub at_ms: Millis,
    /// In words, the first thing first.
    pub sentences: Vec<Text>,
    pub rows: Vec<Rows>,
    /// What may hide more.
    pub unseen: Vec<Text>,
    found: bool,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub verdict: Verdict,
    pub meshes: Vec<OfMesh>,
    question: String,
    name: Option<String>,
}

/// Answers a question about meshes.
#[must_use]
pub fn answer<'s>(question: Question<'_>, snapshots: impl IntoIterator<Item = &'s Snapshot>) -> Answer {
    let of = |snapshot: &Snapshot| match question {
        Question::Who(key) => who::answer(snapshot, key),
        Question::Stuck => stuck::answer(snapshot),
        Question::Why(name) => why::answer(snapshot, name),
    };
    let meshes: Vec<OfMesh> = snapshots.into_iter().map(of).collect();
    let verdict = if meshes.iter().any(|mesh| mesh.found) {
        Verdict::Yes
    } else if meshes.iter().any(|mesh| !mesh.unseen.is_empty()) {
        Verdict::Unknown
    } else {
        Verdict::No
    };
    let name = match question {
        Question::Who(name) | Question::Why(name) => Some(name.to_owned()),
        Question::Stuck => None,
    };
    Answer { verdict, meshes, question: question.to_string(), name }
}

impl Answer {
    /// As JSON: see the schema.
    #[must_use]
    pub fn json(&self) -> Value {
        let meshes: Vec<Value> = self.meshes.iter().map(OfMesh::json).collect();
        json!({
            "schema": ANSWER,
            "question": self.question,
            "name": self.name,
            "answer": self.verdict.to_string(),
            "meshes": meshes,
        })
    }
}

impl OfMesh {
    fn new(snapshot: &Snapshot) -> Self {
        Self {
            mesh: snapshot.mesh.name.clone(),
            at_ms: snapshot.at_ms,
            sentences: Vec::new(),
            rows: Vec::new(),
            unseen: snapshot.unseen(),
            found: false,
        }
    }

    fn sentence(&mut self, text: impl ToString) {
        self.sentences.push(Text::new(&text.to_string()));
    }

    /// Adds rows; a part that has none is left out.
    fn add<'a, T: 'a>(&mut self, columns: &'static Columns<T>, rows: impl IntoIterator<Item = &'a T>) {
        let (mut plain, mut json) = (Vec::new(), Vec::new());
        for row in rows {
            plain.push(columns.plain(row, self.at_ms));
            json.push(columns.json(row, self.at_ms));
        }
        if !json.is_empty() {
            self.rows.push(Rows { part: columns.part, title: columns.title, titles: columns.titles(), plain, json });
        }
    }

    fn json(&self) -> Value {
        let mut out = Map::new();
        out.insert("mesh".into(), self.mesh.raw().into());
        out.insert("observed_at_ms".into(), self.at_ms.into());
        let texts = |texts: &[Text]| texts.iter().map(|text| text.raw().to_owned()).collect::<Vec<_>>();
        out.insert("sentences".into(), texts(&self.sentences).into());
        out.insert("unseen".into(), texts(&self.unseen).into());
        for rows in &self.rows {
            out.insert(rows.part.into(), rows.json.clone().into());
        }
        Value::Object(out)
    }
}

/// Names with commas between; of many, the first ones.
fn listed<'a>(names: impl Iterator<Item = &'a Text>) -> String {
    const MOST: usize = 8;
    let all: Vec<&Text> = names.collect();
    let shown: Vec<String> = all.iter().take(MOST).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, deadlock_of, mesh, silent_mesh, snapshot, starting_mesh};

    fn of(question: Question<'_>, mesh: crate::mesh::MeshState) -> (Verdict, String, Value) {
        let snapshot = snapshot(mesh, NOW);
        let answer = answer(question, [&*snapshot]);
        let sentences: Vec<String> = answer.meshes[0].sentences.iter().map(ToString::to_string).collect();
        let json = answer.json();
        let validator = jsonschema::validator_for(&schema::answer()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
        (answer.verdict, sentences.join("\n"), json)
    }

    #[test]
    fn who_holds_a_lock_under_any_spelling_of_its_name() {
        for key in ["file:src/lexer.rs", "src/lexer.rs", "./src/lexer.rs"] {
            let (verdict, text, json) = of(Question::Who(key), mesh());
            assert_eq!(verdict, Verdict::Yes, "{key}");
            assert!(text.contains("orphaned, held by ci-7") && text.contains("agent 1 is next"), "{text}");
            assert_eq!(json["meshes"][0]["locks"].as_array().map(Vec::len), Some(1));
        }
    }

    #[test]
    fn a_lock_that_nobody_holds_is_free_only_where_all_is_seen() {
        let (verdict, text, _) = of(Question::Who("file:none"), mesh());
        assert_eq!(verdict, Verdict::No, "{text}");
        assert_eq!(of(Question::Who("file:none"), starting_mesh()).0, Verdict::Unknown);
        assert_eq!(of(Question::Who("file:none"), silent_mesh().0).0, Verdict::Unknown);
    }

    #[test]
    fn what_is_stuck_is_listed_and_counted() {
        let (verdict, text, json) = of(Question::Stuck, mesh());
        assert_eq!(verdict, Verdict::Yes);
        assert!(text.contains("1 lock") && text.contains("2 tasks") && text.contains("1 message"), "{text}");
        assert!(json["meshes"][0]["tasks"].is_array());
        let (verdict, text, _) = of(Question::Stuck, deadlock_of(3));
        assert!(verdict == Verdict::Yes && text.contains("deadlock of 3 agents"), "{text}");
    }

    #[test]
    fn why_follows_waits_from_both_ends() {
        let (verdict, text, _) = of(Question::Why("1"), deadlock_of(3));
        assert_eq!(verdict, Verdict::Yes);
        assert!(text.contains("agent 1 waits for") && text.contains("deadlock"), "{text}");
        let (_, node, json) = of(Question::Why("ci-7"), mesh());
        assert!(node.contains("node ci-7 is dead") && node.contains("src/lexer.rs"), "{node}");
        assert_eq!(json["meshes"][0]["nodes"].as_array().map(Vec::len), Some(1));
        let (_, task, _) = of(Question::Why("42"), mesh());
        assert!(task.contains("task 42 is orphaned"), "{task}");
        assert_eq!(of(Question::Why("nobody"), mesh()).0, Verdict::No);
    }
}
