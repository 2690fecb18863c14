//! The environment: every variable of Vox that a console can use, and `LOCKKEEPER_*`.

use std::collections::BTreeMap;

use super::keys::{KEYS, Kind};
use super::{ConfigError, Layers, Origin};

/// The environment, as data.
pub type Env = BTreeMap<String, String>;

/// Variables of Vox and the settings they give. The first one that is set wins.
const VOX: &[(&str, &[&str])] = &[
    ("db", &["VOX_DB_URL", "VOX_DB_PATH"]),
    ("control", &["VOX_MESH_CONTROL_ADDR"]),
    ("registry", &["VOX_MESH_REGISTRY_PATH"]),
];

/// Variables that may hold a control plane token, the most capable first.
const CONTROL_TOKENS: &[&str] =
    &["VOX_MESH_TOKEN", "VOX_MESH_ADMIN_TOKEN", "VOX_MESH_WORKER_TOKEN", "VOX_MESH_SUBMITTER_TOKEN"];

/// Lays the environment over what is there.
pub fn apply(layers: &mut Layers, env: &Env) -> Result<(), ConfigError> {
    let set = |name: &&str| env.get(*name).is_some_and(|value| !value.trim().is_empty());
    for (key, names) in VOX {
        if let Some(name) = names.iter().find(|name| set(name)) {
            layers.set(key, vec![env[*name].trim().to_owned()], Origin::Env((*name).into()))?;
        }
    }
    if let Some(name) = CONTROL_TOKENS.iter().find(|name| set(name)) {
        layers.set("control_token_env", vec![(*name).to_owned()], Origin::Env((*name).into()))?;
    }
    if let Some(ms) = env.get("VOX_MESH_MAX_STALE_MS").filter(|ms| !ms.trim().is_empty()) {
        layers.set(
            "thresholds.stale",
            vec![format!("{}ms", ms.trim())],
            Origin::Env("VOX_MESH_MAX_STALE_MS".into()),
        )?;
    }
    // https://no-color.org: any value but the empty one counts.
    if env.get("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        layers.set("color", vec!["false".into()], Origin::Env("NO_COLOR".into()))?;
    }
    for key in KEYS {
        let name = format!("LOCKKEEPER_{}", key.name.to_uppercase().replace('.', "_"));
        if let Some(value) = env.get(&name) {
            let texts = match key.kind {
                Kind::List => {
                    value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
                }
                _ => vec![value.trim().to_owned()],
            };
            layers.set(key.name, texts, Origin::Env(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(pairs: &[(&str, &str)]) -> Result<Layers, ConfigError> {
        let env = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut layers = Layers::default();
        apply(&mut layers, &env).map(|()| layers)
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
        let error = layers(&[("LOCKKEEPER_THEME", "pink")]).unwrap_err().to_string();
        assert!(error.starts_with("$LOCKKEEPER_THEME: \"pink\""), "{error}");
    }
}
