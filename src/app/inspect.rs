//! What is known about one thing, as lines: facts, evidence, and links to what touches it.

use super::view_id::ViewId;
use crate::columns::role::Role;
use crate::model::text::{scrub, truncate_bytes};
use crate::model::time::{Millis, dated, short, utc};

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
        /// The instant that the value begins with, if it does.
        at: Option<Millis>,
    },
    /// Leads to another thing.
    Link {
        label: String,
        value: String,
        role: Role,
        target: Target,
    },
    Text(String, Role),
    /// A line of a picture: pieces, each with its meaning.
    Picture(Vec<(String, Role)>),
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
        self.lines.push(Line::Field { label, value: value.to_string(), role: Role::Normal, at: None });
    }
    /// A fact that may be unknown.
    pub fn opt(&mut self, label: &'static str, value: Option<impl ToString>) {
        match value {
            Some(value) => self.field(label, value),
            None => self.lines.push(Line::Field { label, value: "unknown".into(), role: Role::Unknown, at: None }),
        }
    }
    /// A result.
    pub fn state(&mut self, label: &'static str, state: &impl crate::columns::role::State) {
        let value = format!("{} {state}", state.glyph());
        self.lines.push(Line::Field { label, value, role: state.role(), at: None });
    }
    /// An instant, and how long ago it is or how soon.
    pub fn instant(&mut self, label: &'static str, at: Option<Millis>, now: Millis) {
        let Some(at) = at else { return self.opt(label, None::<String>) };
        let away = now.saturating_sub(at);
        let rest = if away >= 0 { format!("  {} ago", short(away)) } else { format!("  in {}", short(-away)) };
        self.when(label, at, &rest);
    }
    /// An instant, and what is to be said after it.
    pub fn when(&mut self, label: &'static str, at: Millis, rest: &str) {
        self.lines.push(Line::Field { label, value: utc(at) + rest, role: Role::Normal, at: Some(at) });
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

    /// The same with its instants on a clock that is ahead of UTC by so much at each of them. Names stay as they are,
    /// whatever they look like.
    #[must_use]
    pub fn in_zone(mut self, offset: impl Fn(Millis) -> Millis) -> Self {
        for line in &mut self.lines {
            if let Line::Field { value, at: Some(at), .. } = line {
                value.replace_range(..utc(*at).len(), &dated(*at, offset(*at)));
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

    /// E5: a lock may be called what it likes.
    #[test]
    fn an_instant_is_shown_in_a_zone_and_a_name_that_looks_like_one_is_not() {
        let at = 1_000_000_001_000;
        let mut page = Inspection::titled("lock deploy-05:08:45Z");
        page.field("lock", "deploy-05:08:45Z");
        page.text("2001-09-09 01:46:41Z is its name", Role::Normal);
        page.instant("acquired", Some(at), at + 2_000);
        page.instant("expires", Some(Millis::MAX), at);
        let page = page.in_zone(|_| 9 * 3_600_000);
        let values: Vec<_> = page
            .lines
            .iter()
            .map(|line| match line {
                Line::Field { value, .. } | Line::Text(value, _) => value.as_str(),
                _ => "",
            })
            .collect();
        let named = ["deploy-05:08:45Z", "2001-09-09 01:46:41Z is its name"];
        assert_eq!(values[..2], named);
        assert_eq!(values[2], "2001-09-09 10:46:41+09:00  2s ago");
        assert!(values[3].starts_with("unknown  in "), "{}", values[3]);
    }
}
