//! How much happens: a chart for each rate, with its scale, over the last minutes.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::panel::{self, Head};
use crate::app::workspace::Workspace;
use crate::columns::role::Role;
use crate::mesh::rates::{BUCKET, BUCKETS, Tally};
use crate::model::text::fit;
use crate::model::time::count;
use crate::ui::Canvas;
use crate::ui::widgets::sparkline;

/// One of the counts of what happens.
type Rate = fn(&Tally) -> u64;

const SERIES: [(&str, &str, Rate); 4] = [
    ("acquired", "taken", |t| t.acquired),
    ("released", "freed", |t| t.released),
    ("delivered", "sent", |t| t.delivered),
    ("acknowledged", "acked", |t| t.acknowledged),
];
/// Columns that a scale takes.
const SCALE: u16 = 6;

/// Draws all of them side by side.
pub fn draw(canvas: &mut Canvas<'_, '_>, area: Rect, framed: bool, workspace: &Workspace) {
    if area.height == 0 {
        return;
    }
    let mut all = workspace.snapshots().map(|(_, p)| &p.mesh.rates);
    let mut rates = all.next().cloned().unwrap_or_default();
    all.for_each(|other| rates.join(other));
    let minutes = BUCKET * i64::try_from(BUCKETS).unwrap_or(0) / 60_000;
    let note = vec![(format!("a minute, the last {minutes} minutes"), Role::Dim)];
    let head = Head { key: "", title: "Rates", counts: note, focused: false };
    let inside = panel::frame(canvas, area, framed, head);
    let columns = Layout::horizontal([Constraint::Fill(1); 4]).split(inside);
    for (column, (long, brief, of)) in columns.iter().zip(SERIES) {
        let name = if column.width < 24 { brief } else { long };
        let now = rates.per_minute(of);
        let width = usize::from(column.width).saturating_sub(2);
        let text = fit(&format!("{name} {}/min", count(now)), width).into_owned();
        canvas.text(
            Rect { height: column.height.min(1), ..*column },
            vec![Line::from(canvas.span(format!(" {text}"), Role::Normal))],
        );
        let height = column.height.saturating_sub(1);
        if height == 0 || column.width <= SCALE + 2 {
            continue;
        }
        let values = rates.series(of);
        let bars = Rect { x: column.x + SCALE + 1, y: column.y + 1, width: column.width - SCALE - 2, height };
        let highest = sparkline::highest(&values, bars.width);
        // As many a minute as the highest bar stands for.
        let top = highest * u64::try_from(60_000 / BUCKET).unwrap_or(1);
        let scale = |y: u16, text: String| (Rect { x: column.x, y, width: SCALE, height: 1 }, text);
        let mut marks = vec![scale(bars.y, count(top))];
        if height > 1 {
            marks.push(scale(bars.bottom() - 1, "0".into()));
        }
        for (place, mark) in marks {
            canvas.text(place, vec![Line::from(canvas.span(format!("{mark:>5}"), Role::Dim))]);
        }
        sparkline::draw(canvas, bars, &values);
    }
}
