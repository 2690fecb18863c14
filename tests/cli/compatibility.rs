//! What version 0.1 wrote, said and took is still read, said and taken (docs/compatibility.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use lockkeeper::commands::cli::Cli;
use lockkeeper::serve::series::Series;
use serde_json::Value;
use strum::IntoEnumIterator as _;

use crate::support::lockkeeper;

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/v0_1").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(kept(name)).unwrap()
}

fn lines(name: &str) -> BTreeSet<String> {
    read(name).lines().map(str::to_owned).collect()
}

#[test]
fn each_attempt_of_a_journal_is_read() {
    let text = read("journal.jsonl");
    let found = lockkeeper::model::journal::read(text.lines());
    assert_eq!((found.entries.len(), found.odd), (16, 0));
    let told = &found.entries[0];
    assert_eq!((told.operator.as_str(), told.summary.as_str()), ("o", "it was told"));
    assert!(found.entries.iter().all(|entry| entry.kind.is_some()), "an outcome was not understood");
}

#[test]
fn a_history_of_findings_is_read() {
    let text = read("events.jsonl");
    let (events, odd) = lockkeeper::model::event::read(text.lines());
    assert_eq!((events.len(), odd), (25, 0));
}

#[test]
fn a_log_of_changes_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(kept("watch.jsonl"), folder.path().join("watch.jsonl")).unwrap();
    let mut command = lockkeeper();
    // A name without a folder lies in the current one.
    command.current_dir(folder.path()).args(["watch", "--log", "watch.jsonl", "--since", "20", "--db", "none.db"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let changes: Vec<Value> = (0..4).map(|_| serde_json::from_str(&out.next().unwrap().unwrap()).unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let cursors: Vec<_> = changes.iter().map(|change| change["cursor"].as_i64().unwrap()).collect();
    assert_eq!(cursors, [21, 22, 23, 24]);
}

/// Name and type of each metric of a scrape, with the labels of its samples.
fn scraped(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut metrics: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    let mut kind = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            rest.split(' ').nth(1).unwrap().clone_into(&mut kind);
        } else if !line.starts_with('#') {
            let (name, rest) = line.split_once('{').unwrap();
            let labels = rest.split('}').next().unwrap().split("\",").filter_map(|label| label.split('=').next());
            metrics.entry(name.to_owned()).or_insert((kind.clone(), labels.map(str::to_owned).collect()));
        }
    }
    metrics
}

#[test]
fn metrics_keep_name_type_and_labels() {
    let now: BTreeMap<String, _> = Series::iter().map(|one| (one.metric().scraped(), one.metric())).collect();
    let before = scraped(&read("metrics.txt"));
    assert!(before.len() > 15, "{before:?}");
    for (name, (kind, labels)) in before {
        let metric = now.get(&name).unwrap_or_else(|| panic!("{name} is gone"));
        let ends = [
            ("gauge", ""),
            ("gauge", "_seconds"),
            ("counter", "_total"),
            ("counter", "_bytes_total"),
            ("info", "_info"),
        ];
        assert!(ends.contains(&(kind.as_str(), name.strip_prefix(&format!("lockkeeper_{}", metric.name)).unwrap())));
        assert_eq!(labels, metric.labels.iter().map(|label| (*label).to_owned()).collect(), "{name}");
    }
}

/// Every command with its flags and what it takes, as `release --fence`.
fn taken(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
    for argument in command.get_arguments() {
        let name = argument.get_long().map_or_else(|| format!("<{}>", argument.get_id()), |long| format!("--{long}"));
        found.insert(format!("{path} {name}").trim_start().to_owned());
    }
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
        found.insert(path.clone());
        taken(sub, &path, found);
    }
}

#[test]
fn commands_and_flags_stay() {
    let mut now = BTreeSet::new();
    taken(&Cli::command(), "", &mut now);
    let gone: Vec<String> = lines("commands.txt").difference(&now).cloned().collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

#[test]
fn settings_stay() {
    let table = lockkeeper::systems::table();
    let now: BTreeSet<String> = table.iter().map(|key| format!("{} {:?}", key.name, key.kind)).collect();
    let gone: Vec<String> = lines("settings.txt").difference(&now).cloned().collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

/// What a schema says of each field, by its path.
fn fields(schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    match schema {
        Value::Object(parts) => {
            if let Some(kind) = parts.get("type") {
                found.insert(format!("{path}: type"), kind.clone());
            }
            for (name, part) in parts {
                fields(part, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(parts) => parts.iter().for_each(|part| fields(part, path, found)),
        _ => {}
    }
}

#[test]
fn fields_of_documents_keep_name_and_type() {
    for entry in fs::read_dir(kept("schema")).unwrap() {
        let before = entry.unwrap().path();
        let name = before.file_name().unwrap().to_str().unwrap().to_owned();
        let now = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(&name);
        let [before, now] = [before, now].map(|path| {
            let mut found = BTreeMap::new();
            fields(&serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(), "", &mut found);
            found
        });
        assert!(!before.is_empty(), "{name}");
        for (path, kind) in before {
            assert_eq!(now.get(&path), Some(&kind), "{name}: {path}");
        }
    }
}
