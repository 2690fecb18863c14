//! The worst of what is wrong, for a screen that is read from across a room: the thing, since when, what it holds up, and
//! what else is. Pure.

use super::App;
use super::overview::{self, Line};
use super::ring;
use super::status::first_of_all;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::finding::{Finding, Subject};
use crate::mesh::derive::graph::Deadlock;
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::staleness::Staleness;
use crate::model::text::Text;
use crate::model::time::{Millis, short};

/// Troubles that are listed beside the worst one.
const OTHERS: usize = 24;
/// Waiters that a queue is drawn with.
const WAITERS: usize = 12;

/// A trouble.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What it is about: as short as it is named.
    pub name: Text,
    /// How that stands, and for how long.
    pub state: String,
    pub role: Role,
    /// The mesh it is in, where there are several.
    pub of: String,
    pub sentence: Text,
    pub evidence: Vec<Text>,
    /// Since when it is an alarm.
    pub raised_ms: Option<Millis>,
    pub picture: Picture,
    /// What waits for it.
    pub held_up: Vec<Line>,
    /// The other troubles, the worst first.
    pub others: Vec<Line>,
    /// How many of those there are.
    pub all_others: usize,
    /// What is well, in one line.
    pub calm: String,
}

/// What is drawn of it.
#[derive(Debug, Clone)]
pub enum Picture {
    Nothing,
    /// The last minutes of a node.
    Strip(Vec<Option<Staleness>>),
    Chain(Chain),
}

/// Things in a row, each of which waits for the one before it; in a ring, for the next, and the last for the first.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    pub links: Vec<Link>,
    pub is_ring: bool,
    /// Links that are not among them.
    pub more: usize,
}

/// A thing, and what is between it and the next.
#[derive(Debug, Clone)]
pub struct Link {
    pub title: String,
    pub text: String,
    pub role: Role,
    /// What is between them, and what is to be said of that.
    pub way: String,
    pub note: String,
    pub way_role: Role,
}

/// The worst trouble that nobody has acknowledged.
#[must_use]
pub fn of(app: &App) -> Option<Trouble> {
    let (workspace, now) = (&app.workspace, app.shown_ms());
    let (mesh, finding) = first_of_all(workspace)?;
    let snapshot = workspace.snapshot(mesh)?;
    let others = || {
        let all = workspace.snapshots().flat_map(|(at, p)| p.open_findings().map(move |other| (at, other)));
        all.filter(|(at, other)| *at != mesh || !std::ptr::eq(*other, finding))
    };
    let mut shown: Vec<(usize, &Finding)> = others().collect();
    shown.sort_by_key(|(_, other)| std::cmp::Reverse(other.severity));
    let line = |(at, other): &(usize, &Finding)| {
        let mut line = overview::finding(other, now);
        line.title.insert_str(line.title.find(' ').map_or(0, |at| at + 1), &workspace.prefix(*at));
        line
    };
    let about = About::of(app, mesh, snapshot, finding);
    Some(Trouble {
        name: about.name.unwrap_or_else(|| finding.name.clone()),
        state: about.state,
        role: finding.severity.role(),
        of: if workspace.is_several() { workspace.name(mesh).to_owned() } else { String::new() },
        sentence: finding.sentence.clone(),
        evidence: finding.evidence.clone(),
        raised_ms: finding.life.as_ref().map(|life| life.raised_ms),
        picture: about.picture,
        held_up: about.held_up,
        others: shown.iter().take(OTHERS).map(line).collect(),
        all_others: shown.len(),
        calm: calm(app),
    })
}

/// What the subject of a finding adds to it.
struct About {
    name: Option<Text>,
    state: String,
    picture: Picture,
    held_up: Vec<Line>,
}

impl About {
    fn of(app: &App, mesh: usize, snapshot: &Snapshot, finding: &Finding) -> Self {
        let now = app.shown_ms();
        let nothing =
            || Self { name: None, state: finding.severity.to_string(), picture: Picture::Nothing, held_up: Vec::new() };
        match &finding.subject {
            Subject::Node(key) => snapshot.node(key).map(|node| Self::node(app, mesh, snapshot, node)),
            Subject::Lock(key) => {
                let deadlock = snapshot.waits.deadlocks.iter().find(|of| of.breaks.iter().any(|(lock, _)| lock == key));
                let ring = deadlock.and_then(|deadlock| Self::deadlock(snapshot, deadlock, now));
                ring.or_else(|| snapshot.lock(key).map(|lock| Self::lock(snapshot, lock, now)))
            }
            Subject::Message(key) => {
                let message = snapshot.messages.iter().find(|m| key.starts_with(m.source.raw()) && m.key() == *key);
                message.map(|m| {
                    let to = &m.message.receiver_agent;
                    let words = [m.message.msg_type.to_string(), age(m.age_ms(now))];
                    let staleness = snapshot.agent_staleness(to);
                    let to = link(format!("to agent {to}"), words_of(staleness, None), staleness.role(), words);
                    let from = format!("from agent {}", m.message.sender_agent);
                    let from = link(from, String::new(), Role::Normal, Default::default());
                    let chain = Chain { links: vec![to, from], ..Chain::default() };
                    Self {
                        name: None,
                        state: format!("{} {}", m.state, age(m.age_ms(now))),
                        picture: Picture::Chain(chain),
                        held_up: Vec::new(),
                    }
                })
            }
            Subject::Task(key) => {
                let task = snapshot.tasks.iter().find(|t| key.ends_with(t.task.raw()) && t.key() == *key);
                task.map(|t| {
                    let owner = t.owner_node.as_ref().and_then(|name| snapshot.node_in(name, &t.repository_id));
                    let picture = owner.map_or(Picture::Nothing, |node| strip(app, mesh, node));
                    let state = format!("{} {}", t.state, age(t.age_ms(now)));
                    Self { name: None, state, picture, held_up: Vec::new() }
                })
            }
            Subject::Mesh | Subject::Source(_) | Subject::Agent(_) | Subject::Log(_) => None,
        }
        .unwrap_or_else(nothing)
    }

    fn node(app: &App, mesh: usize, snapshot: &Snapshot, node: &NodeView) -> Self {
        let now = app.shown_ms();
        let held = snapshot.marked.contended.iter().filter(|l| node.is_holder_of(&l.lock));
        let held_up = held.map(|l| overview::queue(l, now)).collect();
        Self {
            name: Some(node.name()),
            state: format!("{} {}", node.staleness, age(node.age_ms(now))),
            picture: strip(app, mesh, node),
            held_up,
        }
    }

    fn lock(snapshot: &Snapshot, view: &LockView, now: Millis) -> Self {
        let node = snapshot.node_in(&view.lock.holder_node, &view.lock.repository_id);
        let holder = match (view.lock.holder_node.is_empty(), view.lock.holder_agent.is_empty()) {
            (false, _) => view.lock.holder_node.to_string(),
            (true, false) => format!("agent {}", view.lock.holder_agent),
            (true, true) => "nobody known".to_owned(),
        };
        let seen = words_of(view.holder_staleness, node.and_then(|node| node.age_ms(now)));
        let mut links = vec![link(format!("held by {holder}"), seen, view.holder_staleness.role(), Default::default())];
        links.extend(view.waiters.iter().take(WAITERS).map(|waiter| {
            let waits = waiter.since_ms.map_or_else(|| "waits".to_owned(), |at| format!("waits {}", short(now - at)));
            link(format!("agent {}", waiter.agent), waits, Role::Warn, Default::default())
        }));
        let state = match view.longest_wait_ms(now).filter(|_| !view.waiters.is_empty()) {
            Some(waits) => format!("{}, {} wait {}", view.state, view.waiters.len(), short(waits)),
            None => view.state.to_string(),
        };
        let more = view.waiters.len().saturating_sub(WAITERS);
        Self {
            name: Some(view.name()),
            state,
            picture: Picture::Chain(Chain { links, more, is_ring: false }),
            held_up: Vec::new(),
        }
    }

    fn deadlock(snapshot: &Snapshot, deadlock: &Deadlock, now: Millis) -> Option<Self> {
        let steps = ring::steps(&snapshot.waits, deadlock);
        let longest = steps.iter().filter_map(|step| step.since_ms).min();
        let links: Vec<Link> = steps
            .iter()
            .map(|step| {
                let waits = step.since_ms.map_or_else(|| "waits".to_owned(), |at| format!("waits {}", short(now - at)));
                let note = if step.cuts { "✂ release" } else { "" };
                let words = [step.lock.name().to_string(), note.to_owned()];
                let mut link = link(format!("agent {}", step.agent), waits, Role::Dead, words);
                link.way_role = if step.cuts { Role::Accent } else { Role::Warn };
                link
            })
            .collect();
        (!links.is_empty()).then(|| Self {
            name: Some(Text::new("deadlock")),
            state: format!("{} agents {}", deadlock.agents.len(), age(longest.map(|at| now - at))),
            picture: Picture::Chain(Chain { links, is_ring: true, more: 0 }),
            held_up: Vec::new(),
        })
    }
}

fn link(title: String, text: String, role: Role, [way, note]: [String; 2]) -> Link {
    Link { title, text, role, way, note, way_role: Role::Normal }
}

fn words_of(staleness: Staleness, age_ms: Option<Millis>) -> String {
    format!("{} {staleness} {}", staleness.glyph(), age(age_ms)).trim_end().to_owned()
}

fn age(ms: Option<Millis>) -> String {
    ms.map(short).unwrap_or_default()
}

fn strip(app: &App, mesh: usize, node: &NodeView) -> Picture {
    let steps = app.history(mesh).map(|history| history.of(&node.key, super::history::STEPS)).unwrap_or_default();
    Picture::Strip(steps)
}

/// How much is well.
fn calm(app: &App) -> String {
    let sum = |of: fn(&Snapshot) -> usize| app.workspace.snapshots().map(|(_, p)| of(p)).sum::<usize>();
    let (nodes, healthy) = (sum(|p| p.nodes.len()), sum(|p| p.counts.nodes[Staleness::Healthy as usize]));
    format!(
        "{healthy} of {nodes} nodes healthy, {} locks, {} tasks",
        sum(|p| p.locks.len()),
        sum(|p| p.counts.open_tasks)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Event;
    use crate::app::update::update;
    use crate::testing::{NOW, deadlock_of, mesh, options, snapshot};

    fn app_on(mesh: crate::mesh::MeshState) -> App {
        let mut app = App::new(options(), NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh, NOW)));
        app
    }

    #[test]
    fn the_worst_is_named_and_the_others_are_listed_once() {
        let app = app_on(mesh());
        let trouble = of(&app).unwrap();
        let open: usize = app.workspace.snapshots().map(|(_, p)| p.open_findings().count()).sum();
        assert_eq!(trouble.all_others + 1, open);
        assert!(trouble.others.iter().all(|line| !line.title.contains(trouble.sentence.as_str())));
        assert_eq!((trouble.name.as_str(), trouble.state.split(' ').next()), ("ci-7", Some("dead")));
        assert!(matches!(trouble.picture, Picture::Strip(_)));
    }

    #[test]
    fn a_deadlock_is_a_ring_of_its_agents() {
        let trouble = of(&app_on(deadlock_of(3))).unwrap();
        let Picture::Chain(chain) = trouble.picture else { panic!("{trouble:?}") };
        assert!(chain.is_ring);
        assert_eq!(chain.links.len(), 3);
        assert_eq!(chain.links.iter().filter(|link| link.note.contains("release")).count(), 1);
    }
}
