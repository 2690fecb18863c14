//! Polls every source and keeps the mesh, off the drawing thread.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::Snapshots;
use crate::action::executor::WriteAccess;
use crate::action::plan::{Plan, ToAsk};
use crate::action::run::commands::Commands;
use crate::action::run::journal::{JournalFile, Stamp, made_at};
use crate::action::run::{Operator, Recovered, Stop};
use crate::clock::{steady_clock, wall_clock};
use crate::data::poller::{Pace, Poller};
use crate::data::source::PollContext;
use crate::data::store::Store;
use crate::mesh::MeshState;
use crate::mesh::derive::{Evaluator, Snapshot};
use crate::model::action::Answer;
use crate::model::outcome::Progress;
use crate::model::report::Report;
use crate::model::text::Text;
use crate::model::time::{Millis, millis};
use crate::model::whose::Whose;
use crate::recording::ring::Place;
use crate::runtime::alerts::{Acknowledgement, AlertManager, EventReport};
use crate::runtime::recording::{self, Recording};
use crate::settings::Settings;

/// Reports that may wait to be applied; a source that is faster waits.
const REPORTS: usize = 16;
/// How long leaving waits for the step that a plan is at.
const LAST_STEP: Duration = Duration::from_millis(700);
/// Words of a running plan that may wait for the screen.
const PROGRESS: usize = 4_096;
/// Time alone changes results: they are made anew when nothing was reported for so long. A little longer than the
/// usual interval, so that a source that answers in time is evaluated once.
const EVALUATE_EVERY: Duration = Duration::from_millis(1_200);

/// After so long without a change there is little to miss between two polls.
const QUIET: Duration = Duration::from_secs(60);

/// Whether what is observed is recorded.
#[derive(Debug, Clone)]
pub enum Record {
    Nothing,
    /// The last hours, in a folder of the mesh's own, if the settings wish it.
    Ring,
    /// All of it, in a file.
    File(PathBuf),
}

/// What an engine tells.
pub enum News {
    Snapshot(Arc<Snapshot>),
    Progress(Progress),
    /// Open attempts were looked into.
    Recovered(Recovered),
    /// What was asked for before a plan.
    Answers(Answers),
}

/// What places answered, by the keys of what they were asked about.
pub type Answers = BTreeMap<String, Answer>;

/// What the worker sends while it works.
enum Sent {
    Progress(Progress),
    Recovered(Recovered),
    Answers(Answers),
}

/// A running watch over one mesh.
pub struct Engine {
    snapshots: Snapshots,
    orders: mpsc::Sender<Request>,
    known: mpsc::Sender<Acknowledgement>,
    progress: mpsc::Receiver<Sent>,
    stop_plan: Stop,
    /// Carries plans out; ended after the step it is at.
    worker: JoinHandle<()>,
    /// Whether it is at one.
    at_work: Arc<AtomicBool>,
    pace: watch::Sender<Pace>,
    tasks: JoinSet<()>,
    /// Where the operator's own commands are written down, if this console may write.
    pub commands: Option<(Commands, WriteAccess)>,
    /// Where the last hours are kept, whoever records them; nothing where nobody shall.
    pub ring: Option<PathBuf>,
    pub recorded: recording::Status,
    /// Private copies, removed when the engine is dropped.
    _store: Option<Store>,
}

impl Engine {
    /// Starts a poller for each source, and the task that keeps the mesh. Only with the right to write there is one that
    /// acts; nothing is written before the operator says so. `record` says where a recording is kept, if one is.
    pub fn start(settings: &Settings, access: Option<WriteAccess>, record: Record) -> anyhow::Result<Self> {
        let sources = settings.connect(access)?;
        let (identities, list): (Vec<_>, Vec<_>) = sources.sources.into_iter().unzip();
        let journal = JournalFile::new(settings.journal.clone());
        let commands = access.map(|access| {
            let place = identities.first().map(|identity| identity.place.raw().to_owned()).unwrap_or_default();
            let (journal, mesh, operator) = (journal.clone(), settings.mesh.clone(), settings.operator_name());
            (Commands { journal, mesh, place, operator, clock: wall_clock }, access)
        });
        let operator = access.map(|access| {
            let (journal, name, mesh) = (journal.clone(), settings.operator_name(), settings.mesh.clone());
            Operator::new(sources.executors, &identities, journal, access, name, mesh, wall_clock)
        });
        let (orders, ordered) = mpsc::channel(1);
        let (progress_to, progress) = mpsc::channel(PROGRESS);
        let (report_to, reports) = mpsc::channel(REPORTS);
        let (pace, pace_of) = watch::channel(Pace::new(settings.interval, settings.idle_interval));
        let (known_to, known) = watch::channel(PollContext::default());
        let (show, snapshots) = watch::channel(None);
        let mut tasks = JoinSet::new();
        for (index, source) in list.into_iter().enumerate() {
            let poller = Poller {
                index,
                source,
                timeout: settings.timeout,
                pace: pace_of.clone(),
                known: known.clone(),
                reports: report_to.clone(),
                clock: steady_clock,
            };
            tasks.spawn(poller.run());
        }
        let at_work = Arc::<AtomicBool>::default();
        let (pace_of_worker, busy) = (pace.clone(), at_work.clone());
        let worker = tokio::spawn(async move {
            if let Some(operator) = operator {
                work(operator, ordered, progress_to, pace_of_worker, busy).await;
            }
        });
        let (acknowledge, acknowledged) = mpsc::channel(PROGRESS);
        let whose = Whose::of(&settings.mesh, identities.iter());
        let ring = settings.record_bytes.map(|most| (recording::folder(&settings.recordings, &whose), most));
        let place = match record {
            Record::Nothing => None,
            Record::Ring => ring.clone().map(|(folder, most)| Place::Ring { folder, most }),
            Record::File(path) => Some(Place::File(path)),
        };
        let recorded = recording::Status::default();
        let recording = place.map(|place| {
            Recording::start(place, settings.thresholds.clone(), settings.alarms.rules.from, recorded.clone())
        });
        let (alerts, events) = AlertManager::start(settings, whose, &mut tasks);
        let mesh_task = MeshTask {
            alerts,
            journal,
            stamp: Stamp::default(),
            watch: MeshState::new(Text::new(&settings.mesh), identities, settings.window),
            evaluator: Evaluator::default(),
            published: Vec::new(),
            settings: settings.clone(),
            show,
            known_to,
            pace: pace.clone(),
            moved: Instant::now(),
            recording,
        };
        tasks.spawn(mesh_task.run(reports, events, acknowledged));
        Ok(Self {
            snapshots,
            orders,
            known: acknowledge,
            progress,
            stop_plan: Stop::default(),
            worker,
            at_work,
            pace,
            tasks,
            commands,
            ring: ring.map(|(folder, _)| folder),
            recorded,
            _store: sources.store,
        })
    }

    /// The next snapshot, or what the running plan told. Snapshots that nobody waited for are skipped.
    pub async fn news(&mut self) -> News {
        loop {
            tokio::select! {
                biased;
                events = self.progress.recv(), if !self.progress.is_closed() => {
                    match events {
                        Some(Sent::Progress(progress)) => return News::Progress(progress),
                        Some(Sent::Recovered(recovered)) => return News::Recovered(recovered),
                        Some(Sent::Answers(answers)) => return News::Answers(answers),
                        None => {}
                    }
                }
                changed = self.snapshots.changed() => {
                    if changed.is_err() {
                        // The mesh task has ended; that is the end of snapshots, not of the screen.
                        std::future::pending::<()>().await;
                    }
                    let newest = self.snapshots.borrow_and_update().clone();
                    if let Some(snapshot) = newest {
                        return News::Snapshot(snapshot);
                    }
                }
            }
        }
    }

    /// Carries a plan out. Answers whether it was taken: one runs at a time.
    pub fn run(&mut self, plan: Box<Plan>, reason: String) -> bool {
        self.stop_plan = Stop::default();
        self.orders.try_send(Request::Run { plan, reason, stop: self.stop_plan.clone() }).is_ok()
    }

    /// Looks into the attempts whose end is not known. Answers whether that was taken: not while a plan runs.
    pub fn recover(&mut self) -> bool {
        self.orders.try_send(Request::Recover).is_ok()
    }

    /// Asks places what a plan needs to know. Answers whether that was taken: not while a plan runs.
    pub fn ask(&mut self, questions: Vec<ToAsk>) -> bool {
        self.orders.try_send(Request::Ask(questions)).is_ok()
    }

    /// Lets the running plan end before its next step.
    pub fn stop_plan(&self) {
        self.stop_plan.store(true, Ordering::Relaxed);
    }

    /// Findings are known, for how long; or are not known after all.
    pub fn known(&self, keys: Vec<String>, span: Option<Duration>) {
        let until_ms = span.map(|span| steady_clock().saturating_add(millis(span)));
        // As many as fit are more than anybody presses.
        let _ = self.known.try_send(Acknowledgement { keys, until_ms, on: span.is_some() });
    }

    /// Polls every source now.
    pub fn nudge(&self) {
        self.pace.send_modify(|pace| pace.nudge += 1);
    }

    /// Polls at another pace.
    pub fn pace(&self, interval: Duration) {
        self.pace.send_modify(|pace| pace.interval = interval);
    }

    /// Somebody looks at the screen, or nobody does. Whoever comes back sees what is, not what was.
    pub fn focused(&self, focused: bool) {
        self.pace.send_modify(|pace| {
            let slow = pace.span() > pace.interval;
            pace.focused = focused;
            pace.nudge += u64::from(slow && focused);
        });
    }

    /// Ends every task.
    pub async fn stop(mut self) {
        self.stop_plan();
        // Nothing more is ordered, so the worker ends after what it is at.
        let (nobody, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.orders, nobody));
        if self.at_work.load(Ordering::Relaxed) {
            // A step that is cut off is taken up at the next start; one that may end in time does.
            let _ = tokio::time::timeout(LAST_STEP, &mut self.worker).await;
        }
        self.worker.abort();
        self.tasks.shutdown().await;
    }
}

/// What the operator asks for.
enum Request {
    /// A plan to be carried out.
    Run { plan: Box<Plan>, reason: String, stop: Stop },
    /// A look into the attempts whose end is not known.
    Recover,
    /// What a plan needs to know.
    Ask(Vec<ToAsk>),
}

/// Carries plans out, one after another, and looks at the sources at once after each step.
async fn work(
    mut operator: Operator,
    mut ordered: mpsc::Receiver<Request>,
    progress_to: mpsc::Sender<Sent>,
    pace: watch::Sender<Pace>,
    at_work: Arc<AtomicBool>,
) {
    while let Some(request) = ordered.recv().await {
        let report = |progress: Progress| {
            if matches!(progress, Progress::Ended(..)) {
                pace.send_modify(|pace| pace.nudge += 1);
            }
            // What finds no room is told by the journal and by the end.
            let _ = progress_to.try_send(Sent::Progress(progress));
        };
        at_work.store(true, Ordering::Relaxed);
        match request {
            Request::Run { plan, reason, stop } => drop(operator.run(&plan, &reason, &stop, report).await),
            Request::Ask(questions) => {
                let _ = progress_to.try_send(Sent::Answers(operator.ask(&questions).await));
            }
            Request::Recover => {
                let recovered = operator.recover().await;
                pace.send_modify(|pace| pace.nudge += 1);
                let _ = progress_to.try_send(Sent::Recovered(recovered));
            }
        }
        at_work.store(false, Ordering::Relaxed);
    }
}

struct MeshTask {
    alerts: AlertManager,
    journal: JournalFile,
    stamp: Stamp,
    watch: MeshState,
    evaluator: Evaluator,
    /// Snapshots that somebody may still look at.
    published: Vec<Arc<Snapshot>>,
    settings: Settings,
    show: watch::Sender<Option<Arc<Snapshot>>>,
    known_to: watch::Sender<PollContext>,
    pace: watch::Sender<Pace>,
    /// When something was seen to happen.
    moved: Instant,
    recording: Option<Recording>,
}

impl MeshTask {
    async fn run(
        mut self,
        mut reports: mpsc::Receiver<Report>,
        mut events: mpsc::Receiver<EventReport>,
        mut known: mpsc::Receiver<Acknowledgement>,
    ) {
        let mut ticks = tokio::time::interval(EVALUATE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                report = reports.recv() => {
                    let Some(report) = report else { return };
                    self.take(report);
                    while let Ok(report) = reports.try_recv() {
                        self.take(report);
                    }
                    self.read_journal().await;
                    // Time was looked at too: the next poll for its sake alone is a whole step away.
                    ticks.reset();
                }
                Some(report) = events.recv() => self.alerts.take_report(report),
                Some(known) = known.recv() => self.alerts.known(&known, steady_clock()),
                _ = ticks.tick() => self.read_journal().await,
            }
            self.alerts.check_history();
            let interval_ms = millis(self.pace.borrow().span());
            self.evaluate(interval_ms);
        }
    }

    fn take(&mut self, report: Report) {
        if let Some(recording) = &mut self.recording {
            recording.report(&report);
        }
        self.watch.apply(report);
    }

    /// Reads the journal where it changed, whoever wrote it.
    async fn read_journal(&mut self) {
        let stamp = self.journal.stamp();
        if stamp == self.stamp {
            return;
        }
        let journal = self.journal.clone();
        if let Ok(Ok((entries, odd))) = tokio::task::spawn_blocking(move || journal.entries()).await {
            if odd > 0 {
                tracing::warn!(odd, "lines of the journal that are none");
            }
            let mesh = &mut self.watch.mesh;
            mesh.journal = made_at(entries, &mesh.sources).into();
            self.stamp = stamp;
        }
    }

    fn evaluate(&mut self, interval_ms: Millis) {
        let touched = self.watch.take_touched();
        self.alerts.publish(&mut self.watch.mesh);
        let now_ms = steady_clock();
        self.watch.mesh.rates.advance(now_ms);
        let mut snapshot =
            self.evaluator.evaluate(&self.watch, &touched, now_ms, &self.settings.thresholds, interval_ms);
        self.alerts.look(&mut snapshot);
        if let Some(recording) = &mut self.recording {
            recording.evaluated(&self.watch, &snapshot, interval_ms);
        }
        let snapshot = Arc::new(snapshot);
        if self.published.last().is_none_or(|before| snapshot.is_news_after(before)) {
            self.moved = Instant::now();
        }
        let quiet = self.moved.elapsed() >= QUIET;
        self.pace.send_if_modified(|pace| std::mem::replace(&mut pace.quiet, quiet) != quiet);
        // Only control planes have inboxes to be asked for.
        let known = match self.settings.agents_a_poll() {
            0 => PollContext::default(),
            _ => PollContext { agents: snapshot.to_ask(), shown: snapshot.waiting_in_databases() },
        };
        // Who drops a snapshot last frees what only it holds; that is not to be the screen's business.
        self.published.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        self.published.push(snapshot.clone());
        self.known_to.send_if_modified(|before| {
            let news = before.agents != known.agents || before.shown != known.shown;
            if news {
                *before = known;
            }
            news
        });
        self.show.send_replace(Some(snapshot));
    }
}
