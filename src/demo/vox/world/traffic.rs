//! Everyday traffic: messages and tasks.

use std::collections::VecDeque;

use super::{Lease, MODULES, World};
use crate::demo::vox::write::Write;
use crate::model::time::{MINUTE, Millis, SECOND};

impl World {
    /// Messages are sent, claimed and acknowledged.
    pub(super) fn post(&mut self, now: Millis) {
        let sent = (self.shape.messages / 200).clamp(1, 50);
        for _ in 0..sent {
            if self.rng.f64() < 0.8 {
                self.chat(now, false);
            }
        }
        let patience = self.span(24 * SECOND);
        let quiet: Vec<u32> = self.nodes.iter().filter(|n| n.quiet).flat_map(|n| n.agents.clone()).collect();
        let mut kept = VecDeque::new();
        while let Some(mut message) = self.pending.pop_front() {
            let age = now - message.created;
            if quiet.contains(&message.to) {
                kept.push_back(message);
            } else if age > patience / 2 && (self.rng.f64() < 0.4 || age > patience) {
                self.out.push(Write::Acknowledge { id: message.id, at: now });
            } else {
                if !message.claimed && age > patience / 5 {
                    message.claimed = true;
                    let owner = self.node_of(message.to).to_owned();
                    self.out.push(Write::Claim {
                        id: message.id,
                        owner,
                        until: now + self.span(2 * MINUTE),
                        error: None,
                    });
                }
                kept.push_back(message);
            }
        }
        self.pending = kept;
        if let Some((id, tries)) = self.poison
            && tries < 7
            && self.rng.f64() < 0.2
        {
            self.poison = Some((id, tries + 1));
            let owner = self.nodes[1].id.clone();
            self.out.push(Write::Claim { id, owner, until: now + SECOND, error: Some("worker ended with signal 9") });
        }
    }

    /// Tasks are submitted, leased and completed.
    pub(super) fn work(&mut self, now: Millis) {
        if self.rng.f64() < 0.08 {
            self.submit(now);
        }
        let span = self.span(40 * SECOND);
        for i in (0..self.leases.len()).rev() {
            let lease = self.leases[i].clone();
            let quiet = self.nodes.iter().any(|n| n.quiet && n.id == lease.node);
            if quiet && lease.expires <= now {
                self.leases.remove(i);
            } else if !quiet && self.rng.f64() < 0.01 {
                self.leases.remove(i);
                self.out.push(Write::Revoke { lease: lease.id });
                let agent = self.nodes.iter().find(|n| n.id == lease.node).map_or(1, |n| n.agents[0]);
                let task = lease.task;
                if self.rng.f64() < 0.93 {
                    self.log(agent, &serde_json::json!({"TaskComplete": {"task_id": task}}), "task complete", now);
                } else {
                    self.log(
                        agent,
                        &serde_json::json!({"TaskFail": {"task_id": task, "reason": "tests failed"}}),
                        "task failed",
                        now,
                    );
                }
            } else if !quiet && lease.expires - now < span {
                self.leases[i].expires = now + 3 * span;
                self.out.push(Write::Grant { lease: self.leases[i].clone(), at: now, state: "renewed" });
            }
        }
    }

    pub(super) fn submit(&mut self, now: Millis) {
        let node = self.rng.usize(0..self.nodes.len());
        if self.nodes[node].quiet {
            return;
        }
        let task = self.next_task;
        self.next_task += 1;
        let agent = self.nodes[node].agents[0];
        self.log(agent, &serde_json::json!({"TaskSubmit": {"task_id": task}}), "task submitted", now);
        self.out.push(Write::Lineage { kind: "task_submitted", task, agent, at: now });
        let lease = Lease {
            id: self.next_lease,
            task,
            node: self.nodes[node].id.clone(),
            expires: now + self.span(2 * MINUTE),
        };
        self.next_lease += 1;
        self.leases.push(lease.clone());
        self.out.push(Write::Grant { lease, at: now, state: "granted" });
    }

    pub(super) fn chat(&mut self, at: Millis, settled: bool) {
        let (from, to) = (self.any_agent(), self.any_agent());
        let kinds = ["progress_update", "help_request", "completion_notice", "free_form", "vcs_event", "scope_grant"];
        let kind = kinds[self.rng.usize(0..kinds.len())];
        let payload = format!(
            r#"{{"note":"{} of {}","percent":{}}}"#,
            kind.replace('_', " "),
            MODULES[self.rng.usize(0..MODULES.len())],
            self.rng.u8(0..100)
        );
        let id = self.send(from, to, kind, &payload, 1, at);
        if settled {
            self.pending.pop_back();
            self.out.push(Write::Acknowledge { id, at });
        }
    }
}
