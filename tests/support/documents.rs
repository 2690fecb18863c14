//! Documents that the program prints, held to the JSON Schemas in `docs/schema/`.

use std::path::{Path, PathBuf};

use jsonschema::Registry;
use serde_json::Value;

/// What the names of schemas are relative to, wherever they lie.
const BASE: &str = "https://lockkeeper.invalid/schema/";

/// Where the schemas lie.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

fn schema(name: &str) -> Value {
    let path = folder().join(format!("{}.json", name.replace('/', ".")));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Every place where a document is not what the schema that it names says.
pub fn errors(document: &Value) -> Vec<String> {
    let Some(name) = document["schema"].as_str() else { return vec!["it names no schema".into()] };
    let others = ["lockkeeper.snapshot.v1", "lockkeeper.journal.v1"];
    let registry = others
        .iter()
        .fold(Registry::new(), |registry, other| registry.add(format!("{BASE}{other}.json"), schema(other)).unwrap());
    let registry = registry.prepare().unwrap();
    let options = jsonschema::options().with_registry(&registry).with_base_uri(BASE).offline();
    let validator = options.build(&schema(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// Holds a document to its schema.
pub fn assert_valid(document: &Value) {
    let errors = errors(document);
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}
