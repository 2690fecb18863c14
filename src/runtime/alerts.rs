//! Follows the lives of findings for the engine: what they do is shown, written into the shared history, and told to
//! the operator's own program. Files and programs are left to a task of its own, so that no slow disk holds a snapshot up.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::hook::Hook;
use crate::action::run::history::{Brought, History};
use crate::action::run::lines::{Lines, Stamp};
use crate::mesh::Mesh;
use crate::mesh::alarm::Alarms;
use crate::mesh::alarm::lives::Lives;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::sources::SourceHealth;
use crate::model::event::Event;
use crate::model::text::Text;
use crate::model::time::Millis;
use crate::model::whose::Whose;
use crate::settings::Settings;

/// Events that are shown.
const SHOWN: usize = 2_000;
/// Orders that may wait for the disk; beyond, the history has a gap, and says so in the log.
const ORDERS: usize = 256;

/// What the writer tells.
#[derive(Debug)]
pub enum EventReport {
    /// What others wrote.
    Others(Vec<Event>),
    /// The history cannot be read or written, and why.
    Failed(String),
}

/// Findings that are acknowledged, or not any more.
#[derive(Debug)]
pub struct Acknowledgement {
    pub keys: Vec<String>,
    pub until_ms: Option<Millis>,
    pub on: bool,
}

/// The lives of findings.
#[derive(Debug)]
pub struct AlertManager {
    alarms: Alarms,
    operator: String,
    /// The history's file, and as it was when it was looked into last.
    file: Lines,
    stamp: Stamp,
    shown: VecDeque<Arc<Event>>,
    events: Arc<[Arc<Event>]>,
    seq: u64,
    orders: mpsc::Sender<Vec<Event>>,
    lives: Lives,
    blind: bool,
    /// Why the history cannot be read or written.
    failing: Option<Text>,
}

impl AlertManager {
    /// Starts the task that writes and runs programs. It tells what others wrote.
    pub fn start(settings: &Settings, whose: Whose, tasks: &mut JoinSet<()>) -> (Self, mpsc::Receiver<EventReport>) {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (reports, report) = mpsc::channel(ORDERS);
        let hook = Hook::start(&settings.alarms, tasks);
        tasks.spawn(writer(settings.events.clone(), ordered, reports, hook));
        let alerts = Self {
            alarms: Alarms::new(whose, settings.alarms.rules),
            operator: settings.operator_name(),
            file: Lines::new(settings.events.clone()),
            stamp: Stamp::default(),
            shown: VecDeque::new(),
            events: Arc::default(),
            seq: 0,
            orders,
            lives: Lives::default(),
            blind: false,
            failing: None,
        };
        (alerts, report)
    }

    /// Looks at a snapshot, and gives its findings their lives.
    pub fn look(&mut self, snapshot: &mut Snapshot) {
        let blind = snapshot.sources.iter().any(|source| source.health != SourceHealth::Live);
        if !self.lives.is_of(&snapshot.findings) || blind != self.blind || self.alarms.waits() {
            self.blind = blind;
            let events = self.alarms.observe(&snapshot.findings, blind, snapshot.at_ms);
            self.happened(events);
        }
        (snapshot.findings, snapshot.open) = self.lives.bring(&snapshot.findings, &mut self.alarms);
        if !Arc::ptr_eq(&snapshot.mesh.events, &self.events) {
            self.publish(Arc::make_mut(&mut snapshot.mesh));
        }
    }

    /// Lays the events over a mesh, as its next snapshot shows them.
    pub fn publish(&self, mesh: &mut Mesh) {
        mesh.events = self.events.clone();
        mesh.unkept.clone_from(&self.failing);
    }

    /// Takes what the operator said of findings.
    pub fn known(&mut self, known: &Acknowledgement, now_ms: Millis) {
        let say = |key: &String| self.alarms.acknowledge(key, &self.operator, known.until_ms, known.on, now_ms);
        let events: Vec<Event> = known.keys.iter().filter_map(say).collect();
        self.happened(events);
    }

    /// Takes what the writer tells.
    pub fn take_report(&mut self, report: EventReport) {
        match report {
            EventReport::Others(events) => {
                self.failing = None;
                for event in &events {
                    self.alarms.adopt(event);
                }
                self.show(events);
            }
            EventReport::Failed(why) => {
                if self.failing.is_none() {
                    tracing::warn!(why, "the history of findings cannot be kept");
                }
                self.failing = Some(why.into());
            }
        }
    }

    /// Has the history looked into where it changed, whoever wrote it.
    pub fn check_history(&mut self) {
        let stamp = self.file.stamp();
        if std::mem::replace(&mut self.stamp, stamp) != stamp {
            // An empty order is a look at what is there.
            self.order(Vec::new());
        }
    }

    fn order(&self, events: Vec<Event>) {
        if self.orders.try_send(events).is_err() {
            tracing::warn!("the history of findings is behind: events were left out");
        }
    }

    fn happened(&mut self, mut events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        for event in &mut events {
            self.seq += 1;
            event.seq = self.seq;
        }
        self.order(events.clone());
        self.show(events);
    }

    fn show(&mut self, events: Vec<Event>) {
        let whose = self.alarms.whose();
        self.shown.extend(events.into_iter().filter(|event| whose.is(event)).map(Arc::new));
        // What others wrote may be older than what was seen here.
        self.shown.make_contiguous().sort_by_key(|event| event.at_ms);
        let surplus = self.shown.len().saturating_sub(SHOWN);
        self.shown.drain(..surplus);
        self.events = self.shown.iter().cloned().collect();
    }
}

/// Writes what happened, one order after another.
async fn writer(
    place: PathBuf,
    mut orders: mpsc::Receiver<Vec<Event>>,
    reports: mpsc::Sender<EventReport>,
    hook: Option<Hook>,
) {
    let (mut failed, mut history) = (false, History::new(place.clone()));
    while let Some(mut events) = orders.recv().await {
        while let Ok(more) = orders.try_recv() {
            events.extend(more);
        }
        let ours = events.clone();
        let work = tokio::task::spawn_blocking(move || {
            let brought = if events.is_empty() {
                history.read_others().map(|others| Brought { others, written: Vec::new() })
            } else {
                history.write(events)
            };
            (history, brought)
        });
        // A panic is reported like an error of the disk, and the next order is tried again.
        let broke = |error: tokio::task::JoinError| (History::new(place.clone()), Err(std::io::Error::other(error)));
        let (kept, brought) = work.await.unwrap_or_else(broke);
        history = kept;
        let (others, news) = match brought {
            Ok(Brought { others, written }) => (EventReport::Others(others), written),
            // What cannot be written is still told to whoever listens.
            Err(error) => (EventReport::Failed(error.to_string()), ours),
        };
        if let Some(hook) = &hook {
            for event in news {
                hook.run(event);
            }
        }
        let nothing = matches!(&others, EventReport::Others(events) if events.is_empty());
        let again = std::mem::replace(&mut failed, matches!(others, EventReport::Failed(_)));
        if (again || !nothing) && reports.send(others).await.is_err() {
            return;
        }
    }
}
