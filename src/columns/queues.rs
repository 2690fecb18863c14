//! Queues: locks that somebody waits for, and who waits.

use serde_json::{Value as Json, json};
use strum::VariantNames as _;

use super::{Column, Columns, Kind, Value};
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::queues::{Confidence, Waiter};

type Of = Column<LockView>;
type Waits = Column<Waiter>;

/// Locks with waiters.
pub static QUEUES: Columns<LockView> = Columns {
    part: "queues",
    title: "QUEUES",
    about: "Locks that somebody waits for.",
    is_old: |l| l.as_of_ms.is_some(),
    all: &[
        Of::new("lock_key", Kind::Name, "What is locked.", |l, _| Value::name(&l.lock.lock_key)).listed("LOCK"),
        Of::new("repository_id", Kind::Name, "Its repository.", |l, _| Value::name(&l.lock.repository_id)),
        Of::new("table", Kind::Text, "Where its source keeps it.", |l, _| Value::text(<&str>::from(l.lock.table))),
        Of::new("holder_agent", Kind::Name, "The agent that holds it.", |l, _| Value::name(&l.lock.holder_agent))
            .listed("HELD BY"),
        Of::new("depth", Kind::Count, "How many wait.", |l, _| Value::size(l.waiters.len())).always().listed("WAIT"),
        Of::new("longest_wait_ms", Kind::Span, "The longest of the waits.", |l, now| {
            Value::Span(l.longest_wait_ms(now))
        })
        .listed("LONGEST"),
        Of::new("waiters", Kind::Json(waiters_schema), "Who waits, first in the queue first.", |l, _| {
            Value::Json(json!(waiters(l)))
        }),
        Of::new("queue", Kind::Text, "Who waits, in words.", |l, now| Value::text(in_words(l, now)))
            .screen_only()
            .listed("WAITERS"),
    ],
};

/// Who waits for a lock.
static WAITERS: &[Column<Waiter>] = &[
    Waits::new("agent", Kind::Name, "Who waits.", |w, _| Value::name(&w.agent)),
    Waits::new("since_ms", Kind::Instant, "Since when, on the console's clock.", |w, _| Value::Instant(w.since_ms)),
    Waits::new("evidence", Kind::Names, "Where the wait is read from.", |w, _| Value::Names(&w.evidence)),
    Waits::new("confidence", Kind::State(Confidence::VARIANTS), "How sure the wait is.", |w, _| {
        Value::text(<&str>::from(w.confidence))
    }),
    Waits::new("priority", Kind::Count, "Higher goes first.", |w, _| Value::Count(Some(w.priority))).always(),
    Waits::new(
        "inferred",
        Kind::Flag,
        "Whether it was read from what agents wrote; else its queue says so.",
        |w, _| Value::Flag(Some(w.confidence != Confidence::Exact)),
    )
    .always(),
];

pub(super) fn waiters(l: &LockView) -> Vec<Json> {
    l.waiters.iter().map(|waiter| super::row::object(WAITERS, waiter, 0)).collect()
}

pub(super) fn waiters_schema() -> Json {
    super::schema::rows(WAITERS)
}

fn in_words(l: &LockView, now: i64) -> String {
    let now = l.as_of_ms.unwrap_or(now);
    let one = |(place, waiter): (usize, &Waiter)| {
        let wait = Value::Span(waiter.since_ms.map(|since| now - since)).plain();
        let evidence: Vec<String> = waiter.evidence.iter().map(ToString::to_string).collect();
        let how = if waiter.confidence == Confidence::Exact { "exact" } else { "inferred" };
        format!("{}. agent {} {wait} ({how}: {})", place + 1, waiter.agent, evidence.join(", "))
    };
    l.waiters.iter().enumerate().map(one).collect::<Vec<_>>().join("; ")
}
