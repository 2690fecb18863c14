//! How much of the page each panel gets: what it needs, the more important first. Pure.

use ratatui::layout::{Constraint, Layout, Rect};

/// What the panels would like, in rows of content.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wants {
    /// A status for each mesh, where there are several.
    pub statuses: u16,
    pub findings: u16,
    pub nodes: u16,
    /// The same where there is room for all of their last minutes.
    pub nodes_roomy: u16,
    pub queues: u16,
    pub work: u16,
    pub sources: u16,
    pub events: u16,
}

/// Where each panel is, frame or title included. An empty one has one row, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rooms {
    pub statuses: Rect,
    pub findings: Rect,
    pub nodes: Rect,
    pub queues: Rect,
    pub work: Rect,
    pub rates: Rect,
    pub sources: Rect,
    /// What is left. It may be nothing.
    pub events: Rect,
    /// Whether there is room for frames; else a title stands above.
    pub framed: bool,
}

/// Pages lower than this have no frames.
const FRAMES: u16 = 30;
/// Queues and work stand side by side on pages as wide as this.
const BESIDE: u16 = 100;
/// Rows of a chart.
const CHART: u16 = 6;
/// Events that come before the nodes get all the room that they could use.
const FEW_EVENTS: u16 = 6;

/// Shares out the page.
#[must_use]
pub fn plan(area: Rect, wants: Wants, frames: bool) -> Rooms {
    let framed = frames && area.height >= FRAMES;
    let over = if framed { 2 } else { 1 };
    // What is empty and well is one line.
    let rows = |content: u16, most: u16| if content == 0 { 1 } else { content.min(most) + over };
    let beside = area.width >= BESIDE;
    let few = if area.height >= FRAMES { 4 } else { 2 };
    let statuses = wants.statuses.min(area.height / 4);
    let lists = |most: u16| match (beside, wants.queues, wants.work) {
        (_, 0, 0) => 1,
        (true, queues, work) => rows(queues.max(work), most),
        (false, queues, work) => rows(queues, most) + rows(work, most),
    };
    let mut heights = Heights {
        findings: rows(wants.findings, few),
        nodes: rows(wants.nodes, 2 * wants.statuses.clamp(1, 3)),
        lists: lists(few),
        rates: if area.height >= FRAMES || (area.height >= 18 && statuses == 0) { over + 1 } else { 0 },
        sources: rows(wants.sources, (area.height / 5).max(1)),
        events: 0,
    };
    let mut left = area.height.saturating_sub(statuses + heights.sum());
    let mut grow = |now: &mut u16, to: u16| {
        let more = to.saturating_sub(*now).min(left);
        (*now, left) = (*now + more, left - more);
    };
    // The trouble first, then who is silent, then how much happens.
    grow(&mut heights.findings, rows(wants.findings, area.height / 2));
    grow(&mut heights.nodes, rows(wants.nodes, 8));
    grow(&mut heights.lists, lists(area.height / 3));
    if heights.rates > 0 {
        grow(&mut heights.rates, over + CHART);
    }
    grow(&mut heights.nodes, rows(wants.nodes, u16::MAX - 2));
    grow(&mut heights.lists, lists(u16::MAX / 4));
    grow(&mut heights.findings, rows(wants.findings, u16::MAX - 2));
    grow(&mut heights.sources, rows(wants.sources, u16::MAX - 2));
    if wants.events > 0 {
        grow(&mut heights.events, rows(wants.events, FEW_EVENTS));
    }
    grow(&mut heights.nodes, rows(wants.nodes_roomy, u16::MAX - 2));
    if heights.events > over {
        grow(&mut heights.events, rows(wants.events, u16::MAX - 2));
    } else {
        heights.events = 0;
    }
    if heights.rates > 0 {
        grow(&mut heights.rates, over + 2 * CHART);
    }
    let [statuses, findings, nodes, lists, rates, sources, events, _] = Layout::vertical([
        Constraint::Length(statuses),
        Constraint::Length(heights.findings),
        Constraint::Length(heights.nodes),
        Constraint::Length(heights.lists),
        Constraint::Length(heights.rates),
        Constraint::Length(heights.sources),
        Constraint::Length(heights.events),
        Constraint::Fill(1),
    ])
    .areas(area);
    let [queues, work] = if beside || lists.height == 1 {
        Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(lists)
    } else {
        let upper = rows(wants.queues, lists.height.saturating_sub(rows(wants.work, 2) + over));
        Layout::vertical([Constraint::Length(upper), Constraint::Fill(1)]).areas(lists)
    };
    Rooms { statuses, findings, nodes, queues, work, rates, sources, events, framed }
}

struct Heights {
    findings: u16,
    nodes: u16,
    lists: u16,
    rates: u16,
    sources: u16,
    events: u16,
}

impl Heights {
    fn sum(&self) -> u16 {
        self.findings + self.nodes + self.lists + self.rates + self.sources + self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(rooms: &Rooms) -> [Rect; 8] {
        let Rooms { statuses, findings, nodes, queues, work, rates, sources, events, .. } = *rooms;
        [statuses, findings, nodes, queues, work, rates, sources, events]
    }

    proptest! {
        #[test]
        fn no_panel_overlaps_another_or_leaves_the_page(
            (width, height) in (40u16..320, 7u16..90),
            statuses in 0u16..5,
            (findings, nodes, queues, work, sources) in (0u16..200, 0u16..90, 0u16..64, 0u16..64, 1u16..9),
            (nodes_roomy, events) in (0u16..200, 0u16..70),
            frames: bool,
        ) {
            let area = Rect { x: 0, y: 2, width, height };
            let wants = Wants { statuses, findings, nodes, nodes_roomy, queues, work, sources, events };
            let rooms = plan(area, wants, frames);
            for (i, one) in all(&rooms).iter().enumerate() {
                prop_assert_eq!(one.intersection(area), *one, "{:?}", rooms);
                for other in &all(&rooms)[..i] {
                    prop_assert!(one.intersection(*other).is_empty(), "{one:?} {other:?}");
                }
            }
            // Whatever the size, what is wrong is seen.
            prop_assert!(rooms.findings.height >= 1 && (findings == 0 || rooms.findings.height >= 2), "{:?}", rooms);
        }
    }

    #[test]
    fn what_is_well_is_one_line_and_trouble_takes_the_room() {
        let area = Rect { x: 0, y: 0, width: 120, height: 37 };
        let well = plan(area, Wants { nodes: 4, sources: 2, ..Wants::default() }, true);
        assert_eq!((well.findings.height, well.queues.height, well.work.height), (1, 1, 1));
        let wants = Wants { findings: 12, nodes: 4, queues: 3, work: 2, sources: 2, ..Wants::default() };
        let trouble = plan(area, wants, true);
        assert_eq!(trouble.findings.height, 14, "{trouble:?}");
        assert!(trouble.queues.height == 5 && trouble.rates.height < well.rates.height, "{trouble:?}");
    }
}
