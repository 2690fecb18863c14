//! The operator's own commands: a program with arguments that are made from the selected thing. Never a shell: what a thing
//! is called stays within its argument. Pure.

use std::time::Duration;

use serde_json::Value;

use super::view_id::ViewId;
use super::views::VIEWS;
use crate::model::outcome::OutcomeKind;
use crate::model::text::scrub;

/// The longest argument, in bytes; Linux takes 128 KiB.
const MAX_ARGUMENT: usize = 64 << 10;
/// What stands for the name of the mesh.
const MESH: &str = "mesh";

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCommand {
    pub title: String,
    /// As it is written; nothing for one that only the palette has.
    pub key: Option<String>,
    /// Where it is offered; empty for every view with a table.
    pub views: Vec<ViewId>,
    /// The program and its arguments.
    pub argv: Vec<Argument>,
    /// It asks before it runs.
    pub confirm: bool,
    /// It asks for the name of the thing.
    pub dangerous: bool,
    /// It changes nothing: a read-only console may run it.
    pub harmless: bool,
    pub output: Output,
    pub timeout: Duration,
    /// Where it is described.
    pub place: String,
}

/// Where the output of a command goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::Display, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Output {
    /// A page of its own.
    Pager,
    /// The last line of the screen.
    Notice,
    Nothing,
}

/// One argument: pieces that are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The field of a row.
    Field(String),
}

impl std::fmt::Display for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Field(field) => write!(f, "{{{field}}}"),
        })
    }
}

impl Argument {
    /// Reads an argument: `{field}` stands for a field of the thing, `{{` and `}}` for braces.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("\"{}\" {what}", scrub(text));
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    plain.push(c);
                }
                '{' => {
                    let mut field = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some('{') | None => return Err(wrong("has { without }; write {{ for a brace")),
                            Some(c) => field.push(c),
                        }
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Field(field));
                }
                '}' => return Err(wrong("has } without {; write }} for a brace")),
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// The fields that it is made from.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Field(field) if field != MESH => Some(field.as_str()),
            _ => None,
        })
    }

    /// The argument for a thing of a mesh. Whatever a field holds, this is one argument.
    fn fill(&self, mesh: &str, value: &impl Fn(&str) -> Option<Value>) -> Result<String, String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Field(field) if field == MESH => text.push_str(mesh),
                Piece::Field(field) => {
                    let known = value(field).and_then(|value| written(&value));
                    text.push_str(&known.ok_or_else(|| format!("{field} is not known of it"))?);
                }
            }
        }
        if text.contains('\0') {
            return Err("a name with a NUL byte can be no argument".into());
        }
        if text.len() > MAX_ARGUMENT {
            return Err("an argument would be longer than 64 KiB".into());
        }
        Ok(text)
    }
}

/// A value as it is written in an argument; nothing for what is not known.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().map(written).collect::<Option<Vec<_>>>().map(|all| all.join(",")),
        other => Some(other.to_string()),
    }
}

/// A command for one thing, as it is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRun {
    pub mesh: usize,
    pub title: String,
    pub argv: Vec<String>,
    pub output: Output,
    pub timeout: Duration,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEnd {
    pub title: String,
    pub kind: OutcomeKind,
    /// How it ended, in words.
    pub summary: String,
    /// What it wrote, at most so much as is shown.
    pub text: String,
    pub output: Output,
}

impl OwnCommand {
    /// Whether it is offered in a view.
    #[must_use]
    pub fn suits(&self, view: ViewId) -> bool {
        VIEWS[view.index()].list.is_some() && (self.views.is_empty() || self.views.contains(&view))
    }

    /// The program and its arguments on one line, as they are configured.
    #[must_use]
    pub fn line(&self) -> String {
        self.argv.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// The program and its arguments for a thing.
    pub fn fill(&self, mesh: &str, value: &impl Fn(&str) -> Option<Value>) -> Result<Vec<String>, String> {
        self.argv.iter().map(|argument| argument.fill(mesh, value)).collect()
    }
}

/// An argument as it is shown to a person: one that could be misread stands in quotes.
#[must_use]
pub fn shown(argument: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+#".contains(c);
    if !argument.is_empty() && argument.chars().all(simple) {
        return argument.to_owned();
    }
    format!("'{}'", scrub(argument))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(argument: &str, name: &str) -> Result<String, String> {
        let value = |field: &str| match field {
            "lock_key" => Some(json!(name)),
            "fence" => Some(json!(7)),
            "agents" => Some(json!(["1", "2"])),
            _ => Some(Value::Null),
        };
        Argument::parse(argument).unwrap().fill("prod", &value)
    }

    #[rstest::rstest]
    #[case("; rm -rf /")]
    #[case("a\nb")]
    #[case("--upload-pack=touch x")]
    #[case("$(id) `id` && id | id > x")]
    #[case("{fence} }{ {{")]
    #[case("  two  words ' \" ")]
    #[case("x\u{1b}[2J\u{202e}")]
    fn whatever_a_thing_is_called_it_is_one_argument_as_it_is(#[case] name: &str) {
        assert_eq!(filled("{lock_key}", name).unwrap(), name);
        assert_eq!(filled("--key={lock_key}!", name).unwrap(), format!("--key={name}!"));
    }

    #[test]
    fn fields_are_written_by_their_kind_and_what_is_not_known_is_refused() {
        assert_eq!(filled("{{{fence}}} of {mesh}: {agents}", "x").unwrap(), "{7} of prod: 1,2");
        assert_eq!(filled("{holder}", "x").unwrap_err(), "holder is not known of it");
        assert!(filled("{lock_key}", "a\0b").unwrap_err().contains("NUL"));
        assert!(filled("{lock_key}", &"x".repeat(MAX_ARGUMENT + 1)).unwrap_err().contains("64 KiB"));
        for odd in ["{lock", "lock}", "{a{b}}"] {
            assert!(Argument::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn an_argument_is_shown_so_that_it_is_not_misread() {
        assert_eq!((shown("--key=a/b"), shown("")), ("--key=a/b".to_owned(), "''".to_owned()));
        assert!(!shown("a\u{1b}[2Jb").contains('\u{1b}'));
        assert_eq!(shown("a b"), "'a b'");
    }
}
