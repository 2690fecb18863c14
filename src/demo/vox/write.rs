//! What the simulated mesh writes, and how it lands in the database: one transaction a step.

use std::path::Path;
use std::time::Duration;

use libsql::{Builder, Connection, TransactionBehavior, params};

use super::rows::{Lease, REPO};
use super::rows::{LockRow, Seen, bare};
use crate::model::time::Millis;

/// The tables, to the contract.
pub const SCHEMA: &str = include_str!("schema.sql");

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    Heartbeat {
        node: String,
        agent: u32,
        at: Millis,
        activity: &'static str,
    },
    Lock {
        key: String,
        node: String,
        agent: u32,
        fence: i64,
        acquired: Millis,
        expires: Millis,
        vcs: bool,
    },
    Unlock {
        key: String,
        vcs: bool,
    },
    Send {
        id: i64,
        from: u32,
        to: u32,
        kind: String,
        payload: String,
        priority: i64,
        at: Millis,
    },
    Claim {
        id: i64,
        owner: String,
        until: Millis,
        error: Option<&'static str>,
    },
    Acknowledge {
        id: i64,
        at: Millis,
    },
    /// All requests for locks are answered.
    AcknowledgeRequests {
        at: Millis,
    },
    Log {
        number: u64,
        agent: u32,
        kind: String,
        description: &'static str,
        before: Option<String>,
        at: Millis,
    },
    Lineage {
        kind: &'static str,
        task: u64,
        agent: u32,
        at: Millis,
    },
    Grant {
        lease: Lease,
        at: Millis,
        state: &'static str,
    },
    Revoke {
        lease: u64,
    },
    Lead {
        node: String,
        epoch: i64,
        at: Millis,
        until: Millis,
    },
}

impl PartialEq for Lease {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.task, &self.node, self.expires) == (other.id, other.task, &other.node, other.expires)
    }
}

/// The simulated mesh's own connection.
pub struct Writer {
    connection: Connection,
}

impl Writer {
    /// Makes the database.
    pub async fn create(path: &Path) -> libsql::Result<Self> {
        let database = Builder::new_local(path).build().await?;
        let connection = database.connect()?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let mut mode = connection.query("PRAGMA journal_mode = WAL", ()).await?;
        while mode.next().await?.is_some() {}
        connection.execute("PRAGMA synchronous = OFF", ()).await?;
        connection.execute_batch(SCHEMA).await?;
        Ok(Self { connection })
    }

    /// The connection itself.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// Looks at what is there, and applies what follows from it, with nothing between the two.
    pub async fn turn(&mut self, next: impl FnOnce(&Seen) -> Vec<Write>) -> libsql::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).await?;
        let seen = look(&transaction).await?;
        for write in next(&seen) {
            apply_one(&transaction, write).await?;
        }
        transaction.commit().await
    }

    /// Applies one step, all or nothing.
    pub async fn apply(&mut self, writes: Vec<Write>) -> libsql::Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction().await?;
        for write in writes {
            apply_one(&transaction, write).await?;
        }
        transaction.commit().await
    }
}

async fn look(c: &Connection) -> libsql::Result<Seen> {
    let mut seen = Seen::default();
    let mut rows = c
        .query(
            "SELECT lock_key, holder_node, holder_agent, fence_token, expires_at <= datetime('now') FROM distributed_locks \
             UNION ALL SELECT path, holder_node_id, holder, fence_token, expires_at <= unixepoch('subsec') * 1000 FROM vcs_lock",
            (),
        )
        .await?;
    while let Some(row) = rows.next().await? {
        let lock = LockRow { node: row.get(1)?, agent: row.get(2)?, fence: row.get(3)?, over: row.get::<i64>(4)? != 0 };
        seen.locks.insert(bare(&row.get::<String>(0)?).to_owned(), lock);
    }
    let mut rows = c
        .query(
            "SELECT id, receiver_agent, sender_agent, msg_type, payload FROM a2a_messages WHERE acknowledged = 0 \
             ORDER BY priority DESC, id",
            (),
        )
        .await?;
    while let Some(row) = rows.next().await? {
        let id: i64 = row.get(0)?;
        let number = |text: String| text.parse::<u32>().unwrap_or(0);
        seen.waiting.insert(id, number(row.get(1)?));
        if row.get::<String>(3)? == "resource_lock_request" {
            let payload: serde_json::Value = serde_json::from_str(&row.get::<String>(4)?).unwrap_or_default();
            let key = payload["resource_id"].as_str().unwrap_or_default().to_owned();
            seen.requests.push((id, number(row.get(2)?), key));
        }
    }
    Ok(seen)
}

async fn apply_one(c: &Connection, write: Write) -> libsql::Result<()> {
    match write {
        Write::Heartbeat { node, agent, at, activity } => {
            c.execute(
                "INSERT INTO mesh_heartbeats VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
                 agent_id = excluded.agent_id, last_seen_ms = excluded.last_seen_ms, activity = excluded.activity",
                params![node, agent.to_string(), at, activity, REPO],
            )
            .await?
        }
        Write::Lock { key, node, agent, fence, acquired, expires, vcs: true } => {
            c.execute(
                "INSERT OR REPLACE INTO vcs_lock VALUES (?1, 'exclusive', ?2, ?3, ?4, ?5, ?6, NULL, ?7)",
                params![key.trim_start_matches("file:"), agent.to_string(), node, REPO, acquired, expires, fence],
            )
            .await?
        }
        Write::Lock { key, node, agent, fence, acquired, expires, vcs: false } => {
            c.execute(
                "INSERT OR REPLACE INTO distributed_locks VALUES \
                 (?1, ?2, ?3, ?4, datetime(?5 / 1000, 'unixepoch'), datetime(?6 / 1000, 'unixepoch'), ?7)",
                params![key, node, agent.to_string(), fence, acquired, expires, REPO],
            )
            .await?
        }
        Write::Unlock { key, vcs: true } => {
            c.execute("DELETE FROM vcs_lock WHERE path = ?1", params![key.trim_start_matches("file:")]).await?
        }
        Write::Unlock { key, vcs: false } => {
            c.execute("DELETE FROM distributed_locks WHERE lock_key = ?1 AND repository_id = ?2", params![key, REPO]).await?
        }
        Write::Send { id, from, to, kind, payload, priority, at } => {
            c.execute(
                "INSERT INTO a2a_messages (id, message_uuid, sender_agent, receiver_agent, msg_type, payload, priority, \
                 created_at, repository_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, datetime(?8 / 1000, 'unixepoch'), ?9)",
                params![id, format!("demo-{id}"), from.to_string(), to.to_string(), kind, payload, priority, at, REPO],
            )
            .await?
        }
        Write::Claim { id, owner, until, error } => {
            c.execute(
                "UPDATE a2a_messages SET claim_owner = ?2, claim_until_ms = ?3, delivery_attempts = delivery_attempts + 1, \
                 last_claim_error = ?4 WHERE id = ?1 AND acknowledged = 0",
                params![id, owner, until, error],
            )
            .await?
        }
        Write::Acknowledge { id, at } => {
            c.execute("UPDATE a2a_messages SET acknowledged = 1, processed_at_ms = ?2 WHERE id = ?1", params![id, at]).await?
        }
        Write::AcknowledgeRequests { at } => {
            c.execute(
                "UPDATE a2a_messages SET acknowledged = 1, processed_at_ms = ?1 \
                 WHERE acknowledged = 0 AND msg_type = 'resource_lock_request'",
                params![at],
            )
            .await?
        }
        Write::Log { number, agent, kind, description, before, at } => {
            c.execute(
                "INSERT INTO agent_oplog (agent_id, operation_id, kind, description, predecessor_hash, timestamp_ms, \
                 repository_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![agent.to_string(), format!("OP-{number:06}"), kind, description, before, at, REPO],
            )
            .await?
        }
        Write::Lineage { kind, task, agent, at } => {
            c.execute(
                "INSERT INTO orchestration_lineage_events (repository_id, kind, task_id, agent_id, created_at_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![REPO, kind, task, agent, at],
            )
            .await?
        }
        Write::Grant { lease, at, state } => {
            c.execute(
                "INSERT INTO mesh_exec_leases VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at, state = excluded.state",
                params![lease.id.to_string(), format!("task:{}", lease.task), lease.node, at, lease.expires, state],
            )
            .await?
        }
        Write::Revoke { lease } => {
            c.execute("UPDATE mesh_exec_leases SET state = 'revoked' WHERE lease_id = ?1", params![lease.to_string()]).await?
        }
        Write::Lead { node, epoch, at, until } => {
            c.execute(
                "INSERT INTO lock_leader VALUES (?1, ?2, ?3, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
                 leader_node_id = excluded.leader_node_id, heartbeat_at = excluded.heartbeat_at, \
                 expires_at = excluded.expires_at, epoch = excluded.epoch",
                params![REPO, node, at, until, epoch],
            )
            .await?
        }
    };
    Ok(())
}
