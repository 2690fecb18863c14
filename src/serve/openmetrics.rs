//! The two text formats that scrapers ask for.

use std::collections::HashMap;
use std::fmt::Write as _;

use prometheus_client::registry::Registry;

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Prometheus,
}

impl Format {
    /// What a scraper accepts; the older one where it does not say.
    pub fn of(accept: Option<&str>) -> Self {
        if accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything of a registry as text.
pub fn encode(registry: &Registry, format: Format) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    match format {
        Format::OpenMetrics => text,
        Format::Prometheus => older(&text),
    }
}

/// The same in Prometheus text: a counter is described under the name of its series, and there are no units and no end.
fn older(text: &str) -> String {
    let described = |line: &str, word: &str| -> Option<(String, String)> {
        let (name, rest) = line.strip_prefix(word)?.split_once(' ')?;
        Some((name.to_owned(), rest.to_owned()))
    };
    let types: HashMap<String, String> = text.lines().filter_map(|line| described(line, "# TYPE ")).collect();
    let name_of = |family: &str| match types.get(family).map(String::as_str) {
        Some("counter") => format!("{family}_total"),
        Some("info") => format!("{family}_info"),
        _ => family.to_owned(),
    };
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let _ = match (described(line, "# HELP "), described(line, "# TYPE ")) {
            (Some((family, help)), _) => writeln!(out, "# HELP {} {help}", name_of(&family)),
            (None, Some((family, kind))) => {
                let kind = match kind.as_str() {
                    "info" => "gauge",
                    "unknown" => "untyped",
                    kind => kind,
                };
                writeln!(out, "# TYPE {} {kind}", name_of(&family))
            }
            (None, None) => writeln!(out, "{line}"),
        };
    }
    out
}
