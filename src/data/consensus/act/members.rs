//! What is done to members of a cluster: each by one call that has a guard of its own, or is looked at just before.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use super::super::etcd::{EtcdConfig, group_of};
use super::super::gateway::{CallError, Gateway, Manner, NOT_FOUND, PRECONDITION};
use super::super::wire::{MemberList, Status};
use super::ended;
use crate::action::executor::Resolution;
use crate::config::address::Address;
use crate::model::action::{MemberChange, MemberGuard};
use crate::model::outcome::Outcome;
use crate::model::text::Text;

/// How long an effect is waited for that comes after the answer: a new leader, an alarm that is gone.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A store of gigabytes takes that long to be written anew.
const REWRITE: Duration = Duration::from_secs(300);

/// The members that answer now, and where.
pub struct Members {
    answering: Vec<(Address, Status)>,
}

impl Members {
    /// Asks every endpoint, and where members say that they are.
    pub async fn look(gateway: &Gateway, config: &EtcdConfig) -> Result<Self, String> {
        let (mut answering, mut why) = (Vec::new(), "no endpoint is named".to_owned());
        for at in &config.endpoints {
            match status(gateway, at).await {
                Ok(status) => answering.push((at.clone(), status)),
                Err(error) => why = error.fault(at).to_string(),
            }
        }
        let Some((first, _)) = answering.first() else { return Err(why) };
        let list = list(gateway, first).await.map_err(|error| error.fault(first).to_string())?;
        let known: Vec<u64> = answering.iter().map(|(_, status)| status.header.member_id).collect();
        for member in list.members.iter().filter(|member| !known.contains(&member.id)) {
            let Some(at) = member.client_urls.first().and_then(|url| Address::of_server(url).ok()) else { continue };
            // Another member may stand at an address that was written down long ago.
            if let Ok(status) = status(gateway, &at).await
                && status.header.member_id == member.id
            {
                answering.push((at, status));
            }
        }
        Ok(Self { answering })
    }

    fn at(&self, id: u64) -> Option<(&Address, &Status)> {
        self.answering.iter().find(|(_, status)| status.header.member_id == id).map(|(at, status)| (at, status))
    }

    /// The leader by its own word, in the highest term.
    fn leader(&self) -> Option<(&Address, &Status)> {
        let own = self.answering.iter().filter(|(_, status)| status.leader == status.header.member_id);
        own.max_by_key(|(_, status)| status.raft_term).map(|(at, status)| (at, status))
    }

    /// Somebody who knows a leader.
    fn led(&self) -> Option<&Address> {
        self.answering.iter().find(|(_, status)| status.leader != 0 && !status.is_learner).map(|(at, _)| at)
    }

    fn is_of(&self, guard: &MemberGuard) -> bool {
        self.answering.iter().all(|(_, status)| group_of(status.header.cluster_id) == *guard.group)
    }
}

async fn status(gateway: &Gateway, at: &Address) -> Result<Status, CallError> {
    gateway.post(at, "/v3/maintenance/status", &json!({}), Manner::default()).await
}

async fn list(gateway: &Gateway, at: &Address) -> Result<MemberList, CallError> {
    gateway.post(at, "/v3/cluster/member/list", &json!({}), Manner::default()).await
}

/// Whether a member that was given a vote has it. The list of a busy member may be a moment behind.
async fn promoted(gateway: &Gateway, at: &Address, id: u64) -> Outcome {
    for _ in 0..LOOKS {
        match list(gateway, at).await {
            Ok(list) if list.members.iter().any(|of| of.id == id && !of.is_learner) => {
                return Outcome::done("it has a vote");
            }
            Ok(_) => tokio::time::sleep(BETWEEN).await,
            Err(_) => return Outcome::done("it has a vote").not_reread(),
        }
    }
    Outcome::unknown("it was accepted, and the list of members does not show its vote yet")
}

/// How often the list is looked at after a change that was accepted, and how long between.
const LOOKS: u32 = 20;
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(100);

/// Carries a change out.
pub async fn change(
    gateway: &Gateway,
    config: &EtcdConfig,
    guard: &MemberGuard,
    change: MemberChange,
) -> Result<Outcome, Outcome> {
    let unsent = |why: String| Outcome::failed(format!("nothing was sent: {why}"));
    let refused = |why: &str| Err(Outcome::refused(format!("{why}: nothing was sent")));
    let Ok(id) = u64::from_str_radix(&guard.id, 16) else { return refused("its id is not known") };
    let members = Members::look(gateway, config).await.map_err(unsent)?;
    if !members.is_of(guard) {
        return refused("another cluster stands there now");
    }
    let before = members.at(id).map(|(_, status)| shown(status));
    let outcome = match change {
        MemberChange::Lead => lead(gateway, &members, guard, id).await?,
        MemberChange::Promote => {
            let at = members.led().ok_or_else(|| unsent("no member has a leader".into()))?;
            call(gateway, at, "/v3/cluster/member/promote", json!({ "ID": id.to_string() }), None).await?;
            promoted(gateway, at, id).await
        }
        MemberChange::Remove => {
            let at = members.led().ok_or_else(|| unsent("no member has a leader".into()))?;
            call(gateway, at, "/v3/cluster/member/remove", json!({ "ID": id.to_string() }), None).await?;
            removed(gateway, &members, id).await
        }
        MemberChange::ClearAlarm => {
            let at = members.led().ok_or_else(|| unsent("no member has a leader".into()))?;
            let now = members.at(id).map(|(_, status)| alarms(status)).unwrap_or_default();
            let seen: Vec<Text> = guard.alarms.iter().map(|alarm| Text::new(alarm)).collect();
            if now.iter().any(|alarm| !seen.contains(alarm)) {
                return refused("it raised another alarm meanwhile");
            }
            for alarm in &guard.alarms {
                let body = json!({ "action": "DEACTIVATE", "memberID": id.to_string(), "alarm": alarm });
                call(gateway, at, "/v3/maintenance/alarm", body, None).await?;
            }
            cleared(gateway, &members, id).await
        }
        MemberChange::Defragment => {
            let Some((at, before)) = members.at(id) else { return refused("it does not answer") };
            call(gateway, at, "/v3/maintenance/defragment", json!({}), Some(REWRITE)).await?;
            match status(gateway, at).await {
                Ok(after) => {
                    Outcome::done(format!("its store went from {} to {} bytes", before.db_size, after.db_size))
                }
                Err(_) => Outcome::done("its store is written anew").not_reread(),
            }
        }
    };
    let after = outcome.after.clone();
    Ok(outcome.with(before, after))
}

/// Lets the leader hand over, if it is the one that was seen.
async fn lead(gateway: &Gateway, members: &Members, guard: &MemberGuard, id: u64) -> Result<Outcome, Outcome> {
    let Some((at, now)) = members.leader() else {
        return Err(Outcome::failed("nothing was sent: no member that answers is the leader"));
    };
    if now.leader == id {
        return Ok(Outcome::already(format!("it leads in term {}", now.raft_term)));
    }
    if guard.term != Some(now.raft_term) {
        let summary = format!("term {} began meanwhile: nothing was sent", now.raft_term);
        return Err(Outcome::refused(summary).with(Some(shown(now)), None));
    }
    let path = "/v3/maintenance/transfer-leadership";
    call(gateway, at, path, json!({ "targetID": id.to_string() }), None).await?;
    let Some((to, _)) = members.at(id) else { return Ok(Outcome::done("the leader handed over").not_reread()) };
    let until = Instant::now() + SEEN_WITHIN;
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        match status(gateway, to).await {
            Ok(now) if now.leader == id => {
                return Ok(Outcome::done(format!("it leads in term {}", now.raft_term)).with(None, Some(shown(&now))));
            }
            Ok(now) if Instant::now() >= until => {
                let leader = format!("{:x}", now.leader);
                return Ok(Outcome::unknown(format!("accepted, and member {leader} leads in term {}", now.raft_term)));
            }
            Err(_) if Instant::now() >= until => return Ok(Outcome::done("the leader handed over").not_reread()),
            _ => {}
        }
    }
}

/// Whether a member is listed no more, by one that stays.
async fn removed(gateway: &Gateway, members: &Members, id: u64) -> Outcome {
    for (at, _) in members.answering.iter().filter(|(_, status)| status.header.member_id != id) {
        if let Ok(list) = list(gateway, at).await {
            return if list.members.iter().any(|of| of.id == id) {
                Outcome::unknown("accepted, and it is listed still")
            } else {
                Outcome::done(format!("{} members are left", list.members.len()))
            };
        }
    }
    Outcome::done("it is removed").not_reread()
}

/// Whether a member's alarms are gone, and stay so for a moment.
async fn cleared(gateway: &Gateway, members: &Members, id: u64) -> Outcome {
    let Some((at, _)) = members.at(id) else { return Outcome::done("its alarms are taken back").not_reread() };
    let until = Instant::now() + SEEN_WITHIN;
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        match status(gateway, at).await {
            Ok(now) if alarms(&now).is_empty() => {
                return Outcome::done("it has no alarm now").with(None, Some(shown(&now)));
            }
            Ok(now) if Instant::now() >= until => {
                let left = alarms(&now).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Outcome::failed(format!("accepted, and it has {left} again: make room first"));
            }
            Err(_) if Instant::now() >= until => return Outcome::done("its alarms are taken back").not_reread(),
            _ => {}
        }
    }
}

/// What became of a change whose answer did not come.
pub async fn resolve(gateway: &Gateway, config: &EtcdConfig, guard: &MemberGuard, change: MemberChange) -> Resolution {
    let Ok(id) = u64::from_str_radix(&guard.id, 16) else {
        return Resolution::Undecidable("its id is not known".into());
    };
    let members = match Members::look(gateway, config).await {
        Ok(members) => members,
        Err(why) => return Resolution::Unreachable(why),
    };
    let listed = match members.answering.first() {
        Some((at, _)) => list(gateway, at).await.ok().map(|list| list.members.into_iter().find(|of| of.id == id)),
        None => None,
    };
    match (change, listed) {
        (MemberChange::Lead, _) => match members.leader() {
            Some((_, now)) if guard.term == Some(now.raft_term) => {
                Resolution::NotApplied(format!("term {} goes on", now.raft_term))
            }
            Some((_, now)) => Resolution::Undecidable(format!("{:x} leads in term {}", now.leader, now.raft_term)),
            None => Resolution::Unreachable("no member that answers is the leader".into()),
        },
        (MemberChange::Promote, Some(Some(of))) if of.is_learner => Resolution::NotApplied("it is a learner".into()),
        (MemberChange::Promote, Some(Some(_))) => Resolution::Undecidable("it has a vote now".into()),
        (MemberChange::Remove, Some(Some(_))) => Resolution::NotApplied("it is listed still".into()),
        (MemberChange::Remove | MemberChange::Promote, Some(None)) => {
            Resolution::Undecidable("it is a member no more".into())
        }
        (MemberChange::Remove | MemberChange::Promote, None) => {
            Resolution::Unreachable("the members are not listed".into())
        }
        (MemberChange::ClearAlarm, _) => {
            let now = members.at(id).map(|(_, status)| alarms(status));
            Resolution::Undecidable(match now {
                Some(now) if now.is_empty() => "it has no alarm now".into(),
                Some(_) => "it has an alarm now, which may have come back".into(),
                None => "it does not answer".into(),
            })
        }
        (MemberChange::Defragment, _) => {
            Resolution::Undecidable("a store does not say when it was written anew".into())
        }
    }
}

/// One call that changes something. Each refuses what it does not fit.
async fn call(
    gateway: &Gateway,
    at: &Address,
    path: &str,
    body: Value,
    within: Option<Duration>,
) -> Result<Value, Outcome> {
    let manner = Manner { needs_leader: false, needs_user: true, is_patient: true, within };
    gateway.post(at, path, &body, manner).await.map_err(|error| match &error {
        CallError::Refused(PRECONDITION, why) => Outcome::refused(format!("{}: {why}", at.name())),
        CallError::Refused(NOT_FOUND, _) => Outcome::already("it is no member any more"),
        _ => ended(&error, at),
    })
}

fn alarms(status: &Status) -> Vec<Text> {
    super::super::cluster::alarms(status).collect()
}

/// What the journal keeps of a member.
fn shown(status: &Status) -> Value {
    let alarms: Vec<String> = alarms(status).iter().map(ToString::to_string).collect();
    json!({
        "member": format!("{:x}", status.header.member_id), "leader": format!("{:x}", status.leader),
        "term": status.raft_term, "learner": status.is_learner, "alarms": alarms, "store_bytes": status.db_size,
    })
}
