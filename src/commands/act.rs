//! Actions from the command line: the same plans and guards, printed instead of previewed.

use std::io::{IsTerminal as _, Write as _};

use serde_json::{Value, json};

use super::observe::{Prepared, prepare};
use crate::action::executor::{Purpose, WriteAccess};
use crate::action::plan::{Confirm, Intent, Plan, Policy, Refusal, plan};
use crate::action::run::{Operator, Stop};
use crate::app::preview::{Running, StepState};
use crate::columns::role::State as _;
use crate::commands::cli::{ActArgs, Format};
use crate::data::work;
use crate::mesh::derive::Snapshot;
use crate::mesh::derive::messages::MessageState;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::text::{Text, escape_json, scrub};
use crate::model::{Lock, LockTable};
use crate::settings::Settings;

/// The name and version of the form.
pub const SCHEMA: &str = "lockkeeper.plan.v1";

/// What told a lock from any other hold of it, when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    /// A fence token or the token of a lock directory: which of them the lock has, decides what it is compared with.
    Value(String),
}

impl Seen {
    fn is(&self, lock: &Lock) -> bool {
        match (self, lock.table.is_fenced() || lock.fence_token.is_some()) {
            (Self::Value(seen), true) => seen.parse().is_ok_and(|fence: i64| lock.fence_token == Some(fence)),
            (Self::Nothing, true) => lock.fence_token.is_none(),
            (Self::Value(seen), false) => lock.lease_id.as_ref().is_some_and(|id| id.raw() == seen),
            (Self::Nothing, false) => lock.lease_id.is_none(),
        }
    }

    /// Whether it may be a fence token, or that there is none.
    fn is_number(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Value(seen) => seen.parse::<i64>().is_ok(),
        }
    }

    /// What a lock has to be told by.
    fn of(lock: &Lock) -> String {
        match &lock.lease_id {
            Some(token) if !lock.table.is_fenced() => format!("token {token}"),
            _ => crate::model::action::fence(lock.fence_token),
        }
    }
}

/// What is asked for on the command line.
#[derive(Debug, Clone)]
pub enum Ask {
    Release {
        key: String,
        fence: Seen,
        mode: Option<crate::model::action::Mode>,
        notify_holder: bool,
        notify_next: bool,
    },
    Reroute {
        message: String,
        to: String,
    },
    Evacuate {
        node: String,
    },
    Drain {
        node: String,
        on: bool,
        for_ms: Option<i64>,
    },
    Quarantine {
        node: String,
        on: bool,
    },
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Failed,
    Usage(String),
    Refused(String),
    ReadOnly(String),
    /// It is not known whether the thing is there.
    CannotSee(String),
}

impl End {
    /// The process's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed | Self::CannotSee(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 4,
            Self::ReadOnly(_) => 5,
        }
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        let why = refusal.why.to_string();
        if refusal.read_only { Self::ReadOnly(why) } else { Self::Refused(why) }
    }
}

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
    let intent = match intent(ask, snapshot, settings.repo.as_deref()) {
        Ok(intent) => intent,
        Err(end) => return Ok(end),
    };
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

/// Why it is not known what is there.
fn unseen(snapshot: &Snapshot) -> String {
    let all: Vec<String> = snapshot.unseen().iter().map(ToString::to_string).collect();
    format!("cannot see whether it is there: {}", all.join("; "))
}

/// Finds what was named.
fn intent(ask: &Ask, snapshot: &Snapshot, repo: Option<&str>) -> Result<Intent, End> {
    Ok(match ask {
        Ask::Release { key, fence, mode, notify_holder, notify_next } => {
            let locks = vec![find_lock(snapshot, key, fence, repo)?];
            Intent::Release { locks, mode: *mode, notify_holder: *notify_holder, notify_next: *notify_next }
        }
        Ask::Reroute { message, to } => {
            Intent::Reroute { messages: vec![find_message(snapshot, message)?], to: Some(Text::new(to)) }
        }
        Ask::Evacuate { node } => Intent::Evacuate { node: find_node(snapshot, node, repo)? },
        Ask::Drain { node, on, for_ms } => Intent::Drain { nodes: vec![Text::new(node)], on: *on, for_ms: *for_ms },
        Ask::Quarantine { node, on } => Intent::Quarantine { nodes: vec![Text::new(node)], on: *on },
    })
}

/// By name, and by repository where a name sends heartbeats in several.
fn find_node(snapshot: &Snapshot, name: &str, repo: Option<&str>) -> Result<Text, End> {
    let name = Text::new(name);
    let named: Vec<_> = snapshot.nodes_named(&name).collect();
    let there: Vec<_> = match repo {
        Some(repo) => named.iter().filter(|node| node.repositories.iter().any(|r| *r == *repo)).collect(),
        None => named.iter().collect(),
    };
    match (there.as_slice(), named.as_slice()) {
        ([only], _) => Ok(only.key.clone()),
        // Whether it is there at all is for the plan to say.
        (_, []) => Ok(name),
        ([], [only]) if only.repositories.is_empty() => Ok(only.key.clone()),
        ([], _) => Err(End::Refused(format!("{name} sends no heartbeat in {}", scrub(repo.unwrap_or_default())))),
        (many, _) => {
            let all: Vec<String> = many.iter().map(|node| format!("{} ({})", node.name(), node.staleness)).collect();
            Err(End::Usage(format!("several nodes are meant: {}; add --repo", all.join(", "))))
        }
    }
}

fn find_lock(snapshot: &Snapshot, key: &str, seen: &Seen, repo: Option<&str>) -> Result<String, End> {
    let named = snapshot.locks.iter().filter(|view| {
        view.lock.table != LockTable::ExecLease
            && (view.lock.lock_key == *key
                || snapshot.names.canonical(view.lock.lock_key.raw()) == snapshot.names.canonical(key))
            && repo.is_none_or(|repo| view.lock.repository_id == *repo)
    });
    let found: Vec<_> = named.collect();
    match found.as_slice() {
        [] if !snapshot.unseen().is_empty() => Err(End::CannotSee(unseen(snapshot))),
        [] => Err(End::Refused(format!("there is no lock {}: it may have been released", scrub(key)))),
        [only] if seen.is(&only.lock) => Ok(only.key()),
        [only] if only.lock.table.is_fenced() && !seen.is_number() => Err(End::Usage(format!(
            "{} is told by its fence token: write the number that you saw, or none",
            only.lock.lock_key
        ))),
        [only] => Err(End::Refused(format!(
            "{} has {} now, held by {}, agent {}: it is not the lock you saw",
            only.lock.lock_key,
            Seen::of(&only.lock),
            only.lock.holder_node,
            only.lock.holder_agent
        ))),
        many => {
            let places: Vec<String> = many
                .iter()
                .map(|l| format!("{} of {} in {} of {}", l.lock.lock_key, l.lock.repository_id, l.lock.table, l.source))
                .collect();
            let exact: Vec<_> = many.iter().filter(|l| l.lock.lock_key == *key && seen.is(&l.lock)).collect();
            match exact.as_slice() {
                [only] => Ok(only.key()),
                _ => Err(End::Usage(format!("several locks are meant: {}; add --repo", places.join(", ")))),
            }
        }
    }
}

/// By id, or by `SOURCE/ID` where several sources have that id.
fn find_message(snapshot: &Snapshot, name: &str) -> Result<String, End> {
    let (source, id) = match name.rsplit_once('/') {
        Some((source, id)) => (Some(source), id),
        None => (None, name),
    };
    let Ok(id) = id.parse::<i64>() else {
        return Err(End::Usage(format!("{} is no message id; write a number, or SOURCE/NUMBER", scrub(name))));
    };
    let waiting = snapshot.messages.iter().filter(|view| {
        view.message.id == id
            && view.state != MessageState::Acknowledged
            && source.is_none_or(|source| view.source == *source)
    });
    let found: Vec<_> = waiting.collect();
    match found.as_slice() {
        [] if !snapshot.unseen().is_empty() => Err(End::CannotSee(unseen(snapshot))),
        [] => Err(End::Refused(format!("no message {id} waits: it may have been acknowledged"))),
        [only] => Ok(only.key()),
        many => {
            let places: Vec<String> = many.iter().map(|view| format!("{}/{id}", view.source)).collect();
            Err(End::Usage(format!("several messages are meant: {}", places.join(", "))))
        }
    }
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
        Format::Json => escape_json(&serde_json::to_string_pretty(&as_json(plan, outcomes, snapshot, dry_run))?) + "\n",
        Format::Table => table(plan, outcomes, snapshot),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

fn as_json(plan: &Plan, outcomes: Option<&[Outcome]>, snapshot: &Snapshot, dry_run: bool) -> Value {
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
