//! The simulated mesh itself: what its nodes do at each step, as writes. Pure and deterministic by seed.

pub mod notice;
mod play;
mod traffic;

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;

use super::write::Write;
use crate::demo::scaled;
use crate::demo::vox::rows::Lease;
use crate::model::chain::link;
use crate::model::time::{MINUTE, Millis, SECOND};

const NAMES: &[&str] =
    &["forge", "anvil", "loom", "kiln", "lathe", "quill", "press", "crane", "mill", "wharf", "ferry", "beacon"];
const ACTIVITIES: &[&str] = &["idle", "thinking", "writing", "reading", "executing", "reviewing"];
const MODULES: &[&str] = &[
    "parser",
    "lexer",
    "scheduler",
    "planner",
    "router",
    "cache",
    "session",
    "index",
    "sync",
    "codec",
    "ledger",
    "merge",
];

/// How large the mesh is, and how fast its time runs.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub seed: u64,
    pub nodes: usize,
    pub locks: usize,
    pub messages: usize,
    pub speed: f64,
}

/// A simulated node.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: String,
    pub agents: Vec<u32>,
    pub last_beat: Millis,
    pub quiet: bool,
    pub gpu: bool,
}

#[derive(Debug, Clone)]
struct Held {
    agent: u32,
    fence: i64,
    acquired: Millis,
    ttl: Millis,
    expires: Millis,
    vcs: bool,
    /// Part of the story: not released by chance.
    pinned: bool,
}

#[derive(Debug, Clone)]
struct Pending {
    id: i64,
    to: u32,
    created: Millis,
    claimed: bool,
}

/// Everything there is.
pub struct World {
    shape: Shape,
    rng: Rng,
    begun: Millis,
    pub nodes: Vec<Node>,
    locks: BTreeMap<String, Held>,
    pending: VecDeque<Pending>,
    pub leases: Vec<Lease>,
    next_message: i64,
    next_task: u64,
    next_lease: u64,
    next_op: u64,
    chain: Option<String>,
    leader: (usize, i64, Millis),
    acts_done: usize,
    chapter: i64,
    poison: Option<(i64, i64)>,
    /// Locks that an operator took away, until somebody has them.
    freed: BTreeMap<String, Held>,
    /// When who lets go of what.
    finishing: Vec<(Millis, u32, String)>,
    out: Vec<Write>,
}

impl World {
    /// A mesh that has been running for a while.
    #[must_use]
    pub fn new(shape: Shape, now: Millis) -> Self {
        let mut rng = Rng::with_seed(shape.seed);
        let agents_each = (shape.locks / shape.nodes.max(1) + 1).clamp(2, 16);
        let nodes = (0..shape.nodes)
            .map(|i| Node {
                id: if i < NAMES.len() { NAMES[i].to_owned() } else { format!("{}-{:04}", NAMES[i % NAMES.len()], i) },
                agents: (0..agents_each).map(|a| u32::try_from(i * agents_each + a + 1).unwrap_or(1)).collect(),
                last_beat: now - rng.i64(0..scaled(20 * SECOND, shape.speed)),
                quiet: false,
                gpu: i % 3 == 0,
            })
            .collect();
        Self {
            shape,
            rng,
            begun: now,
            nodes,
            locks: BTreeMap::new(),
            pending: VecDeque::new(),
            leases: Vec::new(),
            next_message: 1,
            next_task: 100,
            next_lease: 1,
            next_op: 0,
            chain: None,
            leader: (1, 1, 0),
            acts_done: 0,
            chapter: 0,
            poison: None,
            freed: BTreeMap::new(),
            finishing: Vec::new(),
            out: Vec::new(),
        }
    }

    /// What stands in the tables when the curtain rises.
    pub fn begin(&mut self, now: Millis) -> Vec<Write> {
        for i in 0..self.nodes.len() {
            self.beat(i, self.nodes[i].last_beat);
        }
        for i in 0..self.shape.locks {
            let agent = self.any_agent();
            let key = self.free_key(i);
            let held_for = self.rng.i64(0..scaled(4 * MINUTE, self.shape.speed));
            self.acquire(key, agent, now - held_for, i % 5 == 4, false);
        }
        let waiting = (self.shape.messages / 10).min(2_000);
        for i in 0..self.shape.messages {
            let settled = i < self.shape.messages - waiting;
            let age = if settled { self.rng.i64(0..5 * MINUTE) } else { self.rng.i64(0..self.span(20 * SECOND)) };
            self.chat(now - age, settled);
        }
        self.lead(now);
        for _ in 0..4 {
            self.submit(now);
        }
        std::mem::take(&mut self.out)
    }

    /// One step.
    pub fn step(&mut self, now: Millis) -> Vec<Write> {
        self.play(now);
        self.heartbeats(now);
        self.renew(now);
        self.churn(now);
        self.post(now);
        self.work(now);
        if now - self.leader.2 >= self.span(3 * SECOND).max(SECOND) {
            self.lead(now);
        }
        std::mem::take(&mut self.out)
    }

    fn span(&self, ms: Millis) -> Millis {
        scaled(ms, self.shape.speed)
    }

    fn heartbeats(&mut self, now: Millis) {
        let every = self.span(20 * SECOND);
        for i in 0..self.nodes.len() {
            let due = now - self.nodes[i].last_beat >= every - self.rng.i64(0..=every / 4);
            if due && !self.nodes[i].quiet {
                self.beat(i, now);
            }
        }
    }

    fn beat(&mut self, node: usize, at: Millis) {
        let activity = self.rng.choice(ACTIVITIES).unwrap_or(&"idle");
        let node = &mut self.nodes[node];
        node.last_beat = at;
        self.out.push(Write::Heartbeat { node: node.id.clone(), agent: node.agents[0], at, activity });
    }

    fn is_quiet(&self, agent: u32) -> bool {
        self.nodes.iter().any(|n| n.quiet && n.agents.contains(&agent))
    }

    fn renew(&mut self, now: Millis) {
        let due: Vec<String> = self
            .locks
            .iter()
            .filter(|(_, held)| held.expires - now < held.ttl / 2)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let Some(held) = self.locks.get(&key).cloned() else { continue };
            if self.is_quiet(held.agent) {
                if held.expires <= now && !held.pinned {
                    self.release(&key, now);
                }
            } else {
                self.acquire(key, held.agent, now, held.vcs, held.pinned);
            }
        }
    }

    /// Locks come and go.
    fn churn(&mut self, now: Millis) {
        let turns = (self.shape.locks / 60).max(1);
        for _ in 0..turns {
            if self.rng.f64() > 0.5 {
                continue;
            }
            let free: Vec<&String> = self
                .locks
                .iter()
                .filter(|(_, held)| !held.pinned && !self.is_quiet(held.agent))
                .map(|(key, _)| key)
                .collect();
            if free.is_empty() {
                continue;
            }
            let key = free[self.rng.usize(0..free.len())].clone();
            self.release(&key, now);
            let agent = self.any_agent();
            let index = self.rng.usize(0..self.shape.locks * 2);
            let key = self.free_key(index);
            let path = key.trim_start_matches("file:").to_owned();
            self.acquire(key, agent, now, false, false);
            self.log(agent, &serde_json::json!({"FileEdit": {"paths": [path]}}), "edit", now);
        }
    }

    fn send(&mut self, from: u32, to: u32, kind: &str, payload: &str, priority: i64, at: Millis) -> i64 {
        let id = self.next_message;
        self.next_message += 1;
        self.out.push(Write::Send { id, from, to, kind: kind.to_owned(), payload: payload.to_owned(), priority, at });
        if !matches!(kind, "resource_lock_request" | "plan_handoff") {
            self.pending.push_back(Pending { id, to, created: at, claimed: false });
        }
        id
    }

    fn wait_for(&mut self, key: &str, agent: u32, now: Millis, priority: i64) {
        let holder = self.locks.get(key).map_or(1, |held| held.agent);
        self.send(agent, holder, "resource_lock_request", &format!(r#"{{"resource_id":"{key}"}}"#), priority, now);
    }

    /// Takes a lock over whose row may still be there.
    fn acquire_over(&mut self, key: String, agent: u32, at: Millis, vcs: bool, fence: Option<i64>) {
        self.acquire(key.clone(), agent, at, vcs, true);
        if let (Some(fence), Some(held)) = (fence, self.locks.get_mut(&key)) {
            held.fence = fence + 1;
            if let Some(Write::Lock { fence, .. }) = self.out.last_mut() {
                *fence = held.fence;
            }
        }
    }

    fn acquire(&mut self, key: String, agent: u32, at: Millis, vcs: bool, pinned: bool) {
        let ttl = self.span(if vcs { 30 * MINUTE } else { 5 * MINUTE }).max(10 * SECOND);
        let before = self.locks.get(&key);
        // The count goes on from the row that is there, refreshes included; a deleted row restarts it.
        let fence = before.map_or(1, |held| held.fence + 1);
        let renewal = before.is_some_and(|held| held.agent == agent);
        let acquired = before.filter(|_| renewal).map_or(at, |held| held.acquired);
        let held = Held { agent, fence, acquired, ttl, expires: at + ttl, vcs, pinned };
        if !renewal {
            let path = key.trim_start_matches("file:");
            self.log(agent, &serde_json::json!({"LockAcquire": {"path": path, "agent_id": agent}}), "lock", at);
        }
        let node = self.node_of(agent).to_owned();
        self.out.push(Write::Lock {
            key: key.clone(),
            node,
            agent,
            fence,
            acquired: held.acquired,
            expires: held.expires,
            vcs,
        });
        self.locks.insert(key, held);
    }

    fn release(&mut self, key: &str, now: Millis) {
        if let Some(held) = self.locks.remove(key) {
            self.out.push(Write::Unlock { key: key.to_owned(), vcs: held.vcs });
            let path = key.trim_start_matches("file:");
            self.log(
                held.agent,
                &serde_json::json!({"LockRelease": {"path": path, "agent_id": held.agent}}),
                "unlock",
                now,
            );
        }
    }

    fn lead(&mut self, now: Millis) {
        if self.leader.2 != 0 {
            self.leader.1 += 1;
        }
        self.leader.2 = now;
        let node = self.nodes[self.leader.0 % self.nodes.len()].id.clone();
        self.out.push(Write::Lead {
            node,
            epoch: self.leader.1,
            at: now,
            until: now + self.span(9 * SECOND).max(3 * SECOND),
        });
    }

    fn log(&mut self, agent: u32, kind: &serde_json::Value, description: &'static str, at: Millis) {
        self.next_op += 1;
        let before = self.chain.take();
        self.chain = Some(link(self.next_op, at, before.as_deref()));
        self.out.push(Write::Log { number: self.next_op, agent, kind: kind.to_string(), description, before, at });
    }

    /// An agent that is at work: one on a silent node does nothing.
    fn any_agent(&mut self) -> u32 {
        let awake: Vec<usize> = (0..self.nodes.len()).filter(|&i| !self.nodes[i].quiet).collect();
        let node = awake[self.rng.usize(0..awake.len())];
        let agents = &self.nodes[node].agents;
        agents[self.rng.usize(0..agents.len())]
    }

    fn node_of(&self, agent: u32) -> &str {
        let each = self.nodes.first().map_or(1, |n| n.agents.len());
        let index = (agent as usize).saturating_sub(1) / each;
        self.nodes.get(index).map_or("", |n| n.id.as_str())
    }

    fn free_key(&mut self, hint: usize) -> String {
        let mut n = hint;
        loop {
            let module = MODULES[n % MODULES.len()];
            let key = format!("file:src/{module}/part{}.rs", n / MODULES.len());
            if !self.locks.contains_key(&key) {
                return key;
            }
            n += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, steps: i64) -> Vec<Write> {
        let shape = Shape { seed, nodes: 12, locks: 40, messages: 200, speed: 8.0 };
        let mut world = World::new(shape, 1_000_000);
        let mut writes = world.begin(1_000_000);
        for step in 1..=steps {
            writes.extend(world.step(1_000_000 + step * 250));
        }
        writes
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        assert_eq!(run(7, 800), run(7, 800));
        assert_ne!(run(7, 800), run(8, 800));
    }

    #[test]
    fn a_fence_never_goes_back_while_the_row_stands() {
        let mut rows: BTreeMap<String, i64> = BTreeMap::new();
        for write in run(3, 2_000) {
            match write {
                Write::Lock { key, fence, .. } => {
                    let before = rows.insert(key, fence);
                    assert_eq!(fence, before.map_or(1, |n| n + 1));
                }
                Write::Unlock { key, .. } => {
                    rows.remove(&key);
                }
                _ => {}
            }
        }
    }
}
