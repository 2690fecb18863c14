//! The registry of views, in the order of their tabs.

use super::list::{List, agents, events, findings, groups, journal, locks, messages, nodes, oplog, tasks, waits};
use super::view_id::ViewId;
use crate::app::workspace::Workspace;
use crate::model::source::Aspect;

/// What the app needs to know of a view.
pub struct View {
    pub id: ViewId,
    pub title: &'static str,
    /// For narrow screens.
    pub short: &'static str,
    /// The table it shows; none for a page of its own.
    pub list: Option<&'static dyn List>,
    /// It is not among the tabs where no source provides this.
    pub needs: Option<Aspect>,
}

/// Every view.
pub static VIEWS: &[View] = &[
    View { id: ViewId::Overview, title: "Overview", short: "Over", list: None, needs: None },
    View { id: ViewId::Nodes, title: "Nodes", short: "Node", list: Some(&nodes::NODES), needs: None },
    View { id: ViewId::Locks, title: "Locks", short: "Lock", list: Some(&locks::LOCKS), needs: None },
    View { id: ViewId::Messages, title: "Messages", short: "Msgs", list: Some(&messages::MESSAGES), needs: None },
    View { id: ViewId::Tasks, title: "Tasks", short: "Task", list: Some(&tasks::TASKS), needs: None },
    View { id: ViewId::Oplog, title: "Op-log", short: "Log", list: Some(&oplog::OPLOG), needs: None },
    View { id: ViewId::Findings, title: "Findings", short: "Find", list: Some(&findings::FINDINGS), needs: None },
    View { id: ViewId::Waits, title: "Waits", short: "Wait", list: Some(&waits::WAITS), needs: None },
    View { id: ViewId::Journal, title: "Journal", short: "Jour", list: Some(&journal::JOURNAL), needs: None },
    View { id: ViewId::Events, title: "Events", short: "Even", list: Some(&events::EVENTS), needs: None },
    View {
        id: ViewId::Agents,
        title: "Agents",
        short: "Agnt",
        list: Some(&agents::AGENTS),
        needs: Some(Aspect::Agents),
    },
    View {
        id: ViewId::Groups,
        title: "Groups",
        short: "Grps",
        list: Some(&groups::GROUPS),
        needs: Some(Aspect::Members),
    },
];

impl View {
    /// Whether it is among the tabs: not where no source provides what it shows.
    #[must_use]
    pub fn is_open(&self, workspace: &Workspace) -> bool {
        let provides = |needed: Aspect| workspace.snapshots().any(|(_, s)| s.mesh.lacks(needed).is_none());
        self.needs.is_none_or(provides)
    }
}

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
