//! The names of views.

use crate::mesh::derive::finding::Subject;

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
    Agents,
    Groups,
}

impl ViewId {
    /// The view that lists a thing; none for what no list has.
    #[must_use]
    pub fn of(subject: &Subject) -> Option<Self> {
        match subject {
            Subject::Node(_) => Some(Self::Nodes),
            Subject::Agent(_) => Some(Self::Agents),
            Subject::Lock(_) => Some(Self::Locks),
            Subject::Message(_) => Some(Self::Messages),
            Subject::Task(_) => Some(Self::Tasks),
            Subject::Log(_) => Some(Self::Oplog),
            Subject::Mesh | Subject::Source(_) => None,
        }
    }

    /// Its place in the registry: views are named in the order of their tabs.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}
