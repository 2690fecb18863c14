//! Polls every source and keeps the mesh, off the drawing thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Pictures;
use crate::clock::wall_clock;
use crate::config::Settings;
use crate::data::derive::{Picture, derive};
use crate::data::mesh::Mesh;
use crate::data::poller::{Pace, Poller, Report};
use crate::data::source::Known;
use crate::data::systems::assemble;
use crate::data::vox::snapshot::store::Store;
use crate::text::Text;
use crate::time::{Millis, millis};

/// Reports that may wait to be applied; a source that is faster waits.
const REPORTS: usize = 16;
/// Time alone changes judgements; they are drawn anew this often when nothing is reported.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// A running watch over one mesh.
pub struct Engine {
    pictures: Pictures,
    pace: watch::Sender<Pace>,
    tasks: JoinSet<()>,
    /// Private copies, removed when the engine is dropped.
    _store: Option<Store>,
}

impl Engine {
    /// Starts a poller for each source, and the task that keeps the mesh.
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        let sources = assemble(settings)?;
        let (identities, list): (Vec<_>, Vec<_>) = sources.list.into_iter().unzip();
        let (report_to, reports) = mpsc::channel(REPORTS);
        let (pace, pace_of) = watch::channel(Pace { interval: settings.interval, nudge: 0 });
        let (tell_known, known) = watch::channel(Known::default());
        let (show, pictures) = watch::channel(None);
        let mut tasks = JoinSet::new();
        for (index, source) in list.into_iter().enumerate() {
            let poller = Poller {
                index,
                source,
                timeout: settings.timeout,
                pace: pace_of.clone(),
                known: known.clone(),
                reports: report_to.clone(),
                clock: wall_clock,
            };
            tasks.spawn(poller.run());
        }
        let keeper = Keeper {
            mesh: Arc::new(Mesh::new(Text::new(&settings.mesh), identities)),
            settings: settings.clone(),
            picture: None,
            show,
            tell_known,
        };
        tasks.spawn(keeper.run(reports, pace_of));
        Ok(Self { pictures, pace, tasks, _store: sources.store })
    }

    /// The next picture. Those that nobody waited for are skipped.
    pub async fn next_picture(&mut self) -> Arc<Picture> {
        loop {
            if self.pictures.changed().await.is_err() {
                // The keeper is gone; that is the end of pictures, not of the screen.
                std::future::pending::<()>().await;
            }
            let newest = self.pictures.borrow_and_update().clone();
            if let Some(picture) = newest {
                return picture;
            }
        }
    }

    /// Polls every source now.
    pub fn nudge(&self) {
        self.pace.send_modify(|pace| pace.nudge += 1);
    }

    /// Polls at another pace.
    pub fn pace(&self, interval: Duration) {
        self.pace.send_modify(|pace| pace.interval = interval);
    }

    /// Ends every task.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

struct Keeper {
    mesh: Arc<Mesh>,
    settings: Settings,
    picture: Option<Arc<Picture>>,
    show: watch::Sender<Option<Arc<Picture>>>,
    tell_known: watch::Sender<Known>,
}

impl Keeper {
    async fn run(mut self, mut reports: mpsc::Receiver<Report>, pace: watch::Receiver<Pace>) {
        let mut judge = tokio::time::interval(JUDGE_EVERY);
        judge.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                report = reports.recv() => {
                    let Some(report) = report else { return };
                    self.mesh = Arc::new(self.mesh.apply(report));
                    while let Ok(report) = reports.try_recv() {
                        self.mesh = Arc::new(self.mesh.apply(report));
                    }
                }
                _ = judge.tick() => {
                    let mut mesh = (*self.mesh).clone();
                    mesh.rates.advance(wall_clock());
                    self.mesh = Arc::new(mesh);
                }
            }
            let interval_ms = millis(pace.borrow().interval);
            self.judge(interval_ms);
        }
    }

    fn judge(&mut self, interval_ms: Millis) {
        let picture =
            derive(self.mesh.clone(), wall_clock(), &self.settings.thresholds, interval_ms, self.picture.as_deref());
        let picture = Arc::new(picture);
        let known = Known { agents: picture.agents() };
        self.tell_known.send_if_modified(|before| {
            let news = before.agents != known.agents;
            if news {
                *before = known;
            }
            news
        });
        self.picture = Some(picture.clone());
        self.show.send_replace(Some(picture));
    }
}
