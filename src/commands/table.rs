//! A snapshot as plain tables, good enough to paste into a ticket: no colours, no control characters.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use crate::commands::cli::SnapshotView;
use crate::mesh::derive::Snapshot;
use crate::model::source::Aspect;
use crate::model::time::{short, utc};

/// A table's columns, and its rows.
struct Sheet {
    title: &'static str,
    heads: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// The whole snapshot, or one part of it.
#[must_use]
pub fn snapshot(snapshot: &Snapshot, view: Option<SnapshotView>) -> String {
    type Make = fn(&Snapshot) -> Sheet;
    type Part = (SnapshotView, Option<Aspect>, Make);
    let mut out = format!("mesh {} at {}\n", snapshot.mesh.name, utc(snapshot.at_ms));
    let sheets: &[Part] = &[
        (SnapshotView::Sources, None, sources),
        (SnapshotView::Findings, None, findings),
        (SnapshotView::Nodes, Some(Aspect::Nodes), nodes),
        (SnapshotView::Locks, Some(Aspect::Locks), locks),
        (SnapshotView::Queues, Some(Aspect::Waiters), queues),
        (SnapshotView::Messages, Some(Aspect::Messages), messages),
        (SnapshotView::Tasks, Some(Aspect::Tasks), tasks),
        (SnapshotView::Leases, Some(Aspect::Leases), leases),
        (SnapshotView::Leaders, Some(Aspect::Leaders), leaders),
        (SnapshotView::Oplog, Some(Aspect::Log), oplog),
    ];
    for (_, aspect, make) in sheets.iter().filter(|(of, ..)| view.is_none_or(|wanted| wanted == *of)) {
        let sheet = make(snapshot);
        match aspect.and_then(|aspect| snapshot.mesh.lacks(aspect)) {
            Some(lacking) if sheet.rows.is_empty() => _ = writeln!(out, "\n{} {lacking}", sheet.title),
            _ => write(&mut out, &sheet),
        }
    }
    out
}

fn write(out: &mut String, sheet: &Sheet) {
    let _ = writeln!(out, "\n{} ({})", sheet.title, sheet.rows.len());
    if sheet.rows.is_empty() {
        return;
    }
    let width = |i: usize| sheet.rows.iter().map(|row| row[i].width()).max().unwrap_or(0).max(sheet.heads[i].width());
    let widths: Vec<usize> = (0..sheet.heads.len()).map(width).collect();
    let heads: Vec<String> = sheet.heads.iter().map(|head| (*head).to_owned()).collect();
    for row in std::iter::once(&heads).chain(&sheet.rows) {
        let mut line = String::new();
        for (i, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[i] - cell.width());
            let right = numeric(&sheet.rows, i);
            let _ = if right { write!(line, "{pad}{cell}  ") } else { write!(line, "{cell}{pad}  ") };
        }
        let _ = writeln!(out, "  {}", line.trim_end());
    }
}

/// Whether a column holds only figures, ages and blanks: then it aligns right.
fn numeric(rows: &[Vec<String>], column: usize) -> bool {
    rows.iter().all(|row| row[column].chars().next().is_none_or(|c| c.is_ascii_digit() || c == '-'))
}

fn age(ms: Option<i64>) -> String {
    ms.map_or_else(|| "-".into(), short)
}

fn number(n: Option<i64>) -> String {
    n.map_or_else(|| "-".into(), |n| n.to_string())
}

fn sources(p: &Snapshot) -> Sheet {
    let row = |(s, v): (&crate::mesh::SourceState, &crate::mesh::derive::sources::SourceView)| {
        vec![
            s.identity.name.to_string(),
            s.identity.kind.into(),
            s.identity.how.into(),
            v.health.to_string(),
            s.total_cost.round_trips.to_string(),
            s.total_cost.rows.to_string(),
            s.total_cost.bytes.to_string(),
            format!("{:.0}", s.total_cost.ms),
            s.health.trouble.as_ref().map(|t| t.fault.to_string()).unwrap_or_default(),
        ]
    };
    Sheet {
        title: "SOURCES",
        heads: &["NAME", "KIND", "READ BY", "HEALTH", "TRIPS", "ROWS", "BYTES", "MS", "ERROR"],
        rows: p.mesh.sources.iter().zip(p.sources.iter()).map(row).collect(),
    }
}

fn findings(p: &Snapshot) -> Sheet {
    let rows = p.findings.iter().map(|f| vec![f.severity.to_string(), f.rule.into(), f.sentence.to_string()]);
    Sheet { title: "FINDINGS", heads: &["SEVERITY", "RULE", "WHAT"], rows: rows.collect() }
}

fn nodes(p: &Snapshot) -> Sheet {
    let rows = p.nodes.iter().map(|n| {
        vec![
            n.node_id.to_string(),
            n.staleness.to_string(),
            age(n.age_ms(p.at_ms)),
            number(n.misses),
            n.activity.to_string(),
            n.agents.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            n.holds.locks.to_string(),
            n.holds.tasks.to_string(),
            n.holds.inbox.to_string(),
            n.repository_id.to_string(),
        ]
    });
    Sheet {
        title: "NODES",
        heads: &["NODE", "STALENESS", "AGE", "MISSES", "ACTIVITY", "AGENTS", "LOCKS", "TASKS", "INBOX", "REPOSITORY"],
        rows: rows.collect(),
    }
}

fn locks(p: &Snapshot) -> Sheet {
    let rows = p.locks.iter().map(|l| {
        vec![
            l.lock.lock_key.to_string(),
            l.state.to_string(),
            l.lock.holder_node.to_string(),
            l.lock.holder_agent.to_string(),
            l.holder_staleness.to_string(),
            number(l.lock.fence_token),
            age(l.ttl_ms(p.at_ms)),
            l.waiters.len().to_string(),
            l.lock.table.to_string(),
            l.lock.repository_id.to_string(),
        ]
    });
    Sheet {
        title: "LOCKS",
        heads: &["LOCK", "STATE", "NODE", "AGENT", "HOLDER", "FENCE", "TTL", "WAIT", "TABLE", "REPOSITORY"],
        rows: rows.collect(),
    }
}

fn queues(p: &Snapshot) -> Sheet {
    let rows = p.locks.iter().flat_map(|l| {
        l.waiters.iter().enumerate().map(move |(i, w)| {
            vec![
                l.lock.lock_key.to_string(),
                (i + 1).to_string(),
                w.agent.to_string(),
                age(w.since_ms.map(|at| p.at_ms - at)),
                w.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            ]
        })
    });
    Sheet { title: "QUEUES, inferred", heads: &["LOCK", "PLACE", "AGENT", "WAITS", "EVIDENCE"], rows: rows.collect() }
}

fn messages(p: &Snapshot) -> Sheet {
    let rows = p.messages.iter().map(|view| {
        let m = &view.message;
        vec![
            m.name().to_string(),
            view.state.to_string(),
            m.msg_type.to_string(),
            m.sender_agent.to_string(),
            m.receiver_agent.to_string(),
            number(m.priority),
            age(view.age_ms(p.at_ms)),
            number(m.delivery_attempts),
            m.claim_owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            m.table.to_string(),
        ]
    });
    Sheet {
        title: "MESSAGES",
        heads: &["ID", "STATE", "TYPE", "FROM", "TO", "PRIO", "AGE", "TRIES", "CLAIMED BY", "TABLE"],
        rows: rows.collect(),
    }
}

fn tasks(p: &Snapshot) -> Sheet {
    let rows = p.tasks.iter().map(|t| {
        vec![
            t.task.to_string(),
            t.state.to_string(),
            t.owner_agent.as_ref().map(ToString::to_string).unwrap_or_default(),
            t.owner_node.as_ref().map(ToString::to_string).unwrap_or_default(),
            age(t.age_ms(p.at_ms)),
            t.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        ]
    });
    Sheet { title: "TASKS", heads: &["TASK", "STATE", "AGENT", "NODE", "AGE", "EVIDENCE"], rows: rows.collect() }
}

fn leases(p: &Snapshot) -> Sheet {
    let rows = p.leases.iter().map(|view| {
        vec![
            view.lease.lease_id.to_string(),
            view.lease.scope_key.to_string(),
            view.lease.holder_node_id.to_string(),
            if view.in_force { "in force" } else { "over" }.into(),
            age(view.expires_ms.map(|at| at - p.at_ms)),
            view.source.to_string(),
        ]
    });
    Sheet { title: "LEASES", heads: &["LEASE", "SCOPE", "NODE", "STATE", "TTL", "SOURCE"], rows: rows.collect() }
}

fn leaders(p: &Snapshot) -> Sheet {
    let rows = p.leaders.iter().map(|view| {
        vec![
            view.leader.repository_id.to_string(),
            view.leader.leader_node_id.to_string(),
            number(view.leader.epoch),
            if view.expired { "expired" } else { "leading" }.into(),
            view.staleness.to_string(),
        ]
    });
    Sheet { title: "LEADERS", heads: &["REPOSITORY", "NODE", "EPOCH", "STATE", "STALENESS"], rows: rows.collect() }
}

fn oplog(p: &Snapshot) -> Sheet {
    let rows = p.log.iter().map(|view| {
        vec![
            view.at_ms.map_or_else(|| "unknown".into(), utc),
            view.entry.operation_id.to_string(),
            view.entry.agent_id.to_string(),
            view.entry.kind.to_string(),
            view.chain.to_string(),
            view.entry.description.to_string(),
        ]
    });
    Sheet {
        title: "OP-LOG",
        heads: &["TIME", "OPERATION", "AGENT", "KIND", "CHAIN", "DESCRIPTION"],
        rows: rows.collect(),
    }
}
