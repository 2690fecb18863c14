//! Members of groups, their barriers, and the leases under locks.

use std::collections::BTreeMap;

use super::{Confirm, Plan, Planner, Refusal, ToAsk, count, locks};
use crate::mesh::SourceState;
use crate::mesh::derive::groups::{GroupRow, Part};
use crate::model::action::{Action, Answer, BarrierGuard, Kind, MemberChange, MemberGuard, Question};
use crate::model::member::{Member, MemberRole};
use crate::model::text::Text;

/// Keys of a lease that a preview names.
const NAMED: usize = 12;

/// A member, as its guard needs it.
fn guard(member: &Member) -> MemberGuard {
    MemberGuard {
        group: member.group.raw().to_owned(),
        member: member.name.raw().to_owned(),
        id: member.id.raw().to_owned(),
        leader: member.leader.as_ref().map(|name| name.raw().to_owned()),
        term: member.term,
        alarms: member.alarms.iter().map(|alarm| alarm.raw().to_owned()).collect(),
    }
}

/// Why a change cannot be made to a member, by what is known of its group.
fn hindrance(member: &Member, group: &[&Member], change: MemberChange) -> Option<String> {
    let role = member.role;
    let silent = member.answers == Some(false);
    match change {
        MemberChange::Lead if role == Some(MemberRole::Leader) => Some("it leads already".into()),
        MemberChange::Lead | MemberChange::Defragment if silent => Some("it does not answer".into()),
        MemberChange::Lead if !member.is_voter => Some("a learner cannot lead: promote it first".into()),
        MemberChange::Lead if member.leader.is_none() => Some("its group has no leader that could hand over".into()),
        MemberChange::Promote if member.is_voter => Some("it has a vote already".into()),
        MemberChange::ClearAlarm if member.alarms.is_empty() => Some("it raised no alarm".into()),
        MemberChange::Remove if member.is_voter => {
            let rest: Vec<&&Member> = group.iter().filter(|other| other.is_voter && other.id != member.id).collect();
            let answering = rest.iter().filter(|other| other.answers == Some(true)).count();
            let needed = rest.len() / 2 + 1;
            (answering < needed).then(|| {
                format!(
                    "{answering} of the {} others answer, and {needed} must: the group would lose its quorum",
                    rest.len()
                )
            })
        }
        _ => None,
    }
}

impl Planner<'_> {
    fn group_row(&self, key: &str, part: Part) -> Result<&GroupRow, String> {
        let row = self.snapshot.groups.iter().find(|row| row.part == part && row.key() == key);
        row.map(|row| &**row).ok_or_else(|| "it is not there any more".into())
    }

    fn source_of(&self, row: &GroupRow) -> Result<&SourceState, String> {
        let state = self.snapshot.mesh.sources.iter().find(|state| state.identity.name == row.source);
        state.ok_or_else(|| format!("{} is not watched any more", row.source))
    }

    pub(super) fn change_member(&self, key: &str, change: MemberChange) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        let row = self.group_row(key, Part::Member).map_err(Refusal::because)?;
        let state = self.source_of(row).map_err(Refusal::because)?;
        self.able(&row.source, Kind::ChangeMember).map_err(Refusal::because)?;
        let group: Vec<&Member> = state.facts.members.iter().filter(|member| member.group == row.group).collect();
        let member = group.iter().find(|member| member.name == row.name);
        let member = *member.ok_or_else(|| Refusal::because("it is not there any more"))?;
        if let Some(why) = hindrance(member, &group, change) {
            return Err(Refusal::because(format!("{}: {why}", member.name)));
        }
        let name = &member.name;
        let leader = member.leader.as_ref().map_or_else(|| "an unknown leader".into(), ToString::to_string);
        let term = member.term.map_or_else(|| "unknown".into(), |term| term.to_string());
        let (title, effect) = match change {
            MemberChange::Lead => {
                plan.note("the leader hands over by itself, if it is still the one that was seen, in the same term");
                plan.unknown("whether the group elects another one meanwhile");
                (
                    format!("Make {name} the leader"),
                    format!("{leader} leads in term {term} now; {name} leads in the next"),
                )
            }
            MemberChange::Promote => {
                plan.note("its group refuses it as long as it lags behind the leader");
                (format!("Give {name} a vote"), "its vote counts: the quorum is one of more members".to_owned())
            }
            MemberChange::Remove => {
                plan.note("the member ends by itself, and nothing takes that back: it can only be added anew, empty");
                plan.confirm = Confirm::Typed(name.clone());
                let voters = group.iter().filter(|of| of.is_voter && of.id != member.id).count();
                (format!("Remove {name}"), format!("{} stay", count(voters, "voter")))
            }
            MemberChange::ClearAlarm => {
                plan.note("without room the alarm comes back at once: delete keys, compact, defragment each member, then clear");
                let alarms = member.alarms.iter().map(Text::as_str).collect::<Vec<_>>().join(", ");
                (format!("Clear the alarms of {name}"), format!("{alarms} of {name} is taken back"))
            }
            MemberChange::Defragment => {
                plan.note("it answers nobody while its store is written anew: one member at a time, the leader last");
                if member.role == Some(MemberRole::Leader) {
                    plan.note("it leads: the group waits for it, or elects another leader");
                    plan.confirm = Confirm::Typed(name.clone());
                }
                plan.unknown("how long it takes: that grows with the store");
                (format!("Defragment {name}"), "its store loses its gaps; no key changes".to_owned())
            }
        };
        plan.title = title.into();
        plan.evidence.extend(self.signs(name.raw(), ""));
        plan.step(&row.source, Action::ChangeMember { member: guard(member), change }, effect);
        plan.or_refusal()
    }

    pub(super) fn open_barriers(&self, barriers: &[String]) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        for key in barriers {
            if let Err((name, why)) = self.open_barrier(&mut plan, key) {
                plan.leave(name, why);
            }
        }
        plan.title = match plan.steps.as_slice() {
            [only] => format!("Open barrier {}", only.action.subject()).into(),
            many => format!("Open {}", count(many.len(), "barrier")).into(),
        };
        plan.unknown("who waits there: those who wait leave no key, and go on all at once");
        plan.or_refusal()
    }

    fn open_barrier(&self, plan: &mut Plan, key: &str) -> Result<(), (Text, String)> {
        let row = self.group_row(key, Part::Barrier).map_err(|why| ("a barrier".into(), why))?;
        let refuse = |why: String| (row.name.clone(), why);
        let state = self.source_of(row).map_err(refuse)?;
        self.able(&row.source, Kind::OpenBarrier).map_err(refuse)?;
        let found = state.facts.barriers.iter().find(|barrier| barrier.name == row.name && barrier.group == row.group);
        let Some(barrier) = found else { return Err(refuse("it is not there any more".into())) };
        if barrier.arrived.is_some() {
            return Err(refuse("it opens when enough have arrived: only a barrier of one key can be opened".into()));
        }
        let guard = BarrierGuard {
            group: barrier.group.raw().to_owned(),
            barrier: barrier.name.raw().to_owned(),
            repository_id: barrier.repository_id.raw().to_owned(),
            fence_token: barrier.fence_token,
        };
        let revision = barrier.fence_token.map_or_else(|| "unknown".into(), |revision| revision.to_string());
        let effect = format!("its key is deleted, if {revision} is still its create revision; those who wait go on");
        plan.step(&row.source, Action::OpenBarrier { barrier: guard }, effect);
        Ok(())
    }

    /// The locks whose leases' keys must be known before the leases can be ended.
    pub(super) fn keys_to_ask(&self, locks: &[String]) -> Vec<ToAsk> {
        let ask = |key: &String| {
            let view = self.lock(key)?;
            self.able(&view.source, Kind::EndLease).ok()?;
            Some((view.source.clone(), key.clone(), Question::LeaseKeys(locks::guard(view))))
        };
        locks.iter().filter_map(ask).collect()
    }

    pub(super) fn end_leases(&self, keys: &[String], answers: &BTreeMap<String, Answer>) -> Result<Plan, Refusal> {
        let mut plan = Plan::new(String::new());
        for key in keys {
            let Some(view) = self.lock(key) else {
                plan.leave("a lock", "it is not there any more");
                continue;
            };
            if let Err(why) = self.able(&view.source, Kind::EndLease) {
                plan.leave(view.name(), why);
                continue;
            }
            let of_lease = match answers.get(key) {
                Some(Answer::Keys(of_lease)) if !of_lease.is_empty() => of_lease,
                Some(Answer::Unknown(why)) => {
                    plan.leave(view.name(), format!("the keys of its lease are not known: {why}"));
                    continue;
                }
                Some(_) => {
                    plan.leave(view.name(), "its lease has no key any more");
                    continue;
                }
                None => {
                    plan.leave(view.name(), "the keys of its lease were not asked for: a console that may act asks");
                    continue;
                }
            };
            let lock = locks::guard(view);
            let holder = view.lock.holder_agent.clone();
            let effect = format!("the session of {holder} ends, and all {} go", count(of_lease.len(), "key"));
            let step = plan.step(&view.source, Action::EndLease { lock, keys: of_lease.clone() }, effect);
            let named = of_lease.iter().take(NAMED).map(|key| format!("key {}", Text::new(key)).into());
            plan.steps[step].effect.extend(named);
            if of_lease.len() > NAMED {
                plan.steps[step].effect.push(format!("and {} more", of_lease.len() - NAMED).into());
            }
            plan.confirm = Confirm::Typed(holder);
        }
        plan.title = match plan.steps.as_slice() {
            [only] => format!("End the lease under {}", only.action.subject()).into(),
            many => format!("End {}", count(many.len(), "lease")).into(),
        };
        if plan.steps.len() > 1 {
            plan.confirm = Confirm::Typed(count(plan.steps.len(), "lease").into());
        }
        plan.note("harder than a release: the holder loses its session, and everything else that it keeps under it");
        plan.note("nothing in the call guards it: lock and keys are read again just before, so a key that is added in between goes too");
        plan.or_refusal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, role: MemberRole, answers: bool) -> Member {
        Member {
            name: name.into(),
            id: name.into(),
            group: "g".into(),
            role: answers.then_some(role),
            leader: Some("a".into()),
            is_voter: role != MemberRole::Learner,
            answers: Some(answers),
            ..Member::default()
        }
    }

    #[rstest::rstest]
    #[case("a", MemberChange::Lead, "it leads already")]
    #[case("c", MemberChange::Lead, "does not answer")]
    #[case("l", MemberChange::Lead, "a learner cannot lead")]
    #[case("b", MemberChange::Lead, "")]
    #[case("b", MemberChange::Promote, "a vote already")]
    #[case("l", MemberChange::Promote, "")]
    #[case("b", MemberChange::Remove, "lose its quorum")]
    #[case("c", MemberChange::Remove, "")]
    #[case("l", MemberChange::Remove, "")]
    #[case("b", MemberChange::ClearAlarm, "no alarm")]
    #[case("c", MemberChange::Defragment, "does not answer")]
    #[case("a", MemberChange::Defragment, "")]
    fn what_stands_in_the_way_is_said(#[case] name: &str, #[case] change: MemberChange, #[case] words: &str) {
        let all = [
            member("a", MemberRole::Leader, true),
            member("b", MemberRole::Follower, true),
            member("c", MemberRole::Follower, false),
            member("l", MemberRole::Learner, true),
        ];
        let group: Vec<&Member> = all.iter().collect();
        let of = group.iter().find(|of| of.name == *name).unwrap();
        let why = hindrance(of, &group, change).unwrap_or_default();
        assert!(if words.is_empty() { why.is_empty() } else { why.contains(words) }, "{why}");
    }
}
