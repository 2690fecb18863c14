//! Events: what became of findings, and who acknowledged them.

use strum::VariantNames as _;

use super::role::State as _;
use super::{Cell, Column, Columns, Kind, Sort, Value};
use crate::model::event::{Event, Kind as What};
use crate::model::severity::Severity;
use crate::model::text::Text;

type Of = Column<Event>;

/// The history of a mesh, as far as it is kept.
pub static EVENTS: Columns<Event> =
    Columns {
        part: "events",
        title: "EVENTS",
        about: "What became of findings.",
        is_old: |_| false,
        all: &[
            Of::new("age_ms", Kind::Span, "Since it happened.", |e, now| Value::Span(Some(now - e.at_ms)))
                .shown("age", "AGE", (7, 8), 0)
                .sorted(|e| Sort::Number(e.at_ms)),
            Of::new("event", Kind::State(What::VARIANTS), "What happened.", |e, _| Value::state(&e.kind))
                .shown("event", "EVENT", (14, 14), 0)
                .ascending()
                .sorted(|e| Sort::Text(e.kind.into())),
            Of::new("severity", Kind::State(Severity::VARIANTS), "How bad it is.", |e, _| Value::state(&e.severity))
                .shown("severity", "SEVERITY", (10, 10), 1),
            Of::new("sentence", Kind::Text, "What is wrong.", |e, _| Value::text(&*e.sentence))
                .shown("what", "WHAT", (40, 200), 0)
                .drawn(|e, _| Cell::new(Text::new(&e.sentence), e.kind.role())),
            Of::new("by", Kind::Text, "Who acknowledged it.", |e, _| Value::text(e.by.as_deref().unwrap_or_default()))
                .shown("by", "BY", (8, 16), 2)
                .drawn(|e, _| e.by.as_deref().map_or_else(|| Cell::dim("-"), |by| Cell::plain(Text::new(by)))),
            Of::new("times", Kind::Count, "How often it was raised.", |e, _| Value::Count(Some(e.times.into()))).shown(
                "times",
                "TIMES",
                (5, 5),
                3,
            ),
        ],
    };
