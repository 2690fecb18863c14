//! One event after another: what it does to the app, and what the app wants done.

mod acting;
mod calling;
mod commands;
mod configured;
mod finding;
mod hinting;
mod overlays;
mod own;
mod past;
mod pointer;
mod shaping;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::InputRequest;

use super::history::History;
use super::overlay::{Overlay, OwnAsk};
use super::preview::Typing;
use super::view_id::ViewId;
use super::views::VIEWS;
use super::{App, Effect, Event, Toast};
use crate::columns::role::Role;
use crate::mesh::derive::Snapshot;

/// The most characters of anything that is typed.
const MAX_INPUT: usize = 256;
/// How long a toast stays, in ms.
const TOAST_MS: i64 = 4_000;
/// How long one stays that came unasked, in ms.
const LONG_TOAST_MS: i64 = 60_000;

/// Takes one event.
pub fn update(app: &mut App, event: Event) -> Vec<Effect> {
    let before = matches!(event, Event::Key(_) | Event::Mouse(_)).then(|| app.place());
    let depth = app.trail.depth();
    let mut effects = take(app, event);
    // Who travels moves along the trail, and does not lay one.
    if let Some(before) = before.filter(|_| depth == app.trail.depth() && !app.on_wall()) {
        app.left(before);
    }
    effects.extend(app.find_work());
    effects.extend(app.advance_hints());
    effects
}

fn take(app: &mut App, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) if app.on_wall() && key.kind != KeyEventKind::Release => app.key_on_wall(key),
        Event::Mouse(_) | Event::Paste(_) if app.on_wall() => Vec::new(),
        Event::Key(key) if key.kind != KeyEventKind::Release => app.key(key),
        Event::Key(_) | Event::Resize => Vec::new(),
        Event::Focus(on) => vec![Effect::Focused(on)],
        Event::Mouse(mouse) => app.pointer(mouse),
        Event::Paste(text) => app.paste(&text),
        Event::Tick(_) if app.options.replay => {
            // Its clock stands still where it does; what is said goes all the same.
            if let Some(toast) = &mut app.toast {
                toast.until_ms -= 1_000;
            }
            app.toast.take_if(|toast| toast.until_ms <= app.now_ms);
            app.advance_wall();
            app.play_on()
        }
        Event::Tick(now_ms) => {
            app.now_ms = now_ms;
            // Neither over, nor said by a clock that was set back since.
            if app
                .toast
                .as_ref()
                .is_some_and(|toast| !(now_ms..=now_ms + LONG_TOAST_MS).contains(&(toast.until_ms - 1)))
            {
                app.toast = None;
            }
            app.advance_wall();
            app.play_on()
        }
        Event::Snapshot(mesh, snapshot) => {
            if app.histories.len() <= mesh {
                app.histories.resize_with(mesh + 1, History::default);
            }
            let before = app.latest().whole(mesh).cloned();
            let looked_at = match &app.overlay {
                Some(Overlay::Inspector(looked)) if looked.view == ViewId::Locks && looked.key.mesh == mesh => {
                    Some(looked.key.key.as_str())
                }
                _ => None,
            };
            app.histories[mesh].take(before.as_deref(), &snapshot, looked_at, app.now_ms);
            app.take_snapshot(mesh, snapshot);
            app.refresh_preview(mesh);
            app.advance_wall();
            app.call(mesh)
        }
        Event::MeshesOpened(watched) => {
            app.options.open = watched;
            app.workspace = app.options.workspace();
            (app.frozen, app.overlay, app.running) = (None, None, None);
            (app.wish, app.anchor) = (None, None);
            app.tables = App::fresh_tables();
            app.announced.clear();
            (app.histories, app.overview, app.trail) = Default::default();
            Vec::new()
        }
        Event::Progress(progress) => {
            app.progress(progress);
            Vec::new()
        }
        Event::Recovered { resolved, open } => {
            app.recovered(resolved, open);
            Vec::new()
        }
        Event::Work(mesh, works) => {
            if let Some(watched) = app.options.open.get_mut(mesh) {
                watched.policy.work = works;
            }
            app.refresh_preview(mesh);
            Vec::new()
        }
        Event::Answers(mesh, answers) => {
            app.take_answers(mesh, &answers);
            Vec::new()
        }
        Event::Past(news) => app.take_past(news),
        Event::Configured { before, now, reopened } => app.configured(&before, *now, reopened),
        Event::CommandEnded(end) => {
            app.command_ended(end);
            Vec::new()
        }
        Event::Misconfigured(why) => {
            app.misconfigured(&why);
            Vec::new()
        }
        Event::Notice(why) => {
            app.notice(why);
            Vec::new()
        }
    }
}

impl App {
    fn take_snapshot(&mut self, mesh: usize, snapshot: Arc<Snapshot>) {
        if let Some(frozen) = &mut self.frozen {
            frozen.latest.set(mesh, snapshot, self.options.repo.as_deref());
            return;
        }
        self.workspace.set(mesh, snapshot, self.options.repo.as_deref());
        self.refresh_tables();
    }

    /// Sorts and filters the table that is shown, and those that may be looked into from it.
    pub(super) fn refresh_tables(&mut self) {
        if !self.workspace.has_answer() {
            return;
        }
        let (repo, now) = (self.options.repo.clone(), self.shown_ms());
        let index = self.view.index();
        if let Some(list) = VIEWS[index].list {
            self.tables[index].refresh(list, &self.workspace, repo.as_deref(), now);
        }
    }

    pub(in crate::app) fn show(&mut self, view: ViewId) {
        if view != self.view {
            // A list that is not shown holds on to no snapshot.
            self.tables[self.view.index()].forget();
        }
        self.view = view;
        self.filtering = None;
        self.refresh_tables();
    }

    /// Says what went wrong.
    pub fn notice(&mut self, why: impl Into<String>) {
        self.toast(why, Role::Alert);
    }

    pub(in crate::app) fn toast(&mut self, text: impl Into<String>, role: Role) {
        self.toast = Some(Toast { text: text.into(), role, until_ms: self.now_ms + TOAST_MS });
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let leave = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if leave {
            return vec![Effect::Quit];
        }
        if self.filtering.is_some() {
            return self.type_filter(key);
        }
        if matches!(self.overlay, Some(Overlay::Palette { .. })) {
            return self.type_palette(key);
        }
        if matches!(self.overlay, Some(Overlay::Find(_))) {
            return self.type_finder(key);
        }
        match &self.overlay {
            Some(Overlay::Preview(_)) => return self.key_in_preview(key),
            Some(Overlay::Picker(_)) => return self.key_in_picker(key),
            Some(Overlay::Run { .. }) => return self.key_in_run(key),
            Some(Overlay::Columns { .. }) => return self.key_in_columns(key),
            Some(Overlay::Saved { .. }) => return self.key_in_saved(key),
            Some(Overlay::Own(_)) => return self.key_in_own(key),
            Some(Overlay::Output { .. }) => return self.key_in_output(key),
            _ => {}
        }
        match self.options.keymap.command(key) {
            Some(command) => self.run(command),
            None if matches!(self.overlay, None | Some(Overlay::Inspector(_))) => {
                self.options.keymap.own(key).map_or_else(Vec::new, |at| self.start_own(at))
            }
            None => Vec::new(),
        }
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        let line: String =
            text.chars().take_while(|c| *c != '\n').filter(|c| !c.is_control()).take(MAX_INPUT).collect();
        let insert = |input: &mut tui_input::Input| {
            for c in line.chars() {
                if input.value().chars().count() < MAX_INPUT {
                    input.handle(InputRequest::InsertChar(c));
                }
            }
        };
        if let Some(input) = &mut self.filtering {
            insert(input);
            self.filter_typed();
        } else if let Some(Overlay::Palette { input, selected }) = &mut self.overlay {
            insert(input);
            *selected = 0;
        } else if let Some(Overlay::Find(finder)) = &mut self.overlay {
            insert(&mut finder.input);
            self.find_typed();
        } else if let Some(Overlay::Saved { naming: Some(input), .. }) = &mut self.overlay {
            insert(input);
        } else if let Some(Overlay::Own(OwnAsk { typing: Some((_, input)), .. })) = &mut self.overlay {
            insert(input);
        } else if let Some(Overlay::Preview(preview)) = &mut self.overlay
            && let Some(Typing::Reason(input) | Typing::Name(input)) = &mut preview.typing
        {
            insert(input);
        }
        Vec::new()
    }

    fn type_filter(&mut self, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Enter => self.filtering = None,
            KeyCode::Esc => {
                self.filtering = None;
                self.tables[self.view.index()].filter.clear();
                self.refresh_tables();
            }
            KeyCode::Down | KeyCode::Up => {
                let command =
                    if key.code == KeyCode::Down { super::command::Command::Down } else { super::command::Command::Up };
                return self.run(command);
            }
            _ => {
                if let Some(input) = &mut self.filtering {
                    edit(input, key);
                    self.filter_typed();
                }
            }
        }
        Vec::new()
    }

    fn filter_typed(&mut self) {
        let typed = self.filtering.as_ref().map(|input| input.value().to_owned()).unwrap_or_default();
        self.tables[self.view.index()].filter = typed;
        self.refresh_tables();
    }
}

/// What editing keys do to a line of text.
pub(in crate::app) fn edit(input: &mut tui_input::Input, key: KeyEvent) {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match (key.code, control) {
        (KeyCode::Backspace, false) => InputRequest::DeletePrevChar,
        (KeyCode::Char('w') | KeyCode::Backspace, true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => InputRequest::GoToStart,
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => InputRequest::GoToEnd,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, false) => InputRequest::GoToPrevChar,
        (KeyCode::Right, false) => InputRequest::GoToNextChar,
        (KeyCode::Left, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true) => InputRequest::GoToNextWord,
        // AltGr arrives as control and alt together, and stands for the character it makes.
        (KeyCode::Char(c), _) if !c.is_control() && (!control || key.modifiers.contains(KeyModifiers::ALT)) => {
            if input.value().chars().count() >= MAX_INPUT {
                return;
            }
            InputRequest::InsertChar(c)
        }
        _ => return,
    };
    input.handle(request);
}
