//! The rules of findings, one small family a file, and their registry.

mod attempts;
mod copies;
mod fences;
mod leaders;
mod leases;
mod lies;
mod locks;
mod log;
mod nodes;
mod reviews;
mod rule;
mod sources;
mod work;

use crate::mesh::derive::finding::{Finding, Subject};
use crate::model::severity::Severity;
use crate::model::text::Text;

pub use self::rule::{Check, Rule};

/// Every rule, the most telling first.
pub const RULES: &[Rule] = &[
    Rule { name: "source-down", summary: "a source is unreachable", check: Check::Mesh(sources::down) },
    Rule { name: "source-old", summary: "a source's data is old", check: Check::Mesh(sources::old) },
    Rule {
        name: "source-foreign",
        summary: "a database has no coordination tables",
        check: Check::Mesh(sources::foreign),
    },
    Rule { name: "source-unseen", summary: "part of a source cannot be seen", check: Check::Mesh(sources::unseen) },
    Rule {
        name: "lock-barred",
        summary: "a lock directory is blocked by what an interrupted break left",
        check: Check::Lock(locks::locked_out),
    },
    Rule {
        name: "attempt-open",
        summary: "the outcome of an attempt in the journal is unknown",
        check: Check::Mesh(attempts::open),
    },
    Rule { name: "log-stopped", summary: "the op-log stopped while work goes on", check: Check::Mesh(log::stopped) },
    Rule { name: "chain-broken", summary: "the op-log's hash chain is broken", check: Check::Mesh(log::broken) },
    Rule { name: "node-dead", summary: "a node is silent", check: Check::Node(nodes::silent) },
    Rule {
        name: "deadlock",
        summary: "agents wait for each other in a circle",
        check: Check::Waits(locks::deadlocked),
    },
    Rule { name: "fence-back", summary: "a fence token went backwards", check: Check::Mesh(fences::back) },
    Rule {
        name: "lock-twice",
        summary: "one resource has two holders, in two tables",
        check: Check::Mesh(fences::held_twice),
    },
    Rule { name: "leader-twice", summary: "a repository has two lock leaders", check: Check::Mesh(leaders::two) },
    Rule {
        name: "lock-orphaned",
        summary: "a lock is held by a node that is gone",
        check: Check::Lock(locks::orphaned),
    },
    Rule {
        name: "lock-expired",
        summary: "an expired lock is still there and may block older clients",
        check: Check::Lock(locks::expired),
    },
    Rule { name: "lock-unowned", summary: "a lock is held, its holder is unknown", check: Check::Lock(locks::unowned) },
    Rule {
        name: "lease-orphaned",
        summary: "a lease is held by a node that no source knows",
        check: Check::Mesh(leases::orphaned),
    },
    Rule {
        name: "heartbeat-idle",
        summary: "a node sends heartbeats but renews nothing",
        check: Check::Mesh(lies::renews_nothing),
    },
    Rule { name: "lock-early", summary: "a lock changed hands before its end", check: Check::Lock(lies::taken_early) },
    Rule {
        name: "lease-twice",
        summary: "one scope is leased to several nodes",
        check: Check::Mesh(lies::leased_twice),
    },
    Rule {
        name: "holder-unheard",
        summary: "a node holds locks and never sent a heartbeat",
        check: Check::Mesh(lies::never_beat),
    },
    Rule {
        name: "mark-forgotten",
        summary: "a quarantine or drain is gone from the control plane",
        check: Check::Mesh(leases::forgotten),
    },
    Rule {
        name: "claim-contested",
        summary: "several agents claim one piece of work",
        check: Check::Lock(locks::contested),
    },
    Rule { name: "review-open", summary: "a review asks for an answer", check: Check::Mesh(reviews::open) },
    Rule { name: "reader-behind", summary: "a reader is far behind", check: Check::Mesh(sources::behind) },
    Rule { name: "leader-gone", summary: "a repository has no living lock leader", check: Check::Mesh(leaders::gone) },
    Rule { name: "waiter-starved", summary: "an agent waits too long", check: Check::Lock(locks::starved) },
    Rule { name: "lock-held-long", summary: "a lock is held very long", check: Check::Lock(fences::held_long) },
    Rule { name: "message-poison", summary: "a message fails again and again", check: Check::Message(work::poison) },
    Rule {
        name: "message-twice",
        summary: "one message waits for several agents",
        check: Check::Mesh(copies::several),
    },
    Rule { name: "message-stuck", summary: "a message is not acknowledged", check: Check::Message(work::stuck) },
    Rule { name: "task-orphaned", summary: "the worker of a task is gone", check: Check::Task(work::orphaned) },
    Rule { name: "clock-skew", summary: "clocks disagree by more than 2 s", check: Check::Mesh(nodes::source_skew) },
    Rule { name: "clock-skew", summary: "clocks disagree by more than 2 s", check: Check::Node(nodes::skew) },
    Rule { name: "node-missing", summary: "a node is known to one source only", check: Check::Node(nodes::missing) },
    Rule { name: "value-odd", summary: "values have an unexpected type", check: Check::Mesh(sources::odd) },
    Rule { name: "source-note", summary: "a source shows less than it could", check: Check::Mesh(sources::notes) },
];

/// A finding; the registry writes the rule's name into it.
fn finding(severity: Severity, subject: Subject, name: &Text, sentence: String, evidence: Vec<Text>) -> Finding {
    Finding {
        rule: "",
        order: 0,
        severity,
        subject,
        name: name.clone(),
        sentence: sentence.into(),
        evidence,
        part: Text::default(),
        life: None,
    }
}
