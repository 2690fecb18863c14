//! The story, act by act.

use super::World;
use crate::demo::vox::rows::REPO;
use crate::demo::vox::story;
use crate::demo::vox::story::Act;
use crate::demo::vox::write::Write;
use crate::model::time::{MINUTE, Millis};

impl World {
    pub(super) fn play(&mut self, now: Millis) {
        let elapsed = now - self.begun;
        let length = self.span(story::LENGTH);
        let chapter = elapsed / length;
        if chapter != self.chapter {
            (self.chapter, self.acts_done) = (chapter, 0);
        }
        let at = elapsed % length;
        while let Some((when, act)) = story::ACTS.get(self.acts_done).filter(|(when, _)| self.span(*when) <= at) {
            tracing::debug!(?when, ?act, "the story goes on");
            self.acts_done += 1;
            self.perform(*act, now);
        }
    }

    /// A task that was taken, and is not worked on any more.
    fn hang_task(&mut self, node: usize, now: Millis) {
        let (agent, owner, task) = (self.nodes[node].agents[0], self.nodes[node].id.clone(), self.next_task);
        self.next_task += 1;
        let needs = if self.nodes[node].gpu { r#"{\"labels\":[\"gpu\"]}"# } else { "{}" };
        let payload = format!(
            r#"{{"idempotency_key":"task-{task}","task_id":{task},"repository_id":"{REPO}","capability_requirements_json":"{needs}","payload":"run the scheduler's tests"}}"#
        );
        let from = self.nodes[0].agents[0];
        self.log(from, &serde_json::json!({"TaskSubmit": {"task_id": task}}), "task submitted", now);
        let id = self.send(from, agent, "remote_task_envelope", &payload, 2, now);
        let until = now + self.span(2 * MINUTE);
        self.out.push(Write::Claim { id, owner, until, error: None });
    }

    pub(super) fn perform(&mut self, act: Act, now: Millis) {
        let quiet = 2 % self.nodes.len();
        match act {
            Act::GoesQuiet => {
                for key in story::QUIET_LOCKS {
                    let agent = self.nodes[quiet].agents[0];
                    self.acquire((*key).to_owned(), agent, now, true, true);
                }
                self.hang_task(quiet, now);
                self.nodes[quiet].quiet = true;
            }
            Act::Queues(n) => {
                let node = (quiet + 1 + n) % self.nodes.len();
                let agent = self.nodes[node].agents[0];
                self.wait_for(story::QUIET_LOCKS[0], agent, now, 1 + i64::from(n == 1));
            }
            Act::Contend => {
                let (a, b) = (self.nodes[0].agents[1], self.nodes[1].agents[1]);
                self.acquire(story::CONTENDED.to_owned(), a, now, false, true);
                self.wait_for(story::CONTENDED, b, now, 1);
                let path = story::CONTENDED.trim_start_matches("file:");
                self.log(
                    a,
                    &serde_json::json!({"ConflictDetected": {"path": path, "severity": "high", "sides": [a, b]}}),
                    "both edit the file",
                    now,
                );
            }
            Act::Deadlocks => {
                let (a, b) = (self.nodes[3 % self.nodes.len()].agents[1], self.nodes[0].agents[0]);
                let [left, right] = story::DEADLOCK;
                self.acquire(left.to_owned(), a, now, false, true);
                self.acquire(right.to_owned(), b, now, false, true);
                self.wait_for(right, a, now, 2);
                self.wait_for(left, b, now, 2);
            }
            Act::Poisons => {
                let to = self.nodes[1].agents[0];
                let id = self.send(1, to, "plan_handoff", r#"{"plan":"migrate the session store","step":7}"#, 2, now);
                self.poison = Some((id, 0));
            }
            Act::LeaderChanges => {
                self.leader.0 = (self.leader.0 + 3) % self.nodes.len();
                if self.leader.0 == quiet {
                    self.leader.0 = (quiet + 1) % self.nodes.len();
                }
                self.lead(now);
            }
            Act::Returns => {
                self.nodes[quiet].quiet = false;
                for key in story::QUIET_LOCKS {
                    self.release(key, now);
                }
            }
            Act::Resolves => {
                for key in story::DEADLOCK.iter().chain([&story::CONTENDED]) {
                    self.release(key, now);
                }
                if let Some((id, _)) = self.poison.take() {
                    self.out.push(Write::Acknowledge { id, at: now });
                }
                self.out.push(Write::AcknowledgeRequests { at: now });
            }
        }
    }
}
