//! Nodes: draining, shutting out, and the way back.

use super::{Confirm, Plan, Planner, Refusal, count};
use crate::data::action::{Action, Kind, NodeGuard};
use crate::data::derive::nodes::NodeView;
use crate::text::Text;
use crate::time::{Millis, short};

impl Planner<'_> {
    /// A node's flags, and the control plane that keeps them.
    pub(super) fn keeper(&self, node_id: &Text, kind: Kind) -> Result<(Text, NodeGuard), String> {
        let knows = |state: &&crate::data::mesh::SourceState| {
            state.facts.registry.iter().any(|node| node.node_id == *node_id) && !state.identity.can.kinds.is_empty()
        };
        let Some(state) = self.picture.mesh.sources.iter().find(knows) else {
            let why = match self.place_for(kind) {
                Some(place) => format!("{place} does not know it: a node must have joined to be marked"),
                None => "no control plane that may do it is connected (--control and a mesh or admin token)".into(),
            };
            return Err(why);
        };
        self.able(&state.identity.name, kind)?;
        let node = state.facts.registry.iter().find(|node| node.node_id == *node_id);
        let guard = NodeGuard {
            node_id: node_id.raw().to_owned(),
            quarantined: node.is_some_and(|n| n.quarantined),
            maintenance: node.is_some_and(|n| n.maintenance),
        };
        Ok((state.identity.name.clone(), guard))
    }

    fn node(&self, node_id: &Text) -> Option<&NodeView> {
        self.picture.nodes.iter().find(|node| node.node_id == *node_id)
    }

    pub(super) fn drain(&self, nodes: &[Text], on: bool, for_ms: Option<Millis>) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        for node_id in nodes {
            match self.keeper(node_id, Kind::Drain) {
                Err(why) => plan.leave(node_id.clone(), why),
                Ok((_, node)) if node.maintenance == on => {
                    plan.leave(node_id.clone(), if on { "it is drained already" } else { "it is not drained" });
                }
                Ok((source, node)) => {
                    let span = for_ms.map_or_else(|| "until it is undone".into(), |ms| format!("for {}", short(ms)));
                    let effect = if on {
                        let held = self.node(node_id).map(|n| n.holds).unwrap_or_default();
                        format!(
                            "it takes no new work {span}; it keeps {} and {}",
                            count(held.locks, "lock"),
                            count(held.leases, "lease")
                        )
                    } else {
                        "it takes work again".into()
                    };
                    plan.step(&source, Action::Drain { node, on, for_ms }, effect);
                }
            }
        }
        Self::name_nodes(&mut plan, nodes, if on { "Drain" } else { "Undrain" });
        plan.settled()
    }

    pub(super) fn quarantine(&self, nodes: &[Text], on: bool) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let mut alive = Vec::new();
        for node_id in nodes {
            match self.keeper(node_id, Kind::Quarantine) {
                Err(why) => plan.leave(node_id.clone(), why),
                Ok((_, node)) if node.quarantined == on => {
                    plan.leave(node_id.clone(), if on { "it is shut out already" } else { "it is not shut out" });
                }
                Ok((source, node)) => {
                    let effect = if on {
                        "the control plane refuses its claims and leases; what it holds stays"
                    } else {
                        "the control plane takes its claims and leases again"
                    };
                    plan.step(&source, Action::Quarantine { node, on }, effect);
                    let signs = self.signs(node_id.raw(), "");
                    if on && signs.iter().any(|sign| sign.alive) {
                        alive.push(node_id.clone());
                    }
                    plan.evidence.extend(signs);
                }
            }
        }
        Self::name_nodes(&mut plan, nodes, if on { "Quarantine" } else { "Unquarantine" });
        plan.confirm = match alive.as_slice() {
            [] => Confirm::Key,
            [only] if plan.steps.len() == 1 => Confirm::Typed(only.clone()),
            _ => Confirm::Typed(count(plan.steps.len(), "node").into()),
        };
        plan.settled()
    }

    fn name_nodes(plan: &mut Plan, nodes: &[Text], verb: &str) {
        plan.title = match nodes {
            [only] => format!("{verb} {only}").into(),
            many => format!("{verb} {}", count(many.len(), "node")).into(),
        };
    }
}
