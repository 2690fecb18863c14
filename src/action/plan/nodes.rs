//! Nodes: draining, shutting out, and the way back.

use super::{Confirm, Plan, Planner, Refusal, count};
use crate::model::action::{Action, Kind, NodeGuard};
use crate::model::text::Text;
use crate::model::time::{Millis, short};

impl Planner<'_> {
    /// A node's flags, and the control plane that keeps them.
    pub(super) fn mesh_task(&self, node_id: &Text, kind: Kind) -> Result<(Text, NodeGuard), String> {
        let knows = |state: &&crate::mesh::SourceState| {
            state.facts.registry.iter().any(|node| node.node_id == *node_id) && !state.identity.can.kinds.is_empty()
        };
        let Some(state) = self.snapshot.mesh.sources.iter().find(knows) else {
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

    /// Names of nodes that are given by their keys. A control plane knows a node by its name alone: one that works in
    /// several repositories is one there.
    fn names(&self, keys: &[Text]) -> Vec<Text> {
        let mut names: Vec<Text> = Vec::new();
        for key in keys {
            let name = self.snapshot.node(key).map_or(key, |node| &node.node_id);
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// What a node loses that is refused its claims and renewals: the server takes its leases by not renewing them.
    fn loses(&self, node_id: &Text) -> String {
        let (leases, locks) = self.holds(node_id);
        let leases = match leases {
            0 => "it holds no lease".to_owned(),
            n => format!(
                "the server refuses to renew its {}: they run out, and whoever works under one gives its task back and \
                 may run it again elsewhere",
                count(n, "lease")
            ),
        };
        format!("{leases}; it keeps its {}", count(locks, "lock"))
    }

    /// How many leases and locks the nodes of a name hold.
    fn holds(&self, node_id: &Text) -> (usize, usize) {
        let all = || self.snapshot.nodes_named(node_id).map(|node| node.holds);
        // Each of several nodes of a name is shown every lease of the name: a lease names no repository.
        (all().map(|holds| holds.leases).max().unwrap_or(0), all().map(|holds| holds.locks).sum())
    }

    pub(super) fn drain(&self, keys: &[Text], on: bool, for_ms: Option<Millis>) -> Result<Plan, Refusal> {
        let nodes = &self.names(keys);
        let mut plan = Plan::new(String::new());
        let mut alive = Vec::new();
        for node_id in nodes {
            match self.mesh_task(node_id, Kind::Drain) {
                Err(why) => plan.leave(node_id.clone(), why),
                // One that is drained already may be given another deadline.
                Ok((_, node)) if node.maintenance == on && !(on && for_ms.is_some()) => {
                    plan.leave(node_id.clone(), if on { "it is drained already" } else { "it is not drained" });
                }
                Ok((source, node)) => {
                    let span = for_ms.map_or_else(|| "until it is undone".into(), |ms| format!("for {}", short(ms)));
                    let again = node.maintenance;
                    let effect = match (on, again) {
                        (true, true) => format!("its deadline is moved: it takes no new work {span}"),
                        (true, false) => format!("it takes no new work {span}; {}", self.loses(node_id)),
                        (false, _) => "it takes work again".into(),
                    };
                    plan.step(&source, Action::Drain { node, on, for_ms }, effect);
                    if on && !again && self.holds(node_id).0 > 0 {
                        let signs = self.signs(node_id.raw(), "");
                        if signs.iter().any(|sign| sign.alive) {
                            alive.push(node_id.clone());
                        }
                        plan.evidence.extend(signs);
                    }
                }
            }
        }
        Self::name_nodes(&mut plan, nodes, if on { "Drain" } else { "Undrain" });
        Self::type_nodes(&mut plan, &alive);
        plan.or_refusal()
    }

    pub(super) fn quarantine(&self, keys: &[Text], on: bool) -> Result<Plan, Refusal> {
        let nodes = &self.names(keys);
        let mut plan = Plan::new(String::new());
        let mut alive = Vec::new();
        for node_id in nodes {
            match self.mesh_task(node_id, Kind::Quarantine) {
                Err(why) => plan.leave(node_id.clone(), why),
                Ok((_, node)) if node.quarantined == on => {
                    plan.leave(node_id.clone(), if on { "it is shut out already" } else { "it is not shut out" });
                }
                Ok((source, node)) => {
                    let effect = if on {
                        format!("the control plane refuses its claims; {}", self.loses(node_id))
                    } else {
                        "the control plane takes its claims and leases again".into()
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
        Self::type_nodes(&mut plan, &alive);
        plan.or_refusal()
    }

    /// Nodes that are alive and would lose something are named by whoever does it.
    fn type_nodes(plan: &mut Plan, alive: &[Text]) {
        plan.confirm = match alive {
            [] => Confirm::Key,
            [only] if plan.steps.len() == 1 => Confirm::Typed(only.clone()),
            _ => Confirm::Typed(count(plan.steps.len(), "node").into()),
        };
    }

    fn name_nodes(plan: &mut Plan, nodes: &[Text], verb: &str) {
        plan.title = match nodes {
            [only] => format!("{verb} {only}").into(),
            many => format!("{verb} {}", count(many.len(), "node")).into(),
        };
    }
}
