//! The house keeps to its floors: who may use whom, how large a room may be, and pages that are made from tables.

mod imports;
mod pages;
mod rooms;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{module_of, paths};
use rooms::ROOMS;

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The file without its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name == "testing.rs" || name.starts_with("testing/")
}

/// The room that a path of this crate lies in: the longest module of the table that it begins with.
fn room_of(path: &str) -> Option<&'static str> {
    let inner = path.strip_prefix("crate::")?;
    let lies = |module: &str| inner == module || inner.starts_with(&format!("{module}::"));
    ROOMS.iter().map(|room| room.module).filter(|module| lies(module)).max_by_key(|module| module.len())
}

/// What a file uses that its room may not.
fn violations(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file).join("::");
    let Some(name) = room_of(&module) else { return vec![format!("{file} is in no room")] };
    let room = ROOMS.iter().find(|room| room.module == name).expect("a room of the table");
    let within = |path: &str, module: &str| path == module || path.starts_with(&format!("{module}::"));
    let wrong = |path: &String| match path.strip_prefix("crate::") {
        Some(inner) => {
            let there = room_of(path);
            let allowed = |used: &&str| within(inner, used) && room_of(&format!("crate::{used}")) == there;
            there != Some(name) && there.is_some() && !room.uses.iter().any(allowed)
        }
        None => room.never.iter().any(|never| within(path, never)),
    };
    paths(file, text).iter().filter(|path| wrong(path)).map(|path| format!("{file} uses {path}")).collect()
}

#[test]
fn rooms_use_what_stands_below_them() {
    for (floor, room) in ROOMS.iter().enumerate() {
        for used in room.uses {
            let below = ROOMS[..floor].iter().any(|below| used.starts_with(below.module));
            assert!(below, "{} uses {used}, which does not stand below it", room.module);
        }
    }
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|(name, _)| !is_test(name) && name != "lib.rs" && name != "main.rs")
        .flat_map(|(name, text)| violations(name, text))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_planted_violation_is_caught() {
    for (file, text) in [
        ("mesh/x.rs", "use super::super::app::App;"),
        ("mesh/x.rs", "fn f() { crate::config::load(); }"),
        ("mesh/x.rs", "use std::{fs, io};"),
        ("mesh/derive/x.rs", "use super::super::super::data::vox::schema;"),
        ("data/vox/x.rs", "use super::super::harn::log;"),
        ("app/x.rs", "fn f() -> tokio::time::Sleep { todo!() }"),
        ("attic/x.rs", "use std::io;"),
    ] {
        assert_eq!(violations(file, text).len(), 1, "{file}: {text}");
    }
    assert!(violations("mesh/x.rs", "#[cfg(test)]\nmod tests { use crate::app::App; }").is_empty());
}

/// What names an operating system in the code of a file.
fn names_a_platform(text: &str) -> Vec<&'static str> {
    let libraries = ["std::os::", "rustix", "procfs", "sd_notify", "winapi_util", "tokio::signal"];
    let conditions = ["cfg(unix", "cfg(windows", "cfg(not(unix", "cfg(not(windows", "target_os"];
    libraries.into_iter().chain(conditions).filter(|word| code(text).contains(word)).collect()
}

#[test]
fn one_room_names_operating_systems() {
    let found: Vec<String> = sources()
        .iter()
        .filter(|(name, _)| !is_test(name) && name != "os.rs" && !name.starts_with("os/"))
        .flat_map(|(name, text)| names_a_platform(text).into_iter().map(move |word| format!("{name}: {word}")))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(names_a_platform("#[cfg(target_os = \"linux\")]\nuse std::os::fd::OwnedFd;").len(), 2);
}

/// The functions and types of a file that others may use.
fn offered(text: &str) -> BTreeSet<String> {
    let words = ["pub fn ", "pub async fn ", "pub struct ", "pub enum "];
    let lines = text.lines().map(str::trim_start);
    let names = lines.filter_map(|line| words.iter().find_map(|word| line.strip_prefix(word)));
    names.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

#[test]
fn each_operating_system_has_the_same_functions() {
    let sources = sources();
    let of = |folder: &str| -> BTreeMap<String, BTreeSet<String>> {
        let here =
            sources.iter().filter_map(|(name, text)| Some((name.strip_prefix(folder)?.to_owned(), offered(text))));
        here.collect()
    };
    let unix = of("os/unix/");
    assert!(unix.len() > 4);
    assert_eq!(unix, of("os/windows/"));
}

/// Circles of files: each is a set of files of which each uses the next.
fn circles(room: &str) -> Vec<Vec<String>> {
    let sources = sources();
    let files: BTreeMap<String, &str> = sources
        .iter()
        .filter(|(name, _)| !is_test(name))
        .map(|(name, _)| (module_of(name).join("::"), name.as_str()))
        .collect();
    let owner = |path: &str| {
        let mut path = path;
        loop {
            if let Some(file) = files.get(path) {
                return Some(*file);
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    let inside = |name: &str| name.starts_with(&format!("{room}/")) || name == format!("{room}.rs");
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, text) in sources.iter().filter(|(name, _)| !is_test(name) && inside(name)) {
        let used = paths(name, text);
        let used = used.iter().filter_map(|path| owner(path)).filter(|other| other != name && inside(other));
        uses.insert(name, used.collect());
    }
    let reaches = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(file) = next.pop() {
            for used in uses.get(file.as_str()).into_iter().flatten() {
                if seen.insert((*used).to_owned()) {
                    next.push((*used).to_owned());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<String>> = uses.keys().map(|file| (*file, reaches(file))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, seen) in reached.iter().filter(|(file, seen)| seen.contains(**file)) {
        let back = |other: &&String| reached.get(other.as_str()).is_some_and(|seen| seen.contains(*file));
        circles.insert(seen.iter().filter(back).cloned().collect());
    }
    circles.into_iter().collect()
}

#[test]
fn no_circle_ties_the_files_of_a_room() {
    let found: Vec<String> =
        ["mesh", "app", "demo"].iter().flat_map(|room| circles(room)).map(|circle| circle.join(", ")).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is everybody's names no system: not by a path, which the rooms forbid, and not in a word.
#[test]
fn no_room_but_its_own_names_a_system() {
    let everybodys =
        ["config/", "commands/", "runtime", "app", "ui/", "settings/", "mesh/", "action/", "model/", "data/poller/"];
    let of_all = |name: &str| everybodys.iter().any(|room| name.starts_with(room)) || name == "data/system.rs";
    let mut wrong = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| of_all(name) && !is_test(name)) {
        let lines = code(text).lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines.filter(|line| {
            ["vox", "harn", "populi", "meerkat", "etcd"].iter().any(|word| line.to_lowercase().contains(word))
        }) {
            wrong.push(format!("{name}: {}", line.trim()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_are_small() {
    let mut sizes: Vec<(usize, String)> = sources()
        .into_iter()
        .filter(|(name, _)| !is_test(name))
        .map(|(name, text)| (code(&text).lines().count(), name))
        .collect();
    sizes.sort();
    let median = sizes[sizes.len() / 2].0;
    let p90 = sizes[sizes.len() * 9 / 10].0;
    let (largest, name) = sizes.last().unwrap();
    assert!(median <= 150, "median {median}");
    assert!(p90 <= 400, "p90 {p90}");
    assert!(*largest <= 500, "{name} has {largest} lines");
}

#[test]
fn every_file_says_what_it_is_for() {
    for (name, text) in sources() {
        assert!(text.starts_with("//!"), "{name}");
    }
}

#[test]
fn colours_stand_in_the_theme_alone() {
    for (name, text) in sources().iter().filter(|(name, _)| name != "ui/theme.rs" && !is_test(name)) {
        assert!(!text.contains("Color::"), "{name}");
    }
}

/// The page of keys is made from the table; `UPDATE_DOCS=1 cargo test` writes it anew.
#[test]
fn the_page_of_keys_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md");
    let made = lockkeeper::app::keymap::docs_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &made).unwrap();
    }
    assert_eq!(fs::read_to_string(page).unwrap(), made, "run UPDATE_DOCS=1 cargo test --test architecture");
}

/// A page ends with a part that is made from a table, from its heading on. Where it is asked for, that part is written.
fn assert_ends_with(page: &str, heading: &str, made: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(&page).unwrap();
    let before = text.split(heading).next().unwrap();
    let wanted = format!("{before}{made}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &wanted).unwrap();
    }
    assert_eq!(fs::read_to_string(page).unwrap(), wanted, "run UPDATE_DOCS=1 cargo test --test architecture");
}

/// So is the table of settings, and every finding stands in the guide.
#[test]
fn the_page_of_settings_is_true() {
    use lockkeeper::config::keys::Kind;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut made = String::from("## Every setting\n\n| key | takes | default | meaning |\n|---|---|---|---|\n");
    for key in lockkeeper::systems::table().iter() {
        let takes = match key.kind {
            Kind::Text => "text".to_owned(),
            Kind::List => "list of texts".to_owned(),
            Kind::Duration => "time span".to_owned(),
            Kind::Number => "number".to_owned(),
            Kind::Bool => "true / false".to_owned(),
            Kind::OneOf(words) => format!("`{}`", words.join("` `")),
        };
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        made.push_str(&format!("| `{}` | {takes} | {default} | {} |\n", key.name, key.help));
    }
    assert_ends_with("configuration.md", "## Every setting", &made);
    let guide = fs::read_to_string(docs.join("guide.md")).unwrap();
    let of_systems = lockkeeper::systems::all().flat_map(lockkeeper::data::system::System::rules).map(|rule| rule.name);
    let rules = lockkeeper::mesh::derive::rules::RULES.iter().map(|rule| rule.name).chain(of_systems);
    for rule in rules {
        assert!(guide.contains(&format!("`{rule}`")), "the guide says nothing of {rule}");
    }
}

#[test]
fn the_page_of_metrics_is_true() {
    use lockkeeper::serve::series::{Kind, Series};
    use strum::IntoEnumIterator as _;
    let mut made = String::from("## Every metric\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for metric in Series::iter().map(Series::metric) {
        let kind = match metric.kind {
            Kind::Gauge => "gauge",
            Kind::Seconds => "gauge, seconds",
            Kind::Counter => "counter",
            Kind::Bytes => "counter, bytes",
            Kind::Info => "1",
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        made.push_str(&format!("| `{}` | {kind} | {} | {} |\n", metric.scraped(), labels.join(", "), metric.help));
    }
    assert_ends_with("metrics.md", "## Every metric", &made);
}

#[test]
fn nothing_reads_the_wall_clock_but_the_edge() {
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        let at_the_edge = [
            "runtime",
            "demo/",
            "commands/",
            "data/vox/",
            "data/harn/system.rs",
            "data/meerkat/system.rs",
            "data/consensus/system.rs",
            "clock.rs",
        ];
        let reads = code(text).lines().any(|l| l.contains("wall_clock()") || l.contains("SystemTime::now()"));
        assert!(!reads || at_the_edge.iter().any(|place| name.starts_with(place)), "{name}");
    }
}

/// What `deny.toml` says of crates and sources is held here too, offline; licences and advisories take `cargo deny`.
#[test]
fn dependencies_are_those_that_may_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules: toml::Table = fs::read_to_string(root.join("deny.toml")).unwrap().parse().unwrap();
    let denied = rules["bans"]["deny"].as_array().unwrap();
    let denied: Vec<&str> = denied.iter().filter_map(|ban| ban["crate"].as_str()).collect();
    assert!(denied.contains(&"openssl"));
    let lock: toml::Table = fs::read_to_string(root.join("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let name = package["name"].as_str().unwrap();
        assert!(!denied.contains(&name), "{name} is denied");
        let source = package.get("source").and_then(toml::Value::as_str);
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(source.is_none_or(|source| source == registry), "{name} comes from {source:?}");
    }
}
