//! What a rule is.

use super::super::finding::Finding;
use super::super::graph::WaitGraph;
use super::super::locks::LockView;
use super::super::messages::MessageView;
use super::super::nodes::NodeView;
use super::super::tasks::TaskView;
use super::super::thresholds::Thresholds;
use crate::mesh::derive::snapshot::Snapshot;
use crate::model::time::Millis;

/// A kind of trouble.
pub struct Rule {
    /// Its name, e.g. `node-dead`.
    pub name: &'static str,
    /// What it means in general.
    pub summary: &'static str,
    /// Finds its cases.
    pub check: Check,
}

/// What a rule looks at. Rules that look at one thing are asked again only when that thing is evaluated otherwise.
pub enum Check {
    /// The snapshot as a whole.
    Mesh(fn(&Snapshot, &Thresholds, &mut Vec<Finding>)),
    /// Who waits for whom.
    Waits(fn(&WaitGraph, &mut Vec<Finding>)),
    Node(fn(&NodeView) -> Option<Finding>),
    Lock(fn(&LockView, &Thresholds, Millis) -> Option<Finding>),
    Message(fn(&MessageView) -> Option<Finding>),
    Task(fn(&TaskView) -> Option<Finding>),
}
