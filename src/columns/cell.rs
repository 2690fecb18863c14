//! A cell as it is drawn: text, and what it means.

use super::role::{Role, State};
use super::value::Value;
use crate::model::text::scrub;
use crate::model::time::{Millis, clock, short};

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub role: Role,
    /// The instant, where the cell shows one: the screen shows it on the clock that the operator chose.
    pub at: Option<Millis>,
}

impl Cell {
    /// Text with a meaning.
    #[must_use]
    pub fn new(text: impl ToString, role: Role) -> Self {
        Self { at: None, text: text.to_string(), role }
    }
    /// Plain text.
    #[must_use]
    pub fn plain(text: impl ToString) -> Self {
        Self::new(text, Role::Normal)
    }
    /// Text of lesser weight.
    #[must_use]
    pub fn dim(text: impl ToString) -> Self {
        Self::new(text, Role::Dim)
    }
    /// A number; zero is of lesser weight, and what is unknown is `?`.
    #[must_use]
    pub fn count(n: Option<i64>) -> Self {
        match n {
            None => Self::new("?", Role::Unknown),
            Some(0) => Self::dim("0"),
            Some(n) => Self::plain(n),
        }
    }
    /// A name behind the glyph of its state.
    #[must_use]
    pub fn with_state(state: &impl State, name: impl std::fmt::Display) -> Self {
        Self::new(format!("{} {name}", state.glyph()), state.role())
    }
    /// A value as its kind is shown. A state or span of an old source bears a `~`: it never looks live.
    #[must_use]
    pub fn of(value: &Value<'_>, old: bool) -> Self {
        let aged = |cell: Self| if old { Self::new(format!("{}~", cell.text), Role::Old) } else { cell };
        match value {
            Value::Instant(Some(ms)) => Self { text: clock(*ms, 0), role: Role::Dim, at: Some(*ms) },
            Value::Instant(None) | Value::Span(None) => Self::new("?", Role::Unknown),
            Value::Span(Some(ms)) => aged(Self::plain(short(*ms))),
            Value::Count(n) => Self::count(*n),
            Value::State(Some(state)) => aged(Self::new(format!("{} {state}", state.glyph()), state.role())),
            Value::Name(Some(name)) => Self::plain(name),
            Value::Names(names) => Self::plain(names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            Value::Text(text) => Self::plain(scrub(text)),
            Value::Flag(Some(flag)) => Self::plain(if *flag { "yes" } else { "no" }),
            Value::State(None) | Value::Name(None) | Value::Flag(None) => Self::dim("-"),
            Value::Json(_) => Self::dim(""),
        }
    }
}
