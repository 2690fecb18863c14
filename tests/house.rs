//! The house keeps to its floors: who may use whom, how large a room may be, and pages that are made from tables.

use std::fs;
use std::path::{Path, PathBuf};

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
    name.ends_with("/tests.rs") || name == "testing.rs"
}

#[test]
fn facts_flow_one_way() {
    // (who, may not use)
    let rules: &[(&str, &[&str])] = &[
        (
            "data/derive/",
            &[
                "crate::app",
                "crate::ui",
                "crate::runtime",
                "crate::config",
                "crate::oneshot",
                "data::vox",
                "tokio",
                "std::fs",
            ],
        ),
        (
            "data/mesh/",
            &["crate::app", "crate::ui", "crate::runtime", "crate::config", "data::vox", "tokio", "std::fs"],
        ),
        ("data/model.rs", &["crate::app", "crate::ui", "crate::runtime", "crate::config", "data::vox", "tokio"]),
        ("data/", &["crate::app", "crate::ui", "crate::runtime", "crate::oneshot", "ratatui", "crossterm"]),
        (
            "app",
            &["crate::ui", "crate::runtime", "crate::config", "data::vox", "ratatui", "tokio", "std::fs", "SystemTime"],
        ),
        ("ui/", &["crate::runtime", "crate::config", "data::vox", "tokio", "std::fs", "SystemTime", "crate::oneshot"]),
    ];
    let mut wrong = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        for (who, forbidden) in rules.iter().filter(|(who, _)| name.starts_with(who)) {
            for line in code(text).lines().filter(|l| !l.trim_start().starts_with("//")) {
                for word in forbidden.iter().filter(|word| line.contains(**word)) {
                    wrong.push(format!("{name} ({who}) uses {word}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_screen_and_the_app_know_no_system_by_name() {
    for (name, text) in
        sources().iter().filter(|(name, _)| (name.starts_with("ui/") || name.starts_with("app")) && !is_test(name))
    {
        let text = code(text).to_lowercase();
        for word in ["vox", "harn"] {
            assert!(!text.contains(word), "{name} says {word}");
        }
    }
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
    let made = lockkeeper::app::command::docs_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &made).unwrap();
    }
    assert_eq!(fs::read_to_string(page).unwrap(), made, "run UPDATE_DOCS=1 cargo test --test house");
}

/// So is the page of settings.
#[test]
fn the_page_of_settings_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = fs::read_to_string(page).unwrap();
    for key in lockkeeper::config::keys::KEYS {
        assert!(text.contains(&format!("`{}`", key.name)), "{} is not documented", key.name);
    }
}

#[test]
fn nothing_reads_the_wall_clock_but_the_edge() {
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        let at_the_edge =
            ["runtime", "run.rs", "demo/", "oneshot/observe.rs", "data/vox/", "data/systems.rs", "clock.rs"];
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
