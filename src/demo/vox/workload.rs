//! Large meshes for measuring: the same rows each time, at three sizes, at rest or with one row in a hundred changing
//! each second. Pure figures in, rows out; nothing here is random.

use std::path::Path;

use libsql::{Connection, Transaction, params};

use super::write::Writer;
use crate::model::chain::link;
use crate::model::time::{MINUTE, Millis, SECOND};

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub nodes: u32,
    pub locks: u32,
    /// Messages in all, and those of them that wait.
    pub messages: u32,
    pub waiting: u32,
    pub log: u32,
}

/// As large as the demo.
pub const S: Size = Size { nodes: 12, locks: 40, messages: 200, waiting: 16, log: 400 };
/// A large team.
pub const M: Size = Size { nodes: 500, locks: 5_000, messages: 50_000, waiting: 500, log: 200_000 };
/// Larger than any mesh seen so far: three in ten locks' worth of waiters.
pub const L: Size = Size { nodes: 10_000, locks: 100_000, messages: 1_000_000, waiting: 10_000, log: 1_000_000 };

impl Size {
    /// A size by its letter.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "S" => Some(S),
            "M" => Some(M),
            "L" => Some(L),
            _ => None,
        }
    }
}

/// Locks that one request names: so many times its sender waits.
const PATHS: u32 = 4;
/// Time to live of a lock. Each is renewed every hundred seconds.
const TTL: Millis = 5 * MINUTE;
/// One node in so many has fallen silent.
const SILENT: u32 = 500;
/// Numbers without a common divisor with the sizes: steps that visit every row, far apart from each other.
const STRIDE: u32 = 7_919;

/// A mesh of a size in a database.
pub struct Workload {
    size: Size,
    connection: Connection,
    state: State,
}

/// A workload without its database.
#[derive(Debug)]
pub struct Detached {
    size: Size,
    state: State,
}

impl Detached {
    /// Goes on over another connection to the same rows.
    #[must_use]
    pub fn over(self, connection: Connection) -> Workload {
        Workload { size: self.size, connection, state: self.state }
    }
}

/// What was written so far.
#[derive(Debug)]
struct State {
    /// Steps taken.
    step: u32,
    next_message: u32,
    oldest_waiting: u32,
    next_log: u32,
    before: Option<String>,
    /// Locks released in the last step, to be taken again by others in the next.
    free: Vec<u32>,
}

impl Workload {
    /// Makes the database and fills it.
    pub async fn create(path: &Path, size: Size, now: Millis) -> libsql::Result<Self> {
        let connection = Writer::create(path).await?.into_connection();
        let waiting_from = size.messages - size.waiting + 1;
        let mut workload = Self {
            size,
            connection,
            state: State {
                step: 0,
                next_message: 1,
                oldest_waiting: waiting_from,
                next_log: 1,
                before: None,
                free: Vec::new(),
            },
        };
        let transaction = workload.connection.transaction().await?;
        workload.fill(&transaction, now).await?;
        transaction.commit().await?;
        Ok(workload)
    }

    /// Closes the database, so that a server can take it.
    #[must_use]
    pub fn detached(self) -> Detached {
        Detached { size: self.size, state: self.state }
    }

    async fn fill(&mut self, t: &Transaction, now: Millis) -> libsql::Result<()> {
        let insert = t.prepare("INSERT INTO mesh_heartbeats VALUES (?1, ?2, ?3, 'executing', ?4)").await?;
        for node in 0..self.size.nodes {
            let ago = if silent(node) { 15 * MINUTE } else { i64::from(node % 40) * SECOND };
            insert.execute(params![node_id(node), agent_id(node), now - ago, repository(node)]).await?;
            insert.reset();
        }
        for lock in 0..self.size.locks {
            let node = lock % self.size.nodes;
            let ttl = if silent(node) { 60 * MINUTE } else { TTL };
            let left = ttl - i64::from(lock % 100) * SECOND;
            self.take(t, lock, node, 1, now - (ttl - left), now + left).await?;
        }
        while self.state.next_message <= self.size.messages {
            self.send(t, now).await?;
        }
        t.execute(
            "UPDATE a2a_messages SET acknowledged = 1, processed_at_ms = ?1 WHERE id < ?2",
            params![now, self.state.oldest_waiting],
        )
        .await?;
        for _ in 0..self.size.log {
            self.log(t, now - i64::from(self.size.log - self.state.next_log)).await?;
        }
        Ok(())
    }

    /// Takes one step of `span` ms: one lock and one waiting message in a hundred change each second, and one
    /// node in forty says that it lives.
    pub async fn step(&mut self, now: Millis, span: Millis) -> libsql::Result<()> {
        let transaction = self.connection.transaction().await?;
        self.change(&transaction, now, span).await?;
        transaction.commit().await
    }

    async fn change(&mut self, t: &Transaction, now: Millis, span: Millis) -> libsql::Result<()> {
        let share = |of: u32, percent_tenths: i64| {
            let n = i64::from(of) * percent_tenths * span / 1_000_000;
            u32::try_from(n).unwrap_or(0).max(1)
        };
        let beats = share(self.size.nodes, 25);
        for i in 0..beats {
            let node = scattered(self.state.step * beats + i, self.size.nodes);
            if !silent(node) {
                t.execute(
                    "UPDATE mesh_heartbeats SET last_seen_ms = ?1 WHERE node_id = ?2 AND repository_id = ?3",
                    params![now, node_id(node), repository(node)],
                )
                .await?;
            }
        }
        for lock in std::mem::take(&mut self.state.free) {
            let node = living(lock + self.state.step, self.size.nodes);
            self.take(t, lock, node, 1, now, now + TTL).await?;
            self.log(t, now).await?;
        }
        let locks = share(self.size.locks, 10);
        for i in 0..locks {
            let lock = scattered(self.state.step * locks + i, self.size.locks);
            if silent(lock % self.size.nodes) {
                continue;
            }
            match i % 10 {
                0 => {
                    t.execute(
                        "DELETE FROM distributed_locks WHERE lock_key = ?1 AND repository_id = ?2",
                        params![lock_key(lock), repository(lock)],
                    )
                    .await?;
                    self.state.free.push(lock);
                }
                1 => {
                    let node = living(lock + self.state.step, self.size.nodes);
                    t.execute(
                        "UPDATE distributed_locks SET holder_node = ?1, holder_agent = ?2, fence_token = fence_token + 1, \
                         acquired_at = datetime(?3 / 1000, 'unixepoch'), expires_at = datetime(?4 / 1000, 'unixepoch') \
                         WHERE lock_key = ?5 AND repository_id = ?6",
                        params![node_id(node), agent_id(node), now, now + TTL, lock_key(lock), repository(lock)],
                    )
                    .await?;
                }
                _ => {
                    t.execute(
                        "UPDATE distributed_locks SET fence_token = fence_token + 1, \
                         expires_at = datetime(?1 / 1000, 'unixepoch') WHERE lock_key = ?2 AND repository_id = ?3",
                        params![now + TTL, lock_key(lock), repository(lock)],
                    )
                    .await?;
                }
            }
        }
        for _ in 0..share(self.size.waiting, 10) {
            t.execute(
                "UPDATE a2a_messages SET acknowledged = 1, processed_at_ms = ?1 WHERE id = ?2",
                params![now, self.state.oldest_waiting],
            )
            .await?;
            self.state.oldest_waiting += 1;
            self.send(t, now).await?;
        }
        self.state.step += 1;
        Ok(())
    }

    async fn take(
        &self,
        t: &Transaction,
        lock: u32,
        node: u32,
        fence: i64,
        acquired: Millis,
        expires: Millis,
    ) -> libsql::Result<()> {
        t.execute(
            "INSERT OR REPLACE INTO distributed_locks VALUES \
             (?1, ?2, ?3, ?4, datetime(?5 / 1000, 'unixepoch'), datetime(?6 / 1000, 'unixepoch'), ?7)",
            params![lock_key(lock), node_id(node), agent_id(node), fence, acquired, expires, repository(lock)],
        )
        .await?;
        Ok(())
    }

    /// Three messages in four ask for locks, one in five carries a task.
    async fn send(&mut self, t: &Transaction, now: Millis) -> libsql::Result<()> {
        let id = self.state.next_message;
        self.state.next_message += 1;
        // Those who wait are above those who hold, so that nobody waits in a circle, but for a pair now and then.
        let half = self.size.nodes / 2;
        let (from, to) = (half + id % half, (id * 31) % half);
        let repository = repository(id);
        let (kind, payload) = match id % 20 {
            0..15 => {
                let lock = |i: u32| {
                    let holder = (id * 13 + i * 101) % half;
                    let rounds = (self.size.locks / self.size.nodes).max(1);
                    holder + (id / half % rounds) * self.size.nodes
                };
                let paths: Vec<String> =
                    (0..PATHS).map(|i| format!("\"{}\"", lock_key(lock(i) % self.size.locks))).collect();
                ("resource_lock_request", format!("{{\"paths\":[{}]}}", paths.join(",")))
            }
            15..19 => (
                "remote_task_envelope",
                format!(
                    "{{\"idempotency_key\":\"k{id}\",\"task_id\":{id},\"repository_id\":\"{repository}\",\
                     \"capability_requirements_json\":\"{{}}\",\"payload\":\"run the tests of part {id}\"}}"
                ),
            ),
            _ => ("progress_update", format!("part {id} is half done")),
        };
        let age = if id > self.size.messages { 0 } else { i64::from(self.size.messages - id) * 10 % (50 * SECOND) };
        t.execute(
            "INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload, priority, \
             created_at, repository_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, datetime(?8 / 1000, 'unixepoch'), 'default')",
            params![
                i64::from(id),
                format!("load-{id}"),
                agent_id(from),
                agent_id(to),
                kind,
                payload,
                i64::from(id % 4),
                now - age
            ],
        )
        .await?;
        Ok(())
    }

    async fn log(&mut self, t: &Transaction, at: Millis) -> libsql::Result<()> {
        let number = self.state.next_log;
        self.state.next_log += 1;
        let agent = number % self.size.nodes;
        let kind = match number % 10 {
            0..4 => format!(
                "{{\"LockAcquire\":{{\"path\":\"{}\",\"agent_id\":{agent}}}}}",
                lock_key(number % self.size.locks)
            ),
            4..7 => format!(
                "{{\"LockRelease\":{{\"path\":\"{}\",\"agent_id\":{agent}}}}}",
                lock_key(number % self.size.locks)
            ),
            7..9 => format!("{{\"TaskSubmit\":{{\"task_id\":{number}}}}}"),
            _ => format!("{{\"TaskComplete\":{{\"task_id\":{}}}}}", number - 2),
        };
        let before = self.state.before.clone();
        self.state.before = Some(link(u64::from(number), at, before.as_deref()));
        t.execute(
            "INSERT INTO agent_oplog (agent_id, operation_id, kind, description, predecessor_hash, timestamp_ms, \
             repository_id) VALUES (?1, ?2, ?3, 'part of the load', ?4, ?5, ?6)",
            params![agent_id(agent), format!("OP-{number:06}"), kind, before, at, repository(agent)],
        )
        .await?;
        Ok(())
    }
}

fn scattered(i: u32, of: u32) -> u32 {
    u32::try_from(u64::from(i) * u64::from(STRIDE) % u64::from(of)).unwrap_or(0)
}

fn silent(node: u32) -> bool {
    node % SILENT == SILENT - 1
}

/// A node that is not silent.
fn living(wanted: u32, nodes: u32) -> u32 {
    let node = wanted % nodes;
    if silent(node) { node - 1 } else { node }
}

fn node_id(node: u32) -> String {
    format!("node-{node:05}")
}

fn agent_id(node: u32) -> String {
    (1_000 + node).to_string()
}

fn lock_key(lock: u32) -> String {
    format!("file:src/part{:03}/item{lock:06}.rs", lock % 331)
}

fn repository(of: u32) -> String {
    format!("9f2c41d07ab8e6{:02x}", of % 8)
}
