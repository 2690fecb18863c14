//! Groups, their members and barriers, and other systems' leaders.

use strum::VariantNames as _;

use super::{Cell, Column, Columns, Kind, Sort, Value, role::Role};
use crate::mesh::derive::groups::{GroupRow, GroupState, Part};
use crate::model::time::{Millis, short};

type Of = Column<GroupRow>;

/// Every group.
pub static GROUPS: Columns<GroupRow> = Columns {
    part: "groups",
    title: "GROUPS",
    about: "Consensus groups with their members and barriers; and leaders of other systems, as what they are.",
    is_old: |g| g.as_of_ms.is_some(),
    all: &[
        Of::new("group", Kind::Name, "The group, e.g. a cluster.", |g, _| Value::name(&g.group))
            .shown("group", "GROUP", (12, 28), 0)
            .dim(),
        Of::new("name", Kind::Name, "What the row is about.", |g, _| Value::name(&g.name))
            .shown("name", "NAME", (12, 36), 0)
            .drawn(|g, _| match g.part {
                Part::Group => Cell::new(&g.name, Role::Title),
                _ => Cell::plain(&g.name),
            }),
        Of::new("part", Kind::Text, "group, member, barrier, lock leader or supervisor.", |g, _| {
            Value::text(<&str>::from(g.part))
        })
        .shown("part", "WHAT", (7, 11), 1)
        .dim(),
        Of::new("state", Kind::State(GroupState::VARIANTS), "What it is at.", |g, _| Value::state(&g.state))
            .shown("state", "STATE", (11, 11), 0)
            .ascending(),
        Of::new("term", Kind::Count, "Its term, where its group votes.", |g, _| Value::Count(g.term))
            .shown("term", "TERM", (4, 7), 1)
            .drawn(|g, _| count(g.term)),
        Of::new("committed", Kind::Count, "The last entry that it knows to be agreed on.", |g, _| {
            Value::Count(g.committed)
        })
        .shown("committed", "COMMITTED", (9, 12), 3)
        .drawn(|g, _| count(g.committed)),
        Of::new("applied", Kind::Count, "The last entry that it carried out.", |g, _| Value::Count(g.applied))
            .shown("applied", "APPLIED", (7, 12), 3)
            .drawn(|g, _| count(g.applied)),
        Of::new("lag", Kind::Count, "Entries behind the furthest of the group.", |g, _| Value::Count(g.lag))
            .shown("lag", "LAG", (4, 8), 1)
            .drawn(|g, _| count(g.lag)),
        Of::new("tenths", Kind::Count, "How far it is, or how many arrived, in tenths of all.", |g, _| {
            Value::Count(g.tenths.map(i64::from))
        })
        .shown("bar", "", (10, 10), 2)
        .left()
        .drawn(|g, _| g.tenths.map_or_else(|| Cell::dim(""), |n| Cell::dim("█".repeat(usize::from(n))))),
        Of::new("so_for_ms", Kind::Span, "Since its state is so; longer where so_for_is_floor says so.", |g, now| {
            Value::Span(so_for(g, now))
        })
        .shown("since", "SO FOR", (8, 9), 0)
        .sorted(|g| Sort::since(g.since_ms))
        .drawn(|g, now| match so_for(g, now) {
            None => Cell::dim("-"),
            // The console looked no earlier.
            Some(span) if g.is_since_floor => Cell::plain(format!("≥{}", short(span))),
            Some(span) => Cell::plain(short(span)),
        }),
        Of::new("remark", Kind::Name, "What its source says of it.", |g, _| Value::name(&g.remark))
            .shown("remark", "REMARK", (16, 80), 2)
            .dim(),
        Of::new("so_for_is_floor", Kind::Flag, "Whether it may have been so for longer.", |g, _| {
            Value::Flag(Some(g.is_since_floor))
        })
        .always(),
        Of::new("since_ms", Kind::Instant, "Since when its state is so, on the console's clock.", |g, _| {
            Value::Instant(g.since_ms)
        }),
        Of::new("fence_token", Kind::Count, "Create revision of a barrier's key.", |g, _| Value::Count(g.fence_token)),
        Of::new("repository_id", Kind::Name, "Its repository.", |g, _| Value::name(&g.repository_id)),
        Of::new("source", Kind::Name, "The source that states it.", |g, _| Value::name(&g.source)),
        Of::new("as_of_ms", Kind::Instant, super::schema::AS_OF, |g, _| Value::Instant(g.as_of_ms)),
    ],
};

fn so_for(g: &GroupRow, now: Millis) -> Option<Millis> {
    g.since_ms.map(|at| g.as_of_ms.unwrap_or(now) - at)
}

/// A number that not every row has.
fn count(n: Option<i64>) -> Cell {
    n.map_or_else(|| Cell::dim("-"), |n| Cell::count(Some(n)))
}
