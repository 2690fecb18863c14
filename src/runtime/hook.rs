//! The operator's own program, run for each event of a finding.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::model::event::Event;
use crate::model::severity::Severity;
use crate::runtime::program;
use crate::settings::Alarms as Wanted;

/// Events that may wait for the program; beyond, they are left out, and the log says so.
const WAITING: usize = 256;

/// The way to the task that runs the program.
#[derive(Debug)]
pub struct Hook {
    from: Severity,
    events: mpsc::Sender<Event>,
}

impl Hook {
    /// Starts the task, where a program is wanted.
    pub fn start(wanted: &Wanted, tasks: &mut JoinSet<()>) -> Option<Self> {
        let from = wanted.hook_from?;
        let (program, arguments) = wanted.hook.split_first()?;
        let (events, mut waiting) = mpsc::channel::<Event>(WAITING);
        let (program, arguments, limit) = (program.clone(), arguments.to_vec(), wanted.hook_timeout);
        tasks.spawn(async move {
            while let Some(event) = waiting.recv().await {
                if let Err(why) = run(&program, &arguments, &event, limit).await {
                    tracing::warn!(program, why, "on_finding");
                }
            }
        });
        Some(Self { from, events })
    }

    /// Runs the program for an event, after those that wait.
    pub fn run(&self, event: Event) {
        if event.severity >= self.from && self.events.try_send(event).is_err() {
            tracing::warn!("on_finding is behind: an event was left out");
        }
    }
}

/// Runs the program once; it gets the event as one line of JSON.
async fn run(program: &str, arguments: &[String], event: &Event, limit: Duration) -> Result<(), String> {
    let line = serde_json::to_string(event).map_err(|e| e.to_string())? + "\n";
    match program::run(program, arguments, line.as_bytes(), 0, limit).await {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((status, _)) => Err(format!("ended with {status}")),
        Err(failure) => Err(failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Kind, SCHEMA};
    use crate::runtime::program::INHERITED;

    fn event() -> Event {
        Event {
            schema: SCHEMA.into(),
            at_ms: 1,
            mesh: "m".into(),
            place: String::new(),
            kind: Kind::Raised,
            key: "k".into(),
            rule: "node-dead".into(),
            severity: Severity::Critical,
            subject: "node".into(),
            name: "$(touch bad)".into(),
            sentence: "a node is `silent`; rm -rf /".into(),
            times: 1,
            by: None,
            until_ms: None,
            seq: 0,
        }
    }

    /// `sh` is the program here, given by name; what events say is data to it.
    fn shell(script: &str) -> Vec<String> {
        vec!["-c".into(), script.into()]
    }

    #[tokio::test]
    async fn the_event_comes_as_json_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let script = format!("cat > '{0}'; env >> '{0}'", out.display());
        run("sh", &shell(&script), &event(), Duration::from_secs(20)).await.unwrap();
        let text = std::fs::read_to_string(out).unwrap();
        let (json, environment) = text.split_once('\n').unwrap();
        assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event());
        let allowed = |line: &str| {
            let name = line.split('=').next().unwrap_or_default();
            // The shell sets a few itself.
            INHERITED.contains(&name) || matches!(name, "PWD" | "OLDPWD" | "SHLVL" | "_")
        };
        assert_eq!(environment.lines().find(|line| !allowed(line)), None);
    }

    #[tokio::test]
    async fn what_takes_too_long_ends_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("held");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        // A grandchild holds the pipe open for as long as it lives; reading it ends when the last of them does.
        let script = format!("(exec 3> '{0}'; sleep 600) & exec 3> '{0}'; sleep 600", fifo.display());
        let reader = tokio::task::spawn_blocking(move || std::fs::read(fifo).map(|bytes| bytes.len()));
        let error = run("sh", &shell(&script), &event(), Duration::from_millis(300)).await.unwrap_err();
        assert!(error.contains("took longer"), "{error}");
        assert_eq!(reader.await.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_not_there_says_so() {
        let error = run("/nowhere/at/all", &[], &event(), Duration::from_secs(1)).await.unwrap_err();
        assert!(error.contains("No such file"), "{error}");
        assert!(run("false", &[], &event(), Duration::from_secs(9)).await.unwrap_err().contains("exit status"));
    }
}
