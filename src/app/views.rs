//! The registry of views, in the order of their tabs.

use super::list::{List, events, findings, journal, locks, messages, nodes, oplog, tasks, waits};
use crate::mesh::derive::findings::Subject;

/// A view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumIter)]
pub enum ViewId {
    Overview,
    Nodes,
    Locks,
    Messages,
    Tasks,
    Oplog,
    Findings,
    Waits,
    Journal,
    Events,
}

/// What the app needs to know of a view.
pub struct View {
    pub id: ViewId,
    pub title: &'static str,
    /// For narrow screens.
    pub short: &'static str,
    /// The table it shows; none for a page of its own.
    pub list: Option<&'static dyn List>,
}

/// Every view.
pub static VIEWS: &[View] = &[
    View { id: ViewId::Overview, title: "Overview", short: "Over", list: None },
    View { id: ViewId::Nodes, title: "Nodes", short: "Node", list: Some(&nodes::NODES) },
    View { id: ViewId::Locks, title: "Locks", short: "Lock", list: Some(&locks::LOCKS) },
    View { id: ViewId::Messages, title: "Messages", short: "Msgs", list: Some(&messages::MESSAGES) },
    View { id: ViewId::Tasks, title: "Tasks", short: "Task", list: Some(&tasks::TASKS) },
    View { id: ViewId::Oplog, title: "Op-log", short: "Log", list: Some(&oplog::OPLOG) },
    View { id: ViewId::Findings, title: "Findings", short: "Find", list: Some(&findings::FINDINGS) },
    View { id: ViewId::Waits, title: "Waits", short: "Wait", list: Some(&waits::WAITS) },
    View { id: ViewId::Journal, title: "Journal", short: "Jour", list: Some(&journal::JOURNAL) },
    View { id: ViewId::Events, title: "Events", short: "Even", list: Some(&events::EVENTS) },
];

impl ViewId {
    /// The view that lists a thing; none for what no list has.
    #[must_use]
    pub fn of(subject: &Subject) -> Option<Self> {
        match subject {
            Subject::Node(_) => Some(Self::Nodes),
            Subject::Lock(_) => Some(Self::Locks),
            Subject::Message(_) => Some(Self::Messages),
            Subject::Task(_) => Some(Self::Tasks),
            Subject::Log(_) => Some(Self::Oplog),
            Subject::Mesh | Subject::Source(_) => None,
        }
    }

    /// Its place in the registry.
    #[must_use]
    pub fn index(self) -> usize {
        VIEWS.iter().position(|view| view.id == self).unwrap_or(0)
    }
}
