//! Nodes.

use super::{Items, Rows};
use crate::app::inspections;
use crate::columns;
use crate::mesh::derive::nodes::NodeView;
use crate::model::source::Aspect;

/// Every node of every source.
pub static NODES: Rows<NodeView> = Rows {
    items: |p| Items::SharedSlab(&p.nodes),
    key: |n| n.key.raw().to_owned(),
    tie: |a, b| a.key.cmp(&b.key),
    repo: |n| (!n.repository_id.is_empty()).then_some(&n.repository_id),
    inspect: inspections::node::inspect,
    aspect: Some(Aspect::Nodes),
    parts: &["mesh_heartbeats", "nodes", "events"],
    caveat: |_| None,
    name_column: 0,
    first_sort: (1, true),
    follows: false,
    tree: false,
    columns: &columns::NODES,
};
