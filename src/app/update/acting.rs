//! From a key to a plan, from a plan to its run.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;

use super::super::acts::Meant;
use super::super::command::Command;
use super::super::overlay::{Overlay, Picker};
use super::super::preview::{Preview, Running, Standing, StepState, Typing};
use super::super::view_id::ViewId;
use super::super::{App, Asked, Effect};
use crate::action::plan::{Intent, to_ask};
use crate::columns::role::Role;
use crate::model::action::Answer;
use crate::model::outcome::{OutcomeKind, Progress};

/// How long a hold may take to be seen before giving it back is given up, in ms.
const SEEN_WITHIN: i64 = 3_000;

impl App {
    /// Runs an action command: a preview, or why there is none.
    pub(super) fn act(&mut self, command: Command) -> Vec<Effect> {
        if self.only_now() {
            return Vec::new();
        }
        if self.options.is_read_only() {
            self.toast("this console is read-only", Role::Alert);
            return Vec::new();
        }
        if self.running.as_ref().is_some_and(|running| !running.finished) {
            self.overlay = Some(Overlay::Run { offset: 0 });
            return Vec::new();
        }
        let (mesh, things) = match self.things() {
            Ok(things) => things,
            Err(why) => {
                self.toast(why, Role::Alert);
                return Vec::new();
            }
        };
        if self.options.policy(mesh).read_only {
            self.toast(format!("mesh {} is read-only", self.workspace.name(mesh)), Role::Alert);
            return Vec::new();
        }
        let Some(snapshot) = self.latest().whole(mesh).cloned() else { return Vec::new() };
        match self.meant(command, &things, &snapshot) {
            Err(why) => self.toast(why, Role::Alert),
            Ok(Meant::Choose(messages)) => {
                let mut picker = Picker { mesh, messages, selected: 0 };
                picker.selected = usize::from(picker.messages.len() == 1);
                self.overlay = Some(Overlay::Picker(picker));
            }
            Ok(Meant::Intent(intent)) => {
                let questions = to_ask(&intent, &snapshot, &self.options.policy(mesh));
                if !questions.is_empty() {
                    self.toast("asking how it stands", Role::Dim);
                    self.asked_for = Some((mesh, intent));
                    return vec![Effect::Ask { mesh, questions }];
                }
                self.open_preview(mesh, intent);
            }
        }
        Vec::new()
    }

    /// The answers came that a plan needs: it is shown, unless the operator is at something else.
    pub(super) fn take_answers(&mut self, mesh: usize, answers: &BTreeMap<String, Answer>) {
        let asked = self.asked_for.take();
        let Some((of, intent)) = asked.filter(|(of, intent)| *of == mesh && intent.needs(answers)) else { return };
        if !matches!(self.overlay, None | Some(Overlay::Inspector(_))) {
            return;
        }
        self.toast = None;
        self.open_preview(of, intent.with_answers(answers));
    }

    /// Shows what an intent would do in a mesh.
    pub fn open_preview(&mut self, mesh: usize, intent: Intent) {
        let Some(snapshot) = self.latest().whole(mesh).cloned() else { return };
        match Preview::of(mesh, intent, &snapshot, &self.options.policy(mesh), self.now_ms) {
            Ok(preview) => self.overlay = Some(Overlay::Preview(Box::new(preview))),
            Err(refusal) => {
                self.overlay = None;
                let (text, role) = if refusal.nothing_left {
                    (refusal.to_string(), Role::Healthy)
                } else {
                    (format!("cannot: {refusal}"), Role::Alert)
                };
                self.toast(text, role);
            }
        }
    }

    /// Asks for signs of work on what is previewed or looked into, once each time it comes on screen.
    pub(super) fn find_work(&mut self) -> Option<Effect> {
        // What this machine shows now says nothing of the past.
        if self.past().is_some() {
            return None;
        }
        let asked = match &self.overlay {
            Some(Overlay::Preview(preview)) => {
                let snapshot = self.latest().whole(preview.mesh)?;
                Asked { mesh: preview.mesh, inspected: None, resources: preview.plan.resources(snapshot) }
            }
            Some(Overlay::Inspector(inspector)) if inspector.view == ViewId::Locks => {
                // A lock is searched for among all: once, not at each event.
                let inspected = Some(inspector.key.clone());
                if self.asked.as_ref().is_some_and(|asked| asked.inspected == inspected) {
                    return None;
                }
                let snapshot = self.latest().whole(inspector.key.mesh)?;
                let lock = snapshot.holds().find(|lock| lock.key() == inspector.key.key);
                let name = lock.map(|lock| snapshot.names.canonical(lock.lock.lock_key.raw()).to_owned());
                Asked { mesh: inspector.key.mesh, inspected, resources: name.into_iter().collect() }
            }
            _ => {
                self.asked = None;
                return None;
            }
        };
        if self.asked.as_ref() == Some(&asked) {
            return None;
        }
        let (mesh, resources) = (asked.mesh, asked.resources.clone());
        self.asked = Some(asked);
        (!resources.is_empty()).then_some(Effect::Work { mesh, resources })
    }

    /// A new snapshot of a mesh came: whatever is previewed there is compared with it.
    pub(super) fn refresh_preview(&mut self, mesh: usize) {
        let (Some(snapshot), now) = (self.latest().whole(mesh).cloned(), self.now_ms) else { return };
        if self.giving_back.is_some() {
            self.give_back();
        }
        let policy = self.options.policy(mesh);
        if let Some(Overlay::Preview(preview)) = &mut self.overlay
            && preview.mesh == mesh
        {
            preview.recheck(&snapshot, &policy, now);
        }
    }

    /// Keys in a picker of agents.
    pub(super) fn key_in_picker(&mut self, key: KeyEvent) -> Vec<Effect> {
        let choices = self.receivers();
        let Some(Overlay::Picker(picker)) = &mut self.overlay else { return Vec::new() };
        let last = choices.len();
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => self.overlay = None,
            KeyCode::Down | KeyCode::Char('j') => picker.selected = (picker.selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => picker.selected = picker.selected.saturating_sub(1),
            KeyCode::Enter => {
                let to = picker.selected.checked_sub(1).and_then(|i| choices.get(i)).map(|r| r.agent.clone());
                let (mesh, messages) = (picker.mesh, picker.messages.clone());
                self.open_preview(mesh, Intent::Reroute { messages, to });
            }
            _ => {}
        }
        Vec::new()
    }

    /// Keys in a preview. Enter cancels: it never confirms.
    pub(super) fn key_in_preview(&mut self, key: KeyEvent) -> Vec<Effect> {
        let now = self.now_ms;
        let Some(Overlay::Preview(preview)) = &self.overlay else { return Vec::new() };
        if preview.typing.is_some() {
            return self.type_in_preview(key);
        }
        let policy = self.options.policy(preview.mesh);
        let Some(snapshot) = self.latest().whole(preview.mesh).cloned() else { return Vec::new() };
        let Some(Overlay::Preview(preview)) = &mut self.overlay else { return Vec::new() };
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return Vec::new();
        }
        let most = preview.rows.saturating_sub(preview.height);
        match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | 'n') => self.overlay = None,
            KeyCode::Down | KeyCode::Char('j') => preview.offset = (preview.offset + 1).min(most),
            KeyCode::Up | KeyCode::Char('k') => preview.offset = preview.offset.saturating_sub(1),
            KeyCode::PageDown => preview.offset = (preview.offset + preview.height).min(most),
            KeyCode::PageUp => preview.offset = preview.offset.saturating_sub(preview.height),
            KeyCode::Char('e') => preview.typing = Some(Typing::Reason(Input::new(preview.reason.clone()))),
            KeyCode::Char('u') => preview.take_change(now),
            KeyCode::Char('m') => {
                if let Some(intent) = preview.with_next_mode() {
                    preview.intend(intent, &snapshot, &policy, now);
                }
            }
            KeyCode::Char(option @ ('h' | 'w')) => {
                if let Some(intent) = preview.with_option(option) {
                    preview.intend(intent, &snapshot, &policy, now);
                }
            }
            KeyCode::Char('y') => return self.confirm(),
            _ => {}
        }
        Vec::new()
    }

    fn confirm(&mut self) -> Vec<Effect> {
        let now = self.now_ms;
        let Some(Overlay::Preview(preview)) = &mut self.overlay else { return Vec::new() };
        if !preview.may_run(now) {
            let why = why_not(preview);
            self.toast(why, Role::Alert);
            return Vec::new();
        }
        if preview.name_to_type().is_some() {
            preview.typing = Some(Typing::Name(Input::default()));
            return Vec::new();
        }
        self.run_plan()
    }

    fn type_in_preview(&mut self, key: KeyEvent) -> Vec<Effect> {
        let now = self.now_ms;
        let Some(Overlay::Preview(preview)) = &mut self.overlay else { return Vec::new() };
        let is_void = matches!(preview.standing, Standing::Void(_));
        match (&mut preview.typing, key.code) {
            // The prompt is gone from the screen; keys that were meant for it do nothing else.
            (Some(Typing::Name(_)), KeyCode::Esc | KeyCode::Enter) if is_void => self.overlay = None,
            (Some(_), KeyCode::Esc) => preview.typing = None,
            (Some(Typing::Reason(input)), KeyCode::Enter) => {
                input.value().clone_into(&mut preview.reason);
                preview.typing = None;
            }
            (Some(Typing::Name(input)), KeyCode::Enter) => {
                let typed = input.value().trim().to_owned();
                if preview.name_to_type() != Some(typed.as_str()) {
                    self.toast("that is not its name: nothing was done", Role::Alert);
                } else if preview.may_run(now) {
                    return self.run_plan();
                } else {
                    let why = why_not(preview);
                    self.toast(why, Role::Alert);
                }
            }
            (Some(Typing::Reason(input) | Typing::Name(input)), _) => super::edit(input, key),
            (None, _) => {}
        }
        Vec::new()
    }

    fn run_plan(&mut self) -> Vec<Effect> {
        let Some(Overlay::Preview(preview)) = self.overlay.take() else { return Vec::new() };
        let mesh = preview.mesh;
        self.running = Some(Running::begin(mesh, preview.plan.clone()));
        self.overlay = Some(Overlay::Run { offset: 0 });
        // What was acted on is not acted on again by accident.
        self.tables[self.view.index()].marks.clear();
        vec![Effect::Run { mesh, plan: Box::new(preview.plan), reason: preview.reason }]
    }

    /// Keys while a plan runs, and after.
    pub(super) fn key_in_run(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(Overlay::Run { offset }) = &mut self.overlay else { return Vec::new() };
        let finished = self.running.as_ref().is_none_or(|running| running.finished);
        // A step takes two lines or a few more.
        let most = self.running.as_ref().map_or(0, |running| 4 * running.steps.len());
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => *offset = (*offset + 1).min(most),
            KeyCode::Up | KeyCode::Char('k') => *offset = offset.saturating_sub(1),
            KeyCode::Char('c') if finished => return self.give_back(),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') if finished => self.overlay = None,
            // It goes on without being looked at.
            KeyCode::Enter | KeyCode::Char('q') => self.overlay = None,
            KeyCode::Esc | KeyCode::Char('s') => {
                if let Some(running) = &mut self.running {
                    running.stopping = true;
                    return vec![Effect::Stop { mesh: running.mesh }];
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// The locks that the last plan fenced off, while the holds last.
    fn give_back(&mut self) -> Vec<Effect> {
        use crate::model::action::{Action, Mode};
        let Some(running) = &self.running else { return Vec::new() };
        let mesh = running.mesh;
        let Some(snapshot) = self.latest().whole(mesh).cloned() else { return Vec::new() };
        let fenced: Vec<&str> = running
            .plan
            .steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Release { lock, mode: Mode::FenceOff, .. } => Some(lock.lock_key.as_str()),
                _ => None,
            })
            .collect();
        let held = snapshot
            .locks
            .iter()
            .filter(|l| fenced.contains(&l.lock.lock_key.raw()) && snapshot.fenced_off(l).is_some());
        let locks: Vec<String> = held.map(crate::mesh::derive::locks::LockView::key).collect();
        let preview = Preview::of(mesh, Intent::Restore { locks }, &snapshot, &self.options.policy(mesh), self.now_ms);
        match (preview, self.giving_back) {
            (Ok(preview), _) => {
                self.giving_back = None;
                self.overlay = Some(Overlay::Preview(Box::new(preview)));
            }
            // What was just done is seen with the next snapshot.
            (Err(_), None) if !fenced.is_empty() => self.giving_back = Some(self.now_ms + SEEN_WITHIN),
            (Err(_), Some(until)) if self.now_ms < until => {}
            (Err(refusal), _) => {
                self.giving_back = None;
                self.toast(format!("cannot: {refusal}"), Role::Alert);
            }
        }
        Vec::new()
    }

    /// Has the attempts looked into whose end is not known.
    pub(super) fn recover(&mut self) -> Vec<Effect> {
        let open = |mesh: usize| {
            let entries = self.latest().whole(mesh).map(|snapshot| snapshot.mesh.journal.clone()).unwrap_or_default();
            entries.iter().any(|entry| entry.open(self.now_ms).is_some())
        };
        let meshes: Vec<usize> = (0..self.latest().len()).filter(|mesh| open(*mesh)).collect();
        let may = |mesh: &&usize| !self.options.policy(**mesh).read_only;
        let effects: Vec<Effect> = meshes.iter().filter(may).map(|mesh| Effect::Recover { mesh: *mesh }).collect();
        match (meshes.is_empty(), effects.is_empty()) {
            (true, _) => self.toast("no attempt of this journal is open", Role::Dim),
            (false, true) => self.toast("this console is read-only", Role::Alert),
            (false, false) => self.toast("looking into open attempts", Role::Dim),
        }
        effects
    }

    /// Open attempts were looked into.
    pub(super) fn recovered(&mut self, resolved: usize, open: usize) {
        let (text, role) = match (resolved, open) {
            (0, 0) => ("no attempt was open any more".to_owned(), Role::Dim),
            (n, 0) => (format!("{n} open attempts were resolved"), Role::Healthy),
            (n, m) => (format!("{n} open attempts were resolved, {m} are still open"), Role::Alert),
        };
        self.toast(text, role);
    }

    /// What the running plan tells.
    pub(super) fn progress(&mut self, progress: Progress) {
        let Some(running) = &mut self.running else { return };
        match progress {
            Progress::Started(step) => {
                if let Some(state) = running.steps.get_mut(step) {
                    *state = StepState::Working;
                }
            }
            Progress::Ended(step, outcome) => {
                if let Some(state) = running.steps.get_mut(step) {
                    *state = StepState::Ended(outcome);
                }
            }
            Progress::Finished => {
                running.finished = true;
                let so = running.count(OutcomeKind::Done) + running.count(OutcomeKind::Already);
                let all = so == running.steps.len();
                let summary = running.summary();
                if !matches!(self.overlay, Some(Overlay::Run { .. })) {
                    self.toast(summary, if all { Role::Healthy } else { Role::Alert });
                }
            }
        }
    }

    /// Who could take over what the picker is about, best first.
    #[must_use]
    pub fn receivers(&self) -> Vec<crate::action::plan::Receiver> {
        let Some(Overlay::Picker(picker)) = &self.overlay else { return Vec::new() };
        let Some(snapshot) = self.latest().whole(picker.mesh) else { return Vec::new() };
        let about: Vec<_> = snapshot.messages.iter().filter(|m| picker.messages.contains(&m.key())).collect();
        let labels: Vec<String> = about.first().map(|view| crate::action::plan::labels(view)).unwrap_or_default();
        let without: Vec<_> = match about.as_slice() {
            [only] => vec![only.message.receiver_agent.clone()],
            _ => Vec::new(),
        };
        crate::action::plan::rank_receivers(snapshot, &labels, &without)
    }
}

/// Why a plan may not run now.
fn why_not(preview: &Preview) -> &'static str {
    match &preview.standing {
        _ if preview.plan.steps.is_empty() => "nothing of it can be done from here",
        Standing::Holds | Standing::Renewed => "the plan just changed: read it, then confirm again",
        Standing::Changed(_) if preview.typing.is_some() => {
            "the plan no longer holds: Esc, then u for the one that does"
        }
        Standing::Changed(_) => "the plan no longer holds: press u for the one that does",
        Standing::Void(_) => "the plan no longer holds",
    }
}

#[cfg(test)]
mod tests {
    use super::super::update;
    use super::*;
    use crate::app::Event;
    use crate::testing::{NOW, heartbeat, lock, mesh, options, snapshot, starting_mesh};

    fn press(app: &mut App, keys: &str) -> Vec<Effect> {
        let code = |c| if c == '\x1b' { KeyCode::Esc } else { KeyCode::Char(c) };
        keys.chars().flat_map(|c| update(app, Event::Key(KeyEvent::from(code(c))))).collect()
    }

    /// The prompt for a name is of a plan that is gone: one key leaves both, and keys meant for the name do nothing else.
    #[test]
    fn a_plan_that_is_void_while_its_name_is_typed_is_left_by_one_key() {
        let mut app = App::new(options(), NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        press(&mut app, "3/parser");
        update(&mut app, Event::Key(KeyEvent::from(KeyCode::Enter)));
        press(&mut app, "xyd");
        let typing =
            |app: &App| matches!(&app.overlay, Some(Overlay::Preview(p)) if matches!(p.typing, Some(Typing::Name(_))));
        assert!(typing(&app), "{:?}", app.overlay);
        let observation = crate::model::observation::Observation {
            changes: vec![
                crate::model::observation::Change::Heartbeats(vec![heartbeat("n", "1", 0)]),
                crate::model::observation::Change::Locks(
                    crate::model::LockTable::Distributed,
                    vec![lock("other", "n", "1", 60_000)],
                ),
            ],
            ..Default::default()
        };
        let gone = starting_mesh().after(crate::model::report::Report::Observed {
            source: 0,
            at_ms: NOW,
            observation: Box::new(observation),
        });
        update(&mut app, Event::Snapshot(0, snapshot(gone, NOW)));
        assert!(press(&mut app, "muy").is_empty() && typing(&app));
        press(&mut app, "\x1b");
        assert!(app.overlay.is_none());
    }
}
