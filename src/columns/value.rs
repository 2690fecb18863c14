//! What a column holds of one row, by type.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::role::State;
use crate::model::text::Text;
use crate::model::time::{Millis, short, utc};

/// Names of one cell that a table of text shows at most.
const MOST_NAMES: usize = 12;

/// The value of a column in one row.
pub enum Value<'a> {
    /// Unix milliseconds.
    Instant(Option<Millis>),
    /// Milliseconds.
    Span(Option<Millis>),
    Count(Option<i64>),
    Flag(Option<bool>),
    State(Option<&'a dyn State>),
    /// A name that came from outside.
    Name(Option<&'a Text>),
    Names(&'a [Text]),
    /// A text that came from outside, or one of ours.
    Text(Cow<'a, str>),
    /// Rows or objects within a row: in JSON alone.
    Json(serde_json::Value),
}

/// The type of a column, in every row.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Instant,
    Span,
    Count,
    Flag,
    /// One of these words.
    State(&'static [&'static str]),
    Name,
    Names,
    Text,
    /// JSON that this schema describes.
    Json(fn() -> serde_json::Value),
}

/// What a row is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort<'a> {
    Number(i64),
    Text(&'a str),
    /// Sorts last.
    Unknown,
}

impl Sort<'_> {
    /// An id: by its number where it is one.
    #[must_use]
    pub fn id(text: &Text) -> Sort<'_> {
        text.raw().parse().map_or(Sort::Text(text.raw()), Sort::Number)
    }
    /// A number that may be unknown.
    #[must_use]
    pub fn opt(n: Option<i64>) -> Self {
        n.map_or(Self::Unknown, Self::Number)
    }
    /// An age by the instant that it began: the oldest is the largest.
    #[must_use]
    pub fn since(at: Option<Millis>) -> Self {
        Self::opt(at.map(|ms| -ms))
    }
}

impl<'a> Value<'a> {
    /// A name that is always there.
    #[must_use]
    pub fn name(name: &'a Text) -> Self {
        Self::Name(Some(name))
    }
    /// A state that is always there.
    #[must_use]
    pub fn state(state: &'a dyn State) -> Self {
        Self::State(Some(state))
    }
    /// One of our own words, or a text from outside.
    #[must_use]
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }
    /// How many there are.
    #[must_use]
    pub fn size(n: usize) -> Self {
        Self::Count(i64::try_from(n).ok())
    }

    /// What it is sorted by. A span is measured from now and has no order of its own.
    #[must_use]
    pub fn sort(self) -> Sort<'a> {
        match self {
            Self::Instant(n) | Self::Count(n) => Sort::opt(n),
            Self::Flag(flag) => Sort::opt(flag.map(i64::from)),
            Self::State(state) => Sort::opt(state.map(State::order)),
            Self::Name(name) => name.map_or(Sort::Unknown, |name| Sort::Text(name.raw())),
            Self::Names(names) => Sort::opt(i64::try_from(names.len()).ok()),
            Self::Text(Cow::Borrowed(text)) => Sort::Text(text),
            Self::Text(Cow::Owned(_)) | Self::Span(_) | Self::Json(_) => Sort::Unknown,
        }
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// As plain words for a table of text; what is unknown is `-`.
    #[must_use]
    pub fn plain(&self) -> String {
        let unknown = || "-".to_owned();
        match self {
            Self::Instant(at) => at.map_or_else(unknown, utc),
            Self::Span(ms) => ms.map_or_else(unknown, short),
            Self::Count(n) => n.map_or_else(unknown, |n| n.to_string()),
            Self::Flag(flag) => flag.map_or_else(unknown, |flag| if flag { "yes" } else { "no" }.into()),
            Self::State(state) => state.map_or_else(unknown, ToString::to_string),
            Self::Name(name) => name.map_or_else(unknown, ToString::to_string),
            Self::Names(names) => {
                let shown: Vec<String> = names.iter().take(MOST_NAMES).map(ToString::to_string).collect();
                let more = names.len().saturating_sub(MOST_NAMES);
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                shown.join("; ") + &more
            }
            Self::Text(text) => crate::model::text::scrub(text).into_owned(),
            Self::Json(_) => String::new(),
        }
    }
}

/// What is unknown is `null`, and texts are as they came.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Instant(n) | Self::Span(n) | Self::Count(n) => n.serialize(serializer),
            Self::Flag(flag) => flag.serialize(serializer),
            Self::State(Some(state)) => serializer.collect_str(state),
            Self::State(None) => serializer.serialize_unit(),
            Self::Name(name) => name.serialize(serializer),
            Self::Names(names) => names.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Json(value) => value.serialize(serializer),
        }
    }
}

impl Kind {
    /// Whether it aligns right.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Span | Self::Count)
    }
}
