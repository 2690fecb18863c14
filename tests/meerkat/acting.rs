//! Acting on members through the process that serves them: what is named is what is hit, and what was accepted is looked at
//! again.

use std::time::Duration;

use lockkeeper::action::executor::{Executor as _, Resolution};
use lockkeeper::data::meerkat::realms::Realms;
use lockkeeper::model::action::{Action, AgentGuard, CurrentRun, GroupGuard, TaskGuard};
use lockkeeper::model::outcome::OutcomeKind::{Already, Done, Failed, Refused, Unknown};

use crate::fixture::now_ms;
use crate::served::{Mishap, Served, request};

fn group(status: &str) -> GroupGuard {
    GroupGuard { group: "atlas".into(), repository_id: "fleet".into(), status: status.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_stopped_by_its_id_and_no_other_is() {
    let mut of = Served::new().await;
    assert_eq!(of.current_run("worker-3").await, CurrentRun::Idle);
    let run = of.start_run("worker-3", true).await;
    assert_eq!(of.current_run("worker-3").await, CurrentRun::At(run.clone()), "asking touches nothing");
    let agent = of.guard("worker-3").await;
    let stop = Action::StopRun { agent, run: run.clone() };
    let outcome = of.execute(stop.clone()).await;
    assert_eq!((outcome.kind, of.run_of("worker-3").await), (Done, None), "{}", outcome.summary);

    let next = of.start_run("worker-3", false).await;
    let outcome = of.execute(stop.clone()).await;
    assert_eq!(outcome.kind, Refused, "{}", outcome.summary);
    assert!(outcome.summary.raw().contains(&next), "{}", outcome.summary);
    assert_eq!(of.run_of("worker-3").await, Some(next.clone()), "the next run goes on");
    assert!(matches!(of.executor.was_applied(&request(stop)).await, Resolution::Undecidable(_)));
    let agent = of.guard("worker-3").await;
    let goes_on = request(Action::StopRun { agent, run: next });
    assert!(matches!(of.executor.was_applied(&goes_on).await, Resolution::NotApplied(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_is_not_hit_by_the_stop_of_a_run() {
    let mut of = Served::new().await;
    let run = of.start_run("worker-3", true).await;
    let agent = of.guard("worker-3").await;
    of.befall("mob/stop_member_run", Mishap::Respawn("worker-3"));
    let outcome = of.execute(Action::StopRun { agent, run }).await;
    assert_eq!(outcome.kind, Refused, "{}", outcome.summary);
    assert_eq!(of.realm.lock().await.members["worker-3"].generation, 1);
}

/// Accepted for members that hang too: what became of the run is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_was_accepted_is_not_called_done_while_the_run_goes_on() {
    let mut of = Served::new().await;
    for all in [false, true] {
        let run = of.start_run("worker-3", true).await;
        let agent = of.guard("worker-3").await;
        let outcome = of.execute(Action::CancelWork { agent, all }).await;
        assert_eq!((outcome.kind, of.run_of("worker-3").await), (Failed, Some(run.clone())), "{}", outcome.summary);
        assert!(outcome.summary.raw().contains(&run), "{}", outcome.summary);
        of.start_run("worker-3", false).await;
        let agent = of.guard("worker-3").await;
        let outcome = of.execute(Action::CancelWork { agent: agent.clone(), all }).await;
        assert_eq!((outcome.kind, of.run_of("worker-3").await), (Done, None), "{}", outcome.summary);
        assert_eq!(of.execute(Action::CancelWork { agent, all }).await.kind, Already, "it was at no run");
    }
}

/// Whatever names no generation is refused once the member lives again, however late that is.
#[tokio::test(flavor = "multi_thread")]
async fn another_generation_is_never_hit_by_what_was_meant_for_the_one_before() {
    let acts: [fn(AgentGuard) -> Action; 4] = [
        |agent| Action::CancelWork { agent, all: false },
        |agent| Action::RetireAgent { agent },
        |agent| Action::RespawnAgent { agent },
        |agent| Action::Wire { agent, peer: "worker-1".into(), on: true },
    ];
    for act in acts {
        for at in ["initialize", "runtime/host_info", "mob/members", "mob/events"] {
            let mut of = Served::new().await;
            let action = act(of.guard("worker-3").await);
            of.befall(at, Mishap::Respawn("worker-3"));
            let outcome = of.execute(action.clone()).await;
            assert_eq!(outcome.kind, Refused, "{at} {action:?}: {}", outcome.summary);
            let realm = of.realm.lock().await;
            let member = &realm.members["worker-3"];
            assert_eq!((member.generation, member.wired_to.len()), (1, 0), "{at} {action:?}");
            drop(realm);
            for call in ["mob/force_cancel", "mob/retire", "mob/respawn", "mob/wire"] {
                assert_eq!(of.asked(call), 0, "{at} {action:?}");
            }
            // And so it is once the files told of it.
            of.read_files().await;
            let outcome = of.execute(action).await;
            assert_eq!(outcome.kind, Refused, "{}", outcome.summary);
            assert!(outcome.summary.raw().contains("generation 1 now"), "{}", outcome.summary);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_retired_and_respawned_and_that_is_read_back() {
    let mut of = Served::new().await;
    let agent = of.guard("worker-2").await;
    let outcome = of.execute(Action::RespawnAgent { agent: agent.clone() }).await;
    assert_eq!(outcome.kind, Done, "{}", outcome.summary);
    let now = of.guard("worker-2").await;
    assert_eq!(now.generation, Some(1));
    assert!(outcome.summary.raw().contains(&format!("generation 1 now, fence {}", now.fence_token.unwrap())));
    assert!(of.realm.lock().await.members["worker-2"].wired_to.contains("lead-1"), "its wires are kept");
    let was = of.executor.was_applied(&request(Action::RespawnAgent { agent })).await;
    assert!(matches!(was, Resolution::Undecidable(_)), "anybody may have done it: {was:?}");

    of.read_files().await;
    let retire = Action::RetireAgent { agent: now };
    assert!(matches!(of.executor.was_applied(&request(retire.clone())).await, Resolution::NotApplied(_)));
    let outcome = of.execute(retire.clone()).await;
    assert_eq!(outcome.kind, Done, "{}", outcome.summary);
    assert!(!of.realm.lock().await.members.contains_key("worker-2"));
    assert_eq!(of.execute(retire).await.kind, Refused, "it is no member any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn wiring_is_read_back() {
    let mut of = Served::new().await;
    let wire = |agent, on| Action::Wire { agent, peer: "worker-1".into(), on };
    let agent = of.guard("worker-2").await;
    assert_eq!(of.execute(wire(agent.clone(), false)).await.kind, Already);
    assert_eq!(of.execute(wire(agent.clone(), true)).await.kind, Done);
    assert!(of.realm.lock().await.members["worker-1"].wired_to.contains("worker-2"));
    assert_eq!(of.execute(wire(agent.clone(), true)).await.kind, Already);
    assert_eq!(of.execute(wire(agent, false)).await.kind, Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_cancelled_until_it_is() {
    let mut of = Served::new().await;
    let task = |id: &str| TaskGuard {
        task: format!("flow x ({id})"),
        group: "atlas".into(),
        id: id.into(),
        repository_id: "fleet".into(),
    };
    of.realm.lock().await.begin_flow("run-9", "x", now_ms()).await.unwrap();
    let realm = of.realm.clone();
    let playing = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            realm.lock().await.step(now_ms()).await.unwrap();
        }
    });
    let cancel = Action::CancelTask { task: task("run-9") };
    assert!(matches!(of.executor.was_applied(&request(cancel.clone())).await, Resolution::NotApplied(_)));
    let outcome = of.execute(cancel.clone()).await;
    assert_eq!(outcome.kind, Done, "{}", outcome.summary);
    assert_eq!(of.execute(cancel).await.kind, Already);
    assert_eq!(of.execute(Action::CancelTask { task: task("nope") }).await.kind, Refused);
    playing.abort();
}

/// A stop with a member that hangs does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_is_not_answered_is_unknown_and_then_looked_into() {
    let mut of = Served::new().await;
    of.start_run("worker-3", true).await;
    let stop = Action::StopGroup { group: group("running"), on: true };
    let outcome = of.execute(stop.clone()).await;
    assert_eq!(outcome.kind, Unknown, "{}", outcome.summary);
    assert!(outcome.summary.raw().contains("it is Running"), "{}", outcome.summary);
    assert!(matches!(of.executor.was_applied(&request(stop.clone())).await, Resolution::NotApplied(_)));
    of.realm.lock().await.end_run("worker-3", now_ms());
    let outcome = of.execute(stop.clone()).await;
    assert_eq!(outcome.kind, Done, "{}", outcome.summary);
    assert_eq!(of.execute(stop).await.kind, Already);
    let resume = |status| Action::StopGroup { group: group(status), on: false };
    assert_eq!(of.execute(resume("running")).await.kind, Refused, "it was looked at when it ran");
    assert_eq!(of.execute(resume("stopped")).await.kind, Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_unknown_and_one_that_was_never_asked_is_not() {
    let mut of = Served::new().await;
    let agent = of.guard("worker-2").await;
    of.befall("mob/retire", Mishap::Lose);
    let outcome = of.execute(Action::RetireAgent { agent }).await;
    assert_eq!(outcome.kind, Unknown, "{}", outcome.summary);

    of.befall("mob/stop_member_run", Mishap::Hide);
    let run = of.start_run("worker-3", false).await;
    let agent = of.guard("worker-3").await;
    assert!(matches!(of.current_run("worker-3").await, CurrentRun::Unknown(_)));
    let outcome = of.execute(Action::StopRun { agent: agent.clone(), run }).await;
    assert_eq!((outcome.kind, of.asked("mob/stop_member_run")), (Refused, 0), "{}", outcome.summary);
    let outcome = of.execute(Action::CancelWork { agent: agent.clone(), all: false }).await;
    assert_eq!(outcome.kind, Unknown, "whether it ended cannot be asked: {}", outcome.summary);

    let access = lockkeeper::action::executor::WriteAccess::decide(lockkeeper::action::executor::Purpose::Act, false);
    let mut alone = lockkeeper::data::meerkat::act::RpcExecutor::new(of.address, Realms::default(), access.unwrap());
    let outcome = alone.execute(&request(Action::RetireAgent { agent: agent.clone() })).await;
    assert_eq!(outcome.kind, Refused, "nothing tells its generation: {}", outcome.summary);
    let nobody = "127.0.0.1:1".parse().unwrap();
    let mut far = lockkeeper::data::meerkat::act::RpcExecutor::new(nobody, Realms::default(), access.unwrap());
    let outcome = far.execute(&request(Action::RetireAgent { agent })).await;
    assert_eq!(outcome.kind, Failed, "{}", outcome.summary);
    assert!(outcome.summary.raw().contains("nothing was sent"), "{}", outcome.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_stops_a_run_and_keeps_its_journal() {
    let of = Served::new().await;
    let run = of.start_run("worker-3", true).await;
    let (root, address) = (of.root().join("fleet").display().to_string(), of.address.to_string());
    let call = async |more: &[&str]| {
        let places = ["--meerkat", &root, "--meerkat-rpc", &address];
        let all: Vec<String> = more.iter().chain(&places).map(|word| (*word).to_owned()).collect();
        let output = tokio::task::spawn_blocking(move || {
            crate::support::run(&all.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let output = output.await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (code, text) = call(&["stop", "atlas/worker-3", "--dry-run"]).await;
    assert_eq!((code, of.asked("mob/stop_member_run")), (Some(4), 0), "a dry run asks nothing that acts: {text}");
    let (code, text) = call(&["stop", "atlas/worker-3", "--run", &run, "--dry-run"]).await;
    assert!(code == Some(0) && text.contains(&format!("stop run {run} of atlas/worker-3")), "{code:?} {text}");
    let (code, text) = call(&["stop", "atlas/worker-3", "--run", "another", "--yes"]).await;
    assert_eq!((code, of.run_of("worker-3").await), (Some(4), Some(run)), "{text}");
    let (code, text) = call(&["stop", "atlas/worker-3", "--yes"]).await;
    assert_eq!((code, of.run_of("worker-3").await), (Some(0), None), "{text}");
    let (code, text) = call(&["retire", "atlas/worker-2", "--generation", "7", "--yes"]).await;
    assert!(code == Some(4) && text.contains("generation 0 now"), "{code:?} {text}");
    let (code, text) = call(&["respawn", "atlas/worker-2", "--generation", "0", "--yes"]).await;
    assert!(code == Some(0) && text.contains("generation 1 now"), "{code:?} {text}");
    let (code, text) = call(&["pause", "atlas", "--yes"]).await;
    assert!(code == Some(0) && of.realm.lock().await.is_stopped, "{code:?} {text}");
    let (code, text) = call(&["resume", "nothing", "--yes"]).await;
    assert!(code == Some(4) && text.contains("there is no group nothing"), "{code:?} {text}");
    let (code, text) = call(&["cancel", "no such task", "--yes"]).await;
    assert!(code == Some(4) && text.contains("there is no task"), "{code:?} {text}");
    let (code, text) = call(&["--read-only", "stop", "atlas/worker-3", "--yes"]).await;
    assert_eq!(code, Some(5), "{text}");
}

/// Nothing can be moved from a process that died: what becomes of each thing is said, and what to do.
#[tokio::test(flavor = "multi_thread")]
async fn evacuating_a_process_says_what_it_takes_with_it() {
    let of = Served::new().await;
    let root = of.root().join("fleet");
    let long_ago = now_ms() - 4_000_000;
    lockkeeper::demo::meerkat::lease(&root, "desk-1", long_ago, long_ago).unwrap();
    let root = root.display().to_string();
    let output = tokio::task::spawn_blocking(move || {
        crate::support::run(&["evacuate", "desk-1", "--dry-run", "--meerkat", &root])
    });
    let text = String::from_utf8(output.await.unwrap().stdout).unwrap();
    for words in [
        "Nothing of it can be done from here",
        "atlas, 5 agents: the next process that serves the realm resumes them",
        "workgraph_release, expected_revision 2",
        "it becomes canceled (execution_custody_lost)",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
