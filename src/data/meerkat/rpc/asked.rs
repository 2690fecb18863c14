//! What a server of a realm answered of its mobs and members. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ASK_EVERY;
use crate::data::meerkat::shared::{is_past, member};
use crate::model::agent::{self, Activity, Agent, AgentStatus, Group, GroupStatus};
use crate::model::severity::Severity;
use crate::model::stated::{About, Problem};
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND, plausible, short, utc};

/// Members of one mob that are asked at most.
const MOST_MEMBERS: usize = 10_000;

/// Peers of one member that are kept at most.
const MOST_PEERS: usize = 100;

/// Everything that was answered, as it stands.
#[derive(Debug)]
pub struct Asked {
    /// A run that is open and does not move for so long hangs.
    still_ms: Millis,
    /// Status of each mob, and why its actor died.
    mobs: BTreeMap<Text, (Text, Option<Text>)>,
    members: BTreeMap<(Text, Text), Member>,
}

/// One member.
#[derive(Debug, Clone, Default, PartialEq)]
struct Member {
    role: Text,
    status: Text,
    error: Option<Text>,
    wired_to: Vec<Text>,
    progress: Option<Progress>,
    /// Since when its progress stands as it does, on the console's clock.
    since_ms: Millis,
    asked_ms: Option<Millis>,
}

/// What a server says of a member's work.
#[derive(Debug, Clone, PartialEq)]
struct Progress {
    run_state: Text,
    in_flight: i64,
    last_ms: Option<Millis>,
    health: Text,
}

impl Progress {
    fn stated(&self, since_ms: Millis, still_ms: Millis, now_ms: Millis) -> agent::Progress {
        let activity = match self.run_state.raw() {
            "run_open" => Activity::Working,
            "idle" => Activity::Idle,
            _ => Activity::Unknown,
        };
        agent::Progress {
            activity,
            in_flight: self.in_flight,
            last_ms: self.last_ms,
            health: self.health.clone(),
            since_ms,
            is_still: activity == Activity::Working && is_past(Some(since_ms), still_ms, now_ms),
            every_ms: ASK_EVERY,
        }
    }
}

impl Asked {
    /// Nothing was answered yet.
    #[must_use]
    pub fn new(still_ms: Millis) -> Self {
        Self { still_ms, mobs: BTreeMap::new(), members: BTreeMap::new() }
    }

    /// Takes the list of mobs: those that it does not name are gone.
    pub fn take_mobs(&mut self, answer: &Value) {
        let rows = answer["mobs"].as_array().map_or(&[][..], Vec::as_slice);
        self.mobs = rows
            .iter()
            .filter_map(|row| {
                let failure = &row["failure"];
                let why = failure["message"].as_str().or(failure["cause"].as_str());
                let why = why.map(|why| Text::bounded(why, 300)).filter(|_| failure.is_object());
                Some((Text::bounded(row["mob_id"].as_str()?, 120), (word(&row["status"]), why)))
            })
            .collect();
        let mobs = &self.mobs;
        self.members.retain(|(mob, _), _| mobs.contains_key(mob));
    }

    /// The mobs that were named.
    pub fn mobs(&self) -> impl Iterator<Item = &Text> {
        self.mobs.keys()
    }

    /// Takes the members of a mob.
    pub fn take_members(&mut self, mob: &Text, answer: &Value, now_ms: Millis) {
        let rows = answer["members"].as_array().map_or(&[][..], Vec::as_slice);
        let mut gone: BTreeSet<(Text, Text)> = self.members.keys().filter(|(of, _)| of == mob).cloned().collect();
        for row in rows.iter().take(MOST_MEMBERS) {
            let Some(identity) = row["agent_identity"].as_str() else { continue };
            let key = (mob.clone(), Text::bounded(identity, 120));
            gone.remove(&key);
            let entry = self.members.entry(key).or_insert_with(|| Member { since_ms: now_ms, ..Member::default() });
            (entry.role, entry.status) = (word(&row["role"]), word(&row["status"]));
            entry.error = row["error"].as_str().map(|error| Text::bounded(error, 300));
            let peers = row["wired_to"].as_array().map_or(&[][..], Vec::as_slice).iter().take(MOST_PEERS);
            entry.wired_to = peers.filter_map(Value::as_str).map(|peer| Text::bounded(peer, 120)).collect();
        }
        for key in gone {
            self.members.remove(&key);
        }
    }

    /// The members to ask next: those whose answer is oldest, and not younger than the interval.
    #[must_use]
    pub fn due(&self, most: usize, now_ms: Millis) -> Vec<(Text, Text)> {
        let mut due: Vec<(&(Text, Text), Option<Millis>)> = self
            .members
            .iter()
            .map(|(key, of)| (key, of.asked_ms))
            .filter(|(_, asked)| asked.is_none_or(|at| now_ms.saturating_sub(at) >= ASK_EVERY))
            .collect();
        due.sort_by_key(|(_, asked)| *asked);
        due.into_iter().take(most).map(|(key, _)| key.clone()).collect()
    }

    /// A member's answer was refused: what was known of it stands.
    pub fn refused(&mut self, key: &(Text, Text), now_ms: Millis) {
        if let Some(of) = self.members.get_mut(key) {
            of.asked_ms = Some(now_ms);
        }
    }

    /// Nobody looked for a while: how long anything stands still is counted from now.
    pub fn look_anew(&mut self, now_ms: Millis) {
        for of in self.members.values_mut() {
            of.since_ms = now_ms;
        }
    }

    /// Whether a mob, or one of its members, is there.
    #[must_use]
    pub fn knows(&self, mob: &Text, identity: Option<&Text>) -> bool {
        match identity {
            Some(identity) => self.members.contains_key(&(mob.clone(), identity.clone())),
            None => self.mobs.contains_key(mob),
        }
    }

    /// Takes what was answered of a member.
    pub fn take_status(&mut self, key: &(Text, Text), answer: &Value, now_ms: Millis) {
        let Some(of) = self.members.get_mut(key) else { return };
        of.asked_ms = Some(now_ms);
        let progress = &answer["progress"];
        let now = progress.is_object().then(|| Progress {
            run_state: word(&progress["run_state"]),
            in_flight: progress["in_flight_work"].as_i64().unwrap_or(0),
            last_ms: progress["last_progress_at_ms"].as_i64().filter(|at| *at > 0 && plausible(*at)),
            health: word(&progress["health"]),
        });
        let stands = |progress: &Option<Progress>| {
            progress.as_ref().map(|progress| (progress.run_state.clone(), progress.last_ms))
        };
        if stands(&now) != stands(&of.progress) {
            of.since_ms = now_ms;
        }
        of.progress = now;
    }

    /// The members, as agents of the realm that a node serves.
    #[must_use]
    pub fn agents(&self, node: &Text, realm: &Text, now_ms: Millis) -> Vec<Agent> {
        let agent = |((mob, identity), of): (&(Text, Text), &Member)| Agent {
            agent: member(mob.raw(), identity.raw()),
            repository_id: realm.clone(),
            group: mob.clone(),
            identity: identity.clone(),
            node_id: node.clone(),
            role: of.role.clone(),
            status: match of.status.raw() {
                "active" => Some(AgentStatus::Active),
                "retiring" => Some(AgentStatus::Retiring),
                "broken" => Some(AgentStatus::Broken),
                _ => None,
            },
            why: of.error.clone(),
            peers: of.wired_to.clone(),
            progress: of.progress.as_ref().map(|progress| progress.stated(of.since_ms, self.still_ms, now_ms)),
            ..Agent::default()
        };
        self.members.iter().map(agent).collect()
    }

    /// The mobs, as groups of agents.
    #[must_use]
    pub fn groups(&self, realm: &Text) -> Vec<Group> {
        let group = |(mob, (status, why)): (&Text, &(Text, Option<Text>))| Group {
            name: mob.clone(),
            repository_id: realm.clone(),
            supervisor: None,
            quorum: None,
            remark: Text::default(),
            status: match status.raw() {
                _ if why.is_some() => Some(GroupStatus::Failed),
                "Running" | "Creating" => Some(GroupStatus::Running),
                "Stopped" => Some(GroupStatus::Stopped),
                "Completed" | "Destroyed" => Some(GroupStatus::Over),
                _ => None,
            },
        };
        self.mobs.iter().map(group).collect()
    }

    /// What is wrong, by this console's own clock.
    #[must_use]
    pub fn problems(&self, realm: &Text, now_ms: Millis) -> Vec<Problem> {
        let mut found = Vec::new();
        let of = |name: &Text| About::Agent { agent: name.clone(), repository_id: realm.clone() };
        let mut add = |rule, severity, about, name: Text, sentence: String, evidence: Vec<String>| {
            let evidence = evidence.into_iter().map(Text::from).collect();
            found.push(Problem { rule, severity, about, name, sentence: sentence.into(), evidence });
        };
        for (mob, (status, why)) in &self.mobs {
            let Some(why) = why else { continue };
            let sentence = format!("{mob}: its actor has died, {status} was its last word");
            add("mob-failed", Severity::Critical, About::Source, mob.clone(), sentence, vec![why.to_string()]);
        }
        for ((mob, identity), member_of) in &self.members {
            let name = member(mob.raw(), identity.raw());
            if member_of.status == "broken" {
                let why = member_of.error.as_ref().map_or_else(|| "no reason given".to_owned(), ToString::to_string);
                add("member-broken", Severity::Warning, of(&name), name.clone(), format!("{name}: broken"), vec![why]);
            }
            let Some(progress) = member_of.progress.as_ref().filter(|progress| progress.run_state == "run_open") else {
                continue;
            };
            if is_past(Some(member_of.since_ms), self.still_ms, now_ms) {
                let last = progress.last_ms.map_or_else(|| "unknown".into(), utc);
                let evidence = vec![
                    format!("the same answer since {}, asked every {} s", utc(member_of.since_ms), ASK_EVERY / SECOND),
                    format!("last progress {last}; Meerkat's own health: {}", progress.health),
                ];
                let sentence = format!("{name}: run open, no progress for {} as seen from here", short(self.still_ms));
                add("member-still", Severity::Warning, of(&name), name, sentence, evidence);
            }
        }
        found
    }
}

fn word(value: &Value) -> Text {
    value.as_str().map(|text| Text::bounded(text, 80)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::meerkat::shared::STILL;
    use serde_json::json;

    fn asked(progress: &Value, now_ms: Millis, asked: &mut Asked) {
        let key = ("atlas".into(), "w-1".into());
        asked.take_status(&key, &json!({ "progress": progress }), now_ms);
    }

    fn one() -> Asked {
        let mut asked = Asked::new(STILL);
        asked.take_mobs(&json!({ "mobs": [{ "mob_id": "atlas", "status": "Running" }] }));
        let members = json!({ "members": [{ "agent_identity": "w-1", "role": "worker", "status": "active" }] });
        asked.take_members(&"atlas".into(), &members, 0);
        asked
    }

    fn rules(asked: &Asked, now_ms: Millis) -> Vec<&'static str> {
        asked.problems(&"desk-1".into(), now_ms).iter().map(|problem| problem.rule).collect()
    }

    #[test]
    fn a_run_that_stands_still_is_found_by_our_own_clock() {
        let mut of = one();
        let open = json!({ "run_state": "run_open", "in_flight_work": 0, "last_progress_at_ms": 1_795_646_712_579i64, "health": "unknown" });
        asked(&open, 1_000, &mut of);
        asked(&open, 1_000 + STILL - 1, &mut of);
        assert_eq!(rules(&of, 1_000 + STILL - 1), Vec::<&str>::new());
        assert_eq!(rules(&of, 1_000 + STILL), ["member-still"]);
        let moved = json!({ "run_state": "run_open", "in_flight_work": 0, "last_progress_at_ms": 1_795_646_713_000i64, "health": "unknown" });
        asked(&moved, 2_000 + STILL, &mut of);
        assert_eq!(rules(&of, 2_000 + STILL), Vec::<&str>::new(), "it moved");
        let agent = &of.agents(&"desk-1".into(), &"team".into(), 2_000 + STILL)[0];
        let progress = agent.progress.as_ref().unwrap();
        assert_eq!((agent.agent.raw(), agent.group.raw(), agent.role.raw()), ("atlas/w-1", "atlas", "worker"));
        assert_eq!((progress.activity, progress.is_still), (Activity::Working, false));
        assert_eq!((progress.since_ms, progress.every_ms), (2_000 + STILL, ASK_EVERY));
    }

    #[test]
    fn a_refusal_tells_nothing_and_a_gap_begins_the_count_anew() {
        let mut of = one();
        let open = json!({ "run_state": "run_open", "last_progress_at_ms": 1_795_646_712_579i64 });
        asked(&open, 0, &mut of);
        of.refused(&("atlas".into(), "w-1".into()), STILL - 1);
        asked(&open, STILL, &mut of);
        assert_eq!(rules(&of, STILL), ["member-still"]);
        of.look_anew(STILL);
        assert_eq!(rules(&of, 2 * STILL - 1), Vec::<&str>::new());
        assert_eq!(rules(&of, 2 * STILL), ["member-still"]);
    }

    #[test]
    fn members_are_asked_in_turn_and_no_more_often() {
        let mut of = one();
        let more = json!({ "members": [{ "agent_identity": "w-1" }, { "agent_identity": "w-2" }, { "agent_identity": "w-3" }] });
        of.take_members(&"atlas".into(), &more, 0);
        let names = |of: &Asked, now| of.due(2, now).into_iter().map(|(_, who)| who.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&of, 0), ["w-1", "w-2"]);
        for who in ["w-1", "w-2"] {
            of.take_status(&("atlas".into(), who.into()), &json!({}), 0);
        }
        assert_eq!(names(&of, 1), ["w-3"]);
        assert_eq!(names(&of, ASK_EVERY), ["w-3", "w-1"]);
        of.take_mobs(&json!({ "mobs": [] }));
        assert_eq!(names(&of, ASK_EVERY), Vec::<String>::new(), "a mob that is gone has no members");
    }

    #[test]
    fn a_dead_actor_and_a_broken_member_are_found_and_odd_answers_are_not() {
        let mut of = one();
        let failed = json!({ "mobs": [{ "mob_id": "atlas", "status": "Running", "failure": { "cause": "panic", "message": "it broke" } }] });
        of.take_mobs(&failed);
        of.take_members(&"atlas".into(), &json!({ "members": [{ "agent_identity": "w-1", "status": "broken" }] }), 0);
        assert_eq!(rules(&of, 0), ["mob-failed", "member-broken"]);
        for odd in [json!(null), json!([]), json!({ "mobs": 7, "members": "x", "progress": 3 })] {
            let mut of = one();
            of.take_status(&("atlas".into(), "w-1".into()), &odd, 0);
            of.take_members(&"atlas".into(), &odd, 0);
            of.take_mobs(&odd);
            assert_eq!(rules(&of, i64::MAX), Vec::<&str>::new());
        }
    }
}
