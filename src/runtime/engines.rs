//! An engine for each mesh that is open. They share nothing: what befalls one is none of the others' business.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::{join_all, select_all};

use super::engine::{Engine, News, Record};
use crate::action::executor::{Purpose, WriteAccess};
use crate::settings::Settings;

/// The engines of the meshes that are open, in their order.
pub struct Engines {
    list: Vec<Engine>,
    /// Shown in place of what is live.
    recording: Option<PathBuf>,
}

impl Engines {
    /// Starts one for each mesh. A mesh that is read-only is not written to, whatever the process was started for.
    pub fn start(meshes: &[Settings], purpose: Purpose, record: &Record) -> anyhow::Result<Self> {
        anyhow::ensure!(!meshes.is_empty(), "no mesh is named");
        let start = |mesh: &Settings| Engine::start(mesh, WriteAccess::decide(purpose, mesh.read_only), record.clone());
        Ok(Self { list: meshes.iter().map(start).collect::<anyhow::Result<_>>()?, recording: None })
    }

    /// None: a recording is shown.
    #[must_use]
    pub fn of_recording(recording: PathBuf) -> Self {
        Self { list: Vec::new(), recording: Some(recording) }
    }

    /// What one of them tells next, and which one.
    pub async fn news(&mut self) -> (usize, News) {
        if self.list.is_empty() {
            return std::future::pending().await;
        }
        let (news, mesh, _) = select_all(self.list.iter_mut().map(|engine| Box::pin(engine.news()))).await;
        (mesh, news)
    }

    /// The engine of a mesh.
    pub fn of(&mut self, mesh: usize) -> Option<&mut Engine> {
        self.list.get_mut(mesh)
    }

    /// Where the last hours of each mesh are kept, in their order.
    #[must_use]
    pub fn recordings(&self) -> Vec<Option<PathBuf>> {
        let live = self.list.iter().map(|engine| engine.ring.clone());
        self.recording.clone().map(Some).into_iter().chain(live).collect()
    }

    /// Polls every source of every mesh now.
    pub fn nudge(&self) {
        self.list.iter().for_each(Engine::nudge);
    }

    /// Polls at another pace.
    pub fn pace(&self, interval: Duration) {
        self.list.iter().for_each(|engine| engine.pace(interval));
    }

    /// Somebody looks at the screen, or nobody does.
    pub fn focused(&self, focused: bool) {
        self.list.iter().for_each(|engine| engine.focused(focused));
    }

    /// Ends all of them.
    pub async fn stop(self) {
        join_all(self.list.into_iter().map(Engine::stop)).await;
    }
}
