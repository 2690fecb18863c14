//! The mouse: a click selects, a second click on the same opens, the wheel scrolls, a title sorts.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::super::command::Command;
use super::super::mouse::Hit;
use super::super::overlay::Overlay;
use super::super::palette::entries;
use super::super::{App, Effect};
use crate::app::view_id::ViewId;
use crate::app::workspace::Key;

/// Rows that one notch of the wheel moves.
const NOTCH: isize = 3;

impl App {
    pub(super) fn pointer(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        match mouse.kind {
            MouseEventKind::ScrollDown => self.wheel(NOTCH),
            MouseEventKind::ScrollUp => self.wheel(-NOTCH),
            MouseEventKind::Down(MouseButton::Left) => match self.hits.at(mouse.column, mouse.row).cloned() {
                Some(hit) => self.click(hit),
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn wheel(&mut self, by: isize) -> Vec<Effect> {
        if self.overlay.is_some() {
            let command = if by > 0 { Command::Down } else { Command::Up };
            for _ in 0..by.unsigned_abs() {
                self.run_in_overlay(command);
            }
        } else if self.view == ViewId::Overview {
            self.overview_step(by);
        } else if let Some(list) = self.list() {
            self.tables[self.view.index()].scroll(by, list, &self.workspace);
        }
        Vec::new()
    }

    fn click(&mut self, hit: Hit) -> Vec<Effect> {
        match hit {
            Hit::View(view) => {
                self.overlay = None;
                self.show(view);
            }
            Hit::Node(mesh, place) => {
                let node = self.workspace.snapshot(mesh).and_then(|p| p.marked.worst.get(place));
                if let Some(node) = node {
                    let key = Key::new(mesh, node.key.raw());
                    return self.click(Hit::Thing(ViewId::Nodes, key));
                }
            }
            Hit::Column(column) => self.sort_by(column),
            Hit::Row(place) => {
                let Some(list) = self.list() else { return Vec::new() };
                let table = &mut self.tables[self.view.index()];
                let row = table.offset + place;
                if row == table.cursor {
                    return self.run(Command::Open);
                }
                if row < table.rows.len() {
                    table.go(row, list, &self.workspace);
                }
            }
            Hit::Line(place) => {
                let page = self.inspection().unwrap_or_default();
                let Some(Overlay::Inspector(inspector)) = &mut self.overlay else { return Vec::new() };
                let line = inspector.offset + place;
                let rows = page.rows(inspector.unfolded);
                inspector.go(line, rows.len());
                let mesh = inspector.key.mesh;
                if let Some(target) = rows.get(line).and_then(super::super::inspect::Row::target).cloned() {
                    self.follow(target.view, Key { mesh, key: target.key });
                }
            }
            Hit::Entry(place) => match &self.overlay {
                Some(Overlay::Palette { input, .. }) => {
                    let typed = input.value().to_owned();
                    let chosen = entries(self, &typed).get(place).map(|entry| entry.choice.clone());
                    return self.choose(chosen, &typed);
                }
                Some(Overlay::Find(_)) => self.go_to_found(place),
                Some(Overlay::Sort { .. }) => {
                    self.overlay = None;
                    self.sort_by(place);
                }
                Some(Overlay::Columns { .. }) => return self.toggle_column(place),
                Some(Overlay::Saved { .. }) => return self.open_saved(place),
                _ => {}
            },
            Hit::Thing(view, key) => self.follow(view, key),
            Hit::Item(panel, view, key) => {
                if self.overview_select(panel, (view, key)) {
                    return self.run(Command::Open);
                }
            }
        }
        Vec::new()
    }
}
