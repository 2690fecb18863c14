//! Where realms are: a realm's folder, or a state root with several.

use std::path::{Path, PathBuf};

use crate::data::plain_file;
use crate::data::system::real;
use crate::model::text::Text;

/// Realms of one state root that are watched at most.
const MOST_REALMS: usize = 64;
/// Bytes of a manifest that are read at most.
const MOST_BYTES: u64 = 64 << 10;

/// One realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm {
    pub name: String,
    pub root: PathBuf,
}

impl Realm {
    /// The realms at a folder that somebody named: itself, or those in it. A folder that has none yet is a realm to be.
    #[must_use]
    pub fn at(dir: &Path) -> Vec<Self> {
        let below = if is_realm(dir) { Vec::new() } else { below(dir) };
        if below.is_empty() { vec![Self::of(dir)] } else { below }
    }

    /// The realms at a folder where they usually are.
    #[must_use]
    pub fn usual(dir: &Path) -> Vec<Self> {
        below(dir)
    }

    fn of(dir: &Path) -> Self {
        let root = real(dir);
        let folder = root.file_name().map_or_else(|| "realm".to_owned(), |name| name.to_string_lossy().into_owned());
        Self { name: named(&root).unwrap_or(folder), root }
    }

    /// Where processes that serve it leave their leases.
    #[must_use]
    pub fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// Where the files of its mobs are.
    #[must_use]
    pub fn mobs(&self) -> PathBuf {
        self.root.join("mobs")
    }

    /// Its graph of work items.
    #[must_use]
    pub fn workgraph(&self) -> PathBuf {
        self.root.join("workgraph.sqlite3")
    }
}

/// The name that a realm's manifest gives it.
fn named(root: &Path) -> Option<String> {
    let text = plain_file::read(&root.join("realm_manifest.json"), MOST_BYTES).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&text).ok()?;
    manifest["realm_id"].as_str().filter(|name| !name.is_empty()).map(|name| Text::bounded(name, 120).to_string())
}

fn is_realm(dir: &Path) -> bool {
    dir.join("realm_manifest.json").is_file() || dir.join("mobs").is_dir() || dir.join("leases").is_dir()
}

fn below(dir: &Path) -> Vec<Realm> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_realm(path)).collect();
    found.sort();
    found.truncate(MOST_REALMS);
    found.iter().map(|path| Realm::of(path)).collect()
}

/// The mob that a file of the folder of mobs is of; nothing for files of other things. Older versions name it plainly.
#[must_use]
pub fn mob_of(file_name: &str, older: bool) -> Option<String> {
    let stem = file_name.strip_suffix(".db")?;
    match stem.strip_prefix("mob--") {
        Some(escaped) => unescape(escaped),
        None if older && !stem.starts_with("realm_") => unescape(stem),
        None => None,
    }
}

/// Undoes percent-encoding; what is no text is none.
fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let hex = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("mob--atlas.db", false, Some("atlas"))]
    #[case("mob--team%2Falpha.db", false, Some("team/alpha"))]
    #[case("mob--a%ZZ.db", false, None)]
    #[case("mob--a%2.db", false, None)]
    #[case("mob--atlas.db-wal", true, None)]
    #[case("realm_profiles.db", true, None)]
    #[case("atlas.db", false, None)]
    #[case("atlas.db", true, Some("atlas"))]
    fn files_name_their_mobs(#[case] file: &str, #[case] older: bool, #[case] mob: Option<&str>) {
        assert_eq!(mob_of(file, older).as_deref(), mob);
    }

    #[test]
    fn a_realm_is_found_by_itself_and_below_a_state_root() {
        let folder = tempfile::tempdir().unwrap();
        let realm = folder.path().join("realms/team");
        std::fs::create_dir_all(realm.join("leases")).unwrap();
        std::fs::create_dir(folder.path().join("realms/other")).unwrap();
        let names = |dir: &Path| Realm::at(dir).into_iter().map(|realm| realm.name).collect::<Vec<_>>();
        assert_eq!(names(&realm), ["team"]);
        assert_eq!(names(&folder.path().join("realms")), ["team"]);
        assert_eq!(names(&folder.path().join("realms/other")), ["other"], "it may become one");
        assert_eq!(Realm::usual(&folder.path().join("realms/other")), []);
    }
}
