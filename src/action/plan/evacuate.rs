//! Evacuating a node: one plan for everything that a dead node holds, each step guarded on its own.
//!
//! It is made from what is true now, so a second run finds what a first one left, and nothing after that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::evidence::may_be_alive;
use super::locks::{ended_elsewhere, lease_guard};
use super::messages;
use super::{Confirm, Plan, Planner, Refusal, count};
use crate::mesh::derive::agents::AgentView;
use crate::mesh::derive::locks::{LockState, LockView};
use crate::mesh::derive::messages::{MessageState, MessageView};
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::staleness::Staleness;
use crate::mesh::derive::tasks::TaskView;
use crate::model::action::{Action, Kind};
use crate::model::text::Text;
use crate::model::time::utc;
use crate::model::{LockTable, MessageTable};

impl Planner<'_> {
    pub(super) fn evacuate(&self, key: &Text) -> Result<Plan, Refusal> {
        let snapshot = self.snapshot;
        let Some(node) = snapshot.node(key) else {
            return Err(Refusal::because(format!("there is no node {key}")));
        };
        let (node_id, name) = (&node.node_id, &node.name());
        let lives = |node: &NodeView| matches!(node.staleness, Staleness::Healthy | Staleness::Warn | Staleness::Alert);
        if lives(node) {
            let why = format!("{name} is {}: drain it, or quarantine it first and wait", node.staleness);
            return Err(Refusal::because(why));
        }
        let here = |repository: &Text| node.is_alone() || *repository == node.repository_id;
        // What the name has everywhere stays with the one that lives.
        let elsewhere = snapshot.nodes_named(node_id).find(|other| other.key != node.key && lives(other));
        let kept = elsewhere.map(|other| format!("{} is {} and may need it", other.name(), other.staleness));
        let mut plan = Plan::new(format!("Evacuate {name}"));
        // Something that ought to be done cannot be.
        let mut blocked = false;
        plan.about
            .push("shuts it out, ends its leases, frees its locks and claims, and gives its work to others".into());

        // What cannot be seen may be the node's as well.
        for unseen in snapshot.unseen() {
            blocked = true;
            plan.leave(unseen, "what the node holds there is not seen");
        }
        let mut shut_out = None;
        match (self.mesh_task(node_id, Kind::Quarantine), &kept) {
            (Ok((_, guard)), _) if guard.quarantined => {}
            (_, Some(kept)) => plan.leave(format!("quarantine of {node_id}"), kept),
            (Ok((source, node)), None) => {
                let effect = "it cannot come back unnoticed, and renews nothing";
                shut_out = Some(plan.step(&source, Action::Quarantine { node, on: true }, effect));
            }
            (Err(why), None) => {
                blocked = true;
                plan.leave(format!("quarantine of {node_id}"), why);
            }
        }

        for view in snapshot.leases.iter().filter(|l| l.in_force && l.lease.holder_node_id == *node_id) {
            if let Some(kept) = &kept {
                plan.leave(format!("lease {}", view.lease.lease_id), kept);
                continue;
            }
            let lease = lease_guard(&view.lease);
            let is_task = lease.scope_key.starts_with("task:");
            match self.revoke_one(&mut plan, &view.source, lease) {
                // Renewed by a node that was not shut out, it would be in force again.
                Ok(step) => {
                    plan.steps[step].after = shut_out;
                    if is_task {
                        plan.unknown(messages::RUNS_LOCALLY);
                    }
                }
                Err(why) => {
                    blocked = true;
                    plan.leave(format!("lease {}", view.lease.lease_id), why);
                }
            }
        }

        // Agents go with their node; their system says what becomes of them.
        let mut groups: BTreeMap<(&Text, &str), usize> = BTreeMap::new();
        let runs_here = |a: &&Arc<AgentView>| a.node.as_ref() == Some(node_id) && here(&a.agent.repository_id);
        for view in snapshot.agents.iter().filter(runs_here) {
            *groups.entry((&view.agent.group, view.agent.if_dead)).or_default() += 1;
        }
        for ((group, if_dead), n) in groups {
            blocked = true;
            let why = if if_dead.is_empty() { "nothing here ends or moves them" } else { if_dead };
            plan.leave(format!("{group}, {}", count(n, "agent")), why);
        }

        let mut may_live = false;
        let held_here = |l: &&LockView| l.lock.holder_node == *node_id && here(&l.lock.repository_id);
        for view in snapshot.locks.iter().filter(held_here) {
            if view.state == LockState::Expired && self.has_newer_clients(&view.source) {
                plan.leave(view.name(), "it has run out: whoever asks next gets it");
                continue;
            }
            // A seat goes with its agent.
            if view.lock.table == LockTable::Seat {
                continue;
            }
            if view.lock.ended_by.is_some() {
                blocked = true;
                plan.leave(view.name(), ended_elsewhere(view));
                continue;
            }
            match self.release_one(&mut plan, view, None, false, false) {
                Ok(live) => may_live |= live,
                Err(why) => {
                    blocked = true;
                    plan.leave(view.name(), why);
                }
            }
        }

        // A message claimed by the node goes back to its receiver; one that waits for the node's own agents goes on.
        let claimed_here = |m: &MessageView| {
            let owner = m.message.claim_owner.as_ref();
            let by_name = owner.is_some_and(|o| o.raw().split(':').next() == Some(node_id.raw()));
            by_name && here(&m.message.repository_id)
        };
        let waiting = || snapshot.messages.iter().filter(|m| m.state != MessageState::Acknowledged);
        let only_here: Vec<Text> = node
            .agents
            .iter()
            .filter(|agent| !snapshot.nodes.iter().any(|n| n.key != node.key && n.agents.contains(agent)))
            .cloned()
            .collect();
        let moves = |m: &MessageView| only_here.contains(&m.message.receiver_agent) && is_work(m);
        for view in waiting().filter(|m| claimed_here(m) && !moves(m)) {
            if view.message.table != MessageTable::A2a {
                blocked |= view.is_claimed(snapshot.at_ms);
                let until = view.claim_until_ms.map_or_else(|| "unknown".into(), utc);
                let why = format!("a control plane takes no claim back; this one ends at {until}");
                plan.leave(format!("message {}", view.message.name()), why);
                continue;
            }
            match self.able(&view.source, Kind::Unclaim) {
                Ok(()) => {
                    let action = Action::Unclaim { message: messages::guard(view) };
                    let effect = format!("agent {} can claim it again", view.message.receiver_agent);
                    plan.step(&view.source, action, effect);
                }
                Err(why) => {
                    blocked = true;
                    plan.leave(format!("message {}", view.message.id), why);
                }
            }
        }

        let mut given: Vec<Text> = Vec::new();
        let mut left = 0;
        for view in waiting().filter(|m| moves(m)) {
            if view.state == MessageState::Poison {
                let n = view.message.delivery_attempts.unwrap_or_default();
                let why = format!("poison, delivered {n} times: it would only move on; look at it first");
                plan.leave(format!("message {}", view.message.id), why);
                continue;
            }
            let Some(best) = self.next_receiver(view, &only_here, &given) else {
                blocked = true;
                plan.leave(format!("message {}", view.message.id), "no living agent can take it");
                continue;
            };
            match self.reroute_one(&mut plan, view, &best) {
                Ok(live) => {
                    may_live |= live;
                    given.push(best);
                }
                Err(why) => {
                    blocked = true;
                    plan.leave(format!("message {}", view.message.id), why);
                }
            }
        }
        // A task that no message carries cannot be given to anybody from here.
        let its_own = |task: &TaskView| {
            task.owner_node.as_ref() == Some(node_id) && here(&task.repository_id) && !task.state.is_over()
        };
        for task in snapshot.tasks.iter().filter(|task| its_own(task)) {
            let carried = task.message.as_ref().is_some_and(|key| waiting().any(|m| m.key() == *key && moves(m)));
            if !carried {
                blocked = true;
                let again =
                    "no message that waits carries it: its submitter, or whoever gives out work, sends it again";
                let why = if task.if_dead.is_empty() { again } else { task.if_dead };
                plan.leave(format!("task {}", task.task), why);
            }
        }
        for view in waiting().filter(|m| only_here.contains(&m.message.receiver_agent) && !is_work(m)) {
            left += usize::from(!claimed_here(view));
        }
        if left > 0 {
            let what = format!("{left} other messages to its agents");
            plan.leave(what, "they are no work: they stay for when it comes back");
        }

        let signs = self.signs(node_id.raw(), "");
        may_live |= may_be_alive(&signs);
        // Of all that the steps rest on, what speaks for life is shown.
        let alive: Vec<_> = plan.evidence.drain(..).filter(|sign| sign.alive && !signs.contains(sign)).collect();
        plan.evidence = signs;
        for sign in alive {
            if !plan.evidence.contains(&sign) {
                plan.evidence.push(sign);
            }
        }
        plan.about.truncate(3);
        plan.mode = None;
        if may_live {
            plan.confirm = Confirm::Typed(name.clone());
            plan.unknown(format!("whether something of {name} is still at work"));
        }
        plan.unknown("what the dead node did last: files it was writing may be half done");
        plan.dedup_revokes();
        if plan.steps.is_empty() && !blocked {
            let left: Vec<String> = plan.left_out.iter().map(|(name, why)| format!("; {name}: {why}")).collect();
            let why = format!("nothing of {name} is left to move{}", left.concat()).into();
            return Err(Refusal { why, read_only: false, nothing_left: true });
        }
        // What nothing here can move is still worth reading: what becomes of it, and what to do.
        if plan.steps.is_empty() && snapshot.agents.iter().any(|a| runs_here(&a)) {
            Ok(plan)
        } else {
            plan.or_refusal()
        }
    }
}

/// Whether a message carries work that somebody else can do.
fn is_work(view: &MessageView) -> bool {
    matches!(view.message.msg_type.raw(), "remote_task_envelope" | "plan_handoff" | "help_request")
}

impl Plan {
    /// A task's lease may be found by the node and by the task: it is revoked once.
    fn dedup_revokes(&mut self) {
        let mut i = 0;
        while i < self.steps.len() {
            let is_revoke = matches!(self.steps[i].action, Action::Revoke { .. });
            let first = self.steps[..i].iter().position(|step| step.action == self.steps[i].action);
            match first.filter(|_| is_revoke) {
                None => i += 1,
                Some(first) => {
                    self.steps.remove(i);
                    for step in &mut self.steps {
                        step.after = step.after.map(|at| match at.cmp(&i) {
                            std::cmp::Ordering::Less => at,
                            std::cmp::Ordering::Equal => first,
                            std::cmp::Ordering::Greater => at - 1,
                        });
                    }
                }
            }
        }
    }
}
