//! What is measured of each mesh. Series stand for what is there now: what is gone has none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use strum::VariantNames as _;

use super::board::Seen;
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

/// A registry with everything that is known at an instant.
pub fn registry(names: &[String], meshes: &[Option<Arc<Seen>>], node_series: usize, now: Millis) -> Registry {
    let mut registry = Registry::with_prefix("lockkeeper");
    let about = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program", about);
    let mut gauges = |name: &str, help: &str| {
        let family = Gauges::default();
        registry.register(name, help, family.clone());
        family
    };
    let up = gauges("up", "Whether a source answered its last poll (1) or not (0)");
    let findings = gauges("findings", "Findings by severity and rule");
    let open = gauges("findings_open", "Findings that nobody acknowledged, by severity");
    let nodes = gauges("nodes", "Nodes by staleness");
    let locks = gauges("locks", "Locks by state");
    let messages = gauges("messages", "Messages by state, within the window that is read");
    let tasks = gauges("tasks", "Tasks by state, as far as they can be assembled");
    let waiters = gauges("lock_waiters", "Agents that wait for a lock, as far as it can be inferred");
    let deadlocks = gauges("deadlocks", "Circles of agents that wait for each other");
    let mut seconds = |name: &str, help: &str| {
        let family = Gauges::default();
        registry.register_with_unit(name, help, Unit::Seconds, family.clone());
        family
    };
    let age = seconds("source_answer_age", "Time since the last answer of a source");
    let poll = seconds("source_last_poll_duration", "Time that the last poll of a source took");
    let snapshot_age = seconds("snapshot_age", "Time since the state of a mesh was evaluated");
    let longest = seconds("lock_longest_wait", "Longest wait for a lock");
    let heartbeat = seconds("node_heartbeat_age", "Time since the last sign of life of a node, with --node-series");
    let mut counters = |name: &str, help: &str| {
        let family = Counters::default();
        registry.register(name, help, family.clone());
        family
    };
    let polls = counters("source_polls", "Answers of a source");
    let rows = counters("source_rows", "Rows that a source returned");
    let trips = counters("source_round_trips", "Requests to a source that were answered");
    let bytes = Counters::default();
    registry.register_with_unit("source_received", "Bytes received from a source", Unit::Bytes, bytes.clone());

    for (name, seen) in names.iter().zip(meshes) {
        let mesh = ("mesh", value(name));
        let Some(seen) = seen else { continue };
        let (snapshot, counts) = (&seen.snapshot, seen.counts());
        let of = |key: &'static str, text: &str| vec![mesh.clone(), (key, value(text))];
        for (source, view) in snapshot.mesh.sources.iter().zip(snapshot.sources.iter()) {
            let labels = of("source", source.identity.name.as_str());
            up.get_or_create(&labels).set(f64::from(u8::from(view.health == SourceHealth::Live)));
            if let Some(at) = source.health.last_ok_ms {
                age.get_or_create(&labels).set(in_seconds(now - at));
                poll.get_or_create(&labels).set(source.last_cost.ms / 1_000.0);
            }
            let total = &source.total_cost;
            polls.get_or_create(&labels).inc_by(source.polls);
            rows.get_or_create(&labels).inc_by(total.rows);
            trips.get_or_create(&labels).inc_by(total.round_trips);
            bytes.get_or_create(&labels).inc_by(total.bytes);
        }
        for (family, states) in
            [(&nodes, &counts.nodes), (&locks, &counts.locks), (&messages, &counts.messages), (&tasks, &counts.tasks)]
        {
            for (state, n) in states {
                family.get_or_create(&of("state", state)).set(count(*n));
            }
        }
        for ((severity, rule), n) in &counts.findings {
            let mut labels = of("severity", &severity.to_string());
            labels.push(("rule", value(rule)));
            findings.get_or_create(&labels).set(count(*n));
        }
        let (critical, warnings) = snapshot.open_counts();
        for (severity, n) in [(Severity::Critical, critical), (Severity::Warning, warnings)] {
            open.get_or_create(&of("severity", &severity.to_string())).set(count(n));
        }
        let alone = vec![mesh.clone()];
        waiters.get_or_create(&alone).set(count(counts.waiters));
        deadlocks.get_or_create(&alone).set(count(snapshot.waits.deadlocks.len()));
        snapshot_age.get_or_create(&alone).set(in_seconds(now - snapshot.at_ms));
        let waits = snapshot.marked.contended.iter().filter_map(|lock| lock.longest_wait_ms(now));
        longest.get_or_create(&alone).set(in_seconds(waits.max().unwrap_or(0)));
        for node in snapshot.marked.worst.iter().take(node_series) {
            if let Some(ms) = node.age_ms(now) {
                heartbeat.get_or_create(&of("node", node.name().as_str())).set(in_seconds(ms));
            }
        }
    }
    registry
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
