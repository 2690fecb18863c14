//! The palette: every command by name, and a few that take a word.

use std::time::Duration;

use super::App;
use super::command::{COMMANDS, Command};
use crate::model::text::scrub;

/// What stands for every mesh where a mesh is named.
pub const ALL: &str = "all";

/// What a palette entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Command(Command),
    Theme(String),
    /// A command of the operator's own, by its place.
    Own(usize),
    Interval(Duration),
    Acknowledge(Duration),
    /// Go to an instant, as it is typed.
    At(String),
    Repo(Option<String>),
    Mesh(String),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub help: String,
    pub keys: String,
    pub choice: Choice,
}

/// The entries that fit what was typed, best first.
#[must_use]
pub fn entries(app: &App, typed: &str) -> Vec<Entry> {
    if let Some(entry) = spoken(typed) {
        return vec![entry];
    }
    let hidden = |command| app.options.is_read_only() && super::acts::ACTS.contains(&command);
    let mut all: Vec<Entry> = COMMANDS
        .iter()
        .filter(|info| !hidden(info.command))
        .map(|info| Entry {
            name: info.name.into(),
            help: info.help.into(),
            keys: app.keys(info).join(" "),
            choice: Choice::Command(info.command),
        })
        .collect();
    for (at, own) in app.options.own.iter().enumerate() {
        all.push(Entry {
            name: scrub(&own.title).into_owned(),
            help: scrub(&own.line()).into_owned(),
            keys: own.key.clone().unwrap_or_default(),
            choice: Choice::Own(at),
        });
    }
    let mut add = |name: String, help: &str, choice: Choice| {
        all.push(Entry { name, help: help.into(), keys: String::new(), choice });
    };
    for theme in app.options.themes.iter() {
        let name = format!("theme {}", crate::model::text::scrub(&theme.name));
        add(name, "colours of the screen", Choice::Theme(theme.name.clone()));
    }
    for mesh in &app.options.meshes {
        add(format!("mesh {}", crate::model::text::scrub(mesh)), "open this mesh", Choice::Mesh(mesh.clone()));
    }
    if app.options.meshes.len() > 1 {
        add(format!("mesh {ALL}"), "open every mesh side by side", Choice::Mesh(ALL.into()));
    }
    for repo in app.repositories() {
        let name = format!("repo {}", crate::model::text::scrub(&repo));
        add(name, "show this repository only", Choice::Repo(Some(repo)));
    }
    add("repo all".into(), "show every repository", Choice::Repo(None));
    let names: Vec<String> = all.iter().map(|entry| entry.name.clone()).collect();
    super::filter::rank(typed, &names).into_iter().map(|i| all[i].clone()).collect()
}

/// A command with a word of its own, e.g. `interval 500ms`.
fn spoken(typed: &str) -> Option<Entry> {
    let (verb, word) = typed.trim().split_once(' ')?;
    let word = word.trim();
    let choice = match verb {
        "interval" => Choice::Interval(humantime::parse_duration(word).ok().filter(|d| !d.is_zero())?),
        "acknowledge" => Choice::Acknowledge(humantime::parse_duration(word).ok().filter(|d| !d.is_zero())?),
        "at" => Choice::At(word.to_owned()),
        "repo" if word != "all" && word.len() >= 8 => Choice::Repo(Some(word.to_owned())),
        _ => return None,
    };
    Some(Entry { name: typed.trim().to_owned(), help: String::new(), keys: String::new(), choice })
}
