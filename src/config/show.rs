//! `lockkeeper config`: every value with its origin. Tokens are named by place, never by content.

use std::fmt::Write as _;

use super::keys::Kind;
use super::{Layers, Settings};

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
    for binding in layers.bindings() {
        let keys: Vec<String> = binding.keys.iter().map(|key| quote(key)).collect();
        let assignment = format!("keys.{} = [{}]", quote(&binding.command), keys.join(", "));
        let _ = writeln!(out, "{assignment:<width$} # {}", binding.place);
    }
    out.push_str("\n# What will be watched:\n");
    for database in &settings.databases {
        let _ = writeln!(out, "#   {}", describe(database));
    }
    for control in &settings.controls {
        let token = control.token.as_ref().map_or("no token".into(), |t| format!("token from {t}"));
        let _ = writeln!(out, "#   control plane {} ({token})", control.base);
    }
    if let Some(path) = &settings.registry {
        let _ = writeln!(out, "#   registry file {}", path.display());
    }
    for project in &settings.projects {
        let (tree, log) = (project.tree.display(), project.log.path().display());
        let _ = writeln!(out, "#   Harn project {tree} (event log {log}, lock directories)");
    }
    if let Some(path) = &settings.host_leases {
        let _ = writeln!(out, "#   host leases {}", path.display());
    }
    if !settings.has_places() {
        out.push_str("#   nothing: no place is configured, and none of these exists:\n");
        for path in &settings.looked_at {
            let _ = writeln!(out, "#     {}", path.display());
        }
    }
    out
}

fn describe(database: &super::settings::Database) -> String {
    use super::settings::Database;
    let with =
        |token: &Option<super::token::Token>| token.as_ref().map_or("no token".into(), |t| format!("token from {t}"));
    match database {
        Database::File { path, direct: false } => {
            format!("database file {} (read through a private copy)", path.display())
        }
        Database::File { path, direct: true } => format!("database file {} (opened directly)", path.display()),
        Database::Remote { url, token } => format!("remote database {url} ({})", with(token)),
        Database::Replica { url, path, token, .. } => {
            format!("replica {} of {url} ({})", path.display(), with(token))
        }
    }
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
