//! Lines in place of a screen, one for each thing that happens: for screen readers, pipes and logs. Nothing is drawn
//! over, nothing blinks, and every line says when, what and how bad by words alone.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::engine::{News, Record};
use super::engines::Engines;
use crate::action::executor::Purpose;
use crate::app::Options;
use crate::app::status::of_snapshot;
use crate::clock::steady_clock;
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::sources::SourceHealth;
use crate::model::event::Event as Happened;
use crate::model::text::Text;
use crate::model::time::{Millis, clock};
use crate::os::signals::Signals;
use crate::recording::tape::Tape;
use crate::settings::Settings;

/// Prints until it is ended.
pub async fn run(options: Options, meshes: Vec<Settings>) -> anyhow::Result<()> {
    let mut signals = Signals::listen_for_end()?;
    let mut engines = Engines::start(&meshes, Purpose::Watch, &Record::Nothing)?;
    let workspace = options.workspace();
    let mut tellers: Vec<Printer<'_>> = (0..workspace.len())
        .map(|mesh| Printer {
            options: &options,
            mesh: workspace.prefix(mesh),
            heard: 0,
            sources: Vec::new(),
            printed: None,
        })
        .collect();
    let mut out = io::stdout();
    let mut lines = vec![timed(&options, steady_clock(), &format!("watching {}", workspace.label()))];
    loop {
        for line in lines.drain(..) {
            // A reader that went away is the end.
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                engines.stop().await;
                return Ok(());
            }
        }
        tokio::select! {
            _ = signals.next() => break,
            (mesh, news) = engines.news() => if let (News::Snapshot(snapshot), Some(printer)) = (news, tellers.get_mut(mesh)) {
                lines = printer.lines_of(&snapshot);
            },
        }
    }
    engines.stop().await;
    Ok(())
}

/// Prints a recording, at so many seconds of it in one; all at once at 0.
pub async fn replay(options: Options, mut tape: Tape, speed: u32) -> anyhow::Result<()> {
    let mut signals = Signals::listen_for_end()?;
    let mut printer = Printer { options: &options, mesh: String::new(), heard: 0, sources: Vec::new(), printed: None };
    let mut out = io::stdout();
    printer.heard = tape.at_ms().unwrap_or(0).unsigned_abs();
    loop {
        let mut snapshot = tape.snapshot()?;
        // Events of a recording have no numbers: when they happened tells which are new.
        let numbered =
            |event: &Arc<Happened>| Arc::new(Happened { seq: event.at_ms.unsigned_abs(), ..(**event).clone() });
        let events = snapshot.mesh.events.iter().map(numbered).collect();
        Arc::make_mut(&mut snapshot.mesh).events = events;
        for line in printer.lines_of(&snapshot) {
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return Ok(());
            }
        }
        let Some(next) = tape.peek()? else { return Ok(()) };
        if speed > 0 {
            let wait = (next - snapshot.at_ms).max(0).unsigned_abs() / u64::from(speed);
            tokio::select! {
                _ = signals.next() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            }
        }
        tape.step()?;
    }
}

/// A line with the time it is of.
fn timed(options: &Options, at_ms: Millis, text: &str) -> String {
    format!("{} {text}", clock(at_ms, options.offset(at_ms)))
}

/// What was told of a mesh already.
struct Printer<'a> {
    options: &'a Options,
    /// Said before everything, where there are several.
    mesh: String,
    heard: u64,
    sources: Vec<SourceHealth>,
    printed: Option<&'static str>,
}

impl Printer<'_> {
    fn line(&self, at_ms: Millis, text: &str) -> String {
        timed(self.options, at_ms, &format!("{}{text}", self.mesh))
    }

    /// What a snapshot brings: sources that do otherwise, what became of findings, and the status where that changed.
    fn lines_of(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        for (i, source) in snapshot.sources.iter().enumerate() {
            if self.sources.get(i) != Some(&source.health) && source.health != SourceHealth::Starting {
                let name = snapshot.mesh.sources.get(i).map(|s| s.identity.name.to_string()).unwrap_or_default();
                lines.push(self.line(snapshot.at_ms, &format!("source {name}: {}", source.health)));
            }
        }
        self.sources = snapshot.sources.iter().map(|source| source.health).collect();
        let fresh: Vec<&Happened> =
            snapshot.mesh.events.iter().filter(|event| event.seq > self.heard).map(|event| &**event).collect();
        self.heard = fresh.iter().map(|event| event.seq).max().unwrap_or(self.heard);
        for event in fresh {
            let by = event.by.as_deref().map(|by| format!(" by {}", Text::new(by))).unwrap_or_default();
            let text = format!("{}, {}: {}{by}", event.kind, event.severity, Text::new(&event.sentence));
            lines.push(self.line(event.at_ms, &text));
        }
        if snapshot.sources.iter().any(|source| source.health != SourceHealth::Starting) {
            let state = state(snapshot);
            // How many there are moves all the time; each of them is told when it is raised.
            if self.printed != Some(state) {
                self.printed = Some(state);
                let nodes = snapshot.nodes.len();
                let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
                lines.push(self.line(snapshot.at_ms, &format!("now {state}; {nodes}")));
            }
        }
        lines
    }
}

/// The mesh in a few words.
fn state(snapshot: &Snapshot) -> &'static str {
    match (snapshot.counts.critical, snapshot.counts.warnings, of_snapshot(snapshot).role) {
        (1.., ..) => "critical",
        (_, 1.., _) => "warning",
        (.., Role::Healthy) => "all is well",
        _ => "not everything is heard",
    }
}
