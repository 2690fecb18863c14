//! A work item and the claim on it. Pure.

use serde_json::Value;

use super::ITEM_IF_DEAD;
use super::instant;
use super::shared::{RealmFacts, is_past, member};
use crate::model::severity::Severity;
use crate::model::stated::{About, Problem, Stage, StatedTask, TaskEvent};
use crate::model::text::Text;
use crate::model::time::{MINUTE, Millis, utc};
use crate::model::{Condition, Lock, LockTable};

/// A claim without an end is worth mentioning after a day.
const LONG: Millis = 24 * 60 * MINUTE;

/// One item.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub item_id: Text,
    pub title: Text,
    pub status: Text,
    pub revision: i64,
    pub created_ms: Option<Millis>,
    pub updated_ms: Option<Millis>,
    pub claim: Option<Claim>,
    /// The mob whose members it is for.
    pub mob: Option<String>,
}

/// A claim: exclusive, and fenced by the revision of its item.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub owner: Text,
    /// Whether the owner is a member of the mob.
    pub by_member: bool,
    pub claimed_ms: Option<Millis>,
    pub expires_ms: Option<Millis>,
}

impl Item {
    /// Reads a row: its realm, item and revision count, and the item's own JSON.
    #[must_use]
    pub fn read(realm_id: &str, item_id: &str, revision: i64, json: &str) -> Option<Self> {
        let item: Value = serde_json::from_str(json).ok()?;
        let at = |value: &Value| value.as_str().and_then(instant);
        let mob = realm_id.strip_prefix("mob.").map(str::to_owned);
        let claim = &item["claim"];
        let key = &claim["owner"]["key"];
        let claim = key["id"].as_str().map(|id| {
            let by_member = key["kind"] == "agent" && mob.is_some();
            let owner = match (&mob, key["kind"].as_str()) {
                (Some(mob), Some("agent")) => member(mob, id),
                (_, Some(kind)) => format!("{kind} {id}").into(),
                _ => Text::new(id),
            };
            let (claimed_ms, expires_ms) = (at(&claim["claimed_at"]), at(&claim["lease_expires_at"]));
            Claim { owner, by_member, claimed_ms, expires_ms }
        });
        Some(Self {
            item_id: Text::bounded(item_id, 120),
            title: Text::bounded(item["title"].as_str().unwrap_or("(no title)"), 120),
            status: Text::bounded(item["status"].as_str()?, 40),
            revision,
            created_ms: at(&item["created_at"]),
            updated_ms: at(&item["updated_at"]),
            claim,
            mob,
        })
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> Text {
        format!("{} ({})", self.title, self.item_id).into()
    }

    /// Its claim as a lock.
    #[must_use]
    pub fn lock(&self, realm: &Text, facts: &RealmFacts) -> Option<Lock> {
        let claim = self.claim.as_ref().filter(|_| self.status == "in_progress")?;
        Some(Lock {
            table: LockTable::Claim,
            lock_key: self.name(),
            repository_id: realm.clone(),
            // Whoever is no member works elsewhere.
            holder_node: facts.server().filter(|_| claim.by_member).cloned().unwrap_or_default(),
            holder_agent: claim.owner.clone(),
            fence_token: Some(self.revision),
            acquired_at_ms: claim.claimed_ms,
            expires_at_ms: claim.expires_ms,
            condition: (claim.expires_ms.is_none() && facts.is_served() == Some(true)).then_some(Condition::OpenEnded),
            ended_by: Some(format!("its agents' tool workgraph_release, expected_revision {}", self.revision).into()),
            ..Lock::default()
        })
    }

    /// The item as a task. `waits_for` are the open items that block it.
    #[must_use]
    pub fn stated(&self, realm: &Text, waits_for: &[Text]) -> StatedTask {
        let event = |at_ms, stage, text: String| TaskEvent { at_ms, stage, text: text.into() };
        let mut story = vec![event(self.created_ms, Stage::Submitted, format!("work item {}", self.item_id))];
        if let Some(claim) = &self.claim {
            let stage = if self.status == "in_progress" { Stage::Running } else { Stage::Detail };
            story.push(event(claim.claimed_ms, stage, format!("claimed by {}", claim.owner)));
        }
        if !waits_for.is_empty() {
            let names: Vec<&str> = waits_for.iter().map(Text::as_str).collect();
            story.push(event(self.updated_ms, Stage::Detail, format!("waits for {}", names.join(", "))));
        }
        let end = match self.status.raw() {
            "completed" => Some(Stage::Done),
            "failed" => Some(Stage::Failed),
            "cancelled" => Some(Stage::Cancelled),
            "blocked" => Some(Stage::Detail),
            _ => None,
        };
        story.extend(end.map(|stage| event(self.updated_ms, stage, self.status.to_string())));
        let agent = self.claim.as_ref().map(|claim| claim.owner.clone());
        StatedTask {
            task: self.name(),
            repository_id: realm.clone(),
            agent,
            cancel: None,
            if_dead: ITEM_IF_DEAD,
            story,
        }
    }

    /// Whether nothing more is expected of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.status.raw(), "completed" | "failed" | "cancelled")
    }

    /// What is wrong with its claim.
    pub fn problems(&self, realm: &Text, facts: &RealmFacts, now_ms: Millis, found: &mut Vec<Problem>) {
        let Some(claim) = self.claim.as_ref().filter(|_| self.status == "in_progress") else { return };
        let mut add = |rule, sentence: String, evidence: String, severity| {
            let about = About::Lock { table: LockTable::Claim, lock_key: self.name(), repository_id: realm.clone() };
            let evidence = vec![evidence.into()];
            found.push(Problem {
                rule,
                severity,
                about,
                name: self.title.clone(),
                sentence: sentence.into(),
                evidence,
            });
        };
        let at = claim.claimed_ms.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {}", utc(at)));
        let gone = facts.members.as_ref().is_some_and(|members| !members.contains(&claim.owner));
        if claim.by_member && gone {
            let sentence = format!("{}: claimed by {}, which is no member", self.title, claim.owner);
            add("claim-unowned", sentence, format!("claimed {at}, revision {}", self.revision), Severity::Warning);
        }
        if claim.expires_ms.is_none() && is_past(claim.claimed_ms, LONG, now_ms) {
            let sentence = format!("{}: claimed by {} without an end, for more than a day", self.title, claim.owner);
            add("claim-endless", sentence, format!("claimed {at}"), Severity::Info);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLAIMED: &str = r#"{"title":"Write the lexer","status":"in_progress","created_at":"2026-11-25T22:46:23.5Z",
        "updated_at":"2026-11-25T22:47:30.0Z","claim":{"owner":{"key":{"kind":"agent","id":"worker-1"}},
        "claimed_at":"2026-11-25T22:47:30.0Z","lease_expires_at":"2026-11-25T22:47:38.0Z"}}"#;

    #[test]
    fn a_claim_is_a_lock_under_the_revision_of_its_item() {
        let item = Item::read("mob.atlas", "work_1", 2, CLAIMED).unwrap();
        let lock = item.lock(&"team".into(), &RealmFacts::default()).unwrap();
        assert_eq!((lock.lock_key.raw(), lock.holder_agent.raw()), ("Write the lexer (work_1)", "atlas/worker-1"));
        assert_eq!((lock.fence_token, lock.condition), (Some(2), None));
        let task = item.stated(&"team".into(), &["Pick a name".into()]);
        assert_eq!(task.story[1].stage, Stage::Running);
        assert_eq!(task.story[2].text.raw(), "waits for Pick a name");
    }

    #[test]
    fn only_a_members_claim_goes_with_the_process_that_serves_it() {
        let facts = RealmFacts { processes: Some(vec![("desk".into(), false)]), ..RealmFacts::default() };
        let holder = |json: &str| {
            let item = Item::read("mob.atlas", "work_1", 2, json).unwrap();
            item.lock(&"team".into(), &facts).unwrap().holder_node
        };
        assert_eq!(holder(CLAIMED), "desk");
        assert_eq!(holder(&CLAIMED.replace("agent", "principal")), "");
    }

    #[test]
    fn a_claim_of_nobody_and_one_without_an_end_are_found() {
        let facts = |members: &[&str]| RealmFacts {
            members: Some(members.iter().map(|name| Text::new(name)).collect()),
            ..RealmFacts::default()
        };
        let found = |item: &Item, facts: &RealmFacts, now| {
            let mut found = Vec::new();
            item.problems(&"team".into(), facts, now, &mut found);
            found.iter().map(|problem| problem.rule).collect::<Vec<_>>()
        };
        let item = Item::read("mob.atlas", "work_1", 2, CLAIMED).unwrap();
        let at = item.updated_ms.unwrap();
        assert_eq!(found(&item, &facts(&["atlas/worker-1"]), at), Vec::<&str>::new());
        assert_eq!(found(&item, &facts(&["atlas/worker-2"]), at), ["claim-unowned"]);
        assert_eq!(found(&item, &RealmFacts::default(), at), Vec::<&str>::new(), "who is a member is not known yet");
        let mut json: Value = serde_json::from_str(CLAIMED).unwrap();
        json["claim"].as_object_mut().unwrap().remove("lease_expires_at");
        let endless = Item::read("mob.atlas", "work_1", 2, &json.to_string()).unwrap();
        assert_eq!(endless.claim.as_ref().unwrap().expires_ms, None);
        assert_eq!(found(&endless, &facts(&["atlas/worker-1"]), at + LONG), ["claim-endless"]);
    }

    proptest! {
        #[test]
        fn anything_is_an_item_or_none(text in ".{0,200}", revision in any::<i64>(), now in any::<i64>()) {
            if let Some(item) = Item::read("mob.m", &text, revision, &text) {
                item.problems(&"r".into(), &RealmFacts::default(), now, &mut Vec::new());
            }
        }
    }
}
