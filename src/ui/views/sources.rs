//! What a mesh is known from: each source, how it does, and what asking it costs.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::app::workspace::Workspace;
use crate::columns::role::{Role, State};
use crate::mesh::SourceState;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::sources::{SourceHealth, SourceView};
use crate::model::text::fit;
use crate::model::time::{bytes, count, latency, short};
use crate::ui::Canvas;

/// Every source, behind the name of its mesh where there are several.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, workspace: &Workspace) {
    let mut lines = Vec::new();
    for (mesh, snapshot) in workspace.snapshots() {
        lines.extend(source_lines(canvas, area, snapshot, &workspace.prefix(mesh)));
    }
    canvas.text(area, lines);
}

/// What watching costs its server, in the one figure that a person weighs: rows if the server counts them, else bytes. A
/// local file costs none.
fn price(source: &SourceState) -> String {
    match source.meter.rate() {
        Some(rate) if rate.counted_by_server => format!("  {} rows read a month", count(rate.rows_a_month())),
        Some(rate) if rate.round_trips > 0 => format!("  {} a minute", bytes(rate.bytes)),
        _ => String::new(),
    }
}

fn source_lines(canvas: &Canvas<'_, '_>, area: Rect, p: &Snapshot, of: &str) -> Vec<Line<'static>> {
    // A screen that stands still does not hide that a source is silent; the past shows what was.
    let now = if canvas.app.past().is_some() { canvas.app.shown_ms() } else { canvas.app.now_ms };
    let mut lines = Vec::new();
    for (source, view) in p.mesh.sources.iter().zip(p.sources.iter()) {
        let heard = source.health.last_ok_ms.map_or_else(|| "never".into(), |at| format!("{} ago", short(now - at)));
        let spent = price(source);
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
            "{} {:<8} {name:<wide$} {heard:>9}{error}{wait}  {:>7}  {}{spent}{note}",
            view.health.glyph(),
            view.health,
            latency(source.last_cost.ms),
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
