//! The processes that serve a realm, as a source: their lease files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::its_clock;
use super::lease::{Lease, MOST_BYTES};
use super::shared::Shared;
use crate::data::source::{PollContext, Polling, Source};
use crate::model::observation::{Change, Observation, Presence, Probe};
use crate::model::severity::Severity;
use crate::model::source::Fault;
use crate::model::stated::{About, Problem};
use crate::model::text::Text;
use crate::model::time::{Millis, utc};
use crate::model::{Heartbeat, Oddity};

/// Lease files that are read at most.
const MOST_LEASES: usize = 1_000;

/// The folder of leases. It may be made long after the console started.
pub struct Processes {
    realm: Text,
    folder: PathBuf,
    shared: Shared,
    published: Option<(Vec<Heartbeat>, Vec<Problem>, Vec<Oddity>)>,
    /// The console's wall clock, by which Meerkat writes as well.
    clock: fn() -> Millis,
}

impl Processes {
    /// Reads the leases in `folder`.
    #[must_use]
    pub fn new(realm: Text, folder: PathBuf, shared: Shared, clock: fn() -> Millis) -> Self {
        Self { realm, folder, shared, published: None, clock }
    }

    fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let now_ms = (self.clock)();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        let (leases, odd) = leases(&self.folder)?;
        seen.cost.rows = leases.len() as u64;
        let live: Vec<&Lease> = leases.iter().filter(|lease| lease.is_live(now_ms)).collect();
        let processes = processes(&leases, now_ms);
        self.shared.update(|facts| facts.processes = Some(processes));
        let facts = self.shared.facts();
        let mut beats = Vec::new();
        for lease in &leases {
            let is_server = facts.server().is_some_and(|server| server.raw() == lease.instance_id);
            let agents = facts.members.as_deref().filter(|members| is_server && !members.is_empty());
            match agents {
                Some(agents) => beats.extend(agents.iter().map(|agent| lease.heartbeat(&self.realm, agent.clone()))),
                None => beats.push(lease.heartbeat(&self.realm, Text::default())),
            }
        }
        let problems = if live.len() > 1 { vec![self.served_twice(&live)] } else { Vec::new() };
        let now = (beats, problems, odd);
        if self.published.as_ref() != Some(&now) {
            seen.changes.push(Change::Heartbeats(now.0.clone()));
            seen.changes.push(Change::Problems(now.1.clone()));
            seen.oddities = Some(now.2.clone());
            if self.published.is_none() {
                seen.probe = Some(Probe { parts: vec![("processes", Presence::Present)] }.into());
            }
            self.published = Some(now);
        }
        seen.cost.ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(seen)
    }

    fn served_twice(&self, live: &[&Lease]) -> Problem {
        let names: Vec<&str> = live.iter().map(|lease| lease.instance_id.as_str()).collect();
        let evidence = live.iter().map(|lease| {
            let at = lease.heartbeat_ms().map_or_else(|| "unknown".into(), utc);
            format!("{}: {}, pid {}, last heartbeat {at}", lease.instance_id, lease.surface, lease.pid).into()
        });
        Problem {
            rule: "realm-twice",
            severity: Severity::Critical,
            about: About::Source,
            name: self.realm.clone(),
            sentence: format!("realm {}: {} live processes serve it: {}", self.realm, live.len(), names.join(", "))
                .into(),
            evidence: evidence.collect(),
        }
    }
}

impl Source for Processes {
    fn poll<'a>(&'a mut self, _: &'a PollContext) -> Polling<'a> {
        Box::pin(std::future::ready(self.poll_now()))
    }
}

/// The leases in a folder, and what is none.
fn leases(folder: &Path) -> Result<(Vec<Lease>, Vec<Oddity>), Fault> {
    let (mut leases, mut odd) = (Vec::new(), Vec::new());
    for path in files(folder)? {
        match read(&path) {
            Ok(Some(lease)) => leases.push(lease),
            Ok(None) => odd.push(unreadable(&path, "no lease, or one that is being written")),
            // A process that stopped took its lease with it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => odd.push(unreadable(&path, &error.to_string())),
        }
    }
    Ok((leases, odd))
}

fn processes(leases: &[Lease], now_ms: Millis) -> Vec<(Text, bool)> {
    leases.iter().map(|lease| (Text::new(&lease.instance_id), lease.is_live(now_ms))).collect()
}

/// Who serves the realm, for a source that is polled before its processes were.
pub fn read_first(folder: &Path, shared: &Shared, now_ms: Millis) {
    if shared.facts().processes.is_none()
        && let Ok((leases, _)) = leases(folder)
    {
        shared.update(|facts| facts.processes = Some(processes(&leases, now_ms)));
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fault::transient(format!("cannot read {}: {error}", folder.display()))),
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort();
    paths.truncate(MOST_LEASES);
    Ok(paths)
}

/// One lease; nothing where the file is none. Whatever is no plain file is not waited for.
fn read(path: &Path) -> std::io::Result<Option<Lease>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Lease::read(&bytes))
}

fn unreadable(path: &Path, found: &str) -> Oddity {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Oddity { table: "leases", column: "heartbeat_at", row: name.into(), found: found.into() }
}
