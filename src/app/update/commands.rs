//! What each command does.

use std::time::Duration;

use super::super::command::Command;
use super::super::overlay::{Inspector, Overlay};
use super::super::view_id::ViewId;
use super::super::views::VIEWS;
use super::super::{App, Effect, Frozen};
use crate::columns::role::Role;
use crate::model::time::MINUTE;

/// Intervals that `+` and `-` step through, in ms.
const INTERVALS: &[u64] = &[250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

impl App {
    /// Runs a command.
    pub fn run(&mut self, command: Command) -> Vec<Effect> {
        if let Some(effects) = self.run_in_overlay(command) {
            return effects;
        }
        match command {
            Command::Down => self.step(1),
            Command::Up => self.step(-1),
            Command::PageDown => self.step(self.page()),
            Command::PageUp => self.step(-self.page()),
            Command::HalfDown => self.step(self.page() / 2),
            Command::HalfUp => self.step(-self.page() / 2),
            Command::Top => self.step(isize::MIN / 2),
            Command::Bottom => self.step(isize::MAX / 2),
            Command::Open => self.open(),
            Command::Back => self.back(),
            Command::Find => self.open_finder(),
            Command::Earlier => self.travel(true),
            Command::Later => self.travel(false),
            Command::NextPanel => self.step_panel(true),
            Command::PreviousPanel => self.step_panel(false),
            Command::NextView => self.step_view(1),
            Command::PreviousView => self.step_view(-1),
            Command::View(index) => {
                if let Some(view) = VIEWS.get(index) {
                    self.show(view.id);
                }
            }
            Command::Filter => self.start_filter(),
            Command::ClearFilter => {
                self.tables[self.view.index()].filter.clear();
                self.refresh_tables();
            }
            Command::Palette => {
                self.overlay = Some(Overlay::Palette { input: tui_input::Input::default(), selected: 0 });
            }
            Command::Help => self.overlay = Some(Overlay::Help { scroll: 0 }),
            Command::Mark => {
                if self.list().is_some() {
                    self.tables[self.view.index()].toggle_mark();
                    self.step(1);
                }
            }
            Command::ClearMarks => self.tables[self.view.index()].marks.clear(),
            Command::Sort => {
                if self.list().is_some() {
                    self.overlay = Some(Overlay::Sort { selected: self.table().column });
                }
            }
            Command::Reverse => {
                let table = &mut self.tables[self.view.index()];
                table.descending = !table.descending;
                self.refresh_tables();
            }
            Command::Columns => self.open_columns(),
            Command::SavedViews => self.overlay = Some(Overlay::Saved { selected: 0, naming: None }),
            Command::Saved(at) => return self.open_saved(at),
            Command::StepBack => return self.step_past(false),
            Command::StepOn => return self.step_past(true),
            Command::MinuteBack => return self.leap(-MINUTE),
            Command::MinuteOn => return self.leap(MINUTE),
            Command::MarkBefore => return self.leap_to_mark(false),
            Command::MarkAfter => return self.leap_to_mark(true),
            Command::At => {
                self.overlay = Some(Overlay::Palette { input: tui_input::Input::new("at ".into()), selected: 0 });
            }
            Command::Raised => return self.go_to_raised(),
            Command::Now => return self.now(),
            Command::Changes => self.show_changes(),
            Command::Anchor => self.set_anchor(),
            Command::Pause if self.past().is_some() => self.play(),
            Command::Faster | Command::Slower if self.past().is_some() => self.change_speed(command == Command::Faster),
            Command::Pause => self.pause(),
            Command::Refresh => {
                self.toast("asking every source now", Role::Dim);
                return vec![Effect::Refresh];
            }
            Command::Faster => return self.change_interval(-1),
            Command::Slower => return self.change_interval(1),
            Command::Copy | Command::CopyAll => return self.copy(command == Command::CopyAll),
            Command::Unfold => {}
            Command::Release
            | Command::Reroute
            | Command::Ack
            | Command::Drain
            | Command::Quarantine
            | Command::Evacuate
            | Command::GiveBack
            | Command::Retire
            | Command::Respawn
            | Command::Wire
            | Command::Unwire
            | Command::StopGroup
            | Command::EndLease
            | Command::Lead
            | Command::Promote
            | Command::RemoveMember
            | Command::ClearAlarm
            | Command::Defragment
            | Command::ResumeGroup => return self.act(command),
            Command::Recover if self.only_now() => {}
            Command::Recover => return self.recover(),
            Command::Acknowledge => return self.acknowledge(None),
            Command::Hints => {
                if self.hints.take().is_some() {
                    return vec![Effect::HintsSeen];
                }
            }
            Command::Repo => self.next_repo(),
            Command::Theme => {
                self.options.theme = self.options.themes.after(&self.options.theme).to_owned();
                self.toast(format!("theme {}", self.options.theme), Role::Dim);
            }
            Command::Zone => {
                self.options.local_clock = !self.options.local_clock;
                self.toast(
                    format!("clocks show {}", crate::model::time::zone_name(self.offset(self.now_ms))),
                    Role::Dim,
                );
            }
            Command::Mouse => {
                self.options.mouse = !self.options.mouse;
                let who = if self.options.mouse {
                    "the mouse works here"
                } else {
                    "the mouse is the terminal's: select text with it"
                };
                self.toast(who, Role::Dim);
                return vec![Effect::Mouse(self.options.mouse)];
            }
            Command::Redraw => return vec![Effect::Redraw],
            Command::Suspend => return vec![Effect::Suspend],
            Command::Quit | Command::Leave => return vec![Effect::Quit],
        }
        Vec::new()
    }

    fn page(&self) -> isize {
        isize::try_from(self.table().height.max(2) - 1).unwrap_or(1)
    }

    /// On the overview from panel to panel, and from there to the views.
    fn step_panel(&mut self, forward: bool) {
        if self.view != ViewId::Overview || !self.overview_panel(forward) {
            self.step_view(if forward { 1 } else { -1 });
        }
    }

    fn step(&mut self, by: isize) {
        if self.view == ViewId::Overview {
            self.overview_step(by);
            return;
        }
        let Some(list) = self.list() else { return };
        let table = &mut self.tables[self.view.index()];
        let to = table.cursor.saturating_add_signed(by);
        table.go(to, list, &self.workspace);
    }

    fn step_view(&mut self, by: isize) {
        let tabs: Vec<ViewId> = self.tabs().map(|view| view.id).collect();
        let here = tabs.iter().position(|id| *id == self.view).unwrap_or(0);
        let next = here.checked_add_signed(by).unwrap_or(tabs.len() - 1);
        self.show(tabs[next % tabs.len()]);
    }

    fn open(&mut self) {
        if self.view == ViewId::Overview {
            match self.overview_thing() {
                Some((view, key)) => self.overlay = Some(Overlay::Inspector(Inspector::on(view, key))),
                None => self.show(ViewId::Findings),
            }
        } else if let Some(key) = self.table().selected.clone() {
            self.overlay = Some(Overlay::Inspector(Inspector::on(self.view, key)));
        }
    }

    fn back(&mut self) {
        let table = &mut self.tables[self.view.index()];
        if !table.filter.is_empty() {
            table.filter.clear();
            self.refresh_tables();
        } else if !table.marks.is_empty() {
            table.marks.clear();
        } else if self.view != ViewId::Overview {
            self.show(ViewId::Overview);
        }
    }

    fn start_filter(&mut self) {
        if self.list().is_some() {
            let text = self.table().filter.clone();
            self.filtering = Some(tui_input::Input::new(text));
        }
    }

    fn pause(&mut self) {
        match self.frozen.take() {
            Some(frozen) => {
                self.workspace = frozen.latest;
                self.refresh_tables();
            }
            None => {
                self.frozen = Some(Frozen { since_ms: self.now_ms, latest: self.workspace.clone(), past: None });
            }
        }
    }

    fn change_interval(&mut self, by: isize) -> Vec<Effect> {
        let now = u64::try_from(self.options.interval.as_millis()).unwrap_or(u64::MAX);
        let next =
            if by > 0 { INTERVALS.iter().find(|ms| **ms > now) } else { INTERVALS.iter().rev().find(|ms| **ms < now) };
        match next {
            Some(ms) => self.set_interval(Duration::from_millis(*ms)),
            None => Vec::new(),
        }
    }

    /// Polls at another pace.
    pub(super) fn set_interval(&mut self, interval: Duration) -> Vec<Effect> {
        self.options.interval = interval;
        self.toast(format!("polling every {}", humantime::format_duration(interval)), Role::Dim);
        vec![Effect::Interval(interval)]
    }

    fn next_repo(&mut self) {
        let all = self.repositories();
        let now = self.options.repo.as_ref().and_then(|repo| all.iter().position(|r| r == repo));
        let next = match (now, self.options.repo.is_some()) {
            (Some(i), _) => all.get(i + 1).cloned(),
            (None, true) => None,
            (None, false) => all.first().cloned(),
        };
        self.set_repo(next);
    }

    /// Shows one repository, or all.
    pub(super) fn set_repo(&mut self, repo: Option<String>) {
        let shown = repo
            .as_deref()
            .map_or("all repositories".into(), |r| format!("repository {}", crate::model::text::scrub(r)));
        self.toast(shown, Role::Dim);
        self.workspace.show_repository(repo.as_deref());
        if let Some(frozen) = &mut self.frozen {
            frozen.latest.show_repository(repo.as_deref());
        }
        self.options.repo = repo;
        self.refresh_tables();
    }

    fn copy(&mut self, all: bool) -> Vec<Effect> {
        let Some(list) = self.list() else { return Vec::new() };
        let Some(&row) = self.table().rows.get(self.table().cursor) else { return Vec::new() };
        let text = if all {
            super::overlays::plain(&list.inspect(&self.workspace, row, self.shown_ms()))
        } else {
            list.cell(&self.workspace, row, list.name_column(), self.shown_ms()).text
        };
        self.copied(text)
    }

    /// Asks the terminal to take a text. Whether it did cannot be seen from here.
    pub(super) fn copied(&mut self, text: String) -> Vec<Effect> {
        self.toast("sent to the terminal's clipboard (OSC 52); whether it took it cannot be seen from here", Role::Dim);
        vec![Effect::Copy(text)]
    }
}
