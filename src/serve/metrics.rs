//! What is measured of each mesh. Series stand for what is there now: what is gone has none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use strum::{IntoEnumIterator as _, VariantNames as _};

use super::board::Seen;
use super::series::{Kind, Metric, PREFIX, Series};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::locks::LockState;
use crate::mesh::derive::messages::MessageState;
use crate::mesh::derive::sources::SourceHealth;
use crate::mesh::derive::staleness::Staleness;
use crate::mesh::derive::tasks::TaskState;
use crate::model::severity::Severity;
use crate::model::text::fit;
use crate::model::time::Millis;

/// Characters of a label's value.
const LABEL: usize = 120;

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter<u64>>;

/// Things by their state.
type States = BTreeMap<String, usize>;

/// What is counted in a snapshot once, however often it is asked for.
#[derive(Debug, Default)]
pub struct Counts {
    nodes: States,
    locks: States,
    messages: States,
    tasks: States,
    /// By severity and rule.
    findings: BTreeMap<(Severity, &'static str), usize>,
    waiters: usize,
}

impl Counts {
    /// Counts.
    pub fn of(snapshot: &Snapshot) -> Self {
        // Every state has a series, so that an alert on one that is rare finds a zero.
        let zero = |states: &[&str]| states.iter().map(|state| ((*state).to_owned(), 0)).collect();
        let mut counts = Self {
            nodes: zero(Staleness::VARIANTS),
            locks: zero(LockState::VARIANTS),
            messages: zero(MessageState::VARIANTS),
            tasks: zero(TaskState::VARIANTS),
            ..Self::default()
        };
        let add =
            |states: &mut States, state: &dyn std::fmt::Display| *states.entry(state.to_string()).or_default() += 1;
        snapshot.nodes.iter().for_each(|node| add(&mut counts.nodes, &node.staleness));
        snapshot.locks.iter().for_each(|lock| add(&mut counts.locks, &lock.state));
        snapshot.messages.iter().for_each(|message| add(&mut counts.messages, &message.state));
        snapshot.tasks.iter().for_each(|task| add(&mut counts.tasks, &task.state));
        for finding in snapshot.findings.iter() {
            *counts.findings.entry((finding.severity, finding.rule)).or_default() += 1;
        }
        counts.waiters = snapshot.marked.contended.iter().map(|lock| lock.waiters.len()).sum();
        counts
    }
}

/// The families of a registry, each with the labels of its row.
struct Families {
    registry: Registry,
    gauges: Vec<(Series, Gauges)>,
    counters: Vec<(Series, Counters)>,
}

impl Families {
    fn new() -> Self {
        let mut families = Self { registry: Registry::with_prefix(PREFIX), gauges: Vec::new(), counters: Vec::new() };
        for series in Series::iter() {
            let Metric { name, kind, labels, help } = series.metric();
            let registry = &mut families.registry;
            match kind {
                Kind::Info => {
                    let about = labels.iter().map(|label| (*label, env!("CARGO_PKG_VERSION"))).collect();
                    registry.register(name, help, Info::<Vec<_>>::new(about));
                }
                Kind::Gauge | Kind::Seconds => {
                    let family = Gauges::default();
                    match kind {
                        Kind::Seconds => registry.register_with_unit(name, help, Unit::Seconds, family.clone()),
                        _ => registry.register(name, help, family.clone()),
                    }
                    families.gauges.push((series, family));
                }
                Kind::Counter | Kind::Bytes => {
                    let family = Counters::default();
                    match kind {
                        Kind::Bytes => registry.register_with_unit(name, help, Unit::Bytes, family.clone()),
                        _ => registry.register(name, help, family.clone()),
                    }
                    families.counters.push((series, family));
                }
            }
        }
        families
    }

    fn set(&self, series: Series, values: &[&str], to: f64) {
        if let Some((_, family)) = self.gauges.iter().find(|(of, _)| *of == series) {
            family.get_or_create(&labels(series, values)).set(to);
        }
    }

    fn count(&self, series: Series, values: &[&str], to: u64) {
        if let Some((_, family)) = self.counters.iter().find(|(of, _)| *of == series) {
            family.get_or_create(&labels(series, values)).inc_by(to);
        }
    }
}

fn labels(series: Series, values: &[&str]) -> Labels {
    let names = series.metric().labels;
    debug_assert_eq!(names.len(), values.len(), "{series:?}");
    names.iter().zip(values).map(|(name, text)| (*name, value(text))).collect()
}

/// A registry with everything that is known at an instant.
pub fn registry(names: &[String], meshes: &[Option<Arc<Seen>>], node_series: usize, now: Millis) -> Registry {
    let families = Families::new();
    for (mesh, seen) in names.iter().zip(meshes) {
        let Some(seen) = seen else { continue };
        let (snapshot, counts) = (&seen.snapshot, seen.counts());
        for (source, view) in snapshot.mesh.sources.iter().zip(snapshot.sources.iter()) {
            let of = [mesh.as_str(), source.identity.name.as_str()];
            families.set(Series::Up, &of, f64::from(u8::from(view.health == SourceHealth::Live)));
            if let Some(at) = source.health.last_ok_ms {
                families.set(Series::AnswerAge, &of, in_seconds(now - at));
                families.set(Series::PollDuration, &of, source.last_cost.ms / 1_000.0);
            }
            let total = &source.total_cost;
            families.count(Series::Polls, &of, source.polls);
            families.count(Series::Rows, &of, total.rows);
            families.count(Series::RoundTrips, &of, total.round_trips);
            families.count(Series::Received, &of, total.bytes);
        }
        for (series, states) in [
            (Series::Nodes, &counts.nodes),
            (Series::Locks, &counts.locks),
            (Series::Messages, &counts.messages),
            (Series::Tasks, &counts.tasks),
        ] {
            for (state, n) in states {
                families.set(series, &[mesh, state], count(*n));
            }
        }
        for ((severity, rule), n) in &counts.findings {
            families.set(Series::Findings, &[mesh, &severity.to_string(), rule], count(*n));
        }
        let (critical, warnings) = snapshot.open_counts();
        for (severity, n) in [(Severity::Critical, critical), (Severity::Warning, warnings)] {
            families.set(Series::OpenFindings, &[mesh, &severity.to_string()], count(n));
        }
        families.set(Series::Waiters, &[mesh], count(counts.waiters));
        families.set(Series::Deadlocks, &[mesh], count(snapshot.waits.deadlocks.len()));
        families.set(Series::SnapshotAge, &[mesh], in_seconds(now - snapshot.at_ms));
        let waits = snapshot.marked.contended.iter().filter_map(|lock| lock.longest_wait_ms(now));
        families.set(Series::LongestWait, &[mesh], in_seconds(waits.max().unwrap_or(0)));
        for node in snapshot.marked.worst.iter().take(node_series) {
            if let Some(ms) = node.age_ms(now) {
                families.set(Series::HeartbeatAge, &[mesh, node.name().as_str()], in_seconds(ms));
            }
        }
    }
    families.registry
}

/// A name as the value of a label: visible, bounded, on one line.
fn value(text: &str) -> String {
    fit(&crate::model::text::scrub(text), LABEL).into_owned()
}

fn in_seconds(ms: Millis) -> f64 {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64()
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
