//! What the members of a cluster answered, poll by poll, and what follows from that. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::wire::{self, Status};
use crate::model::agent::{Group, Quorum};
use crate::model::member::{Member, MemberRole};
use crate::model::severity::Severity;
use crate::model::stated::{About, Problem};
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, SECOND, utc};

/// Leaders that came within so long are counted.
const COUNTED: Millis = 10 * MINUTE;
/// So many of them are too many.
const MANY: usize = 3;
/// A member that is behind at so many polls running is behind.
const BEHIND: u32 = 5;
/// Nobody answered or led for so long: the cluster has no quorum. An election takes a second or two.
const LEADERLESS: Millis = 3 * SECOND;
/// A store that is used to less than half, and larger than that in bytes, is worth a word.
const LARGE: i64 = 100 << 20;

/// One cluster.
#[derive(Debug, Default)]
pub struct Cluster {
    pub id: u64,
    members: BTreeMap<u64, Seen>,
    /// Who leads, in which term, since when, and whether that was so when the console came.
    leading: Option<Leading>,
    elections: VecDeque<Millis>,
    /// Since when there is no quorum.
    without_since: Option<Millis>,
    /// Members that called themselves leader in one term at the last poll.
    two: Vec<(u64, u64, i64)>,
    two_running: Vec<(u64, u64, i64)>,
    began_ms: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Leading {
    member: u64,
    term: i64,
    since_ms: Millis,
    is_floor: bool,
}

/// One member.
#[derive(Debug, Default)]
struct Seen {
    name: Text,
    is_learner: bool,
    status: Option<Status>,
    /// When it answered last.
    answered_ms: Option<Millis>,
    /// Why it does not answer.
    trouble: Option<Text>,
    /// Term and revision that it was seen to have at most.
    highest: (i64, i64),
    /// What went back.
    went_back: Option<String>,
    behind: u32,
    role: Option<(MemberRole, Millis, bool)>,
    /// Bytes that its store may have.
    quota: Option<i64>,
}

/// What the members of one poll answered.
pub type Answers = Vec<(Option<u64>, Result<Status, Text>)>;

impl Cluster {
    /// Takes the list of members.
    pub fn take_list(&mut self, list: &wire::MemberList) {
        self.members.retain(|id, _| list.members.iter().any(|member| member.id == *id));
        for member in &list.members {
            let entry = self.members.entry(member.id).or_default();
            let named =
                if member.name.is_empty() { format!("{:x}, not started", member.id) } else { member.name.clone() };
            (entry.name, entry.is_learner) = (Text::bounded(&named, 120), member.is_learner);
        }
    }

    /// Takes how large a member's store may be.
    pub fn take_quota(&mut self, id: u64, quota: Option<i64>) {
        if let Some(of) = self.members.get_mut(&id) {
            of.quota = quota.filter(|bytes| *bytes > 0);
        }
    }

    /// Takes what each endpoint answered. Who does not answer is known by the member that stood there before.
    pub fn take(&mut self, answers: Answers, now_ms: Millis) {
        let begins = self.began_ms.is_none();
        self.began_ms.get_or_insert(now_ms);
        for (id, answer) in answers {
            match answer {
                Ok(status) => self.take_status(status, now_ms),
                Err(why) => {
                    let Some(entry) = id.and_then(|id| self.members.get_mut(&id)) else { continue };
                    (entry.status, entry.trouble, entry.role) = (None, Some(why), None);
                }
            }
        }
        self.count_elections(now_ms, begins);
        self.compare(now_ms);
        for (id, entry) in &mut self.members {
            let role = entry.status.as_ref().map(|status| role_of(*id, status));
            if role != entry.role.map(|(role, ..)| role) {
                entry.role = role.map(|role| (role, now_ms, begins));
            }
        }
    }

    fn take_status(&mut self, status: Status, now_ms: Millis) {
        let id = status.header.member_id;
        if self.id == 0 {
            self.id = status.header.cluster_id;
        } else if self.id != status.header.cluster_id {
            // Another cluster stands there: nothing of the old one counts.
            *self = Self { id: status.header.cluster_id, began_ms: Some(now_ms), ..Self::default() };
        }
        let entry = self.members.entry(id).or_default();
        let now = (status.raft_term, status.header.revision);
        entry.went_back = if now.0 < entry.highest.0 {
            Some(format!("its term went from {} back to {}", entry.highest.0, now.0))
        } else if now.1 < entry.highest.1 {
            Some(format!("its revision went from {} back to {}", entry.highest.1, now.1))
        } else {
            None
        };
        entry.highest = (entry.highest.0.max(now.0), entry.highest.1.max(now.1));
        entry.is_learner |= status.is_learner;
        (entry.status, entry.answered_ms, entry.trouble) = (Some(status), Some(now_ms), None);
    }

    /// A leader that its own answer names, in the highest term.
    fn leader_now(&self) -> Option<(u64, i64)> {
        let own = self.members.iter().filter_map(|(id, of)| of.status.as_ref().filter(|s| s.leader == *id));
        let named = own.max_by_key(|status| status.raft_term).map(|status| (status.leader, status.raft_term));
        // One that does not answer may lead all the same.
        named.or_else(|| {
            let all = self.members.values().filter_map(|of| of.status.as_ref()).filter(|status| status.leader != 0);
            all.max_by_key(|status| status.raft_term).map(|status| (status.leader, status.raft_term))
        })
    }

    fn count_elections(&mut self, now_ms: Millis, begins: bool) {
        while self.elections.front().is_some_and(|at| now_ms.saturating_sub(*at) > COUNTED) {
            self.elections.pop_front();
        }
        let Some((member, term)) = self.leader_now() else { return };
        let is_new = self.leading.is_none_or(|leading| leading.member != member || leading.term < term);
        if is_new {
            let is_first = self.leading.is_none();
            if !is_first {
                self.elections.push_back(now_ms);
            }
            self.leading = Some(Leading { member, term, since_ms: now_ms, is_floor: begins && is_first });
        }
    }

    /// What takes two polls to tell.
    fn compare(&mut self, now_ms: Millis) {
        let leaders: Vec<(u64, i64)> = self
            .members
            .iter()
            .filter_map(|(id, of)| of.status.as_ref().filter(|s| s.leader == *id).map(|s| (*id, s.raft_term)))
            .collect();
        let mut two = Vec::new();
        for (at, (one, term)) in leaders.iter().enumerate() {
            two.extend(
                leaders[at + 1..].iter().filter(|(_, other)| other == term).map(|(other, _)| (*one, *other, *term)),
            );
        }
        self.two_running = two.iter().filter(|pair| self.two.contains(pair)).copied().collect();
        self.two = two;
        let furthest = self.statuses().map(|status| status.raft_applied_index).max().unwrap_or(0);
        for of in self.members.values_mut() {
            let behind = of.status.as_ref().is_some_and(|status| {
                status.raft_applied_index < status.raft_index || status.raft_applied_index + 10 < furthest
            });
            // What catches up is behind at one look and not at the next.
            of.behind = if behind { of.behind.saturating_add(1) } else { 0 };
        }
        if self.has_quorum() {
            self.without_since = None;
        } else {
            self.without_since.get_or_insert(now_ms);
        }
    }

    fn statuses(&self) -> impl Iterator<Item = &Status> {
        self.members.values().filter_map(|of| of.status.as_ref())
    }

    /// Votes that there are, and those of members that answer with a leader.
    #[must_use]
    pub fn votes(&self) -> (usize, usize) {
        let voters = self.members.values().filter(|of| !of.is_learner);
        let with = voters.clone().filter(|of| of.status.as_ref().is_some_and(|status| status.leader != 0));
        (voters.count(), with.count())
    }

    /// Whether a voter answers that names a leader: without a majority behind it a leader steps down within an election's
    /// time, and its followers name none. How many answer here says less: some may not be reached from here.
    #[must_use]
    pub fn has_quorum(&self) -> bool {
        self.votes().1 > 0
    }

    /// Whether a member answered at the last look, with a leader, and may be read from.
    #[must_use]
    pub fn is_up(&self, id: u64) -> bool {
        let status = self.members.get(&id).and_then(|of| of.status.as_ref());
        status.is_some_and(|status| status.leader != 0 && !status.is_learner)
    }

    /// Whether a member did not answer at the last look.
    #[must_use]
    pub fn is_silent(&self, id: u64) -> bool {
        self.members.get(&id).is_some_and(|of| of.trouble.is_some())
    }

    /// Leaders that came within the last ten minutes.
    #[must_use]
    pub fn elections(&self) -> usize {
        self.elections.len()
    }

    /// The name of a member.
    #[must_use]
    pub fn name_of(&self, id: u64) -> Text {
        let known = self.members.get(&id).map(|of| of.name.clone()).filter(|name| !name.is_empty());
        known.unwrap_or_else(|| format!("{id:x}").into())
    }

    /// The name of the member whose id begins a lease's id: the one that granted it.
    #[must_use]
    pub fn granted_by(&self, lease: i64) -> Option<Text> {
        let low = |id: u64| id & 0x7fff;
        let of_lease = (lease.cast_unsigned() >> 48) & 0x7fff;
        let mut fit = self.members.keys().filter(|id| low(**id) == of_lease);
        let first = fit.next()?;
        fit.next().is_none().then(|| self.name_of(*first))
    }

    /// The cluster, as a group that votes.
    #[must_use]
    pub fn group(&self, name: &Text) -> Group {
        let (voters, with_leader) = self.votes();
        let quorum = Some(Quorum { voters, with_leader, elections: Some(self.elections()) });
        Group { name: name.clone(), repository_id: name.clone(), quorum, ..Group::default() }
    }

    /// The members, as facts.
    #[must_use]
    pub fn members(&self, group: &Text) -> Vec<Member> {
        let member = |(id, of): (&u64, &Seen)| {
            let status = of.status.as_ref();
            let leads = self
                .leading
                .filter(|leading| leading.member == *id && of.role.is_some_and(|r| r.0 == MemberRole::Leader));
            Member {
                group: group.clone(),
                name: self.name_of(*id),
                id: format!("{id:x}").into(),
                role: of.role.map(|(role, ..)| role),
                term: status.map(|status| status.raft_term),
                leader: status.map(|status| status.leader).filter(|id| *id != 0).map(|id| self.name_of(id)),
                voted_for: None,
                is_voter: !of.is_learner,
                answers: of.status.as_ref().map(|_| true).or(of.trouble.as_ref().map(|_| false)),
                committed: status.map(|status| status.raft_index),
                applied: status.map(|status| status.raft_applied_index),
                last: None,
                since_ms: leads.map(|leading| leading.since_ms).or(of.role.map(|(_, since, _)| since)),
                is_since_floor: leads.map_or(of.role.is_some_and(|(.., floor)| floor), |leading| leading.is_floor),
                alarms: of.status.iter().flat_map(alarms).collect(),
                remark: of.remark(),
            }
        };
        self.members.iter().map(member).collect()
    }

    /// Names of members that answer, and when each did last.
    pub fn answered(&self) -> impl Iterator<Item = (Text, Millis, Text)> + '_ {
        let of = |(id, of): (&u64, &Seen)| Some((self.name_of(*id), of.answered_ms?, of.remark()));
        self.members.iter().filter_map(of)
    }

    /// What is wrong with the cluster.
    pub fn problems(&self, group: &Text, now_ms: Millis, found: &mut Vec<Problem>) {
        let mut add = |rule, severity, about: Option<Text>, sentence: String, evidence: Vec<String>| {
            let name = about.clone().unwrap_or_else(|| group.clone());
            let about = about.map_or(About::Source, About::Node);
            let evidence = evidence.into_iter().map(Text::from).collect();
            found.push(Problem { rule, severity, about, name, sentence: sentence.into(), evidence });
        };
        let (voters, with) = self.votes();
        if let Some(since) = self.without_since.filter(|since| now_ms.saturating_sub(*since) >= LEADERLESS) {
            let sentence = format!("{group}: no quorum, {with} of {voters} voters answer with a leader");
            let evidence = vec![
                format!("so since {}, as seen from here", utc(since)),
                "locks are neither taken nor released, and no lease runs out".to_owned(),
            ];
            add("no-quorum", Severity::Critical, None, sentence, evidence);
        }
        for (one, other, term) in &self.two_running {
            let sentence = format!(
                "{group}: {} and {} both call themselves leader in term {term}",
                self.name_of(*one),
                self.name_of(*other)
            );
            add("two-leaders", Severity::Critical, None, sentence, vec!["at two polls running".into()]);
        }
        if self.elections.len() >= MANY {
            let sentence = format!("{group}: {} leaders in 10 minutes", self.elections.len());
            let evidence = self.elections.iter().map(|at| format!("a leader was seen to come at {}", utc(*at)));
            add("elections-often", Severity::Warning, None, sentence, evidence.collect());
        }
        if voters > 0 && voters.is_multiple_of(2) {
            let sentence = format!("{group}: {voters} voters, one of which may fail no more than with {}", voters - 1);
            add("voters-even", Severity::Info, None, sentence, Vec::new());
        }
        let mut versions: Vec<&str> = self.statuses().map(|status| status.version.as_str()).collect();
        versions.sort_unstable();
        versions.dedup();
        if versions.len() > 1 {
            let all: Vec<String> = versions.iter().map(|version| Text::bounded(version, 20).to_string()).collect();
            let sentence = format!("{group}: members of versions {}", all.join(", "));
            add("versions-differ", Severity::Info, None, sentence, Vec::new());
        }
        for (id, of) in &self.members {
            let name = self.name_of(*id);
            if let Some(why) = &of.trouble {
                let last = of
                    .answered_ms
                    .map_or_else(|| "it has not answered yet".into(), |at| format!("last answer {}", utc(at)));
                let sentence = format!("{name}: does not answer");
                add("member-silent", Severity::Warning, Some(name.clone()), sentence, vec![why.to_string(), last]);
            }
            if let Some(what) = &of.went_back {
                let sentence = format!("{name}: {what}");
                add(
                    "member-back",
                    Severity::Critical,
                    Some(name.clone()),
                    sentence,
                    vec!["a restore, or lost data".into()],
                );
            }
            if of.behind >= BEHIND
                && let Some(status) = &of.status
            {
                let furthest = self.statuses().map(|status| status.raft_applied_index).max().unwrap_or(0);
                let lag = furthest.max(status.raft_index) - status.raft_applied_index;
                let sentence = format!("{name}: {lag} entries behind");
                let evidence = format!(
                    "applied {}, committed {}, the furthest member applied {furthest}",
                    status.raft_applied_index, status.raft_index
                );
                add("member-behind", Severity::Warning, Some(name.clone()), sentence, vec![evidence]);
            }
            let Some(status) = &of.status else { continue };
            for alarm in alarms(status) {
                let sentence = format!("{name}: alarm {alarm}");
                add(
                    "member-alarm",
                    Severity::Critical,
                    Some(name.clone()),
                    sentence,
                    vec![format!("its status says so; store {} bytes", status.db_size)],
                );
            }
            if let Some(quota) = of.quota.filter(|quota| status.db_size.saturating_mul(10) >= quota.saturating_mul(8)) {
                let sentence =
                    format!("{name}: {} % of its store's quota is used", status.db_size.saturating_mul(100) / quota);
                let evidence = format!("{} of {quota} bytes, {} in use", status.db_size, status.db_size_in_use);
                add("limit-near", Severity::Warning, Some(name.clone()), sentence, vec![evidence]);
            }
            if status.db_size > LARGE && status.db_size_in_use > 0 && status.db_size_in_use * 2 < status.db_size {
                let sentence = format!("{name}: less than half of its store is in use; defragment it");
                let evidence = format!("{} of {} bytes in use", status.db_size_in_use, status.db_size);
                add("store-sparse", Severity::Info, Some(name.clone()), sentence, vec![evidence]);
            }
        }
    }
}

impl Seen {
    fn remark(&self) -> Text {
        let Some(status) = &self.status else {
            return self.trouble.clone().unwrap_or_default();
        };
        let mut parts =
            vec![format!("etcd {}", Text::bounded(&status.version, 20)), format!("store {}", size(status.db_size))];
        parts.extend(alarms(status).map(|alarm| format!("alarm {alarm}")));
        if status.leader == 0 {
            parts.push("names no leader".into());
        }
        parts.join(", ").into()
    }
}

/// Alarms, as a status names them: `memberID:<id> alarm:NOSPACE `.
pub fn alarms(status: &Status) -> impl Iterator<Item = Text> + '_ {
    let named = status.errors.iter().filter_map(|error| error.split("alarm:").nth(1));
    named.map(|alarm| Text::bounded(alarm.trim(), 20))
}

fn role_of(id: u64, status: &Status) -> MemberRole {
    if status.is_learner {
        MemberRole::Learner
    } else if status.leader == id {
        MemberRole::Leader
    } else {
        MemberRole::Follower
    }
}

fn size(bytes: i64) -> String {
    match bytes {
        n if n >= 1 << 20 => format!("{} MB", n >> 20),
        n => format!("{} kB", n >> 10),
    }
}

#[cfg(test)]
mod tests;
