//! Following an event log: what is new since the last poll, whichever way the log is kept.

pub mod files;
pub mod sqlite;

use super::event::Event;
use super::places::LogPlace;
use crate::model::observation::Cost;
use crate::model::source::Fault;
use crate::model::time::Millis;

/// What came since the last poll.
#[derive(Debug, Default)]
pub struct News {
    /// Nothing of what was brought before is true any more.
    pub reset: bool,
    /// New events, each topic's in its order.
    pub events: Vec<Event>,
    /// Topics of which older events were not read.
    pub windowed: bool,
    /// Every consumer, where that was read again.
    pub consumers: Option<Vec<Consumer>>,
    /// The last event of every topic, where that was read again.
    pub heads: Option<Vec<(String, i64)>>,
    /// Lines and rows that are no events.
    pub odd: u64,
}

/// How far a consumer of a topic is.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumer {
    pub topic: String,
    pub name: String,
    pub cursor: i64,
    pub updated_at_ms: Option<Millis>,
}

/// A log of either kind.
pub enum Store {
    Sqlite(sqlite::Sqlite),
    Files(files::Files),
}

impl Store {
    /// Follows the log at a place. Of each topic no more than a window of events is read at first.
    #[must_use]
    pub fn new(place: LogPlace, window: usize) -> Self {
        match place {
            LogPlace::Sqlite(path) => Self::Sqlite(sqlite::Sqlite::new(path, window)),
            LogPlace::Files(path) => Self::Files(files::Files::new(path, window)),
        }
    }

    /// What is new.
    pub async fn news(&mut self, cost: &mut Cost) -> Result<News, Fault> {
        match self {
            Self::Sqlite(store) => store.news(cost).await,
            Self::Files(store) => store.news(cost).await,
        }
    }
}

/// Topics that say again what a channel's own topic says.
#[must_use]
pub fn is_mirror(topic: &str) -> bool {
    topic == "transcript.channel.lifecycle"
}

/// A payload is read up to so many bytes; a larger event counts as odd.
pub const MOST_BYTES: usize = 256 * 1024;
/// Events that one look brings at most; the next one goes on.
pub const MOST_EVENTS: usize = 20_000;
