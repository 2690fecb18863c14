//! The wall: the status and the clock so that they are read from across a room, and under them what the status is
//! about. What is old says so across the screen; the text moves a little, so that nothing burns in.

mod trouble;

use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use super::widgets::big;
use super::{Canvas, views};
use crate::app::on_wall::Silence;
use crate::app::status::{nothing_since, open, status};
use crate::app::view_id::ViewId;
use crate::app::views::VIEWS;
use crate::columns::role::Role;
use crate::model::text::fit;
use crate::model::time::{MINUTE, clock_face, short, zone_name};

/// The least rows that there is room for all of it on; below, it is drawn as any other screen.
pub const LEAST: u16 = 16;
/// What turns to show that the screen lives.
const BEATS: [&str; 4] = ["◜", "◝", "◞", "◟"];
/// Where the text stands, minute after minute.
const PLACES: [(u16, u16); 4] = [(0, 0), (1, 0), (1, 1), (0, 1)];

/// Draws the wall.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let minute = usize::try_from(canvas.app.now_ms / MINUTE).unwrap_or(0);
    let (dx, dy) = PLACES[minute % PLACES.len()];
    let area = Rect {
        x: area.x + dx,
        y: area.y + dy,
        width: area.width.saturating_sub(1),
        height: area.height.saturating_sub(1),
    };
    let silence = canvas.app.silence();
    let mut y = area.y;
    head(canvas, Rect { height: big::HEIGHT, ..area }, silence.as_ref());
    y += big::HEIGHT;
    sentence(canvas, Rect { y, height: 1, ..area }, silence.as_ref());
    y += 2;
    if let Some(silence) = &silence {
        y += last_answer(canvas, Rect { y, height: big::HEIGHT + 1, ..area }, silence);
    }
    let bottom = area.bottom().saturating_sub(1);
    if bottom > y {
        let body = Rect { y, height: bottom - y, ..area };
        let held = canvas.app.wall_holds().then(|| crate::app::trouble::of(canvas.app)).flatten();
        match (held, canvas.app.view) {
            (Some(found), _) => trouble::draw(canvas, body, &found),
            (None, ViewId::Overview) => views::overview::draw(canvas, body),
            (None, _) => views::table::draw(canvas, body),
        }
        if silence.is_some_and(|silence| silence.who.is_none()) {
            // What stands there is of the past.
            canvas.frame.buffer_mut().set_style(body, canvas.palette.style(Role::Old).add_modifier(Modifier::DIM));
        }
    }
    foot(canvas, Rect { y: bottom, height: 1, ..area });
    if canvas.app.wall_sleeps() {
        let area = canvas.frame.area();
        canvas.frame.buffer_mut().set_style(area, ratatui::style::Style::new().add_modifier(Modifier::DIM));
    }
}

/// The status in a word, and the time.
fn head(canvas: &mut Canvas<'_, '_>, area: Rect, silence: Option<&Silence>) {
    let app = canvas.app;
    let clock = clock_face(app.wall_ms(), app.offset(app.wall_ms()));
    // The clock gets quarters at most, so that the status has the room.
    let clock_width = big::width(&clock, area.width / 3);
    let workspace = &app.workspace;
    let worries = || workspace.snapshots().any(|(_, p)| p.counts.critical + p.counts.warnings > 0);
    let (word, role) = match workspace.has_answer() {
        _ if silence.is_some_and(|silence| silence.who.is_none()) => ("OLD DATA".to_owned(), Role::Dead),
        false => ("STARTING".to_owned(), Role::Dim),
        true => match (open(workspace), status(workspace).role) {
            ((0, 0), Role::Healthy) => ("ALL WELL".to_owned(), Role::Healthy),
            ((0, 0), Role::Warn) if worries() => ("KNOWN".to_owned(), Role::Warn),
            ((0, 0), Role::Warn) => ("NOT HEARD".to_owned(), Role::Warn),
            ((0, 0), _) => ("ASKING".to_owned(), Role::Dim),
            ((0, 1), _) => ("1 WARNING".to_owned(), Role::Alert),
            ((0, n), _) => (format!("{n} WARNINGS"), Role::Alert),
            ((n, _), _) => (format!("{n} CRITICAL"), Role::Dead),
        },
    };
    let room = area.width.saturating_sub(clock_width + 2);
    big::draw(canvas, Rect { width: room, ..area }, &word, role);
    let at = area.right().saturating_sub(clock_width);
    big::draw(canvas, Rect { x: at, width: clock_width, ..area }, &clock, Role::Normal);
}

/// The status as a sentence, the mesh, and the zone of the clock.
fn sentence(canvas: &mut Canvas<'_, '_>, area: Rect, silence: Option<&Silence>) {
    let app = canvas.app;
    let (text, role) = match silence {
        Some(Silence { who: None, since_ms }) => nothing_since("", *since_ms, app.now_ms),
        _ => app.status(),
    };
    let right = format!("{}  {}", app.workspace.label(), zone_name(app.offset(app.now_ms)));
    let room = usize::from(area.width).saturating_sub(right.width() + 2);
    let left = fit(&text, room).into_owned();
    let gap = " ".repeat(usize::from(area.width).saturating_sub(left.width() + right.width()));
    let line = Line::from(vec![canvas.span(left, role), canvas.span(gap, Role::Normal), canvas.span(right, Role::Dim)]);
    canvas.text(area, vec![line]);
}

/// Says across the screen that what stands there is not of now. Answers how many rows it took.
fn last_answer(canvas: &mut Canvas<'_, '_>, area: Rect, silence: &Silence) -> u16 {
    let mut text = silence.summary(canvas.app.now_ms);
    if silence.who.is_none() && big::width(&text, area.width) > area.width {
        text = text.replace("LAST ", "");
    }
    match &silence.who {
        Some(who) => {
            let text = format!(" {text}: {} ", fit(who, usize::from(area.width).saturating_sub(30)));
            let style = canvas.style(Role::Dead).add_modifier(Modifier::REVERSED);
            canvas.text(Rect { height: 1, ..area }, vec![Line::styled(text, style)]);
            2
        }
        None => {
            big::draw(canvas, area, &text, Role::Dead);
            big::HEIGHT + 1
        }
    }
}

/// Which view this is, how long it stays, and that the screen lives.
fn foot(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let title = VIEWS[app.view.index()].title;
    let left = match (&app.toast, app.wall_position()) {
        (Some(toast), _) => toast.text.clone(),
        (None, _) if app.wall_holds() => "held while something is wrong".to_owned(),
        (None, Some((place, of, left))) => format!("{title} {place}/{of}, next in {}", short(left)),
        (None, None) => title.to_owned(),
    };
    let beat = BEATS[usize::try_from(app.now_ms / 1_000).unwrap_or(0) % BEATS.len()];
    let right = format!("read-only wall  {beat}");
    let left = fit(&left, usize::from(area.width).saturating_sub(right.width() + 2)).into_owned();
    let gap = " ".repeat(usize::from(area.width).saturating_sub(left.width() + right.width()));
    canvas.text(area, vec![Line::from(canvas.span(format!("{left}{gap}{right}"), Role::Dim))]);
}
