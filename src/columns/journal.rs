//! The journal: what operators did from here, or tried to.

use strum::VariantNames as _;

use super::role::{Role, State};
use super::{Cell, Column, Columns, Kind, Sort, Value};
use crate::model::journal::Entry;
use crate::model::outcome::OutcomeKind;
use crate::model::text::Text;

type Of = Column<Entry>;

/// Every attempt of a mesh.
pub static JOURNAL: Columns<Entry> = Columns {
    part: "journal",
    title: "JOURNAL",
    about: "What was done from this machine, or tried.",
    is_old: |_| false,
    all: &[
        Of::new("age_ms", Kind::Span, "Since it was tried.", |e, now| Value::Span(Some(now - e.at_ms)))
            .shown("age", "AGE", (7, 8), 0)
            .sorted(|e| Sort::Number(e.at_ms)),
        Of::new("outcome", Kind::State(OutcomeKind::VARIANTS), "How it ended; nothing while it is open.", |e, _| {
            Value::State(e.kind.as_ref().map(|outcome| outcome as &dyn State))
        })
        .or_null()
        .shown("outcome", "OUTCOME", (11, 11), 0)
        .ascending()
        .drawn(|e, _| match &e.kind {
            Some(outcome) => Cell::of(&Value::state(outcome), false),
            None => Cell::new("? open", Role::Unknown),
        }),
        Of::new("summary", Kind::Text, "What was tried.", |e, _| Value::text(e.action.summary().to_string()))
            .shown("what", "WHAT", (40, 90), 0)
            .sorted(|e| Sort::Text(&e.id)),
        Of::new("operator", Kind::Text, "Who tried.", |e, _| Value::text(&*e.operator))
            .shown("operator", "OPERATOR", (8, 16), 1)
            .drawn(|e, _| Cell::plain(Text::new(&e.operator))),
        Of::new("audited", Kind::Flag, "Whether the op-log has its entry.", |e, _| Value::Flag(Some(e.audited)))
            .shown("log", "OP-LOG", (7, 7), 2)
            .drawn(|e, _| logged(e)),
        Of::new("source", Kind::Text, "The source that it changed.", |e, _| Value::text(&*e.source))
            .shown("place", "PLACE", (10, 24), 3)
            .drawn(|e, _| Cell::dim(Text::new(&e.source))),
        Of::new("reason", Kind::Text, "Why, in the operator's words.", |e, _| Value::text(&*e.reason))
            .shown("reason", "REASON", (10, 60), 4)
            .drawn(|e, _| Cell::dim(Text::new(&e.reason))),
    ],
};

fn logged(entry: &Entry) -> Cell {
    match (entry.audited, entry.lacks_audit()) {
        (true, _) => Cell::new("✓ yes", Role::Healthy),
        (false, true) => Cell::new("◐ later", Role::Warn),
        (false, false) => Cell::dim("-"),
    }
}
