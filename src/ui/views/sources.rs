//! What a mesh is known from: each source, how it does, and what asking it costs.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::app::workspace::Workspace;
use crate::columns::role::{Role, State};
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::sources::{SourceHealth, SourceView};
use crate::model::text::fit;
use crate::model::time::{bytes, count, latency, short};
use crate::ui::Canvas;

/// Every source, under the mesh it is of; without headings, behind its name.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, workspace: &Workspace, headed: bool) {
    let mut lines = Vec::new();
    for (mesh, snapshot) in workspace.snapshots() {
        if !headed {
            lines.extend(source_lines(canvas, area, snapshot, &workspace.prefix(mesh)));
            continue;
        }
        let of = if workspace.is_several() { format!(" of {}", workspace.name(mesh)) } else { String::new() };
        let mut head = vec![canvas.span(format!(" SOURCES{of}"), Role::Title)];
        if lines.is_empty() {
            let what = "  health, last answer, what this console costs at this rate, the last poll";
            head.push(canvas.span(what, Role::Dim));
        }
        lines.push(Line::from(head));
        lines.extend(source_lines(canvas, area, snapshot, ""));
    }
    canvas.text(area, lines);
}

fn source_lines(canvas: &Canvas<'_, '_>, area: Rect, p: &Snapshot, of: &str) -> Vec<Line<'static>> {
    let now = canvas.app.now_ms;
    let mut lines = Vec::new();
    for (source, view) in p.mesh.sources.iter().zip(p.sources.iter()) {
        let cost = &source.last_cost;
        let heard = source.health.last_ok_ms.map_or_else(|| "never".into(), |at| format!("{} ago", short(now - at)));
        let spent = match source.meter.rate() {
            Some(rate) => format!(
                "{} rows{} {} trips {} a min, {} rows a month  {}",
                count(rate.rows),
                if rate.counted_by_server { " read" } else { "" },
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
        let wide = if area.width >= 100 {
            24
        } else if of.is_empty() {
            15
        } else {
            22
        };
        let name = fit(&format!("{of}{}", source.identity.name), wide).into_owned();
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
    lines
}

/// A source that does well is of no interest.
fn role_of(view: &SourceView) -> Role {
    match view.health {
        SourceHealth::Live => Role::Normal,
        other => other.role(),
    }
}
