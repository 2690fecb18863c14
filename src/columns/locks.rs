//! Everything that is held: locks of every table, and execution leases beside them.

use serde_json::json;
use strum::VariantNames as _;

use super::queues::{waiters, waiters_schema};
use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::locks::{LockState, LockView};
use crate::mesh::derive::staleness::Staleness;
use crate::model::Condition;
use crate::model::time::{Millis, short};

type Of = Column<LockView>;

/// Every lock and every lease in force, of every source.
pub static LOCKS: Columns<LockView> = Columns {
    part: "locks",
    title: "LOCKS",
    about: "Every lock that a source has.",
    is_old: |l| l.as_of_ms.is_some(),
    all: &[
        Of::new("lock_key", Kind::Name, "What is locked.", |l, _| Value::name(&l.lock.lock_key))
            .shown("lock", "LOCK", (27, 60), 0)
            .drawn(|l, _| Cell::plain(l.name())),
        Of::new("state", Kind::State(LockState::VARIANTS), "Its state.", |l, _| Value::state(&l.state)).shown(
            "state",
            "STATE",
            (12, 12),
            0,
        ),
        Of::new("holder_node", Kind::Name, "The node that holds it.", |l, _| Value::name(&l.lock.holder_node))
            .shown("holder", "HOLDER", (10, 24), 0)
            .drawn(|l, _| Cell::with_state(&l.holder_staleness, &l.lock.holder_node)),
        Of::new("holder_agent", Kind::Name, "The agent that holds it.", |l, _| Value::name(&l.lock.holder_agent))
            .shown("agent", "AGENT", (5, 20), 3)
            .right()
            .sorted(|l| Sort::id(&l.lock.holder_agent)),
        Of::new("fence_token", Kind::Count, "Its fence token.", |l, _| Value::Count(l.lock.fence_token))
            .shown("fence", "FENCE", (5, 8), 2)
            .drawn(|l, _| fence(l)),
        Of::new("ttl_ms", Kind::Span, "Until it expires; negative once it has.", |l, now| Value::Span(l.ttl_ms(now)))
            .shown("ttl", "TTL", (7, 8), 0)
            .ascending()
            .sorted(|l| Sort::opt(l.expires_ms))
            .drawn(ttl),
        Of::new("held_ms", Kind::Span, "Since it was taken.", |l, now| Value::Span(l.held_ms(now)))
            .shown("held", "HELD", (7, 8), 4)
            .sorted(|l| Sort::since(l.acquired_ms.or(l.seen_since_ms())))
            .drawn(held),
        Of::new("waiting", Kind::Count, "How many wait for it.", |l, _| Value::size(l.waiters.len()))
            .always()
            .shown("waiters", "WAIT", (4, 5), 0)
            .drawn(|l, _| waiting(l)),
        Of::new("longest_wait_ms", Kind::Span, "The longest of the waits for it.", |l, now| {
            Value::Span(l.longest_wait_ms(now))
        })
        .shown("longest", "LONGEST", (7, 8), 3)
        .sorted(|l| Sort::since(l.first_wait_ms()))
        .drawn(|l, now| l.longest_wait_ms(now).map_or_else(|| Cell::dim("-"), |ms| Cell::plain(short(ms)))),
        Of::new("table", Kind::Text, "Where its source keeps it.", |l, _| Value::text(<&str>::from(l.lock.table)))
            .shown("table", "TABLE", (8, 17), 6)
            .dim(),
        Of::new("repository_id", Kind::Name, "Its repository.", |l, _| Value::name(&l.lock.repository_id))
            .shown("repo", "REPOSITORY", (10, 18), 7)
            .dim(),
        Of::new("holder_staleness", Kind::State(Staleness::VARIANTS), "How its holder does.", |l, _| {
            Value::state(&l.holder_staleness)
        })
        .listed("HOLDER IS"),
        Of::new("acquired_at_ms", Kind::Instant, "When it was taken, on its writer's clock.", |l, _| {
            Value::Instant(l.lock.acquired_at_ms)
        }),
        Of::new("expires_at_ms", Kind::Instant, "When it expires, on its writer's clock.", |l, _| {
            Value::Instant(l.lock.expires_at_ms)
        }),
        Of::new(
            "ttl_at_least_ms",
            Kind::Span,
            "What is left at least of a lease whose renewals nobody sees.",
            |l, now| Value::Span(l.least_left(now)),
        ),
        Of::new("seen_since_ms", Kind::Instant, "Since when this console sees this hold, on its own clock.", |l, _| {
            Value::Instant(l.seen_since_ms())
        }),
        Of::new("shared", Kind::Flag, "Whether readers share it.", |l, _| Value::Flag(Some(l.lock.shared))).always(),
        Of::new("lease_id", Kind::Name, "What tells this hold from another where no fence does.", |l, _| {
            Value::Name(l.lock.lease_id.as_ref())
        })
        .or_null(),
        Of::new("remark", Kind::Name, "What its source says of it.", |l, _| Value::Name(l.lock.remark.as_ref()))
            .or_null(),
        Of::new("source", Kind::Name, "The source that it was read from.", |l, _| Value::name(&l.source)),
        Of::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |l, _| Value::Instant(l.as_of_ms)),
        Of::new("waiters", Kind::Json(waiters_schema), "Who waits for it, first in the queue first.", |l, _| {
            Value::Json(json!(waiters(l)))
        }),
    ],
};

/// Not every lock has a fence.
fn fence(l: &LockView) -> Cell {
    match l.lock.fence_token {
        None if !l.lock.table.is_fenced() => Cell::dim("-"),
        fence => Cell::count(fence),
    }
}

/// Where nothing tells since when, it is since this console saw it, or longer.
fn held(l: &LockView, now: Millis) -> Cell {
    match (l.held_ms(now), l.seen_since_ms()) {
        (None, Some(at)) => Cell::plain(format!("≥{}", short(l.as_of_ms.unwrap_or(now) - at))),
        (span, _) => Cell::of(&Value::Span(span), l.as_of_ms.is_some()),
    }
}

/// A lock without an end has none to count down to.
fn ttl(l: &LockView, now: Millis) -> Cell {
    match (l.lock.condition, l.least_left(now)) {
        // Renewed unseen: what is left is a floor.
        (_, Some(left)) => Cell::plain(format!("≥{}", short(left))),
        (Some(Condition::OpenEnded), None) => Cell::dim("-"),
        _ => Cell::of(&Value::Span(l.ttl_ms(now)), l.as_of_ms.is_some()),
    }
}

fn waiting(l: &LockView) -> Cell {
    match l.waiters.len() {
        0 => Cell::dim("-"),
        n => Cell::new(n, Role::Warn),
    }
}
