//! Clusters, by what their members answered.

use super::*;
use crate::data::consensus::wire::{Header, Member as Listed, MemberList};

const IDS: [u64; 3] = [0x11, 0x22, 0x33];

fn list() -> MemberList {
    let member = |(at, id): (usize, &u64)| Listed { id: *id, name: format!("m{}", at + 1), ..Listed::default() };
    MemberList { members: IDS.iter().enumerate().map(member).collect() }
}

fn status(id: u64, leader: u64, term: i64, applied: i64) -> Status {
    Status {
        header: Header { cluster_id: 7, member_id: id, revision: applied, raft_term: term },
        version: "3.4.23".into(),
        leader,
        raft_index: applied,
        raft_term: term,
        raft_applied_index: applied,
        ..Status::default()
    }
}

fn all(leader: u64, term: i64, applied: i64) -> Answers {
    IDS.iter().map(|id| (Some(*id), Ok(status(*id, leader, term, applied)))).collect()
}

fn silent(mut answers: Answers, id: u64) -> Answers {
    for answer in &mut answers {
        if answer.0 == Some(id) {
            answer.1 = Err("no answer".into());
        }
    }
    answers
}

fn rules(cluster: &Cluster, now_ms: Millis) -> Vec<&'static str> {
    let mut found = Vec::new();
    cluster.problems(&"etcd 7".into(), now_ms, &mut found);
    found.iter().map(|problem| problem.rule).collect()
}

fn begun() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.take(all(IDS[0], 2, 10), 1_000);
    cluster.take_list(&list());
    cluster
}

fn leader(cluster: &Cluster) -> Member {
    let members = cluster.members(&"g".into());
    members.into_iter().find(|member| member.role == Some(MemberRole::Leader)).unwrap()
}

#[test]
fn who_leads_since_when_is_a_floor_until_an_election_was_seen() {
    let mut cluster = begun();
    let first = leader(&cluster);
    assert_eq!((first.name.raw(), first.since_ms, first.is_since_floor), ("m1", Some(1_000), true));
    assert_eq!(cluster.elections(), 0, "it led before");
    cluster.take(all(IDS[1], 3, 12), 9_000);
    let next = leader(&cluster);
    assert_eq!((next.name.raw(), next.term, next.since_ms, next.is_since_floor), ("m2", Some(3), Some(9_000), false));
    assert_eq!(cluster.elections(), 1);
    for term in 4..6 {
        cluster.take(all(IDS[0], term, 12), 10_000);
        cluster.take(all(IDS[1], term, 12), 11_000);
    }
    assert!(rules(&cluster, 11_000).contains(&"elections-often"));
    cluster.take(all(IDS[1], 6, 12), 11_001 + COUNTED);
    assert!(!rules(&cluster, 11_001 + COUNTED).contains(&"elections-often"), "that is over");
}

#[test]
fn a_quorum_is_there_while_a_voter_names_a_leader() {
    let mut cluster = begun();
    cluster.take(silent(all(IDS[0], 2, 11), IDS[2]), 2_000);
    assert_eq!((cluster.has_quorum(), rules(&cluster, 9_000)), (true, vec!["member-silent"]));
    // An election takes a moment: that is no lack of a quorum.
    cluster.take(all(0, 2, 11), 3_000);
    assert_eq!((cluster.has_quorum(), rules(&cluster, 3_000 + LEADERLESS - 1)), (false, vec![]));
    assert_eq!(rules(&cluster, 3_000 + LEADERLESS), ["no-quorum"]);
    cluster.take(all(IDS[1], 37, 12), 9_000);
    assert_eq!(rules(&cluster, 99_000), Vec::<&str>::new(), "a leap of the term is no fault");
}

/// One answer may bear a new leader with an old term.
#[test]
fn two_leaders_are_two_at_two_polls_running() {
    let mut cluster = begun();
    let both = || -> Answers {
        vec![(Some(IDS[0]), Ok(status(IDS[0], IDS[0], 3, 10))), (Some(IDS[1]), Ok(status(IDS[1], IDS[1], 3, 10)))]
    };
    cluster.take(both(), 2_000);
    assert!(!rules(&cluster, 2_000).contains(&"two-leaders"));
    cluster.take(both(), 3_000);
    assert!(rules(&cluster, 3_000).contains(&"two-leaders"));
    cluster.take(all(IDS[1], 4, 10), 4_000);
    assert!(!rules(&cluster, 4_000).contains(&"two-leaders"));
}

#[test]
fn what_goes_back_and_who_is_behind_are_found() {
    let mut cluster = begun();
    cluster.take(all(IDS[0], 2, 9), 2_000);
    assert_eq!(rules(&cluster, 2_000), ["member-back"; 3]);
    let mut cluster = begun();
    for poll in 0..5 {
        let mut answers = all(IDS[0], 2, 100 + poll);
        answers[2].1 = Ok(status(IDS[2], IDS[0], 2, 20));
        cluster.take(answers, 2_000 + poll);
        assert_eq!(rules(&cluster, 9_000).contains(&"member-behind"), poll == 4, "{poll}");
    }
    // Another cluster begins anew.
    let mut other = status(IDS[0], IDS[0], 1, 1);
    other.header.cluster_id = 8;
    cluster.take(vec![(Some(IDS[0]), Ok(other))], 9_000);
    assert_eq!((cluster.id, rules(&cluster, 9_000)), (8, vec![]));
}

#[test]
fn alarms_versions_and_even_votes_are_said() {
    let mut cluster = begun();
    let mut answers = all(IDS[0], 2, 11);
    if let Ok(status) = &mut answers[1].1 {
        status.errors = vec!["memberID:34 alarm:NOSPACE ".into()];
        status.version = "3.5.1".into();
    }
    cluster.take(answers, 2_000);
    assert_eq!(rules(&cluster, 2_000), ["versions-differ", "member-alarm"]);
    let two = MemberList { members: list().members.into_iter().take(2).collect() };
    cluster.take_list(&two);
    assert!(rules(&cluster, 2_000).contains(&"voters-even"));
}

#[test]
fn a_lease_tells_through_which_member_it_was_granted() {
    let mut cluster = Cluster::default();
    let id = 0xeeb2_0000_0000_4b12;
    cluster.take(vec![(None, Ok(status(id, id, 2, 1)))], 0);
    assert_eq!(cluster.granted_by(0x4b12_a214_a80d_4d0b).map(|name| name.to_string()), Some("eeb2000000004b12".into()));
    assert_eq!(cluster.granted_by(0x4750_a214_a80d_9705), None);
}
