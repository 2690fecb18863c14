//! The mesh at a glance: status, nodes, contended and expiring locks, stuck work, rates, sources.

use std::sync::Arc;

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::app::mouse::Hit;
use crate::app::status::worst_first;
use crate::app::view_id::ViewId;
use crate::app::workspace::{Key, Workspace};
use crate::columns::role::{Role, State};
use crate::mesh::derive::locks::{LockState, LockView};
use crate::mesh::derive::sources::SourceHealth;
use crate::mesh::derive::{Snapshot, Stuck};
use crate::mesh::rates::Tally;
use crate::model::source::Aspect;
use crate::model::text::{fit, fit_middle};
use crate::model::time::{count, short};
use crate::ui::Canvas;
use crate::ui::views::sources;
use crate::ui::widgets::{heatmap, sparkline};

/// One of the counts of what happens.
type Rate = fn(&Tally) -> u64;

/// The room that the sentence of a status is given before its figures have any.
const SENTENCE: usize = 24;

/// A line that leads somewhere.
struct Item {
    left: String,
    right: String,
    role: Role,
    thing: Option<(ViewId, Key)>,
    /// The mesh it is of, where there are several.
    of: Option<String>,
    /// Lower goes first where several meshes have some.
    order: i64,
}

/// Draws the page.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let workspace = canvas.app.workspace.clone();
    if !workspace.has_answer() {
        let lines = vec![Line::raw(""), Line::from(canvas.span("  waiting for the first answers ...", Role::Dim))];
        canvas.text(area, lines);
        return;
    }
    let several = workspace.is_several();
    // What is wrong comes before what it is known from.
    let tight = several && area.height < 30;
    let heads = usize::from(!tight);
    let known_from: usize = workspace.snapshots().map(|(_, p)| p.mesh.sources.len().clamp(1, 6) + heads).sum();
    let known_from = u16::try_from(known_from).unwrap_or(u16::MAX);
    let node_rows = node_rows(&workspace, area);
    let statuses = match (several, canvas.app.on_wall()) {
        (true, _) => u16::try_from(workspace.len()).unwrap_or(u16::MAX).min(area.height / 4),
        // A wall says the status above, in larger letters.
        (false, true) => 0,
        (false, false) => 1,
    };
    let [top, nodes, middle, rates, bottom] = Layout::vertical([
        Constraint::Length(if statuses == 0 { 0 } else { statuses + u16::from(area.height >= 18) }),
        // A blank stands below.
        Constraint::Length(node_rows.iter().map(|(_, rows)| rows).sum::<u16>() + 1),
        Constraint::Fill(1),
        Constraint::Length(if area.height >= 18 && !tight { 3 } else { 0 }),
        Constraint::Length(known_from.min(area.height / if tight { 4 } else { 3 })),
    ])
    .areas(area);
    if top.height > 0 && several {
        each_status(canvas, top, &workspace);
    } else if let (1.., Some((_, p))) = (top.height, workspace.snapshots().next()) {
        status(canvas, top, p);
    }
    let mut y = nodes.y;
    for (mesh, rows) in node_rows {
        let height = rows.min(nodes.bottom().saturating_sub(y));
        heatmap::draw(canvas, Rect { y, height, ..nodes }, mesh);
        y += height;
    }
    let now = canvas.app.shown_ms();
    let contended = || gathered(&workspace, |p| contended(p, now));
    let lacking: Option<Vec<String>> = workspace.snapshots().map(|(_, p)| p.mesh.lacks(Aspect::Waiters)).collect();
    let lacking = lacking.and_then(|all| all.into_iter().next());
    let nobody = lacking.map_or_else(|| "no waiters known".into(), |lacking| format!("waiters {lacking}"));
    let expiring = || gathered(&workspace, |p| expiring(p, now));
    let stuck = || gathered(&workspace, |p| stuck(p, now));
    if area.width >= 100 {
        let [left, center, right] = Layout::horizontal([Constraint::Fill(1); 3]).areas(middle);
        panel(canvas, left, "CONTENDED LOCKS", &nobody, contended());
        panel(canvas, center, "SOONEST TO EXPIRE", "no lock is running out", expiring());
        panel(canvas, right, "STUCK WORK", "nothing is stuck", stuck());
    } else {
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(middle);
        let [upper, lower] = Layout::vertical([Constraint::Fill(1); 2]).areas(left);
        panel(canvas, upper, "CONTENDED LOCKS", &nobody, contended());
        panel(canvas, lower, "SOONEST TO EXPIRE", "no lock is running out", expiring());
        panel(canvas, right, "STUCK WORK", "nothing is stuck", stuck());
    }
    draw_rates(canvas, rates, &workspace);
    sources::draw(canvas, bottom, &workspace, !tight);
}

/// Which meshes' nodes are shown, in their order, and in how many rows: the worst, where not all have room.
fn node_rows(workspace: &Workspace, area: Rect) -> Vec<(usize, u16)> {
    let mut shown: Vec<usize> = worst_first(workspace).into_iter().map(|(mesh, _)| mesh).collect();
    shown.retain(|mesh| workspace.snapshot(*mesh).is_some());
    shown.truncate(usize::from(area.height / 6).max(1));
    shown.sort_unstable();
    let most = area.height / 3 / u16::try_from(shown.len()).unwrap_or(1).max(1);
    let rows = |mesh: usize| {
        let nodes = workspace.snapshot(mesh).map_or(0, |p| p.nodes.len());
        (mesh, heatmap::rows(nodes, area.width).min(most).max(2))
    };
    shown.into_iter().map(rows).collect()
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

fn status(canvas: &mut Canvas<'_, '_>, area: Rect, p: &Snapshot) {
    let (worst, role) = canvas.app.status();
    let figures = figures(p);
    let room = usize::from(area.width).saturating_sub(figures.width() + 5);
    let worst = worst.split("  (+").next().unwrap_or_default();
    let line = Line::from(vec![
        canvas.span(format!(" {}", fit(worst, room)), role),
        canvas.span(format!("   {figures}"), Role::Dim),
    ]);
    canvas.layout.hits.add(area.x, area.y, area.width, 1, Hit::View(ViewId::Findings));
    canvas.text(area, vec![line]);
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

/// What every mesh has of something, the worst first.
fn gathered(workspace: &Workspace, of: impl Fn(&Snapshot) -> Vec<Item>) -> Vec<Item> {
    let of_mesh = |(mesh, snapshot): (usize, &Arc<Snapshot>)| {
        let name = workspace.is_several().then(|| workspace.name(mesh).to_owned());
        let placed = move |mut item: Item| {
            item.of.clone_from(&name);
            if let Some((_, key)) = &mut item.thing {
                key.mesh = mesh;
            }
            item
        };
        of(snapshot).into_iter().map(placed).collect::<Vec<_>>()
    };
    let mut all: Vec<Item> = workspace.snapshots().flat_map(of_mesh).collect();
    if workspace.is_several() {
        all.sort_by_key(|item| item.order);
    }
    all
}

fn panel(canvas: &mut Canvas<'_, '_>, area: Rect, title: &str, none: &str, items: Vec<Item>) {
    if area.height == 0 {
        return;
    }
    let width = usize::from(area.width).saturating_sub(3);
    let rows = usize::from(area.height) - 1;
    let mut lines = vec![Line::from(canvas.span(format!(" {title}"), Role::Title))];
    if items.is_empty() {
        lines.push(Line::from(canvas.span(format!(" {none}"), Role::Dim)));
    }
    let names = items.iter().filter_map(|item| item.of.as_ref()).map(|name| name.width() + 1).max().unwrap_or(0);
    let names = names.min(width / 4);
    for (y, item) in (1u16..).zip(items.into_iter().take(rows)) {
        let of = fit(item.of.as_deref().unwrap_or_default(), names.saturating_sub(1)).into_owned();
        let room = width.saturating_sub(names + item.right.width() + 2);
        let left = fit_middle(&item.left, room).into_owned();
        let gap = " ".repeat(width.saturating_sub(names + left.width() + item.right.width()));
        lines.push(Line::from(vec![
            canvas.span(format!(" {of}{}", " ".repeat(names - of.width())), Role::Dim),
            canvas.span(left, item.role),
            Span::raw(gap),
            canvas.span(item.right, Role::Dim),
        ]));
        if let Some((view, key)) = item.thing {
            canvas.layout.hits.add(area.x, area.y + y, area.width, 1, Hit::Thing(view, key));
        }
    }
    canvas.text(area, lines);
}

/// A state's meaning; what an old source said never looks live.
fn role(state: &impl State, as_of_ms: Option<i64>) -> Role {
    if as_of_ms.is_some() { Role::Old } else { state.role() }
}

/// An age; one that is as of the last answer of an old source is marked.
fn span(ms: Option<i64>, as_of_ms: Option<i64>) -> String {
    let old = if as_of_ms.is_some() { "~" } else { "" };
    ms.map(|ms| format!("{}{old}", short(ms))).unwrap_or_default()
}

fn contended(p: &Snapshot, now: i64) -> Vec<Item> {
    let item = |l: &std::sync::Arc<LockView>| {
        let longest = l
            .waiters
            .iter()
            .filter_map(|w| w.since_ms)
            .min()
            .map(|at| span(Some(l.as_of_ms.unwrap_or(now) - at), l.as_of_ms));
        let longest = longest.unwrap_or_default();
        Item {
            left: format!("{} {}", l.state.glyph(), l.name()),
            right: format!("{} wait {longest:>6}", l.waiters.len()),
            role: role(&l.state, l.as_of_ms),
            thing: Some((ViewId::Locks, Key::new(0, l.key()))),
            of: None,
            order: -i64::try_from(l.waiters.len()).unwrap_or(i64::MAX),
        }
    };
    p.marked.contended.iter().map(item).collect()
}

fn expiring(p: &Snapshot, now: i64) -> Vec<Item> {
    let item = |l: &std::sync::Arc<LockView>| Item {
        left: format!("{} {}", l.state.glyph(), l.name()),
        right: span(l.ttl_ms(now), l.as_of_ms),
        // A lock that is well is of no interest here but for its time.
        role: if l.state == LockState::Held && l.as_of_ms.is_none() {
            Role::Normal
        } else {
            role(&l.state, l.as_of_ms)
        },
        thing: Some((ViewId::Locks, Key::new(0, l.key()))),
        of: None,
        order: l.expires_ms.unwrap_or(i64::MAX),
    };
    p.marked.ending.iter().map(item).collect()
}

fn stuck(p: &Snapshot, now: i64) -> Vec<Item> {
    let item = |stuck: &Stuck| match stuck {
        Stuck::Message(m) => Item {
            left: format!(
                "{} {} {} to {}",
                m.state.glyph(),
                m.message.msg_type,
                m.message.name(),
                m.message.receiver_agent
            ),
            right: span(m.age_ms(now), m.as_of_ms),
            role: role(&m.state, m.as_of_ms),
            thing: Some((ViewId::Messages, Key::new(0, m.key()))),
            of: None,
            order: m.age_ms(now).map_or(0, |age| -age),
        },
        Stuck::Task(t) => {
            let owner = t.owner_node.as_ref().map_or("?", |n| n.as_str());
            Item {
                left: format!("{} task {} with {owner}", t.state.glyph(), t.task),
                right: span(t.age_ms(now), t.as_of_ms),
                role: role(&t.state, t.as_of_ms),
                thing: Some((ViewId::Tasks, Key::new(0, t.key()))),
                of: None,
                order: t.age_ms(now).map_or(0, |age| -age),
            }
        }
    };
    p.marked.stuck.iter().map(item).collect()
}

fn draw_rates(canvas: &mut Canvas<'_, '_>, area: Rect, workspace: &Workspace) {
    if area.height < 3 {
        return;
    }
    let mut all = workspace.snapshots().map(|(_, p)| &p.mesh.rates);
    let mut rates = all.next().cloned().unwrap_or_default();
    all.for_each(|other| rates.join(other));
    let series: [(&str, Rate); 4] = [
        ("acquired", |t| t.acquired),
        ("released", |t| t.released),
        ("delivered", |t| t.delivered),
        (if area.width < 100 { "acked" } else { "acknowledged" }, |t| t.acknowledged),
    ];
    let columns = Layout::horizontal([Constraint::Fill(1); 4]).split(area);
    for (column, (name, of)) in columns.iter().zip(series) {
        let width = usize::from(column.width).saturating_sub(2);
        let text = fit(&format!("{name} {}/min", count(rates.per_minute(of))), width).into_owned();
        canvas.text(*column, vec![Line::raw(""), Line::from(canvas.span(format!(" {text}"), Role::Dim))]);
        let width = column.width.saturating_sub(2).min(60);
        let bars = Rect { x: column.x + 1, y: column.y + 2, width, height: 1 };
        sparkline::draw(canvas, bars, &rates.series(of));
    }
}
