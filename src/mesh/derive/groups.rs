//! Groups: who leads, how far each member is, what waits for several; and other systems' leaders as what they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use strum::{Display, EnumIter, IntoStaticStr};

use super::leases::LeaderView;
use super::sources::SourceView;
use crate::mesh::Mesh;
use crate::model::agent::GroupStatus;
use crate::model::member::{BarrierState, MemberRole};
use crate::model::text::Text;
use crate::model::time::Millis;

/// What a row of the groups is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Part {
    /// The group itself.
    Group,
    Member,
    Barrier,
    Proposal,
    /// A lease on leading the locks of a repository: no term, no votes.
    #[strum(serialize = "lock leader")]
    LockLeader,
    /// Appointed, not elected.
    Supervisor,
}

/// What it is at, the one that needs a person first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr, EnumIter, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum GroupState {
    /// Fewer than a majority answer with a leader; or what keeps it going has died.
    #[strum(serialize = "no quorum")]
    NoQuorum,
    Failed,
    /// It does not answer.
    Silent,
    /// It ran out, or waited for too long.
    Expired,
    Waiting,
    Stopped,
    Candidate,
    Leads,
    Follows,
    Learns,
    Quorum,
    Running,
    Satisfied,
    Over,
    Unknown,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRow {
    pub group: Text,
    pub part: Part,
    pub name: Text,
    pub repository_id: Text,
    pub state: GroupState,
    pub term: Option<i64>,
    pub committed: Option<i64>,
    pub applied: Option<i64>,
    /// Entries behind the furthest of the group.
    pub lag: Option<i64>,
    /// What tells it from another of its name.
    pub fence_token: Option<i64>,
    /// How full a bar stands for it, in tenths: how far a member is, how many arrived.
    pub tenths: Option<u8>,
    /// Since when its state is so, on the console's clock.
    pub since_ms: Option<Millis>,
    /// It may have been so for longer.
    pub is_since_floor: bool,
    pub remark: Text,
    pub source: Text,
    pub as_of_ms: Option<Millis>,
}

impl GroupRow {
    /// A row of which nothing is known yet. `from` is its source, and until when what that said is true.
    fn blank(group: &Text, part: Part, name: &Text, from: (&Text, Option<Millis>)) -> Self {
        Self {
            group: group.clone(),
            part,
            name: name.clone(),
            repository_id: Text::default(),
            state: GroupState::Unknown,
            term: None,
            committed: None,
            applied: None,
            lag: None,
            fence_token: None,
            tenths: None,
            since_ms: None,
            is_since_floor: false,
            remark: Text::default(),
            source: from.0.clone(),
            as_of_ms: from.1,
        }
    }

    /// A name that stays.
    #[must_use]
    pub fn key(&self) -> String {
        let part: &str = self.part.into();
        format!("{}\u{1}{part}\u{1}{}\u{1}{}", self.group.raw(), self.repository_id.raw(), self.name.raw())
    }
}

/// Every group, with its members and barriers below it.
pub(super) fn evaluate(
    mesh: &Mesh,
    sources: &[SourceView],
    leaders: &[LeaderView],
    now_ms: Millis,
) -> Vec<Arc<GroupRow>> {
    let mut rows: BTreeMap<(Text, Part, Text, Text), GroupRow> = BTreeMap::new();
    let mut add = |row: GroupRow| {
        rows.entry((row.group.clone(), row.part, row.repository_id.clone(), row.name.clone())).or_insert(row);
    };
    for (source, view) in mesh.sources.iter().zip(sources) {
        let (name, old) = (&source.identity.name, view.as_of_ms);
        let blank = |group: &Text, part, of: &Text| GroupRow::blank(group, part, of, (name, old));
        let furthest = |group: &Text| {
            source.facts.members.iter().filter(|m| m.group == *group).filter_map(|m| m.applied.or(m.committed)).max()
        };
        for member in source.facts.members.iter() {
            let far = furthest(&member.group);
            let lag = far.zip(member.applied).map(|(far, applied)| (far - applied).max(0));
            add(GroupRow {
                state: member_state(member.role, member.answers),
                term: member.term,
                committed: member.committed,
                applied: member.applied,
                lag,
                tenths: far.zip(member.applied).map(|(far, applied)| tenths(applied, far)),
                since_ms: member.since_ms.map(|at| source.to_console(at)),
                is_since_floor: member.is_since_floor,
                remark: member.remark.clone(),
                ..blank(&member.group, Part::Member, &member.name)
            });
        }
        for barrier in source.facts.barriers.iter() {
            let arrived = barrier.arrived.as_ref().map(|all| i64::try_from(all.len()).unwrap_or(i64::MAX));
            let wanted = barrier.threshold.or(barrier.expected);
            let created = barrier.created_ms.map(|at| source.to_console(at));
            let late = created.zip(barrier.timeout_ms).is_some_and(|(at, span)| view.at(now_ms) - at > span);
            let count = match (arrived, wanted) {
                (Some(n), Some(of)) => format!("{n} of {of} arrived"),
                (Some(n), None) => format!("{n} arrived"),
                (None, _) => "who arrived is not known".to_owned(),
            };
            add(GroupRow {
                repository_id: barrier.repository_id.clone(),
                state: match barrier.state {
                    Some(BarrierState::Waiting) if late => GroupState::Expired,
                    Some(BarrierState::Waiting) => GroupState::Waiting,
                    Some(BarrierState::Satisfied) => GroupState::Satisfied,
                    Some(BarrierState::TimedOut) => GroupState::Expired,
                    Some(BarrierState::Cancelled) => GroupState::Over,
                    None => GroupState::Unknown,
                },
                tenths: arrived.zip(wanted).map(|(n, of)| tenths(n, of)),
                fence_token: barrier.fence_token,
                since_ms: created,
                remark: format!("{count}, {}{}{}", barrier.kind, comma(&barrier.remark), barrier.remark).into(),
                ..blank(&barrier.group, Part::Barrier, &barrier.name)
            });
        }
        for proposal in source.facts.proposals.iter() {
            let acks = proposal.acks.map(|n| format!(", {n} members took it")).unwrap_or_default();
            let index = proposal.index.map(|n| format!(", index {n}")).unwrap_or_default();
            add(GroupRow {
                state: match proposal.status.raw() {
                    "pending" => GroupState::Waiting,
                    "committed" => GroupState::Satisfied,
                    "rejected" | "timed_out" => GroupState::Expired,
                    _ => GroupState::Unknown,
                },
                term: proposal.term,
                since_ms: proposal.submitted_ms.map(|at| source.to_console(at)),
                remark: format!("{} by {}{index}{acks}", proposal.kind, proposal.node).into(),
                ..blank(&proposal.group, Part::Proposal, &proposal.name)
            });
        }
        for group in source.facts.groups.iter() {
            let quorum = group.quorum.as_ref();
            let state = match (quorum, group.status) {
                (Some(quorum), _) if quorum.with_leader == 0 => GroupState::NoQuorum,
                (Some(_), _) => GroupState::Quorum,
                (None, Some(GroupStatus::Failed)) => GroupState::Failed,
                (None, Some(GroupStatus::Stopped | GroupStatus::Stopping)) => GroupState::Stopped,
                (None, Some(GroupStatus::Over)) => GroupState::Over,
                (None, Some(GroupStatus::Running)) => GroupState::Running,
                (None, None) => GroupState::Unknown,
            };
            let votes = quorum.map(|quorum| {
                let came = match quorum.elections {
                    None => String::new(),
                    Some(1) => ", 1 election in 10m".into(),
                    Some(n) => format!(", {n} elections in 10m"),
                };
                format!("{} of {} voters{came}", quorum.with_leader, quorum.voters)
            });
            let said = Some(group.remark.to_string()).filter(|remark| !remark.is_empty());
            let remark: Vec<String> = votes.into_iter().chain(said).collect();
            let remark = remark.join("; ");
            let repository_id = group.repository_id.clone();
            add(GroupRow {
                repository_id: repository_id.clone(),
                state,
                remark: remark.into(),
                ..blank(&group.name, Part::Group, &group.name)
            });
            if let Some(supervisor) = &group.supervisor {
                let next = supervisor.next_epoch.map(|epoch| format!(", changes to {epoch}")).unwrap_or_default();
                add(GroupRow {
                    repository_id,
                    remark: format!("epoch {}{next}; appointed, not elected", supervisor.epoch).into(),
                    ..blank(&group.name, Part::Supervisor, &supervisor.name)
                });
            }
        }
    }
    for view in leaders {
        let leader = &view.leader;
        let epoch = leader.epoch.map(|epoch| format!("epoch {epoch}, which is no term")).unwrap_or_default();
        let from = (&view.source, view.as_of_ms);
        add(GroupRow {
            repository_id: leader.repository_id.clone(),
            state: if view.expired { GroupState::Expired } else { GroupState::Leads },
            since_ms: leader.elected_at_ms,
            remark: epoch.into(),
            ..GroupRow::blank(&"lock leader".into(), Part::LockLeader, &leader.leader_node_id, from)
        });
    }
    rows.into_values().map(Arc::new).collect()
}

fn member_state(role: Option<MemberRole>, answers: Option<bool>) -> GroupState {
    match role {
        _ if answers == Some(false) => GroupState::Silent,
        Some(MemberRole::Leader) => GroupState::Leads,
        Some(MemberRole::Follower) => GroupState::Follows,
        Some(MemberRole::Candidate | MemberRole::PreCandidate) => GroupState::Candidate,
        Some(MemberRole::Learner) => GroupState::Learns,
        None => GroupState::Unknown,
    }
}

fn tenths(part: i64, whole: i64) -> u8 {
    if whole <= 0 {
        return 0;
    }
    u8::try_from((part.clamp(0, whole) * 10) / whole).unwrap_or(10)
}

fn comma(text: &Text) -> &'static str {
    if text.is_empty() { "" } else { ", " }
}
