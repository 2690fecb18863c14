//! Vox as a system: its settings, variables and flags, and where its files usually lie.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::places::VoxPlaces;
use crate::config::environment::Env;
use crate::config::keys::{Key, Kind};
use crate::config::locate::HostEnv;
use crate::config::{ConfigError, Layers, Origin};
use crate::data::system::{Flag, Given, Places, System};

/// The system.
pub struct Vox;

const SETTINGS: &[Key] = &[
    Key { name: "db", kind: Kind::List, default: "", help: "database files and URLs (libsql://, https://, http://)" },
    Key {
        name: "db_access",
        kind: Kind::OneOf(&["copy", "direct"]),
        default: "copy",
        help: "how to read files: through a private copy, or directly (only for files that no Vox process uses)",
    },
    Key {
        name: "remote_access",
        kind: Kind::OneOf(&["auto", "queries"]),
        default: "auto",
        help: "how to read a remote database in which much changes: through a private replica if possible, or by queries alone",
    },
    Key { name: "token_file", kind: Kind::Text, default: "", help: "file whose first line is the database token" },
    Key {
        name: "token_env",
        kind: Kind::Text,
        default: "VOX_DB_TOKEN",
        help: "variable that holds the database token",
    },
    Key {
        name: "token_command",
        kind: Kind::List,
        default: "",
        help: "program and arguments that print the database token",
    },
    Key {
        name: "replica_path",
        kind: Kind::Text,
        default: "",
        help: "file for an embedded replica of the remote database",
    },
    Key { name: "sync_interval", kind: Kind::Duration, default: "5s", help: "time between two syncs of the replica" },
    Key {
        name: "control",
        kind: Kind::List,
        default: "",
        help: "addresses of control planes (scheme optional, port 9847 by default)",
    },
    Key {
        name: "control_agents",
        kind: Kind::List,
        default: "",
        help: "more agents whose inboxes to read (decimal numbers)",
    },
    Key {
        name: "control_token_file",
        kind: Kind::Text,
        default: "",
        help: "file whose first line is the control plane token",
    },
    Key {
        name: "control_token_env",
        kind: Kind::Text,
        default: "",
        help: "variable that holds the control plane token",
    },
    Key {
        name: "control_token_command",
        kind: Kind::List,
        default: "",
        help: "program and arguments that print the control plane token",
    },
    Key { name: "registry", kind: Kind::Text, default: "", help: "local registry file of nodes (JSON)" },
    Key {
        name: "limits.remote_answer_bytes",
        kind: Kind::Number,
        default: "268435456",
        help: "largest answer of a remote database, in bytes",
    },
    Key {
        name: "limits.control_answer_bytes",
        kind: Kind::Number,
        default: "16777216",
        help: "largest answer of a control plane, in bytes",
    },
    Key {
        name: "limits.live_rows",
        kind: Kind::Number,
        default: "200000",
        help: "most rows to read of each live table",
    },
];

const FLAGS: &[Flag] = &[
    Flag {
        name: "--db",
        value: "PATH_OR_URL",
        help: "Database file or URL (libsql://, https://, http://); may be given several times",
        setting: "db",
        place: true,
        not_with: None,
    },
    Flag {
        name: "--token-file",
        value: "FILE",
        help: "File whose first line is the token; a token never goes on the command line",
        setting: "token_file",
        place: false,
        not_with: Some("--token-env"),
    },
    Flag {
        name: "--token-env",
        value: "NAME",
        help: "Environment variable that holds the token",
        setting: "token_env",
        place: false,
        not_with: None,
    },
    Flag {
        name: "--control",
        value: "URL",
        help: "Control plane address; may be given several times",
        setting: "control",
        place: true,
        not_with: None,
    },
];

/// Variables and the settings they give. The first one that is set wins.
const VARIABLES: &[(&str, &[&str])] = &[
    ("db", &["VOX_DB_URL", "VOX_DB_PATH"]),
    ("control", &["VOX_MESH_CONTROL_ADDR"]),
    ("registry", &["VOX_MESH_REGISTRY_PATH"]),
];

/// Variables that may hold a control plane token, the most capable first.
const CONTROL_TOKENS: &[&str] =
    &["VOX_MESH_TOKEN", "VOX_MESH_ADMIN_TOKEN", "VOX_MESH_WORKER_TOKEN", "VOX_MESH_SUBMITTER_TOKEN"];

/// The shortest silence of a node that this system calls stale, in milliseconds.
const MAX_STALE: &str = "VOX_MESH_MAX_STALE_MS";

impl System for Vox {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["database", "control plane"]
    }

    fn settings(&self) -> &'static [Key] {
        SETTINGS
    }

    fn flags(&self) -> &'static [Flag] {
        FLAGS
    }

    fn variables(&self) -> &'static [&'static str] {
        &["VOX_DB_PATH", "VOX_DB_URL", "VOX_MESH_CONTROL_ADDR"]
    }

    fn apply_env(&self, layers: &mut Layers, env: &Env) -> Result<(), ConfigError> {
        let set = |name: &&str| env.get(*name).is_some_and(|value| !value.trim().is_empty());
        for (key, names) in VARIABLES {
            if let Some(name) = names.iter().find(|name| set(name)) {
                layers.set(key, vec![env[*name].trim().to_owned()], Origin::Env((*name).into()))?;
            }
        }
        if let Some(name) = CONTROL_TOKENS.iter().find(|name| set(name)) {
            layers.set("control_token_env", vec![(*name).to_owned()], Origin::Env((*name).into()))?;
        }
        if let Some(ms) = env.get(MAX_STALE).filter(|ms| !ms.trim().is_empty()) {
            layers.set("thresholds.stale", vec![format!("{}ms", ms.trim())], Origin::Env(MAX_STALE.into()))?;
        }
        Ok(())
    }

    fn apply_flags(&self, layers: &mut Layers, given: &Given<'_>) -> Result<(), ConfigError> {
        for flag in FLAGS {
            given.set(layers, flag.name, flag.setting)?;
        }
        // With a control plane alone the token is meant for it.
        let remote = given.values("--db").iter().any(|db| db.contains("://"));
        if !remote && !given.values("--control").is_empty() {
            given.set(layers, "--token-file", "control_token_file")?;
            given.set(layers, "--token-env", "control_token_env")?;
        }
        Ok(())
    }

    fn configured(&self, layers: &Layers, host: &HostEnv) -> Result<Arc<dyn Places>, ConfigError> {
        Ok(Arc::new(VoxPlaces::named(layers, host)?))
    }

    fn found(&self, layers: &Layers, host: &HostEnv) -> (Arc<dyn Places>, Vec<PathBuf>) {
        let (databases, mut missing): (Vec<_>, Vec<_>) =
            database_files(host).into_iter().partition(|path| path.is_file());
        let (registry, none): (Vec<_>, Vec<_>) = registry_file(host).into_iter().partition(|path| path.is_file());
        missing.extend(none);
        (Arc::new(VoxPlaces::usual(layers, host, databases, registry.into_iter().next())), missing)
    }
}

/// Every database file that Vox may have written here, the control plane's first.
fn database_files(host: &HostEnv) -> Vec<PathBuf> {
    let mut places = Vec::new();
    match host.env.get("VOX_DATA_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => places.push(Path::new(dir).join("vox.db")),
        None => places.extend(host.data_dir.iter().map(|dir| dir.join("vox").join("vox.db"))),
    }
    let repository = host.current_dir.ancestors().find(|dir| dir.join(".vox").is_dir()).unwrap_or(&host.current_dir);
    places.push(repository.join(".vox").join("store.db"));
    places.push(repository.join(".vox/cache/db/local.db"));
    places
}

/// The local registry of nodes.
fn registry_file(host: &HostEnv) -> Option<PathBuf> {
    host.home.as_ref().map(|home| home.join(".vox/cache/mens/local-registry.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment;
    use crate::config::keys::Table;

    fn layers(pairs: &[(&str, &str)]) -> Result<Layers, ConfigError> {
        let env = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut layers = Layers::new(Table::with([SETTINGS]));
        Vox.apply_env(&mut layers, &env)?;
        environment::apply(&mut layers, &env).map(|()| layers)
    }

    #[test]
    fn an_operator_who_can_run_vox_needs_no_flags() {
        let found = layers(&[
            ("VOX_DB_URL", "libsql://mesh.example"),
            ("VOX_DB_PATH", "/var/vox/replica.db"),
            ("VOX_MESH_CONTROL_ADDR", "10.0.0.5:9847"),
            ("VOX_MESH_ADMIN_TOKEN", "s"),
            ("VOX_MESH_MAX_STALE_MS", "30000"),
        ])
        .unwrap();
        assert_eq!(found.get("db").texts, ["libsql://mesh.example"], "the replica file is Vox's own");
        assert_eq!(found.text("control_token_env"), Some("VOX_MESH_ADMIN_TOKEN"));
        assert_eq!(found.text("thresholds.stale"), Some("30000ms"));
    }

    #[test]
    fn our_own_variables_outrank_those_of_vox() {
        let found = layers(&[("VOX_DB_PATH", "a.db"), ("LOCKKEEPER_DB", "b.db, c.db")]).unwrap();
        assert_eq!(found.get("db").texts, ["b.db", "c.db"]);
    }

    #[test]
    fn a_secret_in_an_address_is_refused() {
        let mut layers = layers(&[]).unwrap();
        layers.set("db", vec!["libsql://x?authToken=abc".into()], Origin::Flag("--db")).unwrap();
        let error = Vox.configured(&layers, &HostEnv::default()).unwrap_err();
        assert!(error.to_string().contains("--token-file"), "{error}");
        assert!(!error.to_string().contains("abc"));
    }
}
