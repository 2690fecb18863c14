//! The mesh at a glance, by need: what is wrong, who is silent, who waits, what is stuck, how much happens, and what all
//! of it is known from.

mod panel;
mod rates;
mod room;

use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use self::panel::Head;
use self::room::{Rooms, Wants};
use crate::app::mouse::Hit;
use crate::app::overview::{self, Panel};
use crate::app::status::worst_first;
use crate::app::view_id::ViewId;
use crate::app::workspace::Workspace;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::locks::LockState;
use crate::mesh::derive::sources::SourceHealth;
use crate::mesh::derive::staleness::Staleness;
use crate::model::source::Aspect;
use crate::model::text::fit;
use crate::ui::Canvas;
use crate::ui::views::sources;
use crate::ui::widgets::heatmap;

/// The room that the sentence of a status is given before its figures have any.
const SENTENCE: usize = 24;

/// Draws the page.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let workspace = canvas.app.workspace.clone();
    if !workspace.has_answer() {
        let lines = vec![Line::raw(""), Line::from(canvas.span("  waiting for the first answers ...", Role::Dim))];
        canvas.text(area, lines);
        return;
    }
    let rows = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let listed = |panel| rows(overview::count(&workspace, panel).0);
    let wants = Wants {
        statuses: if workspace.is_several() { rows(workspace.len()) } else { 0 },
        findings: listed(Panel::Findings),
        nodes: node_rows(&workspace, area.width, heatmap::rows),
        nodes_roomy: node_rows(&workspace, area.width, heatmap::roomy),
        queues: listed(Panel::Queues),
        work: listed(Panel::Work),
        events: listed(Panel::Events),
        sources: rows(workspace.snapshots().map(|(_, p)| p.mesh.sources.len()).sum()),
    };
    let rooms = room::plan(area, wants, canvas.app.options.frames);
    if rooms.statuses.height > 0 {
        each_status(canvas, rooms.statuses, &workspace);
    }
    findings(canvas, rooms, &workspace);
    nodes(canvas, rooms, &workspace);
    queues(canvas, rooms, &workspace);
    work(canvas, rooms, &workspace);
    rates::draw(canvas, rooms.rates, rooms.framed, &workspace);
    if rooms.events.height > 0 {
        let head = Head { key: "0", title: "Events", counts: Vec::new(), focused: false };
        list(canvas, rooms.events, rooms.framed, Panel::Events, head);
    }
    if rooms.sources.height == 0 {
        return;
    }
    let head = Head { key: "", title: "Sources", counts: Vec::new(), focused: false };
    let inside = panel::frame(canvas, rooms.sources, rooms.framed, head);
    sources::draw(canvas, inside, &workspace);
}

/// The lines of a panel below its head.
fn list(canvas: &mut Canvas<'_, '_>, area: Rect, framed: bool, panel: Panel, mut head: Head<'_>) {
    head.focused = canvas.app.overview.panel == panel && !canvas.app.on_wall();
    let inside = panel::frame(canvas, area, framed, head);
    panel::lines(canvas, inside, panel);
}

fn findings(canvas: &mut Canvas<'_, '_>, rooms: Rooms, workspace: &Workspace) {
    let area = rooms.findings;
    let (critical, warnings) =
        workspace.snapshots().fold((0, 0), |(c, w), (_, p)| (c + p.counts.critical, w + p.counts.warnings));
    if overview::count(workspace, Panel::Findings).1 == 0 {
        let heard = workspace.snapshots().all(|(_, p)| p.sources.iter().all(|s| s.health == SourceHealth::Live));
        let size = |of: fn(&Snapshot) -> usize| workspace.snapshots().map(|(_, p)| of(p)).sum::<usize>();
        let sizes = format!(
            "{} nodes, {} locks, {} tasks",
            size(|p| p.nodes.len()),
            size(|p| p.locks.len()),
            size(|p| p.counts.open_tasks)
        );
        let (text, role) = if heard { ("✓ nothing is wrong", Role::Healthy) } else { ("no findings", Role::Dim) };
        canvas.layout.hits.add(area.x, area.y, area.width, 1, Hit::View(ViewId::Findings));
        panel::nothing(canvas, area, &format!("{text}: {sizes}"), role);
        return;
    }
    let counts = [(critical, "critical", Role::Dead), (warnings, "warnings", Role::Warn)];
    let count = |(n, what, role): (usize, &str, Role)| {
        let what = if n == 1 { what.trim_end_matches('s') } else { what };
        (n > 0).then(|| (format!("{n} {what}"), role))
    };
    let head =
        Head { key: "7", title: "Findings", counts: counts.into_iter().filter_map(count).collect(), focused: false };
    list(canvas, area, rooms.framed, Panel::Findings, head);
}

fn nodes(canvas: &mut Canvas<'_, '_>, rooms: Rooms, workspace: &Workspace) {
    let mut levels = [0; 6];
    for (_, p) in workspace.snapshots() {
        levels.iter_mut().zip(p.counts.nodes).for_each(|(sum, n)| *sum += n);
    }
    if levels.iter().sum::<usize>() == 0 {
        panel::nothing(canvas, rooms.nodes, "2 Nodes  none known", Role::Dim);
        return;
    }
    let focused = canvas.app.overview.panel == Panel::Nodes && !canvas.app.on_wall();
    let head = Head { key: "2", title: "Nodes", counts: level_counts(&levels), focused };
    let inside = panel::frame(canvas, rooms.nodes, rooms.framed, head);
    let mut shown: Vec<usize> = worst_first(workspace).into_iter().map(|(mesh, _)| mesh).collect();
    shown.retain(|mesh| workspace.snapshot(*mesh).is_some_and(|p| !p.nodes.is_empty()));
    if !workspace.is_several() {
        for mesh in shown {
            heatmap::draw(canvas, inside, mesh);
        }
        return;
    }
    shown.truncate(usize::from(inside.height / 2).max(1));
    shown.sort_unstable();
    let each = inside.height / u16::try_from(shown.len()).unwrap_or(1).max(1);
    let mut y = inside.y;
    for mesh in shown {
        let Some(snapshot) = workspace.snapshot(mesh).cloned() else { continue };
        let mut spans = vec![canvas.span(format!(" {}", workspace.name(mesh)), Role::Normal)];
        for (text, role) in level_counts(&snapshot.counts.nodes) {
            spans.push(canvas.span(format!("  {text}"), role));
        }
        let height = (heatmap::rows(snapshot.nodes.len(), inside.width) + 1).min(each.max(2)).min(inside.bottom() - y);
        canvas.text(Rect { y, height: height.min(1), ..inside }, vec![Line::from(spans)]);
        heatmap::draw(canvas, Rect { y: y + 1, height: height.saturating_sub(1), ..inside }, mesh);
        y = (y + height).min(inside.bottom());
        if y == inside.bottom() {
            break;
        }
    }
}

/// How many nodes there are of each level, the worst first. Healthy ones are no news.
fn level_counts(levels: &[usize; 6]) -> Vec<(String, Role)> {
    use strum::IntoEnumIterator as _;
    let mut known: Vec<(Staleness, usize)> =
        Staleness::iter().map(|level| (level, levels[level as usize])).filter(|(_, n)| *n > 0).collect();
    known.sort_by_key(|(level, _)| std::cmp::Reverse(level.rank()));
    let count = |(level, n): (Staleness, usize)| (format!("{} {n} {level}", level.glyph()), level.role());
    known.into_iter().map(count).collect()
}

/// Rows that the nodes of every mesh would take.
fn node_rows(workspace: &Workspace, width: u16, of: fn(usize, u16) -> u16) -> u16 {
    let heads = u16::from(workspace.is_several());
    let rows = |(_, p): (usize, &std::sync::Arc<Snapshot>)| match p.nodes.len() {
        0 => 0,
        n => of(n, width.saturating_sub(2)) + heads,
    };
    workspace.snapshots().map(rows).fold(0, u16::saturating_add)
}

fn queues(canvas: &mut Canvas<'_, '_>, rooms: Rooms, workspace: &Workspace) {
    let (_, n) = overview::count(workspace, Panel::Queues);
    if n == 0 {
        let lacking: Option<Vec<String>> = workspace.snapshots().map(|(_, p)| p.mesh.lacks(Aspect::Waiters)).collect();
        let lacking = lacking.and_then(|all| all.into_iter().next());
        let held: usize = workspace.snapshots().map(|(_, p)| p.locks.len()).sum();
        let text = lacking.map_or_else(
            || format!("3 Queues  nobody is known to wait for one of {held} locks"),
            |lacking| format!("3 Queues  waiters {lacking}"),
        );
        canvas.layout.hits.add(rooms.queues.x, rooms.queues.y, rooms.queues.width, 1, Hit::View(ViewId::Locks));
        panel::nothing(canvas, rooms.queues, &text, Role::Dim);
        return;
    }
    // Who holds what is waited for and says nothing is trouble to come.
    let silent = |l: &LockState| l.order() > LockState::Held.order();
    let risky: usize =
        workspace.snapshots().map(|(_, p)| p.marked.contended.iter().filter(|l| silent(&l.state)).count()).sum();
    let risky = (risky > 0).then(|| (format!("{risky} not well"), Role::Alert));
    let locks = if n == 1 { "1 lock is waited for".to_owned() } else { format!("{n} locks are waited for") };
    let counts = std::iter::once((locks, Role::Warn)).chain(risky).collect();
    let head = Head { key: "3", title: "Queues", counts, focused: false };
    list(canvas, rooms.queues, rooms.framed, Panel::Queues, head);
}

fn work(canvas: &mut Canvas<'_, '_>, rooms: Rooms, workspace: &Workspace) {
    let (_, n) = overview::count(workspace, Panel::Work);
    if n == 0 {
        let open: usize = workspace.snapshots().map(|(_, p)| p.counts.open_tasks).sum();
        canvas.layout.hits.add(rooms.work.x, rooms.work.y, rooms.work.width, 1, Hit::View(ViewId::Tasks));
        panel::nothing(canvas, rooms.work, &format!("5 Work  nothing is stuck, {open} tasks are open"), Role::Dim);
        return;
    }
    let head = Head { key: "5", title: "Work", counts: vec![(format!("{n} do not move"), Role::Warn)], focused: false };
    list(canvas, rooms.work, rooms.framed, Panel::Work, head);
}

/// How many troubles a mesh has; how large it is, where it has none.
fn figures(p: &Snapshot) -> String {
    match (p.counts.critical, p.counts.warnings) {
        (0, 0) => format!("{} nodes, {} locks, {} tasks", p.nodes.len(), p.locks.len(), p.counts.open_tasks),
        (0, 1) => "1 warning".into(),
        (0, n) => format!("{n} warnings"),
        (n, 0) => format!("{n} critical"),
        (n, 1) => format!("{n} critical, 1 warning"),
        (n, m) => format!("{n} critical, {m} warnings"),
    }
}

/// A status for each mesh, in their order, so that none has to be looked for; the worst, where not all have room.
fn each_status(canvas: &mut Canvas<'_, '_>, area: Rect, workspace: &Workspace) {
    let names = workspace.name_width().min(usize::from(area.width) / 4);
    let mut shown = worst_first(workspace);
    shown.truncate(usize::from(area.height));
    shown.sort_by_key(|(mesh, _)| *mesh);
    let mut lines = Vec::new();
    for (mesh, status) in shown {
        let heard = workspace.snapshot(mesh).filter(|p| p.sources.iter().any(|s| s.health != SourceHealth::Starting));
        let name = fit(workspace.name(mesh), names).into_owned();
        let room = usize::from(area.width).saturating_sub(names + 6);
        let figures = heard.map(|p| figures(p)).unwrap_or_default();
        // What is wrong is said before how much.
        let figures = if figures.width() + 3 + SENTENCE <= room { figures } else { String::new() };
        let summary = fit(&status.summary, room.saturating_sub(figures.width() + 3)).into_owned();
        lines.push(Line::from(vec![
            canvas.span(format!(" {} {name:<names$}  {summary}", status.glyph), status.role),
            canvas.span(format!("   {figures}"), Role::Dim),
        ]));
    }
    canvas.layout.hits.add(area.x, area.y, area.width, area.height, Hit::View(ViewId::Findings));
    canvas.text(area, lines);
}
