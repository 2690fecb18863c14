//! Execution leases and lock leaders.

use strum::VariantNames as _;

use super::{Column, Columns, Kind, Value};
use crate::mesh::derive::leases::{LeaderView, LeaseView};
use crate::mesh::derive::staleness::Staleness;

type Leased = Column<LeaseView>;
type Led = Column<LeaderView>;

/// Every execution lease.
pub static LEASES: Columns<LeaseView> = Columns {
    part: "leases",
    title: "LEASES",
    about: "Execution leases.",
    is_old: |l| l.as_of_ms.is_some(),
    all: &[
        Leased::new("lease_id", Kind::Name, "Its name.", |l, _| Value::name(&l.lease.lease_id)).listed("LEASE"),
        Leased::new("scope_key", Kind::Name, "What it covers.", |l, _| Value::name(&l.lease.scope_key)).listed("SCOPE"),
        Leased::new("holder_node_id", Kind::Name, "The node that holds it.", |l, _| {
            Value::name(&l.lease.holder_node_id)
        })
        .listed("NODE"),
        Leased::new("holder_staleness", Kind::State(Staleness::VARIANTS), "How its holder does.", |l, _| {
            Value::state(&l.holder_staleness)
        })
        .listed("NODE IS"),
        Leased::new("state", Kind::Name, "Its state, as it is written.", |l, _| Value::name(&l.lease.state))
            .listed("STATE"),
        Leased::new("in_force", Kind::Flag, "Not revoked, and not past its end.", |l, _| Value::Flag(Some(l.in_force)))
            .always()
            .listed("IN FORCE"),
        Leased::new("ttl_ms", Kind::Span, "Until it expires; negative once it has.", |l, now| {
            Value::Span(l.expires_ms.map(|at| at - l.as_of_ms.unwrap_or(now)))
        })
        .listed("TTL"),
        Leased::new("task_id", Kind::Name, "The task that it is for.", |l, _| Value::Name(l.lease.task_id.as_ref()))
            .or_null(),
        Leased::new("granted_at_ms", Kind::Instant, "When it was granted, on its writer's clock.", |l, _| {
            Value::Instant(l.lease.granted_at_ms)
        }),
        Leased::new("expires_at_ms", Kind::Instant, "When it expires, on its writer's clock.", |l, _| {
            Value::Instant(l.lease.expires_at_ms)
        }),
        Leased::new(
            "authoritative",
            Kind::Flag,
            "True from a control plane; a row of a database is a hint.",
            |l, _| Value::Flag(Some(l.lease.authoritative)),
        )
        .always(),
        Leased::new("source", Kind::Name, "The source that it was read from.", |l, _| Value::name(&l.source))
            .listed("SOURCE"),
        Leased::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |l, _| Value::Instant(l.as_of_ms)),
    ],
};

/// Every lock leader.
pub static LEADERS: Columns<LeaderView> = Columns {
    part: "leaders",
    title: "LEADERS",
    about: "Lock leaders, one for a repository.",
    is_old: |l| l.as_of_ms.is_some(),
    all: &[
        Led::new("repository_id", Kind::Name, "The repository that it leads.", |l, _| {
            Value::name(&l.leader.repository_id)
        })
        .listed("REPOSITORY"),
        Led::new("leader_node_id", Kind::Name, "The node that leads.", |l, _| Value::name(&l.leader.leader_node_id))
            .listed("NODE"),
        Led::new("staleness", Kind::State(Staleness::VARIANTS), "How that node does.", |l, _| {
            Value::state(&l.staleness)
        })
        .listed("NODE IS"),
        Led::new("epoch", Kind::Count, "Rises with every claim, re-claims too; it is not a term.", |l, _| {
            Value::Count(l.leader.epoch)
        })
        .listed("EPOCH"),
        Led::new("expired", Kind::Flag, "Whether its lease is past its end: then nobody leads.", |l, _| {
            Value::Flag(Some(l.expired))
        })
        .always()
        .listed("EXPIRED"),
        Led::new("elected_at_ms", Kind::Instant, "When it was elected, on its writer's clock.", |l, _| {
            Value::Instant(l.leader.elected_at_ms)
        }),
        Led::new("heartbeat_at_ms", Kind::Instant, "Its last heartbeat, on its writer's clock.", |l, _| {
            Value::Instant(l.leader.heartbeat_at_ms)
        }),
        Led::new("expires_at_ms", Kind::Instant, "When its lease ends, on its writer's clock.", |l, _| {
            Value::Instant(l.leader.expires_at_ms)
        }),
        Led::new("source", Kind::Name, "The source that it was read from.", |l, _| Value::name(&l.source)),
        Led::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |l, _| Value::Instant(l.as_of_ms)),
    ],
};
