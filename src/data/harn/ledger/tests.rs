//! Inboxes, readers, waiters and tasks, beside a straightforward model of their rules.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

const ROOM: &str = "channels.tenant.default.coord.workspace.w.ops";

fn event(n: i64, kind: &str, from: &str, more: Value) -> Event {
    let mut message = json!({"schema": super::super::message::SCHEMA, "id": format!("m{n}"), "kind": kind, "room": "ops",
        "from": {"agent": from, "session_id": format!("s-{from}")}});
    if let (Some(message), Value::Object(more)) = (message.as_object_mut(), more) {
        message.extend(more);
    }
    Event {
        topic: ROOM.into(),
        event_id: n,
        kind: "channel.emit".into(),
        payload: json!({"payload": message, "emitted_at": {"at_ms": n * 1_000}}),
        headers: serde_json::Map::new(),
        occurred_at_ms: n * 1_000,
    }
}

fn consumer(name: &str, cursor: i64) -> Consumer {
    Consumer { topic: ROOM.into(), name: name.into(), cursor, updated_at_ms: Some(1) }
}

fn news(events: Vec<Event>, consumers: Vec<Consumer>) -> News {
    let head = events.last().map_or(0, |event| event.event_id);
    News { events, consumers: Some(consumers), heads: Some(vec![(ROOM.into(), head)]), ..News::default() }
}

fn live(changes: &[Change]) -> Vec<i64> {
    let rows = changes.iter().find_map(|change| match change {
        Change::LiveMessages(_, rows) => Some(rows),
        _ => None,
    });
    rows.into_iter().flatten().map(|row| row.id & 0xffff_ffff).collect()
}

#[test]
fn nothing_new_changes_nothing() {
    let mut ledger = Ledger::new(100);
    let first = ledger.take(news(vec![event(1, "status", "a", json!({"to": "b"}))], vec![consumer("b", 0)]), 0);
    assert_eq!(live(&first), [1]);
    assert!(ledger.take(News::default(), 0).is_empty());
    assert!(ledger.take(News { consumers: Some(vec![consumer("b", 0)]), ..News::default() }, 0).is_empty());
    let read = ledger.take(News { consumers: Some(vec![consumer("b", 1)]), ..News::default() }, 0);
    assert!(live(&read).is_empty() && !read.is_empty());
    // Cursors are not monotonic: what was read waits again.
    let back = ledger.take(News { consumers: Some(vec![consumer("b", 0)]), ..News::default() }, 0);
    assert_eq!(live(&back), [1]);
}

/// D5: who never read has not read.
#[test]
fn d5_a_reader_without_a_cursor_has_everything_unread() {
    let mut ledger = Ledger::new(1_000);
    let events = (1..=500).map(|n| event(n, "status", "a", json!({"to": "b"}))).collect();
    let changes = ledger.take(news(events, Vec::new()), 0);
    assert_eq!(live(&changes).len(), 500);
}

#[test]
fn a_room_in_memory_is_seen_by_its_receipts_and_no_other_is_counted_twice() {
    let receipt = |n: i64, scope: &str, inserted: bool| {
        let inner = event(n, "status", "a", json!({})).payload["payload"].clone();
        Event {
            topic: RECEIPTS.into(),
            kind: "channel_emit_receipt".into(),
            payload: json!({"payload": inner, "scope": scope, "inserted": inserted, "emitted_at": {"at_ms": 5}}),
            ..event(n, "", "", json!({}))
        }
    };
    let events = vec![receipt(1, "session", true), receipt(2, "tenant", true), receipt(3, "session", false)];
    let changes = Ledger::new(100).take(news(events, Vec::new()), 0);
    let entries = changes.iter().find_map(|change| match change {
        Change::Log(_, entries, _) => Some(entries),
        _ => None,
    });
    let ids: Vec<&str> = entries.unwrap().iter().map(|entry| entry.operation_id.raw()).collect();
    assert_eq!(ids, ["audit#1"]);
}

#[test]
fn open_requests_wait_for_what_they_name_until_they_are_answered() {
    let waits = |changes: &[Change]| -> Vec<(String, String)> {
        let all = changes.iter().find_map(|change| match change {
            Change::Waits(waits) => Some(waits),
            _ => None,
        });
        all.unwrap().iter().map(|w| (w.agent.to_string(), w.resource.to_string())).collect()
    };
    let mut ledger = Ledger::new(100);
    let asks =
        event(1, "request", "b", json!({"to": "a", "subject": "need src/parser.rs, please", "refs": ["task:x"]}));
    let first = ledger.take(news(vec![asks], Vec::new()), 0);
    assert_eq!(waits(&first), [("b".into(), "src/parser.rs".into()), ("b".into(), "task:x".into())]);
    assert_eq!(live(&first), [1]);
    let answer = event(2, "status", "a", json!({"reply_to": "m1"}));
    let then = ledger.take(news(vec![answer], Vec::new()), 0);
    assert!(waits(&then).is_empty() && live(&then).is_empty());
}

#[test]
fn of_two_claims_on_one_work_the_first_has_it_and_the_other_waits() {
    let claim = |n, from: &str| {
        let data =
            json!({"schema": "harn.fleet.claim.v1", "work_key": "task:x", "lease_ms": 10_000, "requires_ack": false});
        event(n, "claim", from, json!({ "data": data }))
    };
    let mut ledger = Ledger::new(100);
    let changes = ledger.take(news(vec![claim(1, "a"), claim(2, "b")], Vec::new()), 3_000);
    let Some(Change::Locks(_, locks)) = changes.iter().find(|change| matches!(change, Change::Locks(..))) else {
        panic!("locks")
    };
    assert_eq!(locks.len(), 1);
    assert_eq!((locks[0].holder_agent.raw(), locks[0].condition), ("a", Some(Condition::Contested)));
    let Some(Change::Waits(waits)) = changes.iter().find(|change| matches!(change, Change::Waits(_))) else {
        panic!("waits")
    };
    assert_eq!((waits[0].agent.raw(), waits[0].resource.raw()), ("b", "task:x"));
    // Time alone ends the first claim: then the second has it.
    let later = ledger.take(News::default(), 11_500);
    let Some(Change::Locks(_, locks)) = later.iter().find(|change| matches!(change, Change::Locks(..))) else {
        panic!("locks")
    };
    let states: Vec<_> =
        locks.iter().map(|l| (l.holder_agent.to_string(), l.remark.clone().unwrap().to_string())).collect();
    assert_eq!(states, [("a".into(), "stale".into()), ("b".into(), "active".to_owned())]);
}

proptest! {
    /// What waits in an inbox: everything addressed to a reader that is past its cursor; requests until they are answered.
    #[test]
    fn an_inbox_is_what_is_addressed_and_not_read(
        msg in prop::collection::vec((prop::sample::select(vec!["status", "request", "handoff"]), prop::option::of(0usize..3),
            prop::option::of(0usize..12)), 0..12),
        cursors in prop::collection::vec(prop::option::of(0i64..14), 3), cut in 0usize..12,
    ) {
        const NAMES: [&str; 3] = ["x", "y", "z"];
        let events: Vec<Event> = (1i64..).zip(&msg).map(|(n, (kind, to, reply))| {
            let mut more = json!({});
            if let Some(to) = to { more["to"] = json!(NAMES[*to]); }
            if let Some(reply) = reply { more["reply_to"] = json!(format!("m{reply}")); }
            event(n, kind, "a", more)
        }).collect();
        let consumers: Vec<Consumer> = NAMES.iter().zip(&cursors).filter_map(|(name, at)| Some(consumer(name, (*at)?))).collect();
        // Read in two looks, wherever the first one ends.
        let cut = cut.min(events.len());
        let mut ledger = Ledger::new(100);
        let first = ledger.take(news(events[..cut].to_vec(), consumers.clone()), 0);
        let rest = ledger.take(news(events[cut..].to_vec(), consumers), 0);
        let seen = if rest.is_empty() { live(&first) } else { live(&rest) };
        let answered = |n: i64| msg.iter().any(|(.., reply)| reply.and_then(|r| i64::try_from(r).ok()) == Some(n));
        let expected: Vec<i64> = (1i64..).zip(&msg).filter(|(n, (kind, to, _))| match (*kind, to) {
            ("request", _) => !answered(*n),
            (_, Some(to)) => cursors[*to].is_none_or(|cursor| cursor < *n),
            (_, None) => false,
        }).map(|(n, _)| n).collect();
        prop_assert_eq!(seen, expected);
    }
}
