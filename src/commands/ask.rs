//! What is asked for on the command line, and the things of a snapshot that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::end::End;
use crate::action::plan::{Intent, Interrupt};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::agents::AgentView;
use crate::mesh::derive::groups::{GroupRow, Part};
use crate::mesh::derive::messages::MessageState;
use crate::model::action::{Answer, CurrentRun, MemberChange};
use crate::model::text::{Text, scrub};
use crate::model::{Lock, LockTable};

/// What told a lock from any other hold of it, when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    /// A fence token or the token of a lock directory: which of them the lock has, decides what it is compared with.
    Value(String),
}

impl Seen {
    fn is(&self, lock: &Lock) -> bool {
        match (self, lock.table.is_fenced() || lock.fence_token.is_some()) {
            (Self::Value(seen), true) => seen.parse().is_ok_and(|fence: i64| lock.fence_token == Some(fence)),
            (Self::Nothing, true) => lock.fence_token.is_none(),
            (Self::Value(seen), false) => lock.lease_id.as_ref().is_some_and(|id| id.raw() == seen),
            (Self::Nothing, false) => lock.lease_id.is_none(),
        }
    }

    /// Whether it may be a fence token, or that there is none.
    fn is_number(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Value(seen) => seen.parse::<i64>().is_ok(),
        }
    }

    /// What a lock has to be told by.
    fn of(lock: &Lock) -> String {
        match &lock.lease_id {
            Some(token) if !lock.table.is_fenced() => format!("token {token}"),
            _ => crate::model::action::fence(lock.fence_token),
        }
    }
}

/// What is asked for on the command line.
#[derive(Debug, Clone)]
pub enum Ask {
    Release {
        key: String,
        fence: Seen,
        mode: Option<crate::model::action::Mode>,
        notify_holder: bool,
        notify_next: bool,
    },
    Reroute {
        message: String,
        to: String,
    },
    Evacuate {
        node: String,
    },
    Drain {
        node: String,
        on: bool,
        for_ms: Option<i64>,
    },
    Quarantine {
        node: String,
        on: bool,
    },
    Stop {
        agent: String,
        run: Option<String>,
        how: Interrupt,
    },
    Cancel {
        task: String,
    },
    /// Ends an agent, and starts it again where `again` says so.
    Retire {
        agent: String,
        generation: i64,
        again: bool,
    },
    /// Stops a group of agents, or lets it go on.
    Pause {
        group: String,
        on: bool,
    },
    Member {
        member: String,
        change: MemberChange,
    },
    Open {
        barrier: String,
        revision: i64,
    },
    EndLease {
        key: String,
        fence: Seen,
    },
}

/// Why it is not known what is there.
pub(super) fn unseen(snapshot: &Snapshot) -> String {
    let all: Vec<String> = snapshot.unseen().iter().map(ToString::to_string).collect();
    format!("cannot see whether it is there: {}", all.join("; "))
}

/// Finds what was named.
pub(super) fn intent(ask: &Ask, snapshot: &Snapshot, repo: Option<&str>) -> Result<Intent, End> {
    Ok(match ask {
        Ask::Release { key, fence, mode, notify_holder, notify_next } => {
            let locks = vec![find_lock(snapshot, key, fence, repo)?];
            Intent::Release { locks, mode: *mode, notify_holder: *notify_holder, notify_next: *notify_next }
        }
        Ask::Reroute { message, to } => {
            Intent::Reroute { messages: vec![find_message(snapshot, message)?], to: Some(Text::new(to)) }
        }
        Ask::Evacuate { node } => Intent::Evacuate { node: find_node(snapshot, node, repo)? },
        Ask::Drain { node, on, for_ms } => Intent::Drain { nodes: vec![Text::new(node)], on: *on, for_ms: *for_ms },
        Ask::Quarantine { node, on } => Intent::Quarantine { nodes: vec![Text::new(node)], on: *on },
        Ask::Stop { agent, run, how } => {
            let agent = find_agent(snapshot, agent, repo)?.key();
            let named = run.iter().map(|run| (agent.clone(), Answer::Run(CurrentRun::At(run.clone()))));
            Intent::StopRuns { runs: named.collect(), agents: vec![agent], how: *how }
        }
        Ask::Cancel { task } => Intent::CancelTasks { tasks: vec![find_task(snapshot, task, repo)?] },
        Ask::Retire { agent, generation, again } => {
            let agent = find_agent(snapshot, agent, repo)?;
            match agent.agent.generation {
                Some(now) if now != *generation => {
                    let name = &agent.agent.agent;
                    return Err(End::Refused(format!("{name} is generation {now} now: it is not the one you saw")));
                }
                _ => Intent::RetireAgents { agents: vec![agent.key()], again: *again },
            }
        }
        Ask::Member { member, change } => {
            Intent::ChangeMember { member: find_row(snapshot, Part::Member, member, repo)?.key(), change: *change }
        }
        Ask::Open { barrier, revision } => {
            let row = find_row(snapshot, Part::Barrier, barrier, repo)?;
            match row.fence_token {
                Some(now) if now != *revision => {
                    let name = &row.name;
                    return Err(End::Refused(format!("{name} was made at revision {now}: it is not the one you saw")));
                }
                _ => Intent::OpenBarriers { barriers: vec![row.key()] },
            }
        }
        Ask::EndLease { key, fence } => {
            Intent::EndLeases { locks: vec![find_lock(snapshot, key, fence, repo)?], keys: BTreeMap::new() }
        }
        Ask::Pause { group, on } => {
            let of = |view: &&Arc<AgentView>| {
                view.agent.group == *group.as_str() && repo.is_none_or(|repo| view.agent.repository_id == *repo)
            };
            let groups: BTreeSet<(Text, Text)> = snapshot
                .agents
                .iter()
                .filter(of)
                .map(|view| (view.agent.repository_id.clone(), view.agent.group.clone()))
                .collect();
            match groups.len() {
                0 => return Err(not_seen(snapshot, &format!("there is no group {}", scrub(group)))),
                1 => Intent::StopGroups { groups: groups.into_iter().collect(), on: *on },
                _ => return Err(End::Usage("several groups are meant: add --repo".into())),
            }
        }
    })
}

/// By name, and by repository where a name sends heartbeats in several.
fn find_node(snapshot: &Snapshot, name: &str, repo: Option<&str>) -> Result<Text, End> {
    let name = Text::new(name);
    let named: Vec<_> = snapshot.nodes_named(&name).collect();
    let there: Vec<_> = match repo {
        Some(repo) => named.iter().filter(|node| node.repositories.iter().any(|r| *r == *repo)).collect(),
        None => named.iter().collect(),
    };
    match (there.as_slice(), named.as_slice()) {
        ([only], _) => Ok(only.key.clone()),
        // Whether it is there at all is for the plan to say.
        (_, []) => Ok(name),
        ([], [only]) if only.repositories.is_empty() => Ok(only.key.clone()),
        ([], _) => Err(End::Refused(format!("{name} sends no heartbeat in {}", scrub(repo.unwrap_or_default())))),
        (many, _) => {
            let all: Vec<String> = many.iter().map(|node| format!("{} ({})", node.name(), node.staleness)).collect();
            Err(End::Usage(format!("several nodes are meant: {}; add --repo", all.join(", "))))
        }
    }
}

/// By name, and by repository where several have one of that name.
fn find_agent<'a>(snapshot: &'a Snapshot, name: &str, repo: Option<&str>) -> Result<&'a AgentView, End> {
    let named = snapshot
        .agents
        .iter()
        .filter(|view| view.agent.agent == *name && repo.is_none_or(|repo| view.agent.repository_id == *repo));
    match named.collect::<Vec<_>>().as_slice() {
        [only] => Ok(only),
        [] => Err(not_seen(snapshot, &format!("there is no agent {}", scrub(name)))),
        many => {
            let all: Vec<String> = many.iter().map(|view| view.agent.repository_id.to_string()).collect();
            Err(End::Usage(format!("several agents are meant, of {}: add --repo", all.join(", "))))
        }
    }
}

/// A member or a barrier by its name, and by its group where several have one of that name.
fn find_row<'a>(snapshot: &'a Snapshot, part: Part, name: &str, repo: Option<&str>) -> Result<&'a GroupRow, End> {
    let named = snapshot
        .groups
        .iter()
        .filter(|row| row.part == part && row.name == *name && repo.is_none_or(|repo| row.group == *repo));
    match named.collect::<Vec<_>>().as_slice() {
        [only] => Ok(only),
        [] => Err(not_seen(snapshot, &format!("there is no {part} {}", scrub(name)))),
        many => {
            let all: Vec<String> = many.iter().map(|row| row.group.to_string()).collect();
            Err(End::Usage(format!("several are meant, of {}: add --repo", all.join(", "))))
        }
    }
}

/// By name, or by what its system cancels it by.
fn find_task(snapshot: &Snapshot, name: &str, repo: Option<&str>) -> Result<String, End> {
    let named = snapshot.tasks.iter().filter(|task| {
        let is_it = task.task == *name || task.cancel.as_ref().is_some_and(|cancel| cancel.id == *name);
        is_it && repo.is_none_or(|repo| task.repository_id == *repo)
    });
    match named.collect::<Vec<_>>().as_slice() {
        [only] => Ok(only.key()),
        [] => Err(not_seen(snapshot, &format!("there is no task {}", scrub(name)))),
        _ => Err(End::Usage("several tasks are meant: add --repo".into())),
    }
}

/// It is not there, or cannot be seen.
fn not_seen(snapshot: &Snapshot, why: &str) -> End {
    if snapshot.unseen().is_empty() { End::Refused(why.to_owned()) } else { End::CannotSee(unseen(snapshot)) }
}

fn find_lock(snapshot: &Snapshot, key: &str, seen: &Seen, repo: Option<&str>) -> Result<String, End> {
    let named = snapshot.locks.iter().filter(|view| {
        view.lock.table != LockTable::ExecLease
            && (view.lock.lock_key == *key
                || snapshot.names.canonical(view.lock.lock_key.raw()) == snapshot.names.canonical(key))
            && repo.is_none_or(|repo| view.lock.repository_id == *repo)
    });
    let found: Vec<_> = named.collect();
    match found.as_slice() {
        [] if !snapshot.unseen().is_empty() => Err(End::CannotSee(unseen(snapshot))),
        [] => Err(End::Refused(format!("there is no lock {}: it may have been released", scrub(key)))),
        [only] if seen.is(&only.lock) => Ok(only.key()),
        [only] if only.lock.table.is_fenced() && !seen.is_number() => Err(End::Usage(format!(
            "{} is told by its fence token: write the number that you saw, or none",
            only.lock.lock_key
        ))),
        [only] => Err(End::Refused(format!(
            "{} has {} now, held by {}, agent {}: it is not the lock you saw",
            only.lock.lock_key,
            Seen::of(&only.lock),
            only.lock.holder_node,
            only.lock.holder_agent
        ))),
        many => {
            let places: Vec<String> = many
                .iter()
                .map(|l| format!("{} of {} in {} of {}", l.lock.lock_key, l.lock.repository_id, l.lock.table, l.source))
                .collect();
            let exact: Vec<_> = many.iter().filter(|l| l.lock.lock_key == *key && seen.is(&l.lock)).collect();
            match exact.as_slice() {
                [only] => Ok(only.key()),
                _ => Err(End::Usage(format!("several locks are meant: {}; add --repo", places.join(", ")))),
            }
        }
    }
}

/// By id, or by `SOURCE/ID` where several sources have that id.
fn find_message(snapshot: &Snapshot, name: &str) -> Result<String, End> {
    let (source, id) = match name.rsplit_once('/') {
        Some((source, id)) => (Some(source), id),
        None => (None, name),
    };
    let Ok(id) = id.parse::<i64>() else {
        return Err(End::Usage(format!("{} is no message id; write a number, or SOURCE/NUMBER", scrub(name))));
    };
    let waiting = snapshot.messages.iter().filter(|view| {
        view.message.id == id
            && view.state != MessageState::Acknowledged
            && source.is_none_or(|source| view.source == *source)
    });
    let found: Vec<_> = waiting.collect();
    match found.as_slice() {
        [] if !snapshot.unseen().is_empty() => Err(End::CannotSee(unseen(snapshot))),
        [] => Err(End::Refused(format!("no message {id} waits: it may have been acknowledged"))),
        [only] => Ok(only.key()),
        many => {
            let places: Vec<String> = many.iter().map(|view| format!("{}/{id}", view.source)).collect();
            Err(End::Usage(format!("several messages are meant: {}", places.join(", "))))
        }
    }
}
