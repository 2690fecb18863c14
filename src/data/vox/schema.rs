//! The tables that Vox may have, and how a probe tells which of them and which columns are there.
//!
//! Older and newer variants are both in the field; what the database really has decides.

use libsql::Value;

use crate::model::observation::{Presence, Probe};
use crate::model::source::Aspect;

/// A table as the console knows how to read it.
#[derive(Debug)]
pub struct TableSpec {
    pub name: &'static str,
    /// Without these there is nothing to show.
    pub required: &'static [&'static str],
    /// Older variants lack some of these; what is missing is unknown.
    pub optional: &'static [&'static str],
}

/// Every table the console reads.
pub const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "mesh_heartbeats",
        required: &["node_id", "last_seen_ms"],
        optional: &["agent_id", "activity", "repository_id"],
    },
    TableSpec {
        name: "distributed_locks",
        required: &["lock_key", "holder_node"],
        optional: &["holder_agent", "fence_token", "acquired_at", "expires_at", "repository_id"],
    },
    TableSpec {
        name: "vcs_lock",
        required: &["path", "holder_node_id"],
        optional: &["kind", "holder", "repository_id", "acquired_at", "expires_at", "lease_id", "fence_token"],
    },
    TableSpec {
        name: "lock_leader",
        required: &["repository_id", "leader_node_id"],
        optional: &["elected_at", "heartbeat_at", "expires_at", "epoch"],
    },
    TableSpec {
        name: "a2a_messages",
        required: &["id", "receiver_agent", "acknowledged"],
        optional: &[
            "sender_agent",
            "msg_type",
            "payload",
            "priority",
            "thread_id",
            "created_at",
            "repository_id",
            "claim_owner",
            "claim_until_ms",
            "delivery_attempts",
            "last_claim_error",
            "processed_at_ms",
        ],
    },
    TableSpec {
        name: "mesh_a2a_messages",
        required: &["id", "receiver_agent_id", "acknowledged"],
        // jwe_payload is secret: it is not named here, so it can never be read.
        optional: &[
            "sender_agent_id",
            "message_type",
            "payload",
            "idempotency_key",
            "priority",
            "created_at",
            "acked_at",
            "lease_holder_node_id",
            "lease_expires_unix_ms",
        ],
    },
    TableSpec {
        name: "mesh_exec_leases",
        required: &["lease_id", "holder_node_id"],
        optional: &["task_id", "scope_key", "granted_at", "expires_at", "state"],
    },
    TableSpec {
        name: "agent_oplog",
        required: &["id", "kind"],
        optional: &[
            "agent_id",
            "operation_id",
            "description",
            "predecessor_hash",
            "model_id",
            "change_id",
            "timestamp_ms",
            "undone",
            "repository_id",
        ],
    },
    TableSpec {
        name: "convergence_op_log",
        required: &["op_id", "kind_json"],
        optional: &[
            "agent_id",
            "daemon_id",
            "description",
            "predecessor_hash",
            "model_id",
            "change_id",
            "produced_at",
            "undone",
        ],
    },
    TableSpec {
        name: "orchestration_lineage_events",
        required: &["id", "kind"],
        optional: &["repository_id", "task_id", "agent_id", "session_id", "created_at_ms"],
    },
];

/// What a database provides.
pub const PROVIDES: &[Aspect] = &[
    Aspect::Nodes,
    Aspect::Locks,
    Aspect::Waiters,
    Aspect::Messages,
    Aspect::Tasks,
    Aspect::Leases,
    Aspect::Leaders,
    Aspect::Log,
    Aspect::Chain,
];

/// What each table's emptiness means to Vox.
pub const WHY_EMPTY: &[(&str, &str)] = &[
    ("mesh_heartbeats", "today's Vox does not write heartbeats here: nodes come from the control plane's registry"),
    ("distributed_locks", "today's Vox takes no locks here: see execution leases"),
    ("vcs_lock", "today's Vox takes no locks here: see execution leases"),
    ("lock_leader", "no leader was elected through this database"),
    ("convergence_op_log", "today's Vox writes agent_oplog instead"),
    ("mesh_exec_leases", "written only by a control plane that runs on this database"),
    ("mesh_a2a_messages", "written only by a control plane that runs on this database"),
];

/// Which tables and columns were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    found: Vec<(String, Vec<String>)>,
    /// The page that each table's tree begins at.
    roots: Vec<(String, u32)>,
}

impl Schema {
    /// One statement that lists the columns of every known table.
    #[must_use]
    pub fn probe_sql() -> String {
        let names: Vec<_> = TABLES.iter().map(|t| format!("'{}'", t.name)).collect();
        format!(
            "SELECT m.name, p.name, m.rootpage FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p \
             WHERE m.type IN ('table', 'view') AND m.name IN ({}) ORDER BY m.name",
            names.join(", ")
        )
    }

    /// Reads the answer to [`Schema::probe_sql`].
    #[must_use]
    pub fn from_rows(rows: &[Vec<Value>]) -> Self {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        let mut roots = Vec::new();
        for row in rows {
            let [Value::Text(table), Value::Text(column), rest @ ..] = row.as_slice() else { continue };
            match found.last_mut() {
                Some((name, columns)) if name == table => columns.push(column.clone()),
                _ => {
                    found.push((table.clone(), vec![column.clone()]));
                    if let [Value::Integer(root), ..] = rest {
                        roots.extend(
                            u32::try_from(*root).ok().filter(|root| *root > 0).map(|root| (table.clone(), root)),
                        );
                    }
                }
            }
        }
        Self { found, roots }
    }

    fn columns(&self, table: &str) -> Option<&[String]> {
        self.found.iter().find(|(name, _)| name == table).map(|(_, columns)| columns.as_slice())
    }

    /// The page that a table's tree begins at; a view has none.
    #[must_use]
    pub fn root(&self, table: &str) -> Option<u32> {
        self.roots.iter().find(|(name, _)| name == table).map(|(_, root)| *root)
    }

    /// Whether a table has a column.
    #[must_use]
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.columns(table).is_some_and(|columns| columns.iter().any(|c| c == column))
    }

    /// Whether a table is there with all that is needed to read it.
    #[must_use]
    pub fn readable(&self, table: &str) -> bool {
        TABLES.iter().find(|t| t.name == table).is_some_and(|t| t.required.iter().all(|c| self.has(table, c)))
    }

    /// What to tell people about it.
    #[must_use]
    pub fn report(&self) -> Probe {
        let parts = TABLES
            .iter()
            .map(|t| {
                let missing =
                    |columns: &'static [&'static str]| columns.iter().filter(|c| !self.has(t.name, c)).copied();
                let absent: Vec<_> = missing(t.required).chain(missing(t.optional)).collect();
                let presence = match self.columns(t.name) {
                    None => Presence::Absent,
                    Some(_) if !self.readable(t.name) => {
                        Presence::Denied(format!("unreadable without {}", absent.join(", ")).into())
                    }
                    Some(_) if absent.is_empty() => Presence::Present,
                    Some(_) => Presence::Partial(absent),
                };
                (t.name, presence)
            })
            .collect();
        Probe { parts }
    }
}
