//! What this program is: its version, the commit it was built from, and what it stands on.

/// The libraries that decide what it can watch and show.
const LIBRARIES: &[&str] = &["crossterm", "libsql", "ratatui", "reqwest", "rmcp", "rustls", "tokio", "zstd"];

/// The lock file that it was built with.
const LOCK: &str = include_str!("../../Cargo.lock");

/// `lockkeeper 0.1.0 (1a2b3c4d5e6f)`, the commit where it is known.
#[must_use]
pub fn short() -> String {
    let commit = option_env!("LOCKKEEPER_COMMIT").map(|commit| format!(" ({commit})")).unwrap_or_default();
    format!("lockkeeper {}{commit}", env!("CARGO_PKG_VERSION"))
}

/// The same with the machine it was built for, how, and with which libraries.
#[must_use]
pub fn long() -> String {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let os = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let libraries: Vec<String> =
        LIBRARIES.iter().filter_map(|name| Some(format!("  {name} {}", locked(LOCK, name)?))).collect();
    format!("{}\nfor        {os}, {build}\nlibraries\n{}\n", short(), libraries.join("\n"))
}

/// Whether `--version --verbose` is asked for: `clap` ends at the first of them.
#[must_use]
pub fn is_long_asked_for() -> bool {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
    words.len() == 2 && has(&["--version", "-V"]) && has(&["--verbose"])
}

/// The version of a library in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{name}\"\n")))?;
    entry.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_is_named_with_its_version() {
        let long = long();
        for name in LIBRARIES {
            assert!(long.contains(&format!("\n  {name} ")), "{name} in {long}");
        }
        assert_eq!(locked("[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n", "a"), Some("1.2.3"));
        assert_eq!(locked("", "a"), None);
    }
}
