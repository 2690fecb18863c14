//! A plan as a JSON document.

use serde_json::{Value, json};

use super::{Confirm, Plan};
use crate::mesh::derive::Snapshot;
use crate::model::outcome::Outcome;

/// The name and version of the form.
pub const SCHEMA: &str = "lockkeeper.plan.v1";

/// A plan, and how its steps ended where it ran.
#[must_use]
pub fn document(plan: &Plan, outcomes: Option<&[Outcome]>, snapshot: &Snapshot, dry_run: bool) -> Value {
    let steps = plan.steps.iter().enumerate().map(|(i, step)| {
        let outcome = outcomes.and_then(|outcomes| outcomes.get(i));
        json!({
            "step": i + 1,
            "says": step.action.summary(),
            "source": step.source,
            "decided_on": step.action,
            "effect": step.effect,
            "only_after": step.after.map(|at| at + 1),
            "outcome": outcome.map(|o| o.kind.to_string()),
            "outcome_says": outcome.map(|o| o.summary.clone()),
            "audited": outcome.map(|o| o.audited),
            "reread": outcome.map(|o| o.reread),
            "before": outcome.and_then(|o| o.before.clone()),
            "after": outcome.and_then(|o| o.after.clone()),
        })
    });
    json!({
        "schema": SCHEMA,
        "planned_at_ms": snapshot.at_ms,
        "mesh": snapshot.mesh.name,
        "title": plan.title,
        "dry_run": dry_run,
        "mode": plan.mode.map(|mode| mode.to_string()),
        "confirm": match &plan.confirm {
            Confirm::Key => Value::Null,
            Confirm::Typed(name) => json!(name),
        },
        "steps": steps.collect::<Vec<_>>(),
        "evidence": plan.evidence.iter().map(|sign| json!({
            "of": sign.of, "signal": sign.what, "at_ms": sign.at_ms, "alive": sign.alive,
        })).collect::<Vec<_>>(),
        "cannot_be_known": plan.unknowns,
        "left_alone": plan.left_out.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect::<Vec<_>>(),
    })
}
