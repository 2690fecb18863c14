//! The operator's own commands: from a key to a run, from a run to what it wrote.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::super::overlay::{Overlay, OwnAsk};
use super::super::own::{Output, OwnEnd, OwnRun};
use super::super::views::VIEWS;
use super::super::{App, Effect};
use crate::columns::role::{Role, State};
use crate::model::outcome::OutcomeKind;
use crate::model::text::scrub;

/// Lines of output that are kept.
const MOST_LINES: usize = 10_000;

impl App {
    /// Runs a command for the selected thing, or asks first.
    pub(super) fn start_own(&mut self, at: usize) -> Vec<Effect> {
        let Some(command) = self.options.own.get(at).cloned() else { return Vec::new() };
        if self.only_now() {
            return Vec::new();
        }
        let title = scrub(&command.title).into_owned();
        let (view, keys) = self.chosen();
        let [key] = keys.as_slice() else {
            let why = if keys.is_empty() { "select a thing first" } else { "it runs for one thing: unmark the others" };
            self.toast(format!("{title}: {why}"), Role::Alert);
            return Vec::new();
        };
        if !command.suits(view) {
            self.toast(format!("{title} is not for {}", VIEWS[view.index()].name()), Role::Dim);
            return Vec::new();
        }
        if !command.harmless && self.options.policy(key.mesh).read_only {
            self.toast("this console is read-only, and the command is not marked harmless", Role::Alert);
            return Vec::new();
        }
        let list = VIEWS[view.index()].list;
        let Some((list, row)) = list.and_then(|list| Some((list, list.find(&self.workspace, key)?))) else {
            self.toast(format!("{title}: what it was for is gone"), Role::Alert);
            return Vec::new();
        };
        let now = self.shown_ms();
        let value = |field: &str| list.value(&self.workspace, row, field, now);
        let argv = match command.fill(self.workspace.name(key.mesh), &value) {
            Ok(argv) => argv,
            Err(why) => {
                self.toast(format!("{title}: {why}"), Role::Alert);
                return Vec::new();
            }
        };
        let name = list.cell(&self.workspace, row, list.name_column(), now).text;
        let (output, timeout) = (command.output, command.timeout);
        let run = OwnRun { mesh: key.mesh, title: command.title, argv, output, timeout };
        if command.dangerous {
            self.overlay = Some(Overlay::Own(OwnAsk { run, typing: Some((name, Input::default())) }));
            return Vec::new();
        }
        if command.confirm {
            self.overlay = Some(Overlay::Own(OwnAsk { run, typing: None }));
            return Vec::new();
        }
        self.run_own(run)
    }

    fn run_own(&mut self, run: OwnRun) -> Vec<Effect> {
        if matches!(self.overlay, Some(Overlay::Own(_))) {
            self.overlay = None;
        }
        self.toast(format!("running: {}", scrub(&run.title)), Role::Dim);
        vec![Effect::Command(run)]
    }

    /// Keys while a command waits for a word.
    pub(super) fn key_in_own(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(Overlay::Own(ask)) = &mut self.overlay else { return Vec::new() };
        match (&mut ask.typing, key.code) {
            (_, KeyCode::Esc) => self.overlay = None,
            (Some((name, input)), KeyCode::Enter) => {
                if !name.trim().is_empty() && input.value().trim() == name.trim() {
                    let run = ask.run.clone();
                    return self.run_own(run);
                }
                self.toast("that is not its name: nothing was run", Role::Alert);
            }
            (Some((_, input)), _) => super::edit(input, key),
            (None, KeyCode::Char('y')) => {
                let run = ask.run.clone();
                return self.run_own(run);
            }
            (None, KeyCode::Enter | KeyCode::Char('q' | 'n')) => self.overlay = None,
            (None, _) => {}
        }
        Vec::new()
    }

    /// A command ended: what it wrote is shown where it is to go.
    pub(super) fn command_ended(&mut self, end: OwnEnd) {
        let role = end.kind.role();
        let lines: Vec<String> = end.text.lines().take(MOST_LINES).map(|line| scrub(line).into_owned()).collect();
        let head = format!("{} {}: {}", end.kind.glyph(), scrub(&end.title), scrub(&end.summary));
        let failed = end.kind != OutcomeKind::Done;
        match end.output {
            // What lies open is not taken away from under the hands.
            Output::Pager if matches!(self.overlay, None | Some(Overlay::Inspector(_) | Overlay::Output { .. })) => {
                self.overlay = Some(Overlay::Output { title: head, lines, offset: 0 });
            }
            Output::Nothing if !failed => {}
            Output::Pager | Output::Notice | Output::Nothing => {
                let first = lines.iter().find(|line| !line.trim().is_empty());
                let first = first.map(|line| format!("  {}", line.trim())).unwrap_or_default();
                self.toast(head + &first, role);
            }
        }
    }

    /// Keys in what a command wrote.
    pub(super) fn key_in_output(&mut self, key: KeyEvent) -> Vec<Effect> {
        let height = self.output_height.max(1);
        let Some(Overlay::Output { lines, offset, .. }) = &mut self.overlay else { return Vec::new() };
        let most = lines.len().saturating_sub(height);
        match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => self.overlay = None,
            KeyCode::Down | KeyCode::Char('j') => *offset = (*offset + 1).min(most),
            KeyCode::Up | KeyCode::Char('k') => *offset = offset.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => *offset = (*offset + height).min(most),
            KeyCode::PageUp => *offset = offset.saturating_sub(height),
            KeyCode::Home | KeyCode::Char('g') => *offset = 0,
            KeyCode::End | KeyCode::Char('G') => *offset = most,
            KeyCode::Char('y') => {
                let text = lines.join("\n");
                return self.copied(text);
            }
            _ => {}
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::update;
    use super::*;
    use crate::app::Event;
    use crate::app::own::{Argument, OwnCommand};
    use crate::app::view_id::ViewId;
    use crate::testing::{NOW, mesh, options, snapshot};

    fn command(key: &str, confirm: bool, dangerous: bool, harmless: bool) -> OwnCommand {
        let argv = ["run", "--key={lock_key}", "{mesh}"].map(|text| Argument::parse(text).unwrap()).to_vec();
        OwnCommand {
            title: format!("own {key}"),
            key: Some(key.into()),
            views: vec![ViewId::Locks],
            argv,
            confirm,
            dangerous,
            harmless,
            output: Output::Pager,
            timeout: Duration::from_secs(1),
            place: String::new(),
        }
    }

    fn app() -> App {
        let mut options = options();
        options.own =
            [command("f10", false, false, true), command("f11", true, false, false), command("f12", true, true, false)]
                .into();
        options.keymap = options.keymap.with_own(&options.own).unwrap();
        let mut app = App::new(options, NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        press(&mut app, "3/lexer\r");
        app
    }

    fn key(app: &mut App, code: KeyCode) -> Vec<Effect> {
        update(app, Event::Key(KeyEvent::from(code)))
    }

    fn press(app: &mut App, keys: &str) -> Vec<Effect> {
        let code = |c| if c == '\r' { KeyCode::Enter } else { KeyCode::Char(c) };
        keys.chars().flat_map(|c| key(app, code(c))).collect()
    }

    fn ran(effects: &[Effect]) -> Option<&[String]> {
        effects.iter().find_map(|effect| match effect {
            Effect::Command(run) => Some(run.argv.as_slice()),
            _ => None,
        })
    }

    #[test]
    fn a_harmless_one_runs_at_once_and_others_ask() {
        let mut app = app();
        let effects = key(&mut app, KeyCode::F(10));
        assert_eq!(ran(&effects).unwrap(), ["run", "--key=file:src/lexer.rs", "prod"]);
        assert_eq!(ran(&key(&mut app, KeyCode::F(11))), None);
        assert_eq!(ran(&press(&mut app, "n")), None);
        key(&mut app, KeyCode::F(11));
        assert!(ran(&press(&mut app, "y")).is_some());
        key(&mut app, KeyCode::F(12));
        assert_eq!(ran(&press(&mut app, "wrong\r")), None);
        assert!(matches!(app.overlay, Some(Overlay::Own(_))));
        key(&mut app, KeyCode::Esc);
        key(&mut app, KeyCode::F(12));
        assert!(ran(&press(&mut app, "file:src/lexer.rs\r")).is_some());
    }

    #[test]
    fn a_read_only_console_runs_harmless_ones_alone() {
        let mut app = app();
        app.options.open[0].policy.read_only = true;
        assert!(ran(&key(&mut app, KeyCode::F(10))).is_some());
        assert_eq!(ran(&key(&mut app, KeyCode::F(11))), None);
        assert!(app.overlay.is_none());
    }

    #[test]
    fn it_runs_where_it_belongs_and_for_one_thing() {
        let mut app = app();
        press(&mut app, "2");
        assert_eq!(ran(&key(&mut app, KeyCode::F(10))), None);
        press(&mut app, "3");
        key(&mut app, KeyCode::Esc);
        press(&mut app, "  ");
        assert_eq!(ran(&key(&mut app, KeyCode::F(10))), None, "two are marked");
        press(&mut app, ":own f10\r");
        assert!(app.toast.as_ref().unwrap().text.contains("one thing"), "the palette has it too");
    }

    #[test]
    fn what_it_wrote_is_a_page_without_control_characters() {
        let mut app = app();
        let end = |output| OwnEnd {
            title: "log".into(),
            kind: OutcomeKind::Failed,
            summary: "exit status 3".into(),
            text: "a\u{1b}[2Jb\nsecond".into(),
            output,
        };
        update(&mut app, Event::CommandEnded(end(Output::Pager)));
        let Some(Overlay::Output { lines, title, .. }) = &app.overlay else { panic!("a page") };
        assert!(lines.len() == 2 && !lines[0].contains('\u{1b}') && title.contains("exit status 3"));
        press(&mut app, "jq");
        assert!(app.overlay.is_none());
        update(&mut app, Event::CommandEnded(end(Output::Nothing)));
        assert!(app.toast.as_ref().unwrap().text.contains("exit status 3"), "a failure is always said");
    }
}
