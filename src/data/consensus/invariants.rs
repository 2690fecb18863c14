//! What must hold of a consensus group, checked on the documents that it publishes. Pure.

use std::collections::BTreeMap;

use super::document::{BADGE, Document, Node, name};
use super::peers::differ;
use crate::model::LockTable;
use crate::model::severity::Severity;
use crate::model::stated::{About, Problem};
use crate::model::text::Text;
use crate::model::time::{Millis, SECOND, utc};

/// A document that is older is stale.
pub const STALE: Millis = 10 * SECOND;
/// Terms that rise by more within [`STALE`] without anything being agreed on are elections that nobody wins.
const TERMS: i64 = 3;

/// What is wrong, by the newest document alone.
#[must_use]
pub fn problems(now: &Document, now_ms: Millis) -> Vec<Problem> {
    let mut check = Check { group: now.group(), found: Vec::new() };
    check.age(now, now_ms);
    check.leaders(now);
    check.positions(now);
    check.quorum(now);
    check.locks(now);
    check.barriers(now, now_ms);
    check.proposals(now);
    check.limits(now);
    check.found
}

/// What went back, by a document and the one before it of the same incarnation.
#[must_use]
pub fn went_back(now: &Document, before: &Document) -> Vec<Problem> {
    let mut check = Check { group: now.group(), found: Vec::new() };
    if before.incarnation == now.incarnation {
        check.went_back(now, before);
    }
    check.found
}

/// Entries of one index and term that are not the same in two logs of a group.
#[must_use]
pub fn log_entries_that_differ(one: &Document, other: &Document) -> Vec<Problem> {
    let mut check = Check { group: one.group(), found: Vec::new() };
    check.logs(one, other);
    check.found
}

struct Check {
    group: Text,
    found: Vec<Problem>,
}

impl Check {
    fn add(
        &mut self,
        rule: &'static str,
        severity: Severity,
        about: About,
        name: Text,
        sentence: String,
        evidence: String,
    ) {
        let evidence = vec![evidence.into(), BADGE.into()];
        self.found.push(Problem { rule, severity, about, name, sentence: sentence.into(), evidence });
    }

    fn of_group(&mut self, rule: &'static str, severity: Severity, sentence: String, evidence: String) {
        let group = self.group.clone();
        self.add(rule, severity, About::Source, group.clone(), format!("{group}: {sentence}"), evidence);
    }

    fn of_node(&mut self, rule: &'static str, severity: Severity, node: &Node, sentence: String, evidence: String) {
        let of = name(&node.node_id);
        self.add(rule, severity, About::Node(of.clone()), of.clone(), format!("{of}: {sentence}"), evidence);
    }

    fn of_lock(&mut self, rule: &'static str, severity: Severity, lock: &str, sentence: String, evidence: String) {
        let of = name(lock);
        let about = About::Lock { table: LockTable::Queue, lock_key: of.clone(), repository_id: self.group.clone() };
        self.add(rule, severity, about, of.clone(), format!("{of}: {sentence}"), evidence);
    }

    fn age(&mut self, now: &Document, now_ms: Millis) {
        if let Some(at) = now.observed_at_ms.filter(|at| now_ms.saturating_sub(*at) > STALE) {
            self.of_group(
                "document-stale",
                Severity::Warning,
                "its document is old".into(),
                format!("observed {}", utc(at)),
            );
        }
    }

    /// Among the entries of one index and term, all are one.
    fn logs(&mut self, now: &Document, other: &Document) {
        for entry in &now.log {
            if other.log.iter().any(|of| differ(of, entry)) {
                let at = entry.index.unwrap_or_default();
                let sentence = format!("entry {at} of one term is two entries");
                self.of_group("log-torn", Severity::Critical, sentence, format!("term {}", shown(entry.term)));
            }
        }
    }

    /// Among what nodes say of themselves, at most one leads a term.
    fn leaders(&mut self, now: &Document) {
        let mut leading: BTreeMap<i64, Vec<&Node>> = BTreeMap::new();
        for node in now.nodes.iter().filter(|node| node.role.as_deref() == Some("leader")) {
            if let Some(term) = node.current_term {
                leading.entry(term).or_default().push(node);
            }
        }
        for (term, nodes) in leading.into_iter().filter(|(_, nodes)| nodes.len() > 1) {
            let names: Vec<String> = nodes.iter().map(|node| name(&node.node_id).to_string()).collect();
            let sentence = format!("{} lead in term {term}", names.join(" and "));
            self.of_group("two-leaders", Severity::Critical, sentence, "by their own roles".into());
        }
    }

    fn positions(&mut self, now: &Document) {
        for node in &now.nodes {
            let (applied, committed, last) = (node.last_applied, node.commit_index, node.last_index());
            if let Some((applied, committed)) =
                applied.zip(committed).filter(|(applied, committed)| applied > committed)
            {
                let evidence = format!("applied {applied}, committed {committed}");
                self.of_node(
                    "member-torn",
                    Severity::Critical,
                    node,
                    "it applied more than is agreed on".into(),
                    evidence,
                );
            }
            if let Some((committed, last)) = committed.zip(last).filter(|(committed, last)| committed > last) {
                let evidence = format!("committed {committed}, its log ends at {last}");
                self.of_node(
                    "member-torn",
                    Severity::Critical,
                    node,
                    "more is agreed on than its log holds".into(),
                    evidence,
                );
            }
        }
    }

    fn quorum(&mut self, now: &Document) {
        let voters: Vec<&Node> = now.nodes.iter().filter(|node| node.voter.unwrap_or(true)).collect();
        let size = voters.iter().filter_map(|node| node.cluster_size).max();
        let (Some(size), Some(at), Some(within)) = (size, now.observed_at_ms, now.limits.election_max_ms) else {
            return;
        };
        let heard = |node: &&&Node| {
            now.written_by.as_ref() == Some(&node.node_id)
                || node.heard_at_ms.is_some_and(|heard| at.saturating_sub(heard) <= within)
        };
        let mut named: BTreeMap<&str, i64> = BTreeMap::new();
        for node in voters.iter().filter(heard) {
            if let Some(leader) = node.leader_id.as_deref() {
                *named.entry(leader).or_default() += 1;
            }
        }
        let most = named.values().copied().max().unwrap_or(0);
        if most * 2 <= size {
            let evidence = format!("{most} of {size} were heard within {within} ms and name one leader");
            self.of_group("no-quorum", Severity::Critical, "no quorum".into(), evidence);
        }
        if size % 2 == 0 || now.limits.cluster_max.is_some_and(|most| size > most) {
            self.of_group(
                "voters-even",
                Severity::Info,
                format!("{size} members"),
                "even, or more than its limit".into(),
            );
        }
    }

    fn locks(&mut self, now: &Document) {
        let Some(at) = now.observed_at_ms else { return };
        for lock in &now.locks {
            let is_held = matches!(lock.state.as_deref(), Some("locked" | "queued"));
            let Some(end) = lock.expires_at_ms.filter(|end| is_held && *end < at) else { continue };
            let lease = now.limits.lease_ms.unwrap_or(i64::MAX);
            let severity = if at - end > lease { Severity::Critical } else { Severity::Warning };
            self.of_lock(
                "lock-past-lease",
                severity,
                &lock.lock_id,
                "held past its lease".into(),
                format!("it ran out {}", utc(end)),
            );
        }
    }

    fn barriers(&mut self, now: &Document, now_ms: Millis) {
        for barrier in &now.barriers {
            let arrived = barrier.arrived.as_ref().map(|all| i64::try_from(all.len()).unwrap_or(i64::MAX));
            let of = name(&barrier.barrier_id);
            let odd = arrived.zip(barrier.expected).is_some_and(|(n, of)| n > of)
                || barrier.threshold.zip(barrier.expected).is_some_and(|(n, of)| n > of);
            if odd {
                let evidence = format!(
                    "expected {}, threshold {}, arrived {}",
                    shown(barrier.expected),
                    shown(barrier.threshold),
                    shown(arrived)
                );
                self.of_group(
                    "barrier-odd",
                    Severity::Warning,
                    format!("barrier {of} counts what cannot be"),
                    evidence,
                );
            }
            if barrier.state.as_deref() != Some("waiting") {
                continue;
            }
            let wanted = barrier.threshold.or(barrier.expected);
            let span = barrier.timeout_ms.or(now.limits.barrier_timeout_ms);
            let late = barrier.created_at_ms.zip(span).filter(|(from, span)| now_ms.saturating_sub(*from) > *span);
            if let Some((from, _)) = late {
                let missing = arrived.zip(wanted).map_or_else(String::new, |(n, of)| format!(", {n} of {of} arrived"));
                let sentence = format!("barrier {of} waits past its time{missing}");
                self.of_group("barrier-late", Severity::Warning, sentence, format!("made {}", utc(from)));
            } else if arrived.zip(wanted).is_some_and(|(n, of)| n >= of) {
                let sentence = format!("barrier {of} is complete and still waits");
                self.of_group("barrier-stuck", Severity::Warning, sentence, format!("{} arrived", shown(arrived)));
            }
        }
    }

    fn proposals(&mut self, now: &Document) {
        let (Some(at), Some(election)) = (now.observed_at_ms, now.limits.election_max_ms) else { return };
        let committed = now.nodes.iter().filter_map(|node| node.commit_index).max();
        for proposal in now.proposals.iter().filter(|proposal| proposal.status.as_deref() == Some("pending")) {
            let of = name(&proposal.proposal_id);
            if proposal.index.zip(committed).is_some_and(|(index, committed)| index <= committed) {
                let sentence = format!("proposal {of} is agreed on and still pending");
                self.of_group(
                    "proposal-stuck",
                    Severity::Warning,
                    sentence,
                    format!("index {}", shown(proposal.index)),
                );
            } else if proposal.submitted_at_ms.is_some_and(|from| at.saturating_sub(from) > 10 * election) {
                let sentence = format!("proposal {of} waits for long");
                self.of_group(
                    "proposal-stuck",
                    Severity::Info,
                    sentence,
                    format!("submitted {}", utc(proposal.submitted_at_ms.unwrap_or(0))),
                );
            }
        }
    }

    fn limits(&mut self, now: &Document) {
        let size = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let limits = &now.limits;
        let longest = now.locks.iter().filter_map(|lock| lock.queue_length).max();
        let log = now.nodes.iter().filter_map(|node| node.log_length).max();
        let rows = [
            ("locks", Some(size(now.locks.len())), limits.locks_max),
            ("waiters of one lock", longest, limits.queue_max),
            ("barriers", Some(size(now.barriers.len())), limits.barriers_max),
            ("proposals", Some(size(now.proposals.len())), limits.proposals_max),
            ("entries of one log", log, limits.log_max),
        ];
        for (what, n, most) in rows {
            let Some((n, most)) = n.zip(most).filter(|(n, most)| *most > 0 && n * 10 >= most * 8) else { continue };
            let severity = if n >= most { Severity::Warning } else { Severity::Info };
            self.of_group("limit-near", severity, format!("{n} of {most} {what}"), "its own limit".into());
        }
    }

    /// What never goes back within an incarnation.
    fn went_back(&mut self, now: &Document, before: &Document) {
        if let Some((was, is)) = before.seq.zip(now.seq).filter(|(was, is)| is < was) {
            self.of_group(
                "document-back",
                Severity::Warning,
                "its writer went back".into(),
                format!("seq {was}, then {is}"),
            );
        }
        for node in &now.nodes {
            let Some(was) = before.nodes.iter().find(|was| was.node_id == node.node_id) else { continue };
            for (what, was, is) in [
                ("term", was.current_term, node.current_term),
                ("commit index", was.commit_index, node.commit_index),
                ("last applied", was.last_applied, node.last_applied),
            ] {
                if let Some((was, is)) = was.zip(is).filter(|(was, is)| is < was) {
                    let sentence = format!("its {what} went from {was} back to {is}");
                    self.of_node(
                        "member-back",
                        Severity::Critical,
                        node,
                        sentence,
                        format!("incarnation {}", name(&now.incarnation)),
                    );
                }
            }
        }
        for lock in &now.locks {
            let Some(was) = before.locks.iter().find(|was| was.lock_id == lock.lock_id) else { continue };
            let Some((old, new)) = was.fence_token.zip(lock.fence_token) else { continue };
            if new < old {
                let sentence = format!("its fence went from {old} back to {new}");
                self.of_lock(
                    "fence-torn",
                    Severity::Critical,
                    &lock.lock_id,
                    sentence,
                    "within one incarnation".into(),
                );
            } else if new == old && was.holder.is_some() && lock.holder.is_some() && was.holder != lock.holder {
                let sentence = format!("two holders under fence {new}");
                let of = |holder: &Option<String>| holder.as_deref().map(name).unwrap_or_default();
                let evidence = format!("{}, then {}", of(&was.holder), of(&lock.holder));
                self.of_lock("fence-torn", Severity::Critical, &lock.lock_id, sentence, evidence);
            }
        }
        self.logs(now, before);
        let term = |of: &Document| of.nodes.iter().filter_map(|node| node.current_term).max();
        let commit = |of: &Document| of.nodes.iter().filter_map(|node| node.commit_index).max();
        let span =
            before.observed_at_ms.zip(now.observed_at_ms).is_some_and(|(from, to)| to.saturating_sub(from) <= STALE);
        if let Some((was, is)) = term(before).zip(term(now)).filter(|(was, is)| is - was > TERMS)
            && span
            && commit(before) == commit(now)
        {
            let sentence = "elections that nobody wins".into();
            self.of_group(
                "elections-often",
                Severity::Warning,
                sentence,
                format!("term {was}, then {is}, and nothing agreed on"),
            );
        }
    }
}

/// A number, for people.
fn shown(n: Option<i64>) -> String {
    n.map_or_else(|| "unknown".into(), |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::consensus::document::tests::WHOLE;
    use serde_json::{Value, json};

    const AT: Millis = 1_795_644_000_000;

    fn whole() -> Value {
        serde_json::from_str(WHOLE).unwrap()
    }

    fn read(value: &Value) -> Document {
        Document::read(value.to_string().as_bytes()).unwrap()
    }

    fn rules(now: &Value, before: Option<&Value>) -> Vec<&'static str> {
        let now = read(now);
        let compared = before.map(|before| went_back(&now, &read(before))).unwrap_or_default();
        problems(&now, AT).iter().chain(&compared).map(|problem| problem.rule).collect()
    }

    #[test]
    fn a_document_in_order_has_no_finding() {
        assert_eq!(rules(&whole(), Some(&whole())), Vec::<&str>::new());
    }

    #[rstest::rstest]
    #[case("/nodes/1/role", json!("leader"), "two-leaders")]
    #[case("/nodes/0/last_applied", json!(5_999), "member-torn")]
    #[case("/nodes/0/log_length", json!(5), "member-torn")]
    #[case("/nodes/1/leader_id", json!("n2"), "no-quorum")]
    #[case("/nodes/1/heard_at_ms", json!(AT - 5_000), "no-quorum")]
    #[case("/locks/0/expires_at_ms", json!(AT - 1), "lock-past-lease")]
    #[case("/barriers/0/created_at_ms", json!(AT - 30_001), "barrier-late")]
    #[case("/barriers/0/arrived", json!(["a", "b", "c"]), "barrier-stuck")]
    #[case("/barriers/0/threshold", json!(5), "barrier-odd")]
    #[case("/proposals/0/index", json!(5_000), "proposal-stuck")]
    #[case("/proposals/0/submitted_at_ms", json!(AT - 3_001), "proposal-stuck")]
    #[case("/limits/locks_max", json!(2), "limit-near")]
    #[case("/observed_at_ms", json!(AT - 11_000), "document-stale")]
    fn what_does_not_hold_is_found(#[case] at: &str, #[case] value: Value, #[case] rule: &str) {
        let mut now = whole();
        *now.pointer_mut(at).unwrap() = value;
        assert!(rules(&now, None).contains(&rule), "{:?}", rules(&now, None));
    }

    #[rstest::rstest]
    #[case("/nodes/0/current_term", json!(6), "member-back")]
    #[case("/nodes/1/commit_index", json!(5_000), "member-back")]
    #[case("/locks/0/fence_token", json!(87), "fence-torn")]
    #[case("/locks/0/holder", json!("agent-5"), "fence-torn")]
    #[case("/log/0/kind", json!("command"), "log-torn")]
    #[case("/nodes/0/current_term", json!(11), "elections-often")]
    #[case("/seq", json!(1_041), "document-back")]
    fn what_goes_back_is_found_within_an_incarnation(#[case] at: &str, #[case] value: Value, #[case] rule: &str) {
        let mut now = whole();
        *now.pointer_mut(at).unwrap() = value;
        assert!(rules(&now, Some(&whole())).contains(&rule), "{:?}", rules(&now, Some(&whole())));
        now["incarnation"] = "b8".into();
        assert!(!rules(&now, Some(&whole())).contains(&rule), "a new incarnation begins anew");
    }
}
