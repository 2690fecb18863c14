-- The coordination tables of Vox, as its newer variant has them, written to the contract for the demo and tests.
CREATE TABLE IF NOT EXISTS mesh_heartbeats (
    node_id TEXT NOT NULL, agent_id TEXT NOT NULL, last_seen_ms INTEGER NOT NULL,
    activity TEXT NOT NULL DEFAULT 'idle', repository_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (node_id, repository_id));
CREATE INDEX IF NOT EXISTS demo_beats_seen ON mesh_heartbeats (last_seen_ms);
CREATE TABLE IF NOT EXISTS distributed_locks (
    lock_key TEXT NOT NULL, holder_node TEXT NOT NULL, holder_agent TEXT NOT NULL, fence_token INTEGER NOT NULL,
    acquired_at TEXT NOT NULL DEFAULT (datetime('now')), expires_at TEXT NOT NULL,
    repository_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (lock_key, repository_id));
CREATE INDEX IF NOT EXISTS demo_locks_expiry ON distributed_locks (expires_at);
CREATE TABLE IF NOT EXISTS vcs_lock (
    path TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, holder TEXT NOT NULL, holder_node_id TEXT NOT NULL,
    repository_id TEXT NOT NULL, acquired_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, lease_id TEXT,
    fence_token INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS lock_leader (
    repository_id TEXT NOT NULL PRIMARY KEY, leader_node_id TEXT NOT NULL, elected_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, epoch INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS mesh_exec_leases (
    lease_id TEXT PRIMARY KEY, task_id TEXT NOT NULL, scope_key TEXT NOT NULL, holder_node_id TEXT NOT NULL,
    granted_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'granted');
CREATE INDEX IF NOT EXISTS demo_leases_state ON mesh_exec_leases (state, expires_at);
CREATE TABLE IF NOT EXISTS a2a_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, message_uuid TEXT NOT NULL UNIQUE, sender_agent TEXT NOT NULL,
    receiver_agent TEXT NOT NULL, msg_type TEXT NOT NULL, payload TEXT NOT NULL, priority INTEGER NOT NULL DEFAULT 1,
    thread_id TEXT, acknowledged INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL DEFAULT (datetime('now')),
    repository_id TEXT NOT NULL DEFAULT '', claim_owner TEXT, claim_until_ms INTEGER,
    delivery_attempts INTEGER NOT NULL DEFAULT 0, last_claim_error TEXT, processed_at_ms INTEGER);
CREATE INDEX IF NOT EXISTS demo_messages_receiver ON a2a_messages (receiver_agent);
CREATE INDEX IF NOT EXISTS demo_messages_acknowledged ON a2a_messages (acknowledged);
CREATE INDEX IF NOT EXISTS demo_messages_thread ON a2a_messages (thread_id);
CREATE TABLE IF NOT EXISTS mesh_a2a_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sender_agent_id TEXT NOT NULL, receiver_agent_id TEXT NOT NULL,
    message_type TEXT NOT NULL, payload TEXT NOT NULL, idempotency_key TEXT, privacy_class TEXT, jwe_payload TEXT,
    priority INTEGER NOT NULL DEFAULT 128, task_kind TEXT, model_id TEXT, sender_node_id TEXT, traceparent TEXT,
    created_at INTEGER NOT NULL, acked_at INTEGER, acknowledged INTEGER NOT NULL DEFAULT 0,
    lease_holder_node_id TEXT, lease_expires_unix_ms INTEGER);
CREATE INDEX IF NOT EXISTS demo_mesh_receiver ON mesh_a2a_messages (receiver_agent_id, acknowledged);
CREATE TABLE IF NOT EXISTS agent_oplog (
    id INTEGER PRIMARY KEY AUTOINCREMENT, agent_id TEXT NOT NULL, operation_id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    description TEXT NOT NULL, predecessor_hash TEXT, model_id TEXT, change_id INTEGER, timestamp_ms INTEGER NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0, repository_id TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS demo_oplog_time ON agent_oplog (timestamp_ms);
CREATE TABLE IF NOT EXISTS orchestration_lineage_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repository_id TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL,
    task_id INTEGER NOT NULL, agent_id INTEGER, session_id TEXT, workflow_id TEXT, plan_session_id TEXT,
    plan_node_id TEXT, payload_json TEXT, created_at_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS convergence_op_log (
    op_id INTEGER PRIMARY KEY, parent_op_ids TEXT NOT NULL DEFAULT '[]', kind_json TEXT NOT NULL,
    predecessor_hash TEXT, signature TEXT, agent_id INTEGER NOT NULL, daemon_id TEXT NOT NULL,
    produced_at INTEGER NOT NULL, description TEXT NOT NULL DEFAULT '', change_id INTEGER, model_id TEXT,
    undone INTEGER NOT NULL DEFAULT 0);
