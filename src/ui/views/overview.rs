//! The mesh at a glance: verdict, nodes, contended and expiring locks, stuck work, rates, sources.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::app::mouse::Hit;
use crate::app::role::{Role, State};
use crate::app::views::ViewId;
use crate::data::derive::locks::{LockState, LockView};
use crate::data::derive::{Picture, Stuck};
use crate::data::mesh::rates::Tally;
use crate::text::{fit, fit_middle};
use crate::time::{bytes, count, latency, short};
use crate::ui::Canvas;
use crate::ui::widgets::{heatmap, sparkline};

/// One of the counts of what happens.
type Rate = fn(&Tally) -> u64;

/// A line that leads somewhere.
struct Item {
    left: String,
    right: String,
    role: Role,
    thing: Option<(ViewId, String)>,
}

/// Draws the page.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let Some(picture) = canvas.app.picture.clone() else {
        let lines = vec![Line::raw(""), Line::from(canvas.span("  asking the sources ...", Role::Dim))];
        canvas.text(area, lines);
        return;
    };
    let p = &*picture;
    let sources = u16::try_from(p.mesh.sources.len()).unwrap_or(u16::MAX).clamp(1, 6) + 1;
    let node_rows = heatmap::rows(p.nodes.len(), area.width).min(area.height / 3).max(2);
    let [top, nodes, middle, rates, bottom] = Layout::vertical([
        // A wall says the verdict above, in larger letters.
        Constraint::Length(if canvas.app.on_wall() { 0 } else { 1 + u16::from(area.height >= 18) }),
        // A blank stands below.
        Constraint::Length(node_rows + 1),
        Constraint::Fill(1),
        Constraint::Length(if area.height >= 18 { 3 } else { 0 }),
        Constraint::Length(sources.min(area.height / 3)),
    ])
    .areas(area);
    if top.height > 0 {
        verdict(canvas, top, p);
    }
    heatmap::draw(canvas, Rect { height: node_rows.min(nodes.height), ..nodes }, p);
    if area.width >= 100 {
        let [left, center, right] = Layout::horizontal([Constraint::Fill(1); 3]).areas(middle);
        panel(canvas, left, "CONTENDED LOCKS", "no waiters known", contended(p, canvas.app.shown_ms()));
        panel(canvas, center, "SOONEST TO EXPIRE", "no lock is running out", expiring(p, canvas.app.shown_ms()));
        panel(canvas, right, "STUCK WORK", "nothing is stuck", stuck(p, canvas.app.shown_ms()));
    } else {
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(middle);
        let [upper, lower] = Layout::vertical([Constraint::Fill(1); 2]).areas(left);
        panel(canvas, upper, "CONTENDED LOCKS", "no waiters known", contended(p, canvas.app.shown_ms()));
        panel(canvas, lower, "SOONEST TO EXPIRE", "no lock is running out", expiring(p, canvas.app.shown_ms()));
        panel(canvas, right, "STUCK WORK", "nothing is stuck", stuck(p, canvas.app.shown_ms()));
    }
    draw_rates(canvas, rates, p);
    draw_sources(canvas, bottom, p);
}

fn verdict(canvas: &mut Canvas<'_, '_>, area: Rect, p: &Picture) {
    let (worst, role) = canvas.app.verdict();
    let (critical, warnings) = (p.counts.critical, p.counts.warnings);
    let figures = match (critical, warnings) {
        (0, 0) => format!("{} nodes, {} locks, {} tasks", p.nodes.len(), p.locks.len(), p.counts.open_tasks),
        (0, 1) => "1 warning".into(),
        (0, n) => format!("{n} warnings"),
        (n, 0) => format!("{n} critical"),
        (n, 1) => format!("{n} critical, 1 warning"),
        (n, m) => format!("{n} critical, {m} warnings"),
    };
    let room = usize::from(area.width).saturating_sub(figures.width() + 5);
    let worst = worst.split("  (+").next().unwrap_or_default();
    let line = Line::from(vec![
        canvas.span(format!(" {}", fit(worst, room)), role),
        canvas.span(format!("   {figures}"), Role::Dim),
    ]);
    canvas.layout.hits.add(area.x, area.y, area.width, 1, Hit::View(ViewId::Findings));
    canvas.text(area, vec![line]);
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
    for (y, item) in (1u16..).zip(items.into_iter().take(rows)) {
        let room = width.saturating_sub(item.right.width() + 2);
        let left = fit_middle(&item.left, room).into_owned();
        let gap = " ".repeat(width.saturating_sub(left.width() + item.right.width()));
        lines.push(Line::from(vec![
            Span::raw(" "),
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

fn contended(p: &Picture, now: i64) -> Vec<Item> {
    let item = |l: &std::sync::Arc<LockView>| {
        let longest = l
            .waiters
            .iter()
            .filter_map(|w| w.since_ms)
            .min()
            .map(|at| span(Some(l.as_of_ms.unwrap_or(now) - at), l.as_of_ms));
        let longest = longest.unwrap_or_default();
        Item {
            left: format!("{} {}", l.state.glyph(), l.lock.lock_key),
            right: format!("{} wait {longest:>6}", l.waiters.len()),
            role: role(&l.state, l.as_of_ms),
            thing: Some((ViewId::Locks, l.key())),
        }
    };
    p.marked.contended.iter().map(item).collect()
}

fn expiring(p: &Picture, now: i64) -> Vec<Item> {
    let item = |l: &std::sync::Arc<LockView>| Item {
        left: format!("{} {}", l.state.glyph(), l.lock.lock_key),
        right: span(l.ttl_ms(now), l.as_of_ms),
        // A lock that is well is of no interest here but for its time.
        role: if l.state == LockState::Held && l.as_of_ms.is_none() {
            Role::Normal
        } else {
            role(&l.state, l.as_of_ms)
        },
        thing: Some((ViewId::Locks, l.key())),
    };
    p.marked.ending.iter().map(item).collect()
}

fn stuck(p: &Picture, now: i64) -> Vec<Item> {
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
            thing: Some((ViewId::Messages, m.key())),
        },
        Stuck::Task(t) => {
            let owner = t.owner_node.as_ref().map_or("?", |n| n.as_str());
            Item {
                left: format!("{} task {} with {owner}", t.state.glyph(), t.task),
                right: span(t.age_ms(now), t.as_of_ms),
                role: role(&t.state, t.as_of_ms),
                thing: Some((ViewId::Tasks, t.key())),
            }
        }
    };
    p.marked.stuck.iter().map(item).collect()
}

fn draw_rates(canvas: &mut Canvas<'_, '_>, area: Rect, p: &Picture) {
    if area.height < 3 {
        return;
    }
    let series: [(&str, Rate); 4] = [
        ("acquired", |t| t.acquired),
        ("released", |t| t.released),
        ("delivered", |t| t.delivered),
        (if area.width < 100 { "acked" } else { "acknowledged" }, |t| t.acknowledged),
    ];
    let columns = Layout::horizontal([Constraint::Fill(1); 4]).split(area);
    for (column, (name, of)) in columns.iter().zip(series) {
        let width = usize::from(column.width).saturating_sub(2);
        let text = fit(&format!("{name} {}/min", count(p.mesh.rates.per_minute(of))), width).into_owned();
        let bars = sparkline::bars(&p.mesh.rates.series(of), width.min(60));
        canvas.text(
            *column,
            vec![
                Line::raw(""),
                Line::from(canvas.span(format!(" {text}"), Role::Dim)),
                Line::from(canvas.span(format!(" {bars}"), Role::Accent)),
            ],
        );
    }
}

fn draw_sources(canvas: &mut Canvas<'_, '_>, area: Rect, p: &Picture) {
    let now = canvas.app.now_ms;
    let mut lines = vec![Line::from(vec![
        canvas.span(" SOURCES", Role::Title),
        canvas.span("  health, last answer, what this console costs at this rate, the last poll", Role::Dim),
    ])];
    for (source, view) in p.mesh.sources.iter().zip(p.sources.iter()) {
        let cost = &source.last_cost;
        let heard = source.health.last_ok_ms.map_or_else(|| "never".into(), |at| format!("{} ago", short(now - at)));
        let spent = match source.meter.rate() {
            Some(rate) => format!(
                "{} rows{} {} trips {} a min, {} rows a month  {}",
                count(rate.rows),
                if rate.told { " read" } else { "" },
                count(rate.round_trips),
                bytes(rate.bytes),
                count(rate.rows_a_month()),
                latency(cost.ms)
            ),
            None => format!("{} rows {} {}", count(cost.rows), bytes(cost.bytes), latency(cost.ms)),
        };
        let note = source.notes.first().map(|note| format!("  {note}")).unwrap_or_default();
        let error = source.health.trouble.as_ref().map(|t| format!("  {}", t.fault)).unwrap_or_default();
        let wait = if view.open { "  (one try in 30 s)" } else { "" };
        let wide = if area.width >= 100 { 24 } else { 15 };
        let name = fit(source.identity.name.as_str(), wide).into_owned();
        let room = usize::from(area.width).saturating_sub(2);
        let text = format!(
            "{} {:<8} {name:<wide$} {heard:>9}  {}{error}{wait}  {spent}{note}",
            view.health.glyph(),
            view.health,
            source.identity.how
        );
        lines.push(Line::from(canvas.span(
            format!(" {}", fit(&text, room)),
            if error.is_empty() { role_of(view) } else { view.health.role() },
        )));
    }
    canvas.text(area, lines);
}

/// A source that does well is of no interest.
fn role_of(view: &crate::data::derive::sources::SourceView) -> Role {
    match view.health {
        crate::data::derive::sources::SourceHealth::Live => Role::Normal,
        other => other.role(),
    }
}
