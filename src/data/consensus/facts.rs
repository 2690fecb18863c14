//! What is told of a cluster: locks with their queues, barriers, members, and what is wrong. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::Cluster;
use super::etcd::Lease;
use super::layout::{Closed, Found, Held, Hold, Layout};
use super::space::Space;
use crate::model::agent::Group;
use crate::model::member::{Barrier, BarrierState, Member};
use crate::model::observation::{Change, Observation};
use crate::model::severity::Severity;
use crate::model::stated::{About, Problem};
use crate::model::text::Text;
use crate::model::time::{SECOND, utc};
use crate::model::{Condition, Lock, LockTable, Wait};

/// Everything that is told, but for the log and heartbeats.
#[derive(Debug, Default, PartialEq)]
pub struct Facts {
    pub keys: Arc<KeyFacts>,
    pub members: Vec<Member>,
    pub groups: Vec<Group>,
    pub problems: Vec<Problem>,
    pub unseen: Vec<Text>,
}

/// What the keys say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyFacts {
    pub locks: BTreeMap<u8, Vec<Lock>>,
    pub waits: Vec<Wait>,
    pub barriers: Vec<Barrier>,
    pub problems: Vec<Problem>,
    pub unseen: Vec<Text>,
}

/// Tables that locks of a cluster stand in.
const TABLES: [LockTable; 4] = [LockTable::Queue, LockTable::Election, LockTable::Single, LockTable::Shared];

impl Facts {
    /// Adds to what a poll brings whatever is not as it was told before.
    pub fn tell(&self, before: Option<&Self>, seen: &mut Observation) {
        for table in TABLES {
            let of = |facts: &Self| facts.keys.locks.get(&(table as u8)).cloned().unwrap_or_default();
            if before.is_none_or(|before| {
                !Arc::ptr_eq(&before.keys, &self.keys)
                    && before.keys.locks.get(&(table as u8)) != self.keys.locks.get(&(table as u8))
            }) {
                seen.changes.push(Change::Locks(table, of(self)));
            }
        }
        if before.is_none_or(|before| !Arc::ptr_eq(&before.keys, &self.keys) && before.keys.waits != self.keys.waits) {
            seen.changes.push(Change::Waits(self.keys.waits.clone()));
        }
        if before.is_none_or(|before| before.keys.barriers != self.keys.barriers) {
            seen.changes.push(Change::Barriers(self.keys.barriers.clone()));
        }
        if before.is_none_or(|before| before.members != self.members) {
            seen.changes.push(Change::Members(self.members.clone()));
        }
        if before.is_none_or(|before| before.groups != self.groups) {
            seen.changes.push(Change::Groups(self.groups.clone()));
        }
        if before.is_none_or(|before| before.problems != self.problems) {
            seen.changes.push(Change::Problems(self.problems.clone()));
        }
        if before.is_none_or(|before| before.unseen != self.unseen) {
            seen.unseen = Some(self.unseen.clone());
        }
    }
}

/// Leases of those who hold something.
pub fn leases_of(found: &Found) -> impl Iterator<Item = i64> + '_ {
    found.locks.iter().flat_map(|lock| &lock.holders).map(|hold| hold.lease).filter(|lease| *lease != 0)
}

/// Leases of those who hold something that others wait for.
pub fn waited_leases_of(found: &Found) -> impl Iterator<Item = i64> + '_ {
    let waited = found.locks.iter().filter(|lock| !lock.queue.is_empty());
    waited.flat_map(|lock| &lock.holders).map(|hold| hold.lease)
}

/// Puts together what stands below each prefix.
#[must_use]
pub fn gather(
    spaces: &[Space],
    found: &[Found],
    leases: &BTreeMap<i64, Lease>,
    cluster: &Cluster,
    group: &Text,
) -> KeyFacts {
    let mut facts = KeyFacts::default();
    for (space, found) in spaces.iter().zip(found).filter(|(space, _)| space.cursor.is_some()) {
        for held in &found.locks {
            let Some(first) = held.holders.first() else { continue };
            let seen_ms = space.keys.all.get(&first.key).and_then(|key| key.seen_ms);
            let left = leases.get(&first.lease).and_then(|lease| lease.left);
            let lock = lock(held, first, group, seen_ms, left, cluster);
            facts.problems.extend(problems(held, first, &lock, group));
            facts.waits.extend(held.queue.iter().map(|hold| wait(held, hold, space, group)));
            facts.locks.entry(lock.table as u8).or_default().push(lock);
        }
        facts.barriers.extend(found.barriers.iter().map(|closed| barrier(closed, space, group)));
        if found.odd > 0 {
            let what = format!("{}: {} keys that are not of layout {}", space.name(), found.odd, space.layout);
            facts.unseen.push(what.into());
        }
    }
    facts
}

fn table(layout: Layout) -> LockTable {
    match layout {
        Layout::Election => LockTable::Election,
        Layout::Single | Layout::Patroni => LockTable::Single,
        Layout::Rw => LockTable::Shared,
        _ => LockTable::Queue,
    }
}

fn lock(
    held: &Held,
    first: &Hold,
    group: &Text,
    seen_ms: Option<i64>,
    left: Option<crate::model::Left>,
    cluster: &Cluster,
) -> Lock {
    let more = held.holders.len() - 1;
    let who = if more > 0 { format!("{} and {more} more", first.who).into() } else { first.who.clone() };
    let through = cluster.granted_by(first.lease).map(|member| format!("lease granted through {member}"));
    let guessed = held.guessed.then(|| "layout guessed: its keys bear their own leases".to_owned());
    let layout = format!("layout {}", held.layout);
    let remark: Vec<String> = [Some(layout), guessed, through].into_iter().flatten().collect();
    Lock {
        table: table(held.layout),
        lock_key: held.name.clone(),
        repository_id: group.clone(),
        holder_agent: who,
        fence_token: Some(first.create_revision),
        // etcd has no clock: only what this console saw has an instant.
        acquired_at_ms: seen_ms,
        shared: held.shared,
        lease_id: last_part(held, first),
        condition: Some(Condition::OpenEnded),
        left,
        remark: Some(remark.join(", ").into()),
        ..Lock::default()
    }
}

/// What tells the holder's key from the others of its name: its last part, which is its lease where clients write it so.
fn last_part(held: &Held, first: &Hold) -> Option<Text> {
    if matches!(held.layout, Layout::Mutex | Layout::Election) {
        let last = first.key.rsplit(|byte| *byte == b'/').next()?;
        return Some(Text::new(std::str::from_utf8(last).ok()?));
    }
    (first.lease != 0).then(|| format!("{:x}", first.lease).into())
}

fn wait(held: &Held, hold: &Hold, space: &Space, group: &Text) -> Wait {
    Wait {
        resource: held.name.clone(),
        repository_id: group.clone(),
        agent: hold.who.clone(),
        since_ms: space.keys.all.get(&hold.key).and_then(|key| key.seen_ms),
        // First come, first served: the older key goes first.
        priority: -hold.create_revision,
        evidence: format!("its key was created at revision {}", hold.create_revision).into(),
        exact: true,
    }
}

fn barrier(closed: &Closed, space: &Space, group: &Text) -> Barrier {
    let state = if closed.is_ready { BarrierState::Satisfied } else { BarrierState::Waiting };
    Barrier {
        group: group.clone(),
        name: closed.name.clone(),
        repository_id: group.clone(),
        kind: space.layout.to_string().into(),
        state: Some(state),
        arrived: closed.arrived.clone(),
        created_ms: space.keys.all.get(&closed.key).and_then(|key| key.seen_ms),
        remark: match &closed.arrived {
            Some(_) => "how many are expected is in no key".into(),
            None => "those who wait leave no key".into(),
        },
        fence_token: Some(closed.create_revision),
        ..Barrier::default()
    }
}

fn problems(held: &Held, first: &Hold, lock: &Lock, group: &Text) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut add = |rule, severity, sentence: String, evidence: Vec<Text>| {
        let about = About::Lock { table: lock.table, lock_key: held.name.clone(), repository_id: group.clone() };
        found.push(Problem { rule, severity, about, name: held.name.clone(), sentence: sentence.into(), evidence });
    };
    let waiting = held.queue.len();
    if first.lease == 0 && !matches!(held.layout, Layout::Single | Layout::Patroni) {
        let sentence = format!("{}: held by {} without a lease, for ever", held.name, first.who);
        add(
            "key-endless",
            Severity::Warning,
            sentence,
            vec![format!("create revision {}", first.create_revision).into()],
        );
    }
    if let Some(left) = lock.left.filter(|left| left.granted_ms > 0 && left.left_ms * 3 <= left.granted_ms) {
        let sentence = match waiting {
            0 => format!("{}: the lease of {} is not renewed", held.name, first.who),
            n => format!("{}: the lease of {} is not renewed, {n} wait behind it", held.name, first.who),
        };
        let evidence =
            format!("{} s of {} s were left at {}", left.left_ms / SECOND, left.granted_ms / SECOND, utc(left.at_ms));
        let severity = if waiting > 0 { Severity::Warning } else { Severity::Info };
        add("lease-unrenewed", severity, sentence, vec![evidence.into()]);
    }
    found
}
