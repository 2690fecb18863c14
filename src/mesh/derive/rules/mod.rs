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
    Rule { name: "source-down", summary: "a source does not answer", check: Check::Mesh(sources::down) },
    Rule { name: "source-old", summary: "a source's data is old", check: Check::Mesh(sources::old) },
    Rule {
        name: "source-foreign",
        summary: "a database has nothing of a coordination layer in it",
        check: Check::Mesh(sources::foreign),
    },
    Rule {
        name: "source-unseen",
        summary: "a source may not show, or does not show, all that it has",
        check: Check::Mesh(sources::unseen),
    },
    Rule {
        name: "lock-barred",
        summary: "what an ended breaker left keeps everybody out of a lock",
        check: Check::Lock(locks::locked_out),
    },
    Rule {
        name: "attempt-open",
        summary: "whether an attempt of this journal took effect is not known",
        check: Check::Mesh(attempts::open),
    },
    Rule { name: "log-stopped", summary: "the op-log stopped while work goes on", check: Check::Mesh(log::stopped) },
    Rule { name: "chain-broken", summary: "the op-log's hash chain is broken", check: Check::Mesh(log::broken) },
    Rule { name: "node-dead", summary: "nodes have fallen silent", check: Check::Node(nodes::silent) },
    Rule { name: "deadlock", summary: "agents wait for each other", check: Check::Mesh(locks::deadlocked) },
    Rule { name: "fence-back", summary: "a fence token went backwards", check: Check::Mesh(fences::back) },
    Rule {
        name: "lock-twice",
        summary: "one resource is held in two tables by different holders",
        check: Check::Mesh(fences::held_twice),
    },
    Rule { name: "leader-twice", summary: "a repository has two lock leaders", check: Check::Mesh(leaders::two) },
    Rule {
        name: "lock-orphaned",
        summary: "locks are held by nodes that are gone",
        check: Check::Lock(locks::orphaned),
    },
    Rule {
        name: "lock-expired",
        summary: "expired locks were not swept and may block older clients",
        check: Check::Lock(locks::expired),
    },
    Rule {
        name: "lock-unowned",
        summary: "locks are held and nothing says by whom",
        check: Check::Lock(locks::unowned),
    },
    Rule {
        name: "lease-orphaned",
        summary: "leases in force are held by nodes that nobody knows",
        check: Check::Mesh(leases::orphaned),
    },
    Rule {
        name: "heartbeat-idle",
        summary: "a node sends heartbeats and renews nothing",
        check: Check::Mesh(lies::renews_nothing),
    },
    Rule { name: "lock-early", summary: "a lock changed hands before its end", check: Check::Lock(lies::taken_early) },
    Rule {
        name: "lease-twice",
        summary: "one scope is leased to several at once",
        check: Check::Mesh(lies::leased_twice),
    },
    Rule {
        name: "holder-unheard",
        summary: "nodes hold locks and never sent a heartbeat",
        check: Check::Mesh(lies::never_beat),
    },
    Rule {
        name: "mark-forgotten",
        summary: "a node that was shut out or drained is not any more",
        check: Check::Mesh(leases::forgotten),
    },
    Rule {
        name: "claim-contested",
        summary: "one piece of work is claimed by several",
        check: Check::Lock(locks::contested),
    },
    Rule { name: "review-open", summary: "a reviewer's finding asks for an answer", check: Check::Mesh(reviews::open) },
    Rule { name: "reader-behind", summary: "readers are far behind", check: Check::Mesh(sources::behind) },
    Rule { name: "leader-gone", summary: "a repository has no living lock leader", check: Check::Mesh(leaders::gone) },
    Rule { name: "waiter-starved", summary: "agents wait for long", check: Check::Lock(locks::starved) },
    Rule {
        name: "lock-held-long",
        summary: "locks are renewed again and again",
        check: Check::Lock(fences::held_long),
    },
    Rule {
        name: "message-poison",
        summary: "messages are delivered again and again",
        check: Check::Message(work::poison),
    },
    Rule {
        name: "message-twice",
        summary: "one message waits for several agents",
        check: Check::Mesh(copies::several),
    },
    Rule { name: "message-stuck", summary: "messages wait for an acknowledgement", check: Check::Message(work::stuck) },
    Rule { name: "task-orphaned", summary: "tasks sit with workers that are gone", check: Check::Task(work::orphaned) },
    Rule { name: "clock-skew", summary: "clocks disagree by more than 2 s", check: Check::Mesh(nodes::source_skew) },
    Rule { name: "clock-skew", summary: "clocks disagree by more than 2 s", check: Check::Node(nodes::skew) },
    Rule { name: "node-missing", summary: "nodes are known to one source only", check: Check::Node(nodes::missing) },
    Rule { name: "value-odd", summary: "rows hold values of an unexpected type", check: Check::Mesh(sources::odd) },
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
        life: None,
    }
}
