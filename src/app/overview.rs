//! The overview's panels: what each lists, the worst first, and which line is selected. The selection is a thing, not a line.

use std::sync::Arc;

use super::list::events::EVENTS as EVENTS_LIST;
use super::view_id::ViewId;
use super::workspace::{Key, Workspace};
use crate::columns::role::{Role, State};
use crate::mesh::derive::finding::Finding;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::{Snapshot, Stuck};
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

/// A line of a panel.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is, first words first.
    pub title: String,
    /// What is known of it beside that, each with its meaning.
    pub parts: Vec<(String, Role)>,
    /// At the right end.
    pub right: String,
    pub role: Role,
    pub thing: (ViewId, Key),
    /// The mesh it is of, where there are several.
    pub of: Option<String>,
    /// Lower goes first where several meshes have some.
    order: i64,
}

/// The lines of a panel over every mesh, the worst first.
#[must_use]
pub fn items(workspace: &Workspace, panel: Panel, now: Millis) -> Vec<Item> {
    let of_mesh = |(mesh, snapshot): (usize, &Arc<Snapshot>)| {
        let name = workspace.is_several().then(|| workspace.name(mesh).to_owned());
        let placed = move |mut item: Item| {
            item.of.clone_from(&name);
            item.thing.1.mesh = mesh;
            item
        };
        let items: Vec<Item> = match panel {
            Panel::Findings => snapshot.findings.iter().take(FINDINGS).map(|f| finding(f, now)).collect(),
            Panel::Nodes => snapshot.marked.worst.iter().map(|n| node(n, now)).collect(),
            Panel::Queues => snapshot.marked.contended.iter().map(|l| queue(l, now)).collect(),
            Panel::Work => snapshot.marked.stuck.iter().map(|s| work(s, now)).collect(),
            Panel::Events => snapshot.mesh.events.iter().rev().take(EVENTS).map(|e| event(e, now)).collect(),
        };
        items.into_iter().map(placed).collect::<Vec<_>>()
    };
    let mut all: Vec<Item> = workspace.snapshots().flat_map(of_mesh).collect();
    if workspace.is_several() {
        all.sort_by_key(|item| item.order);
    }
    all
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

/// What names each line of a panel, in order: no more of it is made than is asked for.
pub fn keys(p: &Snapshot, panel: Panel) -> Box<dyn Iterator<Item = (ViewId, String)> + '_> {
    match panel {
        Panel::Findings => Box::new(p.findings.iter().take(FINDINGS).map(|f| (ViewId::Findings, f.key()))),
        Panel::Nodes => Box::new(p.marked.worst.iter().map(|n| (ViewId::Nodes, n.key.raw().to_owned()))),
        Panel::Queues => Box::new(p.marked.contended.iter().map(|l| (ViewId::Locks, l.key()))),
        Panel::Work => Box::new(p.marked.stuck.iter().map(|stuck| match stuck {
            Stuck::Message(m) => (ViewId::Messages, m.key()),
            Stuck::Task(t) => (ViewId::Tasks, t.key()),
        })),
        Panel::Events => {
            let events = p.mesh.events.iter().rev().take(EVENTS);
            Box::new(events.map(|e| (ViewId::Events, (EVENTS_LIST.key)(e))))
        }
    }
}

fn finding(f: &Finding, now: Millis) -> Item {
    let evidence = f.evidence.first().map(|evidence| (evidence.to_string(), Role::Dim));
    let (glyph, role) = match f.acknowledged() {
        Some(_) => ('·', Role::Dim),
        None => (f.severity.glyph(), f.severity.role()),
    };
    Item {
        title: format!("{glyph} {}", f.sentence),
        parts: evidence.into_iter().collect(),
        right: f.life.as_ref().map(|life| short(now - life.raised_ms)).unwrap_or_default(),
        role,
        thing: (ViewId::Findings, Key::new(0, f.key())),
        of: None,
        order: -f.severity.order(),
    }
}

fn node(n: &NodeView, now: Millis) -> Item {
    let old = if n.as_of_ms.is_some() { "~" } else { "" };
    Item {
        title: format!("{} {}", n.staleness.glyph(), n.name()),
        parts: Vec::new(),
        right: n.age_ms(now).map_or_else(|| "?".into(), |ms| format!("{}{old}", short(ms))),
        role: role(&n.staleness, n.as_of_ms),
        thing: (ViewId::Nodes, Key::new(0, n.key.raw())),
        of: None,
        order: 0,
    }
}

/// Waiters that are drawn; more are counted.
const DRAWN: usize = 8;

/// A queue as a picture: who holds it, how many wait and for how long, who is next, what is left.
fn queue(l: &LockView, now: Millis) -> Item {
    let n = l.waiters.len();
    let longest = l.waiters.iter().filter_map(|w| w.since_ms).min().map(|at| l.as_of_ms.unwrap_or(now) - at);
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
    Item {
        title: format!("{} {}", l.state.glyph(), l.name()),
        parts,
        right: format!("{n} wait {:>6}", span(longest, l.as_of_ms)),
        role: role(&l.state, l.as_of_ms),
        thing: (ViewId::Locks, Key::new(0, l.key())),
        of: None,
        order: -i64::try_from(n).unwrap_or(i64::MAX),
    }
}

fn work(stuck: &Stuck, now: Millis) -> Item {
    match stuck {
        Stuck::Message(m) => Item {
            title: format!("{} {} {}", m.state.glyph(), m.message.msg_type, m.message.name()),
            parts: vec![
                (format!("to {}", m.message.receiver_agent), Role::Normal),
                (m.state.to_string(), role(&m.state, m.as_of_ms)),
            ],
            right: span(m.age_ms(now), m.as_of_ms),
            role: role(&m.state, m.as_of_ms),
            thing: (ViewId::Messages, Key::new(0, m.key())),
            of: None,
            order: m.age_ms(now).map_or(0, |age| -age),
        },
        Stuck::Task(t) => {
            let owner = t.owner_node.as_ref().map_or("?", |n| n.as_str());
            Item {
                title: format!("{} task {}", t.state.glyph(), t.task),
                parts: vec![(format!("with {owner}"), Role::Normal), (t.state.to_string(), role(&t.state, t.as_of_ms))],
                right: span(t.age_ms(now), t.as_of_ms),
                role: role(&t.state, t.as_of_ms),
                thing: (ViewId::Tasks, Key::new(0, t.key())),
                of: None,
                order: t.age_ms(now).map_or(0, |age| -age),
            }
        }
    }
}

fn event(e: &Event, now: Millis) -> Item {
    let by = e.by.as_deref().map(|by| (format!("by {}", Text::new(by)), Role::Dim));
    Item {
        title: format!("{} {:<12} {}", e.kind.glyph(), e.kind.to_string(), Text::new(&e.sentence)),
        parts: by.into_iter().collect(),
        right: format!("{} ago", short(now - e.at_ms)),
        role: if e.kind == Kind::Raised { e.severity.role() } else { Role::Normal },
        thing: (ViewId::Events, Key::new(0, (EVENTS_LIST.key)(e))),
        of: None,
        order: -e.at_ms,
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
