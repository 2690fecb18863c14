//! Which actions are offered where, and what an action command means for the things it is pressed on.

use std::collections::{BTreeMap, BTreeSet};

use super::App;
use super::command::Command;
use super::list::findings::FINDINGS;
use super::list::groups::GROUPS;
use super::list::locks::LOCKS;
use super::list::nodes::NODES;
use super::list::tasks::TASKS;
use super::overlay::Overlay;
use super::view_id::ViewId;
use crate::action::plan::{Intent, Interrupt};
use crate::app::workspace::{Key, Row, Workspace};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::agents;
use crate::mesh::derive::finding::Subject;
use crate::mesh::derive::groups::Part;
use crate::mesh::derive::locks::LockView;
use crate::model::LockTable;
use crate::model::action::MemberChange;
use crate::model::text::Text;

/// Action commands.
pub const ACTS: &[Command] = &[
    Command::Release,
    Command::Reroute,
    Command::Ack,
    Command::Drain,
    Command::Quarantine,
    Command::Evacuate,
    Command::GiveBack,
    Command::Retire,
    Command::Respawn,
    Command::Wire,
    Command::Unwire,
    Command::StopGroup,
    Command::ResumeGroup,
    Command::EndLease,
    Command::Lead,
    Command::Promote,
    Command::RemoveMember,
    Command::ClearAlarm,
    Command::Defragment,
];

/// What can be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// Keys of the views.
    Lock(String),
    Lease(String),
    Message(String),
    Agent(String),
    Task(String),
    Node(Text),
    Member(String),
    Barrier(String),
}

/// What a command would do to things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    Intent(Intent),
    /// First choose who gets them.
    Choose(Vec<String>),
}

impl App {
    /// The action commands that are worth a hint where one is now. Cheap, because every frame asks: it looks at the
    /// selected row alone.
    #[must_use]
    pub fn offered(&self) -> Vec<Command> {
        if self.past().is_some() {
            return Vec::new();
        }
        let (view, mesh, row) = match &self.overlay {
            Some(Overlay::Inspector(inspector)) => (inspector.view, Some(inspector.key.mesh), None),
            _ if self.view == ViewId::Overview => match self.overview_row() {
                Some((view, mesh, row)) => (view, Some(mesh), row),
                None => return Vec::new(),
            },
            _ => {
                let row = self.table().rows.get(self.table().cursor).copied();
                (self.view, row.map(Row::mesh), row)
            }
        };
        let Some(mesh) = mesh.filter(|mesh| !self.options.policy(*mesh).read_only) else { return Vec::new() };
        let Some(snapshot) = self.workspace.snapshot(mesh) else { return Vec::new() };
        let able = snapshot.mesh.sources.iter().any(|source| !source.identity.can.kinds.is_empty());
        let offered = |command: &Command| able && suits(&self.workspace, snapshot, view, row, *command);
        ACTS.iter().copied().filter(offered).collect()
    }

    /// The things that a command is pressed on, and the mesh they are of: the one inspected, else the marked ones, else
    /// the selected one. A plan is made for one mesh.
    pub fn things(&self) -> Result<(usize, Vec<Thing>), &'static str> {
        let (view, keys) = self.chosen();
        let mesh = keys.first().map_or(0, |key| key.mesh);
        if keys.iter().any(|key| key.mesh != mesh) {
            return Err("what is marked is of several meshes: act on those of one mesh at a time");
        }
        let Some(snapshot) = self.latest().whole(mesh) else { return Ok((mesh, Vec::new())) };
        Ok((mesh, keys.iter().filter_map(|key| thing_of(snapshot, view, &key.key)).collect()))
    }

    /// The same as keys of a view.
    #[must_use]
    pub fn chosen(&self) -> (ViewId, Vec<Key>) {
        if let Some(Overlay::Inspector(inspector)) = &self.overlay {
            return (inspector.view, vec![inspector.key.clone()]);
        }
        if self.view == ViewId::Overview {
            let Some((view, key)) = self.overview_thing() else { return (self.view, Vec::new()) };
            return (view, vec![key]);
        }
        let table = self.table();
        if table.marks.is_empty() {
            return (self.view, table.selected.iter().cloned().collect());
        }
        let mut marked: Vec<Key> = table.marks.iter().cloned().collect();
        marked.sort();
        (self.view, marked)
    }

    /// What a command means for things, or why it means nothing.
    pub fn meant(&self, command: Command, things: &[Thing], snapshot: &Snapshot) -> Result<Meant, String> {
        let mut locks = Vec::new();
        let mut leases = Vec::new();
        let mut messages = Vec::new();
        let mut nodes = Vec::new();
        let mut agents: Vec<String> = Vec::new();
        let mut tasks = Vec::new();
        let mut members: Vec<String> = Vec::new();
        let mut barriers = Vec::new();
        for thing in things.iter().cloned() {
            match thing {
                Thing::Lock(key) => locks.push(key),
                Thing::Lease(key) => leases.push(key),
                Thing::Message(key) => messages.push(key),
                Thing::Node(name) => nodes.push(name),
                Thing::Agent(key) => agents.push(key),
                Thing::Task(key) => tasks.push(key),
                Thing::Member(key) => members.push(key),
                Thing::Barrier(key) => barriers.push(key),
            }
        }
        let flag = |of: fn(&crate::model::RegistryNode) -> bool| {
            let named = snapshot.nodes.iter().filter(|node| nodes.contains(&node.key));
            named.filter_map(|node| node.registry.as_ref()).any(of)
        };
        let intent = match command {
            Command::Release if !locks.is_empty() => {
                Intent::Release { locks, mode: None, notify_holder: false, notify_next: true }
            }
            Command::Release if !leases.is_empty() => Intent::Revoke { leases },
            Command::Release if !messages.is_empty() => Intent::Unclaim { messages },
            Command::Release if !agents.is_empty() => {
                Intent::StopRuns { agents, how: Interrupt::StopRun, runs: BTreeMap::new() }
            }
            Command::Release if !barriers.is_empty() => Intent::OpenBarriers { barriers },
            Command::Release if !tasks.is_empty() => Intent::CancelTasks { tasks },
            Command::Release => {
                return Err("select a lock, a lease, a claimed message, an agent, a task or a barrier".into());
            }
            Command::Retire
            | Command::Respawn
            | Command::Wire
            | Command::Unwire
            | Command::StopGroup
            | Command::ResumeGroup => {
                // A seat is its agent's.
                agents.extend(locks.iter().filter_map(|key| agent_of_seat(snapshot, key)));
                return of_agents(command, agents, snapshot).map(Meant::Intent);
            }
            Command::EndLease if !locks.is_empty() => Intent::EndLeases { locks, keys: BTreeMap::new() },
            Command::EndLease => return Err("select a lock".into()),
            Command::Lead | Command::Promote | Command::RemoveMember | Command::ClearAlarm | Command::Defragment => {
                return match members.as_slice() {
                    [member] => {
                        Ok(Meant::Intent(Intent::ChangeMember { member: member.clone(), change: change(command) }))
                    }
                    [] => Err("select a member of a group".into()),
                    _ => Err("one member after another".into()),
                };
            }
            Command::GiveBack if !locks.is_empty() => Intent::Restore { locks },
            Command::GiveBack => return Err("select a lock that the operator holds".into()),
            Command::Reroute if !messages.is_empty() => return Ok(Meant::Choose(messages)),
            Command::Reroute => return Err("select a message, or a task that a message carries".into()),
            Command::Ack if !messages.is_empty() => Intent::Acknowledge { messages },
            Command::Ack => return Err("select a message to ack".into()),
            Command::Drain if !nodes.is_empty() => {
                let on = !flag(|node| node.maintenance);
                Intent::Drain { nodes, on, for_ms: None }
            }
            Command::Quarantine if !nodes.is_empty() => {
                let on = !flag(|node| node.quarantined);
                Intent::Quarantine { nodes, on }
            }
            Command::Evacuate => match nodes.as_slice() {
                [node] => Intent::Evacuate { node: node.clone() },
                [] => return Err("select a node to evacuate".into()),
                _ => return Err("evacuate one node after another".into()),
            },
            _ => return Err("select a node".into()),
        };
        Ok(Meant::Intent(intent))
    }
}

/// The agent whose seat a lock is.
fn agent_of_seat(snapshot: &Snapshot, key: &str) -> Option<String> {
    let lock = &snapshot.holds().find(|view| view.key() == key && view.lock.table == LockTable::Seat)?.lock;
    Some(agents::key(&lock.repository_id, &lock.lock_key))
}

/// What a command does to a member.
fn change(command: Command) -> MemberChange {
    match command {
        Command::Promote => MemberChange::Promote,
        Command::RemoveMember => MemberChange::Remove,
        Command::ClearAlarm => MemberChange::ClearAlarm,
        Command::Defragment => MemberChange::Defragment,
        _ => MemberChange::Lead,
    }
}

/// What a command means for agents and their groups.
fn of_agents(command: Command, agents: Vec<String>, snapshot: &Snapshot) -> Result<Intent, String> {
    if agents.is_empty() {
        return Err("select an agent".into());
    }
    Ok(match command {
        Command::Retire => Intent::RetireAgents { agents, again: false },
        Command::Respawn => Intent::RetireAgents { agents, again: true },
        Command::Wire => Intent::Wire { agents, on: true },
        Command::Unwire => Intent::Wire { agents, on: false },
        _ => {
            let group = |key: &String| {
                let agent = &snapshot.agent(key)?.agent;
                Some((agent.repository_id.clone(), agent.group.clone())).filter(|(_, group)| !group.is_empty())
            };
            let groups: BTreeSet<(Text, Text)> = agents.iter().filter_map(group).collect();
            if groups.is_empty() {
                return Err("it belongs to no group".into());
            }
            Intent::StopGroups { groups: groups.into_iter().collect(), on: command == Command::StopGroup }
        }
    })
}

/// Whether a command fits the kind of thing in a row; without a row, in the view.
fn suits(workspace: &Workspace, snapshot: &Snapshot, view: ViewId, row: Option<Row>, command: Command) -> bool {
    use Command::{Ack, Drain, Evacuate, GiveBack, Quarantine, Release, Reroute};
    let lock = |of: &LockView| {
        let ours = snapshot.fenced_off(of).is_some();
        command == if ours { GiveBack } else { Release }
    };
    let message = || matches!(command, Reroute | Release | Ack);
    let gone = |name: Option<&Text>| {
        let node = name.and_then(|name| snapshot.node(name));
        node.is_none_or(|node| node.staleness.is_gone())
    };
    let node = |name: Option<&Text>| match command {
        Evacuate => gone(name),
        Drain | Quarantine => true,
        _ => false,
    };
    match view {
        ViewId::Locks => row.and_then(|row| LOCKS.get(workspace, row)).map_or(command == Release, lock),
        ViewId::Messages => message(),
        ViewId::Nodes => node(row.and_then(|row| NODES.get(workspace, row)).map(|n| &n.key)),
        ViewId::Tasks => {
            let task = row.and_then(|row| TASKS.get(workspace, row));
            match command {
                Reroute => task.is_none_or(|task| task.message.is_some()),
                Release => task.is_some_and(|task| task.cancel.is_some() && !task.state.is_over()),
                _ => false,
            }
        }
        ViewId::Waits | ViewId::Agents => command == Release,
        ViewId::Findings => match row.and_then(|row| FINDINGS.get(workspace, row)).map(|finding| &finding.subject) {
            Some(Subject::Lock(_)) => command == Release,
            Some(Subject::Message(_)) => message(),
            Some(Subject::Node(name)) => node(Some(name)),
            Some(Subject::Task(_)) => matches!(command, Reroute | Release),
            Some(Subject::Agent(_)) => command == Release,
            _ => false,
        },
        ViewId::Groups => {
            let part = row.and_then(|row| GROUPS.get(workspace, row)).map(|row| row.part);
            command == Release && part == Some(Part::Barrier)
        }
        ViewId::Overview | ViewId::Oplog | ViewId::Journal | ViewId::Events => false,
    }
}

fn thing_of(snapshot: &Snapshot, view: ViewId, key: &str) -> Option<Thing> {
    let held = |key: &str| {
        let view = snapshot.holds().find(|lock| lock.key() == key)?;
        let key = key.to_owned();
        Some(if view.lock.table == LockTable::ExecLease { Thing::Lease(key) } else { Thing::Lock(key) })
    };
    let task = |key: &str| {
        let task = snapshot.tasks.iter().find(|task| task.key() == key)?;
        let carried = task.message.clone().map(Thing::Message);
        carried.or_else(|| task.cancel.is_some().then(|| Thing::Task(key.to_owned())))
    };
    match view {
        ViewId::Locks => held(key),
        ViewId::Messages => Some(Thing::Message(key.to_owned())),
        ViewId::Nodes => Some(Thing::Node(Text::new(key))),
        ViewId::Tasks => task(key),
        ViewId::Agents => Some(Thing::Agent(key.to_owned())),
        ViewId::Waits => {
            let row = snapshot.waits.rows().iter().find(|row| row.key() == key)?;
            held(&row.lock().key())
        }
        ViewId::Findings => match &snapshot.findings.iter().find(|finding| finding.key() == key)?.subject {
            Subject::Lock(key) => held(key),
            Subject::Message(key) => Some(Thing::Message(key.clone())),
            Subject::Node(name) => Some(Thing::Node(name.clone())),
            Subject::Task(key) => task(key),
            Subject::Agent(key) => Some(Thing::Agent(key.clone())),
            Subject::Mesh | Subject::Source(_) | Subject::Log(_) => None,
        },
        ViewId::Groups => match snapshot.groups.iter().find(|row| row.key() == key)?.part {
            Part::Member => Some(Thing::Member(key.to_owned())),
            Part::Barrier => Some(Thing::Barrier(key.to_owned())),
            _ => None,
        },
        ViewId::Overview | ViewId::Oplog | ViewId::Journal | ViewId::Events => None,
    }
}
