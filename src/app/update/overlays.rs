//! What commands mean while something lies over the view.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::acts::ACTS;
use super::super::command::{COMMANDS, Command};
use super::super::inspect::{Inspection, Line, Row};
use super::super::inspections;
use super::super::list::locks::LOCKS;
use super::super::list::nodes::NODES;
use super::super::list::tasks::TASKS;
use super::super::overlay::{Inspector, Overlay};
use super::super::palette::{Choice, entries};
use super::super::view_id::ViewId;
use super::super::views::VIEWS;
use super::super::{App, Effect};
use crate::app::workspace::Key;
use crate::columns::role::Role;

impl App {
    /// Runs a command in what lies on top; `None` if nothing does, or if it leaves the command to the view.
    pub(super) fn run_in_overlay(&mut self, command: Command) -> Option<Vec<Effect>> {
        match self.overlay.as_mut()? {
            Overlay::Help { scroll } => {
                let most = COMMANDS.len() + self.options.own.len();
                match command {
                    Command::Back | Command::Quit | Command::Help | Command::Open => self.overlay = None,
                    _ => *scroll = moved(*scroll, command, 10, most)?,
                }
            }
            Overlay::Sort { selected } => {
                let selected = *selected;
                let columns = self.columns();
                match command {
                    Command::Back | Command::Quit | Command::Sort => self.overlay = None,
                    Command::Open => {
                        self.overlay = None;
                        self.sort_by(selected);
                    }
                    _ => {
                        let to = moved(selected, command, 10, columns.len())?;
                        self.overlay = Some(Overlay::Sort { selected: to });
                    }
                }
            }
            Overlay::Palette { .. } | Overlay::Find(_) => return None,
            // These take their keys themselves.
            Overlay::Picker(_)
            | Overlay::Preview(_)
            | Overlay::Run { .. }
            | Overlay::Columns { .. }
            | Overlay::Saved { .. }
            | Overlay::Own(_)
            | Overlay::Output { .. } => {}
            Overlay::Inspector(_) => return self.run_in_inspector(command),
        }
        Some(Vec::new())
    }

    /// Sorts the table by a column.
    pub(super) fn sort_by(&mut self, column: usize) {
        let descending = self.columns().get(column).is_some_and(|c| c.descending);
        self.tables[self.view.index()].sort_by(column, descending);
        self.refresh_tables();
    }

    /// The page that the inspector shows.
    #[must_use]
    pub fn inspection(&self) -> Option<Inspection> {
        let Some(Overlay::Inspector(inspector)) = &self.overlay else { return None };
        let list = VIEWS[inspector.view.index()].list?;
        // Nothing is said of a thing before its mesh is heard.
        self.workspace.snapshot(inspector.key.mesh)?;
        Some(match list.find(&self.workspace, &inspector.key) {
            Some(row) => {
                let mut page = list.inspect(&self.workspace, row, self.shown_ms());
                page.title.insert_str(0, &self.workspace.prefix(row.mesh()));
                self.add_past(&mut page, inspector.view, row);
                if let Some(asked) =
                    self.asked.as_ref().filter(|asked| asked.inspected.as_ref() == Some(&inspector.key))
                {
                    let watched = self.options.open.get(asked.mesh);
                    let name = asked.resources.first();
                    if let Some(work) = watched.zip(name).and_then(|(watched, name)| watched.policy.work.get(name)) {
                        inspections::lock::work(&mut page, work, self.shown_ms());
                    }
                }
                page.in_zone(|at| self.offset(at))
            }
            None => {
                let mut page = Inspection::titled("gone");
                page.text("it is no longer there: released, acknowledged, or beyond the window", Role::Dim);
                page
            }
        })
    }

    /// Adds what was observed of a thing over the last minutes.
    fn add_past(&self, page: &mut Inspection, view: ViewId, row: crate::app::workspace::Row) {
        let Some(history) = self.history(row.mesh()) else { return };
        match view {
            ViewId::Nodes => {
                if let Some(node) = NODES.get(&self.workspace, row) {
                    inspections::past::node(page, history, node);
                }
            }
            ViewId::Locks => {
                if let Some(lock) = LOCKS.get(&self.workspace, row) {
                    inspections::past::lock(page, history, lock, self.shown_ms());
                }
            }
            ViewId::Tasks => {
                if let Some(task) = TASKS.get(&self.workspace, row) {
                    inspections::past::task(page, history, &task.key(), self.shown_ms());
                }
            }
            _ => {}
        }
    }

    fn run_in_inspector(&mut self, command: Command) -> Option<Vec<Effect>> {
        let page = self.inspection().unwrap_or_default();
        let Some(Overlay::Inspector(inspector)) = &mut self.overlay else { return None };
        let rows = page.rows(inspector.unfolded);
        match command {
            Command::Back | Command::Quit => self.step_back(),
            Command::Unfold => inspector.unfolded = !inspector.unfolded,
            Command::Open => {
                let mesh = inspector.key.mesh;
                if let Some(target) = rows.get(inspector.cursor).and_then(Row::target).cloned() {
                    self.follow(target.view, Key { mesh, key: target.key });
                }
            }
            Command::NextPanel | Command::PreviousPanel | Command::NextView | Command::PreviousView => {
                let links: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].target().is_some()).collect();
                let next = if matches!(command, Command::NextPanel | Command::NextView) {
                    links.iter().find(|&&i| i > inspector.cursor).or(links.first())
                } else {
                    links.iter().rev().find(|&&i| i < inspector.cursor).or(links.last())
                };
                if let Some(&to) = next {
                    inspector.go(to, rows.len());
                }
            }
            Command::Copy | Command::CopyAll => {
                let text = if command == Command::Copy { page.title.clone() } else { plain(&page) };
                return Some(self.copied(text));
            }
            _ if ACTS.contains(&command) => return None,
            Command::Help
            | Command::Palette
            | Command::Find
            | Command::Earlier
            | Command::Later
            | Command::View(_)
            | Command::SavedViews
            | Command::Hints
            | Command::Saved(_)
            | Command::Pause
            | Command::Refresh
            | Command::Faster
            | Command::Slower
            | Command::Theme
            | Command::Zone
            | Command::Recover
            | Command::Acknowledge
            | Command::Mouse
            | Command::Redraw
            | Command::Suspend
            | Command::Leave => {
                if matches!(command, Command::View(_)) {
                    self.overlay = None;
                }
                return None;
            }
            _ => {
                let to = moved(inspector.cursor, command, inspector.height, rows.len())?;
                inspector.go(to, rows.len());
            }
        }
        Some(Vec::new())
    }

    fn step_back(&mut self) {
        let Some(Overlay::Inspector(inspector)) = &mut self.overlay else { return };
        match inspector.trail.pop() {
            None => self.overlay = None,
            Some((view, key)) => {
                let trail = std::mem::take(&mut inspector.trail);
                let height = inspector.height;
                self.overlay =
                    Some(Overlay::Inspector(Inspector { trail, height, ..Inspector::on(view, key.clone()) }));
                self.show_thing(view, &key);
            }
        }
    }

    /// Goes where a link leads.
    pub(super) fn follow(&mut self, view: ViewId, key: Key) {
        let trail = match &self.overlay {
            Some(Overlay::Inspector(now)) => {
                let mut trail = now.trail.clone();
                trail.push((now.view, now.key.clone()));
                trail
            }
            _ => Vec::new(),
        };
        if VIEWS[view.index()].list.is_none() {
            self.overlay = None;
            self.show(view);
            return;
        }
        self.show_thing(view, &key);
        self.overlay = Some(Overlay::Inspector(Inspector { trail, ..Inspector::on(view, key) }));
    }

    /// Shows a thing in its view; a filter that hides it is taken away, and said so.
    pub(in crate::app) fn show_thing(&mut self, view: ViewId, key: &Key) {
        self.show(view);
        let Some(list) = self.list() else { return };
        if self.tables[view.index()].select(key, list, &self.workspace) {
            return;
        }
        let table = &mut self.tables[view.index()];
        if !table.filter.is_empty() {
            table.filter.clear();
            self.refresh_tables();
            self.tables[view.index()].select(key, list, &self.workspace);
            self.toast("the filter of this view was cleared to show it", Role::Dim);
        }
    }

    /// Keys while the palette is open: they are typed, but for those that choose.
    pub(super) fn type_palette(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(Overlay::Palette { input, selected }) = &mut self.overlay else { return Vec::new() };
        let (typed, at) = (input.value().to_owned(), *selected);
        if let Some(by) = choice_step(key) {
            self.move_palette(by);
            return Vec::new();
        }
        match key.code {
            KeyCode::Esc => self.overlay = None,
            KeyCode::Enter => {
                let found = entries(self, &typed);
                let chosen = found.get(at).map(|entry| entry.choice.clone());
                return self.choose(chosen, &typed);
            }
            _ => {
                super::edit(input, key);
                *selected = 0;
            }
        }
        Vec::new()
    }

    fn move_palette(&mut self, by: isize) {
        let Some(Overlay::Palette { input, selected }) = &self.overlay else { return };
        let to = next_choice(*selected, by, entries(self, input.value()).len());
        if let Some(Overlay::Palette { selected, .. }) = &mut self.overlay {
            *selected = to;
        }
    }

    /// Does what a palette entry says.
    pub(super) fn choose(&mut self, choice: Option<Choice>, typed: &str) -> Vec<Effect> {
        self.overlay = None;
        match choice {
            None => {
                self.toast(format!("there is no command \"{}\"", crate::model::text::scrub(typed)), Role::Alert);
                Vec::new()
            }
            Some(Choice::Command(command)) => self.run(command),
            Some(Choice::Theme(theme)) => {
                self.options.theme = theme;
                Vec::new()
            }
            Some(Choice::Own(at)) => self.start_own(at),
            Some(Choice::Interval(interval)) => self.set_interval(interval),
            Some(Choice::At(typed)) => self.go_to(&typed),
            Some(Choice::Acknowledge(span)) => self.acknowledge(Some(span)),
            Some(Choice::Repo(repo)) => {
                self.set_repo(repo);
                Vec::new()
            }
            Some(Choice::Mesh(mesh)) => {
                self.toast(format!("opening mesh {mesh}"), Role::Dim);
                vec![Effect::Mesh(mesh)]
            }
        }
    }
}

/// How far a key moves among choices while one types; nothing for keys that do not.
pub(super) fn choice_step(key: KeyEvent) -> Option<isize> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Down | KeyCode::Tab => Some(1),
        KeyCode::Up | KeyCode::BackTab => Some(-1),
        KeyCode::Char('n' | 'j') if control => Some(1),
        KeyCode::Char('p' | 'k') if control => Some(-1),
        _ => None,
    }
}

/// The choice after or before one of so many. Round and round: above the first is the last.
pub(super) fn next_choice(selected: usize, by: isize, choices: usize) -> usize {
    let n = choices.max(1);
    if by < 0 { (selected + n - 1) % n } else { (selected + 1) % n }
}

/// Where a movement leads in a list of `n`; `None` for what is no movement.
fn moved(at: usize, command: Command, page: usize, n: usize) -> Option<usize> {
    let last = n.saturating_sub(1);
    let page = page.max(2) - 1;
    Some(match command {
        Command::Down => (at + 1).min(last),
        Command::Up => at.saturating_sub(1),
        Command::PageDown => (at + page).min(last),
        Command::PageUp => at.saturating_sub(page),
        Command::HalfDown => (at + page / 2).min(last),
        Command::HalfUp => at.saturating_sub(page / 2),
        Command::Top => 0,
        Command::Bottom => last,
        _ => return None,
    })
}

/// A page as plain text, for the clipboard.
pub(super) fn plain(page: &Inspection) -> String {
    let mut out = format!("{}\n", page.title);
    for row in page.rows(true) {
        let line = match row {
            Row::Json(text) => text.to_owned(),
            Row::Line(Line::Heading(text)) => text.to_uppercase(),
            Row::Line(Line::Field { label, value, .. }) => format!("{label}: {value}"),
            Row::Line(Line::Link { label, value, .. }) => format!("{label}: {value}"),
            Row::Line(Line::Text(text, _)) => text.clone(),
            Row::Line(Line::Picture(pieces)) => pieces.iter().map(|(text, _)| text.as_str()).collect(),
            Row::Line(Line::Json { .. }) => continue,
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}
