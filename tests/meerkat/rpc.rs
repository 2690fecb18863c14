//! A server of a realm, as a source asks it: in order and out of order, slow, cut, too large, replaced.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockkeeper::data::meerkat::rpc::Rpc;
use lockkeeper::data::source::{PollContext, Source};
use lockkeeper::model::agent::Agent;
use lockkeeper::model::observation::{Change, Observation};
use lockkeeper::model::source::Fault;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manners {
    Well,
    /// Answers come in the other order, with notifications between.
    Backwards,
    /// A line ends in its middle, and the connection with it.
    Cut,
    Large,
    Silent,
    /// Another release, without members' progress.
    Older,
    /// The mobs are served by another process.
    Elsewhere,
}

/// A server, and every method that it was asked for.
struct Server {
    address: SocketAddr,
    manners: Arc<Mutex<Manners>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (manners, asked) = (Arc::new(Mutex::new(Manners::Well)), Arc::new(Mutex::new(Vec::new())));
        let (of, log) = (manners.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (of, log) = (of.clone(), log.clone());
                tokio::spawn(async move {
                    let (read, mut write) = stream.into_split();
                    let mut lines = BufReader::new(read).lines();
                    let mut held = Vec::new();
                    while let Ok(Some(line)) = lines.next_line().await {
                        let request: Value = serde_json::from_str(&line).unwrap();
                        let method = request["method"].as_str().unwrap().to_owned();
                        let manners = *of.lock().unwrap();
                        log.lock().unwrap().push(method.clone());
                        let answer = answer(&request, manners).to_string() + "\n";
                        match manners {
                            Manners::Silent => {}
                            Manners::Cut if method == "mob/list" => {
                                let _ = write.write_all(&answer.as_bytes()[..answer.len() / 2]).await;
                                return;
                            }
                            Manners::Large if method == "mob/list" => {
                                let part = vec![b'x'; 1 << 20];
                                for _ in 0..50 {
                                    if write.write_all(&part).await.is_err() {
                                        return;
                                    }
                                }
                            }
                            // Two at a time, the second one first.
                            Manners::Backwards if method == "mob/member_status" => {
                                held.push(answer);
                                if held.len() == 2 {
                                    let notice =
                                        "{\"jsonrpc\":\"2.0\",\"method\":\"mob/stream_event\",\"params\":{}}\nnoise\n";
                                    let all = held.drain(..).rev().collect::<String>();
                                    write.write_all(format!("{notice}{all}").as_bytes()).await.unwrap();
                                }
                            }
                            _ => {
                                let _ = write.write_all(answer.as_bytes()).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, manners, asked }
    }

    fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }
}

fn answer(request: &Value, manners: Manners) -> Value {
    let id = &request["id"];
    let result = match request["method"].as_str().unwrap() {
        "initialize" => {
            let mut methods = vec!["initialize", "runtime/host_info", "mob/list", "mob/members"];
            methods.extend((manners != Manners::Older).then_some("mob/member_status"));
            json!({ "contract_version": if manners == Manners::Older { "0.6.34" } else { "0.9.8" }, "methods": methods })
        }
        "runtime/host_info" => json!({ "realm": { "realm_id": "team", "instance_id": "desk-1" } }),
        "mob/list" => json!({ "mobs": [{ "mob_id": "m", "status": "Running" }] }),
        "mob/members" if manners == Manners::Elsewhere => {
            let error = json!({ "code": -32602, "message": "session is served elsewhere", "data": { "kind": "session_served_elsewhere" } });
            return json!({ "jsonrpc": "2.0", "id": id, "error": error });
        }
        "mob/members" => json!({ "mob_id": "m", "members": [
            { "agent_identity": "w-1", "role": "worker", "status": "active" },
            { "agent_identity": "w-2", "role": "worker", "status": "active" },
        ] }),
        "mob/member_status" => {
            let state = if request["params"]["agent_identity"] == "w-1" { "run_open" } else { "idle" };
            json!({ "status": "active", "progress": { "run_state": state, "in_flight_work": 0, "last_progress_at_ms": 1_795_646_712_579i64, "health": "unknown" } })
        }
        _ => Value::Null,
    };
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// The console's clock, which the tests move.
static NOW: AtomicI64 = AtomicI64::new(1_795_700_000_000);

fn now_ms() -> i64 {
    NOW.load(Ordering::SeqCst)
}

/// Each agent with its activity.
fn agents(seen: &Observation) -> Vec<String> {
    let agents = seen.changes.iter().find_map(|c| if let Change::Agents(agents) = c { Some(agents) } else { None });
    let activity = |agent: &Agent| agent.progress.as_ref().map_or("not asked".into(), |p| p.activity.to_string());
    agents.into_iter().flatten().map(|agent| format!("{}: {}", agent.agent, activity(agent))).collect()
}

async fn poll(source: &mut Rpc) -> Result<Observation, Fault> {
    source.poll(&PollContext::default()).await
}

#[tokio::test]
async fn members_are_asked_at_a_steady_interval_and_matched_by_id() {
    let server = Server::start().await;
    server.behave(Manners::Backwards);
    let mut source = Rpc::new(server.address, now_ms);
    let first = poll(&mut source).await.unwrap();
    assert_eq!(agents(&first), ["m/w-1: working", "m/w-2: idle"]);
    for _ in 0..5 {
        poll(&mut source).await.unwrap();
    }
    assert_eq!(
        (server.asked("mob/member_status"), server.asked("initialize")),
        (2, 1),
        "one long connection, few questions"
    );
    let beats =
        first.changes.iter().any(|change| matches!(change, Change::Heartbeats(beats) if beats[0].node_id == *"desk-1"));
    assert!(beats);
    assert!(server.asked.lock().unwrap().iter().all(|method| !method.contains("stop") && !method.contains("cancel")));
}

#[tokio::test]
async fn what_goes_wrong_is_named_and_the_next_poll_begins_anew() {
    for (manners, words) in [(Manners::Cut, "closed the connection"), (Manners::Large, "larger than 4 MB")] {
        let server = Server::start().await;
        let mut source = Rpc::new(server.address, now_ms);
        poll(&mut source).await.unwrap();
        server.behave(manners);
        let fault = poll(&mut source).await.unwrap_err();
        assert!(fault.to_string().contains(words), "{manners:?}: {fault}");
        server.behave(Manners::Well);
        let again = poll(&mut source).await.unwrap();
        assert_eq!(agents(&again).len(), 2, "{manners:?}");
        assert_eq!(server.asked("initialize"), 2, "{manners:?}");
    }
}

#[tokio::test]
async fn a_poll_that_was_given_up_leaves_no_answers_for_the_next() {
    let server = Server::start().await;
    let mut source = Rpc::new(server.address, now_ms);
    poll(&mut source).await.unwrap();
    server.behave(Manners::Silent);
    assert!(tokio::time::timeout(Duration::from_millis(100), poll(&mut source)).await.is_err());
    server.behave(Manners::Well);
    assert_eq!(agents(&poll(&mut source).await.unwrap()).len(), 2);
}

#[tokio::test]
async fn another_release_and_another_process_are_said() {
    let server = Server::start().await;
    server.behave(Manners::Older);
    let mut source = Rpc::new(server.address, now_ms);
    let older = poll(&mut source).await.unwrap();
    assert_eq!(agents(&older)[0], "m/w-1: not asked");
    assert_eq!(server.asked("mob/member_status"), 0, "it has no such call");
    let server = Server::start().await;
    server.behave(Manners::Elsewhere);
    let mut source = Rpc::new(server.address, now_ms);
    let unseen = poll(&mut source).await.unwrap().unseen.unwrap();
    assert_eq!(unseen[0].raw(), "members of m: session is served elsewhere (session_served_elsewhere)");
    assert_eq!(poll(&mut source).await.unwrap().unseen, None, "it stands until the call is answered");
    server.behave(Manners::Well);
    NOW.fetch_add(5_000, Ordering::SeqCst);
    assert_eq!(poll(&mut source).await.unwrap().unseen, Some(Vec::new()));
    let nothing = Rpc::new("127.0.0.1:1".parse().unwrap(), now_ms).poll(&PollContext::default()).await;
    assert!(nothing.unwrap_err().to_string().contains("cannot connect to 127.0.0.1:1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_joins_the_server_with_its_realm() {
    let server = Server::start().await;
    let realm = crate::fixture::Realm::new();
    realm.lease("desk-1", 4_000);
    let (path, address) = (realm.path().to_owned(), server.address.to_string());
    let output = tokio::task::spawn_blocking(move || {
        crate::support::run(&["snapshot", "--format", "json", "--meerkat", &path, "--meerkat-rpc", &address])
    });
    let output = output.await.unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_eq!(seen["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(seen["nodes"][0]["staleness"], "healthy", "it answers, whatever its lease says");
    let output = crate::support::run(&["check", "--meerkat-rpc", "not an address"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("write an IP address and a port"), "{printed}");
}
