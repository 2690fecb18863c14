//! Honest logs, tampered logs, restarts and gaps.

use super::*;
use crate::model::chain::link;
use proptest::prelude::*;

/// A process that chains its entries as Vox does.
struct Process {
    number: u64,
    hash: Option<String>,
    at: Millis,
    agent: &'static str,
}

impl Process {
    fn new(agent: &'static str, at: Millis) -> Self {
        Self { number: 0, hash: None, at, agent }
    }

    fn next(&mut self) -> LogEntry {
        self.number += 1;
        self.at += 1_000;
        let entry = LogEntry {
            table: LogTable::Agent,
            id: 0,
            agent_id: self.agent.into(),
            operation_id: format!("OP-{:06}", self.number).into(),
            kind: "Rebalance".into(),
            kind_json: "\"Rebalance\"".into(),
            predecessor_hash: self.hash.as_deref().map(Text::new),
            timestamp_ms: Some(self.at),
            repository_id: "r".into(),
            ..Default::default()
        };
        self.hash = Some(link(self.number, self.at, self.hash.as_deref()));
        entry
    }
}

fn log(entries: Vec<LogEntry>) -> Log {
    Log::of(entries, true)
}

fn states(log: &Log) -> Vec<ChainState> {
    verify(log).into_iter().map(|(state, _)| state).collect()
}

#[test]
fn the_link_is_what_vox_computes() {
    // Measured on a database that Vox wrote.
    assert_eq!(link(1, 1_795_237_666_834, None), "1af44828e561353c44ebfea609c7968d95b8428313c403202d9e8db936f2ef9e");
    assert_eq!(
        link(2, 1_795_237_667_834, Some("1af44828e561353c44ebfea609c7968d95b8428313c403202d9e8db936f2ef9e")),
        "0e954cd4f3f2f7ffef4e1af97de9f3b8021bf2520b1fe65ab8f1b115a1ae070c"
    );
}

#[test]
fn a_changed_time_breaks_the_next_entry() {
    let mut process = Process::new("1", 0);
    let mut entries: Vec<_> = (0..6).map(|_| process.next()).collect();
    entries[2].timestamp_ms = Some(entries[2].timestamp_ms.unwrap() + 1);
    let mut expected = vec![ChainState::Verified; 6];
    expected[3] = ChainState::Broken;
    assert_eq!(states(&log(entries)), expected);
}

#[test]
fn a_gap_is_normal() {
    let mut process = Process::new("1", 0);
    let mut entries: Vec<_> = (0..6).map(|_| process.next()).collect();
    entries.remove(2);
    assert_eq!(states(&log(entries))[2], ChainState::Unverifiable);
}

#[test]
fn a_restart_that_repeats_numbers_is_not_tampering() {
    let (mut first, mut second) = (Process::new("1", 0), Process::new("1", 3_600_000));
    let mut entries: Vec<_> = (0..4).map(|_| first.next()).collect();
    // The numbers 1 to 4 are taken: the second run's rows appear from 5 on.
    entries.extend((0..6).map(|_| second.next()).skip(4));
    let states = states(&log(entries));
    assert_eq!(states[4], ChainState::Unverifiable);
    assert_eq!(states[5], ChainState::Verified);
}

#[test]
fn another_process_between_is_not_tampering() {
    let (mut a, mut b) = (Process::new("1", 0), Process::new("2", 500));
    let mut entries: Vec<_> = (0..3).map(|_| a.next()).collect();
    entries.extend((0..5).map(|_| b.next()).skip(3));
    assert_eq!(states(&log(entries))[3], ChainState::Unverifiable);
}

proptest! {
    /// Any interleaving, any gaps, any window: nothing written honestly is ever called broken.
    #[test]
    fn honest_logs_are_never_broken(picks in prop::collection::vec((any::<bool>(), 0u8..4), 1..80), cut in 0usize..20) {
        let (mut a, mut b) = (Process::new("1", 0), Process::new("2", 300));
        let mut taken = std::collections::HashSet::new();
        let mut entries = Vec::new();
        for (first, gap) in picks {
            let entry = if first { a.next() } else { b.next() };
            // One in four is never written; a number that is taken is refused.
            if gap > 0 && taken.insert(entry.operation_id.clone()) {
                entries.push(entry);
            }
        }
        entries.drain(..cut.min(entries.len()));
        let window = Log::of(entries, cut == 0);
        prop_assert!(!states(&window).contains(&ChainState::Broken));
    }

    /// Any change to number, time or link of an entry with a written successor is noticed.
    #[test]
    fn tampering_is_noticed(n in 3usize..30, at in 1usize..30, shift in 1i64..30_000) {
        let mut process = Process::new("1", 100_000);
        let mut entries: Vec<_> = (0..n).map(|_| process.next()).collect();
        let at = at % (n - 1);
        entries[at].timestamp_ms = entries[at].timestamp_ms.map(|t| t + shift);
        let states = states(&log(entries));
        prop_assert_eq!(states[at + 1], ChainState::Broken);
        prop_assert_eq!(states.iter().filter(|s| **s == ChainState::Broken).count(), 1);
    }
}
