//! What is shipped beside the program speaks of series that it has.

use std::path::Path;

use crate::support::service::{Service, database};

fn asset(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

/// Names of series in a text.
fn named(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found: Vec<String> =
        text.split(|c| !is_part(c)).filter(|word| word.starts_with("lockkeeper_")).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_ask_for_series_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&["--db", &database(folder.path()).await, "--node-series", "5"]).await;
    let (_, _, text) = service.get("/metrics", &[]).await;
    let described: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let alerts = std::fs::read_to_string(asset("alerts.yml")).unwrap();
    let dashboard = std::fs::read_to_string(asset("grafana.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
    for (what, text) in [("alerts.yml", &alerts), ("grafana.json", &dashboard)] {
        for series in named(text) {
            // Described once something is found.
            let known = series == "lockkeeper_findings" || described.contains(&series.as_str());
            assert!(known, "{what} asks for {series}");
        }
    }
    // Every link leads to a page that is there.
    for link in alerts.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")) {
        let page = link.split('#').next().unwrap();
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(page).is_file(), "{link}");
    }
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    for series in described {
        assert!(page.contains(&format!("`{series}`")), "docs/metrics.md lacks {series}");
    }
}
