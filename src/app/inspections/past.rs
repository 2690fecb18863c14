//! What was observed of a thing over the last ten minutes, in the inspector.

use crate::app::history::{History, LockStep, STEP, STEPS, TaskChange, drawn};
use crate::app::inspect::{Inspection, Line};
use crate::columns::role::{Role, State};
use crate::mesh::derive::locks::LockView;
use crate::mesh::derive::nodes::NodeView;
use crate::mesh::derive::staleness::Staleness;
use crate::model::action::OPERATOR_NODE;
use crate::model::time::{Millis, short};

/// Steps that stand in one cell.
const PER_CELL: usize = 2;
/// Cells of a strip.
const CELLS: usize = STEPS / PER_CELL;
/// Silences that are named.
const SILENCES: usize = 5;
/// Columns of what a strip is called.
const LABEL: usize = 10;

/// Puts lines before the first heading of a page: after what is known of now.
fn insert(page: &mut Inspection, mut lines: Inspection) {
    let at = page.lines.iter().position(|line| matches!(line, Line::Heading(_))).unwrap_or(page.lines.len());
    // The heading that follows has a blank line before it already.
    let at = at.saturating_sub(usize::from(at > 0 && at < page.lines.len()));
    let mut block = vec![Line::Text(String::new(), Role::Normal)];
    block.append(&mut lines.lines);
    page.lines.splice(at..at, block);
}

/// A strip below its name.
fn strip(page: &mut Inspection, label: &str, cells: Vec<(String, Role)>) {
    let mut all = vec![(format!("{label:<LABEL$}"), Role::Dim)];
    all.extend(cells);
    page.lines.push(Line::Picture(all));
}

/// What a strip covers.
fn scale(page: &mut Inspection) {
    let covered = short(STEP * i64::try_from(STEPS).unwrap_or(0));
    let gap = CELLS.saturating_sub(covered.len() + 4 + 3);
    let text = format!("{}{covered} ago{}now", " ".repeat(LABEL), " ".repeat(gap));
    page.lines.push(Line::Picture(vec![(text, Role::Dim)]));
}

/// Steps in cells, the oldest first; what was before the first look is unknown.
fn cells<T: Copy>(steps: &[Option<T>], join: impl Fn(&[Option<T>]) -> Option<T>) -> Vec<Option<T>> {
    let mut all = vec![None; STEPS.saturating_sub(steps.len())];
    all.extend_from_slice(steps);
    all.chunks(PER_CELL).map(join).collect()
}

/// The last minutes of a node: a strip of its silence, and each silence by itself.
pub fn node(page: &mut Inspection, history: &History, node: &NodeView) {
    let steps = history.of(&node.key, STEPS);
    let mut block = Inspection::default();
    block.heading("Last ten minutes, as seen from here");
    let worst = |pair: &[Option<Staleness>]| pair.iter().flatten().copied().max_by_key(|level| level.rank());
    let glyph = |level: &Option<Staleness>| {
        let (glyph, role) = drawn(*level);
        (glyph.to_string(), role)
    };
    strip(&mut block, "silence", cells(&steps, worst).iter().map(glyph).collect());
    scale(&mut block);
    let mut silences = silences(&steps);
    let more = silences.len().saturating_sub(SILENCES);
    silences.drain(..more);
    for Silence { worst, steps, ended } in silences {
        let lasted = short(STEP * i64::try_from(steps).unwrap_or(0));
        let until = if ended == 0 {
            "until now".to_owned()
        } else {
            format!("until {} ago", short(STEP * i64::try_from(ended).unwrap_or(0)))
        };
        block.text(format!("{} {worst} for about {lasted}, {until}", worst.glyph()), worst.role());
    }
    insert(page, block);
}

/// A time in which a node was silent for longer than it should.
#[derive(Debug, PartialEq, Eq)]
struct Silence {
    worst: Staleness,
    steps: usize,
    /// How many steps ago it was over.
    ended: usize,
}

fn silences(steps: &[Option<Staleness>]) -> Vec<Silence> {
    let mut found: Vec<Silence> = Vec::new();
    let mut open = false;
    for (at, level) in steps.iter().enumerate() {
        let ended = steps.len() - 1 - at;
        match level {
            Some(level) if *level != Staleness::Healthy => {
                if !open {
                    found.push(Silence { worst: *level, steps: 0, ended });
                }
                if let Some(last) = found.last_mut() {
                    last.steps += 1;
                    last.ended = ended;
                    if level.rank() > last.worst.rank() {
                        last.worst = *level;
                    }
                }
                open = true;
            }
            _ => open = false,
        }
    }
    found
}

/// The last minutes of a lock: who held it, how many waited, how often it was renewed.
pub fn lock(page: &mut Inspection, history: &History, view: &LockView, now: Millis) {
    let mut block = Inspection::default();
    block.heading("Last ten minutes, as seen from here");
    let cell_ms = STEP * i64::try_from(PER_CELL).unwrap_or(1);
    let newest = now.div_euclid(STEP);
    let begins = (newest + 1) * STEP - cell_ms * i64::try_from(CELLS).unwrap_or(0);
    let changes = view.fences.as_ref().map(|fences| fences.changes.as_slice()).unwrap_or_default();
    let letter = |place: usize| match changes.get(place) {
        Some(held) if held.node == *OPERATOR_NODE => '@',
        Some(held) if held.node.is_empty() && held.agent.is_empty() => '-',
        Some(_) => char::from(b'A' + u8::try_from(place % 26).unwrap_or(0)),
        None => '·',
    };
    let last = changes.len().saturating_sub(1);
    let who = |cell: usize| {
        let ends = begins + cell_ms * (i64::try_from(cell).unwrap_or(0) + 1);
        let place = changes.iter().rposition(|held| held.at_ms < ends);
        match place {
            None => ("·".to_owned(), Role::Dim),
            Some(place) if changes[place].node == *OPERATOR_NODE => ("@".to_owned(), Role::Accent),
            Some(place) => (letter(place).to_string(), if place == last { Role::Title } else { Role::Normal }),
        }
    };
    strip(&mut block, "holder", (0..CELLS).map(who).collect());
    let steps = history.of_lock(&view.key(), STEPS);
    let most = |pair: &[Option<LockStep>]| {
        pair.iter().flatten().copied().reduce(|a, b| LockStep { waiters: a.waiters.max(b.waiters), ..b })
    };
    let joined = cells(&steps, most);
    let waiting = |step: &Option<LockStep>| match step.map(|step| step.waiters) {
        None => ("·".to_owned(), Role::Dim),
        Some(0) => (" ".to_owned(), Role::Dim),
        Some(n @ 1..=9) => (n.to_string(), Role::Warn),
        Some(_) => ("+".to_owned(), Role::Alert),
    };
    strip(&mut block, "waiters", joined.iter().map(waiting).collect());
    let mut before: Option<i64> = None;
    let mut renewed = Vec::with_capacity(joined.len());
    for step in &joined {
        renewed.push(match (step, before) {
            (None, _) => ("·".to_owned(), Role::Dim),
            (Some(step), Some(known)) if step.renewals > known => ("▪".to_owned(), Role::Normal),
            (Some(_), _) => (" ".to_owned(), Role::Dim),
        });
        before = step.map(|step| step.renewals);
    }
    strip(&mut block, "renewals", renewed);
    scale(&mut block);
    for (place, held) in changes.iter().enumerate().rev() {
        let until = changes.get(place + 1).map_or(now, |next| next.at_ms);
        if until < begins {
            break;
        }
        let fence = held.fence.map(|fence| format!(", fence {fence}")).unwrap_or_default();
        let who = match letter(place) {
            '@' => "an operator".to_owned(),
            '-' => "nobody known".to_owned(),
            _ if held.node.is_empty() => format!("agent {}", held.agent),
            _ => format!("{}, agent {}", held.node, held.agent),
        };
        // The first one may have held it before the first look.
        let least = if place == 0 { "at least " } else { "" };
        let seen = short(until - held.at_ms);
        let text = if place == last { format!("for {least}{seen} so far") } else { format!("for {least}{seen}") };
        block.text(format!("{} {who}{fence}, {text}", letter(place)), Role::Normal);
    }
    insert(page, block);
}

/// What became of a task, step by step.
pub fn task(page: &mut Inspection, history: &History, key: &str, now: Millis) {
    let changes = history.of_task(key);
    let Some(since) = history.since_ms else { return };
    let mut block = Inspection::default();
    block.heading(format!("Its steps, seen from here in the last {}", short(now - since)));
    if changes.is_empty() {
        block.text("none: it is as it was at the first look", Role::Dim);
    }
    for (place, TaskChange { at_ms, state, node }) in changes.iter().enumerate() {
        let node = node.as_ref().map(|node| format!(" with {node}")).unwrap_or_default();
        let until = changes.get(place + 1).map_or(now, |next| next.at_ms);
        let text = format!("{} {state}{node}, {} ago, for {}", state.glyph(), short(now - at_ms), short(until - at_ms));
        block.text(text, state.role());
    }
    insert(page, block);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silence_is_told_by_itself_and_what_was_not_seen_is_none() {
        let (well, warn, dead) = (Some(Staleness::Healthy), Some(Staleness::Warn), Some(Staleness::Dead));
        let steps = [well, warn, dead, well, None, warn, None, None, dead];
        let found = silences(&steps);
        let told: Vec<_> = found.iter().map(|s| (s.worst, s.steps, s.ended)).collect();
        assert_eq!(told, [(Staleness::Dead, 2, 6), (Staleness::Warn, 1, 3), (Staleness::Dead, 1, 0)]);
        assert!(silences(&[]).is_empty() && silences(&[well, None]).is_empty());
    }

    #[test]
    fn a_strip_is_always_of_one_width() {
        for n in [0, 1, 7, STEPS] {
            assert_eq!(cells(&vec![Some(1); n], |pair| pair.iter().flatten().copied().max()).len(), CELLS);
        }
    }
}
