//! The operator's own commands in the journal: what was run, and how it ended. What they wrote is not kept.

use super::journal::{JournalFile, host};
use super::{new_id, write};
use crate::action::executor::WriteAccess;
use crate::model::action::Action;
use crate::model::journal::{Event, Line, Process, SCHEMA};
use crate::model::outcome::OutcomeKind;
use crate::model::time::Millis;

/// The source that is named for them.
pub const SOURCE: &str = "command";

/// The journal for commands of a mesh.
#[derive(Debug, Clone)]
pub struct Commands {
    pub journal: JournalFile,
    pub mesh: String,
    /// A place of the mesh: its journal shows what was run there.
    pub place: String,
    pub operator: String,
    pub clock: fn() -> Millis,
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    commands: Commands,
    access: WriteAccess,
    id: String,
}

impl Commands {
    /// Writes down what is about to run.
    pub async fn begin(self, title: &str, argv: &[String], access: WriteAccess) -> Result<Running, String> {
        let id = new_id((self.clock)());
        let intent = Event::Intent {
            mesh: self.mesh.clone(),
            source: SOURCE.into(),
            place: self.place.clone(),
            process: Process { host: host(), pid: std::process::id() },
            operator: self.operator.clone(),
            reason: String::new(),
            action: Action::Command { title: title.to_owned(), argv: argv.to_vec() },
        };
        let running = Running { commands: self, access, id };
        running.write(intent).await?;
        Ok(running)
    }
}

impl Running {
    /// Writes down how it ended.
    pub async fn end(self, kind: OutcomeKind, summary: &str) -> Result<(), String> {
        let summary = summary.to_owned();
        let (before, after) = (None, None);
        let outcome =
            Event::Outcome { kind, summary, before, after, audited: false, journal_only: true, not_reread: true };
        self.write(outcome).await
    }

    async fn write(&self, event: Event) -> Result<(), String> {
        let at_ms = (self.commands.clock)();
        let (id, plan) = (self.id.clone(), self.id.clone());
        write(&self.commands.journal, Line { schema: SCHEMA.into(), id, plan, at_ms, event }, self.access).await
    }
}
