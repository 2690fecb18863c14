//! Actions from the command line: the same plans and guards, printed instead of previewed.

use std::io::{IsTerminal as _, Write as _};

use super::ask::{Ask, intent, unseen};
use super::end::End;
use super::observe::{Prepared, prepare};
use crate::action::executor::{Purpose, WriteAccess};
use crate::action::plan::document::document;
use crate::action::plan::{Confirm, Intent, Plan, Policy, plan, to_ask};
use crate::action::run::{Operator, Stop};
use crate::app::preview::{Running, StepState};
use crate::columns::role::State as _;
use crate::commands::cli::{ActArgs, Format};
use crate::commands::json;
use crate::data::work;
use crate::mesh::derive::Snapshot;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::text::scrub;
use crate::settings::Settings;

/// Plans, asks, runs and prints.
pub async fn act(settings: &Settings, ask: &Ask, arguments: &ActArgs) -> anyhow::Result<End> {
    let policy = settings.policy();
    if policy.read_only {
        let why = "this console is read-only: it was started with --read-only, or its configuration says so";
        return Ok(End::ReadOnly(why.into()));
    }
    // Whoever only wants to see the plan is given nothing to write with.
    let purpose = if arguments.dry_run { Purpose::Watch } else { Purpose::Act };
    let access = WriteAccess::decide(purpose, policy.read_only);
    let Prepared { snapshot, mut operator, store } = prepare(settings, access).await?;
    let end = plan_and_run(settings, ask, arguments, &snapshot, &mut operator).await;
    // What an earlier attempt left is looked into by whoever acts, whatever became of this action.
    if let Some(operator) = operator.as_mut().filter(|_| arguments.yes) {
        operator.recover().await;
    }
    drop(store);
    end
}

async fn plan_and_run(
    settings: &Settings,
    ask: &Ask,
    arguments: &ActArgs,
    snapshot: &Snapshot,
    operator: &mut Option<Operator>,
) -> anyhow::Result<End> {
    let policy = settings.policy();
    let mut intent = match intent(ask, snapshot, settings.repo.as_deref()) {
        Ok(intent) => intent,
        Err(end) => return Ok(end),
    };
    if let Some(operator) = operator.as_mut() {
        let questions = to_ask(&intent, snapshot, &policy);
        if !questions.is_empty() {
            intent = intent.with_answers(&operator.ask(&questions).await);
        }
    }
    let policy = with_work(settings, policy, &intent, snapshot).await;
    let plan = match plan(&intent, snapshot, &policy) {
        Ok(plan) => plan,
        // What cannot be seen may be there all the same.
        Err(_) if !is_seen(&intent, snapshot) => return Ok(End::CannotSee(unseen(snapshot))),
        Err(refusal) if refusal.nothing_left && !snapshot.unseen().is_empty() => {
            return Ok(End::CannotSee(unseen(snapshot)));
        }
        Err(refusal) if refusal.nothing_left => {
            eprintln!("lockkeeper: {}", scrub(refusal.why.as_str()));
            return Ok(End::Done);
        }
        Err(refusal) => return Ok(refusal.into()),
    };
    if arguments.dry_run {
        print_plan(&plan, None, snapshot, arguments.format, true)?;
        return Ok(End::Done);
    }
    if plan.steps.is_empty() {
        print_plan(&plan, None, snapshot, arguments.format, false)?;
        return Ok(End::Refused("nothing of it can be done from here".into()));
    }
    if arguments.yes && plan.may_repeat {
        let why: Vec<String> = plan.unknowns.iter().map(ToString::to_string).collect();
        return Ok(End::Refused(format!("not without asking: {}; run it without --yes", why.join("; "))));
    }
    if !arguments.yes {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            let why = "not a terminal: pass --yes to run or --dry-run to preview";
            return Ok(End::Usage(why.into()));
        }
        eprint!("{}", table(&plan, None, snapshot));
        if !confirmed(&plan)? {
            return Ok(End::Refused("it was not confirmed: nothing was done".into()));
        }
    }
    let Some(operator) = operator else { return Ok(End::ReadOnly("this process only watches".into())) };
    let outcomes = operator.run(&plan, &arguments.reason, &Stop::default(), |_| {}).await;
    print_plan(&plan, Some(&outcomes), snapshot, arguments.format, false)?;
    Ok(end_of(&outcomes))
}

/// The same policy, with what this machine shows of work on what would be released.
async fn with_work(settings: &Settings, policy: Policy, intent: &Intent, snapshot: &Snapshot) -> Policy {
    let Ok(draft) = plan(intent, snapshot, &policy) else { return policy };
    let work = work::find(&settings.work_trees(), &draft.resources(snapshot)).await;
    Policy { work, ..policy }
}

fn end_of(outcomes: &[Outcome]) -> End {
    let any = |kind| outcomes.iter().find(|outcome: &&Outcome| outcome.kind == kind);
    if any(OutcomeKind::Failed).or(any(OutcomeKind::Unknown)).is_some() {
        End::Failed
    } else if let Some(outcome) = any(OutcomeKind::ReadOnly) {
        End::ReadOnly(outcome.summary.to_string())
    } else if let Some(outcome) = any(OutcomeKind::Refused) {
        End::Refused(outcome.summary.to_string())
    } else {
        End::Done
    }
}

/// Whether the nodes that an intent names are known.
fn is_seen(intent: &Intent, snapshot: &Snapshot) -> bool {
    let named = match intent {
        Intent::Evacuate { node } => std::slice::from_ref(node),
        Intent::Drain { nodes, .. } | Intent::Quarantine { nodes, .. } => nodes,
        _ => return true,
    };
    named.iter().all(|node| snapshot.node(node).is_some() || snapshot.nodes_named(node).next().is_some())
        || snapshot.unseen().is_empty()
}

fn confirmed(plan: &Plan) -> anyhow::Result<bool> {
    let wanted = match &plan.confirm {
        Confirm::Key => "y",
        Confirm::Typed(name) => name.as_str(),
    };
    eprint!("\nType {wanted} to run it: ");
    std::io::stderr().flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    Ok(typed.trim() == wanted)
}

fn print_plan(
    plan: &Plan,
    outcomes: Option<&[Outcome]>,
    snapshot: &Snapshot,
    format: Format,
    dry_run: bool,
) -> anyhow::Result<()> {
    let text = match format {
        Format::Json => json::text(&document(plan, outcomes, snapshot, dry_run)),
        Format::Table => table(plan, outcomes, snapshot),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

fn table(plan: &Plan, outcomes: Option<&[Outcome]>, snapshot: &Snapshot) -> String {
    let mut out = format!("{}\n", plan.title);
    let lines = match outcomes {
        Some(outcomes) => {
            let steps = outcomes.iter().cloned().map(StepState::Ended).collect();
            let running = Running { mesh: 0, plan: plan.clone(), steps, stopping: false, finished: true };
            crate::app::inspections::plan::running(&running)
        }
        None => crate::app::inspections::plan::planned(plan, snapshot.at_ms),
    };
    for (line, _) in lines {
        out.push_str(scrub(&line).trim_end());
        out.push('\n');
    }
    if let Some(outcomes) = outcomes {
        let worst = outcomes.iter().map(|o| o.kind).max_by_key(|kind| *kind as u8);
        if let Some(worst) = worst {
            out.push_str(&format!("{} {worst}\n", worst.glyph()));
        }
    }
    out
}
