//! The wall: a screen that nobody sits at. It goes from view to view, and stays where something is wrong.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view_id::ViewId;
use super::{App, Effect};
use crate::app::status::first_of_all;
use crate::app::workspace::Key;
use crate::columns::role::Role;
use crate::mesh::derive::sources::SourceHealth;
use crate::model::time::{MINUTE, Millis, millis, short};

/// Ctrl-C leaves the wall when it is pressed twice within this time: a bump does not.
const TWICE: Millis = 3_000;
/// A snapshot that is evaluated this long ago, beyond three intervals, is none of the present.
const STALLED: Millis = 5_000;

/// What is known of the present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Since when nothing was heard; since the start, where nothing ever was.
    pub since_ms: Millis,
    /// Who is silent, for a few; nobody in particular where all are.
    pub who: Option<String>,
}

impl Silence {
    /// What is said across the screen.
    #[must_use]
    pub fn summary(&self, now_ms: Millis) -> String {
        format!("NO DATA FOR {}", short(now_ms - self.since_ms))
    }
}

impl App {
    /// Whether this is a wall.
    #[must_use]
    pub fn on_wall(&self) -> bool {
        self.options.wall.is_some()
    }

    /// Moves on, or goes where something is wrong.
    pub(super) fn advance_wall(&mut self) {
        let Some(wall) = self.options.wall.clone() else { return };
        // A clock that was set back does not hold a view.
        self.position.since_ms = self.position.since_ms.min(self.now_ms);
        let trouble = first_of_all(&self.workspace).map(|(mesh, first)| {
            let view = ViewId::of(&first.subject).unwrap_or(ViewId::Findings);
            (Key::new(mesh, first.key()), view, Key::new(mesh, first.subject.key()))
        });
        match trouble {
            Some((finding, view, key)) => {
                // The thing is looked for each time: its row moves.
                if self.position.held.as_ref() != Some(&finding) || self.view != view {
                    self.position.held = Some(finding);
                    self.position.since_ms = self.now_ms;
                }
                self.show_thing(view, &key);
            }
            None => {
                let first = self.position.since_ms == 0;
                let over = self.now_ms - self.position.since_ms >= millis(wall.stay);
                if self.position.held.take().is_some() || first || over {
                    self.position.place = if first { 0 } else { (self.position.place + 1) % wall.views.len().max(1) };
                    self.position.since_ms = self.now_ms;
                    self.show(wall.views.get(self.position.place).copied().unwrap_or(ViewId::Overview));
                }
            }
        }
    }

    /// Whether the wall stays where it is because something is wrong there.
    #[must_use]
    pub fn wall_holds(&self) -> bool {
        self.position.held.is_some()
    }

    /// When the next view comes, and which of how many this one is.
    #[must_use]
    pub fn wall_position(&self) -> Option<(usize, usize, Millis)> {
        let wall = self.options.wall.as_ref()?;
        let left = (self.position.since_ms + millis(wall.stay) - self.now_ms).max(0);
        Some((self.position.place + 1, wall.views.len(), left))
    }

    /// Whether it is night on the wall. What is wrong is as bright as by day.
    #[must_use]
    pub fn wall_sleeps(&self) -> bool {
        let Some((from, to)) = self.options.wall.as_ref().and_then(|wall| wall.night) else { return false };
        let minute = (self.now_ms + (self.options.local)(self.now_ms)).rem_euclid(24 * 60 * MINUTE) / MINUTE;
        let (from, to) = (Millis::from(from), Millis::from(to));
        let night = if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to };
        night && !self.wall_holds()
    }

    /// Of which mesh there is no snapshot of the present, and since when, whatever its sources do: this console itself is
    /// stuck. The one that is longest so.
    #[must_use]
    pub fn stalled(&self) -> Option<(usize, Millis)> {
        let meshes = 0..self.latest().len();
        meshes.filter_map(|mesh| Some((mesh, self.stalled_ms(mesh)?))).min_by_key(|(_, since_ms)| *since_ms)
    }

    fn stalled_ms(&self, mesh: usize) -> Option<Millis> {
        let at = self.latest().snapshot(mesh).map_or(self.started_ms, |snapshot| snapshot.at_ms);
        (self.now_ms - at >= STALLED.max(3 * millis(self.options.interval))).then_some(at)
    }

    /// Who is silent, and since when. A snapshot that is not of the present is silence too.
    #[must_use]
    pub fn silence(&self) -> Option<Silence> {
        let workspace = self.latest();
        let (mut all, mut silent) = (0, Vec::new());
        for mesh in 0..workspace.len() {
            if let Some(since_ms) = self.stalled_ms(mesh) {
                all += 1;
                silent.push((workspace.name(mesh).to_owned(), since_ms));
                continue;
            }
            let Some(snapshot) = workspace.snapshot(mesh) else { continue };
            all += snapshot.sources.len();
            let old = |health| matches!(health, SourceHealth::Old | SourceHealth::Down);
            for (_, source) in snapshot.sources.iter().zip(&snapshot.mesh.sources).filter(|(view, _)| old(view.health))
            {
                let name = format!("{}{}", workspace.prefix(mesh), source.identity.name);
                silent.push((name, source.health.last_ok_ms.unwrap_or(self.started_ms)));
            }
        }
        let since_ms = silent.iter().map(|(_, at)| *at).min()?;
        let everybody = silent.len() == all;
        let who: Vec<String> = silent.into_iter().map(|(name, _)| name).collect();
        Some(Silence { since_ms, who: (!everybody).then(|| who.join(", ")) })
    }

    /// Keys on the wall: leaving takes two, and nothing else does anything.
    pub(super) fn key_on_wall(&mut self, key: KeyEvent) -> Vec<Effect> {
        let leave = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if !leave {
            return Vec::new();
        }
        if self.position.leaving_ms.is_some_and(|at| self.now_ms - at <= TWICE) {
            return vec![Effect::Quit];
        }
        self.position.leaving_ms = Some(self.now_ms);
        self.toast("Ctrl-C again leaves the wall", Role::Warn);
        Vec::new()
    }
}
