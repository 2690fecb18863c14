//! Random histories: what two sources report, one step after another.

use proptest::prelude::*;

use super::{NOW, heartbeat, lock, message, registered};
use crate::model::agent::{Agent, Group, GroupStatus};
use crate::model::observation::{Change, Delta, LogStart, Observation};
use crate::model::report::{Report, State};
use crate::model::source::Fault;
use crate::model::time::{Millis, SECOND};
use crate::model::{Lease, LineageEvent, Lock, LockTable, LogEntry, LogTable, Message, MessageTable};

/// One step: what a source reports, and how much time passes.
#[derive(Debug, Clone)]
pub struct Step {
    pub source: usize,
    pub changes: Vec<Change>,
    pub fails: bool,
    pub pass: Millis,
}

fn key(i: u8) -> String {
    let prefix = ["", "file:", "./"][usize::from(i) % 3];
    format!("{prefix}k{}", i / 3)
}

fn locks() -> impl Strategy<Value = Vec<Lock>> {
    let one = (0u8..12, 0u8..4, -20i64..120, 0i64..5, prop::bool::ANY).prop_map(|(k, node, left, fence, other)| {
        let mut row = lock(&key(k), &format!("n{node}"), &node.to_string(), left * SECOND);
        row.fence_token = Some(fence);
        if other {
            row.repository_id = "0123456789abcdef".into();
        }
        row
    });
    prop::collection::vec(one, 0..6)
}

fn change() -> impl Strategy<Value = Change> {
    let beat = (0u8..5, 0u8..6, 0i64..900)
        .prop_map(|(node, agent, ago)| heartbeat(&format!("n{node}"), &agent.to_string(), ago * SECOND));
    let text = prop_oneof![
        (0u8..12).prop_map(|k| ("resource_lock_request", format!(r#"{{"paths":["{}","{}"]}}"#, key(k), key(k / 2)))),
        (0u8..12).prop_map(|k| ("resource_lock_grant", format!(r#"{{"lock_key":"{}"}}"#, key(k)))),
        (0u8..12).prop_map(|k| ("conflict_detected", format!(r#"{{"path":"{}","sides":[1,2,3]}}"#, key(k)))),
        (0u8..4).prop_map(|t| {
            ("remote_task_envelope", format!(r#"{{"task_id":{t},"idempotency_key":"i{}","repository_id":"r"}}"#, t % 3))
        }),
        (0u8..4).prop_map(|t| ("remote_task_result", format!(r#"{{"idempotency_key":"i{t}"}}"#))),
        Just(("plan_handoff", String::new())),
    ];
    let mail = (0i64..14, 0u8..6, text, 0i64..120, prop::option::of(-30i64..60), 0i64..7, 0u8..3).prop_map(
        |(id, to, (kind, payload), ago, claim, attempts, scope)| {
            let mut mail = message(id, &to.to_string(), kind, &payload, ago * SECOND);
            mail.sender_agent = (to + 1).to_string().into();
            mail.claim_until_ms = claim.map(|left| NOW + left * SECOND);
            mail.delivery_attempts = Some(attempts);
            mail.repository_id = ["default", "/w", "9f2c41d07ab8e635"][usize::from(scope)].into();
            mail
        },
    );
    let mails = prop::collection::vec(mail, 0..6);
    let table = prop_oneof![Just(MessageTable::A2a), Just(MessageTable::Mesh), Just(MessageTable::Inbox)];
    let in_table = |table: MessageTable, mut rows: Vec<Message>| {
        for row in &mut rows {
            row.table = table;
        }
        rows
    };
    prop_oneof![
        prop::collection::vec(beat.clone(), 0..5).prop_map(Change::Heartbeats),
        (prop::collection::vec(beat, 0..3), 0u8..5).prop_map(|(changed, gone)| {
            let gone = vec![(format!("n{gone}").into(), "9f2c41d07ab8e635".into())];
            Change::SomeHeartbeats(Delta { changed, gone })
        }),
        (0u8..5, prop::collection::vec(0i64..700, 0..3)).prop_map(|(first, ages)| {
            let nodes = (first..).zip(ages).map(|(node, ago)| registered(&format!("n{node}"), ago * SECOND));
            Change::Registry(nodes.collect())
        }),
        locks().prop_map(|rows| Change::Locks(LockTable::Distributed, rows)),
        locks().prop_map(|mut rows| {
            for row in &mut rows {
                row.table = LockTable::Vcs;
            }
            Change::Locks(LockTable::Vcs, rows)
        }),
        (locks(), 0u8..12).prop_map(|(changed, gone)| {
            let gone = vec![(key(gone).as_str().into(), "9f2c41d07ab8e635".into())];
            Change::SomeLocks(LockTable::Distributed, Delta { changed, gone })
        }),
        (table.clone(), mails.clone())
            .prop_map(move |(table, rows)| Change::LiveMessages(table, in_table(table, rows))),
        (mails.clone(), prop::collection::vec(0i64..14, 0..4))
            .prop_map(|(changed, gone)| Change::SomeMessages(MessageTable::A2a, Delta { changed, gone })),
        mails.prop_map(|mut rows| {
            for row in &mut rows {
                row.acknowledged = true;
            }
            Change::AcknowledgedMessages(rows)
        }),
        prop::collection::vec((1i64..30, 0u8..6), 0..4).prop_map(|rows| {
            let kinds = [
                r#"{"TaskSubmit":{"task_id":1}}"#,
                r#"{"TaskComplete":{"task_id":1}}"#,
                r#"{"TaskFail":{"task_id":2}}"#,
                r#"{"ConflictDetected":{"path":"k1","sides":[1,2]}}"#,
                r#"{"ConflictDeferred":{"path":"k2","defer_to_agent":4}}"#,
                r#""Rebalance""#,
            ];
            let entry = |(id, kind): (i64, u8)| entry(id, kinds[usize::from(kind)]);
            Change::Log(LogTable::Agent, rows.into_iter().map(entry).collect(), LogStart::Continues)
        }),
        prop::collection::vec((1i64..30, 0i64..4, prop::bool::ANY), 0..3).prop_map(|rows| {
            let event = |(id, task, done): (i64, i64, bool)| LineageEvent {
                id,
                repository_id: "r".into(),
                kind: if done { "task_completed" } else { "task_submitted" }.into(),
                task: Some(task.to_string().into()),
                agent_id: Some("2".into()),
                created_at_ms: Some(NOW + id * SECOND),
                ..Default::default()
            };
            Change::Lineage(rows.into_iter().map(event).collect())
        }),
        prop::collection::vec((0u8..4, 0u8..4, -30i64..90, prop::bool::ANY), 0..4).prop_map(|rows| {
            let lease = |(id, task, left, revoked): (u8, u8, i64, bool)| Lease {
                lease_id: id.to_string().into(),
                scope_key: format!("task:{task}").into(),
                holder_node_id: format!("n{task}").into(),
                granted_at_ms: Some(NOW),
                expires_at_ms: Some(NOW + left * SECOND),
                state: if revoked { "revoked" } else { "granted" }.into(),
                authoritative: id % 2 == 0,
                ..Default::default()
            };
            Change::Leases(rows.into_iter().map(lease).collect())
        }),
        prop::collection::vec((0u8..5, 0u8..5, prop::option::of(0i64..3)), 0..4).prop_map(|rows| {
            let agent = |(name, node, generation): (u8, u8, Option<i64>)| Agent {
                agent: name.to_string().into(),
                group: "g".into(),
                node_id: format!("n{node}").into(),
                generation,
                ..Agent::default()
            };
            Change::Agents(rows.into_iter().map(agent).collect())
        }),
        prop::option::of(0u8..2).prop_map(|status| {
            let status = status.map(|s| [GroupStatus::Running, GroupStatus::Stopped][usize::from(s)]);
            Change::Groups(vec![Group { name: "g".into(), status, ..Group::default() }])
        }),
        Just(Change::Reset),
    ]
}

fn entry(id: i64, kind: &str) -> LogEntry {
    LogEntry {
        table: LogTable::Agent,
        id,
        agent_id: "1".into(),
        operation_id: format!("OP-{id:06}").into(),
        kind: kind.trim_matches(['{', '"']).split('"').next().unwrap_or_default().into(),
        kind_json: kind.into(),
        timestamp_ms: Some(NOW + id * SECOND),
        repository_id: "r".into(),
        ..Default::default()
    }
}

/// Any step.
pub fn step() -> impl Strategy<Value = Step> {
    // Time passes, or leaps: a laptop slept, a clock was set by hand, summer ended.
    let pass = prop_oneof![
        3 => Just(0i64),
        3 => 1i64..2_000,
        3 => 0i64..200_000,
        1 => -3_700_000i64..0,
        1 => Just(8 * 3_600_000i64),
    ];
    (0usize..2, prop::collection::vec(change(), 0..3), prop::bool::weighted(0.1), pass)
        .prop_map(|(source, changes, fails, pass)| Step { source, changes, fails, pass })
}

/// What a step reports at an instant.
pub fn report(step: &Step, at_ms: Millis) -> Report {
    if step.fails {
        let fault = Fault::transient("no answer");
        let state = State::BackingOff { failures: 1 };
        return Report::Failed { source: step.source, at_ms, fault, state, retry_at_ms: at_ms };
    }
    let observation = Observation { changes: step.changes.clone(), ..Observation::default() };
    Report::Observed { source: step.source, at_ms, observation: Box::new(observation) }
}
