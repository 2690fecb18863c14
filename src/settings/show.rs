//! `lockkeeper config`: every value with its origin. Tokens are named by place, never by content.

use std::fmt::Write as _;

use super::{Settings, bindings};
use crate::config::Layers;
use crate::config::keys::Kind;

/// The effective configuration, as a file that could be used.
#[must_use]
pub fn show(layers: &Layers, settings: &Settings) -> String {
    let mut out = String::from("# Effective configuration. Each line names where its value comes from.\n");
    let width = 34;
    for (key, value) in layers.iter() {
        let shown = match (key.kind, value.texts.as_slice()) {
            (Kind::List, texts) if texts.len() != 1 => {
                format!("[{}]", texts.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", "))
            }
            (_, []) => "\"\"".into(),
            (Kind::Number | Kind::Bool, [text]) => text.clone(),
            (_, [text, ..]) => quote(text),
        };
        let assignment = format!("{} = {shown}", key.name);
        let _ = writeln!(out, "{assignment:<width$} # {}: {}", value.origin, key.help);
    }
    for binding in bindings(layers) {
        let keys: Vec<String> = binding.keys.iter().map(|key| quote(key)).collect();
        let assignment = format!("keys.{} = [{}]", quote(&binding.command), keys.join(", "));
        let _ = writeln!(out, "{assignment:<width$} # {}", binding.place);
    }
    out.push_str("\n# What will be watched:\n");
    for line in settings.places.iter().flat_map(|places| places.list()) {
        let _ = writeln!(out, "#   {line}");
    }
    if !settings.has_places() {
        out.push_str("#   nothing: no place is configured, and none of these exists:\n");
        for path in &settings.looked_at {
            let _ = writeln!(out, "#     {}", path.display());
        }
    }
    out
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
