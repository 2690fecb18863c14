//! What frames every view: the status above, the views, the hints below.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::Canvas;
use crate::app::acts::ACTS;
use crate::app::command::{COMMANDS, Command, CommandInfo};
use crate::app::mouse::Hit;
use crate::app::overlay::Overlay;
use crate::columns::role::Role;
use crate::model::text::fit;
use crate::model::time::{clock, short};

/// The top line: name, mesh, status, clock.
pub fn header(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let (text, role) = app.status();
    let mut right = String::new();
    if app.past().is_some() {
        // The bar of time says more of it.
        let critical: usize = app.latest().snapshots().map(|(_, p)| p.counts.critical).sum();
        if critical > 0 && !app.options.replay {
            right.push_str(&format!("now {critical} critical  "));
        }
        right.push_str("PAST  ");
    } else if let Some(frozen) = &app.frozen {
        right.push_str(&format!("PAUSED {}  ", short(app.now_ms - frozen.since_ms)));
    }
    if let Some(repo) = &app.options.repo {
        right.push_str(&format!("repo {}  ", fit(&crate::model::text::scrub(repo), 16)));
    }
    right.push_str(&clock(app.wall_ms(), app.offset(app.wall_ms())));
    let banner = app.options.banner.as_deref().map(|b| format!(" {b}")).unwrap_or_default();
    let meshes = app.workspace.label();
    let left = format!(" lockkeeper {}{banner} ", fit(&meshes, usize::from(area.width) / 3));
    let room = usize::from(area.width).saturating_sub(left.width() + right.width() + 3);
    let text = fit(&text, room).into_owned();
    let gap = usize::from(area.width).saturating_sub(left.width() + text.width() + right.width() + 1);
    let pad = " ".repeat(gap);
    let right_role = if app.frozen.is_some() { Role::Warn } else { Role::Dim };
    let line = Line::from(vec![
        canvas.span(left, Role::Title),
        canvas.span(text, role),
        Span::raw(pad),
        canvas.span(right, right_role),
    ]);
    canvas.text(area, vec![line]);
}

/// The views, as many words as fit.
pub fn tabs(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let full: usize = app.tabs().map(|v| v.title.len() + 4).sum();
    let shown = if app.past().is_some() { &app.workspace } else { app.latest() };
    let worries: usize = shown.snapshots().map(|(_, p)| p.counts.critical + p.counts.warnings).sum();
    let wide = full + 6 <= usize::from(area.width);
    // On a narrow screen more tabs than it has room for are known by their keys alone.
    let bare = app.tabs().map(|v| v.short.len() + 3).sum::<usize>() + 3 > usize::from(area.width);
    let mut spans = Vec::new();
    let mut x = area.x;
    for view in app.tabs() {
        let title = if wide { view.title } else { view.short };
        let count = match view.id {
            crate::app::view_id::ViewId::Findings if worries > 0 => format!(" {worries}"),
            _ => String::new(),
        };
        // Ten of them fill a narrow screen to the last cell.
        let end = if wide { " " } else { "" };
        let info = COMMANDS.iter().find(|info| info.command == Command::View(view.id.index()));
        let key = info.and_then(|info| app.keys(info).into_iter().next()).unwrap_or_default();
        let title = if bare && view.id != app.view { "" } else { title };
        let gap = if title.is_empty() { "" } else { " " };
        let text = format!(" {key}{gap}{title}{count}{end}");
        let role = if view.id == app.view { Role::Selected } else { Role::Dim };
        let width = u16::try_from(text.width()).unwrap_or(0);
        canvas.layout.hits.add(x, area.y, width, 1, Hit::View(view.id));
        x = x.saturating_add(width);
        spans.push(canvas.span(text, role));
    }
    canvas.text(area, vec![Line::from(spans)]);
}

/// What the demo says to a newcomer.
pub fn hint(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let Some(hints) = canvas.app.hints.filter(|_| area.height > 0) else { return };
    let close = "  H closes";
    let room = usize::from(area.width).saturating_sub(close.width() + 3);
    let line = Line::from(vec![
        canvas.span(" › ", Role::Accent),
        canvas.span(fit(hints.text(), room).into_owned(), Role::Normal),
        canvas.span(close, Role::Dim),
    ]);
    canvas.text(area, vec![line]);
}

/// Ways through the past, as the bottom line names them there.
const THROUGH_TIME: &[(Command, &str)] = &[
    (Command::StepBack, "before"),
    (Command::StepOn, "after"),
    (Command::MinuteBack, "minute"),
    (Command::MarkBefore, "mark before"),
    (Command::MarkAfter, "after"),
    (Command::At, "time"),
    (Command::Changes, "changed"),
    (Command::Pause, "play"),
    (Command::Now, "now"),
];

/// The bottom line: what is typed, what was said, or the keys that work here.
pub fn footer(canvas: &mut Canvas<'_, '_>, area: Rect) {
    let app = canvas.app;
    let width = usize::from(area.width);
    if let Some(input) = &app.filtering {
        let hint = "   field:value  !not  Enter keeps  Esc clears";
        let typed = crate::model::text::scrub(input.value()).into_owned();
        let cursor = area.x + 2 + u16::try_from(input.visual_cursor()).unwrap_or(0);
        let line = Line::from(vec![
            canvas.span(" /", Role::Accent),
            canvas.span(typed, Role::Title),
            canvas.span(hint, Role::Dim),
        ]);
        canvas.text(area, vec![line]);
        canvas.frame.set_cursor_position((cursor.min(area.right().saturating_sub(1)), area.y));
        return;
    }
    if let Some(toast) = &app.toast {
        let line =
            Line::from(canvas.span(
                format!(" {}", fit(&crate::model::text::scrub(&toast.text), width.saturating_sub(1))),
                toast.role,
            ));
        canvas.text(area, vec![line]);
        return;
    }
    if app.on_wall() {
        // Too small a wall for large letters says the same in small ones.
        let (text, role) = match app.silence() {
            Some(silence) => {
                let who = silence.who.as_ref().map(|who| format!(": {who}")).unwrap_or_default();
                (format!(" {}{who}", silence.summary(app.now_ms)), Role::Dead)
            }
            None => (" read-only wall".to_owned(), Role::Dim),
        };
        canvas.text(area, vec![Line::from(canvas.span(fit(&text, width).into_owned(), role))]);
        return;
    }
    let mut hints: Vec<(String, &str)> = Vec::new();
    let hint = |info: &'static CommandInfo| Some((app.keys(info).into_iter().next()?, info.hint?));
    // What can be done here comes first; what cannot is not shown.
    let offered = app.offered();
    let acts = COMMANDS.iter().filter(|info| offered.contains(&info.command));
    match &app.overlay {
        Some(Overlay::Inspector(_)) => {
            hints.extend(acts.filter_map(hint));
            hints.extend(
                [("enter", "follow"), ("tab", "next link"), ("z", "unfold"), ("Y", "copy all"), ("esc", "back")]
                    .map(|(k, h)| (k.to_owned(), h)),
            );
        }
        // These say their keys themselves.
        Some(
            Overlay::Preview(_)
            | Overlay::Run { .. }
            | Overlay::Picker(_)
            | Overlay::Columns { .. }
            | Overlay::Saved { .. }
            | Overlay::Own(_)
            | Overlay::Output { .. },
        ) => {}
        Some(_) => hints.extend([("enter", "choose"), ("esc", "close")].map(|(k, h)| (k.to_owned(), h))),
        None => {
            if app.past().is_some() {
                let key = |command: Command| {
                    let info = COMMANDS.iter().find(|info| info.command == command)?;
                    app.keys(info).into_iter().next()
                };
                let ways = THROUGH_TIME.iter().filter_map(|(command, hint)| Some((key(*command)?, *hint)));
                hints.extend(ways);
            }
            let others = COMMANDS.iter().filter(|info| !ACTS.contains(&info.command));
            hints.extend(acts.chain(others).filter_map(hint));
        }
    }
    let marks = app.table().marks.len();
    let mut spans = vec![Span::raw(" ")];
    if marks > 0 {
        spans.push(canvas.span(format!("{marks} marked  "), Role::Marked));
    }
    let interval = format!("every {} ", humantime::format_duration(app.options.interval));
    let mut used = 1 + interval.width();
    for (key, hint) in hints {
        let piece = key.width() + hint.width() + 3;
        if used + piece > width {
            break;
        }
        used += piece;
        spans.push(canvas.span(key, Role::Accent));
        spans.push(canvas.span(format!(" {hint}  "), Role::Dim));
    }
    let line = Line::from(spans);
    let gap = width.saturating_sub(line.width() + interval.width());
    let mut line = line;
    line.push_span(Span::raw(" ".repeat(gap)));
    line.push_span(canvas.span(interval, Role::Dim));
    canvas.text(area, vec![line]);
}
