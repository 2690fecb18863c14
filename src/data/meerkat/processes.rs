//! The processes that serve a realm, as a source: their lease files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::its_clock;
use super::lease::{Lease, MOST_BYTES};
use super::shared::Shared;
use crate::data::plain_file;
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
    /// The lease that each file was last read as: one that is being written is the one before.
    last: HashMap<PathBuf, Lease>,
    published: Option<(Vec<Heartbeat>, Vec<Problem>, Vec<Oddity>)>,
    /// The console's wall clock, by which Meerkat writes as well.
    clock: fn() -> Millis,
}

impl Processes {
    /// Reads the leases in `folder`.
    #[must_use]
    pub fn new(realm: Text, folder: PathBuf, shared: Shared, clock: fn() -> Millis) -> Self {
        Self { realm, folder, shared, last: HashMap::new(), published: None, clock }
    }

    fn poll_now(&mut self) -> Result<Observation, Fault> {
        let started = Instant::now();
        let now_ms = (self.clock)();
        let mut seen = Observation { clock: Some(its_clock()), ..Observation::default() };
        let found = match Found::read(&self.folder, &mut self.last) {
            Ok(found) => found,
            Err(fault) => {
                self.shared.update(|facts| facts.processes = None);
                return Err(fault);
            }
        };
        found.tell(&self.shared, now_ms);
        let Found { leases, odd, .. } = found;
        seen.cost.rows = leases.len() as u64;
        let live = serving(&leases, now_ms);
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

/// What is in the folder of leases.
#[derive(Default)]
struct Found {
    leases: Vec<Lease>,
    /// Files that are no leases.
    odd: Vec<Oddity>,
    /// One of them was never read as a lease.
    is_unsure: bool,
}

impl Found {
    /// Reads the folder. `last` is what its files were read as before.
    fn read(folder: &Path, last: &mut HashMap<PathBuf, Lease>) -> Result<Self, Fault> {
        let mut found = Self::default();
        let paths = files(folder)?;
        last.retain(|path, _| paths.binary_search(path).is_ok());
        for path in paths {
            let why = match plain_file::read(&path, MOST_BYTES).map(|bytes| Lease::read(&bytes)) {
                Ok(Some(lease)) => {
                    last.insert(path, lease.clone());
                    found.leases.push(lease);
                    continue;
                }
                // A process that stopped took its lease with it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Ok(None) => "no lease, or one that is being written".to_owned(),
                Err(error) => error.to_string(),
            };
            found.odd.push(unreadable(&path, &why));
            match last.get(&path) {
                Some(lease) => found.leases.push(lease.clone()),
                None => found.is_unsure = true,
            }
        }
        Ok(found)
    }

    /// Tells the other sources of the realm.
    fn tell(&self, shared: &Shared, now_ms: Millis) {
        let live = |lease: &Lease| lease.is_live(now_ms);
        let processes = self.leases.iter().map(|lease| (Text::new(&lease.instance_id), live(lease) == Some(true)));
        let processes = Some(processes.collect());
        let is_unsure = self.is_unsure || self.leases.iter().any(|lease| live(lease).is_none());
        shared.update(|facts| (facts.processes, facts.is_unsure) = (processes, is_unsure));
    }
}

/// The processes that serve the realm at once.
fn serving(leases: &[Lease], now_ms: Millis) -> Vec<&Lease> {
    let live: Vec<&Lease> = leases.iter().filter(|lease| lease.is_live(now_ms) == Some(true)).collect();
    let Some(latest) = live.iter().copied().max_by_key(|lease| lease.started_at) else { return live };
    live.into_iter().filter(|lease| lease.outlives(latest)).collect()
}

/// Who serves the realm, for a source that is polled before its processes were.
pub fn read_first(folder: &Path, shared: &Shared, now_ms: Millis) {
    if shared.facts().processes.is_none()
        && let Ok(found) = Found::read(folder, &mut HashMap::new())
    {
        found.tell(shared, now_ms);
    }
}

/// The files of a folder that may be leases, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fault::transient(format!("cannot read {}: {error}", folder.display()))),
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    if paths.len() > MOST_LEASES {
        // What processes left behind is older than what they write.
        let written = |path: &PathBuf| std::fs::metadata(path).and_then(|file| file.modified()).ok();
        paths.sort_by_cached_key(|path| std::cmp::Reverse(written(path)));
        paths.truncate(MOST_LEASES);
    }
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, found: &str) -> Oddity {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Oddity { table: "leases", column: "heartbeat_at", row: name.into(), found: found.into() }
}
