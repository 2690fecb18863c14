//! What is known about one thing, as lines: facts, evidence, and links to what touches it.

use super::role::Role;
use super::views::ViewId;
use crate::text::{scrub, truncate_bytes};
use crate::time::{Millis, short, utc};

/// The most lines of one JSON document.
const MAX_JSON_LINES: usize = 400;
/// Containers that take more lines than this are folded below the first level.
const FOLD_OVER: usize = 6;

/// Everything about one thing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inspection {
    pub title: String,
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    Heading(String),
    Field {
        label: &'static str,
        value: String,
        role: Role,
    },
    /// Leads to another thing.
    Link {
        label: String,
        value: String,
        role: Role,
        target: Target,
    },
    Text(String, Role),
    /// A JSON document, drawn folded or open.
    Json {
        folded: Vec<String>,
        open: Vec<String>,
    },
}

/// A thing in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub view: ViewId,
    pub key: String,
}

impl Inspection {
    /// An empty one with a title.
    #[must_use]
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), lines: Vec::new() }
    }
    /// Starts a part.
    pub fn heading(&mut self, text: impl Into<String>) {
        if !self.lines.is_empty() {
            self.lines.push(Line::Text(String::new(), Role::Normal));
        }
        self.lines.push(Line::Heading(text.into()));
    }
    /// A fact.
    pub fn field(&mut self, label: &'static str, value: impl ToString) {
        self.lines.push(Line::Field { label, value: value.to_string(), role: Role::Normal });
    }
    /// A fact that may be unknown.
    pub fn opt(&mut self, label: &'static str, value: Option<impl ToString>) {
        match value {
            Some(value) => self.field(label, value),
            None => self.lines.push(Line::Field { label, value: "unknown".into(), role: Role::Unknown }),
        }
    }
    /// A judgement.
    pub fn state(&mut self, label: &'static str, state: &impl super::role::State) {
        let value = format!("{} {state}", state.glyph());
        self.lines.push(Line::Field { label, value, role: state.role() });
    }
    /// An instant, and how long ago it is or how soon.
    pub fn instant(&mut self, label: &'static str, at: Option<Millis>, now: Millis) {
        let value = at.map(|at| {
            let away = now - at;
            if away >= 0 {
                format!("{}  {} ago", utc(at), short(away))
            } else {
                format!("{}  in {}", utc(at), short(-away))
            }
        });
        self.opt(label, value);
    }
    /// A line of prose.
    pub fn text(&mut self, text: impl Into<String>, role: Role) {
        self.lines.push(Line::Text(text.into(), role));
    }
    /// A way to another thing.
    pub fn link(&mut self, view: ViewId, key: String, label: impl Into<String>, value: impl Into<String>, role: Role) {
        self.lines.push(Line::Link { label: label.into(), value: value.into(), role, target: Target { view, key } });
    }
    /// A document: pretty if it is JSON, else its lines as they are.
    pub fn json(&mut self, text: &str) {
        let (folded, open) = match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) => (pretty(&value, true), pretty(&value, false)),
            Err(_) => {
                let lines: Vec<String> =
                    text.lines().take(MAX_JSON_LINES).map(|l| scrub(truncate_bytes(l, 2_000)).into_owned()).collect();
                (lines.clone(), lines)
            }
        };
        self.lines.push(Line::Json { folded, open });
    }

    /// The same with every text put otherwise; documents stay as they came.
    #[must_use]
    pub fn reworded(mut self, word: impl Fn(&str) -> String) -> Self {
        for line in &mut self.lines {
            match line {
                Line::Field { value, .. } | Line::Link { value, .. } => *value = word(value),
                Line::Text(text, _) => *text = word(text),
                Line::Heading(_) | Line::Json { .. } => {}
            }
        }
        self
    }

    /// The lines as they are drawn, one row each: the same for drawing and for moving.
    #[must_use]
    pub fn rows(&self, unfolded: bool) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        for line in &self.lines {
            match line {
                Line::Json { folded, open } => {
                    let shown = if unfolded { open } else { folded };
                    rows.extend(shown.iter().map(|text| Row::Json(text)));
                }
                other => rows.push(Row::Line(other)),
            }
        }
        rows
    }
}

/// One row of an inspection.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    Line(&'a Line),
    Json(&'a str),
}

impl Row<'_> {
    /// Where the row leads.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        match self {
            Row::Line(Line::Link { target, .. }) => Some(target),
            _ => None,
        }
    }
}

/// Pretty-printed, scrubbed, cut to a bound; folded below the first level where a container is long.
#[must_use]
pub fn pretty(value: &serde_json::Value, fold: bool) -> Vec<String> {
    let mut lines = Vec::new();
    print(value, 0, "", "", fold, &mut lines);
    let beyond = lines.len().saturating_sub(MAX_JSON_LINES);
    if beyond > 0 {
        lines.truncate(MAX_JSON_LINES);
        lines.push(format!("… {beyond} more lines"));
    }
    lines
}

fn print(value: &serde_json::Value, depth: usize, before: &str, after: &str, fold: bool, lines: &mut Vec<String>) {
    use serde_json::Value;
    let pad = "  ".repeat(depth.min(40));
    let (open, close, n) = match value {
        Value::Object(map) if !map.is_empty() => ('{', '}', map.len()),
        Value::Array(items) if !items.is_empty() => ('[', ']', items.len()),
        scalar => {
            let text = scalar.to_string();
            let cut = truncate_bytes(&text, 2_000);
            let more = if cut.len() < text.len() { "…" } else { "" };
            lines.push(format!("{pad}{before}{}{more}{after}", scrub(cut)));
            return;
        }
    };
    if fold && depth > 0 && size(value, FOLD_OVER + 1) > FOLD_OVER {
        lines.push(format!("{pad}{before}{open}… {n} {}{close}{after}", if n == 1 { "entry" } else { "entries" }));
        return;
    }
    if lines.len() > 4 * MAX_JSON_LINES {
        return;
    }
    lines.push(format!("{pad}{before}{open}"));
    let comma = |i: usize| if i + 1 < n { "," } else { "" };
    match value {
        Value::Object(map) => {
            for (i, (key, value)) in map.iter().enumerate() {
                let key = format!("{}: ", scrub(&Value::from(key.as_str()).to_string()));
                print(value, depth + 1, &key, comma(i), fold, lines);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                print(value, depth + 1, "", comma(i), fold, lines);
            }
        }
        _ => {}
    }
    lines.push(format!("{pad}{close}{after}"));
}

/// Lines a value takes, counted no further than `most`.
fn size(value: &serde_json::Value, most: usize) -> usize {
    let children: Box<dyn Iterator<Item = &serde_json::Value>> = match value {
        serde_json::Value::Object(map) => Box::new(map.values()),
        serde_json::Value::Array(items) => Box::new(items.iter()),
        _ => return 1,
    };
    let mut lines = 2;
    for child in children {
        if lines > most {
            break;
        }
        lines += size(child, most);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_folded_below_the_first_level_and_bounded() {
        let value = serde_json::json!({"a": 1, "big": {"b": [1, 2, 3, 4, 5, 6, 7]}, "esc": "\u{1b}[31m\u{202e}"});
        let folded = pretty(&value, true);
        assert_eq!(folded[1], "  \"a\": 1,");
        assert_eq!(folded[2], "  \"big\": {… 1 entry},");
        assert!(!folded.concat().contains('\u{1b}') && !folded.concat().contains('\u{202e}'));
        assert!(pretty(&value, false).len() > folded.len());
        let long = serde_json::Value::from((0..10_000).collect::<Vec<_>>());
        assert_eq!(pretty(&long, false).len(), MAX_JSON_LINES + 1);
    }
}
