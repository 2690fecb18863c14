//! Members of a real cluster: who leads, a learner that gets a vote, one that is removed, a store that is full.

use lockkeeper::model::action::{MemberChange, MemberGuard};

use super::*;

/// The command line, with a journal of its own.
fn run(cluster: &Cluster, arguments: &[&str]) -> (Option<i32>, String) {
    let output = lockkeeper()
        .args(arguments)
        .args(["--yes", "--etcd", &cluster.urls()])
        .env("XDG_STATE_HOME", cluster.folder.path())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn row<'a>(seen: &'a Value, name: &str) -> &'a Value {
    seen["groups"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{seen:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_hands_over_to_whom_the_operator_names() {
    let Some(cluster) = Cluster::start(3) else { return };
    let before = cluster.leader();
    let to = (before + 1) % 3;
    let (code, printed) = run(&cluster, &["member", &format!("m{to}"), "lead"]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(cluster.leader(), to);
    let (code, printed) = run(&cluster, &["member", &format!("m{to}"), "lead"]);
    assert!(code == Some(4) && printed.contains("it leads already"), "{code:?}: {printed}");
    // Another term than the one that was seen: nothing is sent.
    let status = cluster.status(to).unwrap();
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let target = cluster.status(before).unwrap();
    let member = MemberGuard {
        group: format!("etcd {:x}", number(&status["header"]["cluster_id"])),
        member: format!("m{before}"),
        id: format!("{:x}", number(&target["header"]["member_id"])),
        leader: None,
        term: Some(i64::try_from(number(&status["raftTerm"])).unwrap() - 1),
        alarms: Vec::new(),
    };
    let mut request = release(guard("lk/x", 1, &Session { url: cluster.url(0), lease: 1 }));
    request.action = Action::ChangeMember { member: member.clone(), change: MemberChange::Lead };
    let mut executor = executor(&cluster);
    let outcome = executor.execute(&request).await;
    assert!(
        outcome.kind == OutcomeKind::Refused && outcome.summary.raw().contains("began meanwhile"),
        "{}",
        outcome.summary
    );
    assert!(matches!(executor.was_applied(&request).await, Resolution::Undecidable(_)));
    request.action = Action::ChangeMember {
        member: MemberGuard { group: "etcd 1".into(), ..member },
        change: MemberChange::Defragment,
    };
    assert!(executor.execute(&request).await.summary.raw().contains("another cluster"));
    assert_eq!(cluster.leader(), to, "nothing was sent");
    let (code, printed) = run(&cluster, &["member", &format!("m{before}"), "defragment"]);
    assert!(code == Some(0) && printed.contains("bytes"), "{code:?}: {printed}");
}

#[test]
fn a_learner_gets_a_vote_and_a_member_leaves() {
    let Some(mut cluster) = Cluster::start(3) else { return };
    let (client, peer) = (free_port(), free_port());
    let body = json!({ "peerURLs": [format!("http://127.0.0.1:{peer}")], "isLearner": true });
    // A cluster that has only just met takes nobody in.
    wait_for("the learner is let in", || call(&cluster.url(0), "/v3/cluster/member/add", &body));
    cluster.ports.push((client, peer));
    cluster.members.push(None);
    cluster.join(3);
    wait_for("the learner answers", || cluster.status(3).filter(|status| status["isLearner"] == true));
    let seen = seen_json(&cluster, &[]);
    assert_eq!(row(&seen, "m3")["state"], "learns", "{seen:#}");
    assert!(!seen["findings"].to_string().contains("voters-even"), "a learner has no vote: {}", seen["findings"]);
    let (code, printed) = run(&cluster, &["member", "m3", "lead"]);
    assert!(code == Some(4) && printed.contains("a learner cannot lead"), "{code:?}: {printed}");
    // It is refused as long as it lags.
    wait_for("its vote", || {
        let (code, printed) = run(&cluster, &["member", "m3", "promote"]);
        assert!(matches!(code, Some(0 | 4)), "{code:?}: {printed}");
        (code == Some(0)).then_some(())
    });
    let seen = seen_json(&cluster, &[]);
    assert_eq!(row(&seen, "m3")["state"], "follows");
    assert!(seen["findings"].to_string().contains("voters-even"), "{}", seen["findings"]);
    let (code, printed) = run(&cluster, &["member", "m3", "remove"]);
    assert_eq!(code, Some(0), "{printed}");
    let list = call(&cluster.url(0), "/v3/cluster/member/list", &json!({})).unwrap();
    assert_eq!(list["members"].as_array().unwrap().len(), 3);
    cluster.kill(3);
    cluster.ports.pop();
    // With one gone, the other two are needed.
    let leader = cluster.leader();
    let (dead, left) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.kill(dead);
    let (code, printed) = run(&cluster, &["member", &format!("m{left}"), "remove"]);
    assert!(code == Some(4) && printed.contains("lose its quorum"), "{code:?}: {printed}");
}

#[test]
fn a_full_store_is_said_and_freed_in_its_order() {
    let Some(cluster) = Cluster::start_with(1, &["--quota-backend-bytes", "4194304"]) else { return };
    let url = cluster.url(0);
    let session = Session::new(&url, 60);
    let revision = session.ask("lk/a", "");
    let value = STANDARD.encode("x".repeat(200_000));
    let put = |n: usize| call(&url, "/v3/kv/put", &json!({ "key": key(&format!("junk/{n}")), "value": value }));
    let full = (0..100).find(|n| put(*n).is_none());
    assert!(full.is_some(), "the store takes everything");
    let args = ["--config", &prefixes(&cluster, &["lk/=mutex"])].map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let seen = seen_json(&cluster, &args);
    for rule in ["member-alarm", "limit-near"] {
        assert!(seen["findings"].to_string().contains(rule), "{rule}: {}", seen["findings"]);
    }
    assert_eq!(seen["locks"][0]["fence_token"], revision, "reads go on");
    // A lock can be broken all the same.
    let (code, printed) = run(&cluster, &["release", "lk/a", "--fence", &revision.to_string()]);
    assert_eq!(code, Some(0), "{printed}");
    call(&url, "/v3/kv/deleterange", &json!({ "key": key("junk/"), "range_end": key("junk0") })).unwrap();
    let now = cluster.status(0).unwrap()["header"]["revision"].clone();
    call(&url, "/v3/kv/compaction", &json!({ "revision": now, "physical": true })).unwrap();
    let (code, printed) = run(&cluster, &["member", "m0", "defragment"]);
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = run(&cluster, &["member", "m0", "clear-alarm"]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(put(0).is_some(), "it takes keys again");
    assert!(!seen_json(&cluster, &[])["findings"].to_string().contains("member-alarm"));
    let (code, printed) = run(&cluster, &["member", "m0", "clear-alarm"]);
    assert!(code == Some(4) && printed.contains("no alarm"), "{code:?}: {printed}");
}

/// A configuration that names prefixes with their layouts.
fn prefixes(cluster: &Cluster, all: &[&str]) -> String {
    let path = cluster.folder.path().join("prefixes.toml");
    std::fs::write(&path, format!("[etcd]\nprefixes = {}\n", json!(all))).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_with_all_of_its_keys_or_not_at_all() {
    let Some(cluster) = Cluster::start(1) else { return };
    let url = cluster.url(0);
    let session = Session::new(&url, 60);
    let revision = session.ask("lk/a", "");
    let put = |name: &str| {
        let body = json!({ "key": key(name), "value": "", "lease": session.lease.to_string() });
        call(&url, "/v3/kv/put", &body).unwrap()
    };
    put("services/worker");
    let fence = revision.to_string();
    // A key that came after the preview: nothing is sent.
    let lock = guard("lk/a", revision, &session);
    let mut request = release(lock.clone());
    let keys = vec![session.key("lk/a"), "services/worker".to_owned()];
    request.action = Action::EndLease { lock, keys };
    put("services/another");
    let outcome = executor(&cluster).execute(&request).await;
    assert!(
        outcome.kind == OutcomeKind::Refused && outcome.summary.raw().contains("other keys"),
        "{}",
        outcome.summary
    );
    let (code, printed) = run(&cluster, &["end-lease", "lk/a", "--fence", &fence, "--format", "json"]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("services/another") && printed.contains("services/worker"),
        "all keys are named: {printed}"
    );
    let left = call(&url, "/v3/kv/range", &json!({ "key": "AA==", "range_end": "AA==" })).unwrap();
    assert!(left.get("kvs").is_none(), "{left}");
    let (code, printed) = run(&cluster, &["end-lease", "lk/a", "--fence", &fence]);
    assert_eq!(code, Some(4), "{printed}");
}

#[test]
fn a_barrier_of_one_key_is_opened_if_it_is_the_one_that_was_seen() {
    let Some(cluster) = Cluster::start(1) else { return };
    let url = cluster.url(0);
    let put = || {
        let answer = call(&url, "/v3/kv/put", &json!({ "key": key("gates/x") })).unwrap();
        answer["header"]["revision"].as_str().unwrap().to_owned()
    };
    let first = put();
    call(&url, "/v3/kv/deleterange", &json!({ "key": key("gates/x") })).unwrap();
    let second = put();
    let config = prefixes(&cluster, &["gates/=barrier"]);
    let open = |revision: &str| run(&cluster, &["open", "gates/x", "--revision", revision, "--config", &config]);
    let (code, printed) = open(&first);
    assert!(code == Some(4) && printed.contains("not the one you saw"), "{code:?}: {printed}");
    let (code, printed) = open(&second);
    assert_eq!(code, Some(0), "{printed}");
    assert!(call(&url, "/v3/kv/range", &json!({ "key": key("gates/x") })).unwrap().get("kvs").is_none());
}
