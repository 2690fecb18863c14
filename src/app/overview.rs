//! The overview's panels: what each lists, the worst first, and which line is selected. The selection is a thing, not a line.

use std::ops::Range;
use std::sync::Arc;

use super::list::events::EVENTS as EVENTS_LIST;
use super::view_id::ViewId;
use super::workspace::{Key, Row, Workspace};
use crate::columns::role::{Role, State};
use crate::mesh::derive::finding::Finding;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::{Snapshot, Stuck};
use crate::mesh::slab::SharedSlab;
use crate::model::event::{Event, Kind};
use crate::model::text::Text;
use crate::model::time::{Millis, short};

/// Findings of a mesh that are listed; all of them are in their own view.
const FINDINGS: usize = 200;

/// The latest events that are listed.
const EVENTS: usize = 64;

/// A panel whose lines can be selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::EnumIter)]
pub enum Panel {
    #[default]
    Findings,
    Nodes,
    Queues,
    Work,
    Events,
}

/// What is selected.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub panel: Panel,
    pub(super) thing: Option<(ViewId, Key)>,
    /// Where it was: a thing that is gone leaves the selection there.
    pub(super) place: usize,
}

/// A line of a panel, and what it is about.
#[derive(Debug, Clone)]
pub struct Item {
    pub line: Line,
    pub thing: (ViewId, Key),
    /// The mesh it is of, where there are several.
    pub of: Option<String>,
}

/// What stands in a line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is, first words first.
    pub title: String,
    /// What is known of it beside that, each with its meaning.
    pub parts: Vec<(String, Role)>,
    /// At the right end.
    pub right: String,
    pub role: Role,
}

/// What a line is about.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Finding(&'a Finding),
    Node(&'a NodeView),
    Queue(&'a LockView),
    Work(&'a Stuck),
    Event(&'a Event),
}

/// The entries of a panel in one mesh, the worst first.
fn entries(p: &Snapshot, panel: Panel) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
    match panel {
        Panel::Findings => Box::new(p.findings.iter().take(FINDINGS).map(|f| Entry::Finding(f))),
        Panel::Nodes => Box::new(p.marked.worst.iter().map(|n| Entry::Node(n))),
        Panel::Queues => Box::new(p.marked.contended.iter().map(|l| Entry::Queue(l))),
        Panel::Work => Box::new(p.marked.stuck.iter().map(Entry::Work)),
        Panel::Events => Box::new(p.mesh.events.iter().rev().take(EVENTS).map(|e| Entry::Event(e))),
    }
}

/// The same over every mesh, each with the mesh that it is of.
fn of_all(workspace: &Workspace, panel: Panel, now: Millis) -> Box<dyn Iterator<Item = (usize, Entry<'_>)> + '_> {
    let all = workspace.snapshots().flat_map(move |(mesh, p)| entries(p, panel).map(move |entry| (mesh, entry)));
    if !workspace.is_several() {
        return Box::new(all);
    }
    let mut all: Vec<(usize, Entry<'_>)> = all.collect();
    all.sort_by_key(|(_, entry)| entry.order(now));
    Box::new(all.into_iter())
}

/// What each line of a panel is about, in order. No more is made than is taken.
pub fn things(workspace: &Workspace, panel: Panel, now: Millis) -> impl Iterator<Item = (ViewId, Key)> + '_ {
    of_all(workspace, panel, now).map(|(mesh, entry)| entry.thing(mesh))
}

/// What the line at a place is about.
#[must_use]
pub fn thing_at(workspace: &Workspace, panel: Panel, now: Millis, place: usize) -> Option<(ViewId, Key)> {
    of_all(workspace, panel, now).nth(place).map(|(mesh, entry)| entry.thing(mesh))
}

/// The view of what the line at a place is about, its mesh, and its row there, where that is a row of facts.
#[must_use]
pub fn row_at(workspace: &Workspace, panel: Panel, now: Millis, place: usize) -> Option<(ViewId, usize, Option<Row>)> {
    let (mesh, entry) = of_all(workspace, panel, now).nth(place)?;
    let p = workspace.snapshot(mesh)?;
    let (view, place) = match entry {
        Entry::Finding(f) => (ViewId::Findings, p.findings.iter().position(|one| std::ptr::eq(Arc::as_ptr(one), f))),
        Entry::Node(n) => (ViewId::Nodes, place_in(&p.nodes, n)),
        Entry::Queue(l) => (ViewId::Locks, place_in(&p.locks, l)),
        Entry::Work(Stuck::Message(m)) => (ViewId::Messages, place_in(&p.messages, m)),
        Entry::Work(Stuck::Task(t)) => (ViewId::Tasks, place_in(&p.tasks, t)),
        Entry::Event(_) => (ViewId::Events, None),
    };
    Some((view, mesh, place.map(|place| Row::new(mesh, place))))
}

/// Where a thing stands among those of its kind.
fn place_in<T>(slab: &SharedSlab<T>, thing: &T) -> Option<usize> {
    slab.taken().find(|(_, one)| std::ptr::eq(Arc::as_ptr(one), thing)).map(|(place, _)| place)
}

/// The lines of a panel that stand at these places. Nodes have none: they are drawn as a field.
#[must_use]
pub fn items(workspace: &Workspace, panel: Panel, now: Millis, places: Range<usize>) -> Vec<Item> {
    let item = |(mesh, entry): (usize, Entry<'_>)| {
        let of = workspace.is_several().then(|| workspace.name(mesh).to_owned());
        Some(Item { line: entry.line(now)?, thing: entry.thing(mesh), of })
    };
    of_all(workspace, panel, now).skip(places.start).take(places.len()).filter_map(item).collect()
}

/// How many lines a panel has, at most as many as are listed; and how many there are.
#[must_use]
pub fn count(workspace: &Workspace, panel: Panel) -> (usize, usize) {
    let of = |p: &Snapshot| match panel {
        Panel::Findings => (p.findings.len().min(FINDINGS), p.findings.len()),
        Panel::Nodes => (p.marked.worst.len(), p.nodes.len()),
        Panel::Queues => (p.marked.contended.len(), p.marked.contended.len()),
        Panel::Work => (p.marked.stuck.len(), p.marked.stuck.len()),
        Panel::Events => (p.mesh.events.len().min(EVENTS), p.mesh.events.len()),
    };
    workspace.snapshots().map(|(_, p)| of(p)).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
}

impl Entry<'_> {
    fn thing(self, mesh: usize) -> (ViewId, Key) {
        let (view, key) = match self {
            Self::Finding(f) => (ViewId::Findings, f.key()),
            Self::Node(n) => (ViewId::Nodes, n.key.raw().to_owned()),
            Self::Queue(l) => (ViewId::Locks, l.key()),
            Self::Work(Stuck::Message(m)) => (ViewId::Messages, m.key()),
            Self::Work(Stuck::Task(t)) => (ViewId::Tasks, t.key()),
            Self::Event(e) => (ViewId::Events, (EVENTS_LIST.key)(e)),
        };
        (view, Key::new(mesh, key))
    }

    /// Lower goes first where several meshes have some.
    fn order(self, now: Millis) -> i64 {
        match self {
            Self::Finding(f) => -f.severity.order(),
            Self::Node(_) => 0,
            Self::Queue(l) => -i64::try_from(l.waiters.len()).unwrap_or(i64::MAX),
            // The oldest first.
            Self::Work(Stuck::Message(m)) => m.age_ms(now).map_or(0, |age| -age),
            Self::Work(Stuck::Task(t)) => t.age_ms(now).map_or(0, |age| -age),
            Self::Event(e) => -e.at_ms,
        }
    }

    fn line(self, now: Millis) -> Option<Line> {
        match self {
            Self::Finding(f) => Some(finding(f, now)),
            Self::Node(_) => None,
            Self::Queue(l) => Some(queue(l, now)),
            Self::Work(stuck) => Some(work(stuck, now)),
            Self::Event(e) => Some(event(e, now)),
        }
    }
}

pub(super) fn finding(f: &Finding, now: Millis) -> Line {
    let evidence = f.evidence.first().map(|evidence| (evidence.to_string(), Role::Dim));
    let (glyph, role) = match f.acknowledged() {
        Some(_) => ('·', Role::Dim),
        None => (f.severity.glyph(), f.severity.role()),
    };
    Line {
        title: format!("{glyph} {}", f.sentence),
        parts: evidence.into_iter().collect(),
        right: f.life.as_ref().map(|life| short(now - life.raised_ms)).unwrap_or_default(),
        role,
    }
}

/// Waiters that are drawn; more are counted.
const DRAWN: usize = 8;

/// A queue as a picture: who holds it, how many wait and for how long, who is next, what is left.
pub(super) fn queue(l: &LockView, now: Millis) -> Line {
    let n = l.waiters.len();
    let more = if n > DRAWN { format!("+{}", n - DRAWN) } else { String::new() };
    let holder = if l.lock.holder_node.is_empty() { &l.lock.holder_agent } else { &l.lock.holder_node };
    let mut parts = vec![
        (format!("{} {holder}", l.holder_staleness.glyph()), role(&l.holder_staleness, l.as_of_ms)),
        (format!("◂{}{more}", "▪".repeat(n.min(DRAWN))), Role::Warn),
    ];
    parts.extend(l.waiters.first().map(|next| (format!("next {}", next.agent), Role::Dim)));
    parts.extend(l.ttl_ms(now).map(|ttl| {
        let left = if ttl < 0 { format!("expired {} ago", short(-ttl)) } else { format!("ends in {}", short(ttl)) };
        (left, Role::Dim)
    }));
    Line {
        title: format!("{} {}", l.state.glyph(), l.name()),
        parts,
        right: format!("{n} wait {:>6}", span(l.longest_wait_ms(now), l.as_of_ms)),
        role: role(&l.state, l.as_of_ms),
    }
}

fn work(stuck: &Stuck, now: Millis) -> Line {
    match stuck {
        Stuck::Message(m) => Line {
            title: format!("{} {} {}", m.state.glyph(), m.message.msg_type, m.message.name()),
            parts: vec![
                (format!("to {}", m.message.receiver_agent), Role::Normal),
                (m.state.to_string(), role(&m.state, m.as_of_ms)),
            ],
            right: span(m.age_ms(now), m.as_of_ms),
            role: role(&m.state, m.as_of_ms),
        },
        Stuck::Task(t) => {
            let owner = t.owner_node.as_ref().map_or("?", |n| n.as_str());
            Line {
                title: format!("{} task {}", t.state.glyph(), t.task),
                parts: vec![(format!("with {owner}"), Role::Normal), (t.state.to_string(), role(&t.state, t.as_of_ms))],
                right: span(t.age_ms(now), t.as_of_ms),
                role: role(&t.state, t.as_of_ms),
            }
        }
    }
}

fn event(e: &Event, now: Millis) -> Line {
    let by = e.by.as_deref().map(|by| (format!("by {}", Text::new(by)), Role::Dim));
    Line {
        title: format!("{} {:<12} {}", e.kind.glyph(), e.kind.to_string(), Text::new(&e.sentence)),
        parts: by.into_iter().collect(),
        right: format!("{} ago", short(now - e.at_ms)),
        role: if e.kind == Kind::Raised { e.severity.role() } else { Role::Normal },
    }
}

/// A state's meaning; what an old source said never looks live.
fn role(state: &impl State, as_of_ms: Option<Millis>) -> Role {
    if as_of_ms.is_some() { Role::Old } else { state.role() }
}

/// An age; one that is as of the last answer of an old source is marked.
fn span(ms: Option<Millis>, as_of_ms: Option<Millis>) -> String {
    let old = if as_of_ms.is_some() { "~" } else { "" };
    ms.map(|ms| format!("{}{old}", short(ms))).unwrap_or_default()
}
