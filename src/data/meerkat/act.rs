//! Acting on agents through the process that serves them: stopping runs, cancelling, retiring, respawning, wiring.
//!
//! A run is stopped by its id, and the server stops no other. Nothing else names a generation or a run, so that both are
//! read again just before. An accepted call is read back: a run that hangs goes on after a cancel that was accepted.
#![allow(clippy::result_large_err, reason = "a refusal is an outcome like any other")]

mod calls;
mod guard;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use self::calls::{Called, Looks, call, flow_status, mob_status};
use self::guard::member_now;
use super::realms::Realms;
use super::rpc::Server;
use crate::action::executor::{ActionRequest, Executor, Resolution, Working, WriteAccess};
use crate::model::action::{Abilities, Action, AgentGuard, Answer, CurrentRun, GroupGuard, Kind, Question, TaskGuard};
use crate::model::outcome::Outcome;
use crate::model::source::Fault;

/// What can be done through a server.
pub const RPC: Abilities = Abilities {
    kinds: &[
        Kind::StopRun,
        Kind::CancelWork,
        Kind::CancelTask,
        Kind::RetireAgent,
        Kind::RespawnAgent,
        Kind::Wire,
        Kind::StopGroup,
    ],
    records: false,
};

/// A run that is nobody's: whoever is asked to stop it answers the current one, and touches nothing.
const NO_RUN: &str = "00000000-0000-7000-8000-000000000000";
/// How long a run is watched after a cancel was accepted.
const ENDS_WITHIN: Duration = Duration::from_secs(3);
/// The same for a flow, which was seen to take 2.5 s.
const FLOW_ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Acts through one server.
pub struct RpcExecutor {
    address: SocketAddr,
    realms: Realms,
    /// How long an answer is waited for; nothing for the usual span.
    patience: Option<Duration>,
}

impl RpcExecutor {
    /// An executor for the server at an address. `realms` are those whose files are watched.
    #[must_use]
    pub fn new(address: SocketAddr, realms: Realms, _: WriteAccess) -> Self {
        Self { address, realms, patience: None }
    }

    /// Waits no longer for an answer.
    #[must_use]
    pub fn patient_for(self, span: Duration) -> Self {
        Self { patience: Some(span), ..self }
    }

    async fn connect(&self) -> Result<Server, Fault> {
        let mut server = Server::connect(self.address).await?;
        server.patience = self.patience.unwrap_or(server.patience);
        Ok(server)
    }

    async fn execute_now(&self, request: &ActionRequest) -> Outcome {
        let mut server = match self.connect().await {
            Ok(server) => server,
            Err(fault) => return Outcome::failed(format!("nothing was sent: {fault}")),
        };
        let reason = if request.reason.is_empty() { "operator" } else { &request.reason };
        let done = match &request.action {
            Action::StopRun { agent, run } => stop_run(&mut server, agent, run, reason).await,
            Action::CancelWork { agent, all } => self.cancel_work(&mut server, agent, *all).await,
            Action::CancelTask { task } => cancel_flow(&mut server, task).await,
            Action::RetireAgent { agent } => self.retire(&mut server, agent).await,
            Action::RespawnAgent { agent } => self.respawn(&mut server, agent).await,
            Action::Wire { agent, peer, on } => self.wire(&mut server, agent, peer, *on).await,
            Action::StopGroup { group, on } => self.stop_group(&mut server, group, *on).await,
            _ => Err(Outcome::refused("a Meerkat server does nothing of the kind")),
        };
        done.unwrap_or_else(|outcome| outcome)
    }

    async fn cancel_work(&self, server: &mut Server, agent: &AgentGuard, all: bool) -> Result<Outcome, Outcome> {
        let member = member_now(server, &self.realms, agent).await?;
        let before = if server.has("mob/stop_member_run") { Some(current_run(server, agent).await) } else { None };
        let (method, params) = if all {
            ("mob/cancel_all_work", json!({ "member_ref": member["member_ref"] }))
        } else {
            ("mob/force_cancel", json!({ "mob_id": agent.group, "agent_identity": agent.identity }))
        };
        call(server, method, params).await.accepted()?;
        let run = match before {
            None => {
                return Ok(Outcome::unknown("it was accepted; this release does not tell whether the run ended"));
            }
            Some(CurrentRun::Unknown(why)) => {
                return Ok(Outcome::unknown(format!("it was accepted; whether a run ended is not known: {why}")));
            }
            Some(CurrentRun::Idle) => return Ok(Outcome::already("it was accepted, and no run was open")),
            Some(CurrentRun::At(run)) => run,
        };
        let mut looks = Looks::within(ENDS_WITHIN);
        while looks.next().await {
            match current_run(server, agent).await {
                CurrentRun::At(now) if now == run => {}
                CurrentRun::Unknown(why) => {
                    let summary = format!("it was accepted; whether run {run} ended is not known: {why}");
                    return Ok(Outcome::unknown(summary));
                }
                now => return Ok(Outcome::done(format!("run {run} ended; {}", at_now(&now)))),
            }
        }
        Ok(Outcome::failed(format!("it was accepted, and run {run} goes on: stop that run instead")))
    }

    async fn retire(&self, server: &mut Server, agent: &AgentGuard) -> Result<Outcome, Outcome> {
        let before = member_now(server, &self.realms, agent).await?;
        let params = json!({ "mob_id": agent.group, "agent_identity": agent.identity });
        call(server, "mob/retire", params).await.accepted()?;
        let mut looks = Looks::within(ENDS_WITHIN);
        while looks.next().await {
            if let Ok(None) = guard::member(server, &agent.group, &agent.identity).await {
                return Ok(Outcome::done("it is retired").with(Some(guard::shown(&before)), None));
            }
        }
        Ok(Outcome::unknown("it was accepted, and the agent is still listed: it may be retiring"))
    }

    async fn respawn(&self, server: &mut Server, agent: &AgentGuard) -> Result<Outcome, Outcome> {
        let before = member_now(server, &self.realms, agent).await?;
        let from = guard::seen(server, &self.realms, agent)?.last;
        let params = json!({ "mob_id": agent.group, "agent_identity": agent.identity });
        let answer = call(server, "mob/respawn", params).await.accepted()?;
        let Ok(Some(now)) = guard::spawned_after(server, agent, from).await else {
            return Ok(Outcome::unknown("it was accepted, and no member_spawned of it was found"));
        };
        let failed = answer["failed_peer_ids"].as_array().map_or(&[][..], Vec::as_slice);
        let lost: Vec<&str> = failed.iter().filter_map(Value::as_str).take(20).collect();
        let wires = if lost.is_empty() { String::new() } else { format!("; not wired again to {}", lost.join(", ")) };
        let summary =
            format!("it is generation {} now, {}{wires}", now.generation, crate::model::action::fence(now.fence));
        let after = json!({ "generation": now.generation, "fence_token": now.fence });
        Ok(Outcome::done(summary).with(Some(guard::shown(&before)), Some(after)))
    }

    async fn wire(&self, server: &mut Server, agent: &AgentGuard, peer: &str, on: bool) -> Result<Outcome, Outcome> {
        let before = member_now(server, &self.realms, agent).await?;
        let wired = |row: &Value| row["wired_to"].as_array().is_some_and(|all| all.iter().any(|one| *one == peer));
        if wired(&before) == on {
            return Ok(Outcome::already(if on { "they are wired" } else { "they are not wired" }));
        }
        let method = if on { "mob/wire" } else { "mob/unwire" };
        let params = json!({ "mob_id": agent.group, "member": agent.identity, "peer": { "local": peer } });
        call(server, method, params).await.accepted()?;
        let now = guard::member(server, &agent.group, &agent.identity).await;
        Ok(match now {
            Ok(Some(row)) if wired(&row) == on => {
                Outcome::done(if on { "they are wired" } else { "they are not wired any more" })
            }
            _ => Outcome::unknown("it was accepted, and does not show"),
        })
    }

    async fn stop_group(&self, server: &mut Server, group: &GroupGuard, on: bool) -> Result<Outcome, Outcome> {
        let wanted = if on { "Stopped" } else { "Running" };
        let is = mob_status(server, &group.group).await?;
        if is == wanted {
            return Ok(Outcome::already(format!("it is {is}")));
        }
        if group.status != "unknown" && !group.status.eq_ignore_ascii_case(&is) && group.status != "stopping" {
            return Err(Outcome::refused(format!("it was {} when it was looked at, and is {is} now", group.status)));
        }
        let action = if on { "stop" } else { "resume" };
        match call(server, "mob/lifecycle", json!({ "mob_id": group.group, "action": action })).await {
            Called::Lost(why) => {
                // Its answer may still come on that connection.
                let now = match self.connect().await {
                    Ok(mut again) => mob_status(&mut again, &group.group).await.ok(),
                    Err(_) => None,
                };
                let now = now.unwrap_or_else(|| "unknown".into());
                if now == wanted {
                    return Ok(Outcome::already(format!("{why}; it is {now}")));
                }
                Ok(Outcome::unknown(format!("{why}; it is {now}. A member that hangs keeps a stop from ending")))
            }
            called => {
                called.accepted()?;
                let now = mob_status(server, &group.group).await?;
                Ok(if now == wanted {
                    Outcome::done(format!("it is {now}"))
                } else {
                    Outcome::unknown(format!("it was accepted, and is {now}"))
                })
            }
        }
    }

    async fn resolve(&self, action: &Action) -> Resolution {
        let mut server = match self.connect().await {
            Ok(server) => server,
            Err(fault) => return Resolution::Unreachable(fault.to_string()),
        };
        let server = &mut server;
        match action {
            Action::StopRun { agent, run } => match current_run(server, agent).await {
                CurrentRun::At(now) if now == *run => Resolution::NotApplied(format!("run {run} goes on")),
                CurrentRun::Unknown(why) => Resolution::Unreachable(why),
                now => Resolution::Undecidable(format!("run {run} is over; {}", at_now(&now))),
            },
            Action::CancelWork { .. } => Resolution::Undecidable("a cancel leaves no trace".into()),
            Action::CancelTask { task } => match flow_status(server, task).await {
                Ok(Some(status)) if is_open(&status) => Resolution::NotApplied(format!("it is {status}")),
                Ok(Some(status)) => Resolution::Undecidable(format!("it is {status}")),
                Ok(None) => Resolution::Undecidable("there is no such run".into()),
                Err(outcome) => Resolution::Unreachable(outcome.summary.to_string()),
            },
            Action::RetireAgent { agent } | Action::RespawnAgent { agent } | Action::Wire { agent, .. } => {
                match member_now(server, &self.realms, agent).await {
                    Ok(_) if matches!(action, Action::Wire { .. }) => {
                        Resolution::Undecidable("wiring may have been done by anybody".into())
                    }
                    Ok(_) => Resolution::NotApplied("it is there as it was".into()),
                    Err(outcome) => Resolution::Undecidable(outcome.summary.to_string()),
                }
            }
            Action::StopGroup { group, on } => match mob_status(server, &group.group).await {
                Ok(is) if (is == "Stopped") != *on => Resolution::NotApplied(format!("it is {is}")),
                Ok(is) => Resolution::Undecidable(format!("it is {is}")),
                Err(outcome) => Resolution::Unreachable(outcome.summary.to_string()),
            },
            _ => Resolution::Undecidable("nothing of the kind is done here".into()),
        }
    }
}

impl Executor for RpcExecutor {
    fn execute<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Outcome> {
        Box::pin(self.execute_now(request))
    }
    fn record<'a>(&'a mut self, _: &'a ActionRequest) -> Working<'a, Result<(), String>> {
        Box::pin(async { Err("the log of a mob is written by Meerkat alone".into()) })
    }
    fn ask<'a>(&'a mut self, question: &'a Question) -> Working<'a, Answer> {
        Box::pin(async move {
            let Question::Run(agent) = question else { return Answer::Unknown("Meerkat has no such thing".into()) };
            match self.connect().await {
                Ok(mut server) => Answer::Run(current_run(&mut server, agent).await),
                Err(fault) => Answer::Unknown(fault.to_string()),
            }
        })
    }
    fn was_applied<'a>(&'a mut self, request: &'a ActionRequest) -> Working<'a, Resolution> {
        Box::pin(self.resolve(&request.action))
    }
}

async fn stop_run(server: &mut Server, agent: &AgentGuard, run: &str, reason: &str) -> Result<Outcome, Outcome> {
    if !server.has("mob/stop_member_run") {
        let version = &server.version;
        return Err(Outcome::refused(format!(
            "release {version} has no call that stops one run: force-cancel is there"
        )));
    }
    let params = json!({
        "mob_id": agent.group, "agent_identity": agent.identity, "run_id": run, "reason": reason,
    });
    let answer = call(server, "mob/stop_member_run", params).await.accepted()?;
    let receipt = &answer["receipt"];
    match receipt["outcome"].as_str() {
        Some("stopped") => Ok(match current_run(server, agent).await {
            CurrentRun::At(now) if now == *run => {
                Outcome::unknown("it was answered as stopped, and the same run is still the current one")
            }
            CurrentRun::Unknown(_) => Outcome::done("the run ended").not_reread(),
            now => Outcome::done(format!("the run ended; {}", at_now(&now))),
        }),
        Some("not_current") => {
            let now = receipt["current_run_id"].as_str().map(crate::model::text::scrub);
            let now = now.map_or_else(|| "it is at no run".to_owned(), |run| format!("it is at run {run}"));
            Err(Outcome::refused(format!("that run is over, and nothing was touched; {now}")))
        }
        other => Err(Outcome::unknown(format!(
            "the answer is none that is known: {}",
            crate::model::text::scrub(other.unwrap_or("no outcome"))
        ))),
    }
}

/// The run that a member is at, by asking to stop one that is nobody's.
async fn current_run(server: &mut Server, agent: &AgentGuard) -> CurrentRun {
    if !server.has("mob/stop_member_run") {
        return CurrentRun::Unknown(format!("release {} does not tell it", server.version));
    }
    let params = json!({
        "mob_id": agent.group, "agent_identity": agent.identity, "run_id": NO_RUN, "reason": "which run is current",
    });
    match call(server, "mob/stop_member_run", params).await.accepted() {
        Ok(answer) => match (answer["receipt"]["outcome"].as_str(), answer["receipt"]["current_run_id"].as_str()) {
            (Some("not_current"), Some(run)) if run.len() <= 120 => CurrentRun::At(run.to_owned()),
            (Some("not_current"), None) => CurrentRun::Idle,
            _ => CurrentRun::Unknown("the answer is none that is known".into()),
        },
        Err(outcome) => CurrentRun::Unknown(outcome.summary.to_string()),
    }
}

fn at_now(run: &CurrentRun) -> String {
    match run {
        CurrentRun::At(run) => format!("run {} is the current one now", crate::model::text::scrub(run)),
        CurrentRun::Idle => "no run is open now".into(),
        CurrentRun::Unknown(why) => format!("what it is at is not known: {why}"),
    }
}

fn is_open(status: &str) -> bool {
    matches!(status, "pending" | "running")
}

async fn cancel_flow(server: &mut Server, task: &TaskGuard) -> Result<Outcome, Outcome> {
    match flow_status(server, task).await? {
        None => return Err(Outcome::refused("there is no such run any more")),
        Some(status) if !is_open(&status) => return Ok(Outcome::already(format!("it is {status}"))),
        Some(_) => {}
    }
    let params = json!({ "mob_id": task.group, "run_id": task.id });
    call(server, "mob/flow_cancel", params).await.accepted()?;
    let mut looks = Looks::within(FLOW_ENDS_WITHIN);
    while looks.next().await {
        match flow_status(server, task).await {
            Ok(Some(status)) if status == "canceled" => {
                return Ok(Outcome::done("it is canceled; what its members are at goes on"));
            }
            Ok(Some(status)) if !is_open(&status) => {
                return Ok(Outcome::already(format!("it ended by itself: it is {status}")));
            }
            _ => {}
        }
    }
    Ok(Outcome::unknown("it was accepted, and the flow still runs"))
}
