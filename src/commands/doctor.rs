//! `doctor`: looks at everything that this program needs here, and says what to do where something is not as it should be.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::cli::Global;
use super::load::LoadedConfig;
use super::run::{exit, print, wait_for};
use super::{observe, version};
use crate::config::Layers;
use crate::config::keys::Kind;
use crate::config::locate::HostEnv;
use crate::mesh::SourceState;
use crate::mesh::derive::Snapshot;
use crate::model::observation::Presence;
use crate::model::text::scrub;
use crate::model::time::{bytes, short};
use crate::os::disk::free_bytes;
use crate::os::{file, folder_of};
use crate::settings::Settings;

/// Less than this beside what recordings may take is little room on a disk.
const ROOM: u64 = 100 << 20;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
enum Word {
    Ok,
    /// It works, and something could be better.
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    word: Word,
    what: &'static str,
    found: String,
    /// What to do; empty where nothing is to be done.
    remedy: String,
    /// What of it names nobody and no place.
    nameless: String,
}

impl Check {
    fn new(word: Word, what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { word, what, found: found.into(), remedy: remedy.into(), nameless: String::new() }
    }

    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(Word::Ok, what, found, "")
    }

    fn nameless(self, text: impl Into<String>) -> Self {
        Self { nameless: text.into(), ..self }
    }

    fn line(&self) -> String {
        let remedy = if self.remedy.is_empty() { String::new() } else { format!("; {}", self.remedy) };
        self.told(&format!("{}{remedy}", self.found))
    }

    fn told(&self, text: &str) -> String {
        format!("{:<4}  {:<13}  {}", self.word.to_string(), self.what, scrub(text))
    }
}

/// Looks, prints one line for each thing, and writes a file for whoever is asked for help.
pub fn run(global: &Global, bundle: Option<&Path>) -> anyhow::Result<u8> {
    let mut checks = vec![Check::ok("version", version::short()).nameless(version::short()), terminal()];
    let mut about = String::new();
    match LoadedConfig::load(global) {
        Err(error) => checks.push(Check::new(Word::Fail, "configuration", error.to_string(), "")),
        Ok(loaded) => {
            let used = loaded.files.first().filter(|path| path.exists());
            let file = used.map_or_else(|| "no file, the defaults".to_owned(), |path| path.display().to_string());
            checks.push(Check::ok("configuration", file).nameless(if used.is_some() { "a file" } else { "no file" }));
            checks.extend(tokens(&loaded.layers));
            let mut seen: Vec<PathBuf> = Vec::new();
            for settings in &loaded.open {
                let state = folder_of(&settings.journal);
                if !seen.iter().any(|known| known == state) {
                    seen.push(state.to_owned());
                    checks.push(permissions(state));
                    checks.push(disk(state, settings.record_bytes.unwrap_or(0)));
                }
                checks.extend(places(settings));
            }
            let with_places: Vec<Settings> = loaded.open.iter().filter(|mesh| mesh.has_places()).cloned().collect();
            if !with_places.is_empty() {
                let snapshots = wait_for(observe::observe_all(&with_places))?;
                for snapshot in snapshots.iter() {
                    checks.extend(snapshot.mesh.sources.iter().flat_map(source));
                    about.push_str(&sizes(snapshot));
                }
            }
            about.push_str(&configured(&loaded.layers));
        }
    }
    let lines: Vec<String> = checks.iter().map(Check::line).collect();
    print(&(lines.join("\n") + "\n"))?;
    if let Some(path) = bundle {
        write(path, &checks, &about).with_context(|| format!("cannot write {}", path.display()))?;
        print(&format!("{}: read it before you give it away\n", path.display()))?;
    }
    Ok(if checks.iter().any(|check| check.word == Word::Fail) { exit::FAILED } else { exit::DONE })
}

fn terminal() -> Check {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    let (term, locale) = (of("TERM"), [of("LC_ALL"), of("LC_CTYPE"), of("LANG")]);
    let locale = locale.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    let found = format!(
        "TERM={term} COLORTERM={} locale {}",
        of("COLORTERM"),
        if locale.is_empty() { "none" } else { &locale }
    );
    let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
    let check = if matches!(term.as_str(), "" | "dumb") {
        Check::new(Word::Warn, "terminal", found.clone(), "it shows no screen: set TERM, or use --plain")
    } else if !utf8 {
        Check::new(Word::Warn, "terminal", found.clone(), "glyphs are drawn in ASCII: set LANG to a UTF-8 locale")
    } else {
        Check::ok("terminal", found.clone())
    };
    check.nameless(found)
}

/// Files with tokens are for their owner alone.
fn tokens(layers: &Layers) -> Vec<Check> {
    let files = layers.iter().filter(|(key, _)| key.name.ends_with("token_file"));
    let files = files.flat_map(|(key, value)| value.texts.iter().map(move |text| (key.name, text)));
    let host = HostEnv::of_process();
    files.map(|(name, path)| token(name, &host.path(path))).collect()
}

fn token(name: &str, path: &Path) -> Check {
    let found = format!("{name}: {}", path.display());
    match fs::metadata(path) {
        Err(error) => {
            Check::new(Word::Fail, "token", format!("{found}: {error}"), "write the token there, or correct the path")
        }
        Ok(meta) if file::others_may_read(&meta) == Some(true) => Check::new(
            Word::Warn,
            "token",
            format!("{found}: others can read it"),
            format!("chmod 600 {}", path.display()),
        ),
        Ok(_) => Check::ok("token", found),
    }
    .nameless(name)
}

/// Whether the journal and the recordings can be written, by this user alone.
fn permissions(state: &Path) -> Check {
    let found = state.display().to_string();
    let remedy = format!("make it yours: mkdir -p {0} && chmod 700 {0}", state.display());
    match fs::metadata(state) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Nothing is made here: the first action or the dashboard makes it.
            let above = state.ancestors().skip(1).find(|path| path.exists());
            match above {
                Some(above) if file::may_write(above) => Check::ok("state", format!("{found}: made when it is needed")),
                _ => Check::new(Word::Fail, "state", format!("{found}: cannot be made"), remedy),
            }
        }
        Err(error) => Check::new(Word::Fail, "state", format!("{found}: {error}"), remedy),
        Ok(_) if !file::may_write(state) => {
            Check::new(Word::Fail, "state", format!("{found}: cannot be written"), remedy)
        }
        Ok(meta) if file::others_may_write(&meta) == Some(true) => Check::new(
            Word::Warn,
            "state",
            format!("{found}: others can write there"),
            format!("chmod 700 {}", state.display()),
        ),
        Ok(_) => Check::ok("state", found),
    }
}

fn disk(state: &Path, recordings: u64) -> Check {
    let there = state.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let Some(free) = free_bytes(there) else {
        return Check::new(Word::Warn, "disk", format!("{}: its room is not known", there.display()), "");
    };
    let found = format!("{} free, recordings take {} at most", bytes(free), bytes(recordings));
    let check = if free < recordings.saturating_add(ROOM) {
        Check::new(Word::Warn, "disk", found.clone(), "make room, or lower record.max_bytes")
    } else {
        Check::ok("disk", found.clone())
    };
    check.nameless(found)
}

fn places(settings: &Settings) -> Vec<Check> {
    if settings.has_places() {
        return settings.warnings().map(|warning| Check::new(Word::Warn, "place", warning.to_string(), "")).collect();
    }
    let looked_at: Vec<String> = settings.looked_at.iter().map(|path| path.display().to_string()).collect();
    let found = format!("nothing to watch: no place is configured, and there is none of {}", looked_at.join(", "));
    vec![Check::new(Word::Fail, "place", found, "name one, e.g. --db FILE, or try `lockkeeper demo`")]
}

/// How one source answers, what of it this version cannot read, and its clock.
fn source(source: &SourceState) -> Vec<Check> {
    let identity = &source.identity;
    let name = format!("{} ({}, {})", identity.name, identity.system, identity.kind);
    let kind = format!("{}, {}", identity.system, identity.kind);
    let mut checks = Vec::new();
    match &source.health.trouble {
        Some(trouble) => {
            let fault = &trouble.fault;
            let check = Check::new(Word::Fail, "source", format!("{name}: {}", fault.what), fault.todo.as_str());
            checks.push(check.nameless(kind.clone()));
        }
        None => {
            let cost = &source.last_cost;
            let found = format!("{name}: {} rows in {:.0} ms", cost.rows, cost.ms);
            checks
                .push(Check::ok("source", found).nameless(format!("{kind}, {} rows in {:.0} ms", cost.rows, cost.ms)));
        }
    }
    let parts = source.probe.iter().flat_map(|probe| &probe.parts);
    let lacking: Vec<String> = parts
        .filter_map(|(part, presence)| match presence {
            Presence::Present | Presence::Absent => None,
            Presence::Partial(columns) => Some(format!("{part} has no {}", columns.join(", "))),
            Presence::Denied(what) => Some(format!("{part}: {what}")),
        })
        .collect();
    if !lacking.is_empty() {
        let found = format!("{name}: {}", lacking.join("; "));
        checks.push(
            Check::new(Word::Warn, "what is read", found, "what is missing is shown as unknown").nameless(kind.clone()),
        );
    }
    if let Some(skew) = source.clock.skew_ms() {
        let side = if skew > 0 { "ahead" } else { "behind" };
        let found = format!("{name}: its clock is {} {side}", short(skew.abs()));
        checks.push(
            Check::new(Word::Warn, "clock", found.clone(), "synchronise the clocks (NTP)")
                .nameless(format!("{kind}, {side}")),
        );
    }
    checks
}

fn sizes(snapshot: &Snapshot) -> String {
    let mut rules = std::collections::BTreeMap::new();
    for finding in snapshot.findings.iter() {
        *rules.entry(finding.rule).or_insert(0u32) += 1;
    }
    let rules: Vec<String> = rules.iter().map(|(rule, n)| format!("{rule} {n}")).collect();
    format!(
        "a mesh: {} nodes, {} locks, {} messages, {} tasks\nfindings: {}\n",
        snapshot.nodes.len(),
        snapshot.locks.len(),
        snapshot.messages.len(),
        snapshot.tasks.len(),
        if rules.is_empty() { "none".to_owned() } else { rules.join(", ") }
    )
}

/// The configuration without what names something: of texts and lists only whether they are set.
fn configured(layers: &Layers) -> String {
    let mut out = String::new();
    for (key, value) in layers.iter() {
        let shown = match key.kind {
            Kind::Text | Kind::List if value.texts.is_empty() => continue,
            Kind::Text | Kind::List => "(set)".to_owned(),
            Kind::Duration | Kind::Number | Kind::Bool | Kind::OneOf(_) => value.texts.join(", "),
        };
        let _ = writeln!(out, "{} = {}", key.name, scrub(&shown));
    }
    out
}

/// A file for whoever is asked for help: what was found, without names, addresses and texts of others.
fn write(path: &Path, checks: &[Check], about: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut file = file::private(fs::OpenOptions::new().write(true).create_new(true)).open(path)?;
    writeln!(file, "{}", version::long())?;
    for check in checks {
        writeln!(file, "{}", check.told(&check.nameless))?;
    }
    write!(file, "\n{about}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_that_others_can_read_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(token("db.token_file", &path).word, Word::Fail);
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let check = token("db.token_file", &path);
        assert_eq!(check.word, Word::Warn);
        assert!(check.remedy.starts_with("chmod 600"), "{check:?}");
        assert!(!check.line().contains("secret"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(token("db.token_file", &path).word, Word::Ok);
    }

    #[test]
    fn a_state_folder_is_to_be_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(permissions(&folder.path().join("a/b")).word, Word::Ok, "it can be made");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(permissions(folder.path()).word, Word::Warn);
        assert_eq!(permissions(Path::new("/proc/self/none")).word, Word::Fail);
        assert_eq!(disk(folder.path(), u64::MAX / 2).word, Word::Warn);
    }
}
