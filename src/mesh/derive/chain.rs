//! The op-log's hash chain: verified, unverifiable, or broken.
//!
//! An entry carries the hash of its predecessor's number, time and own predecessor hash. It protects
//! nothing else: not the kind, not the description, not the agent.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::Value;
use strum::{Display, EnumIter, IntoStaticStr};

use super::resource::Names;
use crate::mesh::Mesh;
use crate::mesh::facts::Log;
use crate::model::chain::Hash;
use crate::model::source::Aspect;
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis};
use crate::model::{LogEntry, LogTable, Seal};

/// What the chain says of one entry.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum ChainState {
    /// Its predecessor was found by hash, or it is the first of its process.
    Verified,
    /// Its predecessor is not there: never written (gaps are normal), or before the window.
    Unverifiable,
    /// The entry that must be its predecessor is there, and its hash differs.
    Broken,
}

/// One entry, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct LogView {
    pub entry: Arc<LogEntry>,
    pub source: Text,
    pub chain: ChainState,
    /// Why it cannot be verified, or what is broken; empty when verified.
    pub why: &'static str,
    /// On the console's clock.
    pub at_ms: Option<Millis>,
}

impl LogView {
    /// A name that stays: where it was read, table and id.
    #[must_use]
    pub fn key(&self) -> String {
        // Padded, so that entries of one instant stand in the order of their ids.
        format!("{}\u{1}{}\u{1}{:020}", self.source.raw(), self.entry.table, self.entry.id)
    }

    /// Whether it is about a resource, under any spelling of its name.
    #[must_use]
    pub fn is_about(&self, resource: &str, names: &Names) -> bool {
        if !self.entry.kind_json.contains(resource) {
            return false;
        }
        let Ok(Value::Object(kind)) = serde_json::from_str(&self.entry.kind_json) else { return false };
        let mut paths = kind.values().flat_map(|fields| {
            let many = fields["paths"].as_array().into_iter().flatten();
            many.chain([&fields["path"]]).filter_map(Value::as_str)
        });
        paths.any(|path| names.canonical(path) == resource)
    }
}

/// Whether two meshes hold the very same logs, so that nothing needs to be evaluated again.
#[must_use]
pub fn same_logs(a: &Mesh, b: &Mesh) -> bool {
    a.sources.len() == b.sources.len()
        && a.sources.iter().zip(&b.sources).all(|(a, b)| {
            a.clock.offset_ms() == b.clock.offset_ms()
                && a.facts.logs.iter().zip(&b.facts.logs).all(|(a, b)| Arc::ptr_eq(&a.entries, &b.entries))
        })
}

/// Evaluates all logs of all sources, newest first.
pub(super) fn evaluate(mesh: &Mesh) -> Vec<LogView> {
    let mut views = Vec::new();
    for source in &mesh.sources {
        for table in [LogTable::Agent, LogTable::Convergence, LogTable::Events] {
            let log = source.facts.log(table);
            let states = match table {
                _ if !source.identity.provides.contains(&Aspect::Chain) => {
                    vec![(ChainState::Unverifiable, "its system does not tie entries together"); log.entries.len()]
                }
                LogTable::Agent => verify(log),
                LogTable::Events => sealed(log),
                LogTable::Convergence => {
                    vec![(ChainState::Unverifiable, "this log's chain is not checked"); log.entries.len()]
                }
            };
            for (entry, (chain, why)) in log.entries.iter().zip(states) {
                views.push(LogView {
                    entry: entry.clone(),
                    source: source.identity.name.clone(),
                    chain,
                    why,
                    at_ms: entry.timestamp_ms.map(|ms| source.to_console(ms)),
                });
            }
        }
    }
    views.sort_by_key(|view| std::cmp::Reverse((view.at_ms, view.entry.id)));
    views
}

/// Checks one log.
///
/// Processes chain their own entries, so rows of several interleave; links are found by hash, not by
/// order. An entry is called broken only if the entry with the number just before it, *of the same run*,
/// is there with another hash. Rows do not name their run. Two neighbours count as one run when both
/// are written in the same repository by the same agent, or by agents that the hashes tie together,
/// with no first entry between them, and no longer apart than the run's own pauses suggest. Otherwise
/// a restart, which repeats numbers, would look like tampering.
#[must_use]
pub fn verify(log: &Log) -> Vec<(ChainState, &'static str)> {
    let entries = &log.entries;
    let links = &log.links;
    let mut by_link: HashMap<Hash, usize, RandomState> = HashMap::default();
    let mut by_number: HashMap<(u64, &Text), usize, RandomState> = HashMap::default();
    for (i, entry) in entries.iter().enumerate() {
        if let Some(own) = links[i].own {
            by_link.insert(own, i);
        }
        if let Some(number) = links[i].number {
            by_number.insert((number, &entry.repository_id), i);
        }
    }
    let parents: Vec<Option<usize>> = links.iter().map(|link| by_link.get(&link.before?).copied()).collect();
    let runs = Runs::new(entries, &parents);
    (0..entries.len())
        .map(|i| {
            let entry = &entries[i];
            if entry.predecessor_hash.is_none() {
                return (ChainState::Verified, "");
            }
            if parents[i].is_some() {
                return (ChainState::Verified, "");
            }
            let before =
                links[i].number.and_then(|n| by_number.get(&(n.checked_sub(1)?, &entry.repository_id)).copied());
            match before {
                Some(before) if runs.same(before, i) => (
                    ChainState::Broken,
                    "the entry before it is there, and its hash differs: number, time or link were changed",
                ),
                Some(_) => (ChainState::Unverifiable, "the entry with the number before it seems to be of another run"),
                None if !log.complete => {
                    (ChainState::Unverifiable, "its predecessor may be before the window that was read")
                }
                None => (ChainState::Unverifiable, "its predecessor was never written here (a gap)"),
            }
        })
        .collect()
}

/// Checks a log whose entries bear seals: each holds for what is written in it, and names the one before it in its
/// stream.
fn sealed(log: &Log) -> Vec<(ChainState, &'static str)> {
    let mut last: HashMap<&Text, &Seal, RandomState> = HashMap::default();
    let mut states = Vec::with_capacity(log.entries.len());
    for entry in log.entries.iter() {
        let Some(seal) = &entry.seal else {
            states.push((ChainState::Unverifiable, "it bears no hash"));
            continue;
        };
        let before = last.insert(&seal.stream, seal);
        states.push(match before {
            _ if !seal.holds => (ChainState::Broken, "its hash is not that of what is written in it"),
            Some(before) if before.place + 1 != seal.place => {
                (ChainState::Broken, "entries between it and the one before it are gone")
            }
            Some(before) if seal.before.as_ref() != Some(&before.own) => {
                (ChainState::Broken, "it names another entry than the one before it")
            }
            Some(_) => (ChainState::Verified, ""),
            None if seal.before.is_none() => (ChainState::Verified, ""),
            None => (ChainState::Unverifiable, "what was before it was compacted, or not read"),
        });
    }
    states
}

/// Entries tied together by hashes.
struct Runs<'a> {
    entries: &'a VecDeque<Arc<LogEntry>>,
    /// The run of each entry: the index of its first entry.
    root: Vec<usize>,
    /// By run: the longest pause between linked entries, and the agents seen.
    pause: HashMap<usize, Millis, RandomState>,
    agents: HashMap<usize, HashSet<&'a Text, RandomState>, RandomState>,
    /// Positions of entries that begin a run.
    starts: Vec<usize>,
}

impl<'a> Runs<'a> {
    fn new(entries: &'a VecDeque<Arc<LogEntry>>, parents: &[Option<usize>]) -> Self {
        let mut root: Vec<usize> = (0..entries.len()).collect();
        let mut pause: HashMap<usize, Millis, RandomState> = HashMap::default();
        let mut agents: HashMap<usize, HashSet<&Text, RandomState>, RandomState> = HashMap::default();
        for i in 0..entries.len() {
            if let Some(parent) = parents[i].filter(|&p| p < i) {
                root[i] = root[parent];
                if let (Some(a), Some(b)) = (entries[parent].timestamp_ms, entries[i].timestamp_ms) {
                    let longest = pause.entry(root[i]).or_default();
                    *longest = (*longest).max(b - a);
                }
            }
            agents.entry(root[i]).or_default().insert(&entries[i].agent_id);
        }
        let starts = (0..entries.len()).filter(|&i| entries[i].predecessor_hash.is_none()).collect();
        Self { entries, root, pause, agents, starts }
    }

    fn same(&self, before: usize, after: usize) -> bool {
        let (Some(a), Some(b)) = (self.entries[before].timestamp_ms, self.entries[after].timestamp_ms) else {
            return false;
        };
        let patience = self.pause.get(&self.root[before]).map_or(0, |p| 4 * p).max(MINUTE);
        let agents_meet = match (self.agents.get(&self.root[before]), self.agents.get(&self.root[after])) {
            (Some(x), Some(y)) => !x.is_disjoint(y),
            _ => false,
        };
        before < after
            && (b - a).abs() <= patience
            && agents_meet
            && !self.starts.iter().any(|&start| before < start && start <= after)
    }
}

#[cfg(test)]
mod tests;
