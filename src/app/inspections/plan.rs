//! A plan as lines of text: what would run, on what evidence, and what nobody can know.

use crate::action::plan::{Intent, Plan};
use crate::app::preview::{Preview, Running, Standing, StepState};
use crate::columns::role::{Role, State};
use crate::model::time::Millis;

/// One line: text and meaning. It may be longer than the screen is wide.
pub type PlanLine = (String, Role);

/// A plan before it runs.
#[must_use]
pub fn preview(preview: &Preview, now: Millis) -> Vec<PlanLine> {
    let plan = &preview.plan;
    let mut lines = Vec::new();
    standing(preview, &mut lines);
    lines.extend(planned(plan, now));
    lines
}

/// What can be chosen, and what it takes to run it: always in sight.
#[must_use]
pub fn choices(preview: &Preview) -> PlanLine {
    let mut parts = Vec::new();
    if let Intent::Release { notify_holder, notify_next, .. } = &preview.intent {
        let word = |on: &bool| if *on { "yes" } else { "no" };
        parts.extend(preview.plan.mode.map(|mode| format!("m mode: {mode}")));
        parts.push(format!("h tell holder: {}", word(notify_holder)));
        parts.push(format!("w tell next: {}", word(notify_next)));
    }
    parts.extend(preview.plan.interrupt.map(|how| format!("m how: {how}")));
    let reason = if preview.reason.is_empty() { "none".into() } else { crate::model::text::scrub(&preview.reason) };
    parts.push(format!("e reason: {reason}"));
    (format!(" {}", parts.join("   ")), Role::Accent)
}

/// What would run, and on what evidence.
#[must_use]
pub fn planned(plan: &Plan, now: Millis) -> Vec<PlanLine> {
    let mut lines = Vec::new();
    steps(plan, None, &mut lines);
    heading(&mut lines, "How");
    lines.extend(plan.about.iter().map(|line| (format!("  {line}"), Role::Normal)));
    if plan.about.is_empty() {
        lines.pop();
        lines.pop();
    }
    if !plan.evidence.is_empty() {
        heading(&mut lines, "Signs of life");
        for sign in &plan.evidence {
            let (glyph, role) = match (sign.at_ms, sign.alive) {
                (None, _) => ('?', Role::Unknown),
                (_, true) => ('●', Role::Healthy),
                (_, false) => ('✖', Role::Dead),
            };
            lines.push((format!("  {glyph} {}  {}: {}", sign.of, sign.what, sign.age(now)), role));
        }
    }
    if !plan.unknowns.is_empty() {
        heading(&mut lines, "Cannot be known");
        lines.extend(plan.unknowns.iter().map(|line| (format!("  ? {line}"), Role::Unknown)));
    }
    if !plan.left_out.is_empty() {
        heading(&mut lines, "Left alone");
        lines.extend(plan.left_out.iter().map(|(name, why)| (format!("  · {name}: {why}"), Role::Dim)));
    }
    lines
}

fn standing(preview: &Preview, lines: &mut Vec<PlanLine>) {
    let (text, role) = match &preview.standing {
        Standing::Holds => return,
        Standing::Renewed => (
            "▲ it was renewed while you looked: its holder is alive. This is the plan for what is true now",
            Role::Alert,
        ),
        Standing::Changed(_) => ("✖ this plan no longer holds: press u for the one that does", Role::Dead),
        Standing::Void(refusal) => {
            lines.push((format!("✖ this plan no longer holds: {}", refusal.why), Role::Dead));
            lines.push((String::new(), Role::Normal));
            return;
        }
    };
    lines.push((text.to_owned(), role));
    lines.push((String::new(), Role::Normal));
}

/// A plan that runs, or ran.
#[must_use]
pub fn running(running: &Running) -> Vec<PlanLine> {
    let mut lines = Vec::new();
    steps(&running.plan, Some(&running.steps), &mut lines);
    lines
}

fn steps(plan: &Plan, states: Option<&[StepState]>, lines: &mut Vec<PlanLine>) {
    let n = plan.steps.len();
    if n == 0 {
        lines.push(("Nothing of it can be done from here".into(), Role::Title));
        return;
    }
    lines.push((format!("{n} step{}", if n == 1 { "" } else { "s" }), Role::Title));
    for (i, step) in plan.steps.iter().enumerate() {
        let (glyph, role) = match states.and_then(|states| states.get(i)) {
            None | Some(StepState::Waiting) => ('·', Role::Normal),
            Some(StepState::Working) => ('◐', Role::Accent),
            Some(StepState::Ended(outcome)) => (outcome.kind.glyph(), outcome.kind.role()),
        };
        lines.push((format!("  {glyph} {}. {}", i + 1, step.action.summary()), role));
        match states.and_then(|states| states.get(i)) {
            Some(StepState::Ended(outcome)) => {
                let log = if outcome.audited { "" } else { " (not in the op-log)" };
                let log = if outcome.kind == crate::model::outcome::OutcomeKind::Done { log } else { "" };
                lines.push((format!("       {}: {}{log}", outcome.kind, outcome.summary), role));
            }
            Some(_) => {}
            None => {
                for effect in &step.effect {
                    lines.push((format!("       -> {effect}"), Role::Dim));
                }
                if let Some(after) = step.after {
                    lines.push((format!("       only if step {} was done", after + 1), Role::Dim));
                }
            }
        }
    }
}

fn heading(lines: &mut Vec<PlanLine>, text: &str) {
    lines.push((String::new(), Role::Normal));
    lines.push((text.to_owned(), Role::Title));
}
