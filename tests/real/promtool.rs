//! What a real Prometheus says of the metrics and of the rules that are shipped.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::service::{Service, database};

fn promtool() -> Option<Command> {
    let program = std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into());
    if Command::new(&program).arg("--version").output().is_err() {
        eprintln!("skipped: promtool is not installed");
        return None;
    }
    Some(Command::new(program))
}

#[test]
fn the_rules_that_are_shipped_are_rules() {
    let Some(mut promtool) = promtool() else { return };
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/alerts.yml");
    let checked = promtool.args(["check", "rules"]).arg(rules).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_with_the_metrics() {
    let Some(mut promtool) = promtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&["--db", &database(folder.path()).await, "--node-series", "5"]).await;
    let (_, _, text) = service.get("/metrics", &[]).await;
    let pipes = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = child.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
