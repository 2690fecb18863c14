//! The environment: `LOCKKEEPER_*` and `NO_COLOR`. The variables of a system are that system's.

use std::collections::BTreeMap;

use super::keys::{Key, Kind};
use super::{ConfigError, Layers, Origin};

/// The environment, as data.
pub type Env = BTreeMap<String, String>;

/// Lays the environment over what is there.
pub fn apply(layers: &mut Layers, env: &Env) -> Result<(), ConfigError> {
    // https://no-color.org: any value but the empty one counts.
    if env.get("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        layers.set("color", vec!["false".into()], Origin::Env("NO_COLOR".into()))?;
    }
    let keys: Vec<&Key> = layers.table().iter().collect();
    for key in keys {
        let name = format!("LOCKKEEPER_{}", key.name.to_uppercase().replace(['.', '-'], "_"));
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
    use super::super::keys::Table;
    use super::*;

    fn layers(pairs: &[(&str, &str)]) -> Result<Layers, ConfigError> {
        let env = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut layers = Layers::new(Table::with([]));
        apply(&mut layers, &env).map(|()| layers)
    }

    #[test]
    fn a_variable_stands_for_each_setting() {
        let found = layers(&[("LOCKKEEPER_WALL_VIEWS", "nodes, locks"), ("NO_COLOR", "1")]).unwrap();
        assert_eq!(found.get("wall.views").texts, ["nodes", "locks"]);
        assert_eq!(found.text("color"), Some("false"));
        let error = layers(&[("LOCKKEEPER_CLOCK", "pink")]).unwrap_err().to_string();
        assert!(error.starts_with("$LOCKKEEPER_CLOCK: \"pink\""), "{error}");
    }
}
