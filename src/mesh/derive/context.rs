//! What every evaluation uses, and from when on something is worth mentioning.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::sources::SourceView;
use super::thresholds::Thresholds;
use crate::mesh::clocks::NodeClock;
use crate::mesh::facts::Tables;
use crate::mesh::{Arrival, Mesh};
use crate::model::text::Text;
use crate::model::time::Millis;

/// What every evaluation uses.
#[derive(Clone, Copy)]
pub(super) struct EvalContext<'a> {
    pub mesh: &'a Mesh,
    pub tables: &'a [Tables],
    pub clocks: &'a HashMap<Text, NodeClock, RandomState>,
    pub arrivals: &'a HashMap<(usize, u32), Arrival, RandomState>,
    pub sources: &'a [SourceView],
    pub thresholds: &'a Thresholds,
    pub now_ms: Millis,
    /// When it was evaluated last.
    pub before_ms: Option<Millis>,
}
