//! The registry of views, in the order of their tabs.

use super::list::{List, events, findings, journal, locks, messages, nodes, oplog, tasks, waits};
use super::view_id::ViewId;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_view_stands_where_its_name_says() {
        for (at, view) in VIEWS.iter().enumerate() {
            assert_eq!(view.id.index(), at);
        }
    }
}
