//! What is planned for agents, by what is known of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::plan::{Confirm, Intent, Interrupt, Plan, Policy, Refusal, plan, to_ask};
use crate::mesh::derive::{Snapshot, agents};
use crate::model::action::{Abilities, Action, Answer, CurrentRun, Kind, Question};
use crate::model::agent::{Activity, Agent, AgentStatus, Group, GroupStatus, Progress};
use crate::model::observation::{Change, Observation};
use crate::model::report::Report;
use crate::model::source::Identity;
use crate::model::text::Text;
use crate::model::time::{MINUTE, SECOND};
use crate::testing::{NOW, snapshot, starting_mesh};

const KINDS: &[Kind] = &[
    Kind::StopRun,
    Kind::CancelWork,
    Kind::CancelTask,
    Kind::RetireAgent,
    Kind::RespawnAgent,
    Kind::Wire,
    Kind::StopGroup,
];

fn agent(identity: &str, activity: Activity, is_still: bool, generation: Option<i64>) -> Agent {
    Agent {
        agent: format!("atlas/{identity}").into(),
        repository_id: "team".into(),
        group: "atlas".into(),
        identity: identity.into(),
        status: Some(AgentStatus::Active),
        generation,
        fence_token: generation,
        progress: Some(Progress {
            activity,
            in_flight: 0,
            last_ms: Some(NOW - MINUTE),
            health: "unknown".into(),
            since_ms: NOW - MINUTE,
            is_still,
            every_ms: 10 * SECOND,
        }),
        ..Agent::default()
    }
}

/// A mesh with agents, at a source that does everything or nothing.
fn mesh(agents: Vec<Agent>, kinds: &'static [Kind]) -> Arc<Snapshot> {
    let mut state = starting_mesh();
    let source = &mut state.mesh.sources[0];
    let can = Abilities { kinds, records: false };
    let cannot = kinds.is_empty().then(|| Text::new("connect a process that serves the realm"));
    source.identity = Arc::new(Identity { can, cannot, ..(*source.identity).clone() });
    let group = Group {
        name: "atlas".into(),
        repository_id: "team".into(),
        status: Some(GroupStatus::Running),
        ..Group::default()
    };
    let changes = vec![Change::Agents(agents), Change::Groups(vec![group])];
    let observation = Observation { changes, ..Observation::default() };
    let report = Report::Observed { source: 0, at_ms: NOW, observation: Box::new(observation) };
    snapshot(state.after(report), NOW)
}

fn key(identity: &str) -> String {
    agents::key(&"team".into(), &format!("atlas/{identity}").into())
}

fn planned(snapshot: &Snapshot, intent: &Intent) -> Result<Plan, Refusal> {
    plan(intent, snapshot, &Policy::default())
}

fn at(run: &str) -> Answer {
    Answer::Run(CurrentRun::At(run.into()))
}

fn stop(identity: &str, run: Option<Answer>) -> Intent {
    let runs: BTreeMap<_, _> = run.map(|run| (key(identity), run)).into_iter().collect();
    Intent::StopRuns { agents: vec![key(identity)], how: Interrupt::StopRun, runs }
}

#[test]
fn a_run_is_stopped_by_its_name_and_whoever_gets_on_is_named_too() {
    let snapshot = mesh(
        vec![agent("still", Activity::Working, true, None), agent("works", Activity::Working, false, None)],
        KINDS,
    );
    let two =
        Intent::StopRuns { agents: vec![key("still"), key("gone")], how: Interrupt::StopRun, runs: BTreeMap::new() };
    let asked = to_ask(&two, &snapshot, &Policy::default());
    let [(source, _, Question::Run(guard))] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((source.raw(), guard.identity.as_str()), ("vox.db", "still"));
    let answers: BTreeMap<_, _> = [(key("still"), Answer::Run(CurrentRun::Idle))].into();
    assert!(two.needs(&answers) && to_ask(&two.with_answers(&answers), &snapshot, &Policy::default()).is_empty());
    let plan = planned(&snapshot, &stop("still", Some(at("r-1")))).unwrap();
    assert!(matches!(&plan.steps[0].action, Action::StopRun { run, .. } if run == "r-1"));
    assert_eq!(plan.confirm, Confirm::Key, "it hangs");
    let plan = planned(&snapshot, &stop("works", Some(at("r-2")))).unwrap();
    assert_eq!(plan.confirm, Confirm::Typed("atlas/works".into()));
    for (run, words) in [
        (Some(Answer::Run(CurrentRun::Idle)), "at no run"),
        (Some(Answer::Unknown("no answer".into())), "no answer"),
        (None, "was not asked for"),
    ] {
        let refusal = planned(&snapshot, &stop("still", run)).unwrap_err();
        assert!(refusal.why.raw().contains(words), "{refusal}");
    }
}

#[test]
fn what_names_no_generation_says_so_and_needs_to_know_it() {
    let all = |generation| {
        vec![agent("w", Activity::Working, true, generation), agent("v", Activity::Idle, false, generation)]
    };
    let (known, unknown) = (mesh(all(Some(2)), KINDS), mesh(all(None), KINDS));
    let cancel = |how| Intent::StopRuns { agents: vec![key("w")], how, runs: BTreeMap::new() };
    let intents = [
        cancel(Interrupt::ForceCancel),
        cancel(Interrupt::AllWork),
        Intent::RetireAgents { agents: vec![key("w")], again: false },
        Intent::RetireAgents { agents: vec![key("w")], again: true },
        Intent::Wire { agents: vec![key("w"), key("v")], on: true },
    ];
    for intent in intents {
        let plan = planned(&known, &intent).unwrap();
        assert!(plan.about.iter().any(|line| line.raw().contains("respawns in between")), "{intent:?}");
        let typed = matches!(intent, Intent::RetireAgents { .. });
        assert_eq!(matches!(plan.confirm, Confirm::Typed(_)), typed, "{intent:?}");
        let refusal = planned(&unknown, &intent).unwrap_err();
        assert!(refusal.why.raw().contains("its generation is not known"), "{intent:?}: {refusal}");
    }
    let respawn = planned(&known, &Intent::RetireAgents { agents: vec![key("w")], again: true }).unwrap();
    assert!(respawn.steps[0].effect[0].raw().contains("generation 3"));
}

#[test]
fn wiring_takes_two_of_one_group() {
    let mut other = agent("x", Activity::Idle, false, Some(0));
    other.group = "beacon".into();
    let mut wired = agent("v", Activity::Idle, false, Some(0));
    wired.peers = vec!["w".into()];
    let snapshot = mesh(vec![agent("w", Activity::Idle, false, Some(0)), wired, other], KINDS);
    let wire = |agents: &[&str], on| {
        planned(&snapshot, &Intent::Wire { agents: agents.iter().map(|of| key(of)).collect(), on })
    };
    assert!(wire(&["w"], true).unwrap_err().why.raw().contains("mark the two agents"));
    assert!(wire(&["w", "x"], true).unwrap_err().why.raw().contains("two groups"));
    assert!(wire(&["v", "w"], true).unwrap_err().nothing_left, "they are wired already");
    assert_eq!(wire(&["v", "w"], false).unwrap().title.raw(), "Unwire atlas/v and atlas/w");
}

#[test]
fn a_group_is_stopped_by_its_name_and_what_keeps_it_from_stopping_is_said() {
    let snapshot = mesh(vec![agent("w", Activity::Working, true, Some(0))], KINDS);
    let groups = vec![("team".into(), "atlas".into())];
    let plan = planned(&snapshot, &Intent::StopGroups { groups: groups.clone(), on: true }).unwrap();
    assert_eq!(plan.confirm, Confirm::Typed("atlas".into()));
    assert!(plan.unknowns[0].raw().contains("1 agent at work (w)"), "{:?}", plan.unknowns);
    let resume = planned(&snapshot, &Intent::StopGroups { groups, on: false }).unwrap_err();
    assert!(resume.why.raw().contains("it is running already"), "{resume}");
}

#[test]
fn without_a_server_the_way_is_named() {
    let snapshot = mesh(vec![agent("w", Activity::Working, true, Some(0))], &[]);
    let refusal = planned(&snapshot, &stop("w", Some(at("r")))).unwrap_err();
    assert!(refusal.why.raw().contains("connect a process that serves the realm"), "{refusal}");
}
